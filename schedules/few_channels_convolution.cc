// SPDX-License-Identifier: Apache-2.0
//
// Schedule and kernels of convolution for results of 1 to 4 channels, for a CPU alone, as in
// convolution.cc:
//
//   few_channels_convolution:     x, w, b -> y with pad_ and dilation_ x, y, z; stride 1
//   few_channels_convolution_dx:  dy, w -> dx with stride_, pad_ and dilation_ x, y, z
//
// Register tiles of a vector of x by 8 rows by the channels (4 rows of 4 channels; less with 16
// registers): a vector of dy serves all channels, weights are broadcast. A task stages padded rows
// for a row of tiles; both phases of stride 2 are interleaved before they are stored. GFLOP/s of
// one core, AMD EPYC (Zen 5), peak 257; before: by convolution.cc (of one channel by
// depthwise_convolution.cc); oneDNN 2.6 on NCHW arrays with its reorders, in the same run:
//
//   layer, batch                            ours   before  oneDNN
//   dx 3x3 stride 2 3-32 @224, 1             120      26      77
//   dx 3x3 stride 2 3-32 @224, 16             73      15      61
//   dx 7x7 stride 2 3-64 @224, 1             151      34     114
//   dx 7x7 stride 2 3-64 @224, 16            137      31     113
//   dx 3x3 3-64 @224, 1                       97      30      72
//   dx 5x5 1-16 @28, 64                       63      31      46
//   dx 3x3 128 in 32 groups @56, 1            61      30      41
//   dx 3x3 128 in 32 groups @56, 16           34      26      36
//   3x3 128 in 32 groups @56, 1               81      33      41
//   3x3 128 in 32 groups @56, 16              39      29      35
//
// What bounds it: the staging from memory (3x3: 12 MB of dy an image, batches); 7x7 the loads that
// cross lines; 5x5 lanes past the end of rows of 28 and the zeros around 24. Measured on the way:
// rows a multiple of 512 bytes apart halve the speed (they share a few sets of the first cache);
// unsafe_promise_clamped in an index makes the masked tail of a row a loop over lanes (5x5: 50
// instead of 62).
#include "halite/ops/algorithms/few_channels_convolution.h"

#include "halite/schedules/convolution_window.h"
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
using Halide::Target;
using Halide::Var;

constexpr int kMaxStride = 4;  // in x: the sums of a tile have a place on the stack

bool HasManyRegisters(const Target& target) { return target.has_feature(Target::AVX512_Skylake); }

FewChannelsConvolutionShape ShapeFor(const Halide::Type& type, const Target& target) {
  FewChannelsConvolutionShape shape;
  shape.lanes = target.natural_vector_size(type);
  if (HasManyRegisters(target)) {
    shape.tiles = {{1, 8}, {2, 8}, {3, 8}, {4, 4}};
  } else {
    shape.tiles = {{1, 8}, {2, 4}, {3, 4}, {4, 2}};
  }
  return shape;
}

// Channel by channel: its rows are one run in memory. The next ones are requested meanwhile
// (batches come from memory: 3x3 stride 2 3-32 @224, 16 does 75 GFLOP/s instead of 63).
void ScheduleRows(FewChannelsConvolution& op, const Expr& width, const LoopLevel& where,
                  int lanes) {
  PaddedWindow& in = *op.window;
  ScheduleWindow(in, where, lanes);
  in.padded.bound(in.x, 0, op.pitch);
  in.padded.update()
      .reorder({RVar("lane"), RVar("vector"), in.y, in.c, in.z, in.i})
      .prefetch(ArrayOf(width), in.c, in.c, 2, Halide::PrefetchBoundStrategy::Clamp);
}

// The sums of tile form `tile`: the weights of a tap are broadcast, and 16 channels of dy under a
// tile stay in the first cache for all taps (7x7: 135 GFLOP/s, 118 with all 64 channels at once).
void ScheduleSums(FewChannelsConvolution& op, size_t tile, const ConvolutionAxis& y,
                  bool shares_rows) {
  using Op = FewChannelsConvolution;
  const Halide::RDom& s = op.sums[tile];
  Stage sum = op.sum.update(static_cast<int>(tile));
  sum.vectorize(op.v).unroll(s[Op::kSumRow]).unroll(s[Op::kSumChannel]).never_partition_all();
  // One channel would be bound by the loads of dy: the taps along y share them (1-16 @28: 5x5 50
  // instead of 38, 3x3 37 instead of 29).
  for (int taps : {3, 5}) {
    if (!shares_rows) break;
    sum.specialize(y.stride == 1 && y.dilation == 1 && y.taps == taps)
        .reorder({op.v, s[Op::kSumChannel], s[Op::kSumRow], s[Op::kTapY], s[Op::kSumOut],
                  s[Op::kTapX], s[Op::kTapZ]})
        .unroll(s[Op::kTapY]);
  }
  const RVar part("part"), out("out");
  sum.split(s[Op::kSumOut], part, out, 16, kGuard)
      .reorder({op.v, s[Op::kSumChannel], s[Op::kSumRow], out, s[Op::kTapX], s[Op::kTapY],
                s[Op::kTapZ], part});
}

void ScheduleCpu(FewChannelsConvolution& op, const ConvolutionOperands& in,
                 const FewChannelsConvolutionShape& shape, const Target& target) {
  using Op = FewChannelsConvolution;
  const Expr stride = in.axes[0].stride;
  const RVar tile("tile"), vector("vector"), lane("lane");
  op.result.update()
      .allow_race_conditions()
      .split(op.r[Op::kX], tile, lane, shape.lanes * stride, kGuard)
      .split(lane, vector, lane, shape.lanes, kGuard)
      .reorder({lane, vector, op.r[Op::kRow], op.r[Op::kChannel], tile})
      .vectorize(lane)
      .parallel(op.r[Op::kTask])
      .never_partition_all();
  op.packed.compute_root().reorder(op.ci, op.co, op.kx, op.ky, op.kz).never_partition_all();
  ScheduleRows(op, in.axes[0].in, {op.result, op.r[Op::kTask]}, shape.lanes);

  const auto place = [&](Func& f) -> Func& {
    return f.compute_at(op.result, tile)
        .store_in(MemoryType::Stack)
        .bound_storage(op.p, 8)
        .bound_storage(op.ci, 4)
        .bound_extent(op.t, 1)
        .bound_extent(op.phase_y, 1)
        .bound_extent(op.task, 1);
  };
  place(op.run).bound_extent(op.e, shape.lanes * stride).never_partition_all();
  const Var pair("pair"), bit("bit");
  op.run.specialize(stride == 1).vectorize(op.e, shape.lanes);
  op.run.specialize(stride == 2).split(op.e, pair, bit, 2).unroll(bit).vectorize(pair, shape.lanes);
  place(op.sum)
      .bound(op.v, 0, shape.lanes)
      .bound_storage(op.phase, kMaxStride)
      .reorder_storage(op.v, op.p, op.ci, op.phase)
      .vectorize(op.v);
  for (size_t i = 0; i < op.sums.size(); ++i) {
    ScheduleSums(op, i, in.axes[1], HasManyRegisters(target) && shape.tiles[i].channels == 1);
  }
  if (Halide::Internal::is_const(stride)) return;
  for (int usual : {1, 2}) {
    op.result.update().specialize(stride == usual && in.axes[1].stride == usual &&
                                  in.axes[2].stride == 1 && !in.accumulate);
  }
}

Func Scheduled(const ConvolutionOperands& in, const Target& target) {
  const FewChannelsConvolutionShape shape = ShapeFor(in.type, target);
  FewChannelsConvolution op(in, shape);
  ScheduleCpu(op, in, shape, target);
  return op.result;
}

class FewChannelsConvolutionKernel : public OpGenerator<FewChannelsConvolutionKernel> {
 public:
  Input<Buffer> x{"x", 5}, w{"w", 5}, b{"b", 1};
  PerAxis<> pad{"pad"}, dilation{"dilation", 1, kMaxStep};
  Output<Buffer> y{"y", 5};

  void configure() { SetType(x, w, b, y); }

  void generate() {
    ZeroMin(x, 5);
    ZeroMin(w, 5);
    ZeroMin(b, 1);
    ConvolutionOperands in{x, {}, b, {}, w.dim(3).extent(), w.dim(4).extent(), dtype};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = GradientAxis(pad[d], dilation[d], x.dim(d).extent(), w.dim(d).extent());
    }
    in.w = FlippedWeights(w, in.axes);
    y = Scheduled(in, get_target());
    ZeroMin(y, 5);
  }
};

class FewChannelsConvolutionDxKernel : public OpGenerator<FewChannelsConvolutionDxKernel> {
 public:
  Input<Buffer> dy{"dy", 5}, w{"w", 5};
  PerAxis<> stride{"stride", 1, kMaxStep}, pad{"pad"}, dilation{"dilation", 1, kMaxStep};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 5};

  void configure() { SetType(dy, w, dx); }

  void generate() {
    ZeroMin(dy, 5);
    ZeroMin(w, 5);
    ConvolutionOperands in{dy,           w, {}, {}, w.dim(4).extent(), w.dim(3).extent(), dtype,
                           accumulate_dx};
    for (int d = 0; d < 3; ++d) {
      in.axes[d] = {stride[d], pad[d], dilation[d], dy.dim(d).extent(), w.dim(d).extent()};
    }
    dx = Scheduled(in, get_target());
    ZeroMin(dx, 5);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::FewChannelsConvolutionKernel, few_channels_convolution)
HALIDE_REGISTER_GENERATOR(halite::FewChannelsConvolutionDxKernel, few_channels_convolution_dx)
