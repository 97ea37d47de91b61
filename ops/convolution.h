// SPDX-License-Identifier: Apache-2.0
//
// Convolution over one, two or three spatial axes.
#ifndef HALITE_OPS_CONVOLUTION_H_
#define HALITE_OPS_CONVOLUTION_H_

#include <vector>

#include "halite/core/apply.h"

namespace halite {

const FunctionDef& ConvolutionFunction();

// Lists have one entry for each spatial axis, or are empty for the default.
struct ConvolutionOptions {
  int base_axis = 1;                   // the axis of the channels; axes before it are the batch
  std::vector<int64_t> pad = {};       // zeros on both sides, default 0
  std::vector<int64_t> stride = {};    // default 1
  std::vector<int64_t> dilation = {};  // distance of neighbouring taps, default 1
  int64_t group = 1;                   // channels are cut into so many independent groups
};

namespace functions {

// Cross-correlation (the kernel is not flipped):
//   y[n, o, p...] = b[o]
//                   + sum over c, k... of x[n, c, p stride - pad + k dilation ...] w[o, c, k...]
// x [B..., C, S...], w [O, C / group, K...], b [O] or empty -> y [B..., O, P...] with
// P = floor((S + 2 pad - dilation (K - 1) - 1) / stride) + 1. Output channels of group g read the
// input channels of group g.
template <typename X, typename W, typename B = Variable>
ResultOf<X, W> Convolution(const X& x, const W& w, const B& b = B(),
                           const ConvolutionOptions& options = {}) {
  return Apply(ConvolutionFunction(), options, x, w, b);
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_CONVOLUTION_H_
