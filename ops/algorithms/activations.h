// SPDX-License-Identifier: Apache-2.0
//
// Unary pointwise operators. In y = f(x), dx = dy * f'(x) the gradient is written with whichever of
// x and y makes it short. NaN in gives NaN out: a comparison that decides is strict.
#ifndef HALITE_OPS_ALGORITHMS_ACTIVATIONS_H_
#define HALITE_OPS_ALGORITHMS_ACTIVATIONS_H_

#include <vector>

#include "halite/ops/algorithms/math.h"
#include "halite/ops/algorithms/pointwise.h"

namespace halite {

// What gelu weighs x with: (1 + tanh(u)) / 2 = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
// Hendrycks and Gimpel: "Gaussian error linear units", 2016.
constexpr double kSqrt2OverPi = 0.7978845608028654;
constexpr double kGeluCubic = 0.044715;
inline Halide::Expr GeluGate(const Halide::Expr& x) {
  const auto c = [&](double value) { return Halide::cast(x.type(), Halide::Expr(value)); };
  return math::Sigmoid(c(2 * kSqrt2OverPi) * x * (1 + c(kGeluCubic) * x * x));
}
// Its derivative.
inline Halide::Expr GeluSlope(const Halide::Expr& x) {
  const auto c = [&](double value) { return Halide::cast(x.type(), Halide::Expr(value)); };
  // Beyond 50 the gate is 0 or 1, and squares must stay finite.
  const Halide::Expr near = math::Max(math::Min(x, c(50)), c(-50)), gate = GeluGate(near);
  return gate +
         near * gate * (1 - gate) * (c(2 * kSqrt2OverPi) * (1 + c(3 * kGeluCubic) * near * near));
}

inline Halide::Expr Relu(const Halide::Expr& x) { return math::Max(x, Halide::cast(x.type(), 0)); }
inline Halide::Expr ReluGrad(const Halide::Expr& y, const Halide::Expr& dy) {
  const Halide::Expr zero = Halide::cast(y.type(), 0);
  return math::Select(math::Equal(y, zero), zero, dy);
}

inline const std::vector<UnaryRow>& UnaryRows() {
  using Halide::Expr;
  using math::Equal;
  using math::Less;
  using math::Select;
  const auto zero = [](const Expr& x) { return Halide::cast(x.type(), 0); };
  static const auto& rows = *new std::vector<UnaryRow>{
      {"identity",  //
       [](Expr x, const Scalars&) { return x; },
       [](Expr, Expr, Expr dy, const Scalars&) { return dy; }},
      {"relu",  //
       [](Expr x, const Scalars&) { return Relu(x); },
       [](Expr, Expr y, Expr dy, const Scalars&) { return ReluGrad(y, dy); }},
      {"leaky_relu",
       [=](Expr x, const Scalars& s) { return Select(Less(zero(x), x), x, s[0] * x); },
       [=](Expr x, Expr, Expr dy, const Scalars& s) {
         return Select(Less(zero(x), x), dy, s[0] * dy);
       },
       {"alpha"}},
      {"elu",
       [=](Expr x, const Scalars& s) {
         return Select(Less(x, zero(x)), s[0] * (math::Exp(x) - 1), x);
       },
       [=](Expr x, Expr, Expr dy, const Scalars& s) {
         return Select(Less(x, zero(x)), dy * s[0] * math::Exp(x), dy);
       },
       {"alpha"}},
      {"sigmoid",  //
       [](Expr x, const Scalars&) { return math::Sigmoid(x); },
       [](Expr, Expr y, Expr dy, const Scalars&) { return dy * y * (1 - y); }},
      {"swish",  //
       [](Expr x, const Scalars&) { return x * math::Sigmoid(x); },
       [](Expr x, Expr y, Expr dy, const Scalars&) {
         // Not y + s (1 - y), which loses s where y is large.
         const Expr s = math::Sigmoid(x);
         return dy * (s + y * (1 - s));
       }},
      {"gelu",  //
       [](Expr x, const Scalars&) { return x * GeluGate(x); },
       [](Expr x, Expr, Expr dy, const Scalars&) { return dy * GeluSlope(x); }},
      {"tanh",  //
       [](Expr x, const Scalars&) { return math::Tanh(x); },
       [](Expr, Expr y, Expr dy, const Scalars&) { return dy * (1 - y * y); }},
      {"exp",  //
       [](Expr x, const Scalars&) { return math::Exp(x); },
       [](Expr, Expr y, Expr dy, const Scalars&) { return dy * y; }},
      {"log",  //
       [](Expr x, const Scalars&) { return math::Log(x); },
       [](Expr x, Expr, Expr dy, const Scalars&) { return dy / x; }},
      {"abs",  //
       [](Expr x, const Scalars&) { return Halide::abs(x); },
       [=](Expr x, Expr, Expr dy, const Scalars&) { return Select(Less(x, zero(x)), -dy, dy); }},
      {"add_scalar",  //
       [](Expr x, const Scalars& s) { return x + s[0]; },
       [](Expr, Expr, Expr dy, const Scalars&) { return dy; },
       {"val"}},
      {"mul_scalar",  //
       [](Expr x, const Scalars& s) { return x * s[0]; },
       [](Expr, Expr, Expr dy, const Scalars& s) { return dy * s[0]; },
       {"val"}},
      {"pow_scalar",  //
       [](Expr x, const Scalars& s) { return math::Pow(x, s[0]); },
       [=](Expr x, Expr, Expr dy, const Scalars& s) {
         // At val = 0 the gradient is 0, also where x^(val - 1) is infinite.
         return Select(Equal(s[0], zero(x)), zero(x), dy * s[0] * math::Pow(x, s[0] - 1));
       },
       {"val"}},
  };
  return rows;
}

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_ACTIVATIONS_H_
