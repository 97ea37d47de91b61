// SPDX-License-Identifier: Apache-2.0
//
// Random numbers against the generator of core/random.h, on the CPU and on OpenCL.
#include "halite/ops/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "halite/core/context.h"
#include "halite/core/random.h"
#include "halite/core/variable.h"

namespace halite {
namespace {

namespace F = functions;

// Every place in a block, and ends inside pieces, vectors and tasks.
const int64_t kSizes[] = {1, 2, 3, 5, 63, 256, 257, 1001, 100003};

std::vector<float> Values(const Variable& y) {
  const absl::Status status = y.Forward();
  EXPECT_TRUE(status.ok()) << status;
  auto values = y.data().ToVector<float>();
  EXPECT_TRUE(values.ok()) << values.status();
  return values.ok() ? *values : std::vector<float>();
}

void CheckUniform() {
  for (int64_t n : kSizes) {
    for (auto [low, high] : {std::pair<float, float>(0, 1), {-0.3f, 1.7f}, {1e-3f, 5e7f}}) {
      RandOptions options;
      options.low = low;
      options.high = high;
      options.seed = 0x123456789abcdef;
      const Variable y = F::Rand({n}, options);
      RandomGenerator generator(static_cast<uint64_t>(options.seed));
      for (int draw = 0; draw < 2; ++draw) {
        const std::vector<float> got = Values(y);
        std::vector<float> wanted(n);
        generator.Uniform(absl::MakeSpan(wanted), low, high);
        ASSERT_EQ(got, wanted) << n << " " << draw;
      }
    }
  }
}

// A number and its distance to the next one.
double Ulp(double value) {
  const float v = static_cast<float>(std::abs(value));
  return std::nextafter(v, std::numeric_limits<float>::infinity()) - v;
}

void CheckNormal() {
  const int64_t n = 400003;
  const uint64_t seed = 99;
  RandnOptions options;
  options.seed = static_cast<int64_t>(seed);
  const std::vector<float> got = Values(F::Randn({n}, options));
  ASSERT_EQ(got.size(), n);
  const auto unit = [](uint32_t word) { return static_cast<double>(word >> 8) * 0x1p-24; };
  for (int64_t i = 0; i < n; ++i) {
    const auto block = Philox(seed, static_cast<uint64_t>(i / 4));
    const size_t pair = i & 2;
    const double radius = std::sqrt(-2 * std::log(1 - unit(block[pair])));
    const double angle = 2 * M_PI * unit(block[pair + 1]);
    const double wanted = radius * ((i & 1) != 0 ? std::sin(angle) : std::cos(angle));
    // sin and cos of multiples of pi in double are not quite 0.
    ASSERT_NEAR(got[i], wanted, 4 * Ulp(wanted) + 1e-15) << i;
  }
}

template <typename T>
void CheckDropout() {
  for (int64_t n : kSizes) {
    const double p = 0.3;
    std::vector<T> x(n), dy(n);
    for (int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(i % 9 + 1);
    for (int64_t i = 0; i < n; ++i) dy[i] = static_cast<T>(i % 5 + 1);
    const Variable input(NdArray::From<T>({n}, x), true);
    DropoutOptions options;
    options.seed = 7;
    const Variable y = F::Dropout(input, p, options);
    BackwardOptions backward;
    backward.grad_array = NdArray::From<T>({n}, dy);
    const T scale = static_cast<T>(1 / (1 - p));
    for (int draw = 0; draw < 2; ++draw) {
      ASSERT_TRUE(y.Forward().ok());
      input.grad().Fill(std::numeric_limits<double>::quiet_NaN());
      input.grad().Zero();
      ASSERT_TRUE(y.Backward(backward).ok());
      ASSERT_TRUE(y.Backward(backward).ok());
      const auto got = y.data().ToVector<T>().value();
      const auto dx = input.grad().template ToVector<T>().value();
      for (int64_t i = 0; i < n; ++i) {
        const uint64_t block = static_cast<uint64_t>(draw * ((n + 3) / 4) + i / 4);
        const bool kept = static_cast<double>(Philox(7, block)[i % 4] >> 8) * 0x1p-24 >= p;
        ASSERT_EQ(got[i], kept ? x[i] * scale : 0) << i;
        ASSERT_EQ(dx[i], kept ? dy[i] * scale + dy[i] * scale : 0) << i;
      }
    }
  }
}

TEST(Random, UniformIsThatOfTheGenerator) { CheckUniform(); }
TEST(Random, NormalIsWithinFourUlp) { CheckNormal(); }
TEST(Random, DropoutKeepsAndScales) {
  CheckDropout<float>();
  CheckDropout<double>();
}

TEST(Random, OpenclGivesTheSame) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  CheckUniform();
  CheckNormal();
  CheckDropout<float>();
}

TEST(Random, WithoutASeedNumbersComeFromTheProgramsGenerator) {
  SetRandomSeed(5);
  const Variable a = F::Rand({6}), b = F::Randn({3, 2});
  const std::vector<float> first = Values(a);
  RandomGenerator generator(5);
  std::vector<float> wanted(6);
  generator.Uniform(absl::MakeSpan(wanted), 0, 1);
  EXPECT_EQ(first, wanted);
  Values(b);
  generator.Reserve(6);
  generator.Uniform(absl::MakeSpan(wanted), 0, 1);
  EXPECT_EQ(Values(a), wanted);
}

TEST(Random, MomentsAreThoseAskedFor) {
  RandnOptions options;
  options.mu = 3;
  options.sigma = 0.5;
  options.seed = 1;
  const std::vector<float> values = Values(F::Randn({1000, 200}, options));
  double sum = 0, squares = 0;
  for (float v : values) {
    sum += v - 3;
    squares += (v - 3) * (v - 3);
  }
  EXPECT_NEAR(sum / 2e5, 0, 5 * 0.5 / std::sqrt(2e5));
  EXPECT_NEAR(squares / 2e5, 0.25, 0.005);
}

TEST(Random, DropoutOfNothingIsTheIdentity) {
  const NdArray x = NdArray::From<float>({3}, std::vector<float>{1, -2, NAN});
  const auto y = F::Dropout(x, 0).ToVector<float>().value();
  EXPECT_EQ(y[0], 1);
  EXPECT_EQ(y[1], -2);
  EXPECT_TRUE(std::isnan(y[2]));
}

TEST(Random, ArraysOfAnySizeAndKind) {
  EXPECT_EQ(F::Rand<NdArray>({2, 3}).shape(), Shape({2, 3}));
  EXPECT_EQ(F::Rand<NdArray>({}).size(), 1);
  EXPECT_EQ(F::Randn<NdArray>({0, 3}).size(), 0);
  EXPECT_TRUE(F::Dropout(Variable(Shape{0, 3})).Forward().ok());
}

TEST(Random, ErrorsSayWhatIsNeeded) {
  EXPECT_EQ(F::Dropout(Variable(Shape{3}), 1).status().message(),
            "dropout: p = 1: p in [0, 1) needed");
  EXPECT_FALSE(F::Dropout(Variable(Shape{3}), NAN).status().ok());
  EXPECT_FALSE(F::Rand({-1}).status().ok());
}

}  // namespace
}  // namespace halite
