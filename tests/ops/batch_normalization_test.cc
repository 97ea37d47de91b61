// SPDX-License-Identifier: Apache-2.0
//
// Batch normalization against the formulas in double, on the CPU and on OpenCL.
#include "halite/ops/batch_normalization.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "halite/core/context.h"
#include "halite/core/random.h"
#include "halite/core/variable.h"
#include "halite/ops/activations.h"

namespace halite {
namespace {

namespace F = functions;

using Options = BatchNormalizationOptions;

struct Case {
  Shape shape;
  int axis = 1;
  double offset = 0;  // of x
};

const std::vector<Case>& Cases() {
  static const auto& cases = *new std::vector<Case>{
      {{2, 3, 5, 7}},
      {{64, 50}},
      {{3, 16, 24, 24}},
      {{1, 4, 1, 1}},
      {{5, 1, 3}},
      {{2, 700}},
      {{300, 3}},
      {{7}, 0},
      {{4, 3, 40}, 0},
      {{4, 3, 41}, 2},
      {{2, 3, 4, 5}, 3},
      {{8, 5, 31, 33}},
      {{6, 33, 2, 2}},
      {{16, 8, 13}, 1, 1000},
      // Parts of long rows, groups of rows, vectors that end a row, tiles of short rows' channels.
      {{1, 2, 9001}},
      {{300, 2, 17}},
      {{2, 3, 79}},
      {{3, 2, 64}},
      {{3, 131, 15}},
      {{150, 70, 3}},
      {{4, 64}},
      {{260, 67}},
  };
  return cases;
}

// All arrays of one call, in double.
struct Problem {
  Case test;
  Options options;
  int64_t inner = 1, channels, outer = 1;
  std::vector<double> x, beta, gamma, mean, variance, dy, dmean, dvariance;

  Problem(const Case& case_in, const Options& options_in) : test(case_in), options(options_in) {
    options.axes = {test.axis};
    channels = test.shape[test.axis];
    for (int d = 0; d < test.axis; ++d) outer *= test.shape[d];
    for (size_t d = test.axis + 1; d < test.shape.size(); ++d) inner *= test.shape[d];
    RandomGenerator random(5);
    const auto numbers = [&](int64_t count, float low, float high) {
      std::vector<float> values(count);
      random.Uniform(absl::MakeSpan(values), low, high);
      return std::vector<double>(values.begin(), values.end());
    };
    x = numbers(inner * channels * outer, -1.7f, 1.7f);
    // What float32 can hold, so that both types get the same numbers.
    for (double& v : x) v = static_cast<float>(v + test.offset);
    dy = numbers(inner * channels * outer, -1, 1);
    beta = numbers(channels, -1, 1);
    gamma = numbers(channels, 0.5, 2);
    mean = numbers(channels, -1, 1);
    variance = numbers(channels, 0.5, 2);
    dmean = numbers(channels, -1, 1);
    dvariance = numbers(channels, -1, 1);
  }
  int64_t channel(size_t i) const { return static_cast<int64_t>(i) / inner % channels; }
  double count() const { return static_cast<double>(inner * outer); }
  Shape channel_shape() const {
    Shape shape(test.shape.size(), 1);
    shape[test.axis] = channels;
    return shape;
  }
};

struct Result {
  std::vector<double> y, mean, variance, running_mean, running_variance, dx, dbeta, dgamma;
  // Sums of the absolute values of what dbeta and dgamma sum.
  std::vector<double> dbeta_terms, dgamma_terms;
};

Result Compute(const Problem& p) {
  Result r;
  const double m = p.count();
  r.mean.assign(p.channels, 0);
  r.variance.assign(p.channels, 0);
  for (size_t i = 0; i < p.x.size(); ++i) r.mean[p.channel(i)] += p.x[i] / m;
  for (size_t i = 0; i < p.x.size(); ++i) {
    const double d = p.x[i] - r.mean[p.channel(i)];
    r.variance[p.channel(i)] += d * d / m;
  }
  r.running_mean = p.mean;
  r.running_variance = p.variance;
  const double decay = p.options.decay_rate;
  for (int64_t c = 0; p.options.batch_stat && c < p.channels; ++c) {
    r.running_mean[c] = decay * p.mean[c] + (1 - decay) * r.mean[c];
    r.running_variance[c] =
        decay * p.variance[c] + (1 - decay) * r.variance[c] * (m > 1 ? m / (m - 1) : 1);
  }
  const auto& mean = p.options.batch_stat ? r.mean : p.mean;
  const auto& variance = p.options.batch_stat ? r.variance : p.variance;
  const auto inverse = [&](int64_t c) { return 1 / std::sqrt(variance[c] + p.options.eps); };
  std::vector<double> sum_dy(p.channels), sum_centered(p.channels);
  r.dbeta_terms.resize(p.channels);
  r.dgamma_terms.resize(p.channels);
  for (size_t i = 0; i < p.x.size(); ++i) {
    const int64_t c = p.channel(i);
    r.y.push_back((p.x[i] - mean[c]) * inverse(c) * p.gamma[c] + p.beta[c]);
    sum_dy[c] += p.dy[i];
    sum_centered[c] += p.dy[i] * (p.x[i] - mean[c]);
    r.dbeta_terms[c] += std::abs(p.dy[i]);
    r.dgamma_terms[c] += std::abs(p.dy[i] * (p.x[i] - mean[c])) * inverse(c);
  }
  r.dbeta = sum_dy;
  for (int64_t c = 0; c < p.channels; ++c) r.dgamma.push_back(sum_centered[c] * inverse(c));
  for (size_t i = 0; i < p.x.size(); ++i) {
    const int64_t c = p.channel(i);
    const double s = inverse(c), centered = p.x[i] - mean[c];
    double dx = p.dy[i];
    if (p.options.batch_stat) dx -= sum_dy[c] / m + centered * s * s * sum_centered[c] / m;
    dx *= p.gamma[c] * s;
    if (p.options.output_stat) dx += (p.dmean[c] + 2 * p.dvariance[c] * centered) / m;
    r.dx.push_back(dx);
  }
  return r;
}

template <typename T>
NdArray Array(const Shape& shape, const std::vector<double>& values) {
  return NdArray::From<T>(shape, std::vector<T>(values.begin(), values.end()));
}

// Sums of `terms` in absolute value may err by one rounding of those.
template <typename T>
void ExpectNear(const NdArray& array, const std::vector<double>& wanted, double tolerance,
                const char* what, const std::vector<double>* terms = nullptr) {
  const auto got = array.ToVector<T>();
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), wanted.size()) << what;
  for (size_t i = 0; i < wanted.size(); ++i) {
    double allowed = tolerance * std::max(1.0, std::abs(wanted[i]));
    if (terms) allowed += std::numeric_limits<T>::epsilon() / 2 * (*terms)[i];
    ASSERT_NEAR((*got)[i], wanted[i], allowed) << what << " " << i;
  }
}

template <typename T>
void Check(const Problem& p, double tolerance) {
  const Result wanted = Compute(p);
  const Shape channels = p.channel_shape();
  std::vector<Variable> in = {Variable(Array<T>(p.test.shape, p.x), true)};
  for (const auto* values : {&p.beta, &p.gamma, &p.mean, &p.variance}) {
    in.emplace_back(Array<T>(channels, *values), in.size() < 3);
  }
  const auto y = F::BatchNormalizationAll(in[0], in[1], in[2], in[3], in[4], p.options);
  ASSERT_TRUE(y[0].status().ok()) << y[0].status();
  ASSERT_EQ(y.size(), p.options.output_stat ? 3 : 1);
  absl::Status status = y[0].Forward();
  ASSERT_TRUE(status.ok()) << status;
  ExpectNear<T>(y[0].data(), wanted.y, tolerance, "y");
  if (p.options.output_stat) {
    ExpectNear<T>(y[1].data(), wanted.mean, tolerance, "mean");
    ExpectNear<T>(y[2].data(), wanted.variance, tolerance, "variance");
    ASSERT_TRUE(y[1].SetGrad(Array<T>(channels, p.dmean)).ok());
    ASSERT_TRUE(y[2].SetGrad(Array<T>(channels, p.dvariance)).ok());
  }
  ExpectNear<T>(in[3].data(), wanted.running_mean, tolerance, "running mean");
  ExpectNear<T>(in[4].data(), wanted.running_variance, tolerance, "running variance");
  if (p.options.output_stat) return;  // siblings of the start get zeros: see the test below
  BackwardOptions options;
  options.grad_array = Array<T>(p.test.shape, p.dy);
  for (int times = 1; times <= 2; ++times) {
    if (times == 1) {
      for (int i : {0, 1, 2}) {
        in[i].grad().Fill(std::numeric_limits<double>::quiet_NaN());
        in[i].grad().Zero();
      }
    }
    status = y[0].Backward(options);
    ASSERT_TRUE(status.ok()) << status;
    const std::vector<double>* gradients[] = {&wanted.dx, &wanted.dbeta, &wanted.dgamma};
    const std::vector<double>* terms[] = {nullptr, &wanted.dbeta_terms, &wanted.dgamma_terms};
    for (int i : {0, 1, 2}) {
      std::vector<double> sum = *gradients[i];
      for (double& v : sum) v *= times;
      ExpectNear<T>(in[i].grad(), sum, 10 * tolerance, "gradient", terms[i]);
    }
  }
}

void CheckAll(bool with_double, double tolerance) {
  for (const Case& test : Cases()) {
    for (bool batch_stat : {true, false}) {
      for (bool output_stat : {false, true}) {
        if (output_stat && !batch_stat) continue;
        SCOPED_TRACE(ToString(test.shape) + (batch_stat ? " batch" : " running") +
                     (output_stat ? " output" : ""));
        Options options;
        options.batch_stat = batch_stat;
        options.output_stat = output_stat;
        options.eps = 1e-3;
        const Problem problem(test, options);
        // The mean itself is rounded to float32.
        Check<float>(problem, tolerance * std::max(1.0, test.offset / 10));
        if (with_double) Check<double>(problem, 1e-10);
      }
    }
  }
}

TEST(BatchNormalization, MatchesFormulas) { CheckAll(true, 3e-6); }

TEST(BatchNormalization, OpenclMatchesFormulas) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  CheckAll(false, 1e-5);
}

TEST(BatchNormalization, StatisticsKeepTheirDigitsFarFromZero) {
  for (const Shape& shape : {Shape{32, 4, 28, 28}, Shape{3000, 4}}) {
    Options options;
    options.output_stat = true;
    const Problem p({shape, 1, 1000}, options);
    const Result wanted = Compute(p);
    const auto array = [&](const std::vector<double>& v) {
      return Array<float>(p.channel_shape(), v);
    };
    const auto y = F::BatchNormalizationAll(Array<float>(shape, p.x), array(p.beta), array(p.gamma),
                                            array(p.mean), array(p.variance), p.options);
    ASSERT_TRUE(y[0].status().ok()) << y[0].status();
    const auto variance = y[2].ToVector<double>().value();
    for (int c = 0; c < 4; ++c) EXPECT_NEAR(variance[c], wanted.variance[c], 1e-6);
  }
}

// Pieces of a sum are float32: n terms of a lane with random roundings of 2^-24 err by some
// sqrt(n) 2^-24 of the sum of squares about k, which is 1 + t^2 times that about the mean for k at
// t deviations. k is a median of three and n a few hundred: (1 + 2^2) 16 2^-24 = 5e-6.
TEST(BatchNormalization, VarianceOfALargeMeanAndOfManyElements) {
  const struct {
    Shape shape;
    double mean;
  } cases[] = {
      {{16, 8, 7, 7}, 1000}, {{32, 4, 28, 28}, 1000}, {{3000, 70}, 1000},   {{3000, 4}, 1000},
      {{500, 66, 3}, 1000},  {{1, 2, 1000000}, 1000}, {{2, 1, 1500000}, 0}, {{1000000, 2}, 0},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(ToString(test.shape));
    std::vector<float> x(Size(test.shape));
    RandomGenerator(3).Normal(absl::MakeSpan(x), static_cast<float>(test.mean), 1);
    Options options;
    options.output_stat = true;
    Problem p({test.shape, 1, 0}, options);
    x[0] += 1000;  // must not become k
    p.x.assign(x.begin(), x.end());
    const Result wanted = Compute(p);
    const auto array = [&](const std::vector<double>& v) {
      return Array<float>(p.channel_shape(), v);
    };
    const auto y =
        F::BatchNormalizationAll(NdArray::From<float>(test.shape, x), array(p.beta), array(p.gamma),
                                 array(p.mean), array(p.variance), p.options);
    ASSERT_TRUE(y[0].status().ok()) << y[0].status();
    const auto mean = y[1].ToVector<double>().value(), variance = y[2].ToVector<double>().value();
    for (int64_t c = 0; c < p.channels; ++c) {
      // The mean is rounded to float32 once, and its sum errs by far less.
      EXPECT_NEAR(mean[c], wanted.mean[c], 1e-7 * test.mean + 2e-6) << c;
      EXPECT_NEAR(variance[c], wanted.variance[c], 5e-6 * wanted.variance[c]) << c;
    }
  }
}

// ---- fused_batch_normalization: relu(y + z) of the formulas above, and what its mask lets pass.

Result ComputeFused(Problem p, const std::vector<double>& z, const std::vector<double>& dy) {
  std::vector<double> y = Compute(p).y;
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] += z.empty() ? 0 : z[i];
    p.dy[i] = y[i] > 0 ? dy[i] : 0;
    y[i] = std::max(y[i], 0.0);
  }
  Result r = Compute(p);
  r.y = y;
  return r;
}

template <typename T>
void CheckFused(const Problem& p, bool with_z, double tolerance) {
  std::vector<double> z;
  if (with_z) {
    z = p.x;
    std::reverse(z.begin(), z.end());
  }
  // No sum so near to 0 that roundings decide.
  const Result plain = Compute(p);
  std::vector<double> dy = p.dy;
  for (size_t i = 0; i < dy.size(); ++i) {
    if (std::abs(plain.y[i] + (with_z ? z[i] : 0)) < 1e-4) dy[i] = 0;
  }
  const Result wanted = ComputeFused(p, z, dy);
  const Shape channels = p.channel_shape();
  std::vector<Variable> in = {Variable(Array<T>(p.test.shape, p.x), true)};
  for (const auto* values : {&p.beta, &p.gamma, &p.mean, &p.variance}) {
    in.emplace_back(Array<T>(channels, *values), in.size() < 3);
  }
  const Variable shortcut = with_z ? Variable(Array<T>(p.test.shape, z), true) : Variable();
  FusedBatchNormalizationOptions options;
  options.axes = p.options.axes;
  options.eps = p.options.eps;
  options.batch_stat = p.options.batch_stat;
  // Behind another function z has a gradient that Backward overwrites.
  for (const bool z_is_root : {true, false}) {
    for (int i : {3, 4}) {
      ASSERT_TRUE(in[i].SetData(Array<T>(channels, i == 3 ? p.mean : p.variance)).ok());
    }
    for (Variable& x : in) x.grad().Zero();
    if (with_z) shortcut.grad().Zero();
    const Variable passed = with_z && !z_is_root ? F::Identity(shortcut) : shortcut;
    const Variable y =
        F::FusedBatchNormalization(in[0], in[1], in[2], in[3], in[4], passed, options);
    absl::Status status = y.Forward({.clear_no_need_grad = true});
    ASSERT_TRUE(status.ok()) << status;
    ExpectNear<T>(y.data(), wanted.y, tolerance, "y");
    ExpectNear<T>(in[3].data(), wanted.running_mean, tolerance, "running mean");
    ExpectNear<T>(in[4].data(), wanted.running_variance, tolerance, "running variance");
    BackwardOptions backward;
    backward.grad_array = Array<T>(p.test.shape, dy);
    for (int times = 1; times <= 2; ++times) {
      status = y.Backward(backward);
      ASSERT_TRUE(status.ok()) << status;
      const auto check = [&](const Variable& x, std::vector<double> gradient, const char* what,
                             const std::vector<double>* terms = nullptr) {
        for (double& v : gradient) v *= times;
        ExpectNear<T>(x.grad(), gradient, 10 * tolerance, what, terms);
      };
      check(in[0], wanted.dx, "dx");
      check(in[1], wanted.dbeta, "dbeta", &wanted.dbeta_terms);
      check(in[2], wanted.dgamma, "dgamma", &wanted.dgamma_terms);
      if (!with_z) continue;
      std::vector<double> dz(dy.size());
      for (size_t i = 0; i < dz.size(); ++i) dz[i] = wanted.y[i] > 0 ? dy[i] : 0;
      check(shortcut, dz, "dz");
    }
    if (!with_z) break;
  }
}

void CheckAllFused(bool with_double, double tolerance) {
  for (const Case& test : Cases()) {
    for (const bool batch_stat : {true, false}) {
      for (const bool with_z : {true, false}) {
        SCOPED_TRACE(ToString(test.shape) + (batch_stat ? " batch" : " running") +
                     (with_z ? " with z" : ""));
        Options options;
        options.batch_stat = batch_stat;
        options.eps = 1e-3;
        const Problem problem(test, options);
        const double scale = std::max(1.0, test.offset / 10);
        CheckFused<float>(problem, with_z, tolerance * scale);
        if (with_double) CheckFused<double>(problem, with_z, 1e-10);
      }
    }
  }
}

TEST(FusedBatchNormalization, MatchesFormulas) { CheckAllFused(true, 3e-6); }

TEST(FusedBatchNormalization, OpenclMatchesFormulas) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  CheckAllFused(false, 1e-5);
}

// The gradient of a variable that is x and z is the sum of both, for a root and for others.
TEST(FusedBatchNormalization, TheSameVariableTwice) {
  const Problem p({{3, 4, 37}}, Options());
  BackwardOptions backward;
  backward.grad_array = Array<double>(p.test.shape, p.dy);
  const auto run = [&](const Variable& x, const Variable& z) {
    const auto channel = [&](const std::vector<double>& v) {
      return Variable(Array<double>(p.channel_shape(), v));
    };
    const Variable y = F::FusedBatchNormalization(x, channel(p.beta), channel(p.gamma),
                                                  channel(p.mean), channel(p.variance), z);
    ASSERT_TRUE(y.Forward().ok());
    ASSERT_TRUE(y.Backward(backward).ok());
  };
  const auto root = [&] { return Variable(Array<double>(p.test.shape, p.x), true); };
  const Variable x = root(), z = root();
  run(x, z);
  std::vector<double> sum = x.grad().ToVector<double>().value();
  const std::vector<double> dz = z.grad().ToVector<double>().value();
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += dz[i];
  const Variable both = root(), before = root(), between = F::Identity(before);
  run(both, both);
  ExpectNear<double>(both.grad(), sum, 1e-13, "root");
  run(between, between);
  ExpectNear<double>(before.grad(), sum, 1e-13, "between");
}

TEST(FusedBatchNormalization, NanGetsThrough) {
  const int64_t n = 37;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Variable zeros(NdArray::From<float>({1, 1, 1}, std::vector<float>(1, 0)));
  const Variable ones(NdArray::From<float>({1, 1, 1}, std::vector<float>(1, 1)));
  FusedBatchNormalizationOptions options;
  options.batch_stat = false;
  for (int64_t at = 0; at < n; ++at) {
    std::vector<float> plain(n, -1), with_nan(n, -1);
    with_nan[at] = nan;
    const Variable x(NdArray::From<float>({1, 1, n}, plain));
    const Variable bad(NdArray::From<float>({1, 1, n}, with_nan)), none;
    for (const auto& [own, z] : {std::pair(bad, none), std::pair(bad, x), std::pair(x, bad)}) {
      const Variable y = F::FusedBatchNormalization(own, zeros, ones, zeros, ones, z, options);
      ASSERT_TRUE(y.Forward().ok());
      const auto values = y.data().ToVector<float>().value();
      for (int64_t i = 0; i < n; ++i) {
        EXPECT_TRUE(i == at ? std::isnan(values[i]) : values[i] == 0) << i << " is " << values[i];
      }
    }
  }
}

TEST(FusedBatchNormalization, ErrorsSayWhatIsNeeded) {
  const Variable x({2, 3, 4}), ok({1, 3, 1}), bad({2, 3, 5}), none;
  const auto error = [](const Variable& y) { return std::string(y.status().message()); };
  EXPECT_NE(error(F::FusedBatchNormalization(x, ok, ok, ok, ok, bad))
                .find("z [2,3,5]: z of the shape of x needed"),
            std::string::npos);
  FusedBatchNormalizationOptions options;
  options.nonlinearity = "tanh";
  EXPECT_EQ(error(F::FusedBatchNormalization(x, ok, ok, ok, ok, none, options)),
            "fused_batch_normalization: nonlinearity tanh: relu needed");
}

TEST(BatchNormalization, GradientFlowsThroughTheStatistics) {
  Options options;
  options.output_stat = true;
  const Problem p({{3, 5, 17}, 1}, options);
  const Variable x(Array<double>(p.test.shape, p.x), true);
  const auto channel = [&](const std::vector<double>& v) {
    return Variable(Array<double>(p.channel_shape(), v));
  };
  const auto y = F::BatchNormalizationAll(x, channel(p.beta), channel(p.gamma), channel(p.mean),
                                          channel(p.variance), p.options);
  ASSERT_TRUE(y[0].Forward().ok());
  // d mean / d x = 1 / M, d variance / d x = 2 (x - mean) / M.
  const Result wanted = Compute(p);
  for (int output : {1, 2}) {
    x.grad().Zero();
    ASSERT_TRUE(y[output].Backward().ok());
    const auto dx = x.grad().ToVector<double>().value();
    for (size_t i = 0; i < dx.size(); ++i) {
      const double centered = p.x[i] - wanted.mean[p.channel(i)];
      EXPECT_NEAR(dx[i], (output == 1 ? 1 : 2 * centered) / p.count(), 1e-12);
    }
  }
}

TEST(BatchNormalization, NanStaysInItsChannel) {
  const Shape shape = {2, 3, 20};
  std::vector<float> values(120, 1);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 11);
  values[65] = std::numeric_limits<float>::quiet_NaN();  // of channel 0
  const NdArray zeros(Shape{1, 3, 1}),
      ones = NdArray::From<float>({1, 3, 1}, std::vector<float>(3, 1));
  const NdArray y = F::BatchNormalization(NdArray::From<float>(shape, values), zeros, ones,
                                          zeros.Copy().value(), ones.Copy().value());
  const auto got = y.ToVector<float>().value();
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(std::isnan(got[i]), i / 20 % 3 == 0) << i;
}

TEST(BatchNormalization, AnEmptyBatchChangesNothing) {
  const NdArray ones = NdArray::From<float>({1, 3}, std::vector<float>(3, 1));
  const NdArray mean = ones.Copy().value();
  const NdArray y =
      F::BatchNormalization(NdArray(Shape{0, 3}), ones, ones, mean, ones.Copy().value());
  ASSERT_TRUE(y.status().ok()) << y.status();
  EXPECT_EQ(y.shape(), Shape({0, 3}));
  EXPECT_EQ(mean.ToVector<float>().value(), std::vector<float>(3, 1));
}

TEST(BatchNormalization, ErrorsSayWhatIsNeeded) {
  const Variable x({2, 3, 4}), ok({1, 3, 1}), bad({3});
  const auto error = [](const Variable& y) { return std::string(y.status().message()); };
  EXPECT_EQ(error(F::BatchNormalization(x, ok, bad, ok, ok)),
            "batch_normalization: x [2,3,4] and beta [1,3,1] and gamma [3] and mean [1,3,1] and "
            "variance [1,3,1]: beta, gamma, mean and variance of shape [1,3,1] needed");
  Options options;
  options.axes = {1, 2};
  EXPECT_EQ(error(F::BatchNormalization(x, ok, ok, ok, ok, options)),
            "batch_normalization: x [2,3,4] and axes [1,2]: exactly one axis of x needed");
  options.axes = {1};
  options.batch_stat = false;
  options.output_stat = true;
  EXPECT_EQ(error(F::BatchNormalization(x, ok, ok, ok, ok, options)),
            "batch_normalization: output_stat without batch_stat: batch_stat needed");
}

}  // namespace
}  // namespace halite
