// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/softmax_cross_entropy.h"

#include <limits>
#include <vector>

#include "halite/ops/labels.h"

namespace halite {
namespace {

int Axis(const Lowering& l) { return l.options<SoftmaxCrossEntropyOptions>().axis; }

absl::Status InferSoftmaxCrossEntropy(Inference& in) {
  return InferWithLabels(in, in.options<SoftmaxCrossEntropyOptions>().axis);
}

// The greatest element and the reciprocal of the sum of powers, which Forward keeps: with them the
// gradient is one pass.
Operand Peak(Lowering& l) { return l.State(0, l.y_shape(), l.dtype()); }
Operand Scale(Lowering& l) { return l.State(1, l.y_shape(), l.dtype()); }

void SoftmaxCrossEntropyForward(Lowering& l) {
  if (Size(l.x_shape()) == 0) {
    // No classes: every label is out of range.
    l.Fill(l.y(), std::numeric_limits<double>::quiet_NaN());
    return;
  }
  const InnerAxisOuter dims = AroundClasses(l, Axis(l));
  const auto sums = {dims.inner, dims.outer};
  l.Call("softmax_cross_entropy", {{"x", l.x().View(dims.dims())},
                                   {"label", l.x(1).View(sums)},
                                   {"y.0", l.y().View(sums)},
                                   {"y.1", Peak(l).View(sums)},
                                   {"y.2", Scale(l).View(sums)}});
}

void SoftmaxCrossEntropyBackward(Lowering& l) {
  if (Size(l.x_shape()) == 0) return;
  const InnerAxisOuter dims = AroundClasses(l, Axis(l));
  const auto sums = {dims.inner, dims.outer};
  l.Call("softmax_cross_entropy_grad", {{"x", l.x().View(dims.dims())},
                                        {"label", l.x(1).View(sums)},
                                        {"peak", Peak(l).View(sums)},
                                        {"scale", Scale(l).View(sums)},
                                        {"dy", l.dy().View(sums)},
                                        {"dx", l.dx().View(dims.dims())}});
}

}  // namespace

absl::Span<const FunctionDef> SoftmaxCrossEntropyFunctions() {
  static const auto& functions = *new std::vector<FunctionDef>{[] {
    FunctionDef def;
    def.name = "softmax_cross_entropy";
    def.nnabla_name = "SoftmaxCrossEntropy";
    def.inputs = {{"x"}, {"target", InputKind::kIndex}};
    def.options = OptionsDef::Of<SoftmaxCrossEntropyOptions>().With(
        "axis", &SoftmaxCrossEntropyOptions::axis);
    def.infer = InferSoftmaxCrossEntropy;
    def.forward = SoftmaxCrossEntropyForward;
    def.backward = SoftmaxCrossEntropyBackward;
    def.kernels = {"softmax_cross_entropy"};
    def.gradient_kernels = {"softmax_cross_entropy_grad"};
    return def;
  }()};
  return functions;
}

}  // namespace halite
