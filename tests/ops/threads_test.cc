// SPDX-License-Identifier: Apache-2.0
//
// Results do not depend on the number of threads: every case of the benchmark, forward and
// backward, with 1, 2 and 5 threads, bit for bit.
#include <gtest/gtest.h>

#include <cstring>

#include "halite/core/apply.h"
#include "halite/core/execution_context.h"
#include "halite/core/random.h"
#include "halite/ops/registry.h"
#include "tests/bench/cases.h"

namespace halite {
namespace {

// Large enough for several tasks in every kernel, small enough for a test: at most this many
// elements, by cutting the outermost axis of cases whose inputs share it.
constexpr int64_t kMaxElements = 1 << 20;

class ThreadsTest : public ::testing::TestWithParam<bench::Case> {};

std::vector<std::vector<float>> Results(const bench::Case& test, int threads) {
  SetNumThreads(threads);
  SetRandomSeed(1);
  const FunctionDef& def = **AllFunctions().Find(test.function);
  RandomGenerator random;
  std::vector<Variable> inputs;
  for (size_t i = 0; i < test.shapes.size(); ++i) {
    const InputDef& input = def.inputs[std::min(i, def.inputs.size() - 1)];
    std::vector<float> values(Size(test.shapes[i]));
    random.Uniform(absl::MakeSpan(values), 0.01f, 1);
    const bool is_index = input.kind == InputKind::kIndex;
    for (float& value : values) {
      if (is_index) value *= static_cast<float>(test.index_bound);
    }
    NdArray data = NdArray::From(test.shapes[i], values);
    if (is_index) {
      EXPECT_TRUE(data.Cast(DType::kInt32).ok());
    }
    inputs.emplace_back(data, input.kind == InputKind::kData && input.differentiable &&
                                  def.gradient == Gradient::kDefined);
  }
  std::shared_ptr<void> options = def.options.MakeDefaults();
  for (const auto& [name, value] : test.options) {
    EXPECT_TRUE(def.options.Set(options.get(), name, value).ok());
  }
  const Variable y = ApplyAll(def, inputs, options)[0];
  absl::Status status = y.Forward();
  EXPECT_TRUE(status.ok()) << status;
  status = y.Backward();
  EXPECT_TRUE(status.ok() || def.gradient != Gradient::kDefined) << status;
  std::vector<std::vector<float>> results = {*y.data().ToVector<float>()};
  for (const Variable& input : inputs) results.push_back(*input.grad().ToVector<float>());
  SetNumThreads(0);
  return results;
}

TEST_P(ThreadsTest, BitForBit) {
  int64_t elements = 0;
  for (const Shape& shape : GetParam().shapes) elements = std::max(elements, Size(shape));
  bench::Case test = GetParam();
  // Fewer samples are the same code. The weights of a convolution have no axis of samples.
  const int64_t samples = test.shapes.empty() || test.shapes[0].empty() ? 0 : test.shapes[0][0];
  for (size_t i = 0; i < test.shapes.size(); ++i) {
    Shape& shape = test.shapes[i];
    const bool has_samples = shape.size() == 4 && shape[0] == samples && samples >= 16;
    if (elements > kMaxElements && has_samples && (i == 0 || test.function != "convolution")) {
      shape[0] /= 8;
    }
  }
  const auto one = Results(test, 1);
  for (int threads : {2, 5}) {
    const auto many = Results(test, threads);
    ASSERT_EQ(one.size(), many.size());
    for (size_t i = 0; i < one.size(); ++i) {
      ASSERT_EQ(one[i].size(), many[i].size());
      EXPECT_EQ(std::memcmp(one[i].data(), many[i].data(), one[i].size() * sizeof(float)), 0)
          << threads << " threads, array " << i;
    }
  }
}

std::string CaseName(const ::testing::TestParamInfo<bench::Case>& info) {
  return info.param.function + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(BenchCases, ThreadsTest, ::testing::ValuesIn(bench::Cases()), CaseName);

}  // namespace
}  // namespace halite
