// SPDX-License-Identifier: Apache-2.0
//
// Elementwise functions of one input. Each takes a Variable (and builds the graph) or an NdArray
// (and computes at once), of any shape, and gives an output of the same shape and dtype. NaN in
// gives NaN out.
#ifndef HALITE_OPS_ACTIVATIONS_H_
#define HALITE_OPS_ACTIVATIONS_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> ActivationFunctions();

struct LeakyReluOptions {
  double alpha = 0.1;  // slope for x <= 0
};
struct EluOptions {
  double alpha = 1;  // -alpha is the limit for x -> -infinity
};
struct ScalarOptions {
  double val = 1;
};

namespace functions {

namespace internal {
const FunctionDef& Activation(absl::string_view name);
}  // namespace internal

// y = x, a copy.
template <typename Array>
Array Identity(const Array& x) {
  return Apply(internal::Activation("identity"), NoOptions(), x);
}

// y = max(x, 0). The gradient at 0 is 0.
template <typename Array>
Array Relu(const Array& x) {
  return Apply(internal::Activation("relu"), NoOptions(), x);
}

// y = x for x > 0, else alpha x.
template <typename Array>
Array LeakyRelu(const Array& x, const LeakyReluOptions& options = {}) {
  return Apply(internal::Activation("leaky_relu"), options, x);
}

// y = x for x >= 0, else alpha (exp(x) - 1). Clevert, Unterthiner, Hochreiter: "Fast and accurate
// deep network learning by exponential linear units", 2015.
template <typename Array>
Array Elu(const Array& x, const EluOptions& options = {}) {
  return Apply(internal::Activation("elu"), options, x);
}

// y = 1 / (1 + exp(-x)).
template <typename Array>
Array Sigmoid(const Array& x) {
  return Apply(internal::Activation("sigmoid"), NoOptions(), x);
}

// y = x / (1 + exp(-x)). Ramachandran, Zoph, Le: "Searching for activation functions", 2017.
template <typename Array>
Array Swish(const Array& x) {
  return Apply(internal::Activation("swish"), NoOptions(), x);
}

// y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). Hendrycks, Gimpel: "Gaussian error linear
// units", 2016.
template <typename Array>
Array Gelu(const Array& x) {
  return Apply(internal::Activation("gelu"), NoOptions(), x);
}

// y = tanh(x).
template <typename Array>
Array Tanh(const Array& x) {
  return Apply(internal::Activation("tanh"), NoOptions(), x);
}

// y = exp(x).
template <typename Array>
Array Exp(const Array& x) {
  return Apply(internal::Activation("exp"), NoOptions(), x);
}

// y = log(x), the natural logarithm: -infinity at 0, NaN below.
template <typename Array>
Array Log(const Array& x) {
  return Apply(internal::Activation("log"), NoOptions(), x);
}

// y = |x|. The gradient at 0 is +dy.
template <typename Array>
Array Abs(const Array& x) {
  return Apply(internal::Activation("abs"), NoOptions(), x);
}

// y = x + val.
template <typename Array>
Array AddScalar(const Array& x, double val = 1) {
  return Apply(internal::Activation("add_scalar"), ScalarOptions{val}, x);
}

// y = x val.
template <typename Array>
Array MulScalar(const Array& x, double val = 1) {
  return Apply(internal::Activation("mul_scalar"), ScalarOptions{val}, x);
}

// y = x^val, as C's pow.
template <typename Array>
Array PowScalar(const Array& x, double val = 1) {
  return Apply(internal::Activation("pow_scalar"), ScalarOptions{val}, x);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_ACTIVATIONS_H_
