// SPDX-License-Identifier: Apache-2.0
//
// Variable: an array with its gradient, and the function that makes it. A handle to a node of a
// graph whose edges point from outputs to inputs; copies share the node. Building a graph never
// fails loudly: an error makes a Variable that carries a status, and so does everything built on
// it; Forward and Backward return it.
//
// Thread-compatible: independent graphs run in parallel threads, also when they read the same
// parameters; one graph belongs to one thread at a time.
#ifndef HALITE_CORE_VARIABLE_H_
#define HALITE_CORE_VARIABLE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "halite/core/nd_array.h"

namespace halite {

namespace internal {
struct VariableNode;
struct FunctionNode;
}  // namespace internal

// A function as hooks and visitors see it.
class Function {
 public:
  explicit Function(internal::FunctionNode* node) : node_(node) {}
  const std::string& name() const;
  std::vector<NdArray> inputs() const;
  std::vector<NdArray> outputs() const;
  // "softmax [64,10] -> [64,10]".
  std::string DebugString() const;

 private:
  internal::FunctionNode* node_;
};

using FunctionHook = std::function<void(const Function&)>;

struct ForwardOptions {
  // Data of intermediate variables is freed as soon as no other function needs it. A Backward
  // afterwards is an error.
  bool clear_buffer = false;
  // Data of intermediate variables that no gradient needs is freed.
  bool clear_no_need_grad = false;
  // Called before and after each function.
  FunctionHook pre_hook = nullptr;
  FunctionHook post_hook = nullptr;
};

struct BackwardOptions {
  // The gradient to start from: this value in every element (the variable's own gradient array
  // stays as it is) ...
  double grad = 1;
  // ... or this array, of the variable's shape ...
  std::optional<NdArray> grad_array = std::nullopt;
  // ... or the gradient that stands in the variable.
  bool use_stored_grad = false;
  // Data and gradients of intermediate variables are freed after their last use.
  bool clear_buffer = false;
  FunctionHook pre_hook = nullptr;
  FunctionHook post_hook = nullptr;
  // Called after each function's gradient and once at the end (data-parallel communication).
  std::function<void()> communicator_callback = nullptr;
};

class Variable {
 public:
  // The empty variable: stands for an optional input that is left out.
  Variable() = default;
  // A root: an input or a parameter.
  explicit Variable(const Shape& shape, bool need_grad = false, DType dtype = DType::kFloat32);
  explicit Variable(NdArray data, bool need_grad = false);
  // A variable that carries an error.
  explicit Variable(absl::Status status);

  bool empty() const { return node_ == nullptr; }
  explicit operator bool() const { return !empty(); }
  friend bool operator==(const Variable& a, const Variable& b) { return a.node_ == b.node_; }

  // REQUIRES for all that follows: !empty().
  const Shape& shape() const;
  int rank() const { return static_cast<int>(shape().size()); }
  int64_t size() const { return Size(shape()); }
  DType dtype() const;
  // The error of building this variable, if any.
  const absl::Status& status() const;

  // Arrays of the variable's shape. The handles stay valid; the gradient is not allocated before
  // somebody writes it.
  NdArray& data() const;
  NdArray& grad() const;
  // Makes `data` this variable's array. It must have the variable's shape.
  absl::Status SetData(NdArray data) const;
  absl::Status SetGrad(NdArray grad) const;

  // Whether Backward computes a gradient for it. A variable made by a function has what its inputs
  // have, unless it was set: false cuts the gradient here.
  bool need_grad() const;
  const Variable& SetNeedGrad(bool need_grad) const;
  // Keeps data and gradient in spite of the clear options.
  bool persistent() const;
  const Variable& SetPersistent(bool persistent) const;

  // True for a variable that no function makes.
  bool is_root() const;
  // The function that makes it. REQUIRES: !is_root().
  Function parent() const;

  // Gives the variable another shape. A root loses its data; graphs built on it adapt at the next
  // Forward.
  absl::Status ResetShape(const Shape& shape) const;
  // A root that shares data and gradient with this variable.
  Variable Unlinked(std::optional<bool> need_grad = std::nullopt) const;
  // Takes the arrays and the function of `other`, which becomes a root. Shapes must be equal.
  absl::Status RewireOn(const Variable& other) const;

  // Computes this variable and all that it depends on.
  absl::Status Forward(const ForwardOptions& options = {}) const;
  // Computes the gradients of everything this variable depends on and that needs one. Gradients of
  // roots accumulate, those of intermediate variables are overwritten.
  absl::Status Backward(const BackwardOptions& options = {}) const;

  // Calls `visit` for every function that this variable depends on, inputs before outputs; stops at
  // the first true, and returns whether there was one.
  bool Visit(const std::function<bool(const Function&)>& visit) const;

  // For the engine.
  const std::shared_ptr<internal::VariableNode>& node() const { return node_; }
  explicit Variable(std::shared_ptr<internal::VariableNode> node) : node_(std::move(node)) {}

 private:
  std::shared_ptr<internal::VariableNode> node_;
};

// Computes several variables; what they share is computed once.
absl::Status ForwardAll(absl::Span<const Variable> variables, const ForwardOptions& options = {});

}  // namespace halite

#endif  // HALITE_CORE_VARIABLE_H_
