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
// Fused with what follows it in residual networks: relu(y + z), or relu(y), whose dy is masked.
#ifndef HALITE_OPS_ALGORITHMS_BATCH_NORMALIZATION_H_
#define HALITE_OPS_ALGORITHMS_BATCH_NORMALIZATION_H_

#include <functional>
#include <string>

#include "Halide.h"
#include "halite/ops/algorithms/activations.h"
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

// Sums along rows of at least `lanes` elements, in pieces of some kPiece elements: part of a row,
// or some rows. Within a piece `width` sums of type `type` grow side by side, a few hundred terms
// each; pieces are added in `wide`.
struct RowSums {
  static constexpr int kPiece = 4096;

  Halide::Var lane{"lane"}, c{"c"}, part{"part"}, group{"group"};
  // Of a piece: blocks of `width` elements, what is left of the rows' whole vectors, the vector
  // that ends a row. Of `sums`: lanes, parts of a row, groups of rows.
  Halide::RDom blocks, vectors, last, pieces;
  Halide::Func block_sums{"block_sums"}, vector_sums{"vector_sums"};
  Halide::Func sums{"row_sums"};
  int width, lanes;

  RowSums(const ChannelTerms& terms, const ChannelExtents& extents, Halide::Type type,
          Halide::Type wide, int width_in, int lanes_in)
      : width(width_in), lanes(lanes_in) {
    using namespace Halide;
    const Expr inner = extents.inner, outer = extents.outer;
    const Expr rows = clamp(kPiece / inner, 1, outer), whole = inner / width;
    const int most = kPiece / width;
    const Expr rest = inner % width / lanes, tail = inner % lanes;
    blocks = RDom({{0, most}, {0, rows}}, "blocks");
    vectors = RDom({{0, rest}, {0, rows}}, "vectors");
    last = RDom({{0, select(tail > 0, 1, 0)}, {0, rows}}, "last");
    pieces =
        RDom({{0, lanes}, {0, max((whole + most - 1) / most, 1)}, {0, (outer + rows - 1) / rows}},
             "pieces");
    const Expr block = part * most + blocks.x;
    blocks.where(block < whole && group * rows + blocks.y < outer);
    vectors.where(part == 0 && group * rows + vectors.y < outer);
    last.where(part == 0 && group * rows + last.y < outer);
    const auto add = [&](Func sum, const Expr& at, const Tuple& term) {
      sum(at, c, part, group) = Plus(sum(at, c, part, group), term);
    };
    for (Func sum : {block_sums, vector_sums}) sum(lane, c, part, group) = Zeros(type);
    add(block_sums, lane, terms(block * width + lane, c, group * rows + blocks.y));
    add(vector_sums, lane,
        terms(whole * width + vectors.x * lanes + lane, c, group * rows + vectors.y));
    // The vector overlaps with those before it, whose elements do not count again.
    const Tuple end = terms(inner - lanes + lane, c, group * rows + last.y);
    const Expr is_new = lane >= lanes - tail;
    add(vector_sums, lane,
        Tuple(select(is_new, end[0], cast(type, 0)), select(is_new, end[1], cast(type, 0))));
    const auto at = [&](const Func& sum, const Expr& i) -> Tuple {
      return sum(i, c, pieces.y, pieces.z);
    };
    Tuple piece = at(vector_sums, pieces.x);
    for (int i = 0; i < width; i += lanes) piece = Plus(piece, at(block_sums, pieces.x + i));
    sums(c) = Zeros(wide);
    sums(c) = Plus(sums(c), Tuple(cast(wide, piece[0]), cast(wide, piece[1])));
  }
};

// Sums where rows are short: `width` neighbouring channels side by side, in pieces of some rows.
struct ColumnSums {
  static constexpr int kTerms = 128;  // of a channel in a piece

  Halide::Var j{"j"}, tile{"tile"}, piece{"piece"};
  Halide::RDom r, pieces;
  Halide::Func parts{"column_parts"}, sums{"column_sums"};
  Halide::Expr channels;
  int width;

  ColumnSums(const ChannelTerms& terms, const ChannelExtents& extents, Halide::Type type,
             Halide::Type wide, int width_in)
      : channels(extents.channels), width(width_in) {
    using namespace Halide;
    const Expr rows = clamp(kTerms / extents.inner, 1, extents.outer);
    r = RDom({{0, extents.inner}, {0, rows}}, "column_r");
    pieces = RDom(0, (extents.outer + rows - 1) / rows, "column_pieces");
    const Expr c = Start(tile) + j, o = piece * rows + r.y;
    r.where(o < extents.outer && (channels >= width || c < channels));
    parts(j, tile, piece) = Zeros(type);
    parts(j, tile, piece) = Plus(parts(j, tile, piece), terms(r.x, c, o));
    sums(j, tile) = Zeros(wide);
    const Tuple part = parts(j, tile, pieces);
    sums(j, tile) = Plus(sums(j, tile), Tuple(cast(wide, part[0]), cast(wide, part[1])));
  }

  // The first channel of a tile. The last tile overlaps with the one before it, so that there is
  // nothing to guard where channels >= width.
  Halide::Expr Start(const Halide::Expr& tile) const {
    return Halide::max(Halide::min(tile * width, channels - width), 0);
  }
  Halide::Tuple At(const Halide::Expr& c) const {
    const Halide::Expr tile = c / width;
    return sums(Halide::unsafe_promise_clamped(c - Start(tile), 0, width - 1), tile);
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

  // The terms have the type `type`, `lanes` a vector; their sums have the type `wide`.
  ChannelSums(const ChannelTerms& terms, const ChannelExtents& extents, Halide::Type type,
              Halide::Type wide, int lanes)
      : rows(terms, extents, type, wide, 4 * lanes, lanes),
        columns(terms, extents, type, wide, 2 * lanes),
        is_column(extents.inner < lanes) {
    using Halide::select;
    const Halide::Tuple column = columns.At(c), row = rows.sums(c);
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

// k(c), the median of three elements of channel c: one far from the others does not become k.
inline Halide::Func Pivots(const Halide::Func& x, const ChannelExtents& extents) {
  using namespace Halide;
  const Var c("c");
  const Expr first = At(x, extents, 0, c, 0);
  const Expr middle = At(x, extents, extents.inner / 2, c, extents.outer / 2);
  const Expr last = At(x, extents, extents.inner - 1, c, extents.outer - 1);
  Func pivots("pivots");
  pivots(c) = max(min(first, middle), min(max(first, middle), last));
  return pivots;
}

// sum (x - k), sum (x - k)^2, which leaves nothing large to cancel.
inline ChannelTerms MomentTerms(const Halide::Func& x, const Halide::Func& pivots,
                                const ChannelExtents& extents) {
  return [=](const Halide::Expr& i, const Halide::Expr& c, const Halide::Expr& o) {
    const Halide::Expr at = Halide::unsafe_promise_clamped(c, 0, extents.channels - 1);
    const Halide::Expr d = At(x, extents, i, c, o) - pivots(at);
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

  BatchStatistics(const Halide::Func& pivots, const Halide::Func& sums,
                  const ChannelExtents& extents, const Halide::Expr& decay, Halide::Type type)
      : r(0, extents.channels, "r") {
    using namespace Halide;
    const Type wide = sums.types()[0];
    const Expr count = cast(wide, extents.count());
    const auto mean_at = [&](const Expr& at) {
      return cast(wide, pivots(at)) + sums(at)[0] / count;
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

// y(i, c, o), strict: relu may follow, which must see a NaN.
struct BatchNormalization {
  Halide::Var i{"x"}, c{"channel"}, o{"y"};
  ChannelScale channel;
  Halide::Func y{"batch_normalization"};

  BatchNormalization(const Halide::Func& x, const Halide::Func& beta, const Halide::Func& gamma,
                     const Halide::Func& mean, const Halide::Func& variance,
                     const Halide::Expr& eps)
      : channel(gamma, variance, eps) {
    y(i, c, o) = Halide::strict_float((x(i, c, o) - mean(c)) * channel.scale(c) + beta(c));
  }
};

// relu(y + z), or relu(y) where `z` is not defined.
struct FusedBatchNormalization {
  Halide::Var i{"x"}, c{"channel"}, o{"y"};
  Halide::Func y{"fused_batch_normalization"};

  FusedBatchNormalization(const BatchNormalization& normal, const Halide::Func& z) {
    const Halide::Expr sum = normal.y(i, c, o);
    y(i, c, o) = Relu(z.defined() ? Halide::strict_float(sum + z(i, c, o)) : sum);
  }
  // What arrives at the normalization.
  Halide::Func Masked(const Halide::Func& dy) const {
    Halide::Func masked("masked");
    masked(i, c, o) = ReluGrad(y(i, c, o), dy(i, c, o));
    return masked;
  }
};

// dy and dy (x - mean): their sums are dbeta and Q.
inline ChannelTerms GradientTerms(const Halide::Func& x, const Halide::Func& dy,
                                  const Halide::Func& mean, const ChannelExtents& extents) {
  return [=](const Halide::Expr& i, const Halide::Expr& c, const Halide::Expr& o) {
    const Halide::Expr d = At(dy, extents, i, c, o);
    const Halide::Expr at = Halide::unsafe_promise_clamped(c, 0, extents.channels - 1);
    return Halide::Tuple(d, d * (At(x, extents, i, c, o) - mean(at)));
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
