// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/parametric_functions.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "halite/ops/batch_normalization.h"
#include "halite/ops/convolution.h"
#include "halite/ops/embed.h"
#include "halite/ops/layer_normalization.h"
#include "halite/ops/matmul.h"

namespace halite::parametric_functions {
namespace {

Initializer Or(const Initializer& given, const Initializer& otherwise) {
  return given != nullptr ? given : otherwise;
}

Variable BadInput(absl::string_view function, const Variable& x, int base_axis) {
  return Variable(absl::InvalidArgumentError(absl::StrCat(function, ": x ", ToString(x.shape()),
                                                          " and base_axis ", base_axis,
                                                          ": a base_axis below the rank needed")));
}

}  // namespace

Variable Affine(const Variable& x, const Shape& outmaps, const ParameterScope& scope,
                const AffineLayerOptions& options) {
  if (!x.status().ok()) return x;
  if (options.base_axis < 0 || options.base_axis >= x.rank()) {
    return BadInput("affine", x, options.base_axis);
  }
  const int64_t inputs = Size(absl::MakeConstSpan(x.shape()).subspan(options.base_axis));
  Shape w_shape = {inputs};
  w_shape.insert(w_shape.end(), outmaps.begin(), outmaps.end());
  const double limit = CalcUniformLimGlorot(inputs, Size(outmaps));
  const ParameterScope own = scope["affine"];
  const ParameterOptions parameter{!options.fix_parameters, x.dtype()};
  const Variable w = own.GetOrCreate(
      "W", w_shape, Or(options.w_init, UniformInitializer(-limit, limit)), parameter);
  Variable b;
  if (options.with_bias) {
    b = own.GetOrCreate("b", outmaps, Or(options.b_init, ConstantInitializer(0)), parameter);
  }
  return functions::Affine(x, w, b, AffineOptions{options.base_axis});
}

Variable Convolution(const Variable& x, int64_t outmaps, const std::vector<int64_t>& kernel,
                     const ParameterScope& scope, const ConvolutionLayerOptions& options) {
  if (!x.status().ok()) return x;
  if (options.base_axis < 0 || options.base_axis >= x.rank()) {
    return BadInput("convolution", x, options.base_axis);
  }
  const int64_t channels = x.shape()[options.base_axis];
  if (options.group < 1 || channels % options.group != 0) {
    return Variable(absl::InvalidArgumentError(
        absl::StrCat("convolution: ", channels, " input channels in ", options.group,
                     " groups: a multiple of the number of groups needed")));
  }
  Shape w_shape = {outmaps, channels / options.group};
  w_shape.insert(w_shape.end(), kernel.begin(), kernel.end());
  const double limit = CalcUniformLimGlorot(channels, outmaps, kernel);
  const ParameterScope own = scope["conv"];
  const ParameterOptions parameter{!options.fix_parameters, x.dtype()};
  const Variable w = own.GetOrCreate(
      "W", w_shape, Or(options.w_init, UniformInitializer(-limit, limit)), parameter);
  Variable b;
  if (options.with_bias) {
    b = own.GetOrCreate("b", {outmaps}, Or(options.b_init, ConstantInitializer(0)), parameter);
  }
  return functions::Convolution(x, w, b,
                                ConvolutionOptions{options.base_axis, options.pad, options.stride,
                                                   options.dilation, options.group});
}

Variable BatchNormalization(const Variable& x, const ParameterScope& scope,
                            const BatchNormalizationLayerOptions& options) {
  if (!x.status().ok()) return x;
  if (options.axis < 0 || options.axis >= x.rank()) {
    return BadInput("batch_normalization", x, options.axis);
  }
  Shape shape(x.rank(), 1);
  shape[options.axis] = x.shape()[options.axis];
  const ParameterScope own = scope["bn"];
  const ParameterOptions parameter{!options.fix_parameters, x.dtype()};
  const ParameterOptions statistic{false, x.dtype()};
  const Variable beta = own.GetOrCreate("beta", shape, ConstantInitializer(0), parameter);
  const Variable gamma = own.GetOrCreate("gamma", shape, ConstantInitializer(1), parameter);
  const Variable mean = own.GetOrCreate("mean", shape, ConstantInitializer(0), statistic);
  const Variable variance = own.GetOrCreate("var", shape, ConstantInitializer(1), statistic);
  BatchNormalizationOptions function;
  function.axes = {options.axis};
  function.decay_rate = options.decay_rate;
  function.eps = options.eps;
  function.batch_stat = options.batch_stat;
  return functions::BatchNormalization(x, beta, gamma, mean, variance, function);
}

Variable LayerNormalization(const Variable& x, const ParameterScope& scope,
                            const LayerNormalizationLayerOptions& options) {
  if (!x.status().ok()) return x;
  Shape shape = x.shape();
  for (int64_t axis : options.batch_axis) {
    const auto own = NormalizeAxis(axis, x.rank());
    if (!own.ok()) return BadInput("layer_normalization", x, static_cast<int>(axis));
    shape[*own] = 1;
  }
  const ParameterScope own = scope["layer_normalization"];
  const ParameterOptions parameter{!options.fix_parameters, x.dtype()};
  Variable beta, gamma;
  if (!options.no_bias) beta = own.GetOrCreate("beta", shape, ConstantInitializer(0), parameter);
  if (!options.no_scale) gamma = own.GetOrCreate("gamma", shape, ConstantInitializer(1), parameter);
  return functions::LayerNormalization(
      x, beta, gamma,
      LayerNormalizationOptions{options.batch_axis, options.eps, options.no_scale,
                                options.no_bias});
}

Variable Embed(const Variable& x, int64_t inputs, int64_t features, const ParameterScope& scope,
               const EmbedLayerOptions& options) {
  const double limit = std::sqrt(3.0);
  const Variable w = scope["embed"].GetOrCreate(
      "W", {inputs, features}, Or(options.w_init, UniformInitializer(-limit, limit)),
      {!options.fix_parameters});
  return functions::Embed(x, w);
}

}  // namespace halite::parametric_functions
