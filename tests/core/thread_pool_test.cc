// SPDX-License-Identifier: Apache-2.0
#include "halite/core/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace halite {
namespace {

struct Counts {
  std::vector<std::atomic<int>> seen;
  int fail_at = -1;
};

int Count(void*, int i, uint8_t* closure) {
  auto* counts = reinterpret_cast<Counts*>(closure);
  ++counts->seen[i];
  return i == counts->fail_at ? 42 : 0;
}

TEST(ThreadPoolTest, EachIterationRunsOnce) {
  for (int threads : {1, 2, 5}) {
    for (int size : {0, 1, 2, 3, 100, 1000}) {
      Counts counts{std::vector<std::atomic<int>>(size + 10)};
      EXPECT_EQ(ParallelFor(threads, Count, nullptr, 10, size, reinterpret_cast<uint8_t*>(&counts)),
                0);
      for (int i = 0; i < size + 10; ++i) EXPECT_EQ(counts.seen[i], i >= 10 ? 1 : 0);
    }
  }
}

TEST(ThreadPoolTest, AnErrorComesBack) {
  Counts counts{std::vector<std::atomic<int>>(100), 57};
  EXPECT_EQ(ParallelFor(3, Count, nullptr, 0, 100, reinterpret_cast<uint8_t*>(&counts)), 42);
}

TEST(ThreadPoolTest, WakesSleepingWorkers) {
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    Counts counts{std::vector<std::atomic<int>>(64)};
    EXPECT_EQ(ParallelFor(2, Count, nullptr, 0, 64, reinterpret_cast<uint8_t*>(&counts)), 0);
    for (const auto& seen : counts.seen) EXPECT_EQ(seen, 1);
  }
}

int Nested(void*, int, uint8_t* closure) { return ParallelFor(4, Count, nullptr, 0, 10, closure); }

TEST(ThreadPoolTest, NestedAndConcurrentLoopsFinish) {
  Counts counts{std::vector<std::atomic<int>>(10)};
  EXPECT_EQ(ParallelFor(4, Nested, nullptr, 0, 20, reinterpret_cast<uint8_t*>(&counts)), 0);
  for (const auto& seen : counts.seen) EXPECT_EQ(seen, 20);
  std::vector<std::thread> threads;
  Counts all{std::vector<std::atomic<int>>(100)};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        ParallelFor(3, Count, nullptr, 0, 100, reinterpret_cast<uint8_t*>(&all));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& seen : all.seen) EXPECT_EQ(seen, 400);
}

}  // namespace
}  // namespace halite
