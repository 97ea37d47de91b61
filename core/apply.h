// SPDX-License-Identifier: Apache-2.0
//
// Apply: connects a function to its inputs. Typed functions are thin calls on it.
#ifndef HALITE_CORE_APPLY_H_
#define HALITE_CORE_APPLY_H_

#include <memory>
#include <type_traits>
#include <vector>

#include "halite/core/function_def.h"
#include "halite/core/variable.h"

namespace halite {

// On variables: makes the outputs, runs the shape rule, and computes at once if auto-forward is on.
// `options`: the function's own struct (or null for the defaults). An error gives one output that
// carries it.
std::vector<Variable> ApplyAll(const FunctionDef& def, const std::vector<Variable>& inputs,
                               std::shared_ptr<const void> options);
// On arrays: computes at once, without a graph.
std::vector<NdArray> ApplyAll(const FunctionDef& def, const std::vector<NdArray>& inputs,
                              std::shared_ptr<const void> options);

// The array type of a call's result: NdArray if an argument is one, else Variable.
template <typename... Arrays>
using ResultOf = std::conditional_t<(std::is_same_v<Arrays, NdArray> || ...), NdArray, Variable>;

namespace internal {
template <typename Array, typename From>
Array As(const From& array) {
  if constexpr (std::is_same_v<Array, From>) {
    return array;
  } else {
    return array.data();
  }
}
}  // namespace internal

// One output; any mixture of Variable and NdArray arguments. An empty Variable stands for an
// optional input left out.
template <typename Options, typename... Arrays>
ResultOf<Arrays...> Apply(const FunctionDef& def, const Options& options, const Arrays&... inputs) {
  using Result = ResultOf<Arrays...>;
  return ApplyAll(def, std::vector<Result>{internal::As<Result>(inputs)...},
                  std::make_shared<Options>(options))[0];
}
struct NoOptions {};

// While it lives, functions on this thread are computed as they are built.
class AutoForwardScope {
 public:
  explicit AutoForwardScope(bool enabled = true);
  ~AutoForwardScope();
  AutoForwardScope(const AutoForwardScope&) = delete;
  AutoForwardScope& operator=(const AutoForwardScope&) = delete;

 private:
  bool previous_;
};

// The state for all threads that have no scope.
void SetAutoForward(bool enabled);
bool GetAutoForward();

}  // namespace halite

#endif  // HALITE_CORE_APPLY_H_
