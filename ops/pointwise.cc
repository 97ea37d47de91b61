// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/pointwise.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "halite/core/canonical.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"
#include "halite/ops/reduce_sum.h"

namespace halite {
namespace {

// The options as scalar arguments.
void AppendScalars(const Lowering& l, std::vector<KernelArgument>& arguments) {
  for (const std::string& name : l.def().options.names()) {
    const OptionValue value = l.option(name);
    arguments.emplace_back(name.c_str(), std::get<double>(value));
  }
}

absl::Status InferUnary(Inference& in) {
  in.AddOutput(in.shape());
  return absl::OkStatus();
}

void UnaryForward(Lowering& l) {
  const int64_t n = Size(l.x_shape());
  std::vector<KernelArgument> arguments = {{"x", l.x().View({n})}, {"y", l.y().View({n})}};
  AppendScalars(l, arguments);
  l.Call(l.def().name, std::move(arguments));
}

void UnaryBackward(Lowering& l) {
  const int64_t n = Size(l.x_shape());
  std::vector<KernelArgument> arguments = {{"x", l.x().View({n})},
                                           {"y", l.y().View({n})},
                                           {"dy", l.dy().View({n})},
                                           {"dx", l.dx().View({n})}};
  AppendScalars(l, arguments);
  l.Call(absl::StrCat(l.def().name, "_grad"), std::move(arguments));
}

absl::Status InferEqualShapes(Inference& in) {
  if (in.shape(0) != in.shape(1)) return in.ShapeError("equal shapes");
  in.AddOutput(in.shape());
  return absl::OkStatus();
}

absl::Status InferBroadcast(Inference& in) {
  absl::StatusOr<Shape> shape = Broadcast(in.shape(0), in.shape(1));
  if (!shape.ok()) {
    return in.ShapeError("equal ranks, and in each dimension equal extents or 1");
  }
  in.AddOutput(*shape);
  return absl::OkStatus();
}

// x0, x1 and y walked together.
Walk BinaryWalk(const Lowering& l) {
  const Shape shapes[] = {l.x_shape(0), l.x_shape(1), l.y_shape()};
  Walk walk = Walk::Broadcast(l.y_shape(), shapes);
  walk.Collapse();
  return walk;
}

void BinaryForward(Lowering& l) {
  const Walk walk = BinaryWalk(l);
  walk.ForEachOuter(kWalkRank, [&](absl::Span<const int64_t> at) {
    l.Call(l.def().name, {{"x0", walk.View(l.x(0), 0, kWalkRank, at[0])},
                          {"x1", walk.View(l.x(1), 1, kWalkRank, at[1])},
                          {"y", walk.View(l.y(), 2, kWalkRank, at[2])}});
  });
}

// Whether one kernel computes both gradients: both are wanted, of the shape of y, and kept apart.
bool BothAtOnce(Lowering& l) {
  return l.wants(0) && l.wants(1) && l.x_shape(0) == l.x_shape(1) &&
         l.dx(0).array() != l.dx(1).array();
}

// kSlope1: see BinaryInputs.
template <int kSlope1>
void BinaryBackward(Lowering& l) {
  if (BothAtOnce(l)) {
    const int64_t n = Size(l.y_shape());
    l.Call(l.def().name + "_grad01", {{"x0", l.x(0).View({n})},
                                      {"x1", l.x(1).View({n})},
                                      {"y", l.y().View({n})},
                                      {"dy", l.dy().View({n})},
                                      {"dx.0", l.dx(0).View({n})},
                                      {"dx.1", l.dx(1).View({n})}});
    return;
  }
  const Walk walk = BinaryWalk(l);
  for (int i = 0; i < 2; ++i) {
    if (!l.wants(i)) continue;
    // An input that was broadcast gets the sum over the copies.
    const bool is_broadcast = l.x_shape(i) != l.y_shape();
    if (is_broadcast && kSlope1 != 0) {
      SumToShape(l, l.dy(), l.y_shape(), l.dx(i), l.x_shape(i), i == 0 ? 1 : kSlope1);
      continue;
    }
    const Operand dx = is_broadcast ? l.Scratch(l.y_shape()) : l.dx(i);
    walk.ForEachOuter(kWalkRank, [&](absl::Span<const int64_t> at) {
      l.Call(absl::StrCat(l.def().name, "_grad", i),
             {{"x0", walk.View(l.x(0), 0, kWalkRank, at[0])},
              {"x1", walk.View(l.x(1), 1, kWalkRank, at[1])},
              {"y", walk.View(l.y(), 2, kWalkRank, at[2])},
              {"dy", walk.View(l.dy(), 2, kWalkRank, at[2])},
              {"dx", walk.View(dx, 2, kWalkRank, at[2])}});
    });
    if (is_broadcast) SumToShape(l, dx, l.y_shape(), l.dx(i), l.x_shape(i));
  }
}

}  // namespace

FunctionDef UnaryDef(std::string name, std::string nnabla_name, std::string onnx_name,
                     OptionsDef options) {
  FunctionDef def;
  def.kernels = {name};
  def.gradient_kernels = {name + "_grad"};
  def.name = std::move(name);
  def.nnabla_name = std::move(nnabla_name);
  def.onnx_name = std::move(onnx_name);
  def.inputs = {{"x"}};
  def.options = std::move(options);
  def.infer = InferUnary;
  def.forward = UnaryForward;
  def.backward = UnaryBackward;
  def.in_place = true;
  return def;
}

FunctionDef BinaryDef(std::string name, std::string nnabla_name, std::string onnx_name,
                      BinaryInputs inputs) {
  FunctionDef def;
  def.kernels = {name};
  for (int i = 0; i < inputs.gradients; ++i) {
    def.gradient_kernels.push_back(absl::StrCat(name, "_grad", i));
  }
  if (inputs.gradients == 2) def.gradient_kernels.push_back(name + "_grad01");
  if (inputs.gradients == 0) def.gradient = Gradient::kNone;
  if (inputs.gradients > 0 && inputs.broadcast) def.gradient_kernels.push_back("sum");
  def.name = std::move(name);
  def.nnabla_name = std::move(nnabla_name);
  def.onnx_name = std::move(onnx_name);
  def.inputs = {{inputs.name0}, {inputs.name1}};
  if (inputs.gradients == 1) def.inputs[1].differentiable = false;
  def.infer = inputs.broadcast ? InferBroadcast : InferEqualShapes;
  def.forward = BinaryForward;
  def.backward = inputs.slope1 == 0   ? BinaryBackward<0>
                 : inputs.slope1 == 1 ? BinaryBackward<1>
                                      : BinaryBackward<-1>;
  def.in_place = true;
  return def;
}

}  // namespace halite
