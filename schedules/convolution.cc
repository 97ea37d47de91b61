// SPDX-License-Identifier: Apache-2.0
//
// HEADER
#include "halite/ops/algorithms/convolution.h"

#include <cstdint>
#include <vector>

#include "halite/schedules/op_generator.h"

namespace halite {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::MemoryType;
using Halide::RVar;
using Halide::Stage;
using Halide::TailStrategy;
using Halide::Target;
using Halide::Var;

Expr CeilDiv(const Expr& x, const Expr& y) { return (x + y - 1) / y; }

// About as many outputs of the axis as there are for a centred kernel; only a guide.
Expr Outputs(const ConvolutionAxis& a) {
  return (a.in + 2 * a.pad - (a.taps - 1) * a.dilation - 1) / a.stride + 1;
}

ConvolutionShape ShapeFor(const ConvolutionOperands& in, const Target& target,
                          const Tuning& tuning) {
  ConvolutionShape shape;
  shape.lanes = target.natural_vector_size(in.type);
  shape.rows = tuning("rows", 8);
  shape.blocks = tuning("blocks", 4);
  shape.masked = false;
  if (target.has_feature(Target::AVX512_Skylake)) {
    const Expr width = Outputs(in.axes[0]);
    const Expr narrow = in.out_channels <= shape.lanes;
    const Expr seven = CeilDiv(width, 7) * 7 < CeilDiv(width, 8) * 8;
    shape.slots = 8;
    shape.tiles = {{narrow, 1, 8}, {!narrow && seven, 2, 7}, {!narrow && !seven, 2, 8}};
  } else {
    shape.slots = 4;
    shape.tiles = {{Halide::Internal::const_true(), 2, 4}};
  }
  return shape;
}

// The channels of a row lie together: tiles walk over them.
void SchedulePadded(PaddedInput& in, const Halide::LoopLevel& where, int lanes) {
  in.padded.compute_at(where)
      .reorder_storage(in.x, in.ci, in.y, in.z, in.n)
      .reorder(in.x, in.ci, in.y, in.z, in.n)
      .vectorize(in.x, lanes, TailStrategy::RoundUp);
  const RVar vector("vector"), lane("lane");
  in.padded.update()
      .reorder(in.samples.x, in.ci, in.y, in.z, in.n)
      .split(in.samples.x, vector, lane, lanes, kGuard)
      .vectorize(lane);
}

// Sums of a tile: channels of the input innermost, unless they are so few that the taps along x make
// the longer loop.
void ScheduleSums(TiledConvolution& op, const ConvolutionOperands& in) {
  using Op = TiledConvolution;
  const Expr stride = in.axes[0].stride;
  const bool strided = !Halide::Internal::is_const(stride);
  const Expr few = in.in_channels <= 4;
  for (size_t i = 0; i < op.sums.size(); ++i) {
    const Halide::RDom& s = op.sums[i];
    Stage sum = op.sum.update(static_cast<int>(i));
    const auto along_row = [&](Stage stage) {
      stage.reorder({op.v, s[Op::kSumVector], s[Op::kSumPixel], s[Op::kTapX], s[Op::kTapY],
                     s[Op::kTapZ], s[Op::kTapChannel]});
    };
    sum.reorder({op.v, s[Op::kSumVector], s[Op::kSumPixel], s[Op::kTapChannel], s[Op::kTapX],
                 s[Op::kTapY], s[Op::kTapZ]})
        .vectorize(op.v)
        .unroll(s[Op::kSumVector])
        .unroll(s[Op::kSumPixel]);
    along_row(sum.specialize(few && stride == 1));
    if (!strided) continue;
    along_row(sum.specialize(few && stride == 2));
    sum.specialize(stride == 1);
    sum.specialize(stride == 2);
  }
}

void ScheduleTile(TiledConvolution& op, const ConvolutionOperands& in,
                  const ConvolutionShape& shape) {
  using Op = TiledConvolution;
  const auto place = [&](Func& f, Op::Loop where) -> Func& {
    return f.compute_at(op.result, op.r[where])
        .store_in(MemoryType::Stack)
        .bound_extent(op.t, 1)
        .bound_extent(op.row, 1)
        .bound_extent(op.block, 1)
        .bound_extent(op.task, 1);
  };
  for (Func& f : op.turned) {
    place(f, Op::kVector)
        .bound_extent(op.u, 1)
        .bound(op.e, 0, shape.lanes * shape.slots)
        .vectorize(op.e, shape.lanes, TailStrategy::RoundUp)
        .unroll(op.e);
  }
  place(op.sum, Op::kTile)
      .bound(op.v, 0, shape.lanes)
      .bound(op.u, 0, 2)
      .bound(op.p, 0, shape.slots)
      .vectorize(op.v)
      .unroll(op.u)
      .unroll(op.p);
  ScheduleSums(op, in);
}

void ScheduleOperands(TiledConvolution& op, const ConvolutionShape& shape) {
  op.packed.compute_root()
      .bound(op.v, 0, shape.lanes)
      .reorder_storage(op.v, op.ci, op.kx, op.ky, op.kz, op.block)
      .parallel(op.block);
  op.bias.compute_root().bound(op.v, 0, shape.lanes);
  SchedulePadded(op.input, {op.result, op.r[TiledConvolution::kTask]}, shape.lanes);
}

void ScheduleCpu(TiledConvolution& op, const ConvolutionOperands& in, const ConvolutionShape& shape,
                 const std::vector<Expr>& specializations) {
  using Op = TiledConvolution;
  op.result.update()
      .allow_race_conditions()
      .vectorize(op.r[Op::kPixel])
      .unroll(op.r[Op::kVector])
      .parallel(op.r[Op::kTask])
      .never_partition_all();
  ScheduleTile(op, in, shape);
  ScheduleOperands(op, shape);
  for (const Expr& condition : specializations) op.result.update().specialize(condition);
}

// `count` things in even shares of at most about `most`.
Expr EvenShare(const Expr& count, const Expr& most) {
  return Halide::max(CeilDiv(count, CeilDiv(count, Halide::max(most, 1))), 1);
}

ConvolutionWeightsShape ShapeFor(const ConvolutionWeightsOperands& in, const Target& target,
                                 const Tuning& tuning) {
  ConvolutionWeightsShape shape;
  const int lanes = shape.lanes = target.natural_vector_size(in.type);
  const bool many_registers = target.has_feature(Target::AVX512_Skylake);
  shape.terms = many_registers ? 8 : 4;
  const Expr narrow = in.out_channels <= lanes;
  shape.tiles = {{!narrow, 2, shape.terms}, {narrow, 1, shape.terms}};
  shape.blocks = Halide::min(CeilDiv(in.out_channels, 2 * lanes), tuning("blocks", 4));
  shape.channels = Halide::min(in.in_channels, tuning("channels", 64));
  const int pixels = tuning("chunk", 256);
  shape.rows = EvenShare(in.out[1], pixels / in.out[0]);
  shape.images = EvenShare(in.batch, pixels / (in.out[0] * in.out[1]));
  const Expr groups = CeilDiv(in.in_channels, shape.channels) * CeilDiv(in.out_channels, 2 * lanes * shape.blocks);
  const Expr chunks = CeilDiv(in.out[1], shape.rows) * in.out[2] * CeilDiv(in.batch, shape.images);
  shape.slices = Halide::clamp(8 / groups, 1, chunks);
  return shape;
}

void ScheduleCpu(TiledConvolutionWeights& op, const ConvolutionWeightsShape& shape, const Expr& accumulate) {
  using Op = TiledConvolutionWeights;
  const int lanes = shape.lanes;
  const Halide::LoopLevel chunk(op.total, op.c.x, 0), at_task(op.partial, op.task);
  for (Func& f : op.term) f.compute_root();
  op.partial.compute_root().vectorize(op.v, lanes, TailStrategy::RoundUp).bound(op.v, 0, lanes).bound(op.u, 0, 2).bound(op.p, 0, shape.terms).bound(op.block, 0, shape.blocks).parallel(op.task);
  op.total.compute_at(op.partial, op.task).vectorize(op.v);
  op.total.update().reorder({op.v, op.u, op.p, op.j, op.block, op.c.x, op.task}).vectorize(op.v).unroll(op.u).unroll(op.p);
  op.sum.compute_at(op.total, op.j).store_in(MemoryType::Stack).bound_extent(op.j, 1).bound_extent(op.block, 1).bound_extent(op.task, 1).bound_extent(op.chunk, 1).vectorize(op.v).unroll(op.u).unroll(op.p);
  for (size_t i = 0; i < op.sums.size(); ++i) {
    const Halide::RDom& s = op.sums[i];
    op.sum.update(static_cast<int>(i)).reorder({op.v, s[Op::kVector], s[Op::kTerm], s[Op::kX], s[Op::kRow], s[Op::kImage]}).vectorize(op.v).unroll(s[Op::kVector]).unroll(s[Op::kTerm]);
  }
  SchedulePadded(op.input, {op.total, op.c.x}, lanes);
  Var xi("xi");
  op.dy.compute_at(op.total, op.c.x).reorder_storage(op.v, op.x, op.y, op.z, op.n, op.cv).split(op.x, op.x, xi, lanes, TailStrategy::RoundUp).reorder(op.v, xi, op.x, op.y).bound(op.v, 0, lanes).vectorize(op.v).unroll(xi);
  for (Func& f : op.turned) {
    f.compute_at(op.dy, op.x).store_in(MemoryType::Stack).bound(op.e, 0, lanes * lanes).bound_extent(op.xb, 1).bound_extent(op.y, 1).bound_extent(op.z, 1).bound_extent(op.n, 1).bound_extent(op.cv, 1).vectorize(op.e, lanes, TailStrategy::RoundUp).unroll(op.e);
  }
  op.turned[0].update().allow_race_conditions().vectorize(op.square.x).unroll(op.square.y);
  RVar cb("cb"), cl("cl");
  op.result.update().split(op.r[4], cb, cl, 2 * lanes, kGuard).reorder({cl, op.r[0], op.r[1], op.r[2], op.r[3], cb}).parallel(cb);
  op.reduced.compute_at(op.result, op.r[0]).vectorize(op.co, lanes, TailStrategy::RoundUp);
  op.reduced.update().reorder(op.co, op.slices.x).vectorize(op.co, lanes, TailStrategy::RoundUp);
  op.result.update().specialize(!accumulate);
}

// A block of threads makes 32 x of 8 channels.
void ScheduleGpu(Convolution& op) {
  const RVar xb("xb"), xt("xt"), cb("cb"), ct("ct"), yz("yz"), cn("cn");
  op.result.update()
      .split(op.r[0], xb, xt, 32, kGuard)
      .split(op.r[3], cb, ct, 8, kGuard)
      .reorder({xt, ct, xb, op.r[1], op.r[2], cb, op.r[4]})
      .fuse(op.r[1], op.r[2], yz)
      .fuse(cb, op.r[4], cn)
      .gpu_threads(xt, ct)
      .gpu_blocks(xb, yz, cn);
  op.sum.compute_at(op.result, xt);
}

void ScheduleGpu(ConvolutionWeights& op) {
  const Var jb("jb"), jt("jt"), cb("cb"), ct("ct");
  const Var taps("taps"), js("js");
  op.partial.compute_root()
      .fuse(op.kx, op.ky, taps)
      .fuse(taps, op.kz, taps)
      .fuse(taps, op.ci, js)
      .gpu_tile(js, op.co, jb, cb, jt, ct, 16, 8, kGuard)
      .gpu_blocks(op.slice);
  op.partial.update()
      .fuse(op.kx, op.ky, taps)
      .fuse(taps, op.kz, taps)
      .fuse(taps, op.ci, js)
      .split(js, jb, jt, 16, kGuard)
      .split(op.co, cb, ct, 8, kGuard)
      .reorder({op.s.x, op.s.y, jt, ct, jb, cb, op.slice})
      .gpu_threads(jt, ct)
      .gpu_blocks(jb, cb, op.slice);
  const RVar rt("rt"), rj("rj"), rb("rb"), th("th");
  op.result.update()
      .fuse(op.r[0], op.r[1], rt)
      .fuse(rt, op.r[2], rt)
      .fuse(rt, op.r[3], rj)
      .fuse(rj, op.r[4], rj)
      .split(rj, rb, th, 128, kGuard)
      .gpu_blocks(rb)
      .gpu_threads(th);
}

class ConvolutionKernel : public OpGenerator<ConvolutionKernel> {
 public:
  Input<Buffer> x{"x", 5}, w{"w", 5}, b{"b", 1};
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
    ZeroMin(w, 5);
    ZeroMin(b, 1);
    const Expr stride[] = {stride_x, stride_y, stride_z}, pad[] = {pad_x, pad_y, pad_z};
    const Expr dilation[] = {dilation_x, dilation_y, dilation_z};
    ConvolutionOperands in{x, w, b, {}, w.dim(3).extent(), w.dim(4).extent(), dtype};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = {stride[d], pad[d], dilation[d], x.dim(d).extent(), w.dim(d).extent()};
    }
    if (get_target().has_gpu_feature()) {
      Convolution op(in);
      ScheduleGpu(op);
      y = op.result;
    } else {
      const ConvolutionShape shape = ShapeFor(in, get_target(), Tuning(tuning));
      TiledConvolution op(in, shape);
      ScheduleCpu(op, in, shape, {});
      y = op.result;
    }
    ZeroMin(y, 5);
  }
};

class ConvolutionDxKernel : public OpGenerator<ConvolutionDxKernel> {
 public:
  Input<Buffer> dy{"dy", 5}, w{"w", 5};
  Input<int32_t> offset_x{"offset_x"}, offset_y{"offset_y"}, offset_z{"offset_z"};
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
    ZeroMin(w, 5, true);
    const Expr offset[] = {offset_x, offset_y, offset_z};
    const Expr dilation[] = {dilation_x, dilation_y, dilation_z};
    ConvolutionOperands in{dy, {}, {}, {}, w.dim(4).extent(), w.dim(3).extent(), dtype, "dx",
                           accumulate_dx};
    for (int d = 0; d < 3; ++d) {
      const Expr taps = w.dim(d).extent();
      in.axes[d] = {1, (taps - 1) * dilation[d] - offset[d], dilation[d], dy.dim(d).extent(), taps};
    }
    in.w = FlippedWeights(w, in.axes);
    if (get_target().has_gpu_feature()) {
      Convolution op(in);
      ScheduleGpu(op);
      op.result.update().specialize(!accumulate_dx);
      dx = op.result;
    } else {
      const ConvolutionShape shape = ShapeFor(in, get_target(), Tuning(tuning));
      TiledConvolution op(in, shape);
      const Expr dense = op.result.output_buffer().dim(0).stride() == 1;
      ScheduleCpu(op, in, shape, {!accumulate_dx && dense, !accumulate_dx, dense});
      dx = op.result;
    }
    ZeroMin(dx, 5, true);
  }
};

class ConvolutionDwKernel : public OpGenerator<ConvolutionDwKernel> {
 public:
  Input<Buffer> x{"x", 5}, dy{"dy", 5};
  Input<int32_t> stride_x{"stride_x", 1, 1, 1 << 20}, stride_y{"stride_y", 1, 1, 1 << 20};
  Input<int32_t> stride_z{"stride_z", 1, 1, 1 << 20};
  Input<int32_t> pad_x{"pad_x"}, pad_y{"pad_y"}, pad_z{"pad_z"};
  Input<int32_t> dilation_x{"dilation_x", 1, 1, 1 << 20}, dilation_y{"dilation_y", 1, 1, 1 << 20};
  Input<int32_t> dilation_z{"dilation_z", 1, 1, 1 << 20};
  Input<bool> accumulate_dw{"accumulate_dw"};
  Output<Buffer> dw{"dw", 5};

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
    ConvolutionWeightsOperands in{x, dy, {}, {}, x.dim(3).extent(), dy.dim(3).extent(), dy.dim(4).extent(), dtype, accumulate_dw};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = {stride[d], pad[d], dilation[d], x.dim(d).extent(), {}};
      in.out[d] = dy.dim(d).extent();
    }
    if (get_target().has_gpu_feature()) {
      ConvolutionWeights op(in);
      ScheduleGpu(op);
      op.result.update().specialize(!accumulate_dw);
      dw = op.result;
    } else {
      const ConvolutionWeightsShape shape = ShapeFor(in, get_target(), Tuning(tuning));
      TiledConvolutionWeights op(in, shape);
      ScheduleCpu(op, shape, accumulate_dw);
      dw = op.result;
    }
    ZeroMin(dw, 5);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::ConvolutionKernel, convolution)
HALIDE_REGISTER_GENERATOR(halite::ConvolutionDxKernel, convolution_dx)
HALIDE_REGISTER_GENERATOR(halite::ConvolutionDwKernel, convolution_dw)
