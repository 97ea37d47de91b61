// SPDX-License-Identifier: Apache-2.0
#include "halite/core/variable.h"

#include "absl/strings/str_cat.h"
#include "halite/core/graph.h"
#include "halite/core/plan.h"
#include "halite/core/status.h"

namespace halite {

using internal::Arrays;
using internal::FunctionNode;
using internal::VariableNode;

const std::string& Function::name() const { return node_->def.name; }

std::vector<NdArray> Function::inputs() const {
  std::vector<NdArray> arrays;
  for (const auto& input : node_->inputs) {
    if (input != nullptr) arrays.push_back(input->arrays->data);
  }
  return arrays;
}

std::vector<NdArray> Function::outputs() const {
  std::vector<NdArray> arrays;
  for (const auto& output : node_->outputs) arrays.push_back(output->data);
  return arrays;
}

std::string Function::DebugString() const { return node_->DebugString(); }

Variable::Variable(const Shape& shape, bool need_grad, DType dtype)
    : Variable(NdArray(shape, dtype), need_grad) {}

Variable::Variable(NdArray data, bool need_grad)
    : node_(std::make_shared<VariableNode>(std::make_shared<Arrays>(data.shape(), data.dtype()))) {
  node_->need_grad_flag = need_grad;
  node_->status = data.status();
  node_->arrays->data = std::move(data);
}

Variable::Variable(absl::Status status) : Variable(Shape{0}) { node_->status = std::move(status); }

const Shape& Variable::shape() const { return node_->arrays->data.shape(); }
DType Variable::dtype() const { return node_->arrays->data.dtype(); }
const absl::Status& Variable::status() const { return node_->status; }
NdArray& Variable::data() const { return node_->arrays->data; }
NdArray& Variable::grad() const { return node_->arrays->grad; }
bool Variable::need_grad() const { return internal::NeedGrad(*node_); }
bool Variable::persistent() const { return node_->persistent; }
bool Variable::is_root() const { return node_->parent == nullptr; }
Function Variable::parent() const { return Function(node_->parent.get()); }

absl::Status Variable::SetData(NdArray data) const {
  HALITE_RETURN_IF_ERROR(data.status());
  if (data.shape() != shape() || data.dtype() != dtype()) {
    return absl::InvalidArgumentError(
        absl::StrCat("SetData: ", Name(data.dtype()), " ", ToString(data.shape()), " for ",
                     Name(dtype()), " ", ToString(shape()), ": equal shapes and types needed"));
  }
  node_->arrays->data = std::move(data);
  return absl::OkStatus();
}

absl::Status Variable::SetGrad(NdArray grad) const {
  HALITE_RETURN_IF_ERROR(grad.status());
  if (grad.shape() != shape() || grad.dtype() != dtype()) {
    return absl::InvalidArgumentError(
        absl::StrCat("SetGrad: ", Name(grad.dtype()), " ", ToString(grad.shape()), " for ",
                     Name(dtype()), " ", ToString(shape()), ": equal shapes and types needed"));
  }
  node_->arrays->grad = std::move(grad);
  return absl::OkStatus();
}

const Variable& Variable::SetNeedGrad(bool need_grad) const {
  node_->need_grad_flag = need_grad;
  node_->Touch();
  return *this;
}

const Variable& Variable::SetPersistent(bool persistent) const {
  node_->persistent = persistent;
  node_->Touch();
  return *this;
}

absl::Status Variable::ResetShape(const Shape& shape) const {
  HALITE_RETURN_IF_ERROR(CheckShape(shape));
  if (!is_root()) {
    return absl::FailedPreconditionError(
        absl::StrCat("ResetShape: output of ", parent().name(), ": a root needed"));
  }
  if (shape == this->shape()) return absl::OkStatus();
  node_->arrays->data = NdArray(shape, dtype());
  node_->arrays->grad = NdArray(shape, dtype());
  node_->Touch();
  return absl::OkStatus();
}

Variable Variable::Unlinked(std::optional<bool> need_grad) const {
  auto node = std::make_shared<VariableNode>(node_->arrays);
  node->need_grad_flag = need_grad.has_value() ? *need_grad : this->need_grad();
  node->status = node_->status;
  return Variable(std::move(node));
}

absl::Status Variable::RewireOn(const Variable& other) const {
  if (other.shape() != shape() || other.dtype() != dtype()) {
    return absl::InvalidArgumentError(
        absl::StrCat("RewireOn: ", Name(other.dtype()), " ", ToString(other.shape()), " for ",
                     Name(dtype()), " ", ToString(shape()), ": equal shapes and types needed"));
  }
  if (node_ == other.node_) return absl::OkStatus();
  node_->arrays = other.node_->arrays;
  node_->parent = std::move(other.node_->parent);
  node_->output_index = other.node_->output_index;
  other.node_->parent = nullptr;
  if (node_->parent != nullptr) {
    node_->parent->output_nodes[node_->output_index] = node_;
    if (!node_->need_grad_flag.has_value() || !*node_->need_grad_flag) {
      node_->need_grad_flag = other.node_->need_grad_flag;
    }
  }
  node_->Touch();
  other.node_->Touch();
  return absl::OkStatus();
}

absl::Status Variable::Forward(const ForwardOptions& options) const {
  HALITE_RETURN_IF_ERROR(status());
  if (is_root()) {
    return absl::FailedPreconditionError(
        "Forward: a variable that no function makes: the output of a function needed");
  }
  const Plan::Clearing clearing{options.clear_buffer, options.clear_no_need_grad};
  std::unique_ptr<Plan>& plan = node_->forward_plan;
  if (plan == nullptr || !plan->IsCurrent(clearing, false)) {
    HALITE_ASSIGN_OR_RETURN(plan, Plan::MakeForward({*this}, clearing));
  }
  return plan->Run(options.pre_hook, options.post_hook);
}

absl::Status Variable::Backward(const BackwardOptions& options) const {
  HALITE_RETURN_IF_ERROR(status());
  if (is_root()) {
    return absl::FailedPreconditionError(
        "Backward: a variable that no function makes: the output of a function needed");
  }
  const Plan::Clearing clearing{options.clear_buffer, false};
  std::unique_ptr<Plan>& plan = node_->backward_plan;
  if (plan == nullptr || !plan->IsCurrent(clearing, options.use_stored_grad)) {
    HALITE_ASSIGN_OR_RETURN(plan, Plan::MakeBackward(*this, clearing, options.use_stored_grad));
  }
  if (!options.use_stored_grad) {
    if (options.grad_array.has_value()) {
      if (options.grad_array->shape() != shape() || options.grad_array->dtype() != dtype()) {
        return absl::InvalidArgumentError(
            absl::StrCat("Backward: grad_array ", ToString(options.grad_array->shape()),
                         " for a variable ", ToString(shape()), ": equal shapes and types needed"));
      }
      plan->seed().Alias(*options.grad_array);
    } else {
      plan->seed().Clear();  // detaches a grad_array of an earlier call
      plan->seed().Fill(options.grad);
    }
  }
  return plan->Run(options.pre_hook, options.post_hook, options.communicator_callback);
}

bool Variable::Visit(const std::function<bool(const Function&)>& visit) const {
  for (const auto& function : internal::TopologicalOrder({node_.get()})) {
    if (visit(Function(function.get()))) return true;
  }
  return false;
}

absl::Status ForwardAll(absl::Span<const Variable> variables, const ForwardOptions& options) {
  HALITE_ASSIGN_OR_RETURN(
      auto plan, Plan::MakeForward(variables, {options.clear_buffer, options.clear_no_need_grad}));
  return plan->Run(options.pre_hook, options.post_hook);
}

}  // namespace halite
