// SPDX-License-Identifier: Apache-2.0
//
// The error of a classification. Arguments are Variables or NdArrays in any mixture; with an
// NdArray among them the result is one, computed at once.
#ifndef HALITE_OPS_TOP_N_ERROR_H_
#define HALITE_OPS_TOP_N_ERROR_H_

#include <cstdint>

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> TopNErrorFunctions();

struct TopNErrorOptions {
  int axis = -1;  // of the classes; negative axes count from the end
  int64_t n = 1;  // at least 1
};

namespace functions {

// y = 1 if the label is not among the n greatest of x along the axis, else 0: x is
// [..., classes, ...], the int32 target and y are [..., 1, ...]. Ties count against the label, and
// so does NaN; a label that is no class is an error. Constant almost everywhere: the gradient is 0.
template <typename X, typename Target>
ResultOf<X, Target> TopNError(const X& x, const Target& target,
                              const TopNErrorOptions& options = {}) {
  return Apply(TopNErrorFunctions()[0], options, x, target);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_TOP_N_ERROR_H_
