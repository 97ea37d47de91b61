// SPDX-License-Identifier: Apache-2.0
//
// Binary pointwise operators: arithmetic, comparisons and elementwise losses.
#ifndef HALITE_OPS_ALGORITHMS_ARITHMETIC_H_
#define HALITE_OPS_ALGORITHMS_ARITHMETIC_H_

#include <vector>

#include "halite/ops/algorithms/math.h"
#include "halite/ops/algorithms/pointwise.h"

namespace halite {

inline const std::vector<BinaryRow>& BinaryRows() {
  using Halide::Expr;
  using math::Equal;
  using math::Less;
  using math::Select;
  const auto zero = [](const Expr& x) { return Halide::cast(x.type(), 0); };
  const auto one = [](const Expr& x) { return Halide::cast(x.type(), 1); };
  static const auto& rows = *new std::vector<BinaryRow>{
      {"add2",                                                                                  //
       [](Expr x0, Expr x1) { return x0 + x1; }, [](Expr, Expr, Expr, Expr dy) { return dy; },  //
       [](Expr, Expr, Expr, Expr dy) { return dy; }},
      {"sub2",  //
       [](Expr x0, Expr x1) { return x0 - x1; }, [](Expr, Expr, Expr, Expr dy) { return dy; },
       [](Expr, Expr, Expr, Expr dy) { return -dy; }},
      {"mul2",  //
       [](Expr x0, Expr x1) { return x0 * x1; },
       [](Expr, Expr x1, Expr, Expr dy) { return dy * x1; },
       [](Expr x0, Expr, Expr, Expr dy) { return dy * x0; }},
      {"div2",  //
       [](Expr x0, Expr x1) { return x0 / x1; },
       [](Expr, Expr x1, Expr, Expr dy) { return dy / x1; },
       [](Expr, Expr x1, Expr y, Expr dy) { return -dy * y / x1; }},
      {"pow2",  //
       [](Expr x0, Expr x1) { return math::Pow(x0, x1); },
       [=](Expr x0, Expr x1, Expr, Expr dy) {
         return Select(Equal(x1, zero(x1)), zero(x1), dy * x1 * math::Pow(x0, x1 - 1));
       },
       [](Expr x0, Expr, Expr y, Expr dy) { return dy * math::Log(x0) * y; }},
      // Ties go to the first.
      {"maximum2",  //
       [](Expr x0, Expr x1) { return math::Max(x0, x1); },
       [=](Expr x0, Expr x1, Expr, Expr dy) { return Select(Less(x0, x1), zero(dy), dy); },
       [=](Expr x0, Expr x1, Expr, Expr dy) { return Select(Less(x0, x1), dy, zero(dy)); }},
      {"equal",  //
       [=](Expr x0, Expr x1) { return Select(Equal(x0, x1), one(x0), zero(x0)); }},
      {"greater",  //
       [=](Expr x0, Expr x1) { return Select(Less(x1, x0), one(x0), zero(x0)); }},
      {"squared_error",  //
       [](Expr x0, Expr x1) { return (x0 - x1) * (x0 - x1); },
       [](Expr x0, Expr x1, Expr, Expr dy) { return 2 * dy * (x0 - x1); },
       [](Expr x0, Expr x1, Expr, Expr dy) { return 2 * dy * (x1 - x0); }},
      // max(x, 0) - x t + log(1 + exp(-|x|)), for a target t in [0, 1].
      {"sigmoid_cross_entropy",  //
       [=](Expr x, Expr t) {
         return math::Max(x, zero(x)) - x * t + math::Softplus(-Halide::abs(x));
       },
       [](Expr x, Expr t, Expr, Expr dy) { return dy * (math::Sigmoid(x) - t); }},
  };
  return rows;
}

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_ARITHMETIC_H_
