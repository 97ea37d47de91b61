// SPDX-License-Identifier: Apache-2.0
#include "halite/core/canonical.h"

#include <algorithm>

namespace halite {

InnerAxisOuter::InnerAxisOuter(absl::Span<const int64_t> shape, int axis)
    : InnerAxisOuter(shape, axis, axis) {}

InnerAxisOuter::InnerAxisOuter(absl::Span<const int64_t> shape, int first, int last)
    : inner(Size(shape.subspan(last + 1))),
      axis(Size(shape.subspan(first, last - first + 1))),
      outer(Size(shape.subspan(0, first))) {}

Walk Walk::Broadcast(absl::Span<const int64_t> shape, absl::Span<const Shape> shapes) {
  Walk walk;
  walk.extents.assign(shape.rbegin(), shape.rend());
  for (const Shape& own : shapes) {
    absl::InlinedVector<int64_t, 6> strides;
    int64_t stride = 1;
    for (auto extent = own.rbegin(); extent != own.rend(); ++extent) {
      strides.push_back(*extent == 1 ? 0 : stride);
      stride *= *extent;
    }
    walk.strides.push_back(std::move(strides));
  }
  return walk;
}

void Walk::Collapse() {
  int kept = 0;  // dimensions of the result so far
  const auto move = [&](int from, int to) {
    extents[to] = extents[from];
    for (auto& own : strides) own[to] = own[from];
  };
  for (int d = 0; d < rank(); ++d) {
    if (extents[d] == 1) continue;
    const bool merges = kept > 0 && std::all_of(strides.begin(), strides.end(), [&](auto& own) {
                          return own[d] == own[kept - 1] * extents[kept - 1];
                        });
    if (merges) {
      extents[kept - 1] *= extents[d];
    } else {
      move(d, kept++);
    }
  }
  if (kept == 0) {
    extents.assign(1, 1);
    for (auto& own : strides) own.assign(1, 1);
    return;
  }
  extents.resize(kept);
  for (auto& own : strides) own.resize(kept);
}

Operand Walk::View(const Operand& operand, int k, int rank, int64_t offset) const {
  absl::InlinedVector<Operand::Dim, 6> dims;
  for (int d = 0; d < std::min(rank, this->rank()); ++d)
    dims.push_back({extents[d], strides[k][d]});
  return operand.WithDims(std::move(dims), offset);
}

void Walk::ForEachOuter(int rank,
                        const std::function<void(absl::Span<const int64_t>)>& visit) const {
  std::vector<int64_t> index(std::max(this->rank() - rank, 0), 0);
  std::vector<int64_t> offsets(strides.size(), 0);
  for (;;) {
    visit(offsets);
    size_t d = 0;
    for (; d < index.size(); ++d) {
      const int dim = rank + static_cast<int>(d);
      const bool carry = ++index[d] == extents[dim];
      for (size_t k = 0; k < strides.size(); ++k) {
        offsets[k] += carry ? -strides[k][dim] * (extents[dim] - 1) : strides[k][dim];
      }
      if (!carry) break;
      index[d] = 0;
    }
    if (d == index.size()) return;
  }
}

}  // namespace halite
