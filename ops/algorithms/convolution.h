// SPDX-License-Identifier: Apache-2.0
//
// Convolution (cross-correlation) over up to three spatial axes and its gradient to the input:
//   y(x, y, z, co, n) = b(co) + sum_{kx, ky, kz, ci} w(kx, ky, kz, ci, co) *
//                       in(x * sx + kx * dx - px, y * sy + ky * dy - py, z * sz + kz * dz - pz, ci, n)
// with s, d, p the stride, dilation and padding of each axis and `in` zero outside its extent.
// Shapes: in [x, y, z, ci, n], w [kx, ky, kz, ci, co], b [co], y [x, y, z, co, n]; one or two spatial
// axes have extent 1 in the others. Sums are taken in the type of the data, term by term.
#ifndef HALITE_OPS_ALGORITHMS_CONVOLUTION_H_
#define HALITE_OPS_ALGORITHMS_CONVOLUTION_H_

#include <array>
#include <string>
#include <vector>

#include "Halide.h"

namespace halite {

// One spatial axis: output o meets tap k at input o * stride + k * dilation - pad. The padding may
// be negative (the input is cropped) and larger than the input.
struct ConvolutionAxis {
  Halide::Expr stride, pad, dilation;
  Halide::Expr in, taps;    // extents of the input and of the kernel
  Halide::Expr spread = 1;  // distance at which the samples of the input lie, see PaddedInput

  Halide::Expr At(const Halide::Expr& o, const Halide::Expr& k) const {
    return o * stride + k * dilation;
  }
};

using ConvolutionAxes = std::array<ConvolutionAxis, 3>;

// The operands of one convolution; the gradient to the input is one as well, see FlippedWeights.
struct ConvolutionOperands {
  Halide::Func x, w, b;  // b is undefined where there is no bias
  ConvolutionAxes axes;
  Halide::Expr in_channels, out_channels;
  Halide::Type type;
  std::string result = "y";
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
// dy is convolved (stride 1) to give dx.
inline Halide::Func FlippedWeights(const Halide::Func& w, const ConvolutionAxes& axes) {
  Halide::Var kx("kx"), ky("ky"), kz("kz"), ci("ci"), co("co");
  Halide::Func flipped("flipped");
  flipped(kx, ky, kz, co, ci) =
      w(axes[0].taps - 1 - kx, axes[1].taps - 1 - ky, axes[2].taps - 1 - kz, ci, co);
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
  Halide::Func sum{"sum"}, result;

  explicit Convolution(const ConvolutionOperands& in) : result(in.result) {
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
    sum(x, y, z, c, n) += select(inside, sample, cast(in.type, 0)) *
                          in.w(taps[0], taps[1], taps[2], taps[3], c);
    result(x, y, z, c, n) = undef(in.type);
    r = EachOf(result);
    const std::vector<Expr> at_r{r[0], r[1], r[2], r[3], r[4]};
    result(at_r) = select(in.accumulate, result(at_r), cast(in.type, 0)) + sum(at_r);
  }
};

// Transposes the list first(e, rest...) of `rows` rows of `columns` elements by log2(rows) perfect
// shuffles of its halves: each takes element 2 i from the first half and 2 i + 1 from the second.
// Returns `first` and the stages; the last one is the list of `columns` rows.
inline std::vector<Halide::Func> Transpose(const Halide::Func& first, int rows, int columns) {
  std::vector<Halide::Func> stages{first};
  std::vector<Halide::Var> at = first.args();
  const Halide::Var e = at[0];
  for (int done = 1; done < rows; done *= 2) {
    const Halide::Func last = stages.back();
    std::vector<Halide::Expr> low(at.begin(), at.end()), high = low;
    low[0] = e / 2;
    high[0] = e / 2 + rows * columns / 2;
    stages.emplace_back("turned");
    stages.back()(at) = Halide::select(e % 2 == 0, last(low), last(high));
  }
  return stages;
}

// Rows of the input with the zeros around them. Sample i of an axis lies at i * spread + pad, where
// spread is 1 unless the axes say otherwise; zeros lie between samples that are spread.
struct PaddedInput {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, ci{"ci"}, n{"n"};
  Halide::RDom samples;  // of one input row
  Halide::Func padded{"padded"};

  PaddedInput(const Halide::Func& in, const ConvolutionAxes& a, const Halide::Type& type) {
    using namespace Halide;
    const Expr first = clamp((a[0].spread - 1 - a[0].pad) / a[0].spread, 0, a[0].in - 1);
    samples = RDom(first, a[0].in - first, "samples");
    const Expr py = y - a[1].pad, pz = z - a[2].pad;
    const Expr iy = py / a[1].spread, iz = pz / a[2].spread;
    samples.where(py % a[1].spread == 0 && iy >= 0 && iy < a[1].in);
    samples.where(pz % a[2].spread == 0 && iz >= 0 && iz < a[2].in);
    padded(x, y, z, ci, n) = cast(type, 0);
    padded(samples * a[0].spread + a[0].pad, y, z, ci, n) =
        in(samples, clamp(iy, 0, a[1].in - 1), clamp(iz, 0, a[2].in - 1), ci, n);
  }
};

// Part of a register tile that is summed where `condition` holds: vectors (1 or 2) of channels by
// pixels. Exactly one of a list of forms serves a call.
struct ConvolutionTile {
  Halide::Expr condition;
  int vectors, pixels;
};

// How the tiled form cuts up its work.
struct ConvolutionShape {
  int lanes;             // channels in a vector
  int slots;             // room for pixels in a register tile, a power of two
  bool masked;           // stores of part of a tile are masked, not scalar
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
    z = unsafe_promise_clamped(by_blocks - by_slices * slices, 0, slices - 1);
    n = unsafe_promise_clamped(by_slices, 0, extent[4] - 1);
  }
};

// The same sums from packed weights and padded input rows, in register tiles of `vectors` * `lanes`
// channels x `pixels`. They are computed with the channel innermost (a pixel is broadcast to a vector
// of channels) and stored with the pixel innermost: a vector of each pixel, seen as a list, is
// `slots` rows of `lanes`, and log2(slots) perfect shuffles of its halves transpose it.
struct TiledConvolution {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, c{"c"}, n{"n"};
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, ci{"ci"};
  // Place inside a tile: lane v, vector u, pixel p; e counts one vector of every pixel. Then the
  // place of the tile: t along x, row and block in its task.
  Halide::Var v{"v"}, u{"u"}, p{"p"}, e{"e"}, t{"t"}, row{"row"}, block{"block"}, task{"task"};
  PaddedInput input;
  enum Sum { kSumPixel, kSumVector, kTapX, kTapY, kTapZ, kTapChannel };
  std::vector<Halide::RDom> sums;  // by tile form
  enum Loop { kPixel, kLane, kVector, kTile, kRow, kBlock, kTask };
  Halide::RDom r;
  Halide::Func packed{"packed"}, bias{"bias"}, sum{"sum"}, result;
  std::vector<Halide::Func> turned;

  TiledConvolution(const ConvolutionOperands& in, const ConvolutionShape& shape)
      : input(in.x, in.axes, in.type), result(in.result) {
    result(x, y, z, c, n) = Halide::undef(in.type);
    for (int d = 0; d < 5; ++d) extent_.push_back(result.output_buffer().dim(d).extent());
    StageOperands(in, shape);
    SumTile(in, shape);
    StoreTiles(in, shape);
  }

 private:
  std::vector<Halide::Expr> extent_;  // of the result

  void StageOperands(const ConvolutionOperands& in, const ConvolutionShape& shape) {
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
    const Expr at_y = unsafe_promise_clamped(min(at.y + row, extent_[1] - 1), 0, extent_[1] - 1);
    const Expr at_block = unsafe_promise_clamped(min(at.block + block, blocks - 1), 0, blocks - 1);
    sum(v, u, p, t, row, block, task) = bias(v, at_block * 2 + u);
    for (const ConvolutionTile& tile : shape.tiles) {
      RDom s({{0, tile.pixels},
              {0, tile.vectors},
              {0, a[0].taps},
              {0, a[1].taps},
              {0, a[2].taps},
              {0, in.in_channels}},
             "s");
      s.where(tile.condition);
      sum(v, s[kSumVector], s[kSumPixel], t, row, block, task) +=
          packed(v, s[kTapX], s[kTapY], s[kTapZ], s[kTapChannel], at_block * 2 + s[kSumVector]) *
          input.padded(a[0].At(t * shape.Pixels() + s[kSumPixel], s[kTapX]), a[1].At(at_y, s[kTapY]),
                 a[2].At(at.z, s[kTapZ]), s[kTapChannel], at.n);
      sums.push_back(s);
    }
    Func list("turned");
    list(e, u, t, row, block, task) = sum(e % shape.lanes, u, e / shape.lanes, t, row, block, task);
    turned = Transpose(list, shape.slots, shape.lanes);
  }

  void StoreTiles(const ConvolutionOperands& in, const ConvolutionShape& shape) {
    using namespace Halide;
    r = RDom({{0, shape.slots},
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
    const Expr whole = r[kPixel] < min(shape.Pixels(), extent_[0] - r[kTile] * shape.Pixels());
    r.where(at_y < extent_[1]);
    r.where((at.block + r[kBlock]) * 2 * shape.lanes < extent_[3]);
    r.where(at_c - r[kLane] < extent_[3]);
    r.where(at_c < extent_[3]);
    r.where(shape.masked ? whole : likely(whole));
    const auto inside = [&](const Expr& i, int d) {
      return unsafe_promise_clamped(i, 0, extent_[d] - 1);
    };
    const std::vector<Expr> to{inside(at_x, 0), inside(at_y, 1), at.z, inside(at_c, 3), at.n};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 turned.back()(r[kLane] * shape.slots + r[kPixel], r[kVector], r[kTile], r[kRow],
                               r[kBlock], r[kTask]);
  }
};

// The gradient to the weights as the formula stands:
//   dw(kx, ky, kz, ci, co) = sum_{x, y, z, n} dy(x, y, z, co, n) * in(x * sx + kx * dx - px, ..., ci, n),
// summed in `kSlices` slices of the rows.
struct ConvolutionWeights {
  static constexpr int kSlices = 16;
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, ci{"ci"}, co{"co"}, slice{"slice"};
  Halide::RDom s, r;
  Halide::Func partial{"partial"}, result{"dw"};

  ConvolutionWeights(const ConvolutionWeightsOperands& in) {
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
    const Expr inside = ix >= 0 && ix < a[0].in && iy >= 0 && iy < a[1].in && iz >= 0 && iz < a[2].in;
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

// How the tiled gradient to the weights cuts up its work. A task is `channels` input channels (all
// their taps), `blocks` blocks of 2 * lanes output channels and a slice of the chunks; a chunk is
// `rows` rows of each of `images` images.
struct ConvolutionWeightsShape {
  int lanes;  // output channels in a vector
  int terms;  // (tap, input channel) pairs in a register tile
  std::vector<ConvolutionTile> tiles;
  Halide::Expr blocks, channels, rows, images, slices;
};

// The same gradient as a matrix product of the transposed dy [co, pixel] with the padded input [pixel,
// (tap, ci)]: register tiles of 2 vectors of output channels x `terms`, summed over a chunk of pixels,
// then over the chunks of a slice, then over the slices. None of these depends on the threads.
struct TiledConvolutionWeights {
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, ci{"ci"}, co{"co"};
  // Place in a register tile: lane v, vector u, term p; j counts tiles of terms; then block and task.
  Halide::Var v{"v"}, u{"u"}, p{"p"}, j{"j"}, block{"block"}, task{"task"}, chunk{"chunk"};
  Halide::Var e{"e"}, x{"x"}, xb{"xb"}, y{"y"}, z{"z"}, n{"n"}, cv{"cv"};
  PaddedInput input;
  enum Sum { kTerm, kVector, kX, kRow, kImage };
  std::vector<Halide::RDom> sums;  // over a chunk, by tile form
  Halide::RDom square;             // lanes pixels of lanes channels of dy
  Halide::RDom c, slices, r;       // chunks of a slice, slices, elements of dw
  std::array<Halide::Func, 4> term{{Halide::Func("term_kx"), Halide::Func("term_ky"),
                                    Halide::Func("term_kz"), Halide::Func("term_ci")}};
  std::vector<Halide::Func> turned;  // dy in squares, and their transposition
  Halide::Func dy{"dy_turned"}, sum{"sum"}, total{"total"}, partial{"partial"}, reduced{"reduced"};
  Halide::Func result{"dw"};

  TiledConvolutionWeights(const ConvolutionWeightsOperands& in, const ConvolutionWeightsShape& shape)
      : input(in.x, in.axes, in.type) {
    using namespace Halide;
    result(kx, ky, kz, ci, co) = undef(in.type);
    for (int d = 0; d < 3; ++d) taps_[d] = result.output_buffer().dim(d).extent();
    terms_ = taps_[0] * taps_[1] * taps_[2] * shape.channels;
    channel_groups_ = CeilDiv(in.in_channels, shape.channels);
    block_groups_ = CeilDiv(in.out_channels, 2 * shape.lanes * shape.blocks);
    TurnGradient(in, shape);
    SumChunk(in, shape);
    AddUp(in, shape);
  }

 private:
  std::array<Halide::Expr, 3> taps_;
  Halide::Expr terms_, channel_groups_, block_groups_;

  static Halide::Expr CeilDiv(const Halide::Expr& x, const Halide::Expr& y) {
    return (x + y - 1) / Halide::max(y, 1);
  }

  // Pixels and channels past the last ones are zero.
  void TurnGradient(const ConvolutionWeightsOperands& in, const ConvolutionWeightsShape& shape) {
    using namespace Halide;
    const int lanes = shape.lanes;
    Func list("turned");
    square = RDom(0, lanes, 0, lanes, "square");
    const Expr from_x = xb * lanes + square.x, from_c = cv * lanes + square.y;
    square.where(from_x < in.out[0] && from_c < in.out_channels);
    list(e, xb, y, z, n, cv) = cast(in.type, 0);
    list(square.y * lanes + square.x, xb, y, z, n, cv) =
        in.dy(unsafe_promise_clamped(from_x, 0, in.out[0] - 1), clamp(y, 0, in.out[1] - 1), z,
              clamp(from_c, 0, in.out_channels - 1), clamp(n, 0, in.batch - 1));
    turned = Transpose(list, lanes, lanes);
    dy(v, x, y, z, n, cv) = turned.back()(x % lanes * lanes + v, x / lanes, y, z, n, cv);
  }

  void SumChunk(const ConvolutionWeightsOperands& in, const ConvolutionWeightsShape& shape) {
    using namespace Halide;
    const ConvolutionAxes& a = in.axes;
    // Term j is channel j % channels of tap j / channels; the taps count along x first.
    const Expr tap = j / max(shape.channels, 1);
    term[0](j) = tap % taps_[0];
    term[1](j) = tap / max(taps_[0], 1) % taps_[1];
    term[2](j) = tap / max(taps_[0] * taps_[1], 1);
    term[3](j) = j % shape.channels;

    // Quotients without remainders, as in ConvolutionTask.
    const Expr row_groups = CeilDiv(in.out[1], shape.rows);
    const Expr by_rows = chunk / max(row_groups, 1);
    const Expr by_slices = by_rows / max(in.out[2], 1);
    const Expr at_z = unsafe_promise_clamped(by_rows - by_slices * in.out[2], 0, in.out[2] - 1);
    const Expr by_group = task / max(channel_groups_, 1);
    const Expr group = task - by_group * channel_groups_;
    const Expr block_group = by_group - by_group / max(block_groups_, 1) * block_groups_;

    sum(v, u, p, j, block, task, chunk) = cast(in.type, 0);
    for (const ConvolutionTile& tile : shape.tiles) {
      RDom s({{0, shape.terms},
              {0, tile.vectors},
              {0, in.out[0]},
              {0, shape.rows},
              {0, shape.images}},
             "s");
      const Expr at_y = (chunk - by_rows * row_groups) * shape.rows + s[kRow];
      const Expr at_n = by_slices * shape.images + s[kImage];
      s.where(tile.condition);
      s.where(at_n < in.batch);
      s.where(at_y < in.out[1]);
      const Expr row = unsafe_promise_clamped(min(at_y, in.out[1] - 1), 0, in.out[1] - 1);
      const Expr image = unsafe_promise_clamped(min(at_n, in.batch - 1), 0, in.batch - 1);
      const Expr i = min(j * shape.terms + s[kTerm], terms_ - 1);
      const auto tap_at = [&](int d) { return unsafe_promise_clamped(term[d](i), 0, taps_[d] - 1); };
      const Expr channel = unsafe_promise_clamped(
          min(group * shape.channels + unsafe_promise_clamped(term[3](i), 0, shape.channels - 1),
              in.in_channels - 1),
          0, in.in_channels - 1);
      sum(v, s[kVector], s[kTerm], j, block, task, chunk) +=
          dy(v, s[kX], row, at_z, image,
             (block_group * shape.blocks + block) * 2 + s[kVector]) *
          input.padded(a[0].At(s[kX], tap_at(0)), a[1].At(row, tap_at(1)), a[2].At(at_z, tap_at(2)),
                       channel, image);
      sums.push_back(s);
    }
  }

  void AddUp(const ConvolutionWeightsOperands& in, const ConvolutionWeightsShape& shape) {
    using namespace Halide;
    const Expr groups = channel_groups_ * block_groups_;
    const Expr chunks =
        CeilDiv(in.out[1], shape.rows) * in.out[2] * CeilDiv(in.batch, shape.images);
    const Expr share = CeilDiv(chunks, shape.slices);
    const Expr slice = task / max(groups, 1);
    c = RDom(0, share, "c");
    c.where(slice * share + c < chunks);
    total(v, u, p, j, block, task) = cast(in.type, 0);
    total(v, u, p, j, block, task) += sum(v, u, p, j, block, task, slice * share + c);
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
                unsafe_promise_clamped(at_block % shape.blocks, 0, shape.blocks - 1), unsafe_promise_clamped(from, 0, groups * shape.slices - 1));
    r = EachOf(result);
    const std::vector<Expr> at{r[0], r[1], r[2], r[3], r[4]};
    result(at) = select(in.accumulate, result(at), cast(in.type, 0)) + reduced(at);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_CONVOLUTION_H_
