// SPDX-License-Identifier: Apache-2.0
//
// AllFunctions: every function of Halite by name. Links all of them with their kernels; a program
// that wants less builds a FunctionRegistry of its own.
#ifndef HALITE_OPS_REGISTRY_H_
#define HALITE_OPS_REGISTRY_H_

#include "halite/core/function_def.h"

namespace halite {

const FunctionRegistry& AllFunctions();

}  // namespace halite

#endif  // HALITE_OPS_REGISTRY_H_
