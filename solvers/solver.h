// SPDX-License-Identifier: Apache-2.0
//
// Solver: updates parameters from their gradients. A concrete solver (sgd.h, adam.h) names its
// kernel, its states and its scalars; everything else is here.
//
// A parameter whose gradient has not been touched by a Backward since ZeroGrad is skipped by every
// operation: no decay, no momentum step, its t stays. Thread-compatible.
#ifndef HALITE_SOLVERS_SOLVER_H_
#define HALITE_SOLVERS_SOLVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "halite/core/context.h"
#include "halite/core/kernel_call.h"
#include "halite/core/parameter_scope.h"
#include "halite/core/solver_state.h"
#include "halite/core/variable.h"

namespace halite {

struct SetParametersOptions {
  bool reset = true;          // forget all parameters and states first
  bool retain_state = false;  // without reset: keep the state of a parameter that is known already
};

class Solver {
 public:
  virtual ~Solver();
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  const std::string& name() const { return name_; }

  // Parameters to update. They are updated where the current context says.
  absl::Status SetParameters(const std::vector<NamedParameter>& parameters,
                             const SetParametersOptions& options = {});
  void RemoveParameters(const std::vector<std::string>& names);
  void ClearParameters();
  std::vector<NamedParameter> parameters() const;

  // Sets all gradients to zero, lazily.
  void ZeroGrad();
  // One step.
  virtual absl::Status Update();

  // gradient += rate * parameter. Solvers with a decay of their own (adamw) take the rate for the
  // next Update instead. A rate of 0 does nothing.
  virtual absl::Status WeightDecay(double rate);
  // gradient *= scale.
  absl::Status ScaleGrad(double scale);
  // Scales each gradient whose 2-norm is above `norm` down to it. A norm of 0 does nothing.
  absl::Status ClipGradByNorm(double norm);
  // Whether any gradient has such an element. Brings a number from the device to the host.
  absl::StatusOr<bool> CheckInfGrad();
  absl::StatusOr<bool> CheckNanGrad();
  absl::StatusOr<bool> CheckInfOrNanGrad();

  double learning_rate() const { return learning_rate_; }
  void set_learning_rate(double rate) { learning_rate_ = rate; }

  // What the solver has learnt, with handles of its arrays.
  SolverState state() const;
  // Goes on from `state`, which must be of this kind of solver; every parameter of it must be
  // known, with the solver's state names and the parameter's shapes. Copies the arrays. On an error
  // nothing has changed.
  absl::Status SetState(const SolverState& state);

 protected:
  Solver(std::string name, std::string kernel, std::vector<std::string> state_names,
         std::vector<std::string> scalar_names, double learning_rate);

  // The kernel's scalars for the step number `t` (from 1 on) of a parameter.
  virtual std::vector<double> Scalars(uint32_t t) const = 0;

 private:
  struct Entry;

  absl::StatusOr<std::unique_ptr<Entry>> MakeEntry(const std::string& name,
                                                   const Variable& parameter) const;
  Entry* Find(const std::string& name) const;
  absl::Status ForEachTouched(const std::function<absl::Status(Entry&, ExecutionContext&)>& visit);
  absl::StatusOr<bool> AnyCounted(const char* kernel);

  const std::string name_;
  const std::string kernel_;
  const std::vector<std::string> state_names_;
  const std::vector<std::string> scalar_names_;
  double learning_rate_;
  Context context_;
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace halite

#endif  // HALITE_SOLVERS_SOLVER_H_
