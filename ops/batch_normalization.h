// SPDX-License-Identifier: Apache-2.0
//
// Batch normalization. Ioffe and Szegedy: "Batch normalization: accelerating deep network training
// by reducing internal covariate shift", 2015.
#ifndef HALITE_OPS_BATCH_NORMALIZATION_H_
#define HALITE_OPS_BATCH_NORMALIZATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

absl::Span<const FunctionDef> BatchNormalizationFunctions();

struct BatchNormalizationOptions {
  std::vector<int64_t> axes = {1};  // the axis of the channels, exactly one
  double decay_rate = 0.9;          // of the running statistics
  double eps = 1e-5;                // added to the variance
  // Whether x is normalised with its own statistics (training; the running ones are updated) or
  // with the running ones (inference).
  bool batch_stat = true;
  // Whether mean and variance of the batch are outputs too. Needs batch_stat.
  bool output_stat = false;
};

struct FusedBatchNormalizationOptions {
  std::vector<int64_t> axes = {1};  // these as in BatchNormalizationOptions
  double decay_rate = 0.9;
  double eps = 1e-5;
  bool batch_stat = true;
  std::string nonlinearity = "relu";  // no other is there
};

namespace functions {

// y = (x - mean(c)) / sqrt(variance(c) + eps) gamma(c) + beta(c) for each channel c.
// x and y: any shape with C channels at axis axes[0]; beta, gamma, mean, variance: x's rank, C at
// that axis and 1 elsewhere.
//
// With batch_stat, mean and variance are those of the M elements of a channel (the variance over
// M), and Forward updates the arrays `mean` and `variance`:
//   running := decay_rate running + (1 - decay_rate) batch
// with the variance over M - 1 (M = 1: over M). Without, `mean` and `variance` are used and stay.
// They get no gradient.
//
// Results: y; with output_stat also the batch's mean and variance (over M), shaped like beta.
template <typename Array>
std::vector<Array> BatchNormalizationAll(const Array& x, const Array& beta, const Array& gamma,
                                         const Array& mean, const Array& variance,
                                         const BatchNormalizationOptions& options = {}) {
  return ApplyAll(BatchNormalizationFunctions()[0], {x, beta, gamma, mean, variance},
                  std::make_shared<BatchNormalizationOptions>(options));
}

// y alone.
template <typename Array>
Array BatchNormalization(const Array& x, const Array& beta, const Array& gamma, const Array& mean,
                         const Array& variance, const BatchNormalizationOptions& options = {}) {
  return BatchNormalizationAll(x, beta, gamma, mean, variance, options)[0];
}

// y = relu(BatchNormalization(x) + z) in as many passes as the normalization alone. z, of the shape
// of x, is added to what is normalised (the shortcut of a residual network); an empty variable
// stands for 0.
template <typename Array>
Array FusedBatchNormalization(const Array& x, const Array& beta, const Array& gamma,
                              const Array& mean, const Array& variance, const Array& z,
                              const FusedBatchNormalizationOptions& options = {}) {
  return Apply(BatchNormalizationFunctions()[1], options, x, beta, gamma, mean, variance, z);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_BATCH_NORMALIZATION_H_
