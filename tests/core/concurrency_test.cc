// SPDX-License-Identifier: Apache-2.0
//
// What threads may do at the same time: train graphs of their own, run graphs that read the same
// parameters, draw random numbers, and take memory from one pool. Results are those of one thread,
// bit for bit; --config=tsan looks for races.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "halite/core/context.h"
#include "halite/core/memory_pool.h"
#include "halite/core/random.h"
#include "halite/ops/activations.h"
#include "halite/ops/parametric_functions.h"
#include "halite/ops/pooling.h"
#include "halite/ops/random.h"
#include "halite/ops/reduce.h"
#include "halite/ops/softmax_cross_entropy.h"
#include "halite/solvers/adam.h"

namespace halite {
namespace {

namespace F = functions;
namespace PF = parametric_functions;
using Floats = std::vector<float>;

constexpr int kThreads = 4;
constexpr int64_t kBatch = 32;

#define EXPECT_OK(expression)                  \
  do {                                         \
    const absl::Status status_ = (expression); \
    EXPECT_TRUE(status_.ok()) << status_;      \
  } while (false)

// Calls work(0), ... work(kThreads - 1), each on a thread of its own.
void InThreads(const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
}

Floats Uniform(int64_t count, uint64_t seed) {
  Floats values(count);
  RandomGenerator(seed).Uniform(absl::MakeSpan(values), -1, 1);
  return values;
}

Variable Images(uint64_t seed) {
  return Variable(NdArray::From({kBatch, 1, 12, 12}, Uniform(kBatch * 144, seed)));
}

// A network whose kernels are large enough to run on several threads of the pool. `training` makes
// batch normalisation take the statistics of the batch, and write the running ones.
Variable Network(const Variable& x, const ParameterScope& scope, bool training) {
  BatchNormalizationLayerOptions normalization;
  normalization.batch_stat = training;
  Variable h = PF::Convolution(x, 8, {3, 3}, scope["conv"]);
  h = F::Relu(PF::BatchNormalization(h, scope, normalization));
  h = F::MaxPooling(h, {2, 2});
  return PF::Affine(F::Relu(PF::Affine(h, 64, scope["hidden"])), 10, scope["out"]);
}

// Sets every parameter of the network by `seed` alone.
ParameterScope Parameters(uint64_t seed) {
  ParameterScope scope;
  EXPECT_OK(Network(Images(1), scope, true).status());
  for (const NamedParameter& parameter : scope.Parameters()) {
    EXPECT_OK(parameter.variable.data().CopyFrom(
        NdArray::From(parameter.variable.shape(), Uniform(parameter.variable.size(), seed++))));
  }
  // Running statistics are filled when they are first read: do it before others read them too.
  for (const NamedParameter& parameter : scope.Parameters({.grad_only = false})) {
    EXPECT_OK(parameter.variable.data().Read<float>().status());
  }
  return scope;
}

// The losses of a few training steps. Half of the graphs are built anew in each step.
Floats Train(uint64_t seed) {
  const Context context = Context::Cpu();
  ContextScope current(context);
  const ParameterScope scope = Parameters(seed);
  Adam solver({.alpha = 0.01});
  EXPECT_OK(solver.SetParameters(scope.Parameters()));
  const Variable x = Images(seed);
  std::vector<int32_t> labels(kBatch);
  for (int64_t i = 0; i < kBatch; ++i) labels[i] = static_cast<int32_t>((i + seed) % 10);
  const Variable t(NdArray::From({kBatch, 1}, labels));
  Floats losses;
  Variable loss;
  for (int step = 0; step < 6; ++step) {
    if (step % 2 == 0 || seed % 2 == 0) {
      loss = F::Mean(F::SoftmaxCrossEntropy(Network(x, scope, true), t));
    }
    EXPECT_OK(loss.Forward({.clear_no_need_grad = true}));
    solver.ZeroGrad();
    EXPECT_OK(loss.Backward({.clear_buffer = true}));
    EXPECT_OK(solver.Update());
    losses.push_back((*loss.data().ToVector<float>())[0]);
  }
  return losses;
}

TEST(ConcurrencyTest, IndependentGraphsTrainAsAlone) {
  std::array<Floats, kThreads> together;
  // First together, so that kernels and tables are first used by all at once.
  InThreads([&](int t) { together[t] = Train(t); });
  for (int t = 0; t < kThreads; ++t) {
    EXPECT_EQ(together[t], Train(t)) << "thread " << t;
    EXPECT_TRUE(std::isfinite(together[t].back()));
  }
}

TEST(ConcurrencyTest, GraphsThatReadTheSameParameters) {
  const ParameterScope scope = Parameters(5);
  const Variable shared_images = Images(9);
  const Variable alone = Network(shared_images, scope, false);
  EXPECT_OK(alone.Forward());
  const Floats expected = *alone.data().ToVector<float>();
  InThreads([&](int t) {
    Variable y = Network(shared_images, scope, false);
    for (int round = 0; round < 10; ++round) {
      if (round % 3 == t % 3) y = Network(shared_images, scope, false);
      EXPECT_OK(y.Forward({.clear_buffer = t % 2 == 0}));
      EXPECT_EQ(*y.data().ToVector<float>(), expected);
    }
  });
}

TEST(ConcurrencyTest, RandomNumbersAreDrawnOnce) {
  SetRandomSeed(3);
  std::mutex mutex;
  std::set<Floats> draws;
  InThreads([&](int) {
    for (int round = 0; round < 20; ++round) {
      const Variable y = F::Rand({16});
      EXPECT_OK(y.Forward());
      std::lock_guard<std::mutex> lock(mutex);
      draws.insert(*y.data().ToVector<float>());
    }
  });
  EXPECT_EQ(draws.size(), size_t{kThreads * 20}) << "no two draws begin at the same number";
}

TEST(ConcurrencyTest, BlocksOfMemoryPassFromThreadToThread) {
  MemoryPool& pool = MemoryPool::ForHost();
  const size_t before = pool.statistics().bytes_in_use;
  std::array<std::mutex, 8> mutexes;
  std::array<int*, 8> places = {};  // places[i] guarded by mutexes[i]
  InThreads([&](int t) {
    for (int round = 0; round < 500; ++round) {
      const int i = (t * 3 + round) % 8;
      int* block = static_cast<int*>(*pool.Allocate(4 * (1 + round % 7 * 100)));
      *block = i;
      {
        std::lock_guard<std::mutex> lock(mutexes[i]);
        std::swap(block, places[i]);
      }
      if (block != nullptr) {
        EXPECT_EQ(*block, i);
        pool.Free(block);
      }
      if (round % 100 == 0) pool.ReleaseCached();
    }
  });
  for (int* block : places) {
    if (block != nullptr) pool.Free(block);
  }
  EXPECT_EQ(pool.statistics().bytes_in_use, before);
}

}  // namespace
}  // namespace halite
