// SPDX-License-Identifier: Apache-2.0
//
// Functions that draw random numbers: fresh ones at each Forward, the same on every machine and
// device for the same seed (core/random.h). A `seed` below 0 draws from the program's generator
// (see SetRandomSeed); another one starts a stream of the function's own, which goes on from one
// Forward to the next and starts again when the graph around it changes.
#ifndef HALITE_OPS_RANDOM_H_
#define HALITE_OPS_RANDOM_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// dropout, rand and randn.
absl::Span<const FunctionDef> RandomFunctions();

struct RandOptions {
  double low = 0;
  double high = 1;  // exclusive, as far as rounding to float32 allows
  std::vector<int64_t> shape = {};
  int64_t seed = -1;
};

struct RandnOptions {
  double mu = 0;
  double sigma = 1;
  std::vector<int64_t> shape = {};
  int64_t seed = -1;
};

struct DropoutOptions {
  double p = 0.5;  // the probability of 0, in [0, 1); taken in steps of 2^-24
  int64_t seed = -1;
};

namespace functions {

namespace internal {
const FunctionDef& DropoutDef();
const FunctionDef& RandDef();
const FunctionDef& RandnDef();
}  // namespace internal

// float32 numbers, uniform in [low, high), of the given shape.
template <typename Array = Variable>
Array Rand(std::vector<int64_t> shape, RandOptions options = {}) {
  options.shape = std::move(shape);
  return ApplyAll(internal::RandDef(), std::vector<Array>{},
                  std::make_shared<RandOptions>(std::move(options)))[0];
}

// float32 numbers, normal with mean mu and standard deviation sigma, of the given shape.
template <typename Array = Variable>
Array Randn(std::vector<int64_t> shape, RandnOptions options = {}) {
  options.shape = std::move(shape);
  return ApplyAll(internal::RandnDef(), std::vector<Array>{},
                  std::make_shared<RandnOptions>(std::move(options)))[0];
}

// y = 0 with probability p, else x / (1 - p); the gradient has the same zeros. There is no switch
// for inference: leave it out of that graph. Srivastava, Hinton, Krizhevsky, Sutskever,
// Salakhutdinov: "Dropout: a simple way to prevent neural networks from overfitting", 2014.
template <typename Array>
Array Dropout(const Array& x, double p = 0.5, DropoutOptions options = {}) {
  options.p = p;
  return Apply(internal::DropoutDef(), options, x);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_RANDOM_H_
