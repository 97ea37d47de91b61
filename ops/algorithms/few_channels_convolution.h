// SPDX-License-Identifier: Apache-2.0
//
// Sums over many channels for few, in vectors of x: the gradient of a convolution to its input
//   dx(x, y, z, ci, n) = sum of dy(ox, oy, oz, co, n) * w(kx, ky, kz, ci, co)
// over co and all taps and outputs with ox * stride_x + kx * dilation_x - pad_x = x, and so on.
// A convolution of stride 1 is one as well, of flipped weights. (Shapes as in convolution.h.)
//
// Inputs x = q * stride + phase of one phase meet tap k through the outputs q + Shift(k), so that a
// tap adds a dense row of dy to the sums of its phase.
#ifndef HALITE_OPS_ALGORITHMS_FEW_CHANNELS_CONVOLUTION_H_
#define HALITE_OPS_ALGORITHMS_FEW_CHANNELS_CONVOLUTION_H_

#include <optional>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/convolution.h"

namespace halite {

// A register tile for calls of so many channels: a vector of x by `rows` rows by the channels.
struct FewChannelsConvolutionTile {
  int channels, rows;
};

struct FewChannelsConvolutionShape {
  int lanes;
  std::vector<FewChannelsConvolutionTile> tiles;  // exactly one of them serves a call

  Halide::Expr Rows(const Halide::Expr& channels) const {
    Halide::Expr rows = tiles.back().rows;
    for (const FewChannelsConvolutionTile& tile : tiles) {
      rows = select(channels == tile.channels, tile.rows, rows);
    }
    return rows;
  }
};

struct FewChannelsConvolution {
  // Place inside a tile: lane v, phase of x, row p, channel; then the place of the tile: t along x,
  // phase of y, task (a row of tiles of one slice of an image).
  Halide::Var v{"v"}, phase{"phase"}, p{"p"}, ci{"ci"}, t{"t"}, phase_y{"phase_y"}, task{"task"};
  Halide::Var e{"e"};  // element of a run of the result: its lanes and phases
  Halide::Var co{"co"}, kx{"kx"}, ky{"ky"}, kz{"kz"};
  std::optional<PaddedWindow> window;
  Halide::Expr pitch;  // of its rows, an odd number of vectors: they lie in all sets of a cache
  enum Sum { kSumRow, kSumChannel, kSumOut, kTapX, kTapY, kTapZ };
  std::vector<Halide::RDom> sums;  // by tile
  enum Loop { kX, kRow, kChannel, kPhaseY, kTask };
  Halide::RDom r;
  Halide::Func packed{"packed"}, sum{"sum"}, run{"run"}, result{"few_channels_convolution"};

  // The operands as the gradient has them: dy for x, its extents in the axes, and co for the input
  // channels. The shape is for the channels of the result.
  FewChannelsConvolution(const ConvolutionOperands& in, const FewChannelsConvolutionShape& shape) {
    using namespace Halide;
    const ConvolutionAxes& a = in.axes;
    const Var x("x"), y("y"), z("z"), c("c"), n("n");
    result(x, y, z, c, n) = undef(in.type);
    std::vector<Expr> extent;
    for (int d = 0; d < 5; ++d) extent.push_back(result.output_buffer().dim(d).extent());
    const Expr rows = shape.Rows(extent[3]);
    const Expr row_groups = max(CeilDiv(CeilDiv(extent[1], a[1].stride), rows), 1);
    const Expr slices = max(extent[2], 1);
    const auto group_at = [&](const Expr& i) { return i - i / row_groups * row_groups; };
    const auto slice_at = [&](const Expr& i) {
      const Expr slice = i / row_groups;
      return clamp(slice - slice / slices * slices, 0, slices - 1);
    };
    const auto image_at = [&](const Expr& i) {
      return clamp(i / row_groups / slices, 0, extent[4] - 1);
    };

    // The window begins where the last taps read.
    ConvolutionAxes dense;
    for (int d = 0; d < 3; ++d) dense[d] = {1, -Shift(a[d], a[d].taps - 1), 1, a[d].in, a[d].taps};
    window.emplace(
        in.x, dense, in.in_channels, extent[4], in.type,
        PaddedWindow::Origin{
            {task}, group_at(task) * rows, slice_at(task) / a[2].stride, 0, image_at(task)});
    const Expr vectors = CeilDiv(extent[0], shape.lanes * a[0].stride) +
                         CeilDiv(Shift(a[0], 0) - Shift(a[0], a[0].taps - 1), shape.lanes);
    pitch = (vectors / 2 * 2 + 1) * shape.lanes;
    packed(ci, co, kx, ky, kz) = in.w(kx, ky, kz, ci, co);

    sum(v, phase, p, ci, t, phase_y, task) =
        in.b.defined() ? Expr(in.b(clamp(ci, 0, extent[3] - 1))) : cast(in.type, 0);
    for (const FewChannelsConvolutionTile& tile : shape.tiles) {
      RDom s({{0, tile.rows},
              {0, tile.channels},
              {0, in.in_channels},
              {0, a[0].taps},
              {0, a[1].taps},
              {0, a[2].taps}},
             "s");
      s.where(extent[3] == tile.channels);
      s.where(Phase(a[1], s[kTapY]) == phase_y);
      s.where(Phase(a[2], s[kTapZ]) == slice_at(task) % a[2].stride);
      const auto from = [&](int d, const Expr& tap) {
        return Shift(a[d], tap) - Shift(a[d], a[d].taps - 1);
      };
      sum(v, Phase(a[0], s[kTapX]), s[kSumRow], s[kSumChannel], t, phase_y, task) +=
          packed(unsafe_promise_clamped(s[kSumChannel], 0, extent[3] - 1), s[kSumOut], s[kTapX],
                 s[kTapY], s[kTapZ]) *
          window->padded(t * shape.lanes + v + from(0, s[kTapX]), s[kSumRow] + from(1, s[kTapY]),
                         from(2, s[kTapZ]), s[kSumOut], 0, task);
      sums.push_back(s);
    }
    run(e, p, ci, t, phase_y, task) =
        sum(e / a[0].stride, e % a[0].stride, p, ci, t, phase_y, task);

    r = RDom({{0, extent[0]},
              {0, rows},
              {0, extent[3]},
              {0, a[1].stride},
              {0, row_groups * slices * extent[4]}},
             "r");
    const Expr at_y = (group_at(r[kTask]) * rows + r[kRow]) * a[1].stride + r[kPhaseY];
    r.where(at_y < extent[1]);
    const std::vector<Expr> to{r[kX], clamp(at_y, 0, extent[1] - 1), slice_at(r[kTask]),
                               r[kChannel], image_at(r[kTask])};
    const Expr length = shape.lanes * a[0].stride;
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 run(r[kX] % length, r[kRow], r[kChannel], r[kX] / length, r[kPhaseY], r[kTask]);
  }

  static Halide::Expr Phase(const ConvolutionAxis& a, const Halide::Expr& tap) {
    return (tap * a.dilation - a.pad) % a.stride;
  }
  static Halide::Expr Shift(const ConvolutionAxis& a, const Halide::Expr& tap) {
    return (a.pad - tap * a.dilation + a.stride - 1) / a.stride;
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_FEW_CHANNELS_CONVOLUTION_H_
