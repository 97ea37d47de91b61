// SPDX-License-Identifier: Apache-2.0
//
// Options are values from anywhere (files, users): every option of every function is given extreme
// values, one at a time. The function either refuses them with INVALID_ARGUMENT or runs, forward
// and backward; --config=ubsan looks for overflow on the way.
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "halite/core/apply.h"
#include "halite/core/variable.h"
#include "halite/ops/registry.h"
#include "halite/tests/ops/gradient_cases.h"

namespace halite::testing {
namespace {

using Ints = std::vector<int64_t>;

constexpr int64_t kLow = std::numeric_limits<int64_t>::min();
constexpr int64_t kHigh = std::numeric_limits<int64_t>::max();
constexpr int64_t kInt32 = std::numeric_limits<int32_t>::max();

constexpr int64_t kIntegers[] = {
    kLow,       kLow + 1, -kInt32 - 2, -kInt32 - 1,      -2,        -1,   0, 1, 2, 7,
    kInt32 - 1, kInt32,   kInt32 + 1,  int64_t{1} << 32, kHigh - 1, kHigh};
constexpr double kDoubles[] = {0.,
                               -1.,
                               1e300,
                               -1e300,
                               1e-320,
                               std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()};

// Extreme values of an option whose ordinary value is `value`.
std::vector<OptionValue> Extremes(const OptionValue& value) {
  std::vector<OptionValue> extremes;
  if (std::holds_alternative<bool>(value)) {
    extremes = {false, true};
  } else if (std::holds_alternative<int64_t>(value)) {
    extremes.assign(std::begin(kIntegers), std::end(kIntegers));
  } else if (std::holds_alternative<double>(value)) {
    extremes.assign(std::begin(kDoubles), std::end(kDoubles));
  } else if (std::holds_alternative<std::string>(value)) {
    extremes = {std::string(), std::string("no such")};
  } else {
    std::vector<Ints> lists = {std::get<Ints>(value)};
    if (lists[0].empty()) lists = {{1}, {1, 1}, {1, 1, 1}, {1, 1, 1, 1}};
    for (const Ints& list : lists) {
      for (size_t i = 0; i < list.size(); ++i) {
        for (int64_t integer : kIntegers) {
          Ints changed = list;
          changed[i] = integer;
          extremes.push_back(changed);
        }
      }
    }
    for (int64_t integer : kIntegers) extremes.push_back(Ints(9, integer));
    extremes.push_back(Ints());
  }
  return extremes;
}

Variable MakeInput(const FunctionDef& def, const GradientCase& test, size_t i, DType dtype) {
  const InputDef& input = def.inputs[std::min(i, def.inputs.size() - 1)];
  const bool is_index = input.kind == InputKind::kIndex;
  NdArray data(test.shapes[0][i], is_index ? DType::kInt32 : dtype);
  data.Fill(is_index ? 0 : (test.low + test.high) / 2);
  return Variable(data, !is_index && input.kind == InputKind::kData && input.differentiable &&
                            def.gradient == Gradient::kDefined);
}

// OK if nothing may be said against it.
absl::Status RunOnce(const FunctionDef& def, const GradientCase& test, const std::string& name,
                     const OptionValue& value, DType dtype) {
  std::shared_ptr<void> options = def.options.MakeDefaults();
  for (const auto& [own, own_value] : test.options) {
    EXPECT_TRUE(def.options.Set(options.get(), own, own_value).ok());
  }
  if (absl::Status status = def.options.Set(options.get(), name, value); !status.ok()) {
    return status;
  }
  std::vector<Variable> inputs;
  for (size_t i = 0; i < test.shapes[0].size(); ++i) {
    inputs.push_back(MakeInput(def, test, i, dtype));
  }
  const std::vector<Variable> outputs = ApplyAll(def, inputs, options);
  for (const Variable& output : outputs) {
    if (!output.status().ok()) return output.status();
    // What would take minutes or gigabytes to compute is only made.
    if (output.size() > 1 << 16) return absl::OkStatus();
  }
  if (absl::Status status = ForwardAll(outputs); !status.ok()) return status;
  return outputs[0].need_grad() ? outputs[0].Backward() : absl::OkStatus();
}

class OptionsTest : public ::testing::TestWithParam<GradientCase> {};

TEST_P(OptionsTest, ExtremeValuesRunOrAreRefused) {
  const FunctionDef& def = **AllFunctions().Find(GetParam().function);
  const std::shared_ptr<void> options = def.options.MakeDefaults();
  for (const auto& [name, value] : GetParam().options) {
    EXPECT_TRUE(def.options.Set(options.get(), name, value).ok());
  }
  for (const std::string& name : def.options.names()) {
    for (const OptionValue& value : Extremes(def.options.Get(options.get(), name))) {
      for (DType dtype : {DType::kFloat32, DType::kFloat64}) {
        const absl::Status status = RunOnce(def, GetParam(), name, value, dtype);
        EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument)
            << name << " = " << DebugString(value) << ": " << status;
      }
    }
  }
}

std::string CaseName(const ::testing::TestParamInfo<GradientCase>& info) {
  return info.param.function + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(AllFunctions, OptionsTest, ::testing::ValuesIn(GradientCases()), CaseName);

}  // namespace
}  // namespace halite::testing
