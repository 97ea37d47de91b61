// SPDX-License-Identifier: Apache-2.0
//
// The build gives kernels the numbers of the table: for each instruction set its own.
#include <gtest/gtest.h>

#include <array>

#include "HalideBuffer.h"

extern "C" {
int probe_sse41(void* user_context, halide_buffer_t* x, halide_buffer_t* y);
int probe_avx2(void* user_context, halide_buffer_t* x, halide_buffer_t* y);
}

namespace halite {
namespace {

float ResultForZero(int (*kernel)(void*, halide_buffer_t*, halide_buffer_t*)) {
  std::array<float, 3> x = {}, y = {};
  Halide::Runtime::Buffer<float> in(x.data(), 3), out(y.data(), 3);
  EXPECT_EQ(kernel(nullptr, in, out), 0);
  EXPECT_EQ(y[0], y[2]);
  return y[0];
}

TEST(TunedKernelTest, HasTheNumbersOfItsOwnInstructionSet) {
  EXPECT_EQ(ResultForZero(probe_sse41), 41);
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "no AVX2";
  EXPECT_EQ(ResultForZero(probe_avx2), 2);
}

}  // namespace
}  // namespace halite
