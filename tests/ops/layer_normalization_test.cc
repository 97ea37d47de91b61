// SPDX-License-Identifier: Apache-2.0
//
// layer_normalization against direct loops, on the CPU and on OpenCL.
#include "halite/ops/layer_normalization.h"

#include <gtest/gtest.h>

#include <string>

#include "halite/core/context.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
using testing::ArrayOf;
using testing::ExpectNear;
using testing::kNan;
using testing::Numbers;
using testing::ValuesOf;
using Doubles = std::vector<double>;

struct Case {
  Shape x;
  std::vector<int64_t> batch_axis;
  bool with_beta = true, with_gamma = true;
};

const std::vector<Case>& Cases() {
  static const auto& cases = *new std::vector<Case>{
      {{1, 1}, {0}},         {{3, 5}, {0}},
      {{16, 16}, {0}},       {{5, 67}, {0}, true, false},
      {{70, 3}, {0}, false}, {{4, 3, 130}, {0, 1}},
      {{2, 3, 4, 5}, {2}},   {{2, 3, 4, 5}, {3, -3}, false, false},
      {{2, 1000}, {-2}},     {{33, 2, 17}, {1, 0}},
      {{6, 7}, {}},          {{4, 1, 6}, {0, 2}},
  };
  return cases;
}

// The places of x's elements, row by row, and which element of beta and gamma each has.
struct Layout {
  std::vector<int> row, weight;
  int rows = 0, size = 0;
  Shape weights;

  explicit Layout(const Case& test) : weights(test.x) {
    const int rank = static_cast<int>(test.x.size());
    std::vector<bool> is_batch(rank);
    for (int64_t axis : test.batch_axis) is_batch[axis < 0 ? axis + rank : axis] = true;
    for (int d = 0; d < rank; ++d) {
      if (is_batch[d]) weights[d] = 1;
    }
    for (int64_t i = 0; i < Size(test.x); ++i) {
      int own_row = 0, own_weight = 0;
      int64_t rest = i, below = Size(test.x);
      for (int d = 0; d < rank; ++d) {
        below /= test.x[d];
        const int at = static_cast<int>(rest / below);
        rest %= below;
        int& place = is_batch[d] ? own_row : own_weight;
        place = place * static_cast<int>(test.x[d]) + at;
      }
      row.push_back(own_row);
      weight.push_back(own_weight);
      rows = std::max(rows, own_row + 1);
      size = std::max(size, own_weight + 1);
    }
  }
};

struct Result {
  Doubles y, dx, dbeta, dgamma;
};

Result Compute(const Layout& at, const Doubles& x, const Doubles& beta, const Doubles& gamma,
               const Doubles& dy, double eps) {
  Doubles mean(at.rows), inverse(at.rows), g(at.rows), gh(at.rows);
  for (size_t i = 0; i < x.size(); ++i) mean[at.row[i]] += x[i] / at.size;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = x[i] - mean[at.row[i]];
    inverse[at.row[i]] += d * d / at.size;
  }
  for (double& s : inverse) s = 1 / std::sqrt(s + eps);
  Result r{{}, {}, Doubles(at.size), Doubles(at.size)};
  for (size_t i = 0; i < x.size(); ++i) {
    const int row = at.row[i], k = at.weight[i];
    const double h = (x[i] - mean[row]) * inverse[row];
    r.y.push_back(h * gamma[k] + beta[k]);
    g[row] += dy[i] * gamma[k] / at.size;
    gh[row] += dy[i] * gamma[k] * h / at.size;
    r.dbeta[k] += dy[i];
    r.dgamma[k] += dy[i] * h;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const int row = at.row[i];
    const double h = (x[i] - mean[row]) * inverse[row];
    r.dx.push_back(inverse[row] * (dy[i] * gamma[at.weight[i]] - g[row] - h * gh[row]));
  }
  return r;
}

template <typename T>
void Check(const Case& test, double tolerance) {
  SCOPED_TRACE(ToString(test.x) + " batch_axis " + ToString(test.batch_axis));
  const Layout at(test);
  const Doubles x = Numbers(Size(test.x)), dy = Numbers(x.size(), 2);
  const Doubles beta = test.with_beta ? Numbers(at.size, 3) : Doubles(at.size, 0);
  const Doubles gamma = test.with_gamma ? Numbers(at.size, 4) : Doubles(at.size, 1);
  LayerNormalizationOptions options;
  options.batch_axis = test.batch_axis;
  options.eps = 0.01;
  const Result wanted = Compute(at, x, beta, gamma, dy, options.eps);
  const Variable in(ArrayOf<T>(test.x, x), true);
  Variable b, g;
  if (test.with_beta) b = Variable(ArrayOf<T>(at.weights, beta), true);
  if (test.with_gamma) g = Variable(ArrayOf<T>(at.weights, gamma), true);
  const Variable y = F::LayerNormalization(in, b, g, options);
  ASSERT_TRUE(y.status().ok()) << y.status();
  ASSERT_TRUE(y.Forward({.clear_no_need_grad = true}).ok());
  ExpectNear<T>(y.data(), wanted.y, tolerance, "y");
  BackwardOptions backward;
  backward.grad_array = ArrayOf<T>(test.x, dy);
  for (int times : {1, 2}) {
    const absl::Status status = y.Backward(backward);
    ASSERT_TRUE(status.ok()) << status;
    const auto check = [&](const Variable& variable, Doubles gradient, const char* what) {
      if (variable.empty()) return;
      for (double& v : gradient) v *= times;
      ExpectNear<T>(variable.grad(), gradient, 4 * tolerance, what);
    };
    check(in, wanted.dx, "dx");
    check(b, wanted.dbeta, "dbeta");
    check(g, wanted.dgamma, "dgamma");
  }
}

TEST(LayerNormalization, MatchesDirectLoops) {
  for (const Case& test : Cases()) {
    ASSERT_NO_FATAL_FAILURE(Check<float>(test, 1e-5));
    ASSERT_NO_FATAL_FAILURE(Check<double>(test, 1e-12));
  }
}

TEST(LayerNormalization, OpenclMatchesDirectLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  for (const Case& test : Cases()) ASSERT_NO_FATAL_FAILURE(Check<float>(test, 1e-5));
}

TEST(LayerNormalization, NanStaysInItsRow) {
  Doubles x = Numbers(4 * 37);
  x[37 + 5] = kNan;
  x[3 * 37] = std::numeric_limits<double>::infinity();
  const NdArray y = F::LayerNormalization(ArrayOf<float>({4, 37}, x), NdArray(Shape{1, 37}),
                                          NdArray(Shape{1, 37}));
  const auto values = ValuesOf<float>(y);
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::isnan(values[i]), i / 37 == 1 || i / 37 == 3) << i;
  }
}

// The variance is summed about the mean: 1000 +- 1 keeps its digits.
TEST(LayerNormalization, LargeMean) {
  Doubles x = Numbers(2 * 500);
  for (double& v : x) v = std::round(v * 1024) / 1024;
  Doubles moved = x;
  for (double& v : moved) v += 1000;
  const Variable none;
  const Variable y = F::LayerNormalization(Variable(ArrayOf<float>({2, 500}, x)), none, none);
  const Variable z = F::LayerNormalization(Variable(ArrayOf<float>({2, 500}, moved)), none, none);
  ASSERT_TRUE(y.Forward().ok() && z.Forward().ok());
  ExpectNear<float>(z.data(), y.data().ToVector<double>().value(), 2e-4, "y");
}

TEST(LayerNormalization, ErrorsSayWhatIsNeeded) {
  const Variable x(Shape{2, 3}), none;
  LayerNormalizationOptions options;
  options.batch_axis = {2};
  EXPECT_EQ(F::LayerNormalization(x, none, none, options).status().message(),
            "layer_normalization: x [2,3] and batch_axis [2]: different axes in [-2, 2) needed");
  const Variable bad(Shape{2, 3});
  const std::string message(F::LayerNormalization(x, bad, none).status().message());
  EXPECT_NE(message.find("beta [2,3]"), std::string::npos) << message;
  EXPECT_NE(message.find("beta and gamma [1,3] needed"), std::string::npos) << message;
}

}  // namespace
}  // namespace halite
