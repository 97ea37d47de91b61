// SPDX-License-Identifier: Apache-2.0
//
// Matrix products.
#ifndef HALITE_OPS_MATMUL_H_
#define HALITE_OPS_MATMUL_H_

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> MatmulFunctions();

struct AffineOptions {
  int base_axis = 1;  // axes of x before it are the batch
};
struct BatchMatmulOptions {
  bool transpose_a = false;  // the last two axes of a are (K, M) instead of (M, K)
  bool transpose_b = false;  // the last two axes of b are (N, K) instead of (K, N)
};

namespace functions {

namespace internal {
const FunctionDef& MatmulFunction(absl::string_view name);
}  // namespace internal

// y = x w + b. x [B..., I...] with the batch axes before base_axis, w [I, O...] with I the product
// of the others, b [O...] or empty -> y [B..., O...]. Sums are made in the dtype.
template <typename X, typename W, typename B = Variable>
ResultOf<X, W> Affine(const X& x, const W& w, const B& b = B(), const AffineOptions& options = {}) {
  return Apply(internal::MatmulFunction("affine"), options, x, w, b);
}

// y = a b for each index of the leading axes, which are equal. a [..., M, K], b [..., K, N] ->
// y [..., M, N]; rank at least 3.
template <typename A, typename B>
ResultOf<A, B> BatchMatmul(const A& a, const B& b, const BatchMatmulOptions& options = {}) {
  return Apply(internal::MatmulFunction("batch_matmul"), options, a, b);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_MATMUL_H_
