// SPDX-License-Identifier: Apache-2.0
//
// FunctionDefs of pointwise functions, made from their names: the kernels <name>, <name>_grad (one
// input) or <name>_grad0, <name>_grad1 (two, broadcast) and <name>_grad01 (both at once) do the
// rest.
#ifndef HALITE_OPS_POINTWISE_H_
#define HALITE_OPS_POINTWISE_H_

#include <string>

#include "halite/core/function_def.h"

namespace halite {

// y = f(x), elementwise; the options are the kernel's scalars by name.
FunctionDef UnaryDef(std::string name, std::string nnabla_name, std::string onnx_name,
                     OptionsDef options = OptionsDef());

struct BinaryInputs {
  std::string name0 = "x0";
  std::string name1 = "x1";
  int gradients = 2;      // of the first so many inputs
  bool broadcast = true;  // else the shapes must be equal
  // y = x0 + slope1 x1, with 1 or -1; 0 if y is something else. A broadcast input of a sum then
  // gets its gradient in one pass over dy.
  int slope1 = 0;
};

// y = f(x0, x1), elementwise with broadcasting: equal ranks, each dimension equal or 1 on one side.
FunctionDef BinaryDef(std::string name, std::string nnabla_name, std::string onnx_name,
                      BinaryInputs inputs = BinaryInputs());

}  // namespace halite

#endif  // HALITE_OPS_POINTWISE_H_
