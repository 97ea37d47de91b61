// SPDX-License-Identifier: Apache-2.0
#include "halite/core/graph.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "halite/core/plan.h"
#include "halite/core/status.h"

namespace halite::internal {
namespace {

// Nodes whose last owner is being destroyed: a deep graph is taken apart by a loop over this list
// instead of by recursion.
struct Graveyard {
  std::vector<std::shared_ptr<VariableNode>> nodes;
  bool digging = false;
};
thread_local Graveyard* t_graveyard = nullptr;

void Bury(std::vector<std::shared_ptr<VariableNode>> nodes) {
  if (t_graveyard != nullptr) {
    std::move(nodes.begin(), nodes.end(), std::back_inserter(t_graveyard->nodes));
    return;
  }
  Graveyard graveyard;
  t_graveyard = &graveyard;
  graveyard.nodes = std::move(nodes);
  while (!graveyard.nodes.empty()) {
    std::shared_ptr<VariableNode> node = std::move(graveyard.nodes.back());
    graveyard.nodes.pop_back();
  }
  t_graveyard = nullptr;
}

}  // namespace

VariableNode::VariableNode(std::shared_ptr<Arrays> arrays_in) : arrays(std::move(arrays_in)) {}

VariableNode::~VariableNode() = default;

FunctionNode::FunctionNode(const FunctionDef& def_in, std::shared_ptr<const void> options_in,
                           Context context_in, std::vector<std::shared_ptr<VariableNode>> inputs_in)
    : def(def_in),
      options(std::move(options_in)),
      context(std::move(context_in)),
      inputs(std::move(inputs_in)) {
  for (const auto& input : inputs) {
    if (input == nullptr) continue;
    input->consumers.fetch_add(1, std::memory_order_relaxed);
    input->Touch();
  }
}

FunctionNode::~FunctionNode() {
  for (const auto& input : inputs) {
    if (input == nullptr) continue;
    input->consumers.fetch_sub(1, std::memory_order_relaxed);
    input->Touch();
  }
  Bury(std::move(inputs));
}

absl::Status FunctionNode::Setup() {
  std::vector<Shape> shapes;
  std::vector<Inference::Input> specs;
  for (const auto& input : inputs) {
    Inference::Input spec;
    spec.given = input != nullptr;
    if (spec.given) {
      spec.shape = input->arrays->data.shape();
      spec.dtype = input->arrays->data.dtype();
    }
    shapes.push_back(spec.shape);
    specs.push_back(std::move(spec));
  }
  if (!outputs.empty() && shapes == setup_shapes) return absl::OkStatus();
  HALITE_ASSIGN_OR_RETURN(auto specs_out, Inference(def, std::move(specs), options.get()).Run());
  if (!outputs.empty() && outputs.size() != specs_out.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(def.name, ": ", specs_out.size(),
                     " outputs after a change of shape: ", outputs.size(), " needed"));
  }
  const bool is_new = outputs.empty();
  for (size_t o = 0; o < specs_out.size(); ++o) {
    if (is_new) {
      outputs.push_back(std::make_shared<Arrays>(specs_out[o].shape, specs_out[o].dtype));
      output_nodes.emplace_back();
    } else if (outputs[o]->data.shape() != specs_out[o].shape) {
      outputs[o]->data = NdArray(specs_out[o].shape, specs_out[o].dtype);
      outputs[o]->grad = NdArray(specs_out[o].shape, specs_out[o].dtype);
      if (auto node = output_nodes[o].lock()) node->Touch();
    }
  }
  states.clear();
  setup_shapes = std::move(shapes);
  return absl::OkStatus();
}

std::string FunctionNode::DebugString() const {
  std::string text = def.name;
  for (const auto& input : inputs) {
    if (input != nullptr) absl::StrAppend(&text, " ", ToString(input->arrays->data.shape()));
  }
  absl::StrAppend(&text, " ->");
  for (const auto& output : outputs) absl::StrAppend(&text, " ", ToString(output->data.shape()));
  return text;
}

bool NeedGrad(const VariableNode& node) {
  absl::flat_hash_set<const FunctionNode*> visited;
  std::vector<const VariableNode*> stack = {&node};
  while (!stack.empty()) {
    const VariableNode* current = stack.back();
    stack.pop_back();
    if (current->need_grad_flag.has_value()) {
      if (*current->need_grad_flag) return true;
      continue;
    }
    if (current->parent == nullptr || !visited.insert(current->parent.get()).second) continue;
    for (const auto& input : current->parent->inputs) {
      if (input != nullptr) stack.push_back(input.get());
    }
  }
  return false;
}

std::vector<std::shared_ptr<FunctionNode>> TopologicalOrder(
    absl::Span<VariableNode* const> targets) {
  struct Frame {
    std::shared_ptr<FunctionNode> function;
    size_t next_input;
  };
  std::vector<std::shared_ptr<FunctionNode>> order;
  absl::flat_hash_set<const FunctionNode*> visited;
  std::vector<Frame> stack;
  const auto visit = [&](const VariableNode* node) {
    if (node != nullptr && node->parent != nullptr && visited.insert(node->parent.get()).second) {
      stack.push_back({node->parent, 0});
    }
  };
  for (const VariableNode* target : targets) {
    visit(target);
    while (!stack.empty()) {
      if (stack.back().next_input < stack.back().function->inputs.size()) {
        visit(stack.back().function->inputs[stack.back().next_input++].get());
      } else {
        order.push_back(std::move(stack.back().function));
        stack.pop_back();
      }
    }
  }
  return order;
}

}  // namespace halite::internal
