// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/random.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"

namespace halite {
namespace {

// `arguments` and the place of the draw.
std::vector<KernelArgument> WithStream(const Lowering& l, std::vector<KernelArgument> arguments) {
  for (KernelArgument& argument : l.RandomArguments()) arguments.push_back(std::move(argument));
  return arguments;
}

// Of rand and randn.
template <typename Options>
absl::Status InferDraw(Inference& in) {
  const auto& options = in.options<Options>();
  in.AddOutput(Shape(options.shape.begin(), options.shape.end()), DType::kFloat32);
  return absl::OkStatus();
}

void Draw(Lowering& l, int64_t seed, std::vector<KernelArgument> arguments) {
  const int64_t n = Size(l.y_shape());
  l.DrawRandomNumbers(n, seed);
  arguments.emplace_back("y", l.y().View({n}));
  arguments.emplace_back("count", n);
  l.Call(l.def().name, WithStream(l, std::move(arguments)));
}

void RandForward(Lowering& l) {
  const auto& options = l.options<RandOptions>();
  Draw(l, options.seed, {{"low", options.low}, {"high", options.high}});
}

void RandnForward(Lowering& l) {
  const auto& options = l.options<RandnOptions>();
  Draw(l, options.seed, {{"mu", options.mu}, {"sigma", options.sigma}});
}

absl::Status InferDropout(Inference& in) {
  const double p = in.options<DropoutOptions>().p;
  if (!(p >= 0 && p < 1)) return in.Error(absl::StrCat("p = ", p), "p in [0, 1)");
  in.AddOutput(in.shape());
  return absl::OkStatus();
}

// What Forward and Backward share: the mask is made again where it is needed.
std::vector<KernelArgument> DropoutArguments(const Lowering& l) {
  const double p = l.options<DropoutOptions>().p;
  return WithStream(
      l, {{"threshold", static_cast<int64_t>(std::ceil(p * 0x1p24))}, {"scale", 1 / (1 - p)}});
}

void DropoutForward(Lowering& l) {
  const int64_t n = Size(l.x_shape());
  l.DrawRandomNumbers(n, l.options<DropoutOptions>().seed);
  std::vector<KernelArgument> arguments = DropoutArguments(l);
  arguments.emplace_back("x", l.x().View({n}));
  arguments.emplace_back("y", l.y().View({n}));
  l.Call("dropout", std::move(arguments));
}

void DropoutBackward(Lowering& l) {
  const int64_t n = Size(l.x_shape());
  std::vector<KernelArgument> arguments = DropoutArguments(l);
  arguments.emplace_back("dy", l.dy().View({n}));
  arguments.emplace_back("dx", l.dx().View({n}));
  l.Call("dropout_grad", std::move(arguments));
}

FunctionDef RandomDef(const std::string& name, const std::string& nnabla_name, OptionsDef options) {
  FunctionDef def;
  def.name = name;
  def.nnabla_name = nnabla_name;
  def.options = std::move(options);
  def.kernels = {name};
  def.draws_random_numbers = true;
  return def;
}

}  // namespace

absl::Span<const FunctionDef> RandomFunctions() {
  static const auto& functions = *[] {
    FunctionDef dropout = RandomDef("dropout", "Dropout",
                                    OptionsDef::Of<DropoutOptions>()
                                        .With("p", &DropoutOptions::p)
                                        .With("seed", &DropoutOptions::seed));
    dropout.onnx_name = "Dropout";
    dropout.inputs = {{"x"}};
    dropout.infer = InferDropout;
    dropout.forward = DropoutForward;
    dropout.backward = DropoutBackward;
    dropout.gradient_kernels = {"dropout_grad"};
    dropout.in_place = true;

    FunctionDef rand = RandomDef("rand", "Rand",
                                 OptionsDef::Of<RandOptions>()
                                     .With("low", &RandOptions::low)
                                     .With("high", &RandOptions::high)
                                     .With("shape", &RandOptions::shape)
                                     .With("seed", &RandOptions::seed));
    rand.onnx_name = "RandomUniform";
    rand.infer = InferDraw<RandOptions>;
    rand.forward = RandForward;
    rand.gradient = Gradient::kNone;

    FunctionDef randn = RandomDef("randn", "Randn",
                                  OptionsDef::Of<RandnOptions>()
                                      .With("mu", &RandnOptions::mu)
                                      .With("sigma", &RandnOptions::sigma)
                                      .With("shape", &RandnOptions::shape)
                                      .With("seed", &RandnOptions::seed));
    randn.onnx_name = "RandomNormal";
    randn.infer = InferDraw<RandnOptions>;
    randn.forward = RandnForward;
    randn.gradient = Gradient::kNone;
    return new std::vector<FunctionDef>{std::move(dropout), std::move(rand), std::move(randn)};
  }();
  return functions;
}

namespace functions::internal {

const FunctionDef& DropoutDef() { return RandomFunctions()[0]; }
const FunctionDef& RandDef() { return RandomFunctions()[1]; }
const FunctionDef& RandnDef() { return RandomFunctions()[2]; }

}  // namespace functions::internal
}  // namespace halite
