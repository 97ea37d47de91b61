// SPDX-License-Identifier: Apache-2.0
//
// Sums as steps of other functions: over axes, with the kernel `sum` in its canonical form
// (inner, axis, outer), one pass for each run of adjacent axes.
#ifndef HALITE_OPS_REDUCE_SUM_H_
#define HALITE_OPS_REDUCE_SUM_H_

#include <vector>

#include "halite/core/lowering.h"

namespace halite {

// Runs of adjacent axes among `reduced` (one flag an axis): first and last of each, innermost
// first.
std::vector<std::pair<int, int>> AxisRuns(const std::vector<bool>& reduced);

// y := (y accumulates ? y : 0) + scale * sum of x over the axes flagged in `reduced`. x has shape
// `shape`; y is dense over the axes that remain.
void SumOverAxes(Lowering& l, const Operand& x, const Shape& shape,
                 const std::vector<bool>& reduced, const Operand& y, double scale = 1);

// Sums `scale` x, of shape `from`, to the shape `to`, which was broadcast to it.
void SumToShape(Lowering& l, const Operand& x, const Shape& from, const Operand& y, const Shape& to,
                double scale = 1);

}  // namespace halite

#endif  // HALITE_OPS_REDUCE_SUM_H_
