// SPDX-License-Identifier: Apache-2.0
//
// The nodes of a graph. Edges point from outputs to inputs: a variable owns its parent function, a
// function owns its inputs. A function does not own its output variables, only their arrays, so
// that it can write outputs that nobody holds any more. Both kinds of node carry a version that
// rises with every change that a Plan must know of.
#ifndef HALITE_CORE_GRAPH_H_
#define HALITE_CORE_GRAPH_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "halite/core/context.h"
#include "halite/core/function_def.h"
#include "halite/core/nd_array.h"

namespace halite {

class Plan;

namespace internal {

struct FunctionNode;

// Data and gradient, shared by a variable, its unlinked twins and the function that writes them.
struct Arrays {
  Arrays(const Shape& shape, DType dtype) : data(shape, dtype), grad(shape, dtype) {}
  NdArray data;
  NdArray grad;
};

struct VariableNode {
  explicit VariableNode(std::shared_ptr<Arrays> arrays);
  ~VariableNode();
  VariableNode(const VariableNode&) = delete;
  VariableNode& operator=(const VariableNode&) = delete;

  void Touch() { version.fetch_add(1, std::memory_order_relaxed); }

  std::shared_ptr<Arrays> arrays;
  std::shared_ptr<FunctionNode> parent;  // null for a root
  int output_index = 0;                  // of the parent
  std::optional<bool> need_grad_flag;
  bool persistent = false;
  absl::Status status;
  // Functions in the whole graph that read it; one that reads it twice counts twice.
  std::atomic<int> consumers{0};
  std::atomic<uint32_t> version{0};
  std::unique_ptr<Plan> forward_plan;
  std::unique_ptr<Plan> backward_plan;
};

// Numbers that identify the random stream of one Forward: kernels read them by address.
struct RandomDraw {
  uint32_t seed_low = 0;
  uint32_t seed_high = 0;
  uint32_t offset_low = 0;
  uint32_t offset_high = 0;
};

struct FunctionNode {
  FunctionNode(const FunctionDef& def, std::shared_ptr<const void> options, Context context,
               std::vector<std::shared_ptr<VariableNode>> inputs);
  ~FunctionNode();
  FunctionNode(const FunctionNode&) = delete;
  FunctionNode& operator=(const FunctionNode&) = delete;

  // Runs the shape rule and makes or reshapes the outputs. Does nothing if no input shape changed.
  absl::Status Setup();
  std::string DebugString() const;

  const FunctionDef& def;
  const std::shared_ptr<const void> options;
  const Context context;
  std::vector<std::shared_ptr<VariableNode>> inputs;  // null for an optional one left out
  std::vector<std::shared_ptr<Arrays>> outputs;
  std::vector<std::weak_ptr<VariableNode>> output_nodes;
  std::vector<Shape> setup_shapes;  // of the inputs, when Setup ran last
  std::vector<NdArray> states;      // kept between Forward and Backward
  RandomDraw random;
};

// Whether Backward computes a gradient for `node`: its flag, or else whether one of the variables
// that its function reads needs one. Looks through the graph.
bool NeedGrad(const VariableNode& node);

// The functions that `targets` depend on, inputs before outputs, each once.
std::vector<std::shared_ptr<FunctionNode>> TopologicalOrder(
    absl::Span<VariableNode* const> targets);

}  // namespace internal
}  // namespace halite

#endif  // HALITE_CORE_GRAPH_H_
