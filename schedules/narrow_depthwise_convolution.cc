// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of depthwise convolution of narrow planes, for CPUs.
//
//   narrow_depthwise_convolution:     x [pixel, c, n], w [tap, c], b [c] -> y [pixel, c, n]
//   narrow_depthwise_convolution_dx:  dy, w -> dx
//   narrow_depthwise_convolution_dw:  x, dy -> dw
// all with in_width and out_width (of a row of x and of y), and with taps_, stride_, pad_ and
// dilation_ x and y.
//
// A plane goes through four stages that stay in the caches: transposition of its runs of pixels to
// vectors of channels, the zeros around it, the sums in tiles of 8 pixels (dw: of 3 x 3 taps),
// transposition back. GFLOP/s of one core, AMD EPYC (Zen 5), while others used the machine; oneDNN
// 2.6 on NCHW arrays with its reorders, in turn with ours; one image:
//
//   layer                     forward  oneDNN |  dx  oneDNN |  dw  oneDNN
//   3x3 192 @28                    47      50 |  53      46 |  52      48
//   3x3 384 @14                    52      49 |  58      43 |  53      52
//   3x3 stride 2 576 @14           22      23 |  18      15 |  22      24
//   3x3 960 @7                     43      43 |  47      33 |  38      47
//
// What bounds it: at 7x7 the sums take a quarter of the time of the forward pass, each
// transposition a fifth, addresses and the edges of stages the rest. Stores whose channels are
// guarded one by one cost a quarter: lanes past the last channel store it again instead.
#include "halite/ops/algorithms/narrow_depthwise_convolution.h"

#include <cstdint>
#include <vector>

#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"
#include "halite/schedules/shuffle.h"

namespace halite {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::LoopLevel;
using Halide::MemoryType;
using Halide::RVar;
using Halide::Stage;
using Halide::TailStrategy;
using Halide::Target;

// `pixels`: of a plane, `images`: what there are of them.
NarrowShape ShapeFor(const Target& target, const Halide::Type& type, const Expr& pixels,
                     const Expr& channels, const Expr& images) {
  NarrowShape shape;
  shape.lanes = target.natural_vector_size(type);
  const Expr plane = Halide::clamp(pixels, 1, kGrain) * shape.lanes;
  shape.planes = EvenShare(CeilDiv(channels, shape.lanes), kGrain / plane);
  shape.images = EvenShare(images, kGrain / (plane * shape.planes));
  return shape;
}

void ScheduleWindow(NarrowWindow& in, const LoopLevel& where, const LoopLevel& task, int lanes) {
  in.padded.compute_at(where)
      .hoist_storage(task)
      .bound(in.v, 0, lanes)
      .vectorize(in.v)
      .never_partition_all();
  in.padded.update()
      .reorder(in.v, in.samples.x, in.samples.y)
      .vectorize(in.v)
      .never_partition_all();
  ScheduleTransposed(in.pixels, where, task, lanes);
}

Expr HasTaps(const PlaneAxes& a, int taps) {
  return a[0].taps == taps && a[1].taps == taps && a[0].dilation == 1 && a[1].dilation == 1;
}

void ScheduleCpu(NarrowDepthwiseConvolution& op, const NarrowDepthwiseOperands& in, int lanes) {
  using Op = NarrowDepthwiseConvolution;
  const LoopLevel task(op.result, op.r[Op::kTask]), image(op.result, op.r[Op::kImage]),
      plane(op.result, op.r[Op::kPlane]);
  Stage result = op.result.update();
  const RVar square("square"), pixel("pixel");
  result.allow_race_conditions()
      .split(op.r[Op::kPixel], square, pixel, lanes, kGuard)
      .reorder({pixel, op.r[Op::kChannel], square})
      .vectorize(pixel)
      .unroll(op.r[Op::kChannel])
      .parallel(op.r[Op::kTask])
      .never_partition_all();
  ScheduleShuffles(op.stored->shuffles, lanes * lanes, lanes, {op.result, square});
  op.rows.compute_at(image).hoist_storage(task).bound(op.v, 0, lanes);
  op.rows.update()
      .reorder({op.v, op.tiles[0], op.tiles[1], op.tiles[2]})
      .vectorize(op.v)
      .unroll(op.tiles[0])
      .never_partition_all();
  op.sum.compute_at(op.rows, op.tiles[1])
      .store_in(MemoryType::Stack)
      .bound(op.v, 0, lanes)
      .bound(op.p, 0, Op::kTile)
      .vectorize(op.v)
      .unroll(op.p);
  for (const Halide::Var& one : {op.t, op.y, op.image, op.plane, op.task}) {
    op.sum.bound_extent(one, 1);
  }
  Stage sum = op.sum.update();
  sum.reorder({op.v, op.p, op.taps.x, op.taps.y})
      .vectorize(op.v)
      .unroll(op.p)
      .never_partition_all();
  sum.specialize(HasTaps(in.axes, 3)).unroll(op.taps.x).unroll(op.taps.y);
  ScheduleWindow(*op.window, image, task, lanes);
  ScheduleTransposed(*op.weights, plane, task, lanes);
  op.bias.compute_at(plane).hoist_storage(task).bound(op.v, 0, lanes);
  result.specialize(!in.accumulate);
}

void ScheduleCpu(NarrowDepthwiseWeights& op, const NarrowDepthwiseWeightsOperands& in, int lanes) {
  using Op = NarrowDepthwiseWeights;
  Stage result = op.result.update();
  result.allow_race_conditions().parallel(op.r[Op::kTask]).never_partition_all();
  const LoopLevel task(op.result, op.r[Op::kTask]), plane(op.result, op.r[Op::kPlane]);
  op.total.compute_at(plane)
      .hoist_storage(task)
      .bound(op.v, 0, lanes)
      .vectorize(op.v)
      .never_partition_all();
  const Halide::Var tile_x("tile_x"), tile_y("tile_y");
  op.total.update()
      .split(op.kx, tile_x, op.kx, Op::kTile, TailStrategy::RoundUp)
      .split(op.ky, tile_y, op.ky, Op::kTile, TailStrategy::RoundUp)
      .reorder({op.v, op.kx, op.ky, tile_x, tile_y, op.images.x, op.plane})
      .vectorize(op.v)
      .unroll(op.kx)
      .unroll(op.ky)
      .never_partition_all();
  op.sum.compute_at(op.total, tile_x)
      .store_in(MemoryType::Stack)
      .bound(op.v, 0, lanes)
      .bound_extent(op.kx, Op::kTile)
      .bound_extent(op.ky, Op::kTile)
      .vectorize(op.v)
      .unroll(op.kx)
      .unroll(op.ky);
  for (const Halide::Var& one : {op.image, op.plane, op.task}) op.sum.bound_extent(one, 1);
  op.sum.update()
      .reorder({op.v, op.kx, op.ky, op.s.x, op.s.y})
      .vectorize(op.v)
      .unroll(op.kx)
      .unroll(op.ky)
      .never_partition_all();
  const LoopLevel image(op.total, op.images.x);
  ScheduleWindow(*op.window, image, task, lanes);
  ScheduleTransposed(*op.gradient, image, task, lanes);
  const Expr usual = HasTaps(in.axes, 3);
  result.specialize(usual && !in.accumulate).unroll(op.r[Op::kX]).unroll(op.r[Op::kY]);
  result.specialize(!in.accumulate);
}

// What all three kernels take beside their arrays.
template <typename Kernel>
class NarrowGenerator : public OpGenerator<Kernel> {
 public:
  Halide::GeneratorInput<int32_t> in_width{"in_width"}, out_width{"out_width"};
  PerAxis<2> taps{"taps"}, stride{"stride", 1, kMaxStep}, pad{"pad"};
  PerAxis<2> dilation{"dilation", 1, kMaxStep};

 protected:
  // `pixels`: of x.
  PlaneAxes Axes(const Expr& pixels) const {
    const Expr in[] = {in_width, Rows(pixels, in_width)};
    PlaneAxes axes;
    for (int d = 0; d < 2; ++d) axes[d] = {stride[d], pad[d], dilation[d], in[d], taps[d]};
    return axes;
  }
  // Of the convolution of dy that gives dx. `pixels`: of dy.
  PlaneAxes GradientAxes(const Expr& pixels) const {
    const Expr in[] = {out_width, Rows(pixels, out_width)};
    PlaneAxes axes;
    for (int d = 0; d < 2; ++d) {
      axes[d] = GradientAxis(pad[d], dilation[d], in[d], taps[d], stride[d]);
    }
    return axes;
  }
  static Expr Rows(const Expr& pixels, const Expr& width) { return pixels / Halide::max(width, 1); }
  Func Result(const NarrowDepthwiseOperands& in) const {
    NarrowShape shape;
    NarrowDepthwiseConvolution op(in, [&](const std::vector<Expr>& extent) {
      const Expr pixels = Halide::max(in.axes[0].in * in.axes[1].in, extent[0]);
      return shape = ShapeFor(this->get_target(), in.type, pixels, extent[1], extent[2]);
    });
    ScheduleCpu(op, in, shape.lanes);
    return op.result;
  }
};

class NarrowDepthwiseConvolutionKernel : public NarrowGenerator<NarrowDepthwiseConvolutionKernel> {
 public:
  Input<Buffer> x{"x", 3}, w{"w", 2}, b{"b", 1};
  Output<Buffer> y{"y", 3};

  void configure() { SetType(x, w, b, y); }

  void generate() {
    ZeroMin(x, 3);
    ZeroMin(w, 2);
    ZeroMin(b, 1);
    y = Result({x, w, b, /*flipped=*/false, Axes(x.dim(0).extent()), out_width, dtype});
    ZeroMin(y, 3);
  }
};

class NarrowDepthwiseConvolutionDxKernel
    : public NarrowGenerator<NarrowDepthwiseConvolutionDxKernel> {
 public:
  Input<Buffer> dy{"dy", 3}, w{"w", 2};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 3};

  void configure() { SetType(dy, w, dx); }

  void generate() {
    ZeroMin(dy, 3);
    ZeroMin(w, 2);
    dx = Result({dy,
                 w,
                 {},
                 /*flipped=*/true,
                 GradientAxes(dy.dim(0).extent()),
                 in_width,
                 dtype,
                 accumulate_dx});
    ZeroMin(dx, 3);
  }
};

class NarrowDepthwiseConvolutionDwKernel
    : public NarrowGenerator<NarrowDepthwiseConvolutionDwKernel> {
 public:
  Input<Buffer> x{"x", 3}, dy{"dy", 3};
  Input<bool> accumulate_dw{"accumulate_dw"};
  Output<Buffer> dw{"dw", 2};

  void configure() { SetType(x, dy, dw); }

  void generate() {
    ZeroMin(x, 3);
    ZeroMin(dy, 3);
    const Expr pixels = x.dim(0).extent(), batch = dy.dim(2).extent();
    const NarrowDepthwiseWeightsOperands in{
        x,     dy,    Axes(pixels), out_width, dy.dim(0).extent(), dy.dim(1).extent(),
        batch, dtype, accumulate_dw};
    NarrowShape shape = ShapeFor(get_target(), dtype, pixels * batch, in.channels, 1);
    shape.images = batch;
    NarrowDepthwiseWeights op(in, shape);
    ScheduleCpu(op, in, shape.lanes);
    dw = op.result;
    ZeroMin(dw, 2);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::NarrowDepthwiseConvolutionKernel, narrow_depthwise_convolution)
HALIDE_REGISTER_GENERATOR(halite::NarrowDepthwiseConvolutionDxKernel,
                          narrow_depthwise_convolution_dx)
HALIDE_REGISTER_GENERATOR(halite::NarrowDepthwiseConvolutionDwKernel,
                          narrow_depthwise_convolution_dw)
