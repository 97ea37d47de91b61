// SPDX-License-Identifier: Apache-2.0
//
// CopyView: strided copies as steps of other functions.
#ifndef HALITE_OPS_COPY_H_
#define HALITE_OPS_COPY_H_

#include "halite/core/canonical.h"
#include "halite/core/lowering.h"

namespace halite {

// y := (y accumulates ? y : 0) + x, element by element over views of equal extents (innermost
// first). Strides of 0 in x broadcast it.
void CopyView(Lowering& l, const Operand& x, const Operand& y);

// Kernels that CopyView calls.
inline const std::vector<std::string>& CopyKernels() {
  static const auto& kernels = *new std::vector<std::string>{"copy", "copy_rows", "transpose"};
  return kernels;
}

}  // namespace halite

#endif  // HALITE_OPS_COPY_H_
