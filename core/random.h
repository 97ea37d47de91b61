// SPDX-License-Identifier: Apache-2.0
//
// Random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011), counter-based, so every machine and device makes the same integers.
//
// A generator is a key (the seed) and an offset. A draw of n numbers takes ceil(n / 4) blocks from
// the offset on: number i is word i % 4 of the block at counter offset + i / 4. Uniform numbers are
// word >> 8 times 2^-24, in [0, 1). Normal ones come in pairs by Box and Muller.
#ifndef HALITE_CORE_RANDOM_H_
#define HALITE_CORE_RANDOM_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace halite {

// One block: four words.
std::array<uint32_t, 4> Philox(uint64_t key, uint64_t counter);

struct RandomState {
  uint64_t seed = 313;
  uint64_t offset = 0;
};

// Thread-compatible.
class RandomGenerator {
 public:
  explicit RandomGenerator(uint64_t seed = 313) { state_.seed = seed; }

  // Reserves the blocks of `count` numbers and returns where they begin.
  RandomState Reserve(int64_t count);

  // Fills `values` with uniform numbers in [low, high).
  void Uniform(absl::Span<float> values, float low, float high);
  // Fills `values` with normal numbers.
  void Normal(absl::Span<float> values, float mean, float deviation);
  // A number in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound);
  // Puts `values` in random order (Fisher and Yates).
  void Shuffle(std::vector<int64_t>& values);

  const RandomState& state() const { return state_; }
  void set_state(const RandomState& state) { state_ = state; }

 private:
  RandomState state_;
};

// The generator of the whole program: functions without a seed of their own and initialisers draw
// from it. These calls are thread-safe.
void SetRandomSeed(uint64_t seed);
RandomState GetRandomState();
void SetRandomState(const RandomState& state);
// Reserves from it.
RandomState ReserveRandomNumbers(int64_t count);

}  // namespace halite

#endif  // HALITE_CORE_RANDOM_H_
