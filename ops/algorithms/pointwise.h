// SPDX-License-Identifier: Apache-2.0
//
// Pointwise operators as table rows: a name, the forward expression, the gradient expressions, and
// the names of scalar options. What a gradient reads follows from its expression. The rows stand in
// activations.h, arithmetic.h, comparisons.h and pointwise_losses.h.
#ifndef HALITE_OPS_ALGORITHMS_POINTWISE_H_
#define HALITE_OPS_ALGORITHMS_POINTWISE_H_

#include <functional>
#include <string>
#include <vector>

#include "Halide.h"

namespace halite {

// The options of a row in the order of its `scalars`, in the operator's dtype.
using Scalars = std::vector<Halide::Expr>;

// y = forward(x); dx = gradient(x, y, dy).
struct UnaryRow {
  std::string name;
  std::function<Halide::Expr(Halide::Expr x, const Scalars& s)> forward;
  std::function<Halide::Expr(Halide::Expr x, Halide::Expr y, Halide::Expr dy, const Scalars& s)>
      gradient;
  std::vector<std::string> scalars = {};
};

// y = forward(x0, x1); dx_k = gradient[k](x0, x1, y, dy). A missing gradient stands for an input
// that has none.
struct BinaryRow {
  using Gradient = std::function<Halide::Expr(Halide::Expr x0, Halide::Expr x1, Halide::Expr y,
                                              Halide::Expr dy)>;
  std::string name;
  std::function<Halide::Expr(Halide::Expr x0, Halide::Expr x1)> forward;
  Gradient gradient0 = nullptr;
  Gradient gradient1 = nullptr;
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_POINTWISE_H_
