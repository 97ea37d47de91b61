// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/parametric_functions.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "halite/core/status.h"
#include "halite/ops/array.h"
#include "halite/ops/batch_normalization.h"
#include "halite/ops/convolution.h"
#include "halite/ops/embed.h"
#include "halite/ops/layer_normalization.h"
#include "halite/ops/lstm.h"
#include "halite/ops/matmul.h"

namespace halite::parametric_functions {
namespace {

Initializer Or(const Initializer& given, const Initializer& otherwise) {
  return given != nullptr ? given : otherwise;
}

// The error that x carries, or that of a base_axis it does not have.
Variable BadInput(absl::string_view function, const Variable& x, int base_axis) {
  if (!x.status().ok()) return x;
  return Variable(absl::InvalidArgumentError(absl::StrCat(function, ": x ", ToString(x.shape()),
                                                          " and base_axis ", base_axis,
                                                          ": a base_axis below the rank needed")));
}

bool HasChannels(const Variable& x, const BatchNormalizationLayerOptions& options) {
  return x.status().ok() && options.axis >= 0 && options.axis < x.rank();
}

struct NormalizationParameters {
  Variable beta, gamma, mean, variance;

  // REQUIRES: HasChannels.
  NormalizationParameters(const Variable& x, const ParameterScope& scope,
                          const BatchNormalizationLayerOptions& options) {
    Shape shape(x.rank(), 1);
    shape[options.axis] = x.shape()[options.axis];
    const ParameterScope own = scope["bn"];
    const ParameterOptions parameter{!options.fix_parameters, x.dtype()};
    const ParameterOptions statistic{false, x.dtype()};
    beta = own.GetOrCreate("beta", shape, ConstantInitializer(0), parameter);
    gamma = own.GetOrCreate("gamma", shape, ConstantInitializer(1), parameter);
    mean = own.GetOrCreate("mean", shape, ConstantInitializer(0), statistic);
    variance = own.GetOrCreate("var", shape, ConstantInitializer(1), statistic);
  }
};

// Weights [..., inputs + state] of a recurrent layer: uniform within the limits of the inputs and
// of the state.
Initializer RecurrentInitializer(int64_t inputs, int64_t state) {
  const double of_input = CalcUniformLimGlorot(inputs, state);
  const double of_state = CalcUniformLimGlorot(state, state);
  return [=](NdArray& w) -> absl::Status {
    HALITE_RETURN_IF_ERROR(UniformInitializer(-1, 1)(w));
    HALITE_ASSIGN_OR_RETURN(std::vector<double> values, w.ToVector<double>());
    for (size_t i = 0; i < values.size(); ++i) {
      const bool is_input = static_cast<int64_t>(i) % (inputs + state) < inputs;
      values[i] *= is_input ? of_input : of_state;
    }
    return w.CopyFrom(NdArray::From(w.shape(), values));
  };
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
  if (!HasChannels(x, options)) return BadInput("batch_normalization", x, options.axis);
  const NormalizationParameters own(x, scope, options);
  BatchNormalizationOptions function;
  function.axes = {options.axis};
  function.decay_rate = options.decay_rate;
  function.eps = options.eps;
  function.batch_stat = options.batch_stat;
  return functions::BatchNormalization(x, own.beta, own.gamma, own.mean, own.variance, function);
}

Variable FusedBatchNormalization(const Variable& x, const Variable& z, const ParameterScope& scope,
                                 const BatchNormalizationLayerOptions& options) {
  if (!HasChannels(x, options)) return BadInput("fused_batch_normalization", x, options.axis);
  const NormalizationParameters own(x, scope, options);
  FusedBatchNormalizationOptions function;
  function.axes = {options.axis};
  function.decay_rate = options.decay_rate;
  function.eps = options.eps;
  function.batch_stat = options.batch_stat;
  return functions::FusedBatchNormalization(x, own.beta, own.gamma, own.mean, own.variance, z,
                                            function);
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

LstmState<Variable> LstmCell(const Variable& x, const Variable& h, const Variable& c,
                             int64_t state_size, const ParameterScope& scope,
                             const LstmCellLayerOptions& options) {
  AffineLayerOptions affine;
  affine.fix_parameters = options.fix_parameters;
  affine.w_init = options.w_init;
  affine.b_init = options.b_init;
  const Variable z = Affine(functions::Concatenate(std::vector<Variable>{x, h}, {.axis = 1}),
                            Shape{4, state_size}, scope["lstm"], affine);
  return functions::LstmGates(z, c);
}

LstmResult<Variable> Lstm(const Variable& x, const Variable& h, const Variable& c,
                          const ParameterScope& scope, const LstmLayerOptions& options) {
  for (const Variable& input : {x, h}) {
    if (!input.status().ok()) return {input, input, input};
  }
  if (x.rank() != 3 || h.rank() != 4) {
    const Variable error(absl::InvalidArgumentError(
        absl::StrCat("lstm: x ", ToString(x.shape()), " and h ", ToString(h.shape()),
                     ": x [T,B,I] and h [L,D,B,H] needed")));
    return {error, error, error};
  }
  const int64_t inputs = x.shape()[2], state = h.shape()[3], layers = options.num_layers;
  const int64_t directions = options.bidirectional ? 2 : 1, outputs = directions * state;
  const ParameterScope own = scope["lstm"];
  const ParameterOptions parameter{!options.fix_parameters, x.dtype()};
  const Variable w0 =
      own.GetOrCreate("weight_l0", {directions, 4, state, inputs + state},
                      Or(options.w0_init, RecurrentInitializer(inputs, state)), parameter);
  Variable w, b;
  if (layers > 1) {
    w = own.GetOrCreate("weight", {layers - 1, directions, 4, state, outputs + state},
                        Or(options.w_init, RecurrentInitializer(outputs, state)), parameter);
  }
  if (options.with_bias) {
    b = own.GetOrCreate("bias", {layers, directions, 4, state},
                        Or(options.b_init, ConstantInitializer(0)), parameter);
  }
  LstmOptions function;
  function.num_layers = layers;
  function.bidirectional = options.bidirectional;
  return functions::Lstm(x, h, c, w0, w, b, function);
}

}  // namespace halite::parametric_functions
