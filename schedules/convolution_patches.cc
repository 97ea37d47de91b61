// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of convolution by patches; the products are in ops/convolution_patches.cc.
//
//   convolution_patches:     x -> patches [x, y, tap, n, c]
//   convolution_patches_dx:  patches' gradient -> dx [x, y, c, n], for a CPU alone
//
// CPU: a plane goes through a padded window; its gradient is added up for a block of rows in the
// first cache. Few input channels and many output channels, where register tiles of channels (dx)
// or their stores (forward) bound the other forms. GFLOP/s of one core, AMD EPYC (Zen 5), peak 263;
// before: by convolution.cc and few_channels_convolution.cc; oneDNN 2.6 on NCHW arrays with its
// reorders, in turn with ours:
//
//   layer, batch                     forward  before  oneDNN |  dx  before  oneDNN
//   3x3 1-457 @80x117, 1                 190      49     114 | 109      34     135
//   3x3 stride 2 1-467 @13, 32           104      24      70 |  81      12     125
//   5x5 1-527 @24, 32                    209      52     155 | 145      33     148
//   3x3 1-144 @9, 2                       90      31      55 |  76      14     105
//   3x3 2-184 @27, 1                     204      88      77 | 169      67     169
//   7x7 9-264 @17, 8                     229     193     266 | 199      83     193
//   7x7 stride 2 7-162 @48x62, 8         228     201     206 | 201      86     176
//   3x3 stride 2 4-131 @80x119, 1        199     116     144 | 204     101     164
//
// What bounds it: the products (3x3 of one channel has 9 of their rows); 36 pixels an image the
// copies that bring images together. Measured on the way: sums of a row at a time, where each tap
// waits for the masked store of the one before, make half the speed (2x2 stride 2 1-13 @100, 4: 31
// GFLOP/s instead of 51).
#include "halite/ops/algorithms/convolution_patches.h"

#include <cstdint>
#include <vector>

#include "halite/schedules/convolution_window.h"
#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using Halide::Expr;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

// The plane of a channel of an image at a time. `patches`: what it makes.
void ScheduleCpu(ConvolutionPatches& op, const ConvolutionAxes& axes, const Expr& patches,
                 int lanes) {
  const RowLoops loops(op.result, {op.n, op.c}, patches);
  op.result.vectorize(op.x, lanes, kGuard).never_partition_all();
  const Halide::LoopLevel plane(op.result, loops.row), task(op.result, loops.task);
  op.met.compute_at(plane)
      .hoist_storage(task)
      .vectorize(op.x, lanes, TailStrategy::RoundUp)
      .never_partition_all();
  for (const int stride : {1, 2}) op.met.specialize(axes[0].stride == stride);
  ScheduleWindow(op.window, plane, lanes);
  op.window.padded.hoist_storage(task);
}

// A block of rows of a channel of an image at a time. The taps walk over all of them: a sum must
// not wait for the masked store of the tap before.
void ScheduleCpu(ConvolutionPatchesDx& op, const ConvolutionAxes& axes, const Expr& patches,
                 const Expr& accumulate, int lanes) {
  using Op = ConvolutionPatchesDx;
  Halide::Stage result = op.result.update();
  result.allow_race_conditions();
  const RowLoops loops(result, {op.r[Op::kBlock], op.r[Op::kChannel], op.r[Op::kBatch]}, patches);
  result.vectorize(op.r[Op::kX], lanes, kGuard).never_partition_all();
  op.sum.compute_at({op.result, loops.row})
      .vectorize(op.q, lanes, TailStrategy::RoundUp)
      .never_partition_all();
  const RVar vector("vector"), lane("lane");
  op.sum.update()
      .allow_race_conditions()
      .split(op.s[Op::kOutX], vector, lane, lanes, kGuard)
      .vectorize(lane)
      .never_partition_all();
  for (const int stride : {1, 2, 3}) {
    result.specialize(axes[0].stride == stride && axes[1].stride == stride && !accumulate);
  }
}

void ScheduleGpu(ConvolutionPatches& op) {
  PaddedWindow& window = op.window;
  window.padded.compute_root();
  ScheduleRowsGpu(window.padded, {window.x, window.y, window.z, window.c, window.i, op.n, op.c});
  ScheduleRowsGpu(window.padded.update(), {window.y, window.z, window.c, window.i, op.n, op.c});
  ScheduleRowsGpu(op.result, {op.x, op.y, op.tap, op.n, op.c});
}

class ConvolutionPatchesKernel : public OpGenerator<ConvolutionPatchesKernel> {
 public:
  Input<Buffer> x{"x", 5};
  PerAxis<2> stride{"stride", 1, kMaxStep};
  PerAxis<> pad{"pad"};
  PerAxis<2> dilation{"dilation", 1, kMaxStep};
  Input<int32_t> taps_x{"taps_x", 1, 1, INT32_MAX}, slice{"slice"};
  Output<Buffer> patches{"patches", 5};

  void configure() { SetType(x, patches); }

  void generate() {
    ZeroMin(x, 5);
    const ConvolutionAxes axes = {
        ConvolutionAxis{stride[0], pad[0], dilation[0], x.dim(0).extent(), taps_x},
        ConvolutionAxis{stride[1], pad[1], dilation[1], x.dim(1).extent(), {}},
        ConvolutionAxis{1, pad[2], 1, x.dim(2).extent(), {}}};
    ConvolutionPatches op(x, axes, slice, x.dim(3).extent(), x.dim(4).extent(), dtype);
    if (get_target().has_gpu_feature()) {
      ScheduleGpu(op);
    } else {
      const auto size = [&](int d) { return op.result.output_buffer().dim(d).extent(); };
      ScheduleCpu(op, axes, size(0) * size(1) * size(2),
                  get_target().natural_vector_size(Halide::Type(dtype)));
    }
    patches = op.result;
    ZeroMin(patches, 5);
  }
};

class ConvolutionPatchesDxKernel : public OpGenerator<ConvolutionPatchesDxKernel> {
 public:
  Input<Buffer> patches{"patches", 5};
  PerAxis<2> taps{"taps", 1, INT32_MAX}, stride{"stride", 1, kMaxStep}, pad{"pad"};
  PerAxis<2> dilation{"dilation", 1, kMaxStep};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 4};

  void configure() { SetType(patches, dx); }

  void generate() {
    ZeroMin(patches, 5);
    ConvolutionAxes axes;
    for (int d = 0; d < 2; ++d) {
      axes[d] = {stride[d], pad[d], dilation[d], patches.dim(d).extent(), taps[d]};
    }
    const auto size = [&](int d) { return patches.dim(d).extent(); };
    constexpr int kBlock = 1 << 12;
    const Expr rows = Halide::clamp(kBlock / (size(0) * stride[0]), 1, size(1) * stride[1]);
    ConvolutionPatchesDx op(patches, axes, dtype, accumulate_dx, rows);
    ScheduleCpu(op, axes, size(0) * rows * size(2), accumulate_dx,
                get_target().natural_vector_size(Halide::Type(dtype)));
    dx = op.result;
    ZeroMin(dx, 4);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::ConvolutionPatchesKernel, convolution_patches)
HALIDE_REGISTER_GENERATOR(halite::ConvolutionPatchesDxKernel, convolution_patches_dx)
