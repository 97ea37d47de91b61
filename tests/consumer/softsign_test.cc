// SPDX-License-Identifier: Apache-2.0
#include "softsign.h"

#include <gtest/gtest.h>

#include "halite/tests/ops/gradient_check.h"

namespace consumer {
namespace {

const halite::testing::GradientCase kCase("softsign", {{{1}}, {{7}}, {{3, 67}}});

TEST(SoftsignTest, GradientMatchesCentralDifferences) {
  halite::testing::CheckGradients(SoftsignFunction(), kCase);
}

TEST(SoftsignTest, GpuScheduleMatchesCpu) {
  const auto context = halite::Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  halite::testing::CheckAgainstCpu(SoftsignFunction(), kCase, *context);
}

}  // namespace
}  // namespace consumer
