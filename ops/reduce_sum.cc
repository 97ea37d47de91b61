// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/reduce_sum.h"

#include "halite/core/canonical.h"

namespace halite {

std::vector<std::pair<int, int>> AxisRuns(const std::vector<bool>& reduced) {
  std::vector<std::pair<int, int>> runs;
  for (int d = static_cast<int>(reduced.size()) - 1; d >= 0; --d) {
    if (!reduced[d]) continue;
    const int last = d;
    while (d > 0 && reduced[d - 1]) --d;
    runs.emplace_back(d, last);
  }
  return runs;
}

void SumOverAxes(Lowering& l, const Operand& x, const Shape& shape,
                 const std::vector<bool>& reduced, const Operand& y, double scale) {
  std::vector<std::pair<int, int>> runs = AxisRuns(reduced);
  // Nothing to reduce: a sum over an axis of one element.
  if (runs.empty()) runs.emplace_back(0, -1);
  Shape current = shape;
  Operand from = x;
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto [first, last] = runs[i];
    const bool is_last = i + 1 == runs.size();
    const InnerAxisOuter dims(current, first, last);
    for (int d = first; d <= last; ++d) current[d] = 1;
    const Operand to = is_last ? y : l.Scratch(current);
    l.Call("sum", {{"x", from.View(dims.dims())},
                   {"y", to.View({dims.inner, dims.outer})},
                   {"scale", is_last ? scale : 1.0}});
    from = to;
  }
}

void SumToShape(Lowering& l, const Operand& x, const Shape& from, const Operand& y, const Shape& to,
                double scale) {
  std::vector<bool> reduced;
  for (size_t d = 0; d < from.size(); ++d) reduced.push_back(from[d] != to[d]);
  SumOverAxes(l, x, from, reduced, y, scale);
}

}  // namespace halite
