// SPDX-License-Identifier: Apache-2.0
//
// The gradient of every function, on the CPU; and every GPU schedule against the CPU, on OpenCL
// (PoCL where there is no GPU) and on CUDA where there is a device.
#include <gtest/gtest.h>

#include "halite/ops/registry.h"
#include "halite/tests/ops/gradient_cases.h"

namespace halite::testing {
namespace {

class GradientTest : public ::testing::TestWithParam<GradientCase> {
 protected:
  const FunctionDef& def() const {
    const auto found = AllFunctions().Find(GetParam().function);
    EXPECT_TRUE(found.ok()) << found.status();
    return **found;
  }

  void CheckOn(const char* device) {
    const auto context = Context::ByName(device);
    if (!context.ok()) GTEST_SKIP() << context.status();
    CheckAgainstCpu(def(), GetParam(), *context);
  }
};

std::string CaseName(const ::testing::TestParamInfo<GradientCase>& info) {
  return info.param.function + "_" + std::to_string(info.index);
}

TEST_P(GradientTest, MatchesCentralDifferences) { CheckGradients(def(), GetParam()); }
TEST_P(GradientTest, OpenclMatchesCpu) { CheckOn("opencl"); }
TEST_P(GradientTest, CudaMatchesCpu) { CheckOn("cuda"); }

INSTANTIATE_TEST_SUITE_P(AllFunctions, GradientTest, ::testing::ValuesIn(GradientCases()),
                         CaseName);

}  // namespace
}  // namespace halite::testing
