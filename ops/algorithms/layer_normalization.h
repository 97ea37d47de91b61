// SPDX-License-Identifier: Apache-2.0
//
// Layer normalization of x[k, row] along its rows of K elements:
//   mean(row) = sum_k x / K,   s(row) = 1 / sqrt(sum_k (x - mean)^2 / K + eps)
//   y = h gamma[k] + beta[k],   h = (x - mean) s
// and its gradients, with g = dy gamma:
//   dx = s (g - sum_k g / K - h sum_k (g h) / K)
//   dbeta[k] = sum_row dy,   dgamma[k] = sum_row dy h
// Rows are arrays [1, axis, outer] to AxisInput.
#ifndef HALITE_OPS_ALGORITHMS_LAYER_NORMALIZATION_H_
#define HALITE_OPS_ALGORITHMS_LAYER_NORMALIZATION_H_

#include <string>

#include "Halide.h"
#include "halite/ops/algorithms/accumulate.h"
#include "halite/ops/algorithms/axis.h"

namespace halite {

// Mean and s of each row, in two passes over it.
struct RowStatistics {
  Halide::Var row{"row"};
  RowReduce sum;
  Halide::Func mean;
  RowReduce squares;
  Halide::Func inverse{"inverse"};

  RowStatistics(const AxisInput& x, const Halide::Expr& eps, int lanes, int vectors)
      : sum("row_sum", {row}, x.axis, lanes, vectors, Reduction::Sum(x.type),
            [&](const Halide::Expr& at, const Halide::Expr& exists) {
              return x.Row(at, row, exists);
            }),
        mean(Mean(x)),
        squares("row_squares", {row}, x.axis, lanes, vectors, Reduction::Sum(x.type),
                [&](const Halide::Expr& at, const Halide::Expr& exists) {
                  const Halide::Expr d = x.Row(at, row, exists) - mean(row);
                  return d * d;
                }) {
    inverse(row) = 1 / Halide::sqrt(squares.value(row) / Count(x) + eps);
  }

  static Halide::Expr Count(const AxisInput& x) { return Halide::cast(x.type, x.axis); }

 private:
  Halide::Func Mean(const AxisInput& x) const {
    Halide::Func f("mean");
    f(row) = sum.value(row) / Count(x);
    return f;
  }
};

struct LayerNormalization {
  Halide::Var k{"k"}, row{"row"};
  RowStatistics statistics;
  Halide::Func y{"layer_normalization"};

  LayerNormalization(const AxisInput& x, const Halide::Func& beta, const Halide::Func& gamma,
                     const Halide::Expr& eps, int lanes, int vectors)
      : statistics(x, eps, lanes, vectors) {
    y(k, row) =
        (x.Row(k, row) - statistics.mean(row)) * statistics.inverse(row) * gamma(k) + beta(k);
  }
};

struct LayerNormalizationDx {
  RowStatistics statistics;
  Halide::Var row{"row"};
  RowReduce sum_g, sum_gh;
  Halide::Func gradient;
  Accumulated out;

  LayerNormalizationDx(const AxisInput& x, const AxisInput& dy, const Halide::Func& gamma,
                       const Halide::Expr& eps, const Halide::Expr& accumulate, int lanes,
                       int vectors)
      : statistics(x, eps, lanes, vectors),
        sum_g("sum_g", {row}, x.axis, lanes, vectors, Reduction::Sum(x.type),
              [&](const Halide::Expr& at, const Halide::Expr& exists) {
                return dy.Row(at, row, exists) * Weight(x, gamma, at);
              }),
        sum_gh("sum_gh", {row}, x.axis, lanes, vectors, Reduction::Sum(x.type),
               [&](const Halide::Expr& at, const Halide::Expr& exists) {
                 return dy.Row(at, row, exists) * Weight(x, gamma, at) *
                        Normalized(x, at, row, exists);
               }),
        gradient(Gradient(x, dy, gamma)),
        out("layer_normalization_dx", gradient, {x.axis, x.outer}, accumulate) {}

 private:
  // gamma of an element of which only those that exist count.
  static Halide::Expr Weight(const AxisInput& x, const Halide::Func& gamma, const Halide::Expr& k) {
    return gamma(Halide::clamp(k, 0, x.axis - 1));
  }
  Halide::Expr Normalized(const AxisInput& x, const Halide::Expr& k, const Halide::Expr& at,
                          const Halide::Expr& exists = Halide::Internal::const_true()) const {
    return (x.Row(k, at, exists) - statistics.mean(at)) * statistics.inverse(at);
  }
  Halide::Func Gradient(const AxisInput& x, const AxisInput& dy, const Halide::Func& gamma) const {
    Halide::Func f("gradient");
    Halide::Var k("k");
    const Halide::Expr count = RowStatistics::Count(x);
    f(k, row) = statistics.inverse(row) * (dy.Row(k, row) * gamma(k) - sum_g.value(row) / count -
                                           Normalized(x, k, row) * (sum_gh.value(row) / count));
    return f;
  }
};

// dbeta and dgamma. Pieces of kRows rows are summed in parallel, then the pieces, so that the
// result does not depend on the number of threads.
struct LayerNormalizationDw {
  static constexpr int kRows = 32;

  Halide::Var k{"k"}, piece{"piece"};
  RowStatistics statistics;
  Halide::RDom r, pieces;
  Halide::Func partial{"partial"}, total{"total"};
  Accumulated out;

  LayerNormalizationDw(const AxisInput& x, const AxisInput& dy, const Halide::Expr& eps,
                       const std::vector<Halide::Expr>& accumulate, int lanes, int vectors)
      : statistics(x, eps, lanes, vectors),
        r(0, kRows, "r"),
        pieces(0, (x.outer + kRows - 1) / kRows, "pieces"),
        out("layer_normalization_dw", Total(x, dy), {x.axis}, accumulate) {}

 private:
  Halide::Func Total(const AxisInput& x, const AxisInput& dy) {
    using namespace Halide;
    const Expr zero = cast(x.type, 0), row = piece * kRows + r;
    const Expr at = unsafe_promise_clamped(row, 0, x.outer - 1);
    r.where(row < x.outer);
    const Expr d = dy.Row(k, at);
    const Expr h = (x.Row(k, at) - statistics.mean(at)) * statistics.inverse(at);
    partial(k, piece) = Tuple(zero, zero);
    partial(k, piece) = Tuple(partial(k, piece)[0] + d, partial(k, piece)[1] + d * h);
    total(k) = Tuple(zero, zero);
    total(k) = Tuple(total(k)[0] + partial(k, pieces)[0], total(k)[1] + partial(k, pieces)[1]);
    return total;
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_LAYER_NORMALIZATION_H_
