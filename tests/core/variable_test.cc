// SPDX-License-Identifier: Apache-2.0
//
// The rules of graphs: order, accumulation, clearing, in-place use, errors.
#include "halite/core/variable.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "halite/core/apply.h"
#include "halite/core/memory_pool.h"
#include "halite/ops/activations.h"
#include "halite/ops/arithmetic.h"
#include "halite/ops/array.h"
#include "halite/ops/reduce.h"

namespace halite {
namespace {

namespace F = functions;
using Floats = std::vector<float>;

Variable Root(const Floats& values, bool need_grad = true) {
  return Variable(NdArray::From({static_cast<int64_t>(values.size())}, values), need_grad);
}

Floats Read(const NdArray& array) {
  auto values = array.ToVector<float>();
  EXPECT_TRUE(values.ok()) << values.status();
  return values.ok() ? *values : Floats();
}

#define EXPECT_OK(expression)                  \
  do {                                         \
    const absl::Status status_ = (expression); \
    EXPECT_TRUE(status_.ok()) << status_;      \
  } while (false)

TEST(ForwardTest, ComputesSharedPartsOnce) {
  const Variable x = Root({1, 2});
  const Variable a = F::MulScalar(x, 2);
  const Variable y = a + F::AddScalar(a, 1);
  std::vector<std::string> order;
  ForwardOptions options;
  options.pre_hook = [&](const Function& f) { order.push_back(f.name()); };
  EXPECT_OK(y.Forward(options));
  EXPECT_EQ(order, (std::vector<std::string>{"mul_scalar", "add_scalar", "add2"}));
  EXPECT_EQ(Read(y.data()), (Floats{5, 9}));
}

TEST(ForwardTest, ForwardAllSharesWork) {
  const Variable a = F::MulScalar(Root({1}), 2);
  const Variable y = F::AddScalar(a, 1), z = F::AddScalar(a, 2);
  int calls = 0;
  ForwardOptions options;
  options.clear_buffer = true;
  options.post_hook = [&](const Function&) { ++calls; };
  EXPECT_OK(ForwardAll({y, z, a}, options));
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(Read(y.data()), Floats{3});
  EXPECT_EQ(Read(z.data()), Floats{4});
  EXPECT_EQ(Read(a.data()), Floats{2}) << "a target is kept";
}

TEST(ForwardTest, RootIsAnError) {
  EXPECT_EQ(Root({1}).Forward().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Root({1}).Backward().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ForwardTest, FollowsANewShapeOfARoot) {
  const Variable x = Root({1, 2});
  const Variable y = F::Relu(F::MulScalar(x, -3));
  EXPECT_OK(y.Forward());
  EXPECT_OK(x.ResetShape({3}));
  EXPECT_OK(x.data().CopyFrom(NdArray::From({3}, Floats{-1, 0, 1})));
  EXPECT_OK(y.Forward());
  EXPECT_EQ(y.shape(), Shape{3});
  EXPECT_EQ(Read(y.data()), (Floats{3, 0, 0}));
  EXPECT_OK(y.Backward());
  EXPECT_EQ(Read(x.grad()), (Floats{-3, 0, 0}));
}

TEST(ForwardTest, NewDataInARootIsSeen) {
  const Variable x = Root({1});
  const Variable y = F::MulScalar(x, 2);
  EXPECT_OK(y.Forward());
  EXPECT_OK(x.SetData(NdArray::From({1}, Floats{5})));
  EXPECT_OK(y.Forward());
  EXPECT_EQ(Read(y.data()), Floats{10});
  EXPECT_FALSE(x.SetData(NdArray({2})).ok());
  EXPECT_FALSE(x.SetData(NdArray({1}, DType::kFloat64)).ok());
}

TEST(ErrorTest, TravelsThroughTheGraphWithNameAndShapes) {
  const Variable y = F::Relu(Root({1, 2}) + Root({1, 2, 3}));
  const Variable z = F::Exp(y) + Root({1});
  EXPECT_EQ(z.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      z.status().message(),
      "add2: x0 [2] and x1 [3]: equal ranks, and in each dimension equal extents or 1 needed");
  EXPECT_EQ(z.Forward(), z.status());
  EXPECT_EQ(z.Backward(), z.status());
}

TEST(ErrorTest, MixedTypesAndMissingGradients) {
  const Variable x = Root({1}), d(NdArray({1}, DType::kFloat64));
  EXPECT_EQ((x + d).status().message(), "add2: x1 of type f64: type f32 as its first input needed");
  const Variable y = F::Greater(x, x);
  EXPECT_OK(y.Forward());
  EXPECT_EQ(y.Backward().code(), absl::StatusCode::kUnimplemented);
}

TEST(ErrorTest, AKernelWithoutMemoryNamesItselfAndItsShapes) {
  const Variable x(Shape{300000}, true);
  x.data().Fill(0.5);
  const Variable y = F::Sum(x);  // its kernel keeps partial sums
  EXPECT_OK(y.Forward());
  MemoryPool& pool = MemoryPool::ForHost();
  pool.ReleaseCached();
  pool.SetCeiling(pool.statistics().bytes_in_use);
  const absl::Status status = y.Forward();
  pool.SetCeiling(0);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  for (const char* part : {"sum_f32_cpu", "[300000]", "(in sum"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
  }
  EXPECT_OK(y.Forward());
  EXPECT_EQ(Read(y.data()), Floats{150000});
}

TEST(BackwardTest, RootsAccumulateAndIntermediatesDoNot) {
  const Variable x = Root({3});
  const Variable a = F::MulScalar(x, 2);
  const Variable y = F::MulScalar(a, 5);
  EXPECT_OK(y.Forward());
  EXPECT_OK(y.Backward());
  EXPECT_OK(y.Backward());
  EXPECT_EQ(Read(x.grad()), Floats{20});
  EXPECT_EQ(Read(a.grad()), Floats{5});
  x.grad().Zero();
  EXPECT_TRUE(x.grad().zeroing());
  EXPECT_OK(y.Backward());
  EXPECT_FALSE(x.grad().zeroing());
  EXPECT_EQ(Read(x.grad()), Floats{10});
}

TEST(BackwardTest, AVariableUsedSeveralTimesGetsTheSum) {
  const Variable x = Root({3});
  const Variable y = x * x + x;
  EXPECT_OK(y.Forward());
  EXPECT_OK(y.Backward());
  EXPECT_EQ(Read(x.grad()), Floats{7});
  const Variable a = F::MulScalar(x, 1);
  const Variable z = a * a * a;
  x.grad().Zero();
  EXPECT_OK(z.Forward());
  EXPECT_OK(z.Backward());
  EXPECT_EQ(Read(x.grad()), Floats{27});
}

TEST(BackwardTest, StartsFromWhatIsAsked) {
  const Variable x = Root({1, 1});
  const Variable y = F::MulScalar(x, 2);
  EXPECT_OK(y.Forward());
  EXPECT_OK(y.grad().CopyFrom(NdArray::From({2}, Floats{10, 20})));
  BackwardOptions options;
  options.grad = 3;
  x.grad().Zero();
  EXPECT_OK(y.Backward(options));
  EXPECT_EQ(Read(x.grad()), (Floats{6, 6}));
  EXPECT_EQ(Read(y.grad()), (Floats{10, 20})) << "its own gradient stays";
  options.grad_array = NdArray::From({2}, Floats{1, -1});
  x.grad().Zero();
  EXPECT_OK(y.Backward(options));
  EXPECT_EQ(Read(x.grad()), (Floats{2, -2}));
  EXPECT_EQ(Read(*options.grad_array), (Floats{1, -1}));
  options = BackwardOptions();
  options.use_stored_grad = true;
  x.grad().Zero();
  EXPECT_OK(y.Backward(options));
  EXPECT_EQ(Read(x.grad()), (Floats{20, 40}));
  options = BackwardOptions();
  options.grad_array = NdArray({3});
  EXPECT_EQ(y.Backward(options).code(), absl::StatusCode::kInvalidArgument);
}

TEST(BackwardTest, StopsWhereNoGradientIsNeeded) {
  const Variable x = Root({2}), w = Root({3}, false);
  const Variable a = x * w;
  const Variable y = a * w;
  EXPECT_OK(y.Forward());
  x.grad().Fill(7);
  w.grad().Fill(7);
  a.SetNeedGrad(false);
  EXPECT_FALSE(y.need_grad());
  EXPECT_OK(y.Backward());
  EXPECT_EQ(Read(x.grad()), Floats{7});
  EXPECT_EQ(Read(w.grad()), Floats{7});
  a.SetNeedGrad(true);
  x.grad().Zero();
  EXPECT_OK(y.Backward());
  EXPECT_EQ(Read(x.grad()), Floats{9});
}

TEST(BackwardTest, NothingPassesAnUnlinkedVariable) {
  const Variable x = Root({2});
  const Variable a = F::MulScalar(x, 3);
  const Variable u = a.Unlinked();
  const Variable y = F::MulScalar(u, 5);
  EXPECT_TRUE(u.is_root());
  EXPECT_OK(a.Forward());
  EXPECT_OK(y.Forward());
  EXPECT_EQ(Read(y.data()), Floats{30}) << "data is shared";
  x.grad().Fill(7);
  EXPECT_OK(y.Backward());
  EXPECT_EQ(Read(x.grad()), Floats{7});
  EXPECT_EQ(Read(a.grad()), Floats{5}) << "the gradient array is shared";
}

TEST(BackwardTest, SiblingOutputsThatNobodyUsesCountAsZero) {
  const Variable x(NdArray::From({3}, Floats{1, 2, 3}), true);
  const std::vector<Variable> parts = F::Split(x);
  const Variable y = F::MulScalar(parts[1], 4);
  EXPECT_OK(y.Forward());
  EXPECT_OK(parts[0].grad().CopyFrom(NdArray::From({}, Floats{NAN})));
  EXPECT_OK(y.Backward());
  EXPECT_EQ(Read(x.grad()), (Floats{0, 4, 0}));
}

TEST(BackwardTest, CallsHooksAndTheCommunicator) {
  const Variable y = F::Exp(F::MulScalar(Root({1}), 2));
  EXPECT_OK(y.Forward());
  std::vector<std::string> order;
  int calls = 0;
  BackwardOptions options;
  options.pre_hook = [&](const Function& f) { order.push_back("pre " + f.name()); };
  options.post_hook = [&](const Function& f) { order.push_back("post " + f.name()); };
  options.communicator_callback = [&] { ++calls; };
  EXPECT_OK(y.Backward(options));
  EXPECT_EQ(order,
            (std::vector<std::string>{"pre exp", "post exp", "pre mul_scalar", "post mul_scalar"}));
  EXPECT_EQ(calls, 3) << "after each function and at the end";
}

TEST(ClearTest, ClearBufferDropsAllIntermediateData) {
  const Variable x = Root({1, 2});
  const Variable a = F::MulScalar(x, 2), b = F::Exp(a), y = F::AddScalar(b, 1);
  ForwardOptions options;
  options.clear_buffer = true;
  EXPECT_OK(y.Forward(options));
  EXPECT_TRUE(a.data().cleared());
  EXPECT_TRUE(b.data().cleared());
  EXPECT_FALSE(x.data().cleared());
  EXPECT_FALSE(y.data().cleared());
  const absl::Status status = y.Backward();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

TEST(ClearTest, ClearNoNeedGradKeepsWhatGradientsRead) {
  const Variable x = Root({1, 2});
  // exp needs its output, mul_scalar and add_scalar need nothing, log needs its input.
  const Variable a = F::MulScalar(x, 2), b = F::Exp(a), c = F::AddScalar(b, 1), y = F::Log(c);
  ForwardOptions options;
  options.clear_no_need_grad = true;
  EXPECT_OK(y.Forward(options));
  EXPECT_TRUE(a.data().cleared());
  EXPECT_FALSE(b.data().cleared());
  EXPECT_FALSE(c.data().cleared());
  EXPECT_OK(y.Backward());
  // d log(exp(2x) + 1) / dx = 2 exp(2x) / (exp(2x) + 1).
  const Floats g = Read(x.grad());
  EXPECT_NEAR(g[0], 2 * std::exp(2.) / (std::exp(2.) + 1), 1e-5);
  EXPECT_NEAR(g[1], 2 * std::exp(4.) / (std::exp(4.) + 1), 1e-5);
}

TEST(ClearTest, ManyInputsAndOutputs) {
  const Variable x(Shape{70, 2}, true);
  x.data().Fill(1);
  std::vector<Variable> parts;
  for (const Variable& part : F::Split(x)) parts.push_back(F::Exp(part));
  const Variable y = F::Concatenate(parts, {.axis = 0});
  EXPECT_OK(y.Forward({.clear_no_need_grad = true}));
  EXPECT_OK(y.Backward());
  EXPECT_NEAR(Read(x.grad())[139], std::exp(1.), 1e-6);
}

TEST(ClearTest, PersistentDataAndDataOfOtherConsumersStay) {
  const Variable x = Root({1});
  const Variable a = F::MulScalar(x, 2), b = F::MulScalar(a, 2), y = F::MulScalar(b, 2);
  const Variable other = F::AddScalar(b, 1);
  a.SetPersistent(true);
  ForwardOptions options;
  options.clear_buffer = true;
  EXPECT_OK(y.Forward(options));
  EXPECT_FALSE(a.data().cleared());
  EXPECT_FALSE(b.data().cleared()) << "another function of the graph reads it";
}

TEST(ClearTest, BackwardDropsDataAndGradientsOfIntermediates) {
  const Variable x = Root({1});
  const Variable a = F::Exp(x), b = F::Exp(a), y = F::Exp(b);
  b.SetPersistent(true);
  EXPECT_OK(y.Forward());
  BackwardOptions options;
  options.clear_buffer = true;
  EXPECT_OK(y.Backward(options));
  EXPECT_TRUE(a.data().cleared());
  EXPECT_TRUE(a.grad().cleared());
  EXPECT_FALSE(b.data().cleared());
  EXPECT_FALSE(b.grad().cleared());
  EXPECT_FALSE(y.data().cleared());
  EXPECT_FALSE(x.data().cleared());
  EXPECT_FALSE(x.grad().cleared());
}

TEST(InPlaceTest, AClearedInputHandsItsMemoryOver) {
  const Variable x(Shape{1 << 20});
  x.data().Fill(1);
  Variable y = x;
  for (int i = 0; i < 20; ++i) y = F::AddScalar(y, 1);
  ForwardOptions options;
  options.clear_buffer = true;
  MemoryPool::ForHost().ReleaseCached();
  const size_t before = MemoryPool::ForHost().statistics().bytes_in_use;
  EXPECT_OK(y.Forward(options));
  const MemoryStatistics after = MemoryPool::ForHost().statistics();
  EXPECT_LE(after.bytes_in_use, before + 2 * (size_t{4} << 20)) << "x and y, nothing else";
  EXPECT_EQ(Read(y.data())[12345], 21);
  EXPECT_OK(y.Forward(options));
  EXPECT_EQ(Read(y.data())[12345], 21);
}

TEST(InPlaceTest, AnInputThatIsReadAgainIsNotOverwritten) {
  const Variable x = Root({2});
  const Variable a = F::MulScalar(x, 3);
  const Variable b = F::AddScalar(a, 1);
  const Variable y = b * a;
  ForwardOptions options;
  options.clear_buffer = true;
  EXPECT_OK(y.Forward(options));
  EXPECT_EQ(Read(y.data()), Floats{42});
  const Variable square = F::MulScalar(x, 3);
  const Variable z = square * square;
  EXPECT_OK(z.Forward(options));
  EXPECT_EQ(Read(z.data()), Floats{36});
}

TEST(InPlaceTest, ReshapeSharesMemoryAndClearingRespectsIt) {
  const Variable x = Root({1, 2, 3, 4});
  const Variable a = F::MulScalar(x, 2);
  const Variable r = F::Reshape(a, {2, 2});
  const Variable y = F::AddScalar(r, 1);
  EXPECT_OK(y.Forward());
  EXPECT_TRUE(r.data().SharesMemoryWith(a.data()));
  ForwardOptions options;
  options.clear_buffer = true;
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(y.Forward(options));
    EXPECT_EQ(Read(y.data()), (Floats{3, 5, 7, 9}));
  }
}

TEST(RewireTest, TakesArraysAndFunctionOfTheOther) {
  const Variable x = Root({2});
  const Variable h = Variable(Shape{1});
  const Variable y = F::MulScalar(h, 10);
  const Variable a = F::AddScalar(x, 1);
  EXPECT_OK(h.RewireOn(a));
  EXPECT_FALSE(h.is_root());
  EXPECT_TRUE(a.is_root());
  EXPECT_OK(y.Forward());
  EXPECT_EQ(Read(y.data()), Floats{30});
  EXPECT_FALSE(h.RewireOn(Root({1, 2})).ok());
}

TEST(RewireTest, APlanThatWasMadeBeforeIsMadeAnew) {
  const Variable x = Root({2});
  const Variable h = F::AddScalar(x, 1);
  const Variable y = F::MulScalar(h, 10);
  EXPECT_OK(y.Forward());
  EXPECT_OK(h.RewireOn(F::AddScalar(x, 5)));
  EXPECT_OK(y.Forward());
  EXPECT_EQ(Read(y.data()), Floats{70});
}

TEST(DeepGraphTest, HundredThousandFunctions) {
  constexpr int kDepth = 100000;
  const Variable x = Root({1});
  {
    Variable y = x;
    for (int i = 0; i < kDepth; ++i) y = F::AddScalar(y, 1);
    EXPECT_OK(y.Forward());
    EXPECT_EQ(Read(y.data()), Floats{kDepth + 1});
    EXPECT_OK(y.Backward());
    EXPECT_TRUE(y.need_grad());
  }
  EXPECT_EQ(Read(x.grad()), Floats{1});
}

TEST(AutoForwardTest, ComputesWhileBuilding) {
  AutoForwardScope now;
  const Variable x = Root({1, -2});
  const Variable y = F::Relu(F::MulScalar(x, 3));
  EXPECT_EQ(Read(y.data()), (Floats{3, 0}));
  EXPECT_OK(y.Backward());
  EXPECT_EQ(Read(x.grad()), (Floats{3, 0}));
  {
    AutoForwardScope later(false);
    EXPECT_FALSE(GetAutoForward());
  }
  EXPECT_TRUE(GetAutoForward());
}

TEST(ImperativeTest, ArraysGiveArraysAndCarryErrors) {
  const NdArray x = NdArray::From({2}, Floats{1, 2});
  EXPECT_EQ(Read(F::Relu(x) + x), (Floats{2, 4}));
  EXPECT_EQ(Read(F::Mul2(x, Root({5, 6}))), (Floats{5, 12}));
  const NdArray bad = x + NdArray({3});
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(F::Relu(bad).status(), bad.status());
  EXPECT_FALSE(bad.Read<float>().ok());
}

TEST(EmptyTest, ArraysWithoutElementsPassThrough) {
  const Variable x(Shape{0, 3}, true);
  const Variable y = F::Exp(F::MulScalar(x, 2)) + x;
  EXPECT_OK(y.Forward());
  EXPECT_OK(y.Backward());
  EXPECT_EQ(y.shape(), (Shape{0, 3}));
}

TEST(ThreadTest, IndependentGraphsRunInParallel) {
  const Variable w = Root({1, 2, 3, 4}, false);  // read by all
  EXPECT_TRUE(w.data().Read<float>().ok());
  std::vector<std::thread> threads;
  std::vector<int> good(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 50; ++round) {
        const Variable x(Shape{4}, true);
        x.data().Fill(t + round);
        const Variable y = F::Relu(x * w) + x;
        if (!y.Forward().ok() || !y.Backward().ok()) return;
        if (Read(x.grad()) != Floats{2, 3, 4, 5} && t + round > 0) return;
      }
      good[t] = 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, std::vector<int>(4, 1));
}

TEST(AllocationTest, StepsAfterTheFirstAskNothingOfTheSystem) {
  const Variable x(Shape{1000}, true);
  x.data().Fill(0.5);
  const Variable y = F::Exp(F::Relu(x * x)) + F::MulScalar(x, 3);
  ForwardOptions forward;
  forward.clear_no_need_grad = true;
  BackwardOptions backward;
  backward.clear_buffer = true;
  int64_t allocations = 0;
  for (int step = 0; step < 5; ++step) {
    x.grad().Zero();
    EXPECT_OK(y.Forward(forward));
    EXPECT_OK(y.Backward(backward));
    const int64_t now = MemoryPool::ForHost().statistics().system_allocations;
    if (step > 1) {
      EXPECT_EQ(now, allocations) << "step " << step;
    }
    allocations = now;
  }
}

// Functions of one input that go element by element hand their gradient's memory on.
TEST(AllocationTest, ElementwiseGradientsWorkInPlace) {
  const int64_t n = 100000;
  const auto graph = [&](const Variable& x) {
    return F::Sum(F::MulScalar(F::Exp(F::MulScalar(F::Exp(F::MulScalar(x, 2)), 0.5)), 3));
  };
  const Variable x(Shape{n}, true), kept(Shape{n}, true);
  x.data().Fill(0.1);
  kept.data().Fill(0.1);
  ForwardOptions forward;
  forward.clear_no_need_grad = true;
  BackwardOptions backward;
  backward.clear_buffer = true;
  const Variable y = graph(x), z = graph(kept);
  MemoryPool& pool = MemoryPool::ForHost();
  for (int step = 0; step < 2; ++step) {
    x.grad().Zero();
    EXPECT_OK(y.Forward(forward));
    pool.ResetPeak();
    const size_t before = pool.statistics().peak_bytes_in_use;
    EXPECT_OK(y.Backward(backward));
    // One array travels from y to x, whose own gradient is there from step 0 on.
    if (step > 0) {
      EXPECT_LE(pool.statistics().peak_bytes_in_use, before + n * 4 * 9 / 8 + 1000);
    }
  }
  // The same gradients as where every array stays.
  kept.grad().Zero();
  EXPECT_OK(z.Forward());
  EXPECT_OK(z.Backward());
  EXPECT_EQ(Read(x.grad()), Read(kept.grad()));
}

// A gradient that is part of other memory stays there.
TEST(AllocationTest, AGradientInOtherMemoryIsWrittenThere) {
  const Variable x(Shape{3}, true);
  x.data().Fill(2);
  const Variable h = F::MulScalar(x, 3);
  NdArray memory(Shape{5});
  memory.Zero();
  EXPECT_OK(h.SetGrad(memory.Narrow(1, 3).value()));
  bool seen = false;
  BackwardOptions backward;
  backward.clear_buffer = true;
  backward.pre_hook = [&](const Function& function) {
    if (function.name() != "mul_scalar") return;
    seen = seen || Read(memory) == Floats{0, 4, 4, 4, 0};
  };
  const Variable y = F::Sum(F::MulScalar(F::MulScalar(h, 2), 2));
  EXPECT_OK(y.Forward());
  EXPECT_OK(y.Backward(backward));
  EXPECT_TRUE(seen);
  EXPECT_EQ(Read(x.grad()), (Floats{12, 12, 12}));
}

}  // namespace
}  // namespace halite
