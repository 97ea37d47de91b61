// SPDX-License-Identifier: Apache-2.0
//
// Checks of a function against a reference that a test computes in double: outputs, gradients that
// overwrite what was there (NaN too) and gradients that add.
#ifndef HALITE_TESTS_OPS_REFERENCE_CHECK_H_
#define HALITE_TESTS_OPS_REFERENCE_CHECK_H_

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
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

template <typename T>
NdArray ArrayOf(const Shape& shape, const std::vector<double>& values) {
  return NdArray::From<T>(shape, std::vector<T>(values.begin(), values.end()));
}

template <typename T>
std::vector<T> ValuesOf(const NdArray& array) {
  return array.ToVector<T>().value();
}

// NaN and infinity must be equal; errors are relative to the larger of 1 and the value.
template <typename T>
void ExpectNear(const NdArray& array, const std::vector<double>& wanted, double tolerance,
                const char* what) {
  const auto got = array.ToVector<T>();
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), wanted.size()) << what;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted[i])) {
      ASSERT_TRUE(std::isnan((*got)[i])) << what << " " << i << " is " << (*got)[i];
    } else if (std::isinf(wanted[i])) {
      ASSERT_EQ((*got)[i], wanted[i]) << what << " " << i;
    } else {
      ASSERT_NEAR((*got)[i], wanted[i], tolerance * std::max(1.0, std::fabs(wanted[i])))
          << what << " " << i;
    }
  }
}

// y and, for the gradient dy of y, the gradient dx of x.
struct Reference {
  Shape shape;
  std::vector<double> y, dy, dx;
};

template <typename T>
void CheckReference(const Variable& x, const Variable& y, const Reference& reference,
                    double tolerance) {
  ASSERT_TRUE(y.status().ok()) << y.status();
  ASSERT_EQ(y.shape(), reference.shape);
  ForwardOptions lean;
  lean.clear_no_need_grad = true;
  absl::Status status = y.Forward(lean);
  ASSERT_TRUE(status.ok()) << status;
  ExpectNear<T>(y.data(), reference.y, tolerance, "y");
  BackwardOptions options;
  options.grad_array = ArrayOf<T>(y.shape(), reference.dy);
  x.grad().Fill(kNan);
  x.grad().Zero();
  status = y.Backward(options);
  ASSERT_TRUE(status.ok()) << status;
  ExpectNear<T>(x.grad(), reference.dx, tolerance, "dx");
  status = y.Backward(options);
  ASSERT_TRUE(status.ok()) << status;
  std::vector<double> twice = reference.dx;
  for (double& v : twice) v *= 2;
  ExpectNear<T>(x.grad(), twice, 2 * tolerance, "2 dx");
}

}  // namespace halite::testing

#endif  // HALITE_TESTS_OPS_REFERENCE_CHECK_H_
