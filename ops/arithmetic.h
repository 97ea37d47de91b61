// SPDX-License-Identifier: Apache-2.0
//
// Elementwise functions of two inputs, with broadcasting: the ranks are equal, and each dimension
// has equal extents or 1 on one side. Arguments are Variables or NdArrays in any mixture; with an
// NdArray among them the result is one, computed at once.
#ifndef HALITE_OPS_ARITHMETIC_H_
#define HALITE_OPS_ARITHMETIC_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "halite/core/apply.h"
#include "halite/ops/activations.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> ArithmeticFunctions();

namespace functions {

namespace internal {
const FunctionDef& Arithmetic(absl::string_view name);
}  // namespace internal

// y = x0 + x1.
template <typename A, typename B>
ResultOf<A, B> Add2(const A& x0, const B& x1) {
  return Apply(internal::Arithmetic("add2"), NoOptions(), x0, x1);
}

// y = x0 - x1.
template <typename A, typename B>
ResultOf<A, B> Sub2(const A& x0, const B& x1) {
  return Apply(internal::Arithmetic("sub2"), NoOptions(), x0, x1);
}

// y = x0 x1.
template <typename A, typename B>
ResultOf<A, B> Mul2(const A& x0, const B& x1) {
  return Apply(internal::Arithmetic("mul2"), NoOptions(), x0, x1);
}

// y = x0 / x1.
template <typename A, typename B>
ResultOf<A, B> Div2(const A& x0, const B& x1) {
  return Apply(internal::Arithmetic("div2"), NoOptions(), x0, x1);
}

// y = x0^x1, as C's pow. The gradient to x1 is NaN where x0 < 0, NaN or infinite where x0 = 0.
template <typename A, typename B>
ResultOf<A, B> Pow2(const A& x0, const B& x1) {
  return Apply(internal::Arithmetic("pow2"), NoOptions(), x0, x1);
}

// y = max(x0, x1). Where they are equal, x0 gets the gradient.
template <typename A, typename B>
ResultOf<A, B> Maximum2(const A& x0, const B& x1) {
  return Apply(internal::Arithmetic("maximum2"), NoOptions(), x0, x1);
}

// y = 1 where x0 = x1, else 0. No gradient.
template <typename A, typename B>
ResultOf<A, B> Equal(const A& x0, const B& x1) {
  return Apply(internal::Arithmetic("equal"), NoOptions(), x0, x1);
}

// y = 1 where x0 > x1, else 0. No gradient.
template <typename A, typename B>
ResultOf<A, B> Greater(const A& x0, const B& x1) {
  return Apply(internal::Arithmetic("greater"), NoOptions(), x0, x1);
}

// y = (x0 - x1)^2, elementwise.
template <typename A, typename B>
ResultOf<A, B> SquaredError(const A& x0, const B& x1) {
  return Apply(internal::Arithmetic("squared_error"), NoOptions(), x0, x1);
}

// y = -(t log s + (1 - t) log(1 - s)) with s = sigmoid(x), elementwise and without overflow, for a
// target t in [0, 1] of the shape of x. No gradient to the target.
template <typename A, typename B>
ResultOf<A, B> SigmoidCrossEntropy(const A& x, const B& target) {
  return Apply(internal::Arithmetic("sigmoid_cross_entropy"), NoOptions(), x, target);
}

}  // namespace functions

// Operators on Variables and NdArrays, and with numbers on one side. They live beside the types so
// that argument-dependent lookup finds them.
inline Variable operator+(const Variable& a, const Variable& b) { return functions::Add2(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return functions::Sub2(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return functions::Mul2(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return functions::Div2(a, b); }
inline NdArray operator+(const NdArray& a, const NdArray& b) { return functions::Add2(a, b); }
inline NdArray operator-(const NdArray& a, const NdArray& b) { return functions::Sub2(a, b); }
inline NdArray operator*(const NdArray& a, const NdArray& b) { return functions::Mul2(a, b); }
inline NdArray operator/(const NdArray& a, const NdArray& b) { return functions::Div2(a, b); }
inline Variable operator+(const Variable& a, double b) { return functions::AddScalar(a, b); }
inline Variable operator-(const Variable& a, double b) { return functions::AddScalar(a, -b); }
inline Variable operator*(const Variable& a, double b) { return functions::MulScalar(a, b); }
inline Variable operator/(const Variable& a, double b) { return functions::MulScalar(a, 1 / b); }
inline Variable operator+(double a, const Variable& b) { return functions::AddScalar(b, a); }
inline Variable operator*(double a, const Variable& b) { return functions::MulScalar(b, a); }
inline NdArray operator+(const NdArray& a, double b) { return functions::AddScalar(a, b); }
inline NdArray operator-(const NdArray& a, double b) { return functions::AddScalar(a, -b); }
inline NdArray operator*(const NdArray& a, double b) { return functions::MulScalar(a, b); }
inline NdArray operator/(const NdArray& a, double b) { return functions::MulScalar(a, 1 / b); }
inline NdArray operator+(double a, const NdArray& b) { return functions::AddScalar(b, a); }
inline NdArray operator*(double a, const NdArray& b) { return functions::MulScalar(b, a); }

}  // namespace halite

#endif  // HALITE_OPS_ARITHMETIC_H_
