// SPDX-License-Identifier: Apache-2.0
//
// Plan: a Forward or Backward worked out once: the order of functions, their kernel calls, which
// arrays are freed when. Kept by the target variable and run again until the graph changes.
#ifndef HALITE_CORE_PLAN_H_
#define HALITE_CORE_PLAN_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "halite/core/graph.h"
#include "halite/core/lowering.h"
#include "halite/core/variable.h"

namespace halite {

class Plan {
 public:
  struct Clearing {
    bool clear_buffer = false;
    bool clear_no_need_grad = false;
    bool operator==(const Clearing& other) const {
      return clear_buffer == other.clear_buffer && clear_no_need_grad == other.clear_no_need_grad;
    }
  };

  // Everything that `targets` depend on, in order.
  static absl::StatusOr<std::unique_ptr<Plan>> MakeForward(absl::Span<const Variable> targets,
                                                           Clearing clearing);
  // The gradients of everything that `target` depends on and that needs one, starting from seed()
  // or from the gradient stored in the target.
  static absl::StatusOr<std::unique_ptr<Plan>> MakeBackward(const Variable& target,
                                                            Clearing clearing,
                                                            bool use_stored_grad);

  // False if the graph has changed since, or other options are asked for.
  bool IsCurrent(Clearing clearing, bool use_stored_grad) const;

  // The array that Backward starts from, unless it uses the stored gradient.
  NdArray& seed() { return seed_; }

  absl::Status Run(const FunctionHook& pre_hook, const FunctionHook& post_hook,
                   const std::function<void()>& communicator_callback = nullptr);

 private:
  struct Step {
    std::shared_ptr<internal::FunctionNode> function;
    Program program;
    std::vector<NdArray*> zero;   // gradients that nobody has written, before the program
    std::vector<NdArray*> clear;  // after it
  };
  struct Seen {
    const internal::VariableNode* node;  // owned by a step's function, or the plan's owner
    uint32_t version;
  };

  Plan() = default;
  void Watch(const internal::VariableNode* node);

  std::vector<Step> steps_;
  std::vector<Seen> seen_;
  Clearing clearing_;
  bool use_stored_grad_ = false;
  NdArray seed_;
};

// Runs one function at once: auto-forward and imperative calls.
absl::Status RunNow(internal::FunctionNode& node);

}  // namespace halite

#endif  // HALITE_CORE_PLAN_H_
