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
#include <functional>
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

// A window of planes with the zeros around them, in rows of `pitch` elements that follow one
// another: element (x, y) of slice z and member m stands at padded(y * pitch + x, z, m, place...).
// Input sample i of an axis lies at i * spread + pad, counted from the origin; zeros lie between.
// Channels and images past the last repeat it.
struct PlaneWindow {
  Halide::Var q{"q"}, z{"z"}, m{"m"};
  Halide::RDom samples;  // of an input row, row of the window
  Halide::Expr pitch;
  Halide::Func padded{"padded"};

  // `width`: of what is read of a row, and `rows` of a slice. Long rows begin at multiples of
  // `lanes`.
  PlaneWindow(const Halide::Func& in, const ConvolutionAxes& a, const Halide::Expr& channels,
              const Halide::Expr& batch, const Halide::Type& type, int lanes,
              const Halide::Expr& width, const Halide::Expr& rows,
              const PaddedWindow::Origin& origin) {
    using namespace Halide;
    pitch = select(width > 2 * lanes, (width + lanes - 1) / lanes * lanes, max(width, 1));
    const Expr first = clamp((a[0].spread - 1 - a[0].pad) / a[0].spread, 0, a[0].in - 1);
    const Expr end = min((pitch - 1 - a[0].pad) / a[0].spread + 1, a[0].in);
    samples = RDom(first, max(end - first, 0), 0, rows, "samples");
    const Expr x = samples.x * a[0].spread + a[0].pad;
    const Expr py = origin.y + samples.y - a[1].pad, pz = origin.z + z - a[2].pad;
    const Expr iy = py / a[1].spread, iz = pz / a[2].spread;
    samples.where(py % a[1].spread == 0 && iy >= 0 && iy < a[1].in);
    samples.where(pz % a[2].spread == 0 && iz >= 0 && iz < a[2].in);
    std::vector<Expr> at{q, z, m};
    at.insert(at.end(), origin.place.begin(), origin.place.end());
    padded(at) = cast(type, 0);
    at[0] = samples.y * pitch + x;
    padded(at) = in(samples.x, clamp(iy, 0, a[1].in - 1), clamp(iz, 0, a[2].in - 1),
                    clamp(origin.c + m, 0, channels - 1), clamp(origin.n, 0, batch - 1));
  }
};

// How the work is cut up: register tiles of `height` vectors, blocks of `rows` rows (a multiple of
// `height`). A batch is `planes` planes of channels and images that are
// staged together, a task `batches` of them. (For the weights a task is one batch of channels.)
struct DepthwiseShape {
  int lanes, height;
  Halide::Expr rows, planes, batches;
};

// The same sums from padded rows: a window holds what a block of rows of every plane of a batch
// needs. A register tile is a vector of x by `height` rows.
struct TiledDepthwiseConvolution {
  Halide::Var v{"v"}, p{"p"}, t{"t"}, tile{"tile"}, rows{"rows"}, z{"slice"}, plane{"plane"},
      batch{"batch"}, task{"task"};
  std::optional<PlaneWindow> window;
  Halide::RDom taps;  // kx, ky, kz, member
  enum Loop { kX, kRow, kTile, kPlane, kRows, kSlice, kBatch, kTask };
  Halide::RDom r;
  Halide::Func sum{"sum"}, result{"depthwise_convolution"};

  // The shape may depend on the extents of the result.
  TiledDepthwiseConvolution(
      const DepthwiseOperands& in,
      const std::function<DepthwiseShape(const std::vector<Halide::Expr>& extent)>& shape_for) {
    using namespace Halide;
    Var x("x"), y("y"), c("c"), n("n");
    result(x, y, z, c, n) = undef(in.type);
    std::vector<Expr> extent;
    for (int d = 0; d < 5; ++d) extent.push_back(result.output_buffer().dim(d).extent());
    const DepthwiseShape shape = shape_for(extent);
    const ConvolutionAxes& a = in.axes;
    const Expr number = (task * shape.batches + batch) * shape.planes + plane,
               image = number / max(extent[3], 1);
    const Expr channel = number - image * extent[3];
    window.emplace(in.x, a, extent[3] * in.members, extent[4], in.type, shape.lanes,
                   a[0].At(extent[0] - 1, a[0].taps - 1) + 1,
                   a[1].At(shape.rows - 1, a[1].taps - 1) + 1,
                   PaddedWindow::Origin{{rows, z, plane, batch, task},
                                        rows * (shape.rows * a[1].stride),
                                        z * a[2].stride,
                                        channel * in.members,
                                        image});
    taps = RDom(0, a[0].taps, 0, a[1].taps, 0, a[2].taps, 0, in.members, "taps");
    const Expr at_c = clamp(channel, 0, extent[3] - 1);
    sum(v, p, t, tile, plane, rows, z, batch, task) =
        in.b.defined() ? Expr(in.b(at_c)) : cast(in.type, 0);
    sum(v, p, t, tile, plane, rows, z, batch, task) +=
        in.w(taps[0], taps[1], taps[2], at_c * in.members + taps[3]) *
        window->padded(a[1].At(tile * shape.height + p, taps[1]) * window->pitch +
                           a[0].At(t * shape.lanes + v, taps[0]),
                       taps[2] * a[2].dilation, taps[3], rows, z, plane, batch, task);

    const Expr planes = extent[3] * extent[4];
    r = RDom({{0, extent[0]},
              {0, shape.height},
              {0, shape.rows / shape.height},
              {0, shape.planes},
              {0, CeilDiv(extent[1], shape.rows)},
              {0, extent[2]},
              {0, shape.batches},
              {0, CeilDiv(planes, shape.planes * shape.batches)}},
             "r");
    const auto inside = [&](const Expr& i, int d) { return clamp(i, 0, extent[d] - 1); };
    const Expr to_plane = (r[kTask] * shape.batches + r[kBatch]) * shape.planes + r[kPlane];
    const Expr to_image = to_plane / max(extent[3], 1);
    const Expr to_y = r[kRows] * shape.rows + r[kTile] * shape.height + r[kRow];
    r.where(to_plane < planes);
    r.where(to_y - r[kRow] < extent[1]);
    r.where(to_y < extent[1]);
    const std::vector<Expr> to{r[kX], inside(to_y, 1), r[kSlice],
                               inside(to_plane - to_image * extent[3], 3), inside(to_image, 4)};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 sum(r[kX] % shape.lanes, r[kRow], r[kX] / shape.lanes, r[kTile], r[kPlane],
                     r[kRows], r[kSlice], r[kBatch], r[kTask]);
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

// The same sums in vectors of x, from padded rows of both operands: a block of rows of every plane
// of a task at a time. A task is `planes` channels; register tiles of kTile x kTile taps.
struct TiledDepthwiseWeights {
  static constexpr int kTile = 3;
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, v{"v"}, block{"block"}, z{"slice"}, n{"n"},
      plane{"plane"}, task{"task"}, co{"co"};
  std::optional<PlaneWindow> window, gradient;
  Halide::RDom s;  // of a block: row of a register tile, vector, tile
  Halide::RDom c;  // blocks of a channel: rows, slice, image
  Halide::RDom lane;
  enum Loop { kX, kY, kZ, kPlane, kTask };
  Halide::RDom r;
  Halide::Func sum{"sum"}, total{"total"}, folded{"folded"}, result{"depthwise_convolution_dw"};

  TiledDepthwiseWeights(const DepthwiseWeightsOperands& in, const DepthwiseShape& shape) {
    using namespace Halide;
    result(kx, ky, kz, co) = undef(in.type);
    std::vector<Expr> taps;
    for (int d = 0; d < 3; ++d) taps.push_back(result.output_buffer().dim(d).extent());
    const ConvolutionAxes& a = in.axes;
    ConvolutionAxes unit;
    for (int d = 0; d < 3; ++d) unit[d] = {1, 0, 1, in.out[d], 1};
    const std::vector<Var> place{block, z, n, plane, task};
    const Expr channel = task * shape.planes + plane;
    window.emplace(
        in.x, a, in.channels, in.batch, in.type, shape.lanes,
        a[0].At(in.out[0] - 1, taps[0] - 1) + 1, a[1].At(shape.rows - 1, taps[1] - 1) + 1,
        PaddedWindow::Origin{place, block * shape.rows * a[1].stride, z * a[2].stride, channel, n});
    gradient.emplace(in.dy, unit, in.channels, in.batch, in.type, shape.lanes, in.out[0],
                     shape.rows, PaddedWindow::Origin{place, block * shape.rows, z, channel, n});

    // What a lane past the end of a row or a row past the last would add may not be finite.
    s = RDom(0, shape.height, 0, CeilDiv(in.out[0], shape.lanes), 0, shape.rows / shape.height,
             "s");
    const Expr at_x = s.y * shape.lanes + v, at_y = s.z * shape.height + s.x;
    s.where(block * shape.rows + at_y - s.x < in.out[1]);
    const Expr width = select(block * shape.rows + at_y < in.out[1], in.out[0], 0);
    const Expr product =
        gradient->padded(at_y * gradient->pitch + at_x, 0, 0, block, z, n, plane, task) *
        window->padded(a[1].At(at_y, ky) * window->pitch + a[0].At(at_x, kx), kz * a[2].dilation, 0,
                       block, z, n, plane, task);
    sum(v, kx, ky, kz, block, z, n, plane, task) = cast(in.type, 0);
    sum(v, kx, ky, kz, block, z, n, plane, task) =
        select(at_x < width, sum(v, kx, ky, kz, block, z, n, plane, task) + product,
               sum(v, kx, ky, kz, block, z, n, plane, task));
    c = RDom(0, CeilDiv(in.out[1], shape.rows), 0, in.out[2], 0, in.batch, "c");
    total(v, kx, ky, kz, plane, task) = cast(in.type, 0);
    total(v, kx, ky, kz, plane, task) += sum(v, kx, ky, kz, c[0], c[1], c[2], plane, task);
    lane = RDom(0, shape.lanes, "lane");
    folded(kx, ky, kz, plane, task) = cast(in.type, 0);
    folded(kx, ky, kz, plane, task) += total(lane, kx, ky, kz, plane, task);
    r = RDom({{0, taps[0]},
              {0, taps[1]},
              {0, taps[2]},
              {0, shape.planes},
              {0, CeilDiv(in.channels, shape.planes)}},
             "r");
    const Expr to_c = r[kTask] * shape.planes + r[kPlane];
    r.where(to_c < in.channels);
    const std::vector<Expr> at{r[kX], r[kY], r[kZ], clamp(to_c, 0, in.channels - 1)};
    result(at) = select(in.accumulate, result(at), cast(in.type, 0)) +
                 folded(r[kX], r[kY], r[kZ], r[kPlane], r[kTask]);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_DEPTHWISE_CONVOLUTION_H_
