// SPDX-License-Identifier: Apache-2.0
#include "halite/core/initializer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "halite/core/random.h"

namespace halite {
namespace {

std::vector<double> Fill(const Initializer& initializer, const Shape& shape,
                         DType dtype = DType::kFloat32) {
  NdArray array(shape, dtype);
  const absl::Status status = initializer(array);
  EXPECT_TRUE(status.ok()) << status;
  return array.ToVector<double>().value();
}

struct Moments {
  double mean = 0, deviation = 0;
};

Moments MomentsOf(const std::vector<double>& values) {
  Moments moments;
  for (double value : values) moments.mean += value / static_cast<double>(values.size());
  for (double value : values) moments.deviation += std::pow(value - moments.mean, 2);
  moments.deviation = std::sqrt(moments.deviation / static_cast<double>(values.size()));
  return moments;
}

TEST(Initializer, DistributionsHaveTheirMoments) {
  SetRandomSeed(313);
  const Moments normal = MomentsOf(Fill(NormalInitializer(0.3), {100, 200}));
  EXPECT_NEAR(normal.mean, 0, 0.01);
  EXPECT_NEAR(normal.deviation, 0.3, 0.01);
  const std::vector<double> values = Fill(UniformInitializer(-1, 3), {100, 200});
  const Moments uniform = MomentsOf(values);
  EXPECT_NEAR(uniform.mean, 1, 0.03);
  EXPECT_NEAR(uniform.deviation, 4 / std::sqrt(12), 0.03);
  for (double value : values) EXPECT_TRUE(value >= -1 && value <= 3);
}

TEST(Initializer, UniformIntegersReachEveryValue) {
  std::vector<int> counts(5);
  for (double value : Fill(UniformIntInitializer(-2, 3), {1000}, DType::kInt32)) {
    ++counts.at(static_cast<size_t>(value + 2));
  }
  for (int count : counts) EXPECT_NEAR(count, 200, 70);
  NdArray array({1});
  EXPECT_FALSE(UniformIntInitializer(3, 3)(array).ok());
}

TEST(Initializer, EqualSeedsGiveEqualNumbersInAnyDtype) {
  SetRandomSeed(1);
  const auto first = Fill(NormalInitializer(), {7}), second = Fill(NormalInitializer(), {7});
  EXPECT_NE(first, second);
  SetRandomSeed(1);
  EXPECT_EQ(Fill(NormalInitializer(), {7}, DType::kFloat64), first);
  EXPECT_EQ(Fill(NormalInitializer(), {7}), second);
}

TEST(Initializer, FixedValues) {
  EXPECT_EQ(Fill(ConstantInitializer(2.5), {2}), (std::vector<double>{2.5, 2.5}));
  EXPECT_EQ(Fill(RangeInitializer(1, 0.5), {2, 2}), (std::vector<double>{1, 1.5, 2, 2.5}));
  const NdArray values = NdArray::From<float>({2}, std::vector<float>{3, 4});
  EXPECT_EQ(Fill(ValuesInitializer(values), {2, 1}), (std::vector<double>{3, 4}));
  NdArray other({3});
  EXPECT_FALSE(ValuesInitializer(values)(other).ok());
  EXPECT_TRUE(Fill(NormalInitializer(), {0, 3}).empty());
}

TEST(Initializer, OrthogonalRowsOrColumnsAreOrthonormal) {
  for (const Shape& shape : {Shape{4, 3, 3}, Shape{9, 4}, Shape{5, 5}}) {
    const std::vector<double> w = Fill(OrthogonalInitializer(2), shape);
    const int64_t outer = shape[0], inner = static_cast<int64_t>(w.size()) / outer;
    const bool by_rows = outer <= inner;
    const int64_t count = by_rows ? outer : inner, length = by_rows ? inner : outer;
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < count; ++j) {
        double dot = 0;
        for (int64_t k = 0; k < length; ++k) {
          dot +=
              by_rows ? w[i * inner + k] * w[j * inner + k] : w[k * inner + i] * w[k * inner + j];
        }
        EXPECT_NEAR(dot, i == j ? 4 : 0, 1e-5);
      }
    }
  }
}

TEST(Initializer, ScalesOfLayers) {
  EXPECT_DOUBLE_EQ(CalcNormalStdHeForward(3, 8, {5, 5}), std::sqrt(2.0 / (3 * 25)));
  EXPECT_DOUBLE_EQ(CalcNormalStdHeBackward(3, 8, {5, 5}), std::sqrt(2.0 / (8 * 25)));
  EXPECT_DOUBLE_EQ(CalcNormalStdGlorot(3, 8, {5, 5}), std::sqrt(2.0 / (3 * 25 + 8)));
  EXPECT_DOUBLE_EQ(CalcUniformLimGlorot(3, 8, {5, 5}), std::sqrt(6.0 / (3 * 25 + 8)));
  EXPECT_DOUBLE_EQ(CalcUniformLimGlorot(10, 20), std::sqrt(6.0 / 30));
}

}  // namespace
}  // namespace halite
