// SPDX-License-Identifier: Apache-2.0
//
// Layer normalization. Ba, Kiros and Hinton: "Layer normalization", 2016.
#ifndef HALITE_OPS_LAYER_NORMALIZATION_H_
#define HALITE_OPS_LAYER_NORMALIZATION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> LayerNormalizationFunctions();

struct LayerNormalizationOptions {
  std::vector<int64_t> batch_axis = {0};  // axes that are not normalised over
  double eps = 1e-5;                      // added to the variance
  bool no_scale = false;                  // gamma is not given
  bool no_bias = false;                   // beta is not given
};

namespace functions {

// y = (x - mean) / sqrt(variance + eps) gamma + beta, with mean and variance (over the number of
// elements) over all axes but batch_axis. beta, gamma: x's shape with 1 at the batch axes; an empty
// variable stands for 0 (beta) or 1 (gamma).
template <typename Array>
Array LayerNormalization(const Array& x, const Array& beta, const Array& gamma,
                         const LayerNormalizationOptions& options = {}) {
  std::vector<Array> inputs = {x};
  if (!options.no_bias) inputs.push_back(beta);
  if (!options.no_scale) inputs.push_back(gamma);
  return ApplyAll(LayerNormalizationFunctions()[0], inputs,
                  std::make_shared<LayerNormalizationOptions>(options))[0];
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_LAYER_NORMALIZATION_H_
