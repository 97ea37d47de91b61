// SPDX-License-Identifier: Apache-2.0
#include "halite/core/random.h"

#include <cmath>
#include <mutex>
#include <utility>

namespace halite {
namespace {

std::mutex& GlobalMutex() {
  static auto& mutex = *new std::mutex;
  return mutex;
}

RandomGenerator& GlobalGenerator() {
  static auto& generator = *new RandomGenerator;
  return generator;
}

float UnitUniform(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// Calls use(i, block) for each block of four numbers.
template <typename Use>
void ForEachBlock(const RandomState& state, int64_t count, Use&& use) {
  for (int64_t i = 0; i < count; i += 4) use(i, Philox(state.seed, state.offset + i / 4));
}

}  // namespace

std::array<uint32_t, 4> Philox(uint64_t key, uint64_t counter) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
  uint32_t c2 = 0, c3 = 0;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0;
    const uint64_t p1 = uint64_t{0xCD9E8D57} * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {c0, c1, c2, c3};
}

RandomState RandomGenerator::Reserve(int64_t count) {
  const RandomState begin = state_;
  state_.offset += static_cast<uint64_t>((count + 3) / 4);
  return begin;
}

void RandomGenerator::Uniform(absl::Span<float> values, float low, float high) {
  const int64_t count = static_cast<int64_t>(values.size());
  ForEachBlock(Reserve(count), count, [&](int64_t i, const std::array<uint32_t, 4>& block) {
    for (int64_t j = i; j < std::min(i + 4, count); ++j) {
      values[j] = low + (high - low) * UnitUniform(block[j - i]);
    }
  });
}

void RandomGenerator::Normal(absl::Span<float> values, float mean, float deviation) {
  const int64_t count = static_cast<int64_t>(values.size());
  ForEachBlock(Reserve(count), count, [&](int64_t i, const std::array<uint32_t, 4>& block) {
    for (int64_t j = i; j < std::min(i + 4, count); ++j) {
      const size_t pair = (j - i) & 2;
      // 1 - u is in (0, 1]: its logarithm is finite.
      const double radius = std::sqrt(-2 * std::log(1.0 - double{UnitUniform(block[pair])}));
      const double angle = 2 * M_PI * double{UnitUniform(block[pair + 1])};
      const double normal = radius * (((j - i) & 1) != 0 ? std::sin(angle) : std::cos(angle));
      values[j] = mean + deviation * static_cast<float>(normal);
    }
  });
}

uint64_t RandomGenerator::Below(uint64_t bound) {
  // Numbers past the last whole multiple of `bound` are drawn again: no bias.
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const RandomState at = Reserve(4);
    const auto block = Philox(at.seed, at.offset);
    const uint64_t word = uint64_t{block[1]} << 32 | block[0];
    if (word < limit) return word % bound;
  }
}

void RandomGenerator::Shuffle(std::vector<int64_t>& values) {
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[Below(i)]);
}

void SetRandomSeed(uint64_t seed) { SetRandomState({seed, 0}); }

RandomState GetRandomState() {
  std::lock_guard<std::mutex> lock(GlobalMutex());
  return GlobalGenerator().state();
}

void SetRandomState(const RandomState& state) {
  std::lock_guard<std::mutex> lock(GlobalMutex());
  GlobalGenerator().set_state(state);
}

RandomState ReserveRandomNumbers(int64_t count) {
  std::lock_guard<std::mutex> lock(GlobalMutex());
  return GlobalGenerator().Reserve(count);
}

}  // namespace halite
