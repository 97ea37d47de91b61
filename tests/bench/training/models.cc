// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/training/models.h"

#include <cmath>
#include <string>

#include "halite/ops/activations.h"
#include "halite/ops/arithmetic.h"
#include "halite/ops/array.h"
#include "halite/ops/matmul.h"
#include "halite/ops/parametric_functions.h"
#include "halite/ops/pooling.h"
#include "halite/ops/reduce.h"
#include "halite/ops/softmax.h"

namespace halite::bench {
namespace {

namespace F = functions;
namespace PF = parametric_functions;

Variable Mlp(const Variable& x, const ParameterScope& scope) {
  const Variable h = F::Relu(PF::Affine(x, 512, scope["1"]));
  return PF::Affine(F::Relu(PF::Affine(h, 256, scope["2"])), 10, scope["3"]);
}

Variable Lenet(const Variable& x, const ParameterScope& scope) {
  Variable h = F::Relu(F::MaxPooling(PF::Convolution(x, 16, {5, 5}, scope["conv1"]), {2, 2}));
  h = F::Relu(F::MaxPooling(PF::Convolution(h, 16, {5, 5}, scope["conv2"]), {2, 2}));
  return PF::Affine(F::Relu(PF::Affine(h, 50, scope["affine3"])), 10, scope["affine4"]);
}

Variable ConvolutionWithoutBias(const Variable& x, int64_t maps, int64_t kernel, int64_t stride,
                                const ParameterScope& scope) {
  const int64_t pad = kernel / 2;
  return PF::Convolution(x, maps, {kernel, kernel}, scope,
                         {.pad = {pad, pad}, .stride = {stride, stride}, .with_bias = false});
}

Variable ResidualBlock(const Variable& x, int64_t maps, int64_t stride,
                       const ParameterScope& scope) {
  const Variable none;
  const ParameterScope first = scope["1"], second = scope["2"], shortcut = scope["shortcut"];
  Variable h =
      PF::FusedBatchNormalization(ConvolutionWithoutBias(x, maps, 3, stride, first), none, first);
  h = ConvolutionWithoutBias(h, maps, 3, 1, second);
  const bool is_projected = stride != 1 || x.shape()[1] != maps;
  const Variable z =
      is_projected
          ? PF::BatchNormalization(ConvolutionWithoutBias(x, maps, 1, stride, shortcut), shortcut)
          : x;
  return PF::FusedBatchNormalization(h, z, second);
}

Variable Resnet20(const Variable& x, const ParameterScope& scope) {
  const ParameterScope input = scope["input"];
  Variable h =
      PF::FusedBatchNormalization(ConvolutionWithoutBias(x, 16, 3, 1, input), Variable(), input);
  for (const int64_t maps : {16, 32, 64}) {
    for (const char* block : {"1", "2", "3"}) {
      const int64_t stride = maps > 16 && *block == '1' ? 2 : 1;
      h = ResidualBlock(h, maps, stride, scope[std::to_string(maps)][block]);
    }
  }
  return PF::Affine(F::Mean(h, {.axes = {2, 3}}), 10, scope["output"]);
}

// x [batch, steps, features].
Variable Lstm(const Variable& x, const ParameterScope& scope) {
  constexpr int64_t kCells = 128;
  const int64_t batch = x.shape()[0];
  NdArray zeros({1, 1, batch, kCells}, x.dtype());
  zeros.Zero();
  const Variable start(zeros);
  const Variable h = PF::Lstm(F::Transpose(x, {.axes = {1, 0, 2}}), start, start, scope).h;
  return PF::Affine(F::Reshape(h, {.shape = {batch, kCells}}), 10, scope["output"]);
}

// x [batch, steps, size]. Attention of 4 heads.
Variable Attention(const Variable& x, const ParameterScope& scope) {
  const int64_t batch = x.shape()[0], steps = x.shape()[1], size = x.shape()[2], heads = 4;
  const Variable qkv = F::Reshape(PF::Affine(x, 3 * size, scope["qkv"], {.base_axis = 2}),
                                  {.shape = {batch, steps, 3, heads, size / heads}});
  std::vector<Variable> part = F::Split(qkv, {.axis = 2});
  for (Variable& each : part) each = F::Transpose(each, {.axes = {0, 2, 1, 3}});
  const Variable query = F::MulScalar(part[0], 1 / std::sqrt(static_cast<double>(size / heads)));
  const Variable weights = F::Softmax(F::BatchMatmul(query, part[1], {.transpose_b = true}));
  const Variable y = F::Transpose(F::BatchMatmul(weights, part[2]), {.axes = {0, 2, 1, 3}});
  return PF::Affine(F::Reshape(y, {.shape = {batch, steps, size}}), size, scope["out"],
                    {.base_axis = 2});
}

Variable Transformer(const Variable& x, const ParameterScope& scope) {
  const LayerNormalizationLayerOptions rows = {.batch_axis = {0, 1}};
  Variable h = x;
  for (const char* layer : {"1", "2", "3", "4"}) {
    const ParameterScope own = scope[layer];
    h = h + Attention(PF::LayerNormalization(h, own["norm1"], rows), own["attention"]);
    Variable inner = PF::LayerNormalization(h, own["norm2"], rows);
    inner = F::Gelu(PF::Affine(inner, 1024, own["inner"], {.base_axis = 2}));
    h = h + PF::Affine(inner, x.shape()[2], own["outer"], {.base_axis = 2});
  }
  h = F::Mean(PF::LayerNormalization(h, scope["norm"], rows), {.axes = {1}});
  return PF::Affine(h, 10, scope["output"]);
}

}  // namespace

const std::vector<Model>& Models() {
  static const auto& models = *new std::vector<Model>{
      {"mlp", {64, 784}, Mlp, /*with_adam=*/true, /*with_momentum=*/true},
      {"lenet", {64, 1, 28, 28}, Lenet, true, true},
      {"resnet20", {128, 3, 32, 32}, Resnet20, false, true},
      {"lstm", {64, 28, 28}, Lstm, false, true},
      {"transformer", {16, 128, 256}, Transformer, true, false},
  };
  return models;
}

}  // namespace halite::bench
