// SPDX-License-Identifier: Apache-2.0
#include "halite/core/plan.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "halite/core/status.h"

namespace halite {
namespace {

using internal::Arrays;
using internal::FunctionNode;
using internal::VariableNode;

// Which variables and functions need gradients, found in one pass over functions in order.
class GradientNeeds {
 public:
  explicit GradientNeeds(const std::vector<std::shared_ptr<FunctionNode>>& order) {
    for (const auto& function : order) {
      bool needed = false;
      for (const auto& input : function->inputs) needed = needed || Of(input.get());
      functions_[function.get()] = needed;
    }
  }
  bool Of(const FunctionNode* function) const { return functions_.at(function); }
  bool Of(const VariableNode* node) const {
    if (node == nullptr) return false;
    if (node->need_grad_flag.has_value()) return *node->need_grad_flag;
    return node->parent != nullptr && Of(node->parent.get());
  }

 private:
  absl::flat_hash_map<const FunctionNode*, bool> functions_;
};

// Marks the data that the gradients of `function` will read.
void NoteBackwardReads(FunctionNode& function, const GradientNeeds& needs,
                       absl::flat_hash_set<const Arrays*>& needed) {
  std::vector<Lowering::GradientInput> inputs;
  for (const auto& input : function.inputs) inputs.push_back({needs.Of(input.get()), false});
  std::vector<NdArray*> grads;
  for (const auto& output : function.outputs) grads.push_back(&output->grad);
  const absl::StatusOr<Program> program = Lowering::Backward(function, inputs, grads);
  // Where no gradient can be computed, none needs any data.
  if (!program.ok()) return;
  for (size_t i = 0; i < function.inputs.size(); ++i) {
    if (function.inputs[i] != nullptr && program->reads_input(static_cast<int>(i))) {
      needed.insert(function.inputs[i]->arrays.get());
    }
  }
  for (size_t o = 0; o < function.outputs.size(); ++o) {
    if (program->reads_output(static_cast<int>(o))) needed.insert(function.outputs[o].get());
  }
}

// The distinct variables that `function` reads.
std::vector<VariableNode*> DistinctInputs(const FunctionNode& function) {
  std::vector<VariableNode*> nodes;
  for (const auto& input : function.inputs) {
    if (input != nullptr && std::find(nodes.begin(), nodes.end(), input.get()) == nodes.end()) {
      nodes.push_back(input.get());
    }
  }
  return nodes;
}

}  // namespace

void Plan::Watch(const VariableNode* node) {
  seen_.push_back({node, node->version.load(std::memory_order_relaxed)});
}

bool Plan::IsCurrent(Clearing clearing, bool use_stored_grad) const {
  return clearing == clearing_ && use_stored_grad == use_stored_grad_ &&
         std::all_of(seen_.begin(), seen_.end(), [](const Seen& seen) {
           return seen.node->version.load(std::memory_order_relaxed) == seen.version;
         });
}

absl::StatusOr<std::unique_ptr<Plan>> Plan::MakeForward(absl::Span<const Variable> targets,
                                                        Clearing clearing) {
  auto plan = std::unique_ptr<Plan>(new Plan);
  plan->clearing_ = clearing;
  std::vector<VariableNode*> nodes;
  absl::flat_hash_set<const VariableNode*> kept;
  for (const Variable& target : targets) {
    HALITE_RETURN_IF_ERROR(target.status());
    nodes.push_back(target.node().get());
    kept.insert(target.node().get());
  }
  const auto order = internal::TopologicalOrder(nodes);
  for (const auto& function : order) HALITE_RETURN_IF_ERROR(function->Setup());
  const GradientNeeds needs(order);

  absl::flat_hash_map<const VariableNode*, int> visits;
  absl::flat_hash_set<const Arrays*> needed;  // by gradients
  for (const auto& function : order) {
    if (clearing.clear_no_need_grad && needs.Of(function.get())) {
      NoteBackwardReads(*function, needs, needed);
    }
    for (const auto& input : function->inputs) {
      if (input != nullptr) ++visits[input.get()];
    }
    Step step;
    step.function = function;
    bool in_place = false;
    for (VariableNode* node : DistinctInputs(*function)) {
      plan->Watch(node);
      const bool keep = node->parent == nullptr || node->persistent || kept.contains(node) ||
                        visits[node] < node->consumers.load() ||
                        !(clearing.clear_buffer ||
                          (clearing.clear_no_need_grad && !needed.contains(node->arrays.get())));
      if (keep) continue;
      step.clear.push_back(&node->arrays->data);
      const NdArray& x = node->arrays->data;
      const NdArray& y = function->outputs[0]->data;
      in_place = in_place || (function->def.in_place && node == function->inputs[0].get() &&
                              !node->parent->def.aliases_input && x.shape() == y.shape() &&
                              x.dtype() == y.dtype());
    }
    HALITE_ASSIGN_OR_RETURN(step.program, Lowering::Forward(*function, in_place));
    plan->steps_.push_back(std::move(step));
  }
  for (VariableNode* node : nodes) plan->Watch(node);
  return plan;
}

absl::StatusOr<std::unique_ptr<Plan>> Plan::MakeBackward(const Variable& target, Clearing clearing,
                                                         bool use_stored_grad) {
  HALITE_RETURN_IF_ERROR(target.status());
  auto plan = std::unique_ptr<Plan>(new Plan);
  plan->clearing_ = clearing;
  plan->use_stored_grad_ = use_stored_grad;
  plan->seed_ = NdArray(target.shape(), target.dtype());
  VariableNode* start = target.node().get();
  const auto order = internal::TopologicalOrder({start});
  for (const auto& function : order) {
    // The outputs must be those that Forward computed.
    HALITE_RETURN_IF_ERROR(function->Setup());
    for (VariableNode* node : DistinctInputs(*function)) plan->Watch(node);
  }
  plan->Watch(start);
  const GradientNeeds needs(order);
  if (!needs.Of(start)) return plan;

  absl::flat_hash_set<const Arrays*> written = {start->arrays.get()};
  for (auto position = order.rbegin(); position != order.rend(); ++position) {
    FunctionNode& function = **position;
    if (!needs.Of(&function)) continue;
    // A flag in the middle may have cut all ways to this function.
    if (std::none_of(function.outputs.begin(), function.outputs.end(),
                     [&](const auto& output) { return written.contains(output.get()); })) {
      continue;
    }
    Step step;
    step.function = *position;
    std::vector<NdArray*> output_grads;
    for (const auto& output : function.outputs) {
      const bool is_start = output == start->arrays;
      output_grads.push_back(is_start && !use_stored_grad ? &plan->seed_ : &output->grad);
      if (!written.contains(output.get())) step.zero.push_back(&output->grad);
    }
    std::vector<Lowering::GradientInput> inputs;
    for (const auto& input : function.inputs) {
      Lowering::GradientInput gradient;
      gradient.wanted = needs.Of(input.get());
      if (gradient.wanted) {
        const bool is_first = written.insert(input->arrays.get()).second;
        gradient.accumulate = input->parent == nullptr || !is_first;
      }
      inputs.push_back(gradient);
    }
    for (size_t o = 0; clearing.clear_buffer && o < function.outputs.size(); ++o) {
      const auto node = function.output_nodes[o].lock();
      if (function.outputs[o] == start->arrays || (node != nullptr && node->persistent)) continue;
      step.clear.push_back(&function.outputs[o]->data);
      step.clear.push_back(&function.outputs[o]->grad);
    }
    const bool in_place = !step.clear.empty() && inputs.size() == 1 && inputs[0].wanted &&
                          !inputs[0].accumulate && !function.inputs[0]->persistent &&
                          (function.def.in_place || function.def.aliases_input);
    HALITE_ASSIGN_OR_RETURN(step.program,
                            Lowering::Backward(function, inputs, output_grads, in_place));
    plan->steps_.push_back(std::move(step));
  }
  return plan;
}

absl::Status Plan::Run(const FunctionHook& pre_hook, const FunctionHook& post_hook,
                       const std::function<void()>& communicator_callback) {
  ExecutionContext contexts[] = {ExecutionContext(Device::kCpu), ExecutionContext(Device::kCuda),
                                 ExecutionContext(Device::kOpencl)};
  for (Step& step : steps_) {
    if (pre_hook) pre_hook(Function(step.function.get()));
    for (NdArray* grad : step.zero) grad->Zero();
    ExecutionContext& context = contexts[static_cast<int>(step.function->context.device)];
    if (absl::Status status = step.program.Run(context); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat(status.message(), " (in ",
                                                      step.function->DebugString(), ")"));
    }
    if (post_hook) post_hook(Function(step.function.get()));
    for (NdArray* array : step.clear) array->Clear();
    if (communicator_callback) communicator_callback();
  }
  if (communicator_callback) communicator_callback();
  return absl::OkStatus();
}

absl::Status RunNow(FunctionNode& node) {
  HALITE_ASSIGN_OR_RETURN(Program program, Lowering::Forward(node));
  ExecutionContext context(node.context.device);
  return program.Run(context);
}

}  // namespace halite
