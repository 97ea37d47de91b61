// SPDX-License-Identifier: Apache-2.0
//
// Softmax along one axis. It takes a Variable (and builds the graph) or an NdArray (and computes at
// once) and gives an output of the same shape and dtype.
#ifndef HALITE_OPS_SOFTMAX_H_
#define HALITE_OPS_SOFTMAX_H_

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> SoftmaxFunctions();

struct SoftmaxOptions {
  int axis = -1;  // negative axes count from the end
};

namespace functions {

// y = exp(x - peak) / sum of exp(x - peak) along the axis, where peak is the greatest element
// there. NaN wherever NaN or +infinity stands along the axis, or nothing but -infinity.
template <typename Array>
Array Softmax(const Array& x, const SoftmaxOptions& options = {}) {
  return Apply(SoftmaxFunctions()[0], options, x);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_SOFTMAX_H_
