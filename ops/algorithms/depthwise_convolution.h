// SPDX-License-Identifier: Apache-2.0
//
// Depthwise convolution over up to three spatial axes, and its gradients. Output channel co reads
// input channel co / multiplier alone:
//   y(x, y, z, co, n) = b(co) + sum_{kx, ky, kz} w(kx, ky, kz, co) *
//                       in(x * sx + kx * dx - px, ..., co / multiplier, n), zero outside `in`.
// The gradient to the input is of the same form: stride 1, dy spread by the stride, weights
// flipped, and a sum over the `multiplier` output channels of an input channel.
#ifndef HALITE_OPS_ALGORITHMS_DEPTHWISE_CONVOLUTION_H_
#define HALITE_OPS_ALGORITHMS_DEPTHWISE_CONVOLUTION_H_

#include <array>
#include <optional>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/convolution.h"

namespace halite {

// result(c) = b(c) + sum over taps and m in [0, members) of
//             w(taps, c * members + m) * x(place of the taps, c * members + m).
struct DepthwiseOperands {
  Halide::Func x;  // [x, y, z, member, n]
  Halide::Func w;  // [kx, ky, kz, member]
  Halide::Func b;  // undefined where there is no bias
  ConvolutionAxes axes;
  Halide::Expr members;
  Halide::Type type;
  Halide::Expr accumulate = Halide::Internal::const_false();
};

// x'(x, y, z, co, n) = x(x, y, z, co / multiplier, n)
inline Halide::Func RepeatChannels(const Halide::Func& x, const Halide::Expr& multiplier) {
  Halide::Var i("i"), j("j"), k("k"), c("c"), n("n");
  Halide::Func repeated("repeated");
  repeated(i, j, k, c, n) = x(i, j, k, c / multiplier, n);
  return repeated;
}

// w'(kx, ky, kz, co) = w(Kx - 1 - kx, Ky - 1 - ky, Kz - 1 - kz, co)
inline Halide::Func FlippedTaps(const Halide::Func& w, const ConvolutionAxes& axes) {
  Halide::Var kx("kx"), ky("ky"), kz("kz"), co("co");
  Halide::Func flipped("flipped");
  flipped(kx, ky, kz, co) =
      w(axes[0].taps - 1 - kx, axes[1].taps - 1 - ky, axes[2].taps - 1 - kz, co);
  return flipped;
}

// As the formula stands.
struct DepthwiseConvolution {
  Halide::Var x{"x"}, y{"y"}, z{"z"}, c{"c"}, n{"n"};
  Halide::RDom taps;  // kx, ky, kz, member
  Halide::RDom r;     // every element of the result
  Halide::Func sum{"sum"}, result{"depthwise_convolution"};

  explicit DepthwiseConvolution(const DepthwiseOperands& in) {
    using namespace Halide;
    const ConvolutionAxes& a = in.axes;
    taps = RDom(0, a[0].taps, 0, a[1].taps, 0, a[2].taps, 0, in.members, "taps");
    const Expr position[] = {a[0].At(x, taps[0]) - a[0].pad, a[1].At(y, taps[1]) - a[1].pad,
                             a[2].At(z, taps[2]) - a[2].pad};
    Expr inside = Internal::const_true();
    std::vector<Expr> at;
    for (int d = 0; d < 3; ++d) {
      const Expr i = position[d] / a[d].spread;
      inside = inside && position[d] % a[d].spread == 0 && i >= 0 && i < a[d].in;
      at.push_back(clamp(i, 0, a[d].in - 1));
    }
    const Expr member = c * in.members + taps[3];
    sum(x, y, z, c, n) = in.b.defined() ? Expr(in.b(c)) : cast(in.type, 0);
    sum(x, y, z, c, n) += select(inside, in.x(at[0], at[1], at[2], member, n), cast(in.type, 0)) *
                          in.w(taps[0], taps[1], taps[2], member);
    result(x, y, z, c, n) = undef(in.type);
    r = EachOf(result);
    const std::vector<Expr> to{r[0], r[1], r[2], r[3], r[4]};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) + sum(to);
  }
};

// How the tiled form cuts up its work, where `use` holds: register tiles of a vector of x by
// `height` rows, `tiles` of them above one another in a block of rows; a task is whole (channel,
// image) planes, about `grain` elements of the result.
struct DepthwiseShape {
  int lanes, height, tiles;
  int grain;
  Halide::Expr use;
};

// The same sums from padded rows: a window holds what a block of rows needs.
struct TiledDepthwiseConvolution {
  Halide::Var v{"v"}, p{"p"}, t{"t"}, tile{"tile"}, rows{"rows"}, z{"slice"}, plane{"plane"},
      task{"task"};
  std::optional<PaddedWindow> window;
  Halide::RDom taps;  // kx, ky, kz, member
  enum Loop { kX, kRow, kTile, kRows, kSlice, kPlane, kTask };
  Halide::RDom r;
  Halide::Func sum{"sum"}, result{"depthwise_convolution"};

  TiledDepthwiseConvolution(const DepthwiseOperands& in, const DepthwiseShape& shape) {
    using namespace Halide;
    Var x("x"), y("y"), c("c"), n("n");
    result(x, y, z, c, n) = undef(in.type);
    for (int d = 0; d < 5; ++d) extent_.push_back(result.output_buffer().dim(d).extent());
    const ConvolutionAxes& a = in.axes;
    const Expr samples = max(extent_[0] * extent_[1] * extent_[2], 1);
    share_ = max(shape.grain / samples, 1);
    const Expr number = task * share_ + plane, image = number / max(extent_[3], 1);
    const Expr channel = number - image * extent_[3];
    const int block = shape.height * shape.tiles;
    window.emplace(in.x, a, extent_[3] * in.members, extent_[4], in.type,
                   PaddedWindow::Origin{{rows, z, plane, task},
                                        rows * (block * a[1].stride),
                                        z * a[2].stride,
                                        channel * in.members,
                                        image});
    taps = RDom(0, a[0].taps, 0, a[1].taps, 0, a[2].taps, 0, in.members, "taps");
    const Expr at_c = unsafe_promise_clamped(channel, 0, extent_[3] - 1);
    sum(v, p, t, tile, rows, z, plane, task) = in.b.defined() ? Expr(in.b(at_c)) : cast(in.type, 0);
    sum(v, p, t, tile, rows, z, plane, task) +=
        in.w(taps[0], taps[1], taps[2], at_c * in.members + taps[3]) *
        window->padded(a[0].At(t * shape.lanes + v, taps[0]),
                       a[1].At(tile * shape.height + p, taps[1]), taps[2] * a[2].dilation, taps[3],
                       0, rows, z, plane, task);
    Store(in, shape);
  }

 private:
  std::vector<Halide::Expr> extent_;  // of the result
  Halide::Expr share_;                // planes of a task

  void Store(const DepthwiseOperands& in, const DepthwiseShape& shape) {
    using namespace Halide;
    const auto ceil_div = [](const Expr& i, const Expr& j) { return (i + j - 1) / max(j, 1); };
    const auto inside = [&](const Expr& i, int d) {
      return unsafe_promise_clamped(i, 0, extent_[d] - 1);
    };
    const int block = shape.height * shape.tiles;
    const Expr planes = extent_[3] * extent_[4];
    r = RDom({{0, extent_[0]},
              {0, shape.height},
              {0, shape.tiles},
              {0, ceil_div(extent_[1], block)},
              {0, extent_[2]},
              {0, share_},
              {0, select(shape.use, ceil_div(planes, share_), 0)}},
             "r");
    const Expr to_plane = r[kTask] * share_ + r[kPlane];
    const Expr to_image = to_plane / max(extent_[3], 1);
    const Expr to_y = (r[kRows] * shape.tiles + r[kTile]) * shape.height + r[kRow];
    r.where(to_plane < planes);
    r.where(to_y - r[kRow] < extent_[1]);
    r.where(to_y < extent_[1]);
    const std::vector<Expr> to{r[kX], inside(to_y, 1), r[kSlice],
                               inside(to_plane - to_image * extent_[3], 3), inside(to_image, 4)};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 sum(r[kX] % shape.lanes, r[kRow], r[kX] / shape.lanes, r[kTile], r[kRows],
                     r[kSlice], r[kPlane], r[kTask]);
  }
};

// The same sums with channels in the lanes: a task is whole (group of `lanes` channels, image)
// planes, about `grain` elements of the result; blocks of `height` rows, register tiles of `slots`
// pixels of x. No lane is lost on short rows, and samples that are strided cost nothing.
struct TurnedShape {
  int lanes, slots;
  int grain;
  Halide::Expr height, use;
};

// A PaddedWindow of `lanes` channels with the channel innermost. Rows of the input, counted as they
// lie there, are transposed in squares of `slots` samples of all lanes.
struct TurnedWindow {
  Halide::Var v{"v"}, x{"x"}, y{"y"}, z{"z"}, c{"c"}, e{"e"}, square{"square"};
  Halide::RDom row;      // of the input
  Halide::RDom samples;  // sample of a square, square
  Halide::Func rows{"rows"}, padded{"turned_window"};
  std::vector<Halide::Func> turned;

  TurnedWindow(const Halide::Func& in, const ConvolutionAxes& a, const Halide::Expr& channels,
               const Halide::Expr& batch, const Halide::Type& type, int lanes, int slots,
               const PaddedWindow::Origin& origin) {
    using namespace Halide;
    const auto at = [&](std::vector<Expr> first) {
      first.insert(first.end(), origin.place.begin(), origin.place.end());
      return first;
    };
    const auto vars = [&](std::vector<Var> first) {
      first.insert(first.end(), origin.place.begin(), origin.place.end());
      return first;
    };
    row = RDom(0, a[0].in, "row");
    rows(vars({x, y, z, c})) = undef(type);
    rows(at({row.x, y, z, c})) =
        in(row.x, clamp(y, 0, a[1].in - 1), clamp(z, 0, a[2].in - 1),
           clamp(origin.c + c, 0, channels - 1), clamp(origin.n, 0, batch - 1));
    Func list("turned");
    list(vars({e, square, y, z})) = rows(at({square * slots + e % slots, y, z, e / slots}));
    turned = Transpose(list, lanes, slots);

    samples = RDom(0, slots, 0, (a[0].in + slots - 1) / slots, "squares");
    const Expr ix = samples.y * slots + samples.x;
    const Expr py = origin.y + y - a[1].pad, pz = origin.z + z - a[2].pad;
    const Expr iy = py / a[1].spread, iz = pz / a[2].spread;
    samples.where(py % a[1].spread == 0 && iy >= 0 && iy < a[1].in);
    samples.where(pz % a[2].spread == 0 && iz >= 0 && iz < a[2].in);
    samples.where(ix < a[0].in);
    padded(vars({v, x, y, z})) = cast(type, 0);
    padded(at({v, ix * a[0].spread + a[0].pad, y, z})) = turned.back()(at(
        {samples.x * lanes + v, samples.y, clamp(iy, 0, a[1].in - 1), clamp(iz, 0, a[2].in - 1)}));
  }
};

// Adds itself to `result` as its second form.
struct TurnedDepthwiseConvolution {
  Halide::Var v{"v"}, p{"p"}, e{"e"}, t{"t"}, row{"row"}, rows{"rows"}, z{"slice"}, plane{"plane"},
      task{"task"}, kx{"kx"}, ky{"ky"}, kz{"kz"};
  std::optional<TurnedWindow> window;
  Halide::RDom taps;  // kx, ky, kz
  enum Loop { kX, kLane, kRow, kRows, kSlice, kPlane, kTask };
  Halide::RDom r;
  Halide::Func packed{"packed"}, bias{"bias"}, sum{"sum"};
  std::vector<Halide::Func> turned;

  TurnedDepthwiseConvolution(const DepthwiseOperands& in, const TurnedShape& shape,
                             Halide::Func& result) {
    using namespace Halide;
    std::vector<Expr> extent;
    for (int d = 0; d < 5; ++d) extent.push_back(result.output_buffer().dim(d).extent());
    const auto ceil_div = [](const Expr& i, const Expr& j) { return (i + j - 1) / max(j, 1); };
    const ConvolutionAxes& a = in.axes;
    const int lanes = shape.lanes, slots = shape.slots;
    const Expr samples = max(extent[0] * extent[1] * extent[2] * lanes, 1);
    const Expr share = max(shape.grain / samples, 1);
    const Expr groups = max(ceil_div(extent[3], lanes), 1), planes = groups * extent[4];
    const Expr number = task * share + plane, image = number / groups;
    const Expr channel = (number - image * groups) * lanes;
    window.emplace(in.x, a, extent[3], extent[4], in.type, lanes, slots,
                   PaddedWindow::Origin{{rows, z, plane, task},
                                        rows * (shape.height * a[1].stride),
                                        z * a[2].stride,
                                        channel,
                                        image});
    const Expr co = clamp(channel + v, 0, extent[3] - 1);
    packed(v, kx, ky, kz, plane, task) = in.w(kx, ky, kz, co);
    bias(v, plane, task) = in.b.defined() ? Expr(in.b(co)) : cast(in.type, 0);
    taps = RDom(0, a[0].taps, 0, a[1].taps, 0, a[2].taps, "turned_taps");
    sum(v, p, t, row, rows, z, plane, task) = bias(v, plane, task);
    sum(v, p, t, row, rows, z, plane, task) +=
        packed(v, taps[0], taps[1], taps[2], plane, task) *
        window->padded(v, a[0].At(t * slots + p, taps[0]), a[1].At(row, taps[1]),
                       taps[2] * a[2].dilation, rows, z, plane, task);
    Func list("turned");
    list(e, t, row, rows, z, plane, task) = sum(e % lanes, e / lanes, t, row, rows, z, plane, task);
    turned = Transpose(list, slots, lanes);

    r = RDom({{0, extent[0]},
              {0, lanes},
              {0, shape.height},
              {0, ceil_div(extent[1], shape.height)},
              {0, extent[2]},
              {0, share},
              {0, select(shape.use, ceil_div(planes, share), 0)}},
             "turned_r");
    const Expr to_number = r[kTask] * share + r[kPlane], to_image = to_number / groups;
    const Expr to_c = (to_number - to_image * groups) * lanes + r[kLane];
    const Expr to_y = r[kRows] * shape.height + r[kRow];
    r.where(to_number < planes);
    r.where(to_y < extent[1]);
    r.where(to_c < extent[3]);
    const auto inside = [&](const Expr& i, int d) {
      return unsafe_promise_clamped(i, 0, extent[d] - 1);
    };
    const std::vector<Expr> to{r[kX], inside(to_y, 1), r[kSlice], inside(to_c, 3),
                               inside(to_image, 4)};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 turned.back()(r[kLane] * slots + r[kX] % slots, r[kX] / slots, r[kRow], r[kRows],
                               r[kSlice], r[kPlane], r[kTask]);
  }
};

// The operands of the gradient to the weights.
struct DepthwiseWeightsOperands {
  Halide::Func x, dy;               // both [x, y, z, co, n]
  ConvolutionAxes axes;             // without the taps: they are the extents of dw
  std::array<Halide::Expr, 3> out;  // spatial extents of dy
  Halide::Expr channels, batch;
  Halide::Type type;
  Halide::Expr accumulate;
};

// dw(kx, ky, kz, co) = sum_{x, y, z, n} dy(x, y, z, co, n) * x(x * sx + kx * dx - px, ..., co, n),
// summed in `kSlices` slices of the rows.
struct DepthwiseWeights {
  static constexpr int kSlices = 16;
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, co{"co"}, slice{"slice"};
  Halide::RDom s, r;
  Halide::Func partial{"partial"}, result{"depthwise_convolution_dw"};

  explicit DepthwiseWeights(const DepthwiseWeightsOperands& in) {
    using namespace Halide;
    result(kx, ky, kz, co) = undef(in.type);
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
                             clamp(iz, 0, a[2].in - 1), co, n);
    const Expr inside =
        ix >= 0 && ix < a[0].in && iy >= 0 && iy < a[1].in && iz >= 0 && iz < a[2].in;
    partial(kx, ky, kz, co, slice) = cast(in.type, 0);
    partial(kx, ky, kz, co, slice) +=
        select(inside, sample, cast(in.type, 0)) *
        in.dy(s.x, clamp(y, 0, in.out[1] - 1), clamp(z, 0, in.out[2] - 1), co, n);
    Region region;
    for (int d = 0; d < 4; ++d) region.emplace_back(0, result.output_buffer().dim(d).extent());
    r = RDom(region, "r");
    const std::vector<Expr> at{r[0], r[1], r[2], r[3]};
    Expr total = cast(in.type, 0);
    for (int i = 0; i < kSlices; ++i) total += partial(r[0], r[1], r[2], r[3], i);
    result(at) = select(in.accumulate, result(at), cast(in.type, 0)) + total;
  }
};

// The same sums in vectors of x, from padded rows of both operands, a block of `rows` rows of a
// plane at a time, where `use` holds.
struct TiledDepthwiseWeights {
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, co{"co"}, v{"v"}, block{"block"}, z{"slice"}, n{"n"};
  std::optional<PaddedWindow> window, gradient;
  Halide::RDom s;  // of a block: vector, row
  Halide::RDom c;  // blocks of a channel: rows, slice, image
  Halide::RDom lane, r;
  Halide::Func sum{"sum"}, total{"total"}, folded{"folded"}, result{"depthwise_convolution_dw"};

  TiledDepthwiseWeights(const DepthwiseWeightsOperands& in, int lanes, const Halide::Expr& rows,
                        const Halide::Expr& use) {
    using namespace Halide;
    result(kx, ky, kz, co) = undef(in.type);
    const ConvolutionAxes& a = in.axes;
    ConvolutionAxes unit;
    for (int d = 0; d < 3; ++d) unit[d] = {1, 0, 1, in.out[d], 1};
    const std::vector<Var> place{block, z, n, co};
    window.emplace(in.x, a, in.channels, in.batch, in.type,
                   PaddedWindow::Origin{place, block * rows * a[1].stride, z * a[2].stride, co, n});
    gradient.emplace(in.dy, unit, in.channels, in.batch, in.type,
                     PaddedWindow::Origin{place, block * rows, z, co, n});

    // Lanes past the last x meet a zero of dy; the input there may not be finite.
    s = RDom(0, (in.out[0] + lanes - 1) / lanes, 0, rows, "s");
    s.where(block * rows + s.y < in.out[1]);
    const Expr at_x = s.x * lanes + v;
    const Expr sample = window->padded(a[0].At(at_x, kx), a[1].At(s.y, ky), kz * a[2].dilation, 0,
                                       0, block, z, n, co);
    sum(v, kx, ky, kz, block, z, n, co) = cast(in.type, 0);
    sum(v, kx, ky, kz, block, z, n, co) += gradient->padded(at_x, s.y, 0, 0, 0, block, z, n, co) *
                                           select(at_x < in.out[0], sample, cast(in.type, 0));
    c = RDom(0, (in.out[1] + rows - 1) / max(rows, 1), 0, in.out[2], 0, in.batch, "c");
    total(v, kx, ky, kz, co) = cast(in.type, 0);
    total(v, kx, ky, kz, co) += sum(v, kx, ky, kz, c[0], c[1], c[2], co);
    lane = RDom(0, lanes, "lane");
    folded(kx, ky, kz, co) = cast(in.type, 0);
    folded(kx, ky, kz, co) += total(lane, kx, ky, kz, co);
    std::vector<Range> region;
    for (int d = 0; d < 4; ++d) region.emplace_back(0, result.output_buffer().dim(d).extent());
    region[3].extent = select(use, region[3].extent, 0);
    r = RDom(region, "r");
    const std::vector<Expr> at{r[0], r[1], r[2], r[3]};
    result(at) = select(in.accumulate, result(at), cast(in.type, 0)) + folded(at);
  }
};

// The same sums with channels in the lanes, see TurnedWindow: blocks of `height` rows. Adds itself
// to `result` as its second form.
struct TurnedDepthwiseWeights {
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, v{"v"}, block{"block"}, z{"slice"}, n{"n"},
      group{"group"};
  std::optional<TurnedWindow> window, gradient;
  Halide::RDom s;  // of a block: x, row
  Halide::RDom c;  // blocks of a channel: rows, slice, image
  Halide::RDom r;  // taps, lane, group, groups of a task
  Halide::Func sum{"sum"}, total{"total"};

  TurnedDepthwiseWeights(const DepthwiseWeightsOperands& in, const TurnedShape& shape,
                         Halide::Func& result) {
    using namespace Halide;
    const ConvolutionAxes& a = in.axes;
    const int lanes = shape.lanes, slots = shape.slots;
    ConvolutionAxes unit;
    for (int d = 0; d < 3; ++d) unit[d] = {1, 0, 1, in.out[d], 1};
    const std::vector<Var> place{block, z, n, group};
    window.emplace(in.x, a, in.channels, in.batch, in.type, lanes, slots,
                   PaddedWindow::Origin{place, block * shape.height * a[1].stride, z * a[2].stride,
                                        group * lanes, n});
    gradient.emplace(in.dy, unit, in.channels, in.batch, in.type, lanes, slots,
                     PaddedWindow::Origin{place, block * shape.height, z, group * lanes, n});
    s = RDom(0, in.out[0], 0, shape.height, "turned_s");
    s.where(block * shape.height + s.y < in.out[1]);
    sum(v, kx, ky, kz, block, z, n, group) = cast(in.type, 0);
    sum(v, kx, ky, kz, block, z, n, group) +=
        gradient->padded(v, s.x, s.y, 0, block, z, n, group) *
        window->padded(v, a[0].At(s.x, kx), a[1].At(s.y, ky), kz * a[2].dilation, block, z, n,
                       group);
    c = RDom(0, (in.out[1] + shape.height - 1) / shape.height, 0, in.out[2], 0, in.batch,
             "turned_c");
    total(v, kx, ky, kz, group) = cast(in.type, 0);
    total(v, kx, ky, kz, group) += sum(v, kx, ky, kz, c[0], c[1], c[2], group);
    std::vector<Range> region;
    for (int d = 0; d < 3; ++d) region.emplace_back(0, result.output_buffer().dim(d).extent());
    region.emplace_back(0, lanes);
    const Expr groups = (in.channels + lanes - 1) / lanes;
    region.emplace_back(0, select(shape.use, groups, 0));
    r = RDom(region, "turned_r");
    const Expr co = r[4] * lanes + r[3];
    r.where(co < in.channels);
    const std::vector<Expr> at{r[0], r[1], r[2], unsafe_promise_clamped(co, 0, in.channels - 1)};
    result(at) =
        select(in.accumulate, result(at), cast(in.type, 0)) + total(r[3], r[0], r[1], r[2], r[4]);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_DEPTHWISE_CONVOLUTION_H_
