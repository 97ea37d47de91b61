// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of depthwise convolution.
//
//   depthwise_convolution:     x [x, y, z, c, n], w [kx, ky, kz, co], b [co] -> y [x, y, z, co, n]
//   depthwise_convolution_dx:  dy, w -> dx
//   depthwise_convolution_dw:  x, dy -> dw
// all with multiplier (co = c * multiplier channels) and stride_, pad_ and dilation_ x, y, z.
//
// CPU: vectors of x in tiles of four rows, from padded rows that are staged for a batch of planes
// at a time: a load must not wait for the masked store of a short row just before it. dx is a
// convolution of stride 1 over dy spread by the stride. (narrow_depthwise_convolution.cc has small
// planes of many channels.) GFLOP/s of one core, AMD EPYC (Zen 5), while others used the machine;
// oneDNN 2.6 on NCHW arrays with its reorders, in turn with ours:
//
//   layer, batch              forward  oneDNN |  dx  oneDNN |  dw  oneDNN
//   3x3 32 @112, 1                 71      60 |  72      60 |  53      62
//   3x3 stride 2 96 @112, 1        26      28 |  24      26 |  24      31
//   3x3 144 @56, 16                32      18 |  31      15 |  17      19
//   3x3 stride 2 144 @56, 1        25      24 |  16      21 |  20      26
//
// What bounds it: staging and the memory (0.6 to 2 multiply-adds a byte); for dw the sums over
// lanes; with stride 2 the shuffles of strided loads, and in dx the products with the zeros between
// samples.
//
// Measured on the way: unsafe_promise_clamped in the index of a store makes its masked tail a loop
// over lanes.
#include "halite/ops/algorithms/depthwise_convolution.h"

#include <cstdint>
#include <vector>

#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

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
using Halide::Var;

// Memory is taken once for a task: threads that ask for it in turn wait for each other.
void ScheduleWindow(PlaneWindow& in, const LoopLevel& where, const LoopLevel& task, int lanes,
                    const Expr& spread = 1) {
  in.padded.compute_at(where)
      .hoist_storage(task)
      .vectorize(in.q, lanes, TailStrategy::RoundUp)
      .never_partition_all();
  const RVar vector("vector"), lane("lane");
  // Samples lie at different places: spread >= 1.
  in.padded.update()
      .allow_race_conditions()
      .split(in.samples.x, vector, lane, lanes, kGuard)
      .vectorize(lane)
      .never_partition_all();
  if (!Halide::Internal::is_const(spread)) in.padded.update().specialize(spread == 1);
}

// The usual cases are branches of the whole loop nest: with others inside, addresses took more time
// than sums.
Expr IsPlain(const ConvolutionAxes& a) {
  return a[0].dilation == 1 && a[1].dilation == 1 && a[2].dilation == 1;
}

// The stride, or the spread of the samples, in x and y.
Expr HasStride(const ConvolutionAxes& a, int stride) {
  const auto equal = [&](int d, int value) {
    return Halide::Internal::is_const(a[d].stride) ? a[d].spread == value : a[d].stride == value;
  };
  return equal(0, stride) && equal(1, stride) && equal(2, 1);
}

void ScheduleCpu(TiledDepthwiseConvolution& op, const DepthwiseOperands& in,
                 const DepthwiseShape& shape) {
  using Op = TiledDepthwiseConvolution;
  const RVar vector("vector"), lane("lane");
  op.result.update()
      .allow_race_conditions()
      .split(op.r[Op::kX], vector, lane, shape.lanes, kGuard)
      .reorder({lane, op.r[Op::kRow], vector, op.r[Op::kTile]})
      .vectorize(lane)
      .unroll(op.r[Op::kRow])
      .parallel(op.r[Op::kTask])
      .never_partition_all();
  op.sum.compute_at(op.result, vector)
      .store_in(MemoryType::Stack)
      .bound(op.v, 0, shape.lanes)
      .bound(op.p, 0, shape.height)
      .bound_extent(op.t, 1)
      .bound_extent(op.tile, 1)
      .bound_extent(op.rows, 1)
      .bound_extent(op.z, 1)
      .bound_extent(op.plane, 1)
      .bound_extent(op.batch, 1)
      .bound_extent(op.task, 1)
      .vectorize(op.v)
      .unroll(op.p);
  Stage sum = op.sum.update();
  const Halide::RDom& k = op.taps;
  sum.reorder({op.v, op.p, k[0], k[1], k[2], k[3]})
      .vectorize(op.v)
      .unroll(op.p)
      .never_partition_all();
  const ConvolutionAxes& a = in.axes;
  const Expr plain = IsPlain(a) && a[0].taps == 3 && a[1].taps == 3;
  sum.specialize(plain).unroll(k[0]).unroll(k[1]);
  // Runs are loaded and shuffled; with other strides each sample is (5x5 stride 3 7 @60: 13 GFLOP/s
  // instead of 1.3).
  for (const int stride : {1, 2, 3}) {
    if (!Halide::Internal::is_const(a[0].stride)) sum.specialize(a[0].stride == stride);
  }
  ScheduleWindow(*op.window, {op.result, op.r[Op::kRows]}, {op.result, op.r[Op::kTask]},
                 shape.lanes, a[0].spread);
  Stage result = op.result.update();
  for (int stride : {1, 2}) {
    const Expr usual = plain && in.members == 1 && HasStride(a, stride);
    result.specialize(usual && !in.accumulate);
    if (!Halide::Internal::is_const(in.accumulate)) result.specialize(usual);
  }
}

void ScheduleCpu(TiledDepthwiseWeights& op, const DepthwiseWeightsOperands& in,
                 const DepthwiseShape& shape) {
  using Op = TiledDepthwiseWeights;
  op.result.update().allow_race_conditions().parallel(op.r[Op::kTask]).never_partition_all();
  const LoopLevel task(op.result, op.r[Op::kTask]);
  op.folded.compute_at(op.result, op.r[Op::kX]).store_in(MemoryType::Stack);
  for (const Var& one : {op.kx, op.ky, op.kz, op.plane, op.task}) op.folded.bound_extent(one, 1);
  op.folded.update().atomic().vectorize(op.lane.x);
  op.total.compute_at(task).bound(op.v, 0, shape.lanes).vectorize(op.v).never_partition_all();
  const Var tile_x("tile_x"), tile_y("tile_y");
  op.total.update()
      .split(op.kx, tile_x, op.kx, Op::kTile, TailStrategy::RoundUp)
      .split(op.ky, tile_y, op.ky, Op::kTile, TailStrategy::RoundUp)
      .reorder({op.v, op.kx, op.ky, tile_x, tile_y, op.kz, op.plane, op.c[0], op.c[1], op.c[2]})
      .vectorize(op.v)
      .unroll(op.kx)
      .unroll(op.ky)
      .never_partition_all();
  op.sum.compute_at(op.total, tile_x)
      .store_in(MemoryType::Stack)
      .bound(op.v, 0, shape.lanes)
      .bound_extent(op.kx, Op::kTile)
      .bound_extent(op.ky, Op::kTile)
      .vectorize(op.v)
      .unroll(op.kx)
      .unroll(op.ky);
  for (const Var& one : {op.kz, op.block, op.z, op.n, op.plane, op.task}) {
    op.sum.bound_extent(one, 1);
  }
  Stage sum = op.sum.update();
  sum.reorder({op.v, op.kx, op.ky, op.s.x, op.s.y, op.s.z})
      .vectorize(op.v)
      .unroll(op.kx)
      .unroll(op.ky)
      .unroll(op.s.x)
      .never_partition_all();
  const LoopLevel block(op.total, op.c[0]);
  ScheduleWindow(*op.window, block, task, shape.lanes);
  ScheduleWindow(*op.gradient, block, task, shape.lanes);
  Stage result = op.result.update();
  for (int stride : {1, 2}) {
    const Expr usual = IsPlain(in.axes) && HasStride(in.axes, stride);
    result.specialize(usual && !in.accumulate);
    result.specialize(usual);
  }
}

// A block of threads makes 32 x of 8 rows. The planes are the innermost loop over blocks: only the
// first index of a grid may pass 65535.
void ScheduleGpu(DepthwiseConvolution& op) {
  const RVar xb("xb"), xt("xt"), yb("yb"), yt("yt"), plane("plane");
  ScheduleUndefinedGpu(op.result);
  op.result.update()
      .split(op.r[0], xb, xt, 32, kGuard)
      .split(op.r[1], yb, yt, 8, kGuard)
      .reorder({xt, yt, op.r[2], op.r[3], op.r[4], xb, yb})
      .fuse(op.r[2], op.r[3], plane)
      .fuse(plane, op.r[4], plane)
      .gpu_threads(xt, yt)
      .gpu_blocks(plane, xb, yb);
  op.sum.compute_at(op.result, xt);
}

void ScheduleGpu(DepthwiseWeights& op) {
  op.partial.compute_root();
  ScheduleRowsGpu(op.partial, {op.kx, op.ky, op.kz, op.co, op.slice});
  ScheduleRowsGpu(op.partial.update(), {op.kx, op.ky, op.kz, op.co, op.slice});
  ScheduleUndefinedGpu(op.result);
  ScheduleRowsGpu(op.result.update(), {op.r[0], op.r[1], op.r[2], op.r[3]});
}

// Four rows of a tile share their input rows in registers; windows of some 16 KB. `width`: of a row
// that is staged; `rows`, `planes` and `written` elements of a plane: of the result, or of dy.
DepthwiseShape ShapeFor(const Target& target, const Halide::Type& type, const Expr& width,
                        const Expr& row_distance, const Expr& rows, const Expr& planes,
                        const Expr& written) {
  constexpr int kHeight = 4, kWindow = 1 << 12;
  // Both at most what makes a window one tile of one plane: products stay below 2^31.
  const Expr row = Halide::clamp(width, 1, kWindow) * Halide::clamp(row_distance, 1, kWindow);
  const Expr tiles = Halide::max((rows + kHeight - 1) / kHeight, 1);
  DepthwiseShape shape;
  shape.lanes = target.natural_vector_size(type);
  shape.height = kHeight;
  shape.rows = Halide::clamp(kWindow / (row * kHeight), 1, tiles) * kHeight;
  shape.planes = Halide::clamp(kWindow / (row * shape.rows), 1, Halide::max(planes, 1));
  shape.batches = Halide::clamp(kGrain / Halide::max(written * shape.planes, 1), 1,
                                (planes + shape.planes - 1) / shape.planes);
  return shape;
}

Func OnCpu(const DepthwiseOperands& in, const Target& target) {
  DepthwiseShape shape;
  TiledDepthwiseConvolution op(in, [&](const std::vector<Expr>& extent) {
    const ConvolutionAxis &x = in.axes[0], &y = in.axes[1];
    return shape = ShapeFor(target, in.type, x.At(extent[0], x.taps), y.stride * in.members,
                            extent[1], extent[3] * extent[4], extent[0] * extent[1] * extent[2]);
  });
  ScheduleCpu(op, in, shape);
  return op.result;
}

class DepthwiseConvolutionKernel : public OpGenerator<DepthwiseConvolutionKernel> {
 public:
  Input<Buffer> x{"x", 5}, w{"w", 4}, b{"b", 1};
  Input<int32_t> multiplier{"multiplier", 1, 1, 1 << 20};
  PerAxis<> stride{"stride", 1, kMaxStep}, pad{"pad"}, dilation{"dilation", 1, kMaxStep};
  Output<Buffer> y{"y", 5};

  void configure() { SetType(x, w, b, y); }

  void generate() {
    ZeroMin(x, 5);
    ZeroMin(w, 4);
    ZeroMin(b, 1);
    DepthwiseOperands in{RepeatChannels(x, multiplier), w, b, {}, 1, dtype};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = {stride[d], pad[d], dilation[d], x.dim(d).extent(), w.dim(d).extent()};
    }
    if (get_target().has_gpu_feature()) {
      DepthwiseConvolution op(in);
      ScheduleGpu(op);
      y = op.result;
    } else {
      y = OnCpu(in, get_target());
    }
    ZeroMin(y, 5);
  }
};

class DepthwiseConvolutionDxKernel : public OpGenerator<DepthwiseConvolutionDxKernel> {
 public:
  Input<Buffer> dy{"dy", 5}, w{"w", 4};
  Input<int32_t> multiplier{"multiplier", 1, 1, 1 << 20};
  PerAxis<> stride{"stride", 1, kMaxStep}, pad{"pad"}, dilation{"dilation", 1, kMaxStep};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 5};

  void configure() { SetType(dy, w, dx); }

  void generate() {
    ZeroMin(dy, 5);
    ZeroMin(w, 4);
    DepthwiseOperands in{dy, {}, {}, {}, multiplier, dtype, accumulate_dx};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] =
          GradientAxis(pad[d], dilation[d], dy.dim(d).extent(), w.dim(d).extent(), stride[d]);
    }
    in.w = FlippedTaps(w, in.axes);
    if (get_target().has_gpu_feature()) {
      DepthwiseConvolution op(in);
      ScheduleGpu(op);
      op.result.update().specialize(!accumulate_dx);
      dx = op.result;
    } else {
      dx = OnCpu(in, get_target());
    }
    ZeroMin(dx, 5);
  }
};

class DepthwiseConvolutionDwKernel : public OpGenerator<DepthwiseConvolutionDwKernel> {
 public:
  Input<Buffer> x{"x", 5}, dy{"dy", 5};
  Input<int32_t> multiplier{"multiplier", 1, 1, 1 << 20};
  PerAxis<> stride{"stride", 1, kMaxStep}, pad{"pad"}, dilation{"dilation", 1, kMaxStep};
  Input<bool> accumulate_dw{"accumulate_dw"};
  Output<Buffer> dw{"dw", 4};

  void configure() { SetType(x, dy, dw); }

  void generate() {
    ZeroMin(x, 5);
    ZeroMin(dy, 5);
    DepthwiseWeightsOperands in{RepeatChannels(x, multiplier),
                                dy,
                                {},
                                {},
                                dy.dim(3).extent(),
                                dy.dim(4).extent(),
                                dtype,
                                accumulate_dw};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = {stride[d], pad[d], dilation[d], x.dim(d).extent(), {}};
      in.out[d] = dy.dim(d).extent();
    }
    if (get_target().has_gpu_feature()) {
      DepthwiseWeights op(in);
      ScheduleGpu(op);
      op.result.update().specialize(!accumulate_dw);
      dw = op.result;
    } else {
      const DepthwiseShape shape =
          ShapeFor(get_target(), dtype, in.out[0] * stride[0], stride[1], in.out[1], in.channels,
                   in.out[0] * in.out[1] * in.out[2] * in.batch);
      TiledDepthwiseWeights op(in, shape);
      ScheduleCpu(op, in, shape);
      dw = op.result;
    }
    ZeroMin(dw, 4);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::DepthwiseConvolutionKernel, depthwise_convolution)
HALIDE_REGISTER_GENERATOR(halite::DepthwiseConvolutionDxKernel, depthwise_convolution_dx)
HALIDE_REGISTER_GENERATOR(halite::DepthwiseConvolutionDwKernel, depthwise_convolution_dw)
