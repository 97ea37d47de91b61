// SPDX-License-Identifier: Apache-2.0
//
// Pooling: one number for each window of the last one, two or three axes of an array. Each takes a
// Variable (and builds the graph) or an NdArray (and computes at once).
#ifndef HALITE_OPS_POOLING_H_
#define HALITE_OPS_POOLING_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// max_pooling and average_pooling.
absl::Span<const FunctionDef> PoolingFunctions();

// Lists have one entry for each pooled axis, or are empty for the default.
struct MaxPoolingOptions {
  std::vector<int64_t> kernel =
      {};  // extents of a window; its number of entries is that of pooled axes
  std::vector<int64_t> stride = {};  // distance of neighbouring windows, default `kernel`
  // Whether the last window must lie inside the padded array. If not, there is one wherever it
  // begins before the end of the array.
  bool ignore_border = true;
  std::vector<int64_t> pad =
      {};  // cells before and behind the array, less than `kernel`, default 0
};

struct AveragePoolingOptions {
  std::vector<int64_t> kernel = {};
  std::vector<int64_t> stride = {};
  bool ignore_border = true;
  std::vector<int64_t> pad = {};
  // Whether padding counts in the divisor (up to its far edge, not beyond). It adds nothing to the
  // sum.
  bool including_pad = true;
};

namespace functions {

namespace internal {
const FunctionDef& MaxPoolingDef();
const FunctionDef& AveragePoolingDef();
}  // namespace internal

// y[b..., o...] = max over k of x[b..., o stride - pad + k], k in [0, kernel). Padding is never the
// maximum.
// x [B..., S...] -> y [B..., P...] with as many S and P as `kernel` has entries, and
//   P = floor((S + 2 pad - kernel) / stride) + 1, or floor((S + pad - 1) / stride) + 1 without
// ignore_border. NaN in a window gives NaN. The gradient goes to the first NaN of the window, or
// else to its first maximum.
template <typename Array>
Array MaxPooling(const Array& x, std::vector<int64_t> kernel, MaxPoolingOptions options = {}) {
  options.kernel = std::move(kernel);
  return Apply(internal::MaxPoolingDef(), options, x);
}

// y[b..., o...] = mean over k of x[b..., o stride - pad + k]. Shapes as for MaxPooling.
template <typename Array>
Array AveragePooling(const Array& x, std::vector<int64_t> kernel,
                     AveragePoolingOptions options = {}) {
  options.kernel = std::move(kernel);
  return Apply(internal::AveragePoolingDef(), options, x);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_POOLING_H_
