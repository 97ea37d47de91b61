// SPDX-License-Identifier: Apache-2.0
//
// Batch normalization of x[i, c, o], inner, channel and outer, with M = inner * outer elements a
// channel:
//   mean(c) = sum x / M,   variance(c) = sum (x - mean)^2 / M
//   y = (x - mean) s gamma + beta,   s(c) = 1 / sqrt(variance + eps)
// and its gradients
//   dbeta = sum dy,   dgamma = s Q,   Q(c) = sum dy (x - mean)
//   dx = gamma s (dy - dbeta / M - (x - mean) s^2 Q / M) + (dmean + 2 dvariance (x - mean)) / M
// where dmean and dvariance are those of mean and variance as outputs. With given (not computed)
// statistics dx = gamma s dy.
#ifndef HALITE_OPS_ALGORITHMS_BATCH_NORMALIZATION_H_
#define HALITE_OPS_ALGORITHMS_BATCH_NORMALIZATION_H_

#include <functional>
#include <string>

#include "Halide.h"
#include "halite/ops/algorithms/math.h"

namespace halite {

// The extents of x.
struct ChannelExtents {
  Halide::Expr inner, channels, outer;

  Halide::Expr count() const { return inner * outer; }
};

// Two numbers of element (i, c, o), to be summed over i and o.
using ChannelTerms = std::function<Halide::Tuple(const Halide::Expr& i, const Halide::Expr& c,
                                                 const Halide::Expr& o)>;

// Element (i, c, o) of an input, as ChannelTerms asks it: all in range.
inline Halide::Expr At(const Halide::Func& x, const ChannelExtents& extents, const Halide::Expr& i,
                       const Halide::Expr& c, const Halide::Expr& o) {
  return x(Halide::unsafe_promise_clamped(i, 0, extents.inner - 1),
           Halide::unsafe_promise_clamped(c, 0, extents.channels - 1),
           Halide::unsafe_promise_clamped(o, 0, extents.outer - 1));
}

inline Halide::Tuple Zeros(Halide::Type type) {
  return Halide::Tuple(Halide::cast(type, 0), Halide::cast(type, 0));
}
inline Halide::Tuple Plus(const Halide::Tuple& a, const Halide::Tuple& b) {
  return Halide::Tuple(a[0] + b[0], a[1] + b[1]);
}

// Sums along rows: `width` sums of every width-th element, and the sum of those.
struct RowSums {
  Halide::Var lane{"lane"}, c{"c"};
  Halide::RDom r, tail, fold;  // whole vectors and rows; the elements behind them
  Halide::Func lanes{"row_lanes"}, sums{"row_sums"};
  int width;

  RowSums(const ChannelTerms& terms, const ChannelExtents& extents, Halide::Type type, int width_in)
      : r({{0, extents.inner / width_in}, {0, extents.outer}}, "row_r"),
        tail({{0, width_in}, {0, extents.outer}}, "row_tail"),
        fold(0, width_in, "row_fold"),
        width(width_in) {
    const Halide::Expr whole = extents.inner / width * width;
    tail.where(tail.x < extents.inner - whole);
    lanes(lane, c) = Zeros(type);
    lanes(lane, c) = Plus(lanes(lane, c), terms(r.x * width + lane, c, r.y));
    lanes(tail.x, c) = Plus(lanes(tail.x, c), terms(whole + tail.x, c, tail.y));
    sums(c) = Zeros(type);
    sums(c) = Plus(sums(c), lanes(fold, c));
  }
};

// Sums where inner = 1: `width` neighbouring channels side by side.
struct ColumnSums {
  Halide::Var j{"j"}, tile{"tile"};
  Halide::RDom o;
  Halide::Func sums{"column_sums"};
  int width;

  ColumnSums(const ChannelTerms& terms, const ChannelExtents& extents, Halide::Type type,
             int width_in)
      : o(0, extents.outer, "column_o"), width(width_in) {
    const Halide::Expr c = tile * width + j;
    o.where(c < extents.channels);
    sums(j, tile) = Zeros(type);
    sums(j, tile) = Plus(sums(j, tile), terms(0, c, o));
  }
};

// Each form where it is fast. Chosen in the definition itself, so that `specialize` drops the
// other.
struct ChannelSums {
  Halide::Var c{"c"};
  RowSums rows;
  ColumnSums columns;
  Halide::Expr is_column;
  Halide::Func sums{"sums"};

  ChannelSums(const ChannelTerms& terms, const ChannelExtents& extents, Halide::Type type,
              int width)
      : rows(terms, extents, type, width),
        columns(terms, extents, type, width),
        is_column(extents.inner == 1) {
    using Halide::select;
    const Halide::Tuple column = columns.sums(c % width, c / width), row = rows.sums(c);
    sums(c) =
        Halide::Tuple(select(is_column, column[0], row[0]), select(is_column, column[1], row[1]));
  }
};

// The same in pieces for the blocks of a GPU: each of `kPieces` pieces of a channel is summed by
// `kLanes` threads, which take neighbouring elements.
struct PieceSums {
  static constexpr int kPieces = 16;
  static constexpr int kLanes = 64;

  Halide::Var lane{"lane"}, piece{"piece"}, c{"c"};
  Halide::RDom r, fold, pieces;
  Halide::Func lanes{"lanes"}, part{"part"}, sums{"sums"};

  PieceSums(const ChannelTerms& terms, const ChannelExtents& extents, Halide::Type type)
      : fold(0, kLanes, "fold"), pieces(0, kPieces, "pieces") {
    using namespace Halide;
    const Expr count = extents.count();
    const Expr steps = (count + kPieces * kLanes - 1) / (kPieces * kLanes);
    r = RDom(0, steps, "r");
    const Expr m = (piece * steps + r) * kLanes + lane;
    r.where(m < count);
    lanes(lane, piece, c) = Zeros(type);
    lanes(lane, piece, c) =
        Plus(lanes(lane, piece, c), terms(m % extents.inner, c, m / extents.inner));
    part(piece, c) = Zeros(type);
    part(piece, c) = Plus(part(piece, c), lanes(fold, piece, c));
    sums(c) = Zeros(type);
    sums(c) = Plus(sums(c), part(pieces, c));
  }
};

// sum (x - k), sum (x - k)^2 with k = x(0, c, 0), which leaves nothing large to cancel.
inline ChannelTerms MomentTerms(const Halide::Func& x, const ChannelExtents& extents,
                                Halide::Type type) {
  return [x, extents, type](const Halide::Expr& i, const Halide::Expr& c, const Halide::Expr& o) {
    const Halide::Expr d =
        Halide::cast(type, At(x, extents, i, c, o)) - Halide::cast(type, At(x, extents, 0, c, 0));
    return Halide::Tuple(d, d * d);
  };
}

// Statistics from the sums of MomentTerms, and what running statistics become:
//   running := decay running + (1 - decay) batch, with sum (x - mean)^2 / (M - 1) for the variance
// (over M where M = 1).
struct BatchStatistics {
  Halide::Var c{"c"};
  Halide::RDom r;
  Halide::Func mean{"mean"}, variance{"variance"};
  Halide::Func running_mean{"running_mean"}, running_variance{"running_variance"};

  BatchStatistics(const Halide::Func& x, const Halide::Func& sums, const ChannelExtents& extents,
                  const Halide::Expr& decay, Halide::Type type)
      : r(0, extents.channels, "r") {
    using namespace Halide;
    const Type wide = sums.types()[0];
    const Expr count = cast(wide, extents.count());
    const auto mean_at = [&](const Expr& at) {
      return cast(wide, x(0, at, 0)) + sums(at)[0] / count;
    };
    const auto variance_at = [&](const Expr& at) {
      const Expr shifted = sums(at)[0] / count;
      return math::Max(sums(at)[1] / count - shifted * shifted, cast(wide, 0));
    };
    mean(c) = cast(type, mean_at(c));
    variance(c) = cast(type, variance_at(c));
    const Expr unbiased = count / max(count - 1, cast(wide, 1));
    running_mean(c) = undef(type);
    running_mean(r) = decay * running_mean(r) + (1 - decay) * cast(type, mean_at(r));
    running_variance(c) = undef(type);
    running_variance(r) =
        decay * running_variance(r) + (1 - decay) * cast(type, variance_at(r) * unbiased);
  }
};

// s(c) and gamma(c) s(c).
struct ChannelScale {
  Halide::Var c{"c"};
  Halide::Func inverse{"inverse"}, scale{"scale"};

  ChannelScale(const Halide::Func& gamma, const Halide::Func& variance, const Halide::Expr& eps) {
    inverse(c) = 1 / Halide::sqrt(variance(c) + eps);
    if (gamma.defined()) scale(c) = gamma(c) * inverse(c);
  }
};

// y(i, c, o).
struct BatchNormalization {
  Halide::Var i{"x"}, c{"channel"}, o{"y"};
  ChannelScale channel;
  Halide::Func y{"batch_normalization"};

  BatchNormalization(const Halide::Func& x, const Halide::Func& beta, const Halide::Func& gamma,
                     const Halide::Func& mean, const Halide::Func& variance,
                     const Halide::Expr& eps)
      : channel(gamma, variance, eps) {
    y(i, c, o) = (x(i, c, o) - mean(c)) * channel.scale(c) + beta(c);
  }
};

// dy and dy (x - mean): their sums are dbeta and Q.
inline ChannelTerms GradientTerms(const Halide::Func& x, const Halide::Func& dy,
                                  const Halide::Func& mean, const ChannelExtents& extents,
                                  Halide::Type type) {
  return [=](const Halide::Expr& i, const Halide::Expr& c, const Halide::Expr& o) {
    using Halide::cast;
    const Halide::Expr d = cast(type, At(dy, extents, i, c, o));
    const Halide::Expr at = Halide::unsafe_promise_clamped(c, 0, extents.channels - 1);
    return Halide::Tuple(d, d * (cast(type, At(x, extents, i, c, o)) - cast(type, mean(at))));
  };
}

// What of dx is the same for a whole channel: dx = scale dy + slope (x - mean) + offset.
struct BatchNormalizationDx {
  Halide::Var i{"x"}, c{"channel"}, o{"y"};
  ChannelScale channel;
  Halide::Func slope{"slope"}, offset{"offset"}, gradient{"gradient"};

  struct Inputs {
    Halide::Func x, dy, gamma, mean, variance, dmean, dvariance, sum_dy, sum_centered;
  };

  BatchNormalizationDx(const Inputs& in, const Halide::Expr& eps, const Halide::Expr& count)
      : channel(in.gamma, in.variance, eps) {
    const Halide::Expr inverse = channel.inverse(c), scale = channel.scale(c);
    slope(c) = (2 * in.dvariance(c) - scale * inverse * inverse * in.sum_centered(c)) / count;
    offset(c) = (in.dmean(c) - scale * in.sum_dy(c)) / count;
    gradient(i, c, o) =
        channel.scale(c) * in.dy(i, c, o) + slope(c) * (in.x(i, c, o) - in.mean(c)) + offset(c);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_BATCH_NORMALIZATION_H_
