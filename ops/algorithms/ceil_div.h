// SPDX-License-Identifier: Apache-2.0
#ifndef HALITE_OPS_ALGORITHMS_CEIL_DIV_H_
#define HALITE_OPS_ALGORITHMS_CEIL_DIV_H_

#include "Halide.h"

namespace halite {

// x / y rounded up; a divisor below 1 counts as 1.
inline Halide::Expr CeilDiv(const Halide::Expr& x, const Halide::Expr& y) {
  return (x + y - 1) / Halide::max(y, 1);
}

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_CEIL_DIV_H_
