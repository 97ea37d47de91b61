// SPDX-License-Identifier: Apache-2.0
//
// Copy: y[i] = (accumulate ? y[i] : 0) + x[i] over four dimensions, where x and y have strides of
// their own. Slices, concatenations, broadcasts, transpositions and their gradients are copies.
#ifndef HALITE_OPS_ALGORITHMS_COPY_H_
#define HALITE_OPS_ALGORITHMS_COPY_H_

#include "Halide.h"
#include "halite/ops/algorithms/accumulate.h"

namespace halite {

struct Copy : Accumulated {
  static constexpr int kRank = 4;

  Copy(const Halide::Func& x, const std::vector<Halide::Expr>& extents, Halide::Expr accumulate_in)
      : Accumulated("copy", x, extents, accumulate_in) {}
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_COPY_H_
