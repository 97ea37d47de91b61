// SPDX-License-Identifier: Apache-2.0
//
// Whole training steps on a GPU (OpenCL, so PoCL where there is none): the same losses as on the
// CPU, and after the first step nothing moves between host and device and nothing is allocated.
#include <gtest/gtest.h>

#include "halite/core/context.h"
#include "halite/core/execution_context.h"
#include "halite/core/memory_pool.h"
#include "halite/core/random.h"
#include "halite/core/storage.h"
#include "halite/ops/activations.h"
#include "halite/ops/parametric_functions.h"
#include "halite/ops/pooling.h"
#include "halite/ops/reduce.h"
#include "halite/ops/softmax_cross_entropy.h"
#include "halite/solvers/adam.h"

namespace halite {
namespace {

namespace F = functions;
namespace PF = parametric_functions;

// Losses of `steps` steps, read at the end of each; the counters before and after the last three.
struct Result {
  std::vector<float> losses;
  int64_t transfers = 0;
  int64_t allocations = 0;
};

Result Train(const Context& context, int steps) {
  ContextScope scope(context);
  SetRandomSeed(7);
  ParameterScope parameters;
  RandomGenerator random;
  std::vector<float> pixels(8 * 64);
  random.Uniform(absl::MakeSpan(pixels), 0, 1);
  const Variable x(NdArray::From({8, 1, 8, 8}, pixels));
  const Variable t(NdArray::From({8, 1}, std::vector<int32_t>{0, 1, 2, 3, 0, 1, 2, 3}));
  Variable h = F::Relu(PF::Convolution(x, 4, {3, 3}, parameters["conv"]));
  h = F::MaxPooling(h, {2, 2});
  const Variable loss = F::Mean(F::SoftmaxCrossEntropy(PF::Affine(h, 4, parameters["affine"]), t));
  Adam solver({.alpha = 0.01});
  EXPECT_TRUE(solver.SetParameters(parameters.Parameters()).ok());

  Result result;
  const MemoryPool& pool = context.device == Device::kCpu ? MemoryPool::ForHost()
                                                          : MemoryPool::ForDevice(context.device);
  for (int step = 0; step < steps; ++step) {
    const TransferStatistics before = GetTransferStatistics();
    const int64_t allocations = pool.statistics().system_allocations;
    absl::Status status = loss.Forward({.clear_no_need_grad = true});
    EXPECT_TRUE(status.ok()) << status;
    solver.ZeroGrad();
    status = loss.Backward({.clear_buffer = true});
    EXPECT_TRUE(status.ok()) << status;
    status = solver.Update();
    EXPECT_TRUE(status.ok()) << status;
    const TransferStatistics after = GetTransferStatistics();
    if (step > 1) {
      result.transfers += after.to_device - before.to_device + after.to_host - before.to_host;
      result.allocations += pool.statistics().system_allocations - allocations;
    }
    result.losses.push_back(loss.data().ToVector<float>().value()[0]);
  }
  return result;
}

TEST(TrainingStepTest, AGpuGivesTheLossesOfTheCpuAndMovesNothing) {
  // With several threads it is a matter of luck how many of a kernel's scratch blocks are in use at
  // a time, and so when the last one is allocated.
  SetNumThreads(1);
  const Result cpu = Train(Context::Cpu(), 6);
  SetNumThreads(0);
  EXPECT_EQ(cpu.allocations, 0);
  EXPECT_LT(cpu.losses.back(), cpu.losses.front());
  for (const char* device : {"opencl", "cuda"}) {
    const auto context = Context::ByName(device);
    if (!context.ok()) continue;
    const Result gpu = Train(*context, 6);
    EXPECT_EQ(gpu.transfers, 0) << device;
    EXPECT_EQ(gpu.allocations, 0) << device;
    for (size_t i = 0; i < cpu.losses.size(); ++i) {
      EXPECT_NEAR(gpu.losses[i], cpu.losses[i], 1e-4) << device << ", step " << i;
    }
  }
  if (!CheckAvailable(Device::kOpencl).ok()) GTEST_SKIP() << CheckAvailable(Device::kOpencl);
}

}  // namespace
}  // namespace halite
