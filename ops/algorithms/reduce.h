// SPDX-License-Identifier: Apache-2.0
//
// Reductions over the middle dimension of x[inner, axis, outer].
//
//   Sum, StridedSum:  y[i, o] = prior + scale sum_k x[i, k, o], where prior is y itself or 0
//   SumGrad:          dx = prior + scale dy, where strides of 0 broadcast dy to the shape of x
//   Max:              y[i, o] = max_k x[i, k, o], index[i, o] = the least k with that value
//   MaxGrad:          dx[i, k, o] = prior + (k = index[i, o] ? dy[i, o] : 0)
#ifndef HALITE_OPS_ALGORITHMS_REDUCE_H_
#define HALITE_OPS_ALGORITHMS_REDUCE_H_

#include <string>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/accumulate.h"
#include "halite/ops/algorithms/axis.h"

namespace halite {

// Part of the axis in pieces of `length` elements, the first of which is
// `begin`.
struct Pieces {
  Halide::Expr begin, length, count;
};

// The sum over a piece in one of two forms, and the sums (inner, piece, outer)
// it is for. (Domains always have an element: Halide's bounds are wrong for an
// empty one.)
struct PieceSum {
  Halide::Var i{"i"}, piece{"piece"}, o{"o"};
  Halide::RDom row_r, column_r;
  RowReduce row;
  ColumnReduce column;

  PieceSum(const std::string& name, const AxisInput& in, const Pieces& pieces, int lanes,
           int vectors)
      : row_r(Sums(1, in, pieces, in.is_rows)),
        column_r(Sums(in.inner, in, pieces, !in.is_rows)),
        row(name + "_row", {piece, o}, pieces.length, lanes, vectors, Reduction::Sum(in.type),
            [&](const Halide::Expr& k, const Halide::Expr& exists) {
              return in.Row(pieces.begin + piece * pieces.length + k, o, exists);
            }),
        column(name + "_column", i, {piece, o}, pieces.length, Reduction::Sum(in.type),
               [&](const Halide::Expr& k) {
                 return in.Column(i, pieces.begin + piece * pieces.length + k, o);
               }) {}

 private:
  static Halide::RDom Sums(const Halide::Expr& inner, const AxisInput& in, const Pieces& pieces,
                           const Halide::Expr& use) {
    Halide::RDom r({{0, inner}, {0, pieces.count}, {0, select(use, in.outer, 1)}});
    r.where(use);
    return r;
  }
};

// The axis is cut into `count` pieces of `length` elements, which threads
// share, and a rest, which often is all of it. Both follow from the extents
// alone, so that the result does not depend on the number of threads. Each form
// is an update of its own.
struct Sum {
  Halide::Var i{"i"}, piece{"piece"}, o{"o"};
  Halide::Expr length, accumulate;
  PieceSum rest, part;
  Halide::RDom r, p;
  Halide::Func partial{"partial"}, total{"total"}, y{"sum"};

  Sum(const AxisInput& in, const Halide::Expr& scale, const Halide::Expr& accumulate_in,
      const Halide::Expr& length_in, const Halide::Expr& count, int lanes, int vectors)
      : length(length_in),
        accumulate(accumulate_in),
        rest("rest", in, {count * length, in.axis - count * length, 1}, lanes, vectors),
        part("part", in, {0, length, count}, lanes, vectors),
        r({{0, in.inner}, {0, select(count > 0, in.outer, 0)}}, "r"),
        p(0, count, "pieces") {
    using namespace Halide;
    partial(i, piece, o) = undef(in.type);
    SetPartial(part.row_r, part.row.value(part.row_r.y, part.row_r.z));
    SetPartial(part.column_r, part.column.value(part.column_r.x, part.column_r.y, part.column_r.z));
    total(i, o) = cast(in.type, 0);
    total(i, o) += partial(i, p, o);
    y(i, o) = undef(in.type);
    SetY(rest.row_r, scale * rest.row.value(0, rest.row_r.z));
    SetY(rest.column_r, scale * rest.column.value(rest.column_r.x, 0, rest.column_r.z));
    y(r.x, r.y) += scale * total(r.x, r.y);
  }

 private:
  void SetPartial(const Halide::RDom& at, const Halide::Expr& sum) {
    partial(at.x, at.y, at.z) = sum;
  }
  void SetY(const Halide::RDom& at, const Halide::Expr& sum) {
    y(at.x, at.z) = Halide::select(accumulate, y(at.x, at.z), Halide::cast(sum.type(), 0)) + sum;
  }
};

// The same sum for many small threads: `count` sums of every count-th element,
// and the sum of those.
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

struct SumGrad : Accumulated {
  static constexpr int kRank = 4;

  SumGrad(const Halide::Func& dy, const Halide::Expr& scale,
          const std::vector<Halide::Expr>& extents, const Halide::Expr& accumulate)
      : Accumulated("sum_grad", Scaled(dy, scale), extents, accumulate) {}

 private:
  static Halide::Func Scaled(const Halide::Func& dy, const Halide::Expr& scale) {
    Halide::Func scaled("scaled");
    scaled(Halide::_) = scale * dy(Halide::_);
    return scaled;
  }
};

// Rows are reduced to the greatest pair of key and place, in one pass as columns are.
struct Max {
  Halide::Var i{"i"}, o{"o"};
  RowReduce row;
  Halide::RDom k;
  Halide::Func best{"best"}, y{"max"};

  Max(const AxisInput& in, int lanes, int vectors)
      : row("row", {o}, in.axis, lanes, vectors, Reduction::FirstMax(in.KeyType()),
            [&](const Halide::Expr& at, const Halide::Expr& exists) {
              return Values(TiedKey(in.Row(at, o, exists)), at);
            }),
        k(0, in.axis, "k") {
    using namespace Halide;
    best(i, o) = Tuple(in.KeyType().min(), 0);
    const Expr key = TiedKey(in.Column(i, k, o)), is_better = key > best(i, o)[0];
    best(i, o) = Tuple(select(is_better, key, best(i, o)[0]), select(is_better, k, best(i, o)[1]));
    y(i, o) = Tuple(FromOrderedKey(select(in.is_rows, row.value(o)[0], best(i, o)[0])),
                    select(in.is_rows, row.value(o)[1], best(i, o)[1]));
  }
};

struct MaxGrad : Accumulated {
  MaxGrad(const Halide::Func& index, const Halide::Func& dy,
          const std::vector<Halide::Expr>& extents, const Halide::Expr& accumulate)
      : Accumulated("max_grad", Selected(index, dy), extents, accumulate) {}

 private:
  static Halide::Func Selected(const Halide::Func& index, const Halide::Func& dy) {
    Halide::Func selected("selected");
    Halide::Var i("i"), k("k"), o("o");
    selected(i, k, o) = Choose(k == index(i, o), dy(i, o), cast(dy.types()[0], 0));
    return selected;
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_REDUCE_H_
