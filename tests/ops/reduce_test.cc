// SPDX-License-Identifier: Apache-2.0
//
// Reductions against direct loops in double, on the CPU and on OpenCL.
#include "halite/ops/reduce.h"

#include <gtest/gtest.h>

#include <string>

#include "halite/core/context.h"
#include "halite/core/execution_context.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
using testing::ArrayOf;
using testing::CheckReference;
using testing::kInfinity;
using testing::kNan;
using testing::Numbers;
using testing::Reference;

using Ints = std::vector<int64_t>;

struct ReduceCase {
  Shape x;
  Ints axes;
  bool keep_dims = false;
};

struct References {
  Reference sum, mean, max;
};

// For each element of x, the element of y that it goes into.
std::vector<size_t> Targets(const ReduceCase& test, Shape& y) {
  const auto axes = NormalizeAxes(test.axes, static_cast<int>(test.x.size())).value();
  std::vector<int64_t> strides(test.x.size(), 0);
  int64_t stride = 1;
  for (int d = static_cast<int>(test.x.size()) - 1; d >= 0; --d) {
    const bool reduced = std::find(axes.begin(), axes.end(), d) != axes.end();
    if (!reduced) {
      strides[d] = stride;
      stride *= test.x[d];
    }
    if (!reduced || test.keep_dims) y.insert(y.begin(), reduced ? 1 : test.x[d]);
  }
  std::vector<size_t> targets(Size(test.x));
  for (size_t i = 0; i < targets.size(); ++i) {
    int64_t rest = static_cast<int64_t>(i);
    for (int d = static_cast<int>(test.x.size()) - 1; d >= 0; --d) {
      targets[i] += strides[d] * (rest % test.x[d]);
      rest /= test.x[d];
    }
  }
  return targets;
}

References Compute(const ReduceCase& test, const std::vector<double>& x) {
  References result;
  Shape shape;
  const std::vector<size_t> targets = Targets(test, shape);
  const size_t n = Size(shape);
  const double share = static_cast<double>(n) / static_cast<double>(x.size());
  Reference reference{shape, std::vector<double>(n, 0), Numbers(n, 2),
                      std::vector<double>(x.size(), 0)};
  result.sum = result.mean = result.max = reference;
  std::vector<size_t> best(n, x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t to = targets[i];
    result.sum.y[to] += x[i];
    result.mean.y[to] += x[i] * share;
    result.sum.dx[i] = reference.dy[to];
    result.mean.dx[i] = reference.dy[to] * share;
    if (best[to] == x.size() || x[i] > x[best[to]] ||
        (std::isnan(x[i]) && !std::isnan(x[best[to]]))) {
      best[to] = i;
    }
  }
  for (size_t to = 0; to < n; ++to) {
    result.max.y[to] = x[best[to]];
    result.max.dx[best[to]] = reference.dy[to];
  }
  return result;
}

template <typename T>
void Check(const ReduceCase& test, const std::vector<double>& values, double tolerance) {
  SCOPED_TRACE(ToString(test.x) + " axes " + ToString(test.axes));
  const References references = Compute(test, values);
  const Variable x(ArrayOf<T>(test.x, values), true);
  const ReduceOptions options{test.axes, test.keep_dims};
  ASSERT_NO_FATAL_FAILURE(CheckReference<T>(x, F::Sum(x, options), references.sum, tolerance));
  ASSERT_NO_FATAL_FAILURE(CheckReference<T>(x, F::Mean(x, options), references.mean, tolerance));
  ASSERT_NO_FATAL_FAILURE(CheckReference<T>(x, F::Max(x, options), references.max, tolerance));
}

const std::vector<ReduceCase>& Cases() {
  static const auto& cases = *new std::vector<ReduceCase>{
      {{1}, {}},
      {{7}, {0}},
      {{}, {}},
      {{64, 10}, {1}},
      {{64, 10}, {0}, true},
      {{3, 1000}, {-1}, true},
      {{100, 33}, {0}},
      {{5, 3, 1}, {1}},
      {{5, 7, 17}, {1}, true},
      {{2, 3, 1030}, {1}},
      {{3, 4, 5, 6}, {0, 2}},
      {{3, 4, 5, 6}, {1, 3}, true},
      {{3, 4, 5, 6}, {-1, 1, 0}},
      {{2, 3, 2, 3, 2, 3, 2}, {0, 2, 4, 6}},
      {{2, 1, 1, 3}, {1}},
      {{300, 1000}, {}},
      {{300000}, {}},
      {{3, 150000}, {1}},
      {{70000, 3}, {0}},
      {{5000, 130}, {0}},
  };
  return cases;
}

TEST(Reduce, MatchesDirectLoops) {
  for (const ReduceCase& test : Cases()) {
    const std::vector<double> x = Numbers(Size(test.x));
    ASSERT_NO_FATAL_FAILURE(Check<float>(test, x, 1e-4));
    ASSERT_NO_FATAL_FAILURE(Check<double>(test, x, 1e-11));
  }
}

TEST(Reduce, OpenclMatchesDirectLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  for (const ReduceCase& test : Cases()) {
    ASSERT_NO_FATAL_FAILURE(Check<float>(test, Numbers(Size(test.x)), 1e-4));
  }
}

TEST(Reduce, SumsDoNotDependOnTheNumberOfThreads) {
  const int threads = NumThreads();
  for (const Shape& shape : {Shape{1000000}, Shape{100000, 10}, Shape{1000, 3000}}) {
    const NdArray x = ArrayOf<float>(shape, Numbers(Size(shape)));
    for (const Ints& axes : {Ints{}, Ints{0}, Ints{-1}}) {
      SetNumThreads(1);
      const auto one = F::Sum(x, {axes}).ToVector<float>().value();
      for (int many : {2, 3, 8}) {
        SetNumThreads(many);
        EXPECT_EQ(F::Sum(x, {axes}).ToVector<float>().value(), one) << ToString(axes);
      }
    }
  }
  SetNumThreads(threads);
}

TEST(Reduce, NanComesOut) {
  for (const ReduceCase& test : {ReduceCase{{4, 100}, {1}}, ReduceCase{{100, 4}, {0}},
                                 ReduceCase{{3, 5, 7}, {0, 2}}, ReduceCase{{4, 3}, {1}}}) {
    std::vector<double> x = Numbers(Size(test.x));
    for (size_t i : {size_t{1}, x.size() / 2, x.size() / 2 + 1}) x[i] = kNan;
    for (size_t i : {size_t{0}, x.size() - 1}) x[i] = kInfinity;
    ASSERT_NO_FATAL_FAILURE(Check<float>(test, x, 1e-4));
    ASSERT_NO_FATAL_FAILURE(Check<double>(test, x, 1e-11));
  }
}

TEST(Reduce, TheFirstOfEqualNumbersGetsTheGradientOfMax) {
  for (double value : {2.0, -kInfinity, kInfinity, kNan, -0.0}) {
    for (const Shape& shape : {Shape{3, 70}, Shape{3, 5}}) {
      for (int axis : {0, 1}) {
        std::vector<double> x(Size(shape), value);
        if (value == 0) x[x.size() - 1] = 0;
        ASSERT_NO_FATAL_FAILURE(Check<float>({shape, {axis}}, x, 1e-6));
      }
    }
  }
  // Reduced in two passes: within a row and of two rows.
  std::vector<double> x_long = Numbers(3 * 2 * 20000);
  for (size_t i : {45000, 59000, 99000}) x_long[i] = 1000;
  ASSERT_NO_FATAL_FAILURE(Check<float>({{3, 2, 20000}, {}}, x_long, 1e-6));
  // Negative NaN, which x86 makes.
  const Variable x(ArrayOf<float>({3}, {1, -kNan, 5}));
  const Variable y = F::Max(x);
  ASSERT_TRUE(y.Forward().ok());
  EXPECT_TRUE(std::isnan(y.data().ToVector<float>().value()[0]));
}

TEST(Reduce, EmptyAxes) {
  const Variable x({2, 0, 3}, true);
  const auto values = [](const Variable& y) {
    EXPECT_TRUE(y.Forward().ok());
    EXPECT_TRUE(y.Backward().ok());
    return y.data().ToVector<float>().value();
  };
  for (const Ints& axes : {Ints{1}, Ints{0, 1}, Ints{}, Ints{1, 2}}) {
    for (float v : values(F::Sum(x, {axes}))) EXPECT_EQ(v, 0);
    for (float v : values(F::Mean(x, {axes}))) EXPECT_TRUE(std::isnan(v));
    for (float v : values(F::Max(x, {axes}))) EXPECT_EQ(v, -kInfinity);
  }
  EXPECT_EQ(values(F::Sum(x, {{1}})).size(), 6u);
  EXPECT_TRUE(values(F::Max(x, {{0}})).empty());
}

TEST(Reduce, ErrorsSayWhatIsNeeded) {
  const auto error = [](const Ints& axes) {
    return std::string(F::Sum(Variable({4, 5}), {axes}).status().message());
  };
  EXPECT_EQ(error({2}), "sum: axes [2] of x [4,5]: different axes in [-2, 2) needed");
  EXPECT_EQ(error({1, -1}), "sum: axes [1,-1] of x [4,5]: different axes in [-2, 2) needed");
}

}  // namespace
}  // namespace halite
