// SPDX-License-Identifier: Apache-2.0
//
// Reductions over axes. Each takes a Variable (and builds the graph) or an NdArray (and computes at
// once). NaN in gives NaN out.
#ifndef HALITE_OPS_REDUCE_H_
#define HALITE_OPS_REDUCE_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> ReduceFunctions();

struct ReduceOptions {
  std::vector<int64_t> axes = {};  // negative ones count from the end; empty stands for all
  bool keep_dims = false;          // reduced axes stay, with extent 1; else they are dropped
};

namespace functions {

namespace internal {
const FunctionDef& Reduce(absl::string_view name);
}  // namespace internal

// y = sum of x over the axes; 0 over no elements.
template <typename Array>
Array Sum(const Array& x, const ReduceOptions& options = {}) {
  return Apply(internal::Reduce("sum"), options, x);
}

// y = mean of x over the axes; NaN over no elements.
template <typename Array>
Array Mean(const Array& x, const ReduceOptions& options = {}) {
  return Apply(internal::Reduce("mean"), options, x);
}

// y = greatest element of x over the axes; -infinity over no elements. Of equal ones the first gets
// the gradient. NaN is greater than all others.
template <typename Array>
Array Max(const Array& x, const ReduceOptions& options = {}) {
  return Apply(internal::Reduce("max"), options, x);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_REDUCE_H_
