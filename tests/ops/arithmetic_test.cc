// SPDX-License-Identifier: Apache-2.0
//
// Functions of two inputs against their formulas in double, on the CPU and on OpenCL: at 0,
// infinity and NaN, at both ends of the range, and with every kind of broadcasting.
#include "halite/ops/arithmetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "halite/core/context.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
using testing::CheckReferences;
using testing::GradientsOf;
using testing::InputOf;
using testing::MaxOf;
using testing::Numbers;
using testing::References;
using testing::SigmoidOf;
using testing::Specials;

using Values = std::vector<double>;

struct BinaryCase {
  using Gradient = std::function<double(double a, double b, double dy)>;
  const char* name;
  std::function<Variable(const Variable&, const Variable&)> apply;
  std::function<double(double a, double b)> y;
  std::vector<Gradient> dx = {};
  double low = -2;  // of ordinary numbers
  bool broadcast = true;
};

double PowGradient(double a, double b, double dy) {
  return b == 0 ? 0 : dy * b * std::pow(a, b - 1);
}

const std::vector<BinaryCase>& BinaryCases() {
  using V = Variable;
  using D = double;
  static const auto& cases = *new std::vector<BinaryCase>{
      {"add2",
       [](const V& a, const V& b) { return F::Add2(a, b); },
       [](D a, D b) { return a + b; },
       {[](D, D, D dy) { return dy; }, [](D, D, D dy) { return dy; }}},
      {"sub2",
       [](const V& a, const V& b) { return F::Sub2(a, b); },
       [](D a, D b) { return a - b; },
       {[](D, D, D dy) { return dy; }, [](D, D, D dy) { return -dy; }}},
      {"mul2",
       [](const V& a, const V& b) { return F::Mul2(a, b); },
       [](D a, D b) { return a * b; },
       {[](D, D b, D dy) { return dy * b; }, [](D a, D, D dy) { return dy * a; }}},
      {"div2",
       [](const V& a, const V& b) { return F::Div2(a, b); },
       [](D a, D b) { return a / b; },
       {[](D, D b, D dy) { return dy / b; }, [](D a, D b, D dy) { return -dy * (a / b) / b; }},
       0.5},
      {"pow2",
       [](const V& a, const V& b) { return F::Pow2(a, b); },
       [](D a, D b) { return std::pow(a, b); },
       {PowGradient, [](D a, D b, D dy) { return dy * std::log(a) * std::pow(a, b); }},
       0.5},
      // Ties go to the first.
      {"maximum2",
       [](const V& a, const V& b) { return F::Maximum2(a, b); },
       MaxOf,
       {[](D a, D b, D dy) { return a < b ? 0 : dy; },
        [](D a, D b, D dy) { return a < b ? dy : 0; }}},
      {"equal", [](const V& a, const V& b) { return F::Equal(a, b); },
       [](D a, D b) { return a == b ? 1. : 0.; }},
      {"greater", [](const V& a, const V& b) { return F::Greater(a, b); },
       [](D a, D b) { return a > b ? 1. : 0.; }},
      {"squared_error",
       [](const V& a, const V& b) { return F::SquaredError(a, b); },
       [](D a, D b) { return (a - b) * (a - b); },
       {[](D a, D b, D dy) { return 2 * dy * (a - b); },
        [](D a, D b, D dy) { return 2 * dy * (b - a); }}},
      {"sigmoid_cross_entropy",
       [](const V& x, const V& t) { return F::SigmoidCrossEntropy(x, t); },
       [](D x, D t) { return MaxOf(x, 0) - x * t + std::log1p(std::exp(-std::fabs(x))); },
       {[](D x, D t, D dy) { return dy * (SigmoidOf(x) - t); }},
       -2,
       false},
  };
  return cases;
}

// The element of an array of `shape` that element i of the broadcast shape `y` reads.
size_t SourceOf(const Shape& shape, const Shape& y, size_t i) {
  size_t source = 0, stride = 1;
  for (int d = static_cast<int>(y.size()) - 1; d >= 0; --d) {
    if (shape[d] != 1) source += stride * (i % y[d]);
    stride *= shape[d];
    i /= y[d];
  }
  return source;
}

template <typename T>
void CheckBinary(const BinaryCase& test, const Shape& shape0, const Shape& shape1, const Values& x0,
                 const Values& x1, double tolerance, bool brief = false) {
  SCOPED_TRACE(std::string(test.name) + " of " + ToString(shape0) + " and " + ToString(shape1));
  References reference{shape0, {}, {}, {Values(x0.size()), Values(x1.size())}};
  for (size_t d = 0; d < shape0.size(); ++d) reference.shape[d] = std::max(shape0[d], shape1[d]);
  const size_t n = Size(reference.shape);
  std::vector<Values> x(2);
  std::vector<size_t> from[2];
  for (size_t i = 0; i < n; ++i) {
    from[0].push_back(SourceOf(shape0, reference.shape, i));
    from[1].push_back(SourceOf(shape1, reference.shape, i));
    x[0].push_back(x0[from[0][i]]);
    x[1].push_back(x1[from[1][i]]);
    reference.y.push_back(test.y(x[0][i], x[1][i]));
  }
  // NaN in a sum would hide the rest of it.
  reference.dy = shape0 == shape1 ? GradientsOf(x) : Numbers(n, 2);
  for (size_t k = 0; k < test.dx.size(); ++k) {
    for (size_t i = 0; i < n; ++i) {
      reference.dx[k][from[k][i]] += test.dx[k](x[0][i], x[1][i], reference.dy[i]);
    }
  }
  // Both gradients, one of them, none; if `brief`, all that there are.
  const int all = (1 << test.dx.size()) - 1;
  for (int wanted = brief ? all : 0; wanted <= all; ++wanted) {
    const std::vector<Variable> inputs = {InputOf<T>(shape0, x0, wanted & 1),
                                          InputOf<T>(shape1, x1, wanted & 2)};
    ASSERT_NO_FATAL_FAILURE(
        CheckReferences<T>(inputs, test.apply(inputs[0], inputs[1]), reference, tolerance));
  }
}

// Ordinary numbers with many ties.
Values Quarters(int64_t count, uint64_t seed) {
  Values x = Numbers(count, seed);
  for (double& v : x) v = std::floor(4 * v) / 4;
  return x;
}

// `brief`: for OpenCL, where each kernel is compiled at its first call.
template <typename T>
void CheckBinaries(double tolerance, bool brief = false) {
  const Values& specials = Specials();
  for (const BinaryCase& test : BinaryCases()) {
    // Every pair of special numbers, among others.
    const size_t s = specials.size();
    Values x0 = Quarters(4 * s * s + 5, 1), x1 = Quarters(x0.size(), 3);
    for (size_t i = 0; i < s * s; ++i) {
      x0[4 * i] = x0[4 * i + 1] = specials[i / s];
      x1[4 * i] = x1[4 * i + 2] = specials[i % s];
    }
    const Shape shape = {static_cast<int64_t>(x0.size())};
    ASSERT_NO_FATAL_FAILURE(CheckBinary<T>(test, shape, shape, x0, x1, tolerance, brief));
    for (size_t i = 0; i < s * s && !brief; i += 3) {
      ASSERT_NO_FATAL_FAILURE(CheckBinary<T>(test, {1}, {1}, {x0[4 * i]}, {x1[4 * i]}, tolerance));
    }
  }
}

Values NumbersFor(const BinaryCase& test, const Shape& shape, uint64_t seed) {
  Values x = Numbers(Size(shape), seed);
  for (double& v : x) v = test.low + (v + 2) * (2 - test.low) / 4;
  for (double& v : x) v = static_cast<float>(v);
  return x;
}

// Extents of 1 that alternate between the inputs, with every third axis in both or without; and
// long axes.
template <typename T>
void CheckBroadcasting(double tolerance, bool brief = false) {
  std::vector<std::pair<Shape, Shape>> shapes = {
      {{}, {}},         {{700, 1}, {1, 600}},    {{1, 1}, {3, 40000}},    {{2, 1, 9001}, {2, 3, 1}},
      {{3, 5}, {3, 5}}, {{5, 1, 7}, {5, 33, 7}}, {{64, 1, 1}, {1, 9, 70}}};
  for (int rank = 1; rank <= 7; ++rank) {
    for (int parity : {0, 1}) {
      for (bool common : {false, true}) {
        Shape a, b;
        for (int d = 0; d < rank; ++d) {
          const int64_t extent = d + 1 == rank ? 19 : 2 + d % 2;
          const bool both = common && d % 3 == 1;
          a.push_back(both || (d + parity) % 2 == 0 ? extent : 1);
          b.push_back(both || (d + parity) % 2 == 1 ? extent : 1);
        }
        shapes.emplace_back(a, b);
      }
    }
  }
  for (const BinaryCase& test : BinaryCases()) {
    if (brief && test.name != std::string("mul2")) continue;
    for (const auto& [a, b] : shapes) {
      if (!test.broadcast && a != b) continue;
      ASSERT_NO_FATAL_FAILURE(
          CheckBinary<T>(test, a, b, NumbersFor(test, a, 5), NumbersFor(test, b, 6), tolerance));
    }
  }
}

TEST(Arithmetic, MatchesTheFormulas) {
  ASSERT_NO_FATAL_FAILURE(CheckBinaries<float>(4e-6));
  ASSERT_NO_FATAL_FAILURE(CheckBinaries<double>(1e-14));
}

TEST(Arithmetic, BroadcastingMatchesDirectLoops) {
  ASSERT_NO_FATAL_FAILURE(CheckBroadcasting<float>(1e-4));
  ASSERT_NO_FATAL_FAILURE(CheckBroadcasting<double>(1e-12));
}

TEST(Arithmetic, OpenclMatchesTheFormulas) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  ASSERT_NO_FATAL_FAILURE(CheckBinaries<float>(4e-6, true));
  ASSERT_NO_FATAL_FAILURE(CheckBroadcasting<float>(1e-4, true));
}

TEST(Arithmetic, HasNoOptions) {
  for (const FunctionDef& def : ArithmeticFunctions()) EXPECT_TRUE(def.options.names().empty());
}

TEST(Arithmetic, ComparisonsAndTargetsHaveNoGradient) {
  const Variable x({3}, true), target({3}, true);
  for (const Variable& y : {F::Equal(x, target), F::SigmoidCrossEntropy(x, target)}) {
    ASSERT_TRUE(y.Forward().ok());
    EXPECT_EQ(y.Backward().code(), absl::StatusCode::kUnimplemented) << y.Backward();
  }
}

TEST(Arithmetic, ErrorsSayWhatIsNeeded) {
  const auto message = [](const Variable& y) { return std::string(y.status().message()); };
  const Variable x({4, 5});
  EXPECT_EQ(message(F::Add2(x, Variable({4, 3}))),
            "add2: x0 [4,5] and x1 [4,3]: equal ranks, and in each dimension equal extents or 1 "
            "needed");
  EXPECT_EQ(message(F::Greater(x, Variable({5}))),
            "greater: x0 [4,5] and x1 [5]: equal ranks, and in each dimension equal extents or 1 "
            "needed");
  EXPECT_EQ(message(F::SigmoidCrossEntropy(x, Variable({4, 1}))),
            "sigmoid_cross_entropy: x [4,5] and target [4,1]: equal shapes needed");
  EXPECT_EQ(message(F::Mul2(x, Variable({4, 5}, false, DType::kFloat64))),
            "mul2: x1 of type f64: type f32 as its first input needed");
}

}  // namespace
}  // namespace halite
