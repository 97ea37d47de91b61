// SPDX-License-Identifier: Apache-2.0
//
// Convolution (cross-correlation) over up to three spatial axes and its gradients:
//   y(x, y, z, co, n) = b(co) + sum_{kx, ky, kz, ci} w(kx, ky, kz, ci, co) * in(ix, iy, iz, ci, n),
//   ix = x * stride_x + kx * dilation_x - pad_x, and so on; `in` is zero outside its extent.
// Shapes: in [x, y, z, ci, n], w [kx, ky, kz, ci, co], b [co], y [x, y, z, co, n]; one or two
// spatial axes have extent 1 in the others. Sums are taken in the type of the data. Each operator
// has two forms: as the formula stands (GPU), and tiled for registers and caches (CPU).
#ifndef HALITE_OPS_ALGORITHMS_CONVOLUTION_H_
#define HALITE_OPS_ALGORITHMS_CONVOLUTION_H_

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/axis.h"
#include "halite/ops/algorithms/ceil_div.h"
#include "halite/ops/algorithms/shuffle.h"

namespace halite {

// One spatial axis: output o meets tap k at input o * stride + k * dilation - pad. The padding may
// be negative (the input is cropped) and larger than the input.
struct ConvolutionAxis {
  Halide::Expr stride, pad, dilation;
  Halide::Expr in, taps;    // extents of the input and of the kernel
  Halide::Expr spread = 1;  // distance at which the samples of the input lie, see PaddedWindow
  // 2 for the gradient of a convolution with stride 2, see StridedGradientAxis: two outputs o stand
  // at each place of the input, phase 0 and 1. Pair `tap` of the kernel is what they meet there.
  int phases = 1;
  Halide::Expr odd = 0;  // 1 if the kernel's first tap meets outputs of phase 1

  Halide::Expr At(const Halide::Expr& o, const Halide::Expr& k) const {
    return o * stride + k * dilation;
  }
};

using ConvolutionAxes = std::array<ConvolutionAxis, 3>;

constexpr int32_t kMaxStep = 1 << 20;  // of strides and dilations

// The axis of dy (extent `in`) along which it is convolved with flipped weights to give the dx of a
// convolution with padding `pad`; samples of dy lie `spread` apart, the convolution's stride.
inline ConvolutionAxis GradientAxis(const Halide::Expr& pad, const Halide::Expr& dilation,
                                    const Halide::Expr& in, const Halide::Expr& taps,
                                    const Halide::Expr& spread = 1) {
  return {1, (taps - 1) * dilation - pad, dilation, in, taps, spread};
}

// The axis of dy (extent `in`) along which the gradient dx of a convolution with stride 2 gathers
//   dx(o) = sum_k dy((o + pad - k) / 2) w(k), over the k that leave no remainder.
// With odd = pad % 2, k = 2 j + phase - odd, o = 2 q + phase it is dy(q + (pad + odd) / 2 - j):
// sample q + last - j of a window with `window_pad` = last - (pad + odd) / 2 zeros before dy, where
// j runs from 0 to last = (taps - 1 + odd) / 2.
inline ConvolutionAxis StridedGradientAxis(const Halide::Expr& in, const Halide::Expr& taps,
                                           const Halide::Expr& window_pad,
                                           const Halide::Expr& odd) {
  return {1, window_pad, 1, in, taps, 1, 2, odd};
}

// The operands of one convolution; the gradient to the input is one as well, see FlippedWeights.
struct ConvolutionOperands {
  Halide::Func x, w, b;  // b is undefined where there is no bias
  ConvolutionAxes axes;
  Halide::Expr in_channels, out_channels;
  Halide::Type type;
  Halide::Expr accumulate = Halide::Internal::const_false();  // result += instead of result =
};

// The operands of the gradient to the weights.
struct ConvolutionWeightsOperands {
  Halide::Func x, dy;
  ConvolutionAxes axes;             // without the taps: they are the extents of dw
  std::array<Halide::Expr, 3> out;  // spatial extents of dy
  Halide::Expr in_channels, out_channels, batch;
  Halide::Type type;
  Halide::Expr accumulate;
};

// w'(kx, ky, kz, co, ci) = w(Kx - 1 - kx, Ky - 1 - ky, Kz - 1 - kz, ci, co): the weights with which
// dy is convolved (stride 1) to give dx. Axes of two phases are not flipped.
inline Halide::Func FlippedWeights(const Halide::Func& w, const ConvolutionAxes& axes) {
  Halide::Var kx("kx"), ky("ky"), kz("kz"), ci("ci"), co("co");
  Halide::Func flipped("flipped");
  const auto at = [&](int d, const Halide::Expr& k) {
    return axes[d].phases > 1 ? k : axes[d].taps - 1 - k;
  };
  flipped(kx, ky, kz, co, ci) = w(at(0, kx), at(1, ky), at(2, kz), ci, co);
  return flipped;
}

// The domain of all elements of the output `f` of rank 5: an update over it may add in place.
inline Halide::RDom EachOf(const Halide::Func& f) {
  std::vector<Halide::Range> ranges;
  for (int d = 0; d < 5; ++d) ranges.emplace_back(0, f.output_buffer().dim(d).extent());
  return Halide::RDom(ranges, "r");
}

// As the formula stands: every output gathers its own sum.
struct Convolution {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, c{"c"}, n{"n"};
  Halide::RDom taps;  // kx, ky, kz, ci
  Halide::RDom r;     // every element of the result
  Halide::Func sum{"sum"}, result{"convolution"};

  explicit Convolution(const ConvolutionOperands& in) {
    using namespace Halide;
    const ConvolutionAxes& a = in.axes;
    taps = RDom(0, a[0].taps, 0, a[1].taps, 0, a[2].taps, 0, in.in_channels, "taps");
    const Expr position[] = {a[0].At(x, taps[0]) - a[0].pad, a[1].At(y, taps[1]) - a[1].pad,
                             a[2].At(z, taps[2]) - a[2].pad};
    Expr inside = Internal::const_true();
    std::vector<Expr> clamped;
    for (int d = 0; d < 3; ++d) {
      inside = inside && position[d] >= 0 && position[d] < a[d].in;
      clamped.push_back(clamp(position[d], 0, a[d].in - 1));
    }
    const Expr sample = in.x(clamped[0], clamped[1], clamped[2], taps[3], n);
    sum(x, y, z, c, n) = in.b.defined() ? Expr(in.b(c)) : cast(in.type, 0);
    sum(x, y, z, c, n) +=
        select(inside, sample, cast(in.type, 0)) * in.w(taps[0], taps[1], taps[2], taps[3], c);
    result(x, y, z, c, n) = undef(in.type);
    r = EachOf(result);
    const std::vector<Expr> at_r{r[0], r[1], r[2], r[3], r[4]};
    result(at_r) = select(in.accumulate, result(at_r), cast(in.type, 0)) + sum(at_r);
  }
};

// A window of the input with the zeros around it: rows, slices, channels and images from an origin
// that depends on a `place` (a task, say); x counts from input position -pad. Sample i of an axis
// lies at i * spread + pad; zeros lie between samples that are spread. Channels and images past the
// last repeat it.
struct PaddedWindow {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, c{"c"}, i{"i"};
  Halide::RDom samples;  // of one input row
  Halide::Func padded{"padded"};

  struct Origin {
    std::vector<Halide::Var> place;
    Halide::Expr y, z, c, n;
  };

  PaddedWindow(const Halide::Func& in, const ConvolutionAxes& a, const Halide::Expr& channels,
               const Halide::Expr& batch, const Halide::Type& type, const Origin& origin) {
    using namespace Halide;
    const Expr first = clamp((a[0].spread - 1 - a[0].pad) / a[0].spread, 0, a[0].in - 1);
    samples = RDom(first, a[0].in - first, "samples");
    const Expr py = origin.y + y - a[1].pad, pz = origin.z + z - a[2].pad;
    const Expr iy = py / a[1].spread, iz = pz / a[2].spread;
    samples.where(py % a[1].spread == 0 && iy >= 0 && iy < a[1].in);
    samples.where(pz % a[2].spread == 0 && iz >= 0 && iz < a[2].in);
    std::vector<Expr> at{x, y, z, c, i};
    at.insert(at.end(), origin.place.begin(), origin.place.end());
    padded(at) = cast(type, 0);
    at[0] = samples * a[0].spread + a[0].pad;
    padded(at) = in(samples, clamp(iy, 0, a[1].in - 1), clamp(iz, 0, a[2].in - 1),
                    clamp(origin.c + c, 0, channels - 1), clamp(origin.n + i, 0, batch - 1));
  }
};

// A window with the channels of a pixel side by side, in planes of `lanes` channels (channel =
// plane * lanes + v): pixels.elements(v, x, y, i, plane, place...).
struct ChannelPlanes {
  Halide::Var y{"y"}, i{"i"}, plane{"plane"};
  PaddedWindow window;
  TransposedSquares pixels;

  ChannelPlanes(const PaddedWindow& from, int lanes, const std::vector<Halide::Var>& place)
      : window(from),
        pixels(
            [&](const Halide::Expr& x, const Halide::Expr& v) {
              std::vector<Halide::Expr> at{x, y, 0, plane * lanes + v, i};
              at.insert(at.end(), place.begin(), place.end());
              return window.padded(at);
            },
            lanes, Joined({y, i, plane}, place)) {}

 private:
  static std::vector<Halide::Var> Joined(std::vector<Halide::Var> a,
                                         const std::vector<Halide::Var>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }
};

// A register tile that serves where `condition` holds: 1 or 2 vectors of channels by pixels of the
// result.
// Exactly one of a list of tiles serves a call. (In the gradient to the weights terms stand for
// pixels.)
struct ConvolutionTile {
  Halide::Expr condition;
  int vectors, pixels;
};

// How the tiled form cuts up its work.
struct ConvolutionShape {
  int lanes;  // channels in a vector
  int slots;  // room for pixels in a register tile, a power of two
  std::vector<ConvolutionTile> tiles;
  Halide::Expr rows;    // rows of a task
  Halide::Expr blocks;  // register tiles of a task, side by side in the channels

  Halide::Expr Pixels() const {
    Halide::Expr pixels = tiles.back().pixels;
    for (const ConvolutionTile& tile : tiles) pixels = select(tile.condition, tile.pixels, pixels);
    return pixels;
  }
};

// A task is `rows` rows of one image and `blocks` blocks of channels. Its number counts the row
// groups, then the block groups, the slices (z) and the images. The quotients are written without
// remainders, so that interval arithmetic finds the place of a known task exactly.
struct ConvolutionTask {
  Halide::Expr count;
  Halide::Expr y, z, block, n;  // first row and first block; slice, image

  ConvolutionTask(const Halide::Expr& task, const ConvolutionShape& shape,
                  const std::vector<Halide::Expr>& extent) {
    using namespace Halide;
    const int channels = 2 * shape.lanes;
    const Expr row_groups = max((extent[1] + shape.rows - 1) / shape.rows, 1);
    const Expr blocks = (extent[3] + channels - 1) / channels;
    const Expr block_groups = max((blocks + shape.blocks - 1) / shape.blocks, 1);
    const Expr slices = max(extent[2], 1);
    count = row_groups * block_groups * slices * extent[4];
    const Expr by_rows = task / row_groups;
    const Expr by_blocks = by_rows / block_groups;
    const Expr by_slices = by_blocks / slices;
    y = (task - by_rows * row_groups) * shape.rows;
    block = (by_rows - by_blocks * block_groups) * shape.blocks;
    z = clamp(by_blocks - by_slices * slices, 0, slices - 1);
    n = clamp(by_slices, 0, extent[4] - 1);
  }
};

// The same sums from packed weights and padded input rows, in register tiles of `vectors` * `lanes`
// channels x `pixels`. They are computed with the channel innermost (a pixel is broadcast to a
// vector of channels) and stored with the pixel innermost: `slots` vectors of `lanes` channels are
// transposed in registers.
struct TiledConvolution {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, c{"c"}, n{"n"};
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, ci{"ci"};
  // Place inside a tile: lane v, vector u, pixel p. Then the place of the tile: t along x, row and
  // block in its task.
  Halide::Var v{"v"}, u{"u"}, p{"p"}, t{"t"}, row{"row"}, block{"block"}, task{"task"};
  std::optional<PaddedWindow> window;
  enum Sum { kSumPixel, kSumVector, kPhase, kTapX, kTapY, kTapZ, kTapChannel };
  std::vector<Halide::RDom> sums;  // by tile form, and by part of the taps along x
  enum Loop { kPixel, kLane, kVector, kTile, kRow, kBlock, kTask };
  Halide::RDom r;
  Halide::Func packed{"packed"}, bias{"bias"}, sum{"sum"}, result{"convolution"};
  std::vector<Halide::Func> turned;

  TiledConvolution(const ConvolutionOperands& in, const ConvolutionShape& shape) {
    result(x, y, z, c, n) = Halide::undef(in.type);
    for (int d = 0; d < 5; ++d) extent_.push_back(result.output_buffer().dim(d).extent());
    const ConvolutionTask at(task, shape, extent_);
    window.emplace(
        in.x, in.axes, in.in_channels, extent_[4], in.type,
        PaddedWindow::Origin{{task}, SampleRow(in, at.y), at.z * in.axes[2].stride, 0, at.n});
    PackWeights(in, shape);
    SumTile(in, shape);
    StoreTiles(in, shape);
  }

 private:
  std::vector<Halide::Expr> extent_;  // of the result

  // Phases and pairs of taps that are summed together.
  struct Part {
    int first_phase, phases;
    Halide::Expr first, end;
  };
  // Pair j of two phases has taps 2 j - odd and 2 j + 1 - odd; the first and the last pair may lack
  // one of them.
  static std::vector<Part> Parts(const ConvolutionAxis& x) {
    if (x.phases == 1) return {{0, 1, 0, x.taps}};
    const Halide::Expr end = x.taps + x.odd;
    return {{1, 1, 0, x.odd}, {0, 2, x.odd, end / 2}, {0, 1, end / 2, (end + 1) / 2}};
  }
  static Halide::Expr SampleRow(const ConvolutionOperands& in, const Halide::Expr& y) {
    return in.axes[1].phases > 1 ? y / 2 : y * in.axes[1].stride;
  }

  void PackWeights(const ConvolutionOperands& in, const ConvolutionShape& shape) {
    using namespace Halide;
    // Channels past the last one repeat it; their sums are never stored.
    const Expr co = clamp(block * shape.lanes + v, 0, in.out_channels - 1);
    packed(v, kx, ky, kz, ci, block) = in.w(kx, ky, kz, ci, co);
    bias(v, block) = in.b.defined() ? Expr(in.b(co)) : cast(in.type, 0);
  }

  void SumTile(const ConvolutionOperands& in, const ConvolutionShape& shape) {
    using namespace Halide;
    const ConvolutionAxes& a = in.axes;
    const ConvolutionTask at(task, shape, extent_);
    const Expr blocks = (extent_[3] + 2 * shape.lanes - 1) / (2 * shape.lanes);
    const Expr at_block = unsafe_promise_clamped(at.block + block, 0, blocks - 1);
    sum(v, u, p, t, row, block, task) = bias(v, at_block * 2 + u);
    const bool strided = a[0].phases > 1;
    const auto last = [&](int d) { return (a[d].taps - 1 + a[d].odd) / 2; };
    for (const ConvolutionTile& tile : shape.tiles) {
      for (const Part& part : Parts(a[0])) {
        RDom s({{0, tile.pixels / a[0].phases},
                {0, tile.vectors},
                {part.first_phase, part.phases},
                {part.first, part.end - part.first},
                {0, a[1].taps},
                {0, a[2].taps},
                {0, in.in_channels}},
               "s");
        s.where(tile.condition);
        Expr tap = s[kTapX], pixel = s[kSumPixel];
        Expr from_x = a[0].At(t * shape.Pixels() + pixel, tap), from_y = a[1].At(row, s[kTapY]);
        if (strided) {
          tap = unsafe_promise_clamped(2 * tap + s[kPhase] - a[0].odd, 0, a[0].taps - 1);
          pixel = 2 * pixel + s[kPhase];
          from_x = t * (shape.Pixels() / 2) + s[kSumPixel] + last(0) - s[kTapX];
          s.where((row + a[1].odd - s[kTapY]) % 2 == 0);
          from_y = (row - a[1].odd - s[kTapY]) / 2 + last(1);
        }
        const Expr sample_y = SampleRow(in, at.y) + from_y - a[1].pad;
        s.where(sample_y >= 0 && sample_y < a[1].in);
        sum(v, s[kSumVector], pixel, t, row, block, task) +=
            packed(v, tap, s[kTapY], s[kTapZ], s[kTapChannel], at_block * 2 + s[kSumVector]) *
            window->padded(from_x, from_y, s[kTapZ] * a[2].dilation, s[kTapChannel], 0, task);
        sums.push_back(s);
      }
    }
    const Var e("e");
    Func list("tile");
    list(e, u, t, row, block, task) = sum(e % shape.lanes, u, e / shape.lanes, t, row, block, task);
    turned = Shuffles(list, shape.slots, shape.lanes);
  }

  void StoreTiles(const ConvolutionOperands& in, const ConvolutionShape& shape) {
    using namespace Halide;
    r = RDom({{0, shape.Pixels()},
              {0, shape.lanes},
              {0, 2},
              {0, (extent_[0] + shape.Pixels() - 1) / max(shape.Pixels(), 1)},
              {0, shape.rows},
              {0, shape.blocks},
              {0, ConvolutionTask(0, shape, extent_).count}},
             "r");
    const ConvolutionTask at(r[kTask], shape, extent_);
    const Expr at_x = r[kTile] * shape.Pixels() + r[kPixel];
    const Expr at_y = at.y + r[kRow];
    const Expr at_c = ((at.block + r[kBlock]) * 2 + r[kVector]) * shape.lanes + r[kLane];
    const Expr rest = extent_[0] - r[kTile] * shape.Pixels();
    const Expr whole = shape.Pixels() <= rest || r[kPixel] < rest;
    r.where(at_y < extent_[1]);
    r.where((at.block + r[kBlock]) * 2 * shape.lanes < extent_[3]);
    r.where(at_c - r[kLane] < extent_[3]);
    r.where(at_c < extent_[3]);
    r.where(likely(whole));
    const auto inside = [&](const Expr& i, int d) {
      return unsafe_promise_clamped(i, 0, extent_[d] - 1);
    };
    const std::vector<Expr> to{inside(at_x, 0), inside(at_y, 1), at.z, inside(at_c, 3), at.n};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 turned.back()(r[kLane] * shape.slots + r[kPixel], r[kVector], r[kTile], r[kRow],
                               r[kBlock], r[kTask]);
  }
};

// The gradient to the weights as the formula stands, in `kSlices` slices of the rows:
//   dw(kx, ky, kz, ci, co) = sum_{x, y, z, n} dy(x, y, z, co, n) * in(ix, iy, iz, ci, n).
struct ConvolutionWeights {
  static constexpr int kSlices = 16;
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, ci{"ci"}, co{"co"}, slice{"slice"};
  Halide::RDom s, r;
  Halide::Func partial{"partial"}, result{"convolution_dw"};

  explicit ConvolutionWeights(const ConvolutionWeightsOperands& in) {
    using namespace Halide;
    result(kx, ky, kz, ci, co) = undef(in.type);
    const ConvolutionAxes& a = in.axes;
    const Expr rows = in.out[1] * in.out[2] * in.batch, share = (rows + kSlices - 1) / kSlices;
    s = RDom(0, in.out[0], 0, share, "s");
    const Expr row = slice * share + s.y;
    s.where(row < rows);
    const Expr y = row % in.out[1], z = row / in.out[1] % in.out[2];
    const Expr n = clamp(row / (in.out[1] * in.out[2]), 0, in.batch - 1);
    const Expr ix = a[0].At(s.x, kx) - a[0].pad, iy = a[1].At(y, ky) - a[1].pad,
               iz = a[2].At(z, kz) - a[2].pad;
    const Expr sample = in.x(clamp(ix, 0, a[0].in - 1), clamp(iy, 0, a[1].in - 1),
                             clamp(iz, 0, a[2].in - 1), ci, n);
    const Expr inside =
        ix >= 0 && ix < a[0].in && iy >= 0 && iy < a[1].in && iz >= 0 && iz < a[2].in;
    partial(kx, ky, kz, ci, co, slice) = cast(in.type, 0);
    partial(kx, ky, kz, ci, co, slice) +=
        select(inside, sample, cast(in.type, 0)) *
        in.dy(s.x, clamp(y, 0, in.out[1] - 1), clamp(z, 0, in.out[2] - 1), co, n);
    r = EachOf(result);
    const std::vector<Expr> at{r[0], r[1], r[2], r[3], r[4]};
    Expr total = cast(in.type, 0);
    for (int i = 0; i < kSlices; ++i) total += partial(r[0], r[1], r[2], r[3], r[4], i);
    result(at) = select(in.accumulate, result(at), cast(in.type, 0)) + total;
  }
};

// Where the gradient to the weights is: task `task` has one group of input channels, one of output
// channels and a slice of the chunks; a chunk is `rows` rows (or rows of tiles) of one slice (z) of
// each of `images` images.
struct ConvolutionChunks {
  Halide::Expr count, share, first;  // all chunks; how many a task has; its first
  Halide::Expr row, slice, image;    // where chunk `chunk` of the task begins in dy
  Halide::Expr in_group, out_group;  // of the task
  Halide::Expr groups;               // pairs of groups

  ConvolutionChunks(const Halide::Expr& chunk, const Halide::Expr& task,
                    const std::array<Halide::Expr, 3>& extents,  // rows, slices, images of dy
                    const Halide::Expr& rows, const Halide::Expr& images,
                    const Halide::Expr& task_slices, const Halide::Expr& in_groups,
                    const Halide::Expr& out_groups) {
    using namespace Halide;
    const Expr row_groups = CeilDiv(extents[0], rows), slices = extents[1];
    count = row_groups * slices * CeilDiv(extents[2], images);
    share = CeilDiv(count, task_slices);
    groups = in_groups * out_groups;
    first = task / max(groups, 1) * share;
    const Expr place = first + chunk, group = task % groups;
    row = place % row_groups * rows;
    slice = place / max(row_groups, 1) % slices;
    image = place / max(row_groups * slices, 1) * images;
    in_group = group % in_groups;
    out_group = group / max(in_groups, 1);
  }
};

// How the tiled gradient to the weights cuts up its work. A task is `channels` input channels (all
// their taps), `blocks` blocks of 2 * lanes output channels and a slice of the chunks; a chunk is
// `rows` rows of each of `images` images.
struct ConvolutionWeightsShape {
  int lanes;  // output channels in a vector
  int terms;  // (tap, input channel) pairs in a register tile
  std::vector<ConvolutionTile> tiles;
  Halide::Expr blocks, channels, rows, images, slices;
};

// The same gradient as a matrix product of the transposed dy [co, pixel] with the padded input
// [pixel, (tap, ci)]: register tiles of 2 vectors of output channels x `terms`, summed over a chunk
// of pixels, then over the chunks of a slice, then over the slices. None of these depends on the
// threads.
struct TiledConvolutionWeights {
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, ci{"ci"}, co{"co"};
  // Place in a register tile: lane v, vector u, term p; then the place of the tile: j among the
  // terms, block among the channels of its task.
  Halide::Var v{"v"}, u{"u"}, p{"p"}, j{"j"}, block{"block"}, chunk{"chunk"}, task{"task"};
  std::optional<PaddedWindow> window;
  Halide::Var image{"image"}, vector{"vector"};  // of a chunk, of a task's output channels
  std::optional<TransposedSquares> dy;           // [v, pixel, image, vector, chunk, task]
  enum Sum { kTerm, kVector, kX, kRow, kImage };
  std::vector<Halide::RDom> sums;  // over a chunk, by tile form
  Halide::RDom c, slices, r;       // chunks of a slice, slices, elements of dw
  std::array<Halide::Func, 4> term{{Halide::Func("term_kx"), Halide::Func("term_ky"),
                                    Halide::Func("term_kz"), Halide::Func("term_ci")}};
  std::array<Halide::Func, 4> tile_term{{Halide::Func("tile_kx"), Halide::Func("tile_ky"),
                                         Halide::Func("tile_kz"), Halide::Func("tile_ci")}};
  Halide::Func sum{"sum"}, total{"total"}, partial{"partial"}, reduced{"reduced"};
  Halide::Func result{"convolution_dw"};

  // `pixels` is dy [pixel, z, co, n], where rows of a slice follow one another. The shape may
  // depend on the number of taps, which only dw tells.
  TiledConvolutionWeights(
      const ConvolutionWeightsOperands& in, const Halide::Func& pixels,
      const std::function<ConvolutionWeightsShape(const Halide::Expr& taps)>& shape_for) {
    using namespace Halide;
    result(kx, ky, kz, ci, co) = undef(in.type);
    for (int d = 0; d < 3; ++d) taps_[d] = result.output_buffer().dim(d).extent();
    const ConvolutionWeightsShape shape = shape_for(taps_[0] * taps_[1] * taps_[2]);
    terms_ = taps_[0] * taps_[1] * taps_[2] * shape.channels;
    channel_groups_ = CeilDiv(in.in_channels, shape.channels);
    block_groups_ = CeilDiv(in.out_channels, 2 * shape.lanes * shape.blocks);
    chunks_.emplace(chunk, task, std::array<Expr, 3>{in.out[1], in.out[2], in.batch}, shape.rows,
                    shape.images, shape.slices, channel_groups_, block_groups_);
    const std::vector<Var> place{chunk, task};
    window.emplace(in.x, in.axes, in.in_channels, in.batch, in.type,
                   PaddedWindow::Origin{place, chunks_->row * in.axes[1].stride,
                                        chunks_->slice * in.axes[2].stride,
                                        chunks_->in_group * shape.channels, chunks_->image});
    // What lies past the last channel and image repeats them and is not used.
    const Expr first_vector = chunks_->out_group * shape.blocks * 2;
    const Expr first_pixel = chunks_->row * in.out[0], count = in.out[0] * in.out[1];
    const auto nearest = [](const Expr& i, const Expr& extent) {
      return unsafe_promise_clamped(min(i, extent - 1), 0, extent - 1);
    };
    dy.emplace(
        [&](const Expr& p, const Expr& lane) {
          const Expr pixel = first_pixel + p;
          const Expr channel = (first_vector + vector) * shape.lanes + lane;
          return IfExists(
              pixel < count,
              pixels(unsafe_promise_clamped(pixel, 0, count - 1), chunks_->slice,
                     nearest(channel, in.out_channels), nearest(chunks_->image + image, in.batch)),
              cast(in.type, 0));
        },
        shape.lanes, std::vector<Var>{image, vector, chunk, task});
    SumChunk(in, shape);
    AddUp(in, shape);
  }

 private:
  std::array<Halide::Expr, 3> taps_;
  Halide::Expr terms_, channel_groups_, block_groups_;
  std::optional<ConvolutionChunks> chunks_;

  void SumChunk(const ConvolutionWeightsOperands& in, const ConvolutionWeightsShape& shape) {
    using namespace Halide;
    const ConvolutionAxes& a = in.axes;
    // Term i is channel i % channels of tap i / channels; the taps count along x first.
    const Expr i = min(j, terms_ - 1), tap = i / max(shape.channels, 1);
    term[0](j) = tap % taps_[0];
    term[1](j) = tap / max(taps_[0], 1) % taps_[1];
    term[2](j) = tap / max(taps_[0] * taps_[1], 1);
    term[3](j) = i % shape.channels;

    for (int d = 0; d < 4; ++d) tile_term[d](p, j) = term[d](j * shape.terms + p);

    sum(v, u, p, j, block, chunk, task) = cast(in.type, 0);
    for (const ConvolutionTile& tile : shape.tiles) {
      RDom s(
          {{0, shape.terms}, {0, tile.vectors}, {0, in.out[0]}, {0, shape.rows}, {0, shape.images}},
          "s");
      s.where(tile.condition);
      s.where(chunks_->image + s[kImage] < in.batch);
      s.where(chunks_->row + s[kRow] < in.out[1]);
      const auto term_at = [&](int d, const Expr& extent) {
        return unsafe_promise_clamped(tile_term[d](s[kTerm], j), 0, extent - 1);
      };
      sum(v, s[kVector], s[kTerm], j, block, chunk, task) +=
          dy->elements(v, s[kRow] * in.out[0] + s[kX], s[kImage], block * 2 + s[kVector], chunk,
                       task) *
          window->padded(a[0].At(s[kX], term_at(0, taps_[0])),
                         a[1].At(s[kRow], term_at(1, taps_[1])),
                         term_at(2, taps_[2]) * a[2].dilation, term_at(3, shape.channels),
                         s[kImage], chunk, task);
      sums.push_back(s);
    }
  }

  void AddUp(const ConvolutionWeightsOperands& in, const ConvolutionWeightsShape& shape) {
    using namespace Halide;
    c = RDom(0, chunks_->share, "c");
    c.where(chunks_->first + c < chunks_->count);
    total(v, u, p, j, block, task) = cast(in.type, 0);
    total(v, u, p, j, block, task) += sum(v, u, p, j, block, c, task);
    partial(v, u, p, j, block, task) = total(v, u, p, j, block, task);

    const int lanes = shape.lanes;
    const Expr tap = kx + taps_[0] * (ky + taps_[1] * kz);
    const Expr i = tap * shape.channels + ci % shape.channels;
    const Expr at_block = co / (2 * lanes);
    slices = RDom(0, shape.slices, "slices");
    const Expr from = ci / max(shape.channels, 1) +
                      channel_groups_ * (at_block / max(shape.blocks, 1) + block_groups_ * slices);
    reduced(kx, ky, kz, ci, co) = cast(in.type, 0);
    reduced(kx, ky, kz, ci, co) +=
        partial(co % lanes, co / lanes % 2, i % shape.terms, i / shape.terms,
                unsafe_promise_clamped(at_block % shape.blocks, 0, shape.blocks - 1),
                unsafe_promise_clamped(from, 0, chunks_->groups * shape.slices - 1));
    r = EachOf(result);
    const std::vector<Expr> at{r[0], r[1], r[2], r[3], r[4]};
    result(at) = select(in.accumulate, result(at), cast(in.type, 0)) + reduced(at);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_CONVOLUTION_H_
