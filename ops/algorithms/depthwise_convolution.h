// SPDX-License-Identifier: Apache-2.0
//
// Depthwise convolution over up to three spatial axes, and its gradients. Output channel co reads
// input channel co / multiplier alone:
//   y(x, y, z, co, n) = b(co) + sum_{kx, ky, kz} w(kx, ky, kz, co) *
//                       in(x * sx + kx * dx - px, ..., co / multiplier, n), zero outside `in`.
// The gradient to the input is of the same form: stride 1, dy spread by the stride, weights flipped,
// and a sum over the `multiplier` output channels of an input channel.
#ifndef HALITE_OPS_ALGORITHMS_DEPTHWISE_CONVOLUTION_H_
#define HALITE_OPS_ALGORITHMS_DEPTHWISE_CONVOLUTION_H_

#include <string>
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
  std::string result = "y";
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
  Halide::Func sum{"sum"}, result;

  explicit DepthwiseConvolution(const DepthwiseOperands& in) : result(in.result) {
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
    sum(x, y, z, c, n) +=
        select(inside, in.x(at[0], at[1], at[2], member, n), cast(in.type, 0)) *
        in.w(taps[0], taps[1], taps[2], member);
    result(x, y, z, c, n) = undef(in.type);
    r = EachOf(result);
    const std::vector<Expr> to{r[0], r[1], r[2], r[3], r[4]};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) + sum(to);
  }
};

// The same sums from padded rows, in register tiles of a vector of x by `rows` rows. A task is some
// (channel, image) planes; padded holds the rows that `tile_rows` tiles of a plane need.
struct TiledDepthwiseConvolution {
  Halide::Var v{"v"}, p{"p"}, t{"t"}, tile{"tile"}, rows{"rows"}, plane{"plane"};
  PaddedInput input;
  Halide::RDom taps;  // kx, ky, kz, member
  enum Loop { kLane, kRow, kTileX, kTileY, kRows, kSlice, kPlane, kTask };
  Halide::RDom r;
  Halide::Func weights{"weights"}, sum{"sum"}, result;

  // `planes`: of a task.
  TiledDepthwiseConvolution(const DepthwiseOperands& in, int lanes, int tile_height, int tile_rows,
                            int grain)
      : input(in.x, in.axes, in.type), result(in.result) {
    using namespace Halide;
    const ConvolutionAxes& a = in.axes;
    Var x("x"), y("y"), z("z"), c("c"), n("n");
    result(x, y, z, c, n) = undef(in.type);
    std::vector<Expr> extent;
    for (int d = 0; d < 5; ++d) extent.push_back(result.output_buffer().dim(d).extent());
    const auto ceil_div = [](const Expr& i, const Expr& j) { return (i + j - 1) / max(j, 1); };
    const auto inside = [&](const Expr& i, int d) {
      return unsafe_promise_clamped(i, 0, extent[d] - 1);
    };
    const int height = tile_height * tile_rows;

    taps = RDom(0, a[0].taps, 0, a[1].taps, 0, a[2].taps, 0, in.members, "taps");
    const Expr image = plane / max(extent[3], 1);
    const Expr at_c = inside(plane - image * extent[3], 3), at_n = inside(image, 4);
    const Expr at_y = inside(min((rows * tile_rows + tile) * tile_height + p, extent[1] - 1), 1);
    const Expr member = at_c * in.members + taps[3];
    sum(v, p, t, tile, rows, z, plane) = in.b.defined() ? Expr(in.b(at_c)) : cast(in.type, 0);
    sum(v, p, t, tile, rows, z, plane) +=
        in.w(taps[0], taps[1], taps[2], member) *
        input.padded(a[0].At(t * lanes + v, taps[0]), a[1].At(at_y, taps[1]), a[2].At(z, taps[2]),
                     member, at_n);

    const Expr planes = extent[3] * extent[4];
    const Expr share = max(grain / max(extent[0] * extent[1] * extent[2], 1), 1);
    r = RDom({{0, lanes},
              {0, tile_height},
              {0, ceil_div(extent[0], lanes)},
              {0, tile_rows},
              {0, ceil_div(extent[1], height)},
              {0, extent[2]},
              {0, share},
              {0, ceil_div(planes, share)}},
             "r");
    const Expr to_plane = r[kTask] * share + r[kPlane];
    const Expr to_image = to_plane / max(extent[3], 1);
    const Expr to_x = r[kTileX] * lanes + r[kLane];
    const Expr to_y = (r[kRows] * tile_rows + r[kTileY]) * tile_height + r[kRow];
    r.where(to_plane < planes);
    r.where(to_y - r[kRow] < extent[1]);
    r.where(to_y < extent[1]);
    r.where(likely(to_x < extent[0]));
    const std::vector<Expr> to{inside(to_x, 0), inside(to_y, 1), r[kSlice],
                               inside(to_plane - to_image * extent[3], 3), inside(to_image, 4)};
    result(to) = select(in.accumulate, result(to), cast(in.type, 0)) +
                 sum(r[kLane], r[kRow], r[kTileX], r[kTileY], r[kRows], r[kSlice],
                     unsafe_promise_clamped(min(to_plane, planes - 1), 0, planes - 1));
  }
};

// The operands of the gradient to the weights.
struct DepthwiseWeightsOperands {
  Halide::Func x, dy;               // both [x, y, z, co, n]
  ConvolutionAxes axes;             // without the taps: they are the extents of dw
  std::array<Halide::Expr, 3> out;  // spatial extents of dy
  Halide::Expr batch;
  Halide::Type type;
  Halide::Expr accumulate;
};

// dw(kx, ky, kz, co) = sum_{x, y, z, n} dy(x, y, z, co, n) * x(x * sx + kx * dx - px, ..., co, n), summed in
// `kSlices` slices of the rows.
struct DepthwiseWeights {
  static constexpr int kSlices = 16;
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, co{"co"}, slice{"slice"};
  Halide::RDom s, r;
  Halide::Func partial{"partial"}, result{"dw"};

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

// The same sums in vectors of x, from padded rows of both operands: `rows` rows of a plane at a time.
struct TiledDepthwiseWeights {
  Halide::Var kx{"kx"}, ky{"ky"}, kz{"kz"}, co{"co"}, v{"v"}, x{"x"}, y{"y"}, z{"z"}, n{"n"};
  Halide::Var chunk{"chunk"};
  PaddedInput input, gradient;
  Halide::RDom s;      // of a chunk: vector, row
  Halide::RDom c;      // chunks of a channel: rows, slice, image
  Halide::RDom lane, r;
  Halide::Func sum{"sum"}, total{"total"}, folded{"folded"}, result{"dw"};

  TiledDepthwiseWeights(const DepthwiseWeightsOperands& in, int lanes, const Halide::Expr& rows)
      : input(in.x, in.axes, in.type), gradient(in.dy, Unpadded(in), in.type) {
    using namespace Halide;
    result(kx, ky, kz, co) = undef(in.type);
    const ConvolutionAxes& a = in.axes;
    const Expr vectors = (in.out[0] + lanes - 1) / lanes;
    const Expr groups = (in.out[1] + rows - 1) / max(rows, 1);
    s = RDom(0, vectors, 0, rows, "s");
    const Var group("group");
    const Expr at_y = group * rows + s.y, at_x = s.x * lanes + v;
    s.where(at_y < in.out[1]);
    const Expr row = unsafe_promise_clamped(min(at_y, in.out[1] - 1), 0, in.out[1] - 1);
    // Lanes past the last x meet a zero of dy; the input there may not be finite.
    const Expr sample = input.padded(a[0].At(at_x, kx), a[1].At(row, ky), a[2].At(z, kz), co, n);
    sum(v, kx, ky, kz, group, z, co, n) = cast(in.type, 0);
    sum(v, kx, ky, kz, group, z, co, n) +=
        gradient.padded(at_x, row, z, co, n) *
        select(at_x < in.out[0], sample, cast(in.type, 0));
    c = RDom(0, groups, 0, in.out[2], 0, in.batch, "c");
    total(v, kx, ky, kz, co) = cast(in.type, 0);
    total(v, kx, ky, kz, co) += sum(v, kx, ky, kz, c[0], c[1], co, c[2]);
    lane = RDom(0, lanes, "lane");
    folded(kx, ky, kz, co) = cast(in.type, 0);
    folded(kx, ky, kz, co) += total(lane, kx, ky, kz, co);
    Region region;
    for (int d = 0; d < 4; ++d) region.emplace_back(0, result.output_buffer().dim(d).extent());
    r = RDom(region, "r");
    const std::vector<Expr> at{r[0], r[1], r[2], r[3]};
    result(at) = select(in.accumulate, result(at), cast(in.type, 0)) + folded(at);
  }

 private:
  static ConvolutionAxes Unpadded(const DepthwiseWeightsOperands& in) {
    ConvolutionAxes axes;
    for (int d = 0; d < 3; ++d) axes[d] = {1, 0, 1, in.out[d], 1};
    return axes;
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_DEPTHWISE_CONVOLUTION_H_
