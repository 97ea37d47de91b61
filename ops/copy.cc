// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/copy.h"

#include <utility>

namespace halite {
namespace {

// From how many elements on a row is worth a call of memcpy.
constexpr int64_t kLongRow = 256;

}  // namespace

void CopyView(Lowering& l, const Operand& x, const Operand& y) {
  Walk walk;
  walk.strides.resize(2);
  for (size_t d = 0; d < x.dims().size(); ++d) {
    walk.extents.push_back(x.dims()[d].extent);
    walk.strides[0].push_back(x.dims()[d].stride);
    walk.strides[1].push_back(y.dims()[d].stride);
  }
  walk.Collapse();
  // The kernel `transpose` takes x contiguous along dimension 1 and y along dimension 0.
  const bool is_dense = walk.strides[0][0] == 1 && walk.strides[1][0] == 1;
  const char* kernel =
      is_dense && walk.extents[0] >= kLongRow && !y.may_accumulate() ? "copy_rows" : "copy";
  for (int d = 1; d < walk.rank(); ++d) {
    if (walk.strides[0][d] != 1 || walk.strides[1][0] != 1) continue;
    kernel = "transpose";
    std::swap(walk.extents[1], walk.extents[d]);
    for (auto& strides : walk.strides) std::swap(strides[1], strides[d]);
    break;
  }
  walk.ForEachOuter(kWalkRank, [&](absl::Span<const int64_t> at) {
    l.Call(kernel,
           {{"x", walk.View(x, 0, kWalkRank, at[0])}, {"y", walk.View(y, 1, kWalkRank, at[1])}});
  });
}

}  // namespace halite
