// SPDX-License-Identifier: Apache-2.0
//
// Softmax, its cross entropy and the top-n error against direct loops in double, on the CPU and on
// OpenCL.
#include "halite/ops/softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "halite/core/canonical.h"
#include "halite/core/context.h"
#include "halite/ops/softmax_cross_entropy.h"
#include "halite/ops/top_n_error.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
using testing::ArrayOf;
using testing::CheckReference;
using testing::ExpectNear;
using testing::kInfinity;
using testing::kNan;
using testing::Numbers;
using testing::Reference;
using testing::ValuesOf;

struct AxisCase {
  Shape x;
  int axis;
};

const std::vector<AxisCase>& Cases() {
  static const auto& cases = *new std::vector<AxisCase>{
      {{1}, 0},        {{5}, -1},        {{64, 10}, -1},       {{64, 10}, 0},  {{3, 1000}, 1},
      {{128, 33}, 1},  {{2, 7, 17}, 1},  {{2, 10, 28, 28}, 1}, {{5, 3, 1}, 1}, {{5, 1, 3}, 1},
      {{3, 5000}, -1}, {{1, 70, 65}, 1}, {{257, 64}, 0},       {{17, 16}, 1},  {{2, 300, 300}, 1},
  };
  return cases;
}

// Calls visit(sum, elements) for each sum over the axis: its index among the sums, and those of its
// elements.
template <typename Visit>
void ForEachSum(const AxisCase& test, const Visit& visit) {
  const int axis = NormalizeAxis(test.axis, static_cast<int>(test.x.size())).value();
  const InnerAxisOuter dims(test.x, axis);
  std::vector<size_t> elements(dims.axis);
  for (int64_t o = 0; o < dims.outer; ++o) {
    for (int64_t i = 0; i < dims.inner; ++i) {
      for (int64_t k = 0; k < dims.axis; ++k) {
        elements[k] = (o * dims.axis + k) * dims.inner + i;
      }
      visit(o * dims.inner + i, elements);
    }
  }
}

Shape LabelShape(const AxisCase& test) {
  Shape shape = test.x;
  shape[NormalizeAxis(test.axis, static_cast<int>(shape.size())).value()] = 1;
  return shape;
}

// The logarithm of the softmax of the elements of `x` at `at`.
std::vector<double> LogProbabilities(const std::vector<double>& x, const std::vector<size_t>& at) {
  double peak = -kInfinity, sum = 0;
  for (size_t e : at) peak = std::isnan(x[e]) || x[e] > peak ? x[e] : peak;
  for (size_t e : at) sum += std::exp(x[e] - peak);
  std::vector<double> p;
  for (size_t e : at) p.push_back(x[e] - peak - std::log(sum));
  return p;
}

std::vector<double> Probabilities(const std::vector<double>& x, const std::vector<size_t>& at) {
  std::vector<double> p = LogProbabilities(x, at);
  for (double& v : p) v = std::exp(v);
  return p;
}

template <typename T>
void CheckSoftmax(const AxisCase& test, const std::vector<double>& x, double tolerance) {
  SCOPED_TRACE(ToString(test.x) + " axis " + std::to_string(test.axis));
  Reference reference{test.x, std::vector<double>(x.size()), Numbers(x.size(), 2),
                      std::vector<double>(x.size())};
  ForEachSum(test, [&](size_t, const std::vector<size_t>& at) {
    const std::vector<double> p = Probabilities(x, at);
    double dot = 0;
    for (size_t k = 0; k < at.size(); ++k) dot += p[k] * reference.dy[at[k]];
    for (size_t k = 0; k < at.size(); ++k) {
      reference.y[at[k]] = p[k];
      reference.dx[at[k]] = p[k] * (reference.dy[at[k]] - dot);
    }
  });
  const Variable input(ArrayOf<T>(test.x, x), true);
  CheckReference<T>(input, F::Softmax(input, {test.axis}), reference, tolerance);
}

// Labels in range, and some that are negative or too large if `strange`.
std::vector<int32_t> Labels(const AxisCase& test, bool strange) {
  std::vector<int32_t> labels;
  RandomGenerator generator(3);
  ForEachSum(test, [&](size_t sum, const std::vector<size_t>& at) {
    labels.push_back(static_cast<int32_t>(generator.Below(at.size())));
    if (strange && sum % 5 == 1) labels.back() = -1 - static_cast<int32_t>(sum % 3) * 1000000;
    if (strange && sum % 5 == 3)
      labels.back() = static_cast<int32_t>(at.size() + sum % 2 * 1000000);
  });
  return labels;
}

template <typename T>
void CheckCrossEntropy(const AxisCase& test, const std::vector<double>& x, double tolerance) {
  SCOPED_TRACE(ToString(test.x) + " axis " + std::to_string(test.axis));
  const std::vector<int32_t> labels = Labels(test, true);
  const size_t n = labels.size();
  Reference reference{LabelShape(test), std::vector<double>(n), Numbers(n, 2),
                      std::vector<double>(x.size())};
  ForEachSum(test, [&](size_t sum, const std::vector<size_t>& at) {
    const std::vector<double> p = Probabilities(x, at);
    const int32_t label = labels[sum];
    const bool exists = label < static_cast<int32_t>(at.size());
    reference.y[sum] = label < 0 ? 0 : exists ? -LogProbabilities(x, at)[label] : kNan;
    for (size_t k = 0; k < at.size(); ++k) {
      const double hit = static_cast<int32_t>(k) == label ? 1 : 0;
      reference.dx[at[k]] = label < 0 ? 0 : exists ? reference.dy[sum] * (p[k] - hit) : kNan;
    }
  });
  const Variable input(ArrayOf<T>(test.x, x), true);
  const Variable target(NdArray::From<int32_t>(LabelShape(test), labels));
  CheckReference<T>(input, F::SoftmaxCrossEntropy(input, target, {test.axis}), reference,
                    tolerance);
}

template <typename T>
void CheckTopNError(const AxisCase& test, const std::vector<double>& x) {
  SCOPED_TRACE(ToString(test.x) + " axis " + std::to_string(test.axis));
  const std::vector<int32_t> labels = Labels(test, true);
  for (int n : {1, 2, 3, 100}) {
    std::vector<double> wanted(labels.size(), 1);
    ForEachSum(test, [&](size_t sum, const std::vector<size_t>& at) {
      const int32_t label = labels[sum];
      if (label < 0 || label >= static_cast<int32_t>(at.size())) return;
      const auto count =
          std::count_if(at.begin(), at.end(), [&](size_t e) { return !(x[e] < x[at[label]]); });
      wanted[sum] = count > n ? 1 : 0;
    });
    const NdArray y = F::TopNError(
        ArrayOf<T>(test.x, x), NdArray::From<int32_t>(LabelShape(test), labels), {test.axis, n});
    ASSERT_TRUE(y.status().ok()) << y.status();
    ASSERT_EQ(y.shape(), LabelShape(test));
    ASSERT_NO_FATAL_FAILURE(ExpectNear<T>(y, wanted, 0, "y"));
  }
}

// Numbers with many ties.
std::vector<double> Rounded(int64_t count) {
  std::vector<double> x = Numbers(count);
  for (double& v : x) v = std::round(4 * v);
  return x;
}

template <typename T>
void CheckAll(const AxisCase& test, double tolerance) {
  const std::vector<double> x = Numbers(Size(test.x));
  ASSERT_NO_FATAL_FAILURE(CheckSoftmax<T>(test, x, tolerance));
  ASSERT_NO_FATAL_FAILURE(CheckCrossEntropy<T>(test, x, tolerance));
  ASSERT_NO_FATAL_FAILURE(CheckTopNError<T>(test, Rounded(Size(test.x))));
}

TEST(Softmax, MatchesDirectLoops) {
  for (const AxisCase& test : Cases()) {
    ASSERT_NO_FATAL_FAILURE(CheckAll<float>(test, 3e-6));
    ASSERT_NO_FATAL_FAILURE(CheckAll<double>(test, 1e-13));
  }
}

TEST(Softmax, OpenclMatchesDirectLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  for (const AxisCase& test : Cases()) ASSERT_NO_FATAL_FAILURE(CheckAll<float>(test, 3e-6));
}

TEST(Softmax, LargeNumbers) {
  for (const AxisCase& test : {AxisCase{{5, 40}, 1}, AxisCase{{40, 5}, 0}}) {
    std::vector<double> x = Numbers(200);
    for (double& v : x) v *= 50;
    ASSERT_NO_FATAL_FAILURE(CheckSoftmax<float>(test, x, 1e-5));
    ASSERT_NO_FATAL_FAILURE(CheckCrossEntropy<float>(test, x, 1e-5));
    for (double& v : x) v *= 1e30;
    ASSERT_NO_FATAL_FAILURE(CheckSoftmax<float>(test, x, 1e-5));
    ASSERT_NO_FATAL_FAILURE(CheckCrossEntropy<float>(test, x, 1e-5));
  }
}

TEST(Softmax, NanAndInfinityComeOut) {
  for (const AxisCase& test : {AxisCase{{6, 40}, 1}, AxisCase{{40, 6}, 0}, AxisCase{{6, 5}, 1}}) {
    for (double strange : {kNan, -kNan, kInfinity, -kInfinity}) {
      std::vector<double> x = Numbers(Size(test.x));
      ForEachSum(test, [&](size_t sum, const std::vector<size_t>& at) {
        if (sum == 1) x[at[0]] = strange;
        if (sum == 2) x[at.back()] = strange;
        if (sum == 4) {
          for (size_t e : at) x[e] = strange;
        }
      });
      ASSERT_NO_FATAL_FAILURE(CheckSoftmax<float>(test, x, 1e-5));
      ASSERT_NO_FATAL_FAILURE(CheckSoftmax<double>(test, x, 1e-13));
      ASSERT_NO_FATAL_FAILURE(CheckTopNError<float>(test, x));
    }
  }
}

TEST(SoftmaxCrossEntropy, NanComesOutAndIgnoredLabelsIgnoreIt) {
  const Variable x(ArrayOf<float>({3, 4}, {kNan, 1, 2, 3, 1, 2, kNan, 4, 1, 2, 3, 4}), true);
  const Variable y = F::SoftmaxCrossEntropy(
      x, Variable(NdArray::From<int32_t>({3, 1}, std::vector<int32_t>{1, -1, 0})));
  ASSERT_TRUE(y.Forward().ok());
  ASSERT_TRUE(y.Backward().ok());
  const auto loss = y.data().ToVector<float>().value();
  const auto dx = x.grad().ToVector<float>().value();
  EXPECT_TRUE(std::isnan(loss[0]));
  EXPECT_EQ(loss[1], 0);
  EXPECT_NEAR(loss[2], std::log(1 + std::exp(1) + std::exp(2) + std::exp(3)), 1e-5);
  for (int k = 0; k < 4; ++k) {
    EXPECT_TRUE(std::isnan(dx[k]));
    EXPECT_EQ(dx[4 + k], 0);
  }
}

TEST(Softmax, TopNErrorHasAGradientOfZero) {
  const Variable x(ArrayOf<float>({2, 3}, Numbers(6)), true);
  const Variable y = F::TopNError(x, Variable(NdArray(Shape{2, 1}, DType::kInt32)));
  ASSERT_TRUE(y.Forward().ok());
  x.grad().Fill(kNan);
  x.grad().Zero();
  ASSERT_TRUE(y.Backward().ok());
  for (float v : ValuesOf<float>(x.grad())) EXPECT_EQ(v, 0);
}

TEST(Softmax, Empty) {
  for (const Shape& shape : {Shape{0, 4}, Shape{4, 0}}) {
    const Variable x(shape, true);
    const Variable label(NdArray(Shape{shape[0], 1}, DType::kInt32));
    for (const Variable& y :
         {F::Softmax(x), F::SoftmaxCrossEntropy(x, label), F::TopNError(x, label)}) {
      EXPECT_TRUE(y.Forward().ok());
      EXPECT_TRUE(y.Backward().ok());
    }
  }
  const NdArray label(Shape{2, 1}, DType::kInt32);
  for (float v : ValuesOf<float>(F::SoftmaxCrossEntropy(NdArray(Shape{2, 0}), label))) {
    EXPECT_TRUE(std::isnan(v));
  }
  for (float v : ValuesOf<float>(F::TopNError(NdArray(Shape{2, 0}), label))) EXPECT_EQ(v, 1);
}

TEST(Softmax, ErrorsSayWhatIsNeeded) {
  const auto message = [](const Variable& y) { return std::string(y.status().message()); };
  const Variable x({4, 5}), label(NdArray(Shape{4, 1}, DType::kInt32));
  EXPECT_EQ(message(F::Softmax(x, {2})), "softmax: axis 2 of x [4,5]: an axis in [-2, 2) needed");
  EXPECT_EQ(message(F::SoftmaxCrossEntropy(x, label, {-3})),
            "softmax_cross_entropy: axis -3 of x [4,5]: an axis in [-2, 2) needed");
  EXPECT_EQ(message(F::SoftmaxCrossEntropy(x, label, {0})),
            "softmax_cross_entropy: x [4,5] and target [4,1]: target [1,5] needed");
  EXPECT_EQ(message(F::TopNError(x, label, {-1, 0})), "top_n_error: n = 0: n of at least 1 needed");
}

}  // namespace
}  // namespace halite
