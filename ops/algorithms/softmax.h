// SPDX-License-Identifier: Apache-2.0
//
// Softmax over the middle dimension of x[inner, axis, outer].
//
//   Softmax:      y[i, k, o] = power[i, k, o] / sum_l power[i, l, o]
//                 with power[i, k, o] = exp(x[i, k, o] - max_l x[i, l, o])
//   SoftmaxGrad:  dx = prior + y (dy - sum_l dy[i, l, o] y[i, l, o])
//
// Each in two forms: rows (inner = 1) and columns.
#ifndef HALITE_OPS_ALGORITHMS_SOFTMAX_H_
#define HALITE_OPS_ALGORITHMS_SOFTMAX_H_

#include <string>

#include "Halide.h"
#include "halite/ops/algorithms/axis.h"
#include "halite/ops/algorithms/math.h"

namespace halite {

// exp(x - peak), where `key` is the OrderedKey of peak: NaN if either is, or both are infinite.
inline Halide::Expr PowerBelow(const Halide::Expr& x, const Halide::Expr& key) {
  return math::Exp(strict_float(x - FromOrderedKey(key)));
}

// What rows are made of. The key of the peak is an integer, which Halide reduces with NaN.
struct RowPowers {
  Halide::Var k{"k"}, o{"o"};
  RowReduce peak;
  Halide::Func power;
  RowReduce sum;

  RowPowers(const AxisInput& in, int lanes, int vectors)
      : peak("row_peak", {o}, in.axis, lanes, vectors, Reduction::Max(in.KeyType()),
             [&](const Halide::Expr& at, const Halide::Expr& exists) {
               return OrderedKey(in.Row(at, o, exists));
             }),
        power(Power(in)),
        sum("row_sum", {o}, in.axis, lanes, vectors, Reduction::Sum(in.type),
            [&](const Halide::Expr& at, const Halide::Expr&) { return power(at, o); }) {}

 private:
  Halide::Func Power(const AxisInput& in) const {
    Halide::Func f("row_power");
    f(k, o) = PowerBelow(in.Row(k, o, k < in.axis), peak.value(o));
    return f;
  }
};

// What columns are made of.
struct ColumnPowers {
  Halide::Var i{"i"}, k{"k"}, o{"o"};
  ColumnReduce peak;
  Halide::Func power;
  ColumnReduce sum;

  explicit ColumnPowers(const AxisInput& in)
      : peak("column_peak", i, {o}, in.axis, Reduction::Max(in.KeyType()),
             [&](const Halide::Expr& at) { return OrderedKey(in.Column(i, at, o)); }),
        power(Power(in)),
        sum("column_sum", i, {o}, in.axis, Reduction::Sum(in.type),
            [&](const Halide::Expr& at) { return power(i, at, o); }) {}

 private:
  Halide::Func Power(const AxisInput& in) const {
    Halide::Func f("column_power");
    f(i, k, o) = PowerBelow(in.Column(i, k, o), peak.value(i, o));
    return f;
  }
};

struct Softmax {
  Halide::Var i{"i"}, k{"k"}, o{"o"};
  RowPowers row;
  ColumnPowers column;
  Halide::Func row_scale{"row_scale"}, column_scale{"column_scale"}, y{"softmax"};

  Softmax(const AxisInput& in, int lanes, int vectors) : row(in, lanes, vectors), column(in) {
    row_scale(o) = Halide::cast(in.type, 1) / row.sum.value(o);
    column_scale(i, o) = Halide::cast(in.type, 1) / column.sum.value(i, o);
    y(i, k, o) = select(in.is_rows, row.power(k, o) * row_scale(o),
                        column.power(i, k, o) * column_scale(i, o));
  }
};

// Each form is an update of its own, over r.
struct SoftmaxGrad {
  Halide::Var i{"i"}, k{"k"}, o{"o"};
  Halide::Expr accumulate;
  Halide::RDom row_r, column_r;
  RowReduce row_dot;
  ColumnReduce column_dot;
  Halide::Func dx{"softmax_grad"};

  SoftmaxGrad(const AxisInput& y, const AxisInput& dy, const Halide::Expr& accumulate_in, int lanes,
              int vectors)
      : accumulate(accumulate_in),
        row_r({{0, 1}, {0, y.axis}, {0, select(y.is_rows, y.outer, 1)}}, "row_r"),
        column_r({{0, y.inner}, {0, y.axis}, {0, select(y.is_rows, 1, y.outer)}}, "column_r"),
        row_dot("row_dot", {o}, y.axis, lanes, vectors, Reduction::Sum(y.type),
                [&](const Halide::Expr& at, const Halide::Expr& exists) {
                  return y.Row(at, o, exists) * dy.Row(at, o, exists);
                }),
        column_dot(
            "column_dot", i, {o}, y.axis, Reduction::Sum(y.type),
            [&](const Halide::Expr& at) { return y.Column(i, at, o) * dy.Column(i, at, o); }) {
    dx(i, k, o) = Halide::undef(y.type);
    row_r.where(y.is_rows);
    column_r.where(!y.is_rows);
    Set(row_r, y.x, dy.x, row_dot.value(row_r.z));
    Set(column_r, y.x, dy.x, column_dot.value(column_r.x, column_r.z));
  }

 private:
  void Set(const Halide::RDom& r, const Halide::Func& y, const Halide::Func& dy,
           const Halide::Expr& dot) {
    const Halide::Expr zero = Halide::cast(dot.type(), 0);
    dx(r.x, r.y, r.z) =
        select(accumulate, dx(r.x, r.y, r.z), zero) + y(r.x, r.y, r.z) * (dy(r.x, r.y, r.z) - dot);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_SOFTMAX_H_
