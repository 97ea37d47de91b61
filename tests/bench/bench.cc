// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bench.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "halite/core/apply.h"
#include "halite/core/random.h"
#include "halite/ops/registry.h"

namespace halite::bench {
namespace {

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  std::exit(1);
}

bool Wants(Pass pass, size_t input) {
  return pass == Pass::kBackward || (input == 0) == (pass == Pass::kBackwardData);
}

Variable RandomInput(const InputDef& input, const Shape& shape, int64_t index_bound, bool wanted,
                     RandomGenerator& random) {
  std::vector<float> values(Size(shape));
  random.Uniform(absl::MakeSpan(values), 0.01f, 1);
  const bool is_index = input.kind == InputKind::kIndex;
  if (is_index) {
    for (float& value : values) value *= static_cast<float>(index_bound);
  }
  NdArray data = NdArray::From(shape, values);
  if (is_index) Check(data.Cast(DType::kInt32));
  return Variable(data, wanted && input.kind == InputKind::kData && input.differentiable);
}

// The function on `inputs`: nothing is computed.
std::vector<Variable> Apply(const FunctionDef& def, const Case& test,
                            const std::vector<Variable>& inputs) {
  std::shared_ptr<void> options = def.options.MakeDefaults();
  for (const auto& [name, value] : test.options) Check(def.options.Set(options.get(), name, value));
  std::vector<Variable> outputs = ApplyAll(def, inputs, options);
  for (const Variable& output : outputs) Check(output.status());
  return outputs;
}

const InputDef& Input(const FunctionDef& def, size_t i) {
  return def.inputs[std::min(i, def.inputs.size() - 1)];
}

}  // namespace

std::string Name(const Case& test) {
  std::string name = test.function;
  for (const Shape& shape : test.shapes) absl::StrAppend(&name, "/", ToString(shape));
  return name;
}

double Bytes(const Case& test) {
  const FunctionDef& def = **AllFunctions().Find(test.function);
  std::vector<Variable> all;
  for (size_t i = 0; i < test.shapes.size(); ++i) {
    const bool is_index = Input(def, i).kind == InputKind::kIndex;
    all.emplace_back(test.shapes[i], false, is_index ? DType::kInt32 : DType::kFloat32);
  }
  for (const Variable& output : Apply(def, test, all)) all.push_back(output);
  double bytes = 0;
  for (const Variable& variable : all)
    bytes += sizeof(float) * static_cast<double>(variable.size());
  return bytes;
}

std::vector<float> Values(const NdArray& array) {
  NdArray copy = array.Copy().value();
  Check(copy.Cast(DType::kFloat32));
  const absl::Span<const float> values = *copy.Read<float>();
  return {values.begin(), values.end()};
}

Bench::Bench(const Case& test, Pass pass) {
  const FunctionDef& def = **AllFunctions().Find(test.function);
  has_gradient_ = def.gradient == Gradient::kDefined;
  RandomGenerator random;
  for (size_t i = 0; i < test.shapes.size(); ++i) {
    const bool wanted = pass != Pass::kForward && Wants(pass, i);
    inputs_.push_back(RandomInput(Input(def, i), test.shapes[i], test.index_bound, wanted, random));
  }
  outputs_ = Apply(def, test, inputs_);
  for (const Variable& output : outputs_) {
    std::vector<float> values(output.size());
    random.Uniform(absl::MakeSpan(values), -1, 1);
    Check(output.grad().CopyFrom(NdArray::From(output.shape(), values)));
  }
  Forward();
}

// Every output of one function comes from one run of it.
void Bench::Forward() { Check(outputs_[0].Forward()); }

void Bench::Backward() {
  BackwardOptions options;
  options.use_stored_grad = true;
  for (const Variable& output : outputs_) Check(output.Backward(options));
}

}  // namespace halite::bench
