// SPDX-License-Identifier: Apache-2.0
//
// Cross entropy of a softmax over the middle dimension of x[inner, axis, outer], with one label
// t[inner, outer] for each sum.
//
//   SoftmaxCrossEntropy:      y[i, o] = log sum_k exp(x[i, k, o] - peak) - (x[i, t, o] - peak)
//                             with peak[i, o] = max_k x[i, k, o]; scale[i, o] = 1 / that sum
//   SoftmaxCrossEntropyGrad:  dx = prior + dy (exp(x - peak) scale - (k = t))
//
// For t < 0 the loss and its gradient are 0; for t >= axis both are NaN.
#ifndef HALITE_OPS_ALGORITHMS_SOFTMAX_CROSS_ENTROPY_H_
#define HALITE_OPS_ALGORITHMS_SOFTMAX_CROSS_ENTROPY_H_

#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/accumulate.h"
#include "halite/ops/algorithms/math.h"
#include "halite/ops/algorithms/softmax.h"

namespace halite {

// `value` where the label is one of `axis` classes, 0 where it is negative, NaN beyond.
inline Halide::Expr ForLabel(const Halide::Expr& label, const Halide::Expr& axis,
                             const Halide::Expr& value) {
  return math::Select(label < 0, cast(value.type(), 0),
                      math::Select(label < axis, value, math::Nan(value)));
}

struct SoftmaxCrossEntropy {
  Halide::Var i{"i"}, o{"o"};
  RowPowers row;
  ColumnPowers column;
  Halide::Func y{"softmax_cross_entropy"};  // (loss, peak, scale)

  SoftmaxCrossEntropy(const AxisInput& in, const Halide::Func& target, int lanes, int vectors)
      : row(in, lanes, vectors), column(in) {
    using namespace Halide;
    const Expr peak =
        FromOrderedKey(select(in.is_rows, row.peak.value(o), column.peak.value(i, o)));
    const Expr sum = select(in.is_rows, row.sum.value(o), column.sum.value(i, o));
    const Expr label = target(i, o);
    const Expr own = in.x(i, clamp(label, 0, in.axis - 1), o);
    y(i, o) = Tuple(ForLabel(label, in.axis, math::Log(sum) - strict_float(own - peak)), peak,
                    cast(in.type, 1) / sum);
  }
};

struct SoftmaxCrossEntropyGrad : Accumulated {
  SoftmaxCrossEntropyGrad(const AxisInput& in, const Halide::Func& target, const Halide::Func& peak,
                          const Halide::Func& scale, const Halide::Func& dy,
                          const Halide::Expr& accumulate)
      : Accumulated("softmax_cross_entropy_grad", Value(in, target, peak, scale, dy),
                    {in.inner, in.axis, in.outer}, accumulate) {}

 private:
  static Halide::Func Value(const AxisInput& in, const Halide::Func& target,
                            const Halide::Func& peak, const Halide::Func& scale,
                            const Halide::Func& dy) {
    using namespace Halide;
    Var i("i"), k("k"), o("o");
    const Expr label = target(i, o);
    const Expr power = math::Exp(strict_float(in.x(i, k, o) - peak(i, o)));
    const Expr hit = select(k == label, cast(in.type, 1), cast(in.type, 0));
    Func value("value");
    value(i, k, o) = ForLabel(label, in.axis, dy(i, o) * (power * scale(i, o) - hit));
    return value;
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_SOFTMAX_CROSS_ENTROPY_H_
