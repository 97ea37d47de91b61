// SPDX-License-Identifier: Apache-2.0
//
// Update rules of solvers as table rows, and the reductions that gradient clipping and checks need.
// A rule maps (w, gradient g, states s) to (w', s'), elementwise, with scalars c.
#ifndef HALITE_OPS_ALGORITHMS_UPDATE_H_
#define HALITE_OPS_ALGORITHMS_UPDATE_H_

#include <functional>
#include <string>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/math.h"
#include "halite/ops/algorithms/pointwise.h"

namespace halite {

struct UpdateRow {
  std::string name;
  int states;
  std::vector<std::string> scalars;
  // Returns w' followed by the new states.
  std::function<std::vector<Halide::Expr>(Halide::Expr w, Halide::Expr g,
                                          const std::vector<Halide::Expr>& s, const Scalars& c)>
      update;
};

inline const std::vector<UpdateRow>& UpdateRows() {
  using Halide::Expr;
  using Exprs = std::vector<Expr>;
  static const auto& rows = *new std::vector<UpdateRow>{
      {"sgd_update",
       0,
       {"lr"},  //
       [](Expr w, Expr g, const Exprs&, const Scalars& c) { return Exprs{w - c[0] * g}; }},
      // m' = momentum m + lr g; w' = w - m'.
      {"momentum_update",
       1,
       {"lr", "momentum"},
       [](Expr w, Expr g, const Exprs& s, const Scalars& c) {
         const Expr m = c[1] * s[0] + c[0] * g;
         return Exprs{w - m, m};
       }},
      // m' = momentum m - lr g; w' = w - momentum m + (1 + momentum) m'.
      {"nesterov_update",
       1,
       {"lr", "momentum"},
       [](Expr w, Expr g, const Exprs& s, const Scalars& c) {
         const Expr m = c[1] * s[0] - c[0] * g;
         return Exprs{w - c[1] * s[0] + (1 + c[1]) * m, m};
       }},
      // m' = beta1 m + (1 - beta1) g; v' = beta2 v + (1 - beta2) g^2;
      // w' = w - rate m' / (sqrt(v') + eps) - decay w.
      {"adam_update",
       2,
       {"rate", "beta1", "beta2", "eps", "decay"},
       [](Expr w, Expr g, const Exprs& s, const Scalars& c) {
         const Expr m = c[1] * s[0] + (1 - c[1]) * g;
         const Expr v = c[2] * s[1] + (1 - c[2]) * g * g;
         return Exprs{w - c[0] * m / (Halide::sqrt(v) + c[3]) - c[4] * w, m, v};
       }},
      // On gradients: w is the gradient, g the parameter.
      {"weight_decay",
       0,
       {"rate"},  //
       [](Expr w, Expr g, const Exprs&, const Scalars& c) { return Exprs{w + c[0] * g}; }},
      {"scale_grad",
       0,
       {"scale"},  //
       [](Expr w, Expr, const Exprs&, const Scalars& c) { return Exprs{w * c[0]}; }},
  };
  return rows;
}

// Sums of f(x) over a whole array.
struct TotalRow {
  std::string name;
  std::function<Halide::Expr(Halide::Expr x)> f;
};

inline const std::vector<TotalRow>& TotalRows() {
  using Halide::cast;
  using Halide::Expr;
  using Halide::select;
  static const auto& rows = *new std::vector<TotalRow>{
      {"sum_of_squares", [](Expr x) { return x * x; }},
      {"count_nan", [](Expr x) { return select(Halide::is_nan(x), cast(x.type(), 1), 0); }},
      {"count_inf", [](Expr x) { return select(Halide::is_inf(x), cast(x.type(), 1), 0); }},
  };
  return rows;
}

// y = sum of f(x[i]). Fixed pieces of the array are summed in parallel, then the pieces: the result
// does not depend on the number of threads.
struct Total {
  static constexpr int kLanes = 64;            // partial sums of a piece
  static constexpr int kPiece = 512 * kLanes;  // elements
  Halide::Var lane{"lane"}, piece{"piece"}, i{"i"};
  Halide::RDom k, lanes, pieces;
  Halide::Func partial{"partial"}, sums{"sums"}, y{"total"};

  Total(const std::function<Halide::Expr(Halide::Expr)>& f, Halide::Func x, Halide::Expr n,
        Halide::Type type)
      : k(0, kPiece / kLanes), lanes(0, kLanes), pieces(0, (n + kPiece - 1) / kPiece) {
    const Halide::Expr at = piece * kPiece + k * kLanes + lane;
    k.where(piece * kPiece + k * kLanes < n);
    partial(lane, piece) = Halide::cast(type, 0);
    partial(lane, piece) +=
        Halide::select(at < n, f(x(Halide::min(at, n - 1))), Halide::cast(type, 0));
    sums(piece) = Halide::cast(type, 0);
    sums(piece) += partial(lanes, piece);
    y(i) = Halide::cast(type, 0);
    y(i) += sums(pieces);
  }
};

// g' = g min(1, limit / ||g||), with the squared norm given.
inline Halide::Expr Clipped(Halide::Expr g, Halide::Expr norm_squared, Halide::Expr limit) {
  return math::Select(math::Less(limit * limit, norm_squared),
                      g * (limit / Halide::sqrt(norm_squared)), g);
}

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_UPDATE_H_
