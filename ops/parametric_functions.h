// SPDX-License-Identifier: Apache-2.0
//
// Parametric functions: functions that own their parameters. Each takes a ParameterScope and
// creates in it what it needs, or uses what is there: calling one twice with the same scope shares
// the parameters. Names are those of nnabla ("conv/W" below the scope), so files can be exchanged.
#ifndef HALITE_OPS_PARAMETRIC_FUNCTIONS_H_
#define HALITE_OPS_PARAMETRIC_FUNCTIONS_H_

#include <vector>

#include "halite/core/initializer.h"
#include "halite/core/parameter_scope.h"
#include "halite/core/variable.h"
#include "halite/ops/lstm.h"

namespace halite {

struct AffineLayerOptions {
  int base_axis = 1;  // axes of x before it are the batch
  bool with_bias = true;
  bool fix_parameters = false;   // they get no gradient
  Initializer w_init = nullptr;  // default: uniform within CalcUniformLimGlorot
  Initializer b_init = nullptr;  // default: 0
};

struct ConvolutionLayerOptions {
  int base_axis = 1;                   // the axis of the channels
  std::vector<int64_t> pad = {};       // default 0, one entry for each spatial axis
  std::vector<int64_t> stride = {};    // default 1
  std::vector<int64_t> dilation = {};  // default 1
  int64_t group = 1;
  bool with_bias = true;
  bool fix_parameters = false;
  Initializer w_init = nullptr;  // default: uniform within CalcUniformLimGlorot
  Initializer b_init = nullptr;  // default: 0
};

struct BatchNormalizationLayerOptions {
  int axis = 1;  // of the channels, which have a mean and a variance each
  double decay_rate = 0.9;
  double eps = 1e-5;
  bool batch_stat = true;       // normalise by the batch (training), else by the running statistics
  bool fix_parameters = false;  // beta and gamma get no gradient
};

struct LayerNormalizationLayerOptions {
  std::vector<int64_t> batch_axis = {0};  // axes that are not normalised over
  double eps = 1e-5;
  bool fix_parameters = false;  // beta and gamma get no gradient
  bool no_scale = false;        // without gamma
  bool no_bias = false;         // without beta
};

struct EmbedLayerOptions {
  bool fix_parameters = false;
  Initializer w_init = nullptr;  // default: uniform in [-sqrt(3), sqrt(3))
};

struct LstmCellLayerOptions {
  bool fix_parameters = false;   // they get no gradient
  Initializer w_init = nullptr;  // default: uniform within CalcUniformLimGlorot
  Initializer b_init = nullptr;  // default: 0
};

struct LstmLayerOptions {
  int64_t num_layers = 1;
  bool bidirectional = false;
  bool with_bias = true;
  bool fix_parameters = false;  // they get no gradient
  // Defaults: uniform within CalcUniformLimGlorot, of the inputs for the columns of the inputs and
  // of h for those of h.
  Initializer w0_init = nullptr;
  Initializer w_init = nullptr;
  Initializer b_init = nullptr;  // default: 0
};

namespace parametric_functions {

// y = x W + b with parameters affine/W [I, outmaps...] and affine/b [outmaps...], where I is the
// size of x from base_axis on.
Variable Affine(const Variable& x, const Shape& outmaps, const ParameterScope& scope,
                const AffineLayerOptions& options = {});
inline Variable Affine(const Variable& x, int64_t outmaps, const ParameterScope& scope,
                       const AffineLayerOptions& options = {}) {
  return Affine(x, Shape{outmaps}, scope, options);
}

// Convolution with parameters conv/W [outmaps, C / group, kernel...] and conv/b [outmaps].
Variable Convolution(const Variable& x, int64_t outmaps, const std::vector<int64_t>& kernel,
                     const ParameterScope& scope, const ConvolutionLayerOptions& options = {});

// Batch normalization with parameters bn/beta (0), bn/gamma (1) and the running statistics bn/mean
// (0) and bn/var (1), which Forward updates and which need no gradient; all of shape 1 but for the
// axis.
Variable BatchNormalization(const Variable& x, const ParameterScope& scope,
                            const BatchNormalizationLayerOptions& options = {});

// relu(BatchNormalization(x) + z) with the same parameters, see functions::FusedBatchNormalization;
// z may be an empty variable.
Variable FusedBatchNormalization(const Variable& x, const Variable& z, const ParameterScope& scope,
                                 const BatchNormalizationLayerOptions& options = {});

// Layer normalization with parameters layer_normalization/beta (0) and
// layer_normalization/gamma (1) of x's shape, with 1 at the batch axes.
Variable LayerNormalization(const Variable& x, const ParameterScope& scope,
                            const LayerNormalizationLayerOptions& options = {});

// Rows of the parameter embed/W [inputs, features] by the int32 indices x.
Variable Embed(const Variable& x, int64_t inputs, int64_t features, const ParameterScope& scope,
               const EmbedLayerOptions& options = {});

// One step of a cell: x [batch, inputs], h and c [batch, state_size] to the next h and c.
// Parameters lstm/affine/W [inputs + state_size, 4, state_size] of x and h side by side and
// lstm/affine/b [4, state_size], for the gates i, o, f, g: see functions::LstmGates.
LstmState<Variable> LstmCell(const Variable& x, const Variable& h, const Variable& c,
                             int64_t state_size, const ParameterScope& scope,
                             const LstmCellLayerOptions& options = {});

// Whole sequences, see functions::Lstm: x [T, B, I], h and c [L, D, B, H]. Parameters
// lstm/weight_l0 [D, 4, H, I + H], lstm/weight [L - 1, D, 4, H, D H + H] where L > 1, and lstm/bias
// [L, D, 4, H].
LstmResult<Variable> Lstm(const Variable& x, const Variable& h, const Variable& c,
                          const ParameterScope& scope, const LstmLayerOptions& options = {});

}  // namespace parametric_functions
}  // namespace halite

#endif  // HALITE_OPS_PARAMETRIC_FUNCTIONS_H_
