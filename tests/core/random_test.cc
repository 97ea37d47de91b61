// SPDX-License-Identifier: Apache-2.0
#include "halite/core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace halite {
namespace {

// Known answers of Random123 (kat_vectors, philox4x32 with 10 rounds, counter words 2 and 3 zero
// for the first; the other known vectors use all counter words).
TEST(PhiloxTest, KnownAnswer) {
  EXPECT_EQ(Philox(0, 0),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

TEST(RandomGeneratorTest, GoesOnFromItsState) {
  std::vector<float> all(1000), first(300), second(700);
  RandomGenerator(7).Uniform(absl::MakeSpan(all), -1, 1);
  RandomGenerator a(7);
  a.Uniform(absl::MakeSpan(first), -1, 1);
  RandomGenerator b(0);
  b.set_state(a.state());
  b.Uniform(absl::MakeSpan(second), -1, 1);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), all.begin()));
  EXPECT_TRUE(std::equal(second.begin(), second.end(), all.begin() + 300));
}

TEST(RandomGeneratorTest, UniformFillsItsRange) {
  std::vector<float> v(100000);
  RandomGenerator().Uniform(absl::MakeSpan(v), 2, 5);
  const auto [low, high] = std::minmax_element(v.begin(), v.end());
  EXPECT_GE(*low, 2);
  EXPECT_LT(*high, 5);
  EXPECT_NEAR(std::accumulate(v.begin(), v.end(), 0.) / v.size(), 3.5, 0.02);
}

TEST(RandomGeneratorTest, NormalHasItsMoments) {
  std::vector<float> v(100001);
  RandomGenerator().Normal(absl::MakeSpan(v), 1, 2);
  double mean = 0, square = 0;
  for (float x : v) {
    ASSERT_TRUE(std::isfinite(x));
    mean += x;
    square += (x - 1.) * (x - 1.);
  }
  EXPECT_NEAR(mean / v.size(), 1, 0.03);
  EXPECT_NEAR(std::sqrt(square / v.size()), 2, 0.03);
}

TEST(RandomGeneratorTest, ShuffleIsAPermutation) {
  std::vector<int64_t> v(1000);
  std::iota(v.begin(), v.end(), 0);
  RandomGenerator(3).Shuffle(v);
  EXPECT_FALSE(std::is_sorted(v.begin(), v.end()));
  std::sort(v.begin(), v.end());
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(v[i], i);
}

TEST(RandomGeneratorTest, BelowIsFair) {
  RandomGenerator generator;
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[generator.Below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10000, 400);
}

}  // namespace
}  // namespace halite
