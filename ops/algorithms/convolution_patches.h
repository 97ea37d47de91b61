// SPDX-License-Identifier: Apache-2.0
//
// Patches: what makes a convolution a product of matrices. Column (x, y) of an image has the
// samples that the taps of output (x, y) meet. Forward and for the weights they are copied from x;
// the gradient to the input is the sum of their gradients.
#ifndef HALITE_OPS_ALGORITHMS_CONVOLUTION_PATCHES_H_
#define HALITE_OPS_ALGORITHMS_CONVOLUTION_PATCHES_H_

#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/convolution.h"

namespace halite {

// Patches of a slice of the output: patches(x, y, tap, n, c) is the sample that tap (kx, ky) meets
// at output (x, y) in slice `slice` of the padded input, zero in the padding.
struct ConvolutionPatches {
  Halide::Var x{"x"}, y{"y"}, tap{"tap"}, n{"image"}, c{"channel"}, kx{"kx"};
  PaddedWindow window;
  Halide::Func met{"met"}, result{"convolution_patches"};  // met: of a row, what tap kx meets

  ConvolutionPatches(const Halide::Func& in, const ConvolutionAxes& a, const Halide::Expr& slice,
                     const Halide::Expr& channels, const Halide::Expr& batch,
                     const Halide::Type& type)
      : window(in, a, channels, batch, type, {{n, c}, 0, slice, c, n}) {
    met(x, kx, y, n, c) = window.padded(a[0].At(x, kx), y, 0, 0, 0, n, c);
    result(x, y, tap, n, c) = met(x, tap % a[0].taps, a[1].At(y, tap / a[0].taps), n, c);
  }
};

// dx(x, y, c, n) = sum of patches(ox, oy, tap, n, c) over the taps (kx, ky) and outputs (ox, oy)
// that meet there: ox * stride_x + kx * dilation_x = x + pad_x, and so on.
struct ConvolutionPatchesDx {
  Halide::Var x{"x"}, y{"y"}, c{"channel"}, n{"image"};
  Halide::Var q{"q"}, phase{"phase"}, row{"row"}, block{"block"};
  enum Sum { kOutX, kOutY, kTapX, kTapY };
  Halide::RDom s;  // of a block
  enum Loop { kX, kRow, kBlock, kChannel, kBatch };
  Halide::RDom r;
  // Of a block of rows of dx, whose samples q * stride + phase - pad have q innermost: what a tap
  // adds to a row is a run.
  Halide::Func sum{"sum"};
  Halide::Func result{"convolution_patches_dx"};

  // The extents in the axes are those of dy. `rows`: of a block.
  ConvolutionPatchesDx(const Halide::Func& patches, const ConvolutionAxes& a,
                       const Halide::Type& type, const Halide::Expr& accumulate,
                       const Halide::Expr& rows) {
    using namespace Halide;
    result(x, y, c, n) = undef(type);
    std::vector<Expr> extent;
    for (int d = 0; d < 4; ++d) extent.push_back(result.output_buffer().dim(d).extent());
    s = RDom(0, a[0].in, 0, (rows - 1) / a[1].stride + 1, 0, a[0].taps, 0, a[1].taps, "s");
    const Expr place = s[kTapX] * a[0].dilation;
    const Expr first_y = block * rows + a[1].pad - s[kTapY] * a[1].dilation;  // of the outputs
    const Expr out_y = max(CeilDiv(first_y, a[1].stride), 0) + s[kOutY];
    const Expr to_row = out_y * a[1].stride - first_y;
    s.where(out_y < a[1].in && to_row < rows);
    sum(q, phase, row, block, c, n) = cast(type, 0);
    sum(s[kOutX] + place / a[0].stride, place % a[0].stride, clamp(to_row, 0, rows - 1), block, c,
        n) +=
        patches(s[kOutX], clamp(out_y, 0, a[1].in - 1), s[kTapY] * a[0].taps + s[kTapX], n, c);

    r = RDom(
        {{0, extent[0]}, {0, rows}, {0, CeilDiv(extent[1], rows)}, {0, extent[2]}, {0, extent[3]}},
        "r");
    const Expr at_y = r[kBlock] * rows + r[kRow];
    r.where(at_y < extent[1]);
    const std::vector<Expr> to{r[kX], clamp(at_y, 0, extent[1] - 1), r[kChannel], r[kBatch]};
    const Expr at_x = r[kX] + a[0].pad;
    result(to) =
        select(accumulate, result(to), cast(type, 0)) +
        sum(at_x / a[0].stride, at_x % a[0].stride, r[kRow], r[kBlock], r[kChannel], r[kBatch]);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_CONVOLUTION_PATCHES_H_
