// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/peak.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "halite/core/instruction_set.h"

namespace halite::bench {
namespace {

// Independent chains: enough to hide the latency of two FMA units.
constexpr int kChains = 12;
constexpr int kRounds = 1000000;  // 2 ms: less than what other programs are given at a time

__attribute__((target("avx512f"))) float FmaAvx512() {
  __m512 sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = _mm512_set1_ps(static_cast<float>(c));
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (int i = 0; i < kRounds; ++i) {
    for (int c = 0; c < kChains; ++c) sums[c] = _mm512_fmadd_ps(sums[c], a, b);
  }
  float lanes[16], result = 0;
  for (int c = 0; c < kChains; ++c) {
    _mm512_storeu_ps(lanes, sums[c]);
    for (float lane : lanes) result += lane;
  }
  return result;
}

__attribute__((target("avx2,fma"))) float FmaAvx2() {
  __m256 sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = _mm256_set1_ps(static_cast<float>(c));
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (int i = 0; i < kRounds; ++i) {
    for (int c = 0; c < kChains; ++c) sums[c] = _mm256_fmadd_ps(sums[c], a, b);
  }
  float lanes[8], result = 0;
  for (int c = 0; c < kChains; ++c) {
    _mm256_storeu_ps(lanes, sums[c]);
    for (float lane : lanes) result += lane;
  }
  return result;
}

float FmaSse() {
  __m128 sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = _mm_set1_ps(static_cast<float>(c));
  const __m128 a = _mm_set1_ps(0.999f), b = _mm_set1_ps(0.001f);
  for (int i = 0; i < kRounds; ++i) {
    for (int c = 0; c < kChains; ++c) sums[c] = _mm_add_ps(_mm_mul_ps(sums[c], a), b);
  }
  float lanes[4], result = 0;
  for (int c = 0; c < kChains; ++c) {
    _mm_storeu_ps(lanes, sums[c]);
    for (float lane : lanes) result += lane;
  }
  return result;
}

// Best seconds of `rounds` runs of `work` on all threads at once.
double Seconds(int threads, int rounds, const std::function<void(int)>& work) {
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(work, t);
    work(0);
    for (std::thread& thread : others) thread.join();
    const auto end = std::chrono::steady_clock::now();
    best = std::min(best, std::chrono::duration<double>(end - start).count());
  }
  return best;
}

}  // namespace

Peak MeasurePeak(int threads) {
  Peak peak;
  volatile float sink = 0;
  const InstructionSet set = CurrentInstructionSet();
  const int lanes = set >= InstructionSet::kAvx512 ? 16 : set == InstructionSet::kAvx2 ? 8 : 4;
  const double fma = Seconds(threads, 30, [&](int) {
    sink = lanes == 16 ? FmaAvx512() : lanes == 8 ? FmaAvx2() : FmaSse();
  });
  peak.gflops = 2.0 * lanes * kChains * kRounds * threads / fma * 1e-9;

  constexpr size_t kElements = 16 << 20;  // 64 MB an array
  std::vector<float> a(kElements), b(kElements, 1), c(kElements, 2);
  const double triad = Seconds(threads, 30, [&](int t) {
    const size_t begin = kElements / threads * t, end = kElements / threads * (t + 1);
    float* to = a.data();
    const float *x = b.data(), *y = c.data();
    for (size_t i = begin; i < end; ++i) to[i] = x[i] + 3 * y[i];
  });
  sink = a[kElements / 2];
  peak.gigabytes = 3.0 * sizeof(float) * kElements / triad * 1e-9;
  return peak;
}

}  // namespace halite::bench
