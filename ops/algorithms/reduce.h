// SPDX-License-Identifier: Apache-2.0
//
// Reductions over the middle dimension of x[inner, axis, outer].
//
//   Sum, StridedSum:  y[i, o] = prior + scale sum_k x[i, k, o], where prior is y itself or 0
#ifndef HALITE_OPS_ALGORITHMS_REDUCE_H_
#define HALITE_OPS_ALGORITHMS_REDUCE_H_

#include <string>

#include "Halide.h"

namespace halite {

// x[inner, axis, outer] and its extents.
struct AxisInput {
  Halide::Func x;
  Halide::Expr inner, axis, outer;
  Halide::Expr is_rows;  // inner = 1, and the axis is contiguous
  Halide::Type type;

  // Element (i, k, o), known to be one of x.
  Halide::Expr At(const Halide::Expr& i, const Halide::Expr& k, const Halide::Expr& o) const {
    using Halide::unsafe_promise_clamped;
    return x(unsafe_promise_clamped(i, 0, inner - 1), unsafe_promise_clamped(k, 0, axis - 1),
             unsafe_promise_clamped(o, 0, outer - 1));
  }
};

// `element`, read only where `exists` holds, and `otherwise` elsewhere: a masked load.
inline Halide::Expr IfExists(const Halide::Expr& exists, const Halide::Expr& element,
                             const Halide::Expr& otherwise) {
  using Halide::Internal::Call;
  const Halide::Expr tag = likely(exists);
  return select(tag,
                Call::make(element.type(), Call::if_then_else, {tag, element}, Call::PureIntrinsic),
                otherwise);
}

// Part of the axis in pieces of `length` elements, the first of which is `begin`.
struct Pieces {
  Halide::Expr begin, length, count;
};

// The sums over a piece of the axis, `kStep` elements at a time.
struct ColumnSum {
  static constexpr int kStep = 4;

  Halide::Var i{"i"}, piece{"piece"}, o{"o"};
  Halide::RDom r, k, rest;  // r: the sums (inner, piece, outer)
  Halide::Func sum;

  ColumnSum(const std::string& name, const AxisInput& in, const Pieces& pieces,
            const Halide::RDom& sums)
      : r(sums),
        k(0, pieces.length / kStep, name + "_k"),
        rest(0, pieces.length % kStep, name + "_rest"),
        sum(name) {
    using namespace Halide;
    const Expr begin = pieces.begin + piece * pieces.length, zero = cast(in.type, 0);
    // The last vector may reach beyond the end.
    const auto element = [&](const Expr& at) {
      return IfExists(i < in.inner, in.At(i, begin + at, o), zero);
    };
    Expr step = element(k * kStep);
    for (int u = 1; u < kStep; ++u) step += element(k * kStep + u);
    sum(i, piece, o) = zero;
    sum(i, piece, o) += step;
    sum(i, piece, o) += element(pieces.length / kStep * kStep + rest);
  }
  Halide::Expr At() const { return sum(r.x, r.y, r.z); }
};

// The same for rows: `vectors` vectors of sums of every so many-th element, and the sum of those.
struct RowSum {
  Halide::Var lane{"lane"}, piece{"piece"}, o{"o"};
  Halide::RDom r, block, tail, fold;
  Halide::Func lanes, sum;
  int width;

  RowSum(const std::string& name, const AxisInput& in, const Pieces& pieces,
         const Halide::RDom& sums, int tile_width)
      : r(sums),
        block(0, pieces.length / tile_width, name + "_block"),
        tail(0, tile_width, name + "_tail"),
        fold(0, tile_width, name + "_fold"),
        lanes(name + "_lanes"),
        sum(name),
        width(tile_width) {
    using namespace Halide;
    const Expr begin = pieces.begin + piece * pieces.length;
    const Expr left = pieces.length % width, zero = cast(in.type, 0);
    lanes(lane, piece, o) = zero;
    lanes(lane, piece, o) += in.At(0, begin + block * width + lane, o);
    lanes(tail, piece, o) +=
        IfExists(tail < left, in.At(0, begin + pieces.length - left + tail, o), zero);
    sum(piece, o) = zero;
    sum(piece, o) += lanes(fold, piece, o);
  }
  Halide::Expr At() const { return sum(r.y, r.z); }
};

// Each form of sum over the sums it is for. (A domain without elements would have wrong bounds.)
struct PieceSums {
  RowSum row, short_row;
  ColumnSum columns;

  PieceSums(const std::string& name, const AxisInput& in, const Pieces& pieces, int lanes,
            int vectors)
      : row(name + "_row", in, pieces, Sums(1, in, pieces, in.is_rows && in.axis > 2 * lanes),
            lanes * vectors),
        short_row(name + "_short", in, pieces,
                  Sums(1, in, pieces, in.is_rows && in.axis <= 2 * lanes), lanes),
        columns(name + "_columns", in, pieces, Sums(in.inner, in, pieces, !in.is_rows)) {}

 private:
  static Halide::RDom Sums(const Halide::Expr& inner, const AxisInput& in, const Pieces& pieces,
                           const Halide::Expr& use) {
    Halide::RDom r({{0, inner}, {0, pieces.count}, {0, select(use, in.outer, 1)}});
    r.where(use);
    return r;
  }
};

// The axis is cut into `count` pieces of `length` elements, which threads share, and a rest, which
// often is all of it. Both follow from the extents alone, so that the result does not depend on the
// number of threads. Each form is an update of its own, over no elements where it is not for them.
struct Sum {
  Halide::Var i{"i"}, piece{"piece"}, o{"o"};
  Halide::Expr length, count, accumulate;
  PieceSums rest, part;
  Halide::RDom r, p;
  Halide::Func partial{"partial"}, total{"total"}, y{"sum"};

  Sum(const AxisInput& in, const Halide::Expr& scale, const Halide::Expr& accumulate_in,
      const Halide::Expr& length_in, const Halide::Expr& count_in, int lanes, int vectors)
      : length(length_in),
        count(count_in),
        accumulate(accumulate_in),
        rest("rest", in, {count * length, in.axis - count * length, 1}, lanes, vectors),
        part("part", in, {0, length, count}, lanes, vectors),
        r({{0, in.inner}, {0, select(count > 0, in.outer, 0)}}, "r"),
        p(0, count, "pieces") {
    using namespace Halide;
    partial(i, piece, o) = undef(in.type);
    AddPart(part.row);
    AddPart(part.columns);
    y(i, o) = undef(in.type);
    AddRest(rest.row, in, scale);
    AddRest(rest.short_row, in, scale);
    AddRest(rest.columns, in, scale);
    total(i, o) = cast(in.type, 0);
    total(i, o) += partial(i, p, o);
    y(r.x, r.y) += scale * total(r.x, r.y);
  }

 private:
  template <typename Form>
  void AddPart(const Form& form) {
    partial(form.r.x, form.r.y, form.r.z) = form.At();
  }
  template <typename Form>
  void AddRest(const Form& form, const AxisInput& in, const Halide::Expr& scale) {
    const Halide::Expr zero = Halide::cast(in.type, 0);
    y(form.r.x, form.r.z) =
        Halide::select(accumulate, y(form.r.x, form.r.z), zero) + scale * form.At();
  }
};

// The same sum for many small threads: `count` sums of every count-th element, and the sum of
// those.
struct StridedSum {
  Halide::Var i{"i"}, piece{"piece"}, o{"o"};
  Halide::RDom k, p, r;
  Halide::Func strided{"strided"}, partial{"partial"}, total{"total"}, y{"sum"};

  StridedSum(const AxisInput& in, const Halide::Expr& scale, const Halide::Expr& accumulate,
             const Halide::Expr& count)
      : k(0, (in.axis + count - 1) / count, "k"),
        p(0, count, "p"),
        r({{0, in.inner}, {0, in.outer}}, "r") {
    using namespace Halide;
    const Expr zero = cast(in.type, 0), at = k * count + piece;
    k.where(at < in.axis);
    strided(i, piece, o) = zero;
    strided(i, piece, o) += in.At(i, at, o);
    partial(i, piece, o) = strided(i, piece, o);
    total(i, o) = zero;
    total(i, o) += partial(i, p, o);
    y(i, o) = undef(in.type);
    y(r.x, r.y) = select(accumulate, y(r.x, r.y), zero) + scale * total(r.x, r.y);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_REDUCE_H_
