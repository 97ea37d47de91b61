// SPDX-License-Identifier: Apache-2.0
//
// Depthwise convolution of planes whose rows are short against a vector, and its gradients: the
// formulas of depthwise_convolution.h for one output channel an input channel, over one or two
// axes. A plane is one run of pixels; whole planes are transposed in registers, so that vectors
// hold the same pixel of many channels and neither rows nor strides leave lanes empty.
#ifndef HALITE_OPS_ALGORITHMS_NARROW_DEPTHWISE_CONVOLUTION_H_
#define HALITE_OPS_ALGORITHMS_NARROW_DEPTHWISE_CONVOLUTION_H_

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/axis.h"
#include "halite/ops/algorithms/ceil_div.h"
#include "halite/ops/algorithms/convolution.h"
#include "halite/ops/algorithms/shuffle.h"

namespace halite {

using PlaneAxes = std::array<ConvolutionAxis, 2>;  // x, y

// How the work is cut up: a task is `planes` planes (a vector of channels each) of `images` images.
struct NarrowShape {
  int lanes;
  Halide::Expr planes, images;
};

// What of an array a task reads.
struct NarrowPlace {
  NarrowShape shape;
  Halide::Expr channels, batch, first_plane, first_image;

  NarrowPlace(const NarrowShape& shape_in, const Halide::Expr& channels_in,
              const Halide::Expr& batch_in, const Halide::Expr& task)
      : shape(shape_in), channels(channels_in), batch(batch_in) {
    const Halide::Expr groups = Groups();
    first_plane = task % Halide::max(groups, 1) * shape.planes;
    first_image = task / Halide::max(groups, 1) * shape.images;
  }

  Halide::Expr Groups() const { return CeilDiv(CeilDiv(channels, shape.lanes), shape.planes); }
  Halide::Expr Tasks() const { return Groups() * CeilDiv(batch, shape.images); }
  Halide::Expr Channel(const Halide::Expr& plane, const Halide::Expr& lane) const {
    return (first_plane + plane) * shape.lanes + lane;
  }
  Halide::Expr Image(const Halide::Expr& image) const { return first_image + image; }
  // What is stored over `old`, at the nearest channel and image: past the last ones the last is
  // stored once more, without a branch for each channel.
  Halide::Expr Stored(const Halide::Expr& old, const Halide::Expr& value,
                      const Halide::Expr& exists, const Halide::Expr& accumulate) const {
    return Halide::select(
        accumulate, old + Halide::select(exists, value, Halide::cast(value.type(), 0)), value);
  }
  // Past the last one the last is repeated.
  Halide::Expr NearestChannel(const Halide::Expr& plane, const Halide::Expr& lane) const {
    return Halide::unsafe_promise_clamped(Halide::min(Channel(plane, lane), channels - 1), 0,
                                          channels - 1);
  }
  Halide::Expr NearestImage(const Halide::Expr& image) const {
    return Halide::unsafe_promise_clamped(Halide::min(Image(image), batch - 1), 0, batch - 1);
  }
  // Pixel p, of `pixels`, of a plane of x [pixel, channel, image]; zero past the last.
  Halide::Expr Element(const Halide::Func& x, const Halide::Expr& p, const Halide::Expr& pixels,
                       const Halide::Expr& plane, const Halide::Expr& lane,
                       const Halide::Expr& image, const Halide::Type& type) const {
    return IfExists(p < pixels,
                    x(Halide::unsafe_promise_clamped(p, 0, pixels - 1), NearestChannel(plane, lane),
                      NearestImage(image)),
                    Halide::cast(type, 0));
  }
};

// The planes of x [pixel, channel, image], transposed, and with the zeros around and between their
// samples.
struct NarrowWindow {
  Halide::Var v{"v"}, x{"x"}, y{"y"};
  TransposedSquares pixels;
  Halide::RDom samples;
  Halide::Func padded{"padded"};  // [v, x, y, place...]

  NarrowWindow(const Halide::Func& in, const PlaneAxes& a, const NarrowPlace& at,
               const Halide::Var& plane, const Halide::Var& image, const Halide::Var& task,
               const Halide::Type& type)
      : pixels(
            [&](const Halide::Expr& p, const Halide::Expr& lane) {
              return at.Element(in, p, a[0].in * a[1].in, plane, lane, image, type);
            },
            at.shape.lanes, {image, plane, task}),
        samples(0, a[0].in, 0, a[1].in, "samples") {
    using namespace Halide;
    padded(v, x, y, image, plane, task) = cast(type, 0);
    padded(v, samples.x * a[0].spread + a[0].pad, samples.y * a[1].spread + a[1].pad, image, plane,
           task) = pixels.elements(v, samples.y * a[0].in + samples.x, image, plane, task);
  }
};

struct NarrowDepthwiseOperands {
  Halide::Func x;  // [pixel, c, n]
  Halide::Func w;  // [tap, c], the taps of a row first
  Halide::Func b;  // [c], undefined where there is none
  bool flipped;    // the taps run backwards: the gradient to the input
  PlaneAxes axes;
  Halide::Expr width;  // of a row of the result
  Halide::Type type;
  Halide::Expr accumulate = Halide::Internal::const_false();
};

struct NarrowDepthwiseConvolution {
  static constexpr int kTile = 8;  // pixels of a row in a register tile
  Halide::Var v{"v"}, p{"p"}, t{"t"}, y{"y"}, image{"image"}, plane{"plane"}, task{"task"},
      square{"square"};
  std::optional<NarrowWindow> window;
  std::optional<TransposedSquares> weights, stored;
  Halide::RDom taps;   // kx, ky
  Halide::RDom tiles;  // pixel of a tile, tile, row
  enum Loop { kPixel, kChannel, kImage, kPlane, kTask };
  Halide::RDom r;
  Halide::Func bias{"bias"}, sum{"sum"}, rows{"rows"}, result{"depthwise_convolution"};

  // The shape may depend on the extents of the result.
  NarrowDepthwiseConvolution(
      const NarrowDepthwiseOperands& in,
      const std::function<NarrowShape(const std::vector<Halide::Expr>& extent)>& shape_for) {
    using namespace Halide;
    Var c("c"), n("n");
    result(p, c, n) = undef(in.type);
    std::vector<Expr> extent;
    for (int d = 0; d < 3; ++d) extent.push_back(result.output_buffer().dim(d).extent());
    const NarrowShape shape = shape_for(extent);
    const PlaneAxes& a = in.axes;
    const int lanes = shape.lanes;
    const NarrowPlace at(shape, extent[1], extent[2], task);
    window.emplace(in.x, in.axes, at, plane, image, task, in.type);
    const Expr count = a[0].taps * a[1].taps;
    weights.emplace(
        [&](const Expr& k, const Expr& lane) {
          return IfExists(
              k < count,
              in.w(unsafe_promise_clamped(k, 0, count - 1), at.NearestChannel(plane, lane)),
              cast(in.type, 0));
        },
        lanes, std::vector<Var>{plane, task});
    bias(v, plane, task) =
        in.b.defined() ? Expr(in.b(at.NearestChannel(plane, v))) : cast(in.type, 0);

    taps = RDom(0, a[0].taps, 0, a[1].taps, "taps");
    const Expr k = taps.y * a[0].taps + taps.x;
    sum(v, p, t, y, image, plane, task) = bias(v, plane, task);
    sum(v, p, t, y, image, plane, task) +=
        weights->elements(v, in.flipped ? count - 1 - k : k, plane, task) *
        window->padded(v, a[0].At(t * kTile + p, taps.x), a[1].At(y, taps.y), image, plane, task);

    // What a tile writes past the end of its row, the next row writes over.
    tiles = RDom(0, kTile, 0, CeilDiv(in.width, kTile), 0, extent[0] / max(in.width, 1), "tiles");
    rows(v, p, image, plane, task) = undef(in.type);
    rows(v, tiles[2] * in.width + tiles[1] * kTile + tiles[0], image, plane, task) =
        sum(v, tiles[0], tiles[1], tiles[2], image, plane, task);
    stored.emplace(
        [&](const Expr& lane, const Expr& pixel) {
          return rows(lane, square * lanes + pixel, image, plane, task);
        },
        lanes, std::vector<Var>{square, image, plane, task});

    r = RDom({{0, extent[0]}, {0, lanes}, {0, shape.images}, {0, shape.planes}, {0, at.Tasks()}},
             "r");
    const NarrowPlace to(shape, extent[1], extent[2], r[kTask]);
    const std::vector<Expr> place{r[kPixel],
                                  clamp(to.Channel(r[kPlane], r[kChannel]), 0, extent[1] - 1),
                                  clamp(to.Image(r[kImage]), 0, extent[2] - 1)};
    result(place) =
        to.Stored(result(place),
                  stored->elements(r[kPixel] % lanes, r[kChannel], r[kPixel] / lanes, r[kImage],
                                   r[kPlane], r[kTask]),
                  to.Channel(r[kPlane], r[kChannel]) < extent[1] && to.Image(r[kImage]) < extent[2],
                  in.accumulate);
  }
};

struct NarrowDepthwiseWeightsOperands {
  Halide::Func x, dy;  // [pixel, c, n]
  PlaneAxes axes;
  Halide::Expr width, pixels;  // of a row, of a plane of dy
  Halide::Expr channels, batch;
  Halide::Type type;
  Halide::Expr accumulate;
};

// dw [tap, c]; a task has all images of its planes. Register tiles of kTile x kTile taps.
struct NarrowDepthwiseWeights {
  static constexpr int kTile = 3;
  Halide::Var v{"v"}, kx{"kx"}, ky{"ky"}, image{"image"}, plane{"plane"}, task{"task"};
  std::optional<NarrowWindow> window;
  std::optional<TransposedSquares> gradient;
  Halide::RDom s;  // x, y
  Halide::RDom images;
  enum Loop { kX, kY, kLane, kPlane, kTask };
  Halide::RDom r;
  Halide::Func sum{"sum"}, total{"total"}, result{"depthwise_convolution_dw"};

  NarrowDepthwiseWeights(const NarrowDepthwiseWeightsOperands& in, const NarrowShape& shape) {
    using namespace Halide;
    Var k("k"), c("c");
    result(k, c) = undef(in.type);
    const NarrowPlace at(shape, in.channels, in.batch, task);
    window.emplace(in.x, in.axes, at, plane, image, task, in.type);
    gradient.emplace(
        [&](const Expr& p, const Expr& lane) {
          return at.Element(in.dy, p, in.pixels, plane, lane, image, in.type);
        },
        shape.lanes, std::vector<Var>{image, plane, task});
    s = RDom(0, in.width, 0, in.pixels / max(in.width, 1), "s");
    const PlaneAxes& a = in.axes;
    sum(v, kx, ky, image, plane, task) = cast(in.type, 0);
    sum(v, kx, ky, image, plane, task) +=
        gradient->elements(v, s.y * in.width + s.x, image, plane, task) *
        window->padded(v, a[0].At(s.x, kx), a[1].At(s.y, ky), image, plane, task);
    images = RDom(0, in.batch, "images");
    total(v, kx, ky, plane, task) = cast(in.type, 0);
    total(v, kx, ky, plane, task) += sum(v, kx, ky, images, plane, task);

    r = RDom({{0, a[0].taps}, {0, a[1].taps}, {0, shape.lanes}, {0, shape.planes}, {0, at.Tasks()}},
             "r");
    const NarrowPlace to(shape, in.channels, in.batch, r[kTask]);
    const std::vector<Expr> place{r[kY] * a[0].taps + r[kX],
                                  clamp(to.Channel(r[kPlane], r[kLane]), 0, in.channels - 1)};
    result(place) = to.Stored(result(place), total(r[kLane], r[kX], r[kY], r[kPlane], r[kTask]),
                              to.Channel(r[kPlane], r[kLane]) < in.channels, in.accumulate);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_NARROW_DEPTHWISE_CONVOLUTION_H_
