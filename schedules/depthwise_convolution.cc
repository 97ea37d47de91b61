// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of depthwise convolution.
//
//   depthwise_convolution:     x [x, y, z, c, n], w [kx, ky, kz, co], b [co] -> y [x, y, z, co, n]
//   depthwise_convolution_dx:  dy, w -> dx
//   depthwise_convolution_dw:  x, dy -> dw
// all with multiplier (co = c * multiplier channels) and stride_, pad_ and dilation_ x, y, z.
//
// CPU, two forms: vectors of x, tiles of four rows, padded rows staged; and, where a plane is at
// most 16 wide and there are channels enough, vectors of channels, transposed in registers. 3x3 is
// unrolled. dx is a convolution of stride 1 over dy spread by the stride. GFLOP/s of one core, AMD
// EPYC (Zen 5), while others used the machine; oneDNN 2.6 on NCHW arrays with its reorders, in
// turn with ours:
//
//   layer, batch              forward  oneDNN |  dx  oneDNN |  dw  oneDNN
//   3x3 32 @112, 1                 62      59 |  63      48 |  31      58
//   3x3 32 @112, 16                27      19 |  25      18 |  20      18
//   3x3 stride 2 96 @112, 1        22      24 |  14      22 |  15      26
//   3x3 192 @28, 1                 30      53 |  34      49 |  22      50
//   3x3 stride 2 576 @14, 1        13      23 |  10      15 |   9      24
//   3x3 960 @7, 1                  19      46 |  20      34 |  13      49
//   3x3 960 @7, 16                 16      41 |  16      31 |  10      27
//
// With vectors of x the last three rows were 5, 4, 4; 7, 7, 4; 6, 6, 4. 3x3 512 @14, 16 against a
// plain C++ loop, milliseconds: forward 2.2 (loop 5.0), gradients 5.9 (13.7); two threads 1.1 (2.5)
// and 2.8 (6.7).
//
// What bounds it: staging and the memory (0.6 to 2 multiply-adds a byte). In batches of wider
// planes vectors of channels are slower: each reads and writes 16 streams.
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
void ScheduleWindow(PaddedWindow& in, const LoopLevel& where, const LoopLevel& task, int lanes,
                    const Expr& spread = 1) {
  in.padded.compute_at(where)
      .hoist_storage(task)
      .vectorize(in.x, lanes, TailStrategy::RoundUp)
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
  const Expr plain = a[0].dilation == 1 && a[1].dilation == 1 && a[0].taps == 3 && a[1].taps == 3;
  for (int stride : {1, 2}) {
    sum.specialize(plain && a[0].stride == stride && a[1].stride == stride)
        .unroll(k[0])
        .unroll(k[1]);
    if (Halide::Internal::is_const(a[0].stride)) break;
  }
  if (!Halide::Internal::is_const(a[0].stride)) sum.specialize(a[0].stride == 1);
  ScheduleWindow(*op.window, {op.result, op.r[Op::kRows]}, {op.result, op.r[Op::kTask]},
                 shape.lanes, a[0].spread);
  op.result.update().specialize(!in.accumulate);
}

// `turned` at `where`, `first` elements of its first stage at a time.
void ScheduleTurned(std::vector<Func>& turned, const Var& e, const LoopLevel& where,
                    const TurnedShape& shape, int first) {
  for (size_t i = 0; i < turned.size(); ++i) {
    Func& f = turned[i];
    f.compute_at(where)
        .store_in(MemoryType::Stack)
        .bound(e, 0, shape.lanes * shape.slots)
        .vectorize(e, i == 0 ? first : 2 * shape.lanes, TailStrategy::RoundUp)
        .unroll(e);
    for (const Var& other : f.args()) {
      if (other.name() != e.name()) f.bound_extent(other, 1);
    }
  }
}

void ScheduleWindow(TurnedWindow& in, const LoopLevel& where, const LoopLevel& task,
                    const TurnedShape& shape) {
  in.padded.compute_at(where)
      .hoist_storage(task)
      .bound(in.v, 0, shape.lanes)
      .vectorize(in.v)
      .never_partition_all();
  in.padded.update()
      .reorder({in.v, in.samples.x, in.samples.y, in.y, in.z})
      .vectorize(in.v)
      .unroll(in.samples.x)
      .never_partition_all();
  ScheduleTurned(in.turned, in.e, {in.padded, in.samples.y}, shape, shape.slots);
  // Planes are read one after another, as they lie.
  const RVar vector("vector"), lane("lane");
  in.rows.compute_at(where).hoist_storage(task).reorder_storage(in.x, in.c, in.y, in.z);
  in.rows.update()
      .allow_race_conditions()
      .split(in.row.x, vector, lane, shape.lanes, kGuard)
      .reorder({lane, vector, in.y, in.z, in.c})
      .vectorize(lane)
      .never_partition_all();
}

void ScheduleCpu(TurnedDepthwiseConvolution& op, const DepthwiseOperands& in,
                 const TurnedShape& shape, Func& result) {
  using Op = TurnedDepthwiseConvolution;
  const RVar tiles("tile"), pixel("pixel");
  result.update(1)
      .allow_race_conditions()
      .split(op.r[Op::kX], tiles, pixel, shape.slots, kGuard)
      .reorder({pixel, op.r[Op::kLane], tiles, op.r[Op::kRow]})
      .vectorize(pixel)
      .parallel(op.r[Op::kTask])
      .never_partition_all();
  const LoopLevel task(result, op.r[Op::kTask]), tile(result, tiles);
  ScheduleTurned(op.turned, op.e, tile, shape, shape.lanes);
  op.sum.compute_at(tile)
      .store_in(MemoryType::Stack)
      .bound(op.v, 0, shape.lanes)
      .bound(op.p, 0, shape.slots)
      .vectorize(op.v)
      .unroll(op.p);
  for (const Var& one : {op.t, op.row, op.rows, op.z, op.plane, op.task}) {
    op.sum.bound_extent(one, 1);
  }
  const ConvolutionAxes& a = in.axes;
  const Halide::RDom& k = op.taps;
  Stage sum = op.sum.update();
  sum.reorder({op.v, op.p, k[0], k[1], k[2]}).vectorize(op.v).unroll(op.p).never_partition_all();
  const Expr plain = a[0].dilation == 1 && a[1].dilation == 1 && a[0].taps == 3 && a[1].taps == 3;
  for (int stride : {1, 2}) {
    sum.specialize(plain && a[0].stride == stride).unroll(k[0]).unroll(k[1]);
    if (Halide::Internal::is_const(a[0].stride)) break;
  }
  for (Func* f : {&op.packed, &op.bias}) {
    f->compute_at(result, op.r[Op::kPlane])
        .hoist_storage(task)
        .bound(op.v, 0, shape.lanes)
        .vectorize(op.v);
  }
  ScheduleWindow(*op.window, {result, op.r[Op::kRows]}, task, shape);
  result.update(1).specialize(!in.accumulate);
}

void ScheduleCpu(TurnedDepthwiseWeights& op, const DepthwiseWeightsOperands& in,
                 const TurnedShape& shape, Func& result) {
  result.update(1).allow_race_conditions().parallel(op.r[4]).never_partition_all();
  const LoopLevel task(result, op.r[4]);
  op.total.compute_at(task).bound(op.v, 0, shape.lanes).vectorize(op.v).never_partition_all();
  op.total.update()
      .reorder({op.v, op.kx, op.ky, op.kz, op.c[0], op.c[1], op.c[2], op.group})
      .vectorize(op.v)
      .never_partition_all();
  const LoopLevel block(op.total, op.c[0]);
  op.sum.compute_at(block)
      .hoist_storage(task)
      .bound(op.v, 0, shape.lanes)
      .vectorize(op.v)
      .never_partition_all();
  Stage sum = op.sum.update();
  sum.reorder({op.v, op.kx, op.ky, op.s.x, op.s.y, op.kz}).vectorize(op.v).never_partition_all();
  const Expr taps_x = result.output_buffer().dim(0).extent();
  const Expr taps_y = result.output_buffer().dim(1).extent();
  sum.specialize(taps_x == 3 && taps_y == 3).unroll(op.kx).unroll(op.ky);
  ScheduleWindow(*op.window, block, task, shape);
  ScheduleWindow(*op.gradient, block, task, shape);
  result.update(1).specialize(!in.accumulate);
}

void ScheduleCpu(TiledDepthwiseWeights& op, const DepthwiseWeightsOperands& in, int lanes) {
  op.result.update().parallel(op.r[3]).never_partition_all();
  op.folded.compute_at(op.result, op.r[0]);
  op.folded.update().atomic().vectorize(op.lane.x);
  op.total.compute_at(op.result, op.r[3])
      .bound(op.v, 0, lanes)
      .vectorize(op.v)
      .never_partition_all();
  op.total.update()
      .reorder({op.v, op.kx, op.ky, op.kz, op.c[0], op.c[1], op.c[2], op.co})
      .vectorize(op.v)
      .never_partition_all();
  op.sum.compute_at(op.total, op.c[0]).bound(op.v, 0, lanes).vectorize(op.v).never_partition_all();
  Stage sum = op.sum.update();
  sum.reorder({op.v, op.kx, op.ky, op.s.x, op.s.y, op.kz}).vectorize(op.v).never_partition_all();
  const Expr taps_x = op.result.output_buffer().dim(0).extent();
  const Expr taps_y = op.result.output_buffer().dim(1).extent();
  for (int stride : {1, 2}) {
    sum.specialize(taps_x == 3 && taps_y == 3 && in.axes[0].stride == stride)
        .unroll(op.kx)
        .unroll(op.ky);
  }
  sum.specialize(in.axes[0].stride == 1);
  const LoopLevel task(op.result, op.r[3]);
  op.sum.hoist_storage(task);
  ScheduleWindow(*op.window, {op.total, op.c[0]}, task, lanes);
  ScheduleWindow(*op.gradient, {op.total, op.c[0]}, task, lanes);
  op.result.update().specialize(!in.accumulate);
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

// Channels in the lanes where planes are small and fill the lanes; windows of some 32 KB. Taps far
// apart would make them large.
TurnedShape TurnedFor(const Target& target, const Halide::Type& type, const Expr& channels,
                      const ConvolutionAxes& axes) {
  const int lanes = target.natural_vector_size(type);
  const int slots = target.has_feature(Target::AVX512_Skylake) ? 8 : 4;
  const Expr width = axes[0].in * axes[0].spread / axes[0].stride;
  const Expr near = axes[0].dilation <= 8 && axes[1].dilation <= 8 && axes[2].dilation <= 8;
  return {lanes, slots, 1 << 15, Halide::clamp(512 / Halide::max(width, 1), 4, 32),
          channels >= lanes && width <= 16 && near};
}

// Four rows of a tile share their input rows in registers, four tiles their padded rows.
DepthwiseShape ShapeFor(const TurnedShape& turned) {
  return {turned.lanes, 4, 4, 1 << 15, !turned.use};
}

class DepthwiseConvolutionKernel : public OpGenerator<DepthwiseConvolutionKernel> {
 public:
  Input<Buffer> x{"x", 5}, w{"w", 4}, b{"b", 1};
  Input<int32_t> multiplier{"multiplier", 1, 1, 1 << 20};
  Input<int32_t> stride_x{"stride_x", 1, 1, 1 << 20}, stride_y{"stride_y", 1, 1, 1 << 20};
  Input<int32_t> stride_z{"stride_z", 1, 1, 1 << 20};
  Input<int32_t> pad_x{"pad_x"}, pad_y{"pad_y"}, pad_z{"pad_z"};
  Input<int32_t> dilation_x{"dilation_x", 1, 1, 1 << 20}, dilation_y{"dilation_y", 1, 1, 1 << 20};
  Input<int32_t> dilation_z{"dilation_z", 1, 1, 1 << 20};
  Output<Buffer> y{"y", 5};

  void configure() {
    x.set_type(dtype);
    w.set_type(dtype);
    b.set_type(dtype);
    y.set_type(dtype);
  }

  void generate() {
    ZeroMin(x, 5);
    ZeroMin(w, 4);
    ZeroMin(b, 1);
    const Expr stride[] = {stride_x, stride_y, stride_z}, pad[] = {pad_x, pad_y, pad_z};
    const Expr dilation[] = {dilation_x, dilation_y, dilation_z};
    DepthwiseOperands in{RepeatChannels(x, multiplier), w, b, {}, 1, dtype};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = {stride[d], pad[d], dilation[d], x.dim(d).extent(), w.dim(d).extent()};
    }
    if (get_target().has_gpu_feature()) {
      DepthwiseConvolution op(in);
      ScheduleGpu(op);
      y = op.result;
    } else {
      TurnedShape turned = TurnedFor(get_target(), dtype, w.dim(3).extent(), in.axes);
      const DepthwiseShape shape = ShapeFor(turned);
      TiledDepthwiseConvolution op(in, shape);
      TurnedDepthwiseConvolution second(in, turned, op.result);
      ScheduleCpu(op, in, shape);
      ScheduleCpu(second, in, turned, op.result);
      y = op.result;
    }
    ZeroMin(y, 5);
  }
};

class DepthwiseConvolutionDxKernel : public OpGenerator<DepthwiseConvolutionDxKernel> {
 public:
  Input<Buffer> dy{"dy", 5}, w{"w", 4};
  Input<int32_t> multiplier{"multiplier", 1, 1, 1 << 20};
  Input<int32_t> stride_x{"stride_x", 1, 1, 1 << 20}, stride_y{"stride_y", 1, 1, 1 << 20};
  Input<int32_t> stride_z{"stride_z", 1, 1, 1 << 20};
  Input<int32_t> pad_x{"pad_x"}, pad_y{"pad_y"}, pad_z{"pad_z"};
  Input<int32_t> dilation_x{"dilation_x", 1, 1, 1 << 20}, dilation_y{"dilation_y", 1, 1, 1 << 20};
  Input<int32_t> dilation_z{"dilation_z", 1, 1, 1 << 20};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 5};

  void configure() {
    dy.set_type(dtype);
    w.set_type(dtype);
    dx.set_type(dtype);
  }

  void generate() {
    ZeroMin(dy, 5);
    ZeroMin(w, 4);
    const Expr stride[] = {stride_x, stride_y, stride_z}, pad[] = {pad_x, pad_y, pad_z};
    const Expr dilation[] = {dilation_x, dilation_y, dilation_z};
    DepthwiseOperands in{dy, {}, {}, {}, multiplier, dtype, accumulate_dx};
    for (int d = 0; d < 3; ++d) {
      const Expr taps = w.dim(d).extent();
      in.axes[d] = {
          1, (taps - 1) * dilation[d] - pad[d], dilation[d], dy.dim(d).extent(), taps, stride[d]};
    }
    in.w = FlippedTaps(w, in.axes);
    if (get_target().has_gpu_feature()) {
      DepthwiseConvolution op(in);
      ScheduleGpu(op);
      op.result.update().specialize(!accumulate_dx);
      dx = op.result;
    } else {
      TurnedShape turned = TurnedFor(get_target(), dtype, w.dim(3).extent(), in.axes);
      turned.use = turned.use && multiplier == 1;
      const DepthwiseShape shape = ShapeFor(turned);
      TiledDepthwiseConvolution op(in, shape);
      TurnedDepthwiseConvolution second(in, turned, op.result);
      ScheduleCpu(op, in, shape);
      ScheduleCpu(second, in, turned, op.result);
      dx = op.result;
    }
    ZeroMin(dx, 5);
  }
};

class DepthwiseConvolutionDwKernel : public OpGenerator<DepthwiseConvolutionDwKernel> {
 public:
  Input<Buffer> x{"x", 5}, dy{"dy", 5};
  Input<int32_t> multiplier{"multiplier", 1, 1, 1 << 20};
  Input<int32_t> stride_x{"stride_x", 1, 1, 1 << 20}, stride_y{"stride_y", 1, 1, 1 << 20};
  Input<int32_t> stride_z{"stride_z", 1, 1, 1 << 20};
  Input<int32_t> pad_x{"pad_x"}, pad_y{"pad_y"}, pad_z{"pad_z"};
  Input<int32_t> dilation_x{"dilation_x", 1, 1, 1 << 20}, dilation_y{"dilation_y", 1, 1, 1 << 20};
  Input<int32_t> dilation_z{"dilation_z", 1, 1, 1 << 20};
  Input<bool> accumulate_dw{"accumulate_dw"};
  Output<Buffer> dw{"dw", 4};

  void configure() {
    x.set_type(dtype);
    dy.set_type(dtype);
    dw.set_type(dtype);
  }

  void generate() {
    ZeroMin(x, 5);
    ZeroMin(dy, 5);
    const Expr stride[] = {stride_x, stride_y, stride_z}, pad[] = {pad_x, pad_y, pad_z};
    const Expr dilation[] = {dilation_x, dilation_y, dilation_z};
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
      const int lanes = get_target().natural_vector_size(dtype);
      const TurnedShape turned = TurnedFor(get_target(), dtype, in.channels, in.axes);
      TiledDepthwiseWeights op(in, lanes, Halide::clamp(4096 / in.out[0], 1, in.out[1]),
                               !turned.use);
      TurnedDepthwiseWeights second(in, turned, op.result);
      ScheduleCpu(op, in, lanes);
      ScheduleCpu(second, in, turned, op.result);
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
