// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/activations.h"

#include <vector>

#include "halite/core/status.h"
#include "halite/ops/pointwise.h"

namespace halite {

absl::Span<const FunctionDef> ActivationFunctions() {
  static const auto scalar = [] {
    return OptionsDef::Of<ScalarOptions>().With("val", &ScalarOptions::val);
  };
  static const auto& functions = *new std::vector<FunctionDef>{
      UnaryDef("abs", "Abs", "Abs"),
      UnaryDef("add_scalar", "AddScalar", "", scalar()),
      UnaryDef("elu", "ELU", "Elu", OptionsDef::Of<EluOptions>().With("alpha", &EluOptions::alpha)),
      UnaryDef("exp", "Exp", "Exp"),
      UnaryDef("gelu", "GELU", "Gelu"),
      UnaryDef("identity", "Identity", "Identity"),
      UnaryDef("leaky_relu", "LeakyReLU", "LeakyRelu",
               OptionsDef::Of<LeakyReluOptions>().With("alpha", &LeakyReluOptions::alpha)),
      UnaryDef("log", "Log", "Log"),
      UnaryDef("mul_scalar", "MulScalar", "", scalar()),
      UnaryDef("pow_scalar", "PowScalar", "", scalar()),
      UnaryDef("relu", "ReLU", "Relu"),
      UnaryDef("sigmoid", "Sigmoid", "Sigmoid"),
      UnaryDef("swish", "Swish", ""),
      UnaryDef("tanh", "Tanh", "Tanh"),
  };
  return functions;
}

namespace functions::internal {

const FunctionDef& Activation(absl::string_view name) {
  for (const FunctionDef& def : ActivationFunctions()) {
    if (def.name == name) return def;
  }
  HALITE_CHECK(false, "no such activation");
}

}  // namespace functions::internal
}  // namespace halite
