// SPDX-License-Identifier: Apache-2.0
//
// Checks of a function against a reference that a test computes in double: outputs, gradients that
// overwrite what was there (NaN too) and gradients that add.
#ifndef HALITE_TESTS_OPS_REFERENCE_CHECK_H_
#define HALITE_TESTS_OPS_REFERENCE_CHECK_H_

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "halite/core/random.h"
#include "halite/core/variable.h"

namespace halite::testing {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Uniform numbers in [-2, 2).
inline std::vector<double> Numbers(int64_t count, uint64_t seed = 1) {
  std::vector<float> values(count);
  RandomGenerator(seed).Uniform(absl::MakeSpan(values), -2, 2);
  return {values.begin(), values.end()};
}

// What float32 and float64 both have.
inline const std::vector<double>& Specials() {
  static const auto& specials =
      *new std::vector<double>{0,    -0.0,  1e-30f, -1e-30f,   1,          -1,   0.5,  100,
                               -100, 1e30f, -1e30f, kInfinity, -kInfinity, kNan, -kNan};
  return specials;
}

// Gradients that arrive at an elementwise function of `x`: NaN where a number is, and every 11th.
inline std::vector<double> GradientsOf(const std::vector<std::vector<double>>& x) {
  std::vector<double> dy = Numbers(x[0].size(), 2);
  for (size_t i = 0; i < dy.size(); ++i) {
    for (const std::vector<double>& input : x) {
      if (i % 11 == 9 || std::isnan(input[i])) dy[i] = kNan;
    }
  }
  return dy;
}

inline double SigmoidOf(double x) { return 1 / (1 + std::exp(-x)); }
// std::max and std::fmax lose NaN.
inline double MaxOf(double a, double b) { return std::isnan(a) || a > b ? a : b; }

template <typename T>
NdArray ArrayOf(const Shape& shape, const std::vector<double>& values) {
  return NdArray::From<T>(shape, std::vector<T>(values.begin(), values.end()));
}

// A root with these values. `shifted`: its data and gradient begin one element behind an aligned
// address.
template <typename T>
Variable InputOf(const Shape& shape, const std::vector<double>& values, bool need_grad = true,
                 bool shifted = false) {
  if (!shifted) return Variable(ArrayOf<T>(shape, values), need_grad);
  const int64_t n = Size(shape);
  const auto view = [&](const NdArray& array) {
    return array.Narrow(1, n).value().Reshape(shape).value();
  };
  std::vector<double> more = {7};
  more.insert(more.end(), values.begin(), values.end());
  const Variable x(view(ArrayOf<T>({n + 1}, more)), need_grad);
  EXPECT_TRUE(x.SetGrad(view(NdArray({n + 1}, x.dtype()))).ok());
  return x;
}

template <typename T>
std::vector<T> ValuesOf(const NdArray& array) {
  return array.ToVector<T>().value();
}

// NaN and infinity (what is too large for T) must be equal; errors are relative to the larger of 1
// and the value.
template <typename T>
void ExpectNear(const NdArray& array, const std::vector<double>& wanted, double tolerance,
                const char* what) {
  const auto got = array.ToVector<T>();
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), wanted.size()) << what;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted[i])) {
      ASSERT_TRUE(std::isnan((*got)[i])) << what << " " << i << " is " << (*got)[i];
    } else if (std::fabs(wanted[i]) > std::numeric_limits<T>::max()) {
      ASSERT_EQ((*got)[i], wanted[i] > 0 ? kInfinity : -kInfinity) << what << " " << i;
    } else {
      ASSERT_NEAR((*got)[i], wanted[i], tolerance * std::max(1.0, std::fabs(wanted[i])))
          << what << " " << i;
    }
  }
}

// y and, for the gradient dy of y, the gradients of the inputs.
struct References {
  Shape shape;
  std::vector<double> y, dy;
  std::vector<std::vector<double>> dx;
};

// Those of `inputs` that need no gradient must be left alone, as must those that are empty.
template <typename T>
void CheckReferences(const std::vector<Variable>& inputs, const Variable& y,
                     const References& reference, double tolerance) {
  ASSERT_TRUE(y.status().ok()) << y.status();
  ASSERT_EQ(y.shape(), reference.shape);
  ForwardOptions lean;
  lean.clear_no_need_grad = true;
  absl::Status status = y.Forward(lean);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_NO_FATAL_FAILURE(ExpectNear<T>(y.data(), reference.y, tolerance, "y"));
  BackwardOptions options;
  options.grad_array = ArrayOf<T>(y.shape(), reference.dy);
  for (const Variable& x : inputs) {
    if (x.empty()) continue;
    x.grad().Fill(kNan);
    if (x.need_grad()) x.grad().Zero();
  }
  for (const double times : {1, 2}) {
    if (y.need_grad()) status = y.Backward(options);
    ASSERT_TRUE(status.ok()) << status;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].empty()) continue;
      std::vector<double> dx(inputs[i].size(), kNan);
      if (inputs[i].need_grad()) dx = reference.dx[i];
      for (double& v : dx) v *= times;
      const std::string what = "dx" + std::to_string(i) + " times " + std::to_string(times);
      ASSERT_NO_FATAL_FAILURE(ExpectNear<T>(inputs[i].grad(), dx, times * tolerance, what.c_str()));
    }
  }
}

// The same for one input.
struct Reference {
  Shape shape;
  std::vector<double> y, dy, dx;
};

template <typename T>
void CheckReference(const Variable& x, const Variable& y, const Reference& reference,
                    double tolerance) {
  CheckReferences<T>({x}, y, {reference.shape, reference.y, reference.dy, {reference.dx}},
                     tolerance);
}

}  // namespace halite::testing

#endif  // HALITE_TESTS_OPS_REFERENCE_CHECK_H_
