// SPDX-License-Identifier: Apache-2.0
#include "halite/core/nd_array.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "halite/core/execution_context.h"
#include "halite/core/kernel_table.h"
#include "halite/core/memory_pool.h"

namespace halite {
namespace {

using Floats = std::vector<float>;

TEST(NdArrayTest, ReadsZerosBeforeItIsWritten) {
  const NdArray a({2, 3});
  EXPECT_EQ(*a.ToVector<float>(), Floats(6, 0));
  EXPECT_FALSE(a.zeroing());
}

TEST(NdArrayTest, KnowsItsGeometry) {
  const NdArray a({10, 9, 2});
  EXPECT_EQ(a.rank(), 3);
  EXPECT_EQ(a.size(), 180);
  EXPECT_EQ(a.SizeFromAxis(), 180);
  EXPECT_EQ(a.SizeFromAxis(0), 180);
  EXPECT_EQ(a.SizeFromAxis(1), 18);
  EXPECT_EQ(a.SizeFromAxis(3), 1);
  EXPECT_EQ(a.strides(), (Shape{18, 2, 1}));
  EXPECT_EQ(NdArray().size(), 1);
}

TEST(NdArrayTest, FillsLazily) {
  NdArray a({3});
  a.Zero();
  EXPECT_TRUE(a.zeroing());
  a.Fill(2.5);
  EXPECT_FALSE(a.zeroing());
  EXPECT_EQ(*a.ToVector<float>(), Floats(3, 2.5));
  a.Zero();
  EXPECT_EQ(*a.ToVector<float>(), Floats(3, 0));
  EXPECT_TRUE(a.zeroing()) << "reading does not end it";
  ASSERT_TRUE(a.Write<float>().ok());
  EXPECT_FALSE(a.zeroing());
}

TEST(NdArrayTest, HandlesShareElements) {
  NdArray a = NdArray::From({2}, Floats{1, 2});
  NdArray b = a;
  (*b.Update<float>())[0] = 9;
  EXPECT_EQ(*a.ToVector<float>(), (Floats{9, 2}));
  NdArray c = a.Copy().value();
  (*c.Update<float>())[0] = 1;
  EXPECT_EQ(*a.ToVector<float>(), (Floats{9, 2}));
}

TEST(NdArrayTest, NarrowIsAView) {
  NdArray a = NdArray::From({3, 2}, Floats{0, 1, 2, 3, 4, 5});
  NdArray row = a.Narrow(1, 1).value();
  EXPECT_EQ(*row.ToVector<float>(), (Floats{2, 3}));
  row.Fill(7);
  EXPECT_EQ(*a.ToVector<float>(), (Floats{0, 1, 7, 7, 4, 5}));
  a.Zero();
  EXPECT_EQ(*row.ToVector<float>(), Floats(2, 0));
  EXPECT_FALSE(a.Narrow(2, 2).ok());
  EXPECT_FALSE(a.Narrow(-1, 1).ok());
}

TEST(NdArrayTest, CastsInPlace) {
  NdArray a = NdArray::From({3}, Floats{1.7f, -2.2f, 3});
  ASSERT_TRUE(a.Cast(DType::kInt32).ok());
  EXPECT_EQ(a.dtype(), DType::kInt32);
  EXPECT_EQ(*a.ToVector<int32_t>(), (std::vector<int32_t>{1, -2, 3}));
  ASSERT_TRUE(a.Cast(DType::kFloat64).ok());
  EXPECT_EQ(*a.ToVector<double>(), (std::vector<double>{1, -2, 3}));
}

TEST(NdArrayTest, RefusesOtherTypesAndSizes) {
  NdArray a({3});
  EXPECT_EQ(a.Read<double>().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(NdArray::From({2}, Floats{1}).status().ok());
  EXPECT_FALSE(a.CopyFrom(NdArray({2})).ok());
  EXPECT_FALSE(NdArray({-1}).status().ok());
  EXPECT_FALSE(NdArray({1 << 20, 1 << 20}).status().ok());
  EXPECT_FALSE(a.Reshape({2}).ok());
}

TEST(NdArrayTest, BorrowsMemory) {
  Floats memory = {1, 2, 3};
  bool released = false;
  {
    NdArray a = NdArray::Borrow<float>({3}, memory.data(), [&] { released = true; });
    (*a.Update<float>())[1] = 5;
    EXPECT_FALSE(released);
  }
  EXPECT_TRUE(released);
  EXPECT_EQ(memory, (Floats{1, 5, 3}));
}

TEST(NdArrayTest, ClearGivesMemoryBack) {
  NdArray a({1 << 20});
  ASSERT_TRUE(a.Write<float>().ok());
  const size_t before = MemoryPool::ForHost().statistics().bytes_in_use;
  a.Clear();
  EXPECT_TRUE(a.cleared());
  EXPECT_EQ(MemoryPool::ForHost().statistics().bytes_in_use, before - (size_t{4} << 20));
  EXPECT_EQ(*a.Narrow(0, 2)->ToVector<float>(), Floats(2, 0));
}

TEST(NdArrayTest, ConversionsToIntegersSaturate) {
  using Doubles = std::vector<double>;
  const double inf = std::numeric_limits<double>::infinity();
  constexpr auto low = std::numeric_limits<int32_t>::min();
  constexpr auto high = std::numeric_limits<int32_t>::max();
  const std::vector<int32_t> ints = {0, high, low, high, low, 1, -1, 0, high - 1};
  const Doubles doubles = {NAN, inf, -inf, 1e300, -1e300, 1.9, -1.9, -0.5, high - 0.5};
  const NdArray a = NdArray::From({9}, doubles);
  EXPECT_EQ(*a.ToVector<int32_t>(), ints);
  EXPECT_EQ(*a.ToVector<uint8_t>(), (std::vector<uint8_t>{0, 255, 0, 255, 0, 1, 0, 0, 255}));
  NdArray copy({9}, DType::kInt32);
  ASSERT_TRUE(copy.CopyFrom(a).ok());
  EXPECT_EQ(*copy.ToVector<int32_t>(), ints);
  NdArray cast = a.Copy().value();
  ASSERT_TRUE(cast.Cast(DType::kInt32).ok());
  EXPECT_EQ(*cast.ToVector<int32_t>(), ints);
  // The highest int32 and int64 are no floats.
  const NdArray floats = NdArray::From({3}, Floats{2147483648.f, 2147483520.f, 1e30f});
  EXPECT_EQ(*floats.ToVector<int32_t>(), (std::vector<int32_t>{high, 2147483520, high}));
  EXPECT_EQ((*floats.ToVector<int64_t>())[2], std::numeric_limits<int64_t>::max());
  NdArray filled({3}, DType::kUint8);
  for (const auto& [value, expected] : {std::pair{NAN, 0}, {-3., 0}, {300., 255}, {7.5, 7}}) {
    filled.Fill(value);
    EXPECT_EQ((*filled.ToVector<uint8_t>())[2], expected);
    filled.Narrow(0, 2)->Fill(value);
    EXPECT_EQ((*filled.ToVector<uint8_t>())[0], expected);
  }
  // From integer to integer the low bits stay.
  const NdArray wide = NdArray::From({2}, std::vector<int64_t>{(int64_t{1} << 32) + 3, -1});
  EXPECT_EQ(*wide.ToVector<uint8_t>(), (std::vector<uint8_t>{3, 255}));
}

TEST(NdArrayTest, VersionRisesWithWrites) {
  NdArray a({1});
  const uint64_t v = a.version();
  ASSERT_TRUE(a.Write<float>().ok());
  EXPECT_GT(a.version(), v);
  const uint64_t w = a.version();
  ASSERT_TRUE(a.Read<float>().ok());
  EXPECT_EQ(a.version(), w);
}

TEST(MemoryPoolTest, ReusesBlocksAndKeepsTheCeiling) {
  MemoryPool& pool = MemoryPool::ForHost();
  pool.ReleaseCached();
  void* block = *pool.Allocate(1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
  const int64_t allocations = pool.statistics().system_allocations;
  pool.Free(block);
  EXPECT_EQ(*pool.Allocate(1000), block);
  EXPECT_EQ(pool.statistics().system_allocations, allocations);
  pool.Free(block);
  pool.SetCeiling(pool.statistics().bytes_in_use + 4096);
  EXPECT_EQ(pool.Allocate(1 << 20).status().code(), absl::StatusCode::kResourceExhausted);
  pool.SetCeiling(0);
  for (size_t bytes : {0, 1, 64, 65, 511, 512, 513, 4095, 65537, 1000001}) {
    void* b = *pool.Allocate(bytes);
    std::fill_n(static_cast<char*>(b), bytes, 'x');
    pool.Free(b);
  }
}

#ifdef __SANITIZE_ADDRESS__
// What --config=asan promises: blocks end where they were asked to, also for kernels.
TEST(MemoryPoolDeathTest, AddressSanitizerSeesTheEndsOfBlocks) {
  MemoryPool& pool = MemoryPool::ForHost();
  char* block = static_cast<char*>(*pool.Allocate(13));
  const auto read = [&](int i) { return *const_cast<volatile char*>(block + i); };
  read(12);
  EXPECT_DEATH(read(13), "AddressSanitizer");
  EXPECT_DEATH(read(-1), "AddressSanitizer");
  pool.Free(block);
  EXPECT_DEATH(read(0), "AddressSanitizer");
}

TEST(MemoryPoolDeathTest, AddressSanitizerSeesIntoKernels) {
  NdArray array({100});
  ASSERT_TRUE(array.Write<float>().ok());
  halide_dimension_t dim(0, 100, 1);
  halide_buffer_t buffer = {};
  buffer.type = HalideType(DType::kFloat32);
  buffer.dimensions = 1;
  buffer.dim = &dim;
  buffer.host = reinterpret_cast<uint8_t*>(array.storage().host());
  ExecutionContext context;
  void* user_context = &context;
  float value = 3;
  void* args[] = {&user_context, &value, &buffer};
  const Kernel* fill = FindKernel("fill_f32_cpu");
  ASSERT_NE(fill, nullptr);
  EXPECT_EQ(fill->argv(args), 0);
  dim.extent = 101;
  EXPECT_DEATH(fill->argv(args), "AddressSanitizer");
}
#endif

}  // namespace
}  // namespace halite
