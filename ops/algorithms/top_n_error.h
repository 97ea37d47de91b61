// SPDX-License-Identifier: Apache-2.0
//
// TopNError: y[i, o] = 1 if label t[i, o] is not among the n greatest of x[inner, axis, outer]
// along the axis, else 0. Elements that are not less than that of the label (ties and NaN) count
// against it; a label outside the axis is an error.
#ifndef HALITE_OPS_ALGORITHMS_TOP_N_ERROR_H_
#define HALITE_OPS_ALGORITHMS_TOP_N_ERROR_H_

#include "Halide.h"
#include "halite/ops/algorithms/axis.h"
#include "halite/ops/algorithms/math.h"

namespace halite {

struct TopNError {
  Halide::Var i{"i"}, o{"o"};
  Halide::Func own;  // the element of the label
  RowReduce row_count;
  ColumnReduce column_count;
  Halide::Func y{"top_n_error"};

  TopNError(const AxisInput& in, const Halide::Func& target, const Halide::Expr& n, int lanes,
            int vectors)
      : own(Own(in, target)),
        row_count("row_count", {o}, in.axis, lanes, vectors, Reduction::Sum(Halide::Int(32)),
                  [&](const Halide::Expr& k, const Halide::Expr& exists) {
                    return NotLess(in.Row(k, o, exists), own(0, o));
                  }),
        column_count(
            "column_count", i, {o}, in.axis, Reduction::Sum(Halide::Int(32)),
            [&](const Halide::Expr& k) { return NotLess(in.Column(i, k, o), own(i, o)); }) {
    const Halide::Expr count = select(in.is_rows, row_count.value(o), column_count.value(i, o));
    const Halide::Expr label = target(i, o);
    y(i, o) = cast(in.type, label < 0 || label >= in.axis || count > n);
  }

 private:
  Halide::Func Own(const AxisInput& in, const Halide::Func& target) const {
    // The last vector of columns may reach beyond the end.
    const Halide::Expr at = unsafe_promise_clamped(i, 0, in.inner - 1);
    const Halide::Expr label = IfExists(i < in.inner, target(at, o), 0);
    Halide::Func f("own");
    f(i, o) = in.Column(i, clamp(label, 0, in.axis - 1), o);
    return f;
  }
  static Halide::Expr NotLess(const Halide::Expr& a, const Halide::Expr& b) {
    return select(math::Less(a, b), 0, 1);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_TOP_N_ERROR_H_
