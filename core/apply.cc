// SPDX-License-Identifier: Apache-2.0
#include "halite/core/apply.h"

#include <atomic>

#include "halite/core/graph.h"
#include "halite/core/plan.h"

namespace halite {
namespace {

using internal::FunctionNode;
using internal::VariableNode;

enum class Mode : int8_t { kUnset, kOff, kOn };
thread_local Mode t_auto_forward = Mode::kUnset;
std::atomic<bool> g_auto_forward{false};

}  // namespace

std::vector<Variable> ApplyAll(const FunctionDef& def, const std::vector<Variable>& inputs,
                               std::shared_ptr<const void> options) {
  std::vector<std::shared_ptr<VariableNode>> nodes;
  for (const Variable& input : inputs) {
    if (!input.empty() && !input.status().ok()) return {Variable(input.status())};
    nodes.push_back(input.node());
  }
  if (options == nullptr) options = def.options.MakeDefaults();
  auto function =
      std::make_shared<FunctionNode>(def, std::move(options), CurrentContext(), std::move(nodes));
  absl::Status status = function->Setup();
  if (status.ok() && GetAutoForward()) status = RunNow(*function);
  if (!status.ok()) return {Variable(std::move(status))};
  std::vector<Variable> outputs;
  for (size_t o = 0; o < function->outputs.size(); ++o) {
    auto node = std::make_shared<VariableNode>(function->outputs[o]);
    node->parent = function;
    node->output_index = static_cast<int>(o);
    function->output_nodes[o] = node;
    outputs.emplace_back(std::move(node));
  }
  return outputs;
}

std::vector<NdArray> ApplyAll(const FunctionDef& def, const std::vector<NdArray>& inputs,
                              std::shared_ptr<const void> options) {
  std::vector<Variable> variables;
  for (const NdArray& input : inputs) variables.emplace_back(input, false);
  std::vector<NdArray> arrays;
  AutoForwardScope now;
  for (const Variable& output : ApplyAll(def, variables, std::move(options))) {
    arrays.push_back(output.status().ok() ? output.data() : NdArray(output.status()));
  }
  return arrays;
}

AutoForwardScope::AutoForwardScope(bool enabled) : previous_(GetAutoForward()) {
  t_auto_forward = enabled ? Mode::kOn : Mode::kOff;
}

AutoForwardScope::~AutoForwardScope() { t_auto_forward = previous_ ? Mode::kOn : Mode::kOff; }

void SetAutoForward(bool enabled) { g_auto_forward = enabled; }

bool GetAutoForward() {
  return t_auto_forward == Mode::kUnset ? g_auto_forward.load() : t_auto_forward == Mode::kOn;
}

}  // namespace halite
