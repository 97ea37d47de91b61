// SPDX-License-Identifier: Apache-2.0
//
// Indices into tables, and indices as vectors of zeros and a one. Arguments are Variables or
// NdArrays in any mixture; with an NdArray among them the result is one, computed at once.
#ifndef HALITE_OPS_EMBED_H_
#define HALITE_OPS_EMBED_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> EmbedFunctions();

struct OneHotOptions {
  Shape shape = {};  // of what the indices count; required
};

namespace functions {

namespace internal {
const FunctionDef& EmbedFunction(absl::string_view name);
}  // namespace internal

// Picks rows of a table: y[i..., c...] = w[x0[i...], c...] for int32 indices x0 of any shape. An
// index outside [0, w.shape[0]) gives a row of NaN and no gradient. No gradient to x0.
template <typename Indices, typename W>
ResultOf<Indices, W> Embed(const Indices& x0, const W& w) {
  return Apply(internal::EmbedFunction("embed"), NoOptions(), x0, w);
}

// For int32 indices x [..., k] into an array of `shape` (k extents): y [..., shape...] is 1 at each
// index and 0 elsewhere, in float32. A negative index counts from the end; one that is out of range
// gives zeros. No gradient.
template <typename Array>
Array OneHot(const Array& x, const OneHotOptions& options) {
  return Apply(internal::EmbedFunction("one_hot"), options, x);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_EMBED_H_
