// SPDX-License-Identifier: Apache-2.0
//
// Functions that rearrange elements. They compute nothing, so every value, NaN included, arrives as
// it is.
#ifndef HALITE_OPS_ARRAY_H_
#define HALITE_OPS_ARRAY_H_

#include <vector>

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> ArrayFunctions();

struct ReshapeOptions {
  Shape shape = {};     // of the output; one extent may be -1, which the size then decides
  bool inplace = true;  // the output shares the memory of x; else it is a copy
};
struct TransposeOptions {
  std::vector<int64_t> axes = {};  // axis d of the output is axis axes[d] of x; required
};
struct ConcatenateOptions {
  int axis = -1;  // negative axes count from the end
};
struct SplitOptions {
  int axis = 0;
};
// Lists shorter than the rank belong to the trailing axes; empty lists stand for all of x.
struct SliceOptions {
  std::vector<int64_t> start = {};  // default 0
  std::vector<int64_t> stop = {};   // default the extent
  std::vector<int64_t> step = {};   // default 1, at least 1
};

namespace functions {

namespace internal {
const FunctionDef& ArrayFunction(absl::string_view name);
}  // namespace internal

// The same elements with another shape of the same size.
template <typename Array>
Array Reshape(const Array& x, const Shape& shape, bool inplace = true) {
  return Apply(internal::ArrayFunction("reshape"), ReshapeOptions{shape, inplace}, x);
}

// Permutes the axes: y.shape[d] = x.shape[axes[d]].
template <typename Array>
Array Transpose(const Array& x, const std::vector<int64_t>& axes) {
  return Apply(internal::ArrayFunction("transpose"), TransposeOptions{axes}, x);
}

// Joins arrays along an axis; the other extents are equal.
template <typename Array>
Array Concatenate(const std::vector<Array>& x, const ConcatenateOptions& options = {}) {
  return ApplyAll(internal::ArrayFunction("concatenate"), x,
                  std::make_shared<ConcatenateOptions>(options))[0];
}

// Cuts x along an axis into x.shape[axis] arrays without that axis.
template <typename Array>
std::vector<Array> Split(const Array& x, const SplitOptions& options = {}) {
  return ApplyAll(internal::ArrayFunction("split"), std::vector<Array>{x},
                  std::make_shared<SplitOptions>(options));
}

// y = x[start : stop : step] on each axis. 0 <= start <= stop <= extent, step > 0; negative start
// and stop count from the end.
template <typename Array>
Array Slice(const Array& x, const SliceOptions& options) {
  return Apply(internal::ArrayFunction("slice"), options, x);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_ARRAY_H_
