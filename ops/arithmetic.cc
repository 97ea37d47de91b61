// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/arithmetic.h"

#include <vector>

#include "halite/core/status.h"
#include "halite/ops/pointwise.h"

namespace halite {

absl::Span<const FunctionDef> ArithmeticFunctions() {
  static const auto& functions = *new std::vector<FunctionDef>{
      BinaryDef("add2", "Add2", "Add", {.slope1 = 1}),
      BinaryDef("div2", "Div2", "Div"),
      BinaryDef("equal", "Equal", "Equal", {.gradients = 0}),
      BinaryDef("greater", "Greater", "Greater", {.gradients = 0}),
      BinaryDef("maximum2", "Maximum2", "Max"),
      BinaryDef("mul2", "Mul2", "Mul"),
      BinaryDef("pow2", "Pow2", "Pow"),
      BinaryDef("sigmoid_cross_entropy", "SigmoidCrossEntropy", "",
                {.name0 = "x", .name1 = "target", .gradients = 1, .broadcast = false}),
      BinaryDef("squared_error", "SquaredError", ""),
      BinaryDef("sub2", "Sub2", "Sub", {.slope1 = -1}),
  };
  return functions;
}

namespace functions::internal {

const FunctionDef& Arithmetic(absl::string_view name) {
  for (const FunctionDef& def : ArithmeticFunctions()) {
    if (def.name == name) return def;
  }
  HALITE_CHECK(false, "no such function");
}

}  // namespace functions::internal
}  // namespace halite
