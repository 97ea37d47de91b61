// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/softmax.h"

#include <vector>

#include "halite/core/canonical.h"
#include "halite/core/lowering.h"

namespace halite {
namespace {

std::vector<int64_t> Dims(const Lowering& l) {
  const Shape& shape = l.x_shape();
  const int rank = static_cast<int>(shape.size());
  return InnerAxisOuter(shape, *NormalizeAxis(l.options<SoftmaxOptions>().axis, rank)).dims();
}

absl::Status InferSoftmax(Inference& in) {
  const int axis = in.options<SoftmaxOptions>().axis;
  if (!NormalizeAxis(axis, in.rank()).ok()) return in.AxisError(axis);
  in.AddOutput(in.shape());
  return absl::OkStatus();
}

void SoftmaxForward(Lowering& l) {
  const auto dims = Dims(l);
  l.Call("softmax", {{"x", l.x().View(dims)}, {"y", l.y().View(dims)}});
}

void SoftmaxBackward(Lowering& l) {
  const auto dims = Dims(l);
  l.Call("softmax_grad",
         {{"y", l.y().View(dims)}, {"dy", l.dy().View(dims)}, {"dx", l.dx().View(dims)}});
}

}  // namespace

absl::Span<const FunctionDef> SoftmaxFunctions() {
  static const auto& functions = *new std::vector<FunctionDef>{[] {
    FunctionDef def;
    def.name = "softmax";
    def.nnabla_name = "Softmax";
    def.onnx_name = "Softmax";
    def.inputs = {{"x"}};
    def.options = OptionsDef::Of<SoftmaxOptions>().With("axis", &SoftmaxOptions::axis);
    def.infer = InferSoftmax;
    def.forward = SoftmaxForward;
    def.backward = SoftmaxBackward;
    def.kernels = {"softmax"};
    def.gradient_kernels = {"softmax_grad"};
    return def;
  }()};
  return functions;
}

}  // namespace halite
