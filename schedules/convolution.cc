// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of convolution.
//
//   convolution:     x [x, y, z, ci, n], w [kx, ky, kz, ci, co], b [co] -> y [x, y, z, co, n]
//                    with stride_, pad_ and dilation_ x, y, z
//   convolution_dx:  dy, w -> dx, with offset_ and dilation_ x, y, z:
//                    dx(x) = sum_k dy(x + offset - k * dilation) w(k); any strides of dx and w
//   strided_convolution_dx: dy, w -> dx of a convolution with strides 2, 2 (CPU only)
//   convolution_dw:  x, dy [pixel, z, co, n] -> dw, with the scalars of convolution and out_width,
//                    of a row of dy
//
// CPU: vectors of output channels, register tiles of 2 vectors x 7 or 8 pixels (AVX-512; 1 x 8
// where one vector holds all channels; 2 x 4 with 16 registers), padded rows and packed weights
// staged inside the call. GFLOP/s of one core, AMD EPYC (Zen 5), peak 260, taps on padding counted;
// oneDNN 2.6 on NCHW arrays, its reorders included, in the same run (the last row an older one):
//
//   layer, batch             forward    %  oneDNN |   dx  oneDNN |   dw  oneDNN
//   5x5 1-16 @28, 64              99   38     119 |    -       - |   88     124
//   3x3 128 @28, 1               218   84     220 |  195     216 |  176     214
//   3x3 256 @14, 1               202   78     189 |  202     202 |    -       -
//   3x3 512 @7, 1                 95   37     157 |   84     126 |    -       -
//   3x3 512 @7, 16               225   87     219 |  206     216 |  146     185
//   3x3 stride 2 128 @56, 16     179   69     164 |  198     168 |  158     174
//   3x3 stride 2 256 @28, 16     192   74     159 |  195     177 |  168     192
//   3x3 stride 2 512 @14, 16     165   64     182 |  199     157 |  167     185
//   3x3 stride 2 512 @14, 1      131   50     177 |  135     149 |  203     171
//   7x7 stride 2 3-64 @224, 16   206   79     154 |    -       - |  158     145
//
// 3x3 and 5x5 taps of stride 1 are mostly Winograd's (winograd_convolution.cc), 1x1 are products of
// matrices, results of up to 4 channels few_channels_convolution.cc's, few input for many output
// channels convolution_patches.cc's. What bounds these: 3x3 the
// multiply-adds; few terms (5x5 of one channel) the transposed store of a tile; batch 16 the
// memory; one image of 7x7 the packing of the weights; dw of small images the loop over short rows,
// which products with patches do not have (strided ones above but the first). dx with strides 2
// sums both phases of a row in one register tile, interleaved there. Rows are staged whole: a
// single row of millions of samples is slow.
#include "halite/ops/algorithms/convolution.h"

#include <cstdint>
#include <vector>

#include "halite/schedules/convolution_window.h"
#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

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

// As many outputs of the axis as there are if both sides have the same padding; only a guide.
Expr Outputs(const ConvolutionAxis& a) {
  return (a.in + 2 * a.pad - (a.taps - 1) * a.dilation - 1) / a.stride + 1;
}

ConvolutionShape ShapeFor(const ConvolutionOperands& in, const Expr& width, const Target& target,
                          const Tuning& tuning) {
  ConvolutionShape shape;
  shape.lanes = target.natural_vector_size(in.type);
  // The padded rows of a task (some 256 KB at most) serve 128 channels, more where taps are few.
  const Expr row = in.in_channels * in.axes[0].in * in.axes[2].taps;
  const int samples = tuning("samples", 1 << 16, {1 << 14, 1 << 15, 1 << 17});
  shape.rows = Halide::clamp(samples / row, 2, tuning("rows", 8, {2, 4, 16}));
  const Expr taps = in.axes[0].taps * in.axes[1].taps * in.axes[2].taps;
  shape.blocks = Halide::clamp(36 / taps, 4, 16);
  const bool strided = in.axes[0].phases > 1;
  if (strided) shape.rows = shape.rows / 2 * 2;  // a task begins with phase 0
  if (target.has_feature(Target::AVX512_Skylake) && strided) {
    const Expr narrow = in.out_channels <= shape.lanes;
    const Expr fourteen = CeilDiv(width, 14) * 14 < CeilDiv(width, 16) * 16;
    shape.slots = 16;
    shape.tiles = {{narrow, 1, 16}, {!narrow && fourteen, 2, 14}, {!narrow && !fourteen, 2, 16}};
  } else if (target.has_feature(Target::AVX512_Skylake)) {
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

// Sums of a tile: channels of the input innermost, unless they are so few that the taps along x
// make the longer loop.
void ScheduleSums(TiledConvolution& op, const ConvolutionOperands& in) {
  using Op = TiledConvolution;
  const Expr stride = in.axes[0].stride;
  const bool strided = !Halide::Internal::is_const(stride);
  const Expr few = in.in_channels <= 4;
  for (size_t i = 0; i < op.sums.size(); ++i) {
    const Halide::RDom& s = op.sums[i];
    Stage sum = op.sum.update(static_cast<int>(i));
    const auto along_row = [&](Stage stage) {
      stage.reorder({op.v, s[Op::kSumVector], s[Op::kSumPixel], s[Op::kPhase], s[Op::kTapX],
                     s[Op::kTapY], s[Op::kTapZ], s[Op::kTapChannel]});
    };
    sum.reorder({op.v, s[Op::kSumVector], s[Op::kPhase], s[Op::kSumPixel], s[Op::kTapChannel],
                 s[Op::kTapX], s[Op::kTapY], s[Op::kTapZ]})
        .vectorize(op.v)
        .unroll(s[Op::kSumVector])
        .unroll(s[Op::kSumPixel])
        .unroll(s[Op::kPhase])
        .never_partition_all();
    // Two phases of two vectors would need more registers than there are.
    if (s[Op::kPhase].extent().as<Halide::Internal::IntImm>()->value > 1) {
      sum.reorder({op.v, s[Op::kPhase], s[Op::kSumPixel], s[Op::kTapChannel], s[Op::kSumVector]});
    }
    if (in.axes[0].phases > 1) continue;
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
  ScheduleShuffles(op.turned, shape.lanes * shape.slots, shape.lanes,
                   {op.result, op.r[Op::kVector]});
  place(op.sum, Op::kTile)
      .bound(op.v, 0, shape.lanes)
      .bound(op.u, 0, 2)
      .bound(op.p, 0, shape.slots)
      .vectorize(op.v)
      .unroll(op.u)
      .unroll(op.p);
  ScheduleSums(op, in);
}

// Weights are packed a vector of output channels at a time. Where w lies by its output channel (the
// forward operator), a block of them reads `lanes` long runs; where it lies by the input channel
// (the gradient), every input channel is one run for all blocks.
void ScheduleOperands(TiledConvolution& op, const ConvolutionOperands& in,
                      const ConvolutionShape& shape) {
  op.packed.compute_root()
      .bound(op.v, 0, shape.lanes)
      .reorder_storage(op.v, op.ci, op.kx, op.ky, op.kz, op.block)
      .vectorize(op.v)
      .never_partition_all();
  const Var group("group");
  if (!in.b.defined()) {
    op.packed.split(op.ci, group, op.ci, 16, kGuard)
        .reorder(op.v, op.kx, op.ky, op.kz, op.block, op.ci, group);
  }
  // A second parallel region costs more than it gains on less than some 20 microseconds of work.
  const Expr weights =
      in.in_channels * in.out_channels * in.axes[0].taps * in.axes[1].taps * in.axes[2].taps;
  op.packed.specialize(weights <= 1 << 16);
  op.packed.parallel(in.b.defined() ? op.block : group);
  op.bias.compute_root().bound(op.v, 0, shape.lanes);
  ScheduleWindow(*op.window, {op.result, op.r[TiledConvolution::kTask]}, shape.lanes);
}

void ScheduleCpu(TiledConvolution& op, const ConvolutionOperands& in, const ConvolutionShape& shape,
                 const std::vector<Expr>& specializations) {
  using Op = TiledConvolution;
  op.result.update()
      .allow_race_conditions()
      .vectorize(op.r[Op::kPixel], shape.slots, TailStrategy::Predicate)
      .unroll(op.r[Op::kVector])
      .parallel(op.r[Op::kTask])
      .never_partition_all();
  ScheduleTile(op, in, shape);
  ScheduleOperands(op, in, shape);
  for (const Expr& condition : specializations) op.result.update().specialize(condition);
}

ConvolutionWeightsShape ShapeFor(const ConvolutionWeightsOperands& in, const Expr& taps,
                                 const Target& target, const Tuning& tuning) {
  ConvolutionWeightsShape shape;
  const int lanes = shape.lanes = target.natural_vector_size(in.type);
  const bool many_registers = target.has_feature(Target::AVX512_Skylake);
  shape.terms = many_registers ? 8 : 4;
  const Expr narrow = in.out_channels <= lanes;
  shape.tiles = {{!narrow, 2, shape.terms}, {narrow, 1, shape.terms}};
  shape.blocks = Halide::min(CeilDiv(in.out_channels, 2 * lanes), tuning("blocks", 4, {1, 2, 8}));
  shape.channels = Halide::min(
      in.in_channels, Halide::clamp(576 / taps, 16, tuning("channels", 256, {64, 128, 512})));
  const int pixels = tuning("chunk", 256, {64, 128, 512, 1024});
  shape.rows = EvenShare(in.out[1], pixels / in.out[0]);
  shape.images = EvenShare(in.batch, pixels / (in.out[0] * in.out[1]));
  const Expr groups =
      CeilDiv(in.in_channels, shape.channels) * CeilDiv(in.out_channels, 2 * lanes * shape.blocks);
  const Expr chunks = CeilDiv(in.out[1], shape.rows) * in.out[2] * CeilDiv(in.batch, shape.images);
  shape.slices = Halide::clamp(8 / groups, 1, chunks);
  return shape;
}

void ScheduleSums(TiledConvolutionWeights& op, const ConvolutionWeightsShape& shape,
                  const Expr& stride) {
  using Op = TiledConvolutionWeights;
  for (Func& f : op.term) f.compute_root().never_partition_all();
  for (Func& f : op.tile_term) {
    f.compute_at(op.total, op.j)
        .store_in(MemoryType::Stack)
        .bound(op.p, 0, shape.terms)
        .bound_extent(op.j, 1)
        .unroll(op.p);
  }
  op.sum.compute_at(op.total, op.j)
      .store_in(MemoryType::Stack)
      .bound_extent(op.j, 1)
      .bound_extent(op.block, 1)
      .bound_extent(op.chunk, 1)
      .bound_extent(op.task, 1)
      .vectorize(op.v)
      .unroll(op.u)
      .unroll(op.p);
  for (size_t i = 0; i < op.sums.size(); ++i) {
    const Halide::RDom& s = op.sums[i];
    op.sum.update(static_cast<int>(i))
        .reorder({op.v, s[Op::kVector], s[Op::kTerm], s[Op::kX], s[Op::kRow], s[Op::kImage]})
        .vectorize(op.v)
        .unroll(s[Op::kVector])
        .unroll(s[Op::kTerm])
        .never_partition_all()
        .specialize(stride == 1);
  }
}

// Parallel over tasks, then over blocks of output channels to add up the slices.
void ScheduleCpu(TiledConvolutionWeights& op, const ConvolutionWeightsOperands& in,
                 const ConvolutionWeightsShape& shape) {
  const int lanes = shape.lanes;
  op.partial.compute_root()
      .bound(op.v, 0, lanes)
      .bound(op.u, 0, 2)
      .bound(op.p, 0, shape.terms)
      .bound(op.block, 0, shape.blocks)
      .vectorize(op.v)
      .parallel(op.task)
      .never_partition_all();
  op.total.compute_at(op.partial, op.task).vectorize(op.v).never_partition_all();
  op.total.update()
      .reorder({op.v, op.u, op.p, op.j, op.block, op.c.x, op.task})
      .vectorize(op.v)
      .unroll(op.u)
      .unroll(op.p)
      .never_partition_all();
  ScheduleSums(op, shape, in.axes[0].stride);
  const Halide::LoopLevel chunk(op.total, op.c.x), task(op.partial, op.task);
  ScheduleTransposed(*op.dy, chunk, task, lanes);
  ScheduleWindow(*op.window, chunk, lanes);
  op.window->padded.hoist_storage(task);

  // Eight input channels of a block at a time: dw is written in long runs.
  const RVar block("block"), co("co"), group("group"), ci("ci");
  op.result.update()
      .split(op.r[4], block, co, 2 * lanes, kGuard)
      .split(op.r[3], group, ci, 8, kGuard)
      .reorder({op.r[0], op.r[1], op.r[2], ci, co, group, block})
      .parallel(block)
      .never_partition_all();
  op.reduced.store_at(op.result, block)
      .compute_at(op.result, group)
      .reorder_storage(op.co, op.kx, op.ky, op.kz, op.ci)
      .reorder(op.co, op.kx, op.ky, op.kz, op.ci)
      .vectorize(op.co, lanes, TailStrategy::RoundUp)
      .never_partition_all();
  op.reduced.update()
      .reorder(op.co, op.slices.x, op.kx, op.ky, op.kz, op.ci)
      .vectorize(op.co, lanes, TailStrategy::RoundUp)
      .never_partition_all();
  op.result.update().specialize(!in.accumulate);
}

// A block of threads makes 32 x of 8 channels. Channels and images are the innermost loop over
// blocks: only the first index of a grid may pass 65535.
void ScheduleGpu(Convolution& op) {
  const RVar xb("xb"), xt("xt"), cb("cb"), ct("ct"), row("row"), plane("plane");
  ScheduleUndefinedGpu(op.result);
  op.result.update()
      .split(op.r[0], xb, xt, 32, kGuard)
      .split(op.r[3], cb, ct, 8, kGuard)
      .reorder({xt, ct, cb, op.r[4], xb, op.r[1], op.r[2]})
      .fuse(cb, op.r[4], plane)
      .fuse(op.r[1], op.r[2], row)
      .gpu_threads(xt, ct)
      .gpu_blocks(plane, xb, row);
  op.sum.compute_at(op.result, xt);
}

void ScheduleGpu(ConvolutionWeights& op) {
  op.partial.compute_root();
  ScheduleRowsGpu(op.partial, {op.kx, op.ky, op.kz, op.ci, op.co, op.slice});
  ScheduleRowsGpu(op.partial.update(), {op.kx, op.ky, op.kz, op.ci, op.co, op.slice});
  ScheduleUndefinedGpu(op.result);
  ScheduleRowsGpu(op.result.update(), {op.r[0], op.r[1], op.r[2], op.r[3], op.r[4]});
}

class ConvolutionKernel : public OpGenerator<ConvolutionKernel> {
 public:
  Input<Buffer> x{"x", 5}, w{"w", 5}, b{"b", 1};
  PerAxis<> stride{"stride", 1, kMaxStep}, pad{"pad"}, dilation{"dilation", 1, kMaxStep};
  Output<Buffer> y{"y", 5};

  void configure() { SetType(x, w, b, y); }

  void generate() {
    ZeroMin(x, 5);
    ZeroMin(w, 5);
    ZeroMin(b, 1);
    ConvolutionOperands in{x, w, b, {}, w.dim(3).extent(), w.dim(4).extent(), dtype};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = {stride[d], pad[d], dilation[d], x.dim(d).extent(), w.dim(d).extent()};
    }
    if (get_target().has_gpu_feature()) {
      Convolution op(in);
      ScheduleGpu(op);
      y = op.result;
    } else {
      const ConvolutionShape shape = ShapeFor(in, Outputs(in.axes[0]), get_target(), Numbers());
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
  PerAxis<> offset{"offset"}, dilation{"dilation", 1, kMaxStep};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 5};

  void configure() { SetType(dy, w, dx); }

  void generate() {
    ZeroMin(dy, 5);
    ZeroMin(w, 5, true);
    ConvolutionOperands in{dy,    {},           {}, {}, w.dim(4).extent(), w.dim(3).extent(),
                           dtype, accumulate_dx};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = GradientAxis(offset[d], dilation[d], dy.dim(d).extent(), w.dim(d).extent());
    }
    in.w = FlippedWeights(w, in.axes);
    if (get_target().has_gpu_feature()) {
      Convolution op(in);
      ScheduleGpu(op);
      op.result.update().specialize(!accumulate_dx);
      dx = op.result;
    } else {
      const ConvolutionShape shape = ShapeFor(in, Outputs(in.axes[0]), get_target(), Numbers());
      TiledConvolution op(in, shape);
      const Expr dense = op.result.output_buffer().dim(0).stride() == 1;
      ScheduleCpu(op, in, shape, {!accumulate_dx && dense, !accumulate_dx});
      dx = op.result;
    }
    ZeroMin(dx, 5, true);
  }
};

// The gradient to the input where x and y have stride 2 and dilation 1: all phases in one pass.
class StridedConvolutionDxKernel : public OpGenerator<StridedConvolutionDxKernel> {
 public:
  Input<Buffer> dy{"dy", 5}, w{"w", 5};
  PerAxis<2> pad{"pad"}, odd{"odd", 0, 1};
  Input<int32_t> offset_z{"offset_z"}, dilation_z{"dilation_z", 1, 1, kMaxStep};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 5};

  void configure() { SetType(dy, w, dx); }

  void generate() {
    ZeroMin(dy, 5);
    ZeroMin(w, 5);
    ConvolutionOperands in{dy,    {},           {}, {}, w.dim(4).extent(), w.dim(3).extent(),
                           dtype, accumulate_dx};
    in.axes = {StridedGradientAxis(dy.dim(0).extent(), w.dim(0).extent(), pad[0], odd[0]),
               StridedGradientAxis(dy.dim(1).extent(), w.dim(1).extent(), pad[1], odd[1]),
               GradientAxis(offset_z, dilation_z, dy.dim(2).extent(), w.dim(2).extent())};
    in.w = FlippedWeights(w, in.axes);
    const ConvolutionShape shape = ShapeFor(in, 2 * dy.dim(0).extent(), get_target(), Numbers());
    TiledConvolution op(in, shape);
    ScheduleCpu(op, in, shape, {!accumulate_dx});
    dx = op.result;
    ZeroMin(dx, 5);
  }
};

class ConvolutionDwKernel : public OpGenerator<ConvolutionDwKernel> {
 public:
  Input<Buffer> x{"x", 5}, dy{"dy", 4};
  Input<int32_t> out_width{"out_width"};
  PerAxis<> stride{"stride", 1, kMaxStep}, pad{"pad"}, dilation{"dilation", 1, kMaxStep};
  Input<bool> accumulate_dw{"accumulate_dw"};
  Output<Buffer> dw{"dw", 5};

  void configure() { SetType(x, dy, dw); }

  void generate() {
    ZeroMin(x, 5);
    ZeroMin(dy, 4);
    const Var i("i"), j("j"), z("z"), c("c"), n("n");
    Func rows("rows");
    rows(i, j, z, c, n) = dy(j * out_width + i, z, c, n);
    ConvolutionWeightsOperands in{
        x,     rows,         {}, {}, x.dim(3).extent(), dy.dim(2).extent(), dy.dim(3).extent(),
        dtype, accumulate_dw};
    in.out = {out_width, dy.dim(0).extent() / Halide::max(out_width, 1), dy.dim(1).extent()};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = {stride[d], pad[d], dilation[d], x.dim(d).extent(), {}};
    }
    if (get_target().has_gpu_feature()) {
      ConvolutionWeights op(in);
      ScheduleGpu(op);
      op.result.update().specialize(!accumulate_dw);
      dw = op.result;
    } else {
      ConvolutionWeightsShape shape;
      TiledConvolutionWeights op(in, dy, [&](const Expr& taps) {
        return shape = ShapeFor(in, taps, get_target(), Numbers());
      });
      ScheduleCpu(op, in, shape);
      dw = op.result;
    }
    ZeroMin(dw, 5);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::ConvolutionKernel, convolution)
HALIDE_REGISTER_GENERATOR(halite::ConvolutionDxKernel, convolution_dx)
HALIDE_REGISTER_GENERATOR(halite::StridedConvolutionDxKernel, strided_convolution_dx)
HALIDE_REGISTER_GENERATOR(halite::ConvolutionDwKernel, convolution_dw)
