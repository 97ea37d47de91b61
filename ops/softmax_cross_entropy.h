// SPDX-License-Identifier: Apache-2.0
//
// Cross entropy between the softmax of x along one axis and labels. Arguments are Variables or
// NdArrays in any mixture; with an NdArray among them the result is one, computed at once.
#ifndef HALITE_OPS_SOFTMAX_CROSS_ENTROPY_H_
#define HALITE_OPS_SOFTMAX_CROSS_ENTROPY_H_

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> SoftmaxCrossEntropyFunctions();

struct SoftmaxCrossEntropyOptions {
  int axis = -1;  // of the classes; negative axes count from the end
};

namespace functions {

// y = -log softmax(x)[target], one loss for each label, not reduced: x is [..., classes, ...], the
// int32 target and y are [..., 1, ...]. A negative label is ignored: its loss and its gradient are
// 0. A label of `classes` or more gives NaN, for labels are data, which kernels do not refuse. No
// gradient to the target.
template <typename X, typename Target>
ResultOf<X, Target> SoftmaxCrossEntropy(const X& x, const Target& target,
                                        const SoftmaxCrossEntropyOptions& options = {}) {
  return Apply(SoftmaxCrossEntropyFunctions()[0], options, x, target);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_SOFTMAX_CROSS_ENTROPY_H_
