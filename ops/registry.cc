// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/registry.h"

#include <vector>

#include "halite/ops/activations.h"
#include "halite/ops/arithmetic.h"
#include "halite/ops/array.h"

namespace halite {

const FunctionRegistry& AllFunctions() {
  static const auto& registry = *[] {
    std::vector<const FunctionDef*> functions;
    const auto add = [&](absl::Span<const FunctionDef> family) {
      for (const FunctionDef& def : family) functions.push_back(&def);
    };
    add(ActivationFunctions());
    add(ArithmeticFunctions());
    add(ArrayFunctions());
    return new FunctionRegistry(std::move(functions));
  }();
  return registry;
}

}  // namespace halite
