// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of pooling.
//
//   max_pooling:           x[x, y, z, n] -> y.0 (y), y.1 (place) [ox, oy, oz, n]
//   max_pooling_grad:      dy, place [o, n] -> dx[i, n]; on GPUs with the geometry and the extents
//                          in_x ... out_z
//   average_pooling:       x, including_pad -> y
//   average_pooling_grad:  dy, including_pad -> dx
// with kernel_, stride_ and pad_ x, y, z.
//
// GB/s of what is read and written once, one thread of an AMD EPYC (Zen 5), AVX-512, in brackets
// oneDNN beside it (//tests/bench:peers):
//                                 max        its gradient  average    its gradient
//   1024 x 24x24, 2x2 stride 2    26 (28)    29 (26)       32 (35)    27 (31)
//   1024 x 24x24, 3x3 stride 2    19 (25)    26 (24)       23 (34)    19 (28)
//   8192 x 28x28, 2x2 stride 2    17 (10)    16 (10)       22 (13)    21 (12)
//   1024 x 112x112, 3x3 stride 2  16 (13)    13 (11)       19 (15)    16 (11)
// Large arrays are bound by memory; rows of 12 windows leave lanes empty. Rows are copied by plain
// loads with a masked tail: masked loads alone made large arrays half as fast.
#include "halite/ops/algorithms/pooling.h"

#include <vector>

#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using namespace Halide;

// Elements of the larger array that a tile of rows covers: its copies stay in the first-level
// cache.
constexpr int kTile = 4096;

// The loops (x, y, z, n) of `stage` as tasks of tiles of rows of `width` elements.
struct TileLoops {
  VarOrRVar tile;

  TileLoops(Stage stage, const std::vector<VarOrRVar>& loops, const Expr& width, const Expr& height)
      : tile("tile", loops[0].is_rvar) {
    const bool r = loops[0].is_rvar;
    const VarOrRVar rows("rows", r), row("row", r), task("task", r);
    const Expr size = clamp(kTile / max(width, 1), 1, max(height, 1));
    stage.split(loops[1], rows, row, size, kGuard);
    stage
        .split(FuseAll(stage, {rows, loops[2], loops[3]}), task, tile, RowsPerTask(size * width),
               kGuard)
        .parallel(task);
  }
};

// The geometries that have code of their own, `kernel` of 2 or 3 in two axes with strides of 2. The
// whole pass is specialised: in the rows of small planes, loops and addresses cost as much as sums.
Expr IsCommon(const PoolingAxes& axes, int kernel) {
  const auto is = [](const PoolingAxis& axis, int kernel, int stride) {
    return axis.kernel == kernel && axis.stride == stride;
  };
  return is(axes[0], kernel, 2) && is(axes[1], kernel, 2) && is(axes[2], 1, 1);
}

void ScheduleRows(BorderedRows& op, const LoopLevel& at, int lanes) {
  const RVar vector("vector"), lane("lane");
  op.rows.compute_at(at).store_in(MemoryType::Stack).vectorize(op.x, lanes, TailStrategy::RoundUp);
  op.rows.never_partition_all();
  op.rows.update()
      .never_partition_all()
      .reorder(op.row, op.y, op.z, op.n)
      .split(op.row, vector, lane, lanes, kGuard)
      .vectorize(lane);
}

void ScheduleCpu(PoolingWindows& op, const PoolingAxes& axes, BorderedRows& padded, int lanes) {
  const PoolingAxis &ax = axes[0], &ay = axes[1];
  const Expr height = op.result.output_buffers()[0].dim(1).extent();
  const Var vector("vector"), lane("lane");
  op.result.split(op.x, vector, lane, lanes, TailStrategy::Predicate).vectorize(lane);
  const TileLoops loops(op.result, {vector, op.y, op.z, op.n}, ax.in * ay.stride, height);
  ScheduleRows(padded, LoopLevel(op.result, loops.tile), lanes);
  op.result.never_partition_all();
  op.window.compute_at(op.result, vector)
      .store_in(MemoryType::Stack)
      .bound_extent(op.x, lanes)
      .vectorize(op.x);
  Stage update = op.window.update();
  update.reorder(op.x, op.cell.x, op.cell.y, op.cell.z, op.y, op.z, op.n).vectorize(op.x);
  for (int kernel : {2, 3}) {
    op.result.specialize(IsCommon(axes, kernel));
    update.specialize(IsCommon(axes, kernel)).unroll(op.cell.x).unroll(op.cell.y).unroll(op.cell.z);
  }
  update.specialize(ax.stride == 1);
  update.specialize(ax.stride == 2);
}

void ScheduleCpu(MaxPoolingScatter& op, const Expr& windows, int lanes) {
  const RVar vector("vector"), lane("lane");
  const Expr planes = max(kGrain / max(windows, 1), 1);
  const Var task("task"), plane("plane");
  Func dx = op.dx;
  dx.update(0)
      .split(op.zero, vector, lane, lanes, kGuard)
      .vectorize(lane)
      .split(op.n, task, plane, planes, kGuard)
      .parallel(task);
  dx.update(1).split(op.n, task, plane, planes, kGuard).parallel(task);
}

void ScheduleCpu(AveragePoolingGrad& op, PoolingDx& out, BorderedRows& share,
                 const PoolingAxes& axes, int lanes) {
  const RVar vector("vector"), lane("lane");
  Stage update = out.dx.update();
  update.never_partition_all().split(out.r.x, vector, lane, lanes, kGuard).vectorize(lane);
  std::vector<VarOrRVar> rows = out.loops;
  rows[0] = vector;
  const TileLoops loops(update, rows, axes[0].in, axes[1].in);
  for (int kernel : {2, 3}) update.specialize(IsCommon(axes, kernel) && !out.accumulate);
  update.specialize(!out.accumulate);
  const LoopLevel at(out.dx, loops.tile);
  ScheduleRows(share, at, lanes);

  op.row.compute_at(at).store_in(MemoryType::Stack);
  Stage row = op.row.update();
  row.never_partition_all()
      .reorder(op.r.x, op.r.y, op.r.z, op.y, op.z, op.n)
      .allow_race_conditions()
      .vectorize(op.r.x);
  row.specialize(op.stride == 1);
  row.specialize(op.stride == 2).unroll(op.r.y);
  op.sum.compute_at(op.row, op.r.z)
      .store_in(MemoryType::Stack)
      .bound_extent(op.q, op.lanes)
      .bound(op.p, 0, op.stride)
      .reorder_storage(op.q, op.p, op.y, op.z, op.n)
      .reorder(op.q, op.p)
      .vectorize(op.q);
  op.sum.update().reorder(op.q, op.tx, op.p, op.y, op.z, op.n).vectorize(op.q);

  op.gradient.compute_at(out.dx, vector)
      .store_in(MemoryType::Stack)
      .bound_extent(op.x, lanes)
      .vectorize(op.x);
  op.gradient.update().reorder(op.x, op.t.x, op.t.y, op.y, op.z, op.n).vectorize(op.x);
}

// One GPU thread an element of `stage`, whose loops are (x, y, z, n) or (i, n). Returns the loop
// inside a thread. Nothing is fused: Halide 21 would not see that a thread needs one element of
// what it computes. The blocks' first dimension, which has the highest limit, is n.
VarOrRVar ScheduleElements(Stage stage, const std::vector<VarOrRVar>& loops,
                           const std::string& name) {
  const auto loop = [&](const char* of) { return VarOrRVar(name + of, loops[0].is_rvar); };
  const VarOrRVar x_block = loop("_x_block"), x_thread = loop("_x_thread"), n = loops.back();
  if (loops.size() == 2) {
    stage.split(loops[0], x_block, x_thread, 256, kGuard)
        .reorder(x_thread, n, x_block)
        .gpu_blocks(n, x_block)
        .gpu_threads(x_thread);
    return x_thread;
  }
  const VarOrRVar y_block = loop("_y_block"), y_thread = loop("_y_thread"), z = loops[2];
  stage.split(loops[0], x_block, x_thread, 16, kGuard)
      .split(loops[1], y_block, y_thread, 8, kGuard)
      .reorder({z, x_thread, y_thread, n, y_block, x_block})
      .gpu_blocks(n, y_block, x_block)
      .gpu_threads(x_thread, y_thread);
  return z;
}

void ScheduleInThread(Func sum, const LoopLevel& at) {
  sum.compute_at(at).store_in(MemoryType::Register);
  for (const Var& v : sum.args()) sum.bound_extent(v, 1);
}

void ScheduleGpu(PoolingWindows& op) {
  const VarOrRVar element = ScheduleElements(op.result, {op.x, op.y, op.z, op.n}, "y");
  ScheduleInThread(op.window, LoopLevel(op.result, element));
}

// `gradient`: one sum an element. The elements that start undefined stay on the GPU.
void ScheduleGpu(PoolingDx& out, Func gradient) {
  ScheduleElements(out.dx, {out.vars.begin(), out.vars.end()}, "undefined");
  const VarOrRVar element = ScheduleElements(out.dx.update(), out.loops, "dx");
  ScheduleInThread(gradient, LoopLevel(out.dx, element));
  out.dx.update().specialize(!out.accumulate);
}

template <typename Derived>
class PoolingGenerator : public OpGenerator<Derived> {
 public:
  PerAxis<> kernel{"kernel"}, stride{"stride"}, pad{"pad"};

 protected:
  // The axes of an array `in` with the extents of x.
  template <typename In>
  PoolingAxes Axes(const In& in) const {
    return Axes(Place3{in.dim(0).extent(), in.dim(1).extent(), in.dim(2).extent()});
  }
  PoolingAxes Axes(const Place3& in) const {
    PoolingAxes axes;
    for (int d = 0; d < 3; ++d) axes[d] = {kernel[d], stride[d], pad[d], in[d]};
    return axes;
  }
  static Place3 Pads(const PoolingAxes& axes) { return {axes[0].pad, axes[1].pad, axes[2].pad}; }
  template <typename In>
  static Place3 Extents(const In& in) {
    return {in.dim(0).extent(), in.dim(1).extent(), in.dim(2).extent()};
  }
  // Schedules a forward pass; `make` builds the operator on the padded input.
  template <typename Make>
  Func Forward(const Bordered& in, const PoolingAxes& axes, const Make& make) {
    const Target target = this->get_target();
    if (target.has_gpu_feature()) {
      auto op = make(BorderedFormula("padded", in, Pads(axes)).rows);
      ScheduleGpu(op);
      return op.result;
    }
    BorderedRows padded("padded", in, Pads(axes));
    auto op = make(padded.rows);
    ScheduleCpu(op, axes, padded, target.natural_vector_size(this->dtype));
    return op.result;
  }
};

class MaxPoolingKernel : public PoolingGenerator<MaxPoolingKernel> {
 public:
  Input<Buffer> x{"x", 4};
  Output<Func> y{"y", 4};

  void configure() { SetType(x); }
  void generate() {
    ZeroMin(x, 4);
    const PoolingAxes axes = Axes(x);
    Func keys("keys");
    keys(_) = TiedKey(x(_));
    y = Forward({keys, Extents(x), keys.types()[0].min()}, axes,
                [&](const Func& padded) { return MaxPooling(padded, axes); });
    OutputImageParam first = Func(y).output_buffers()[0];
    ZeroMin(first, 4);
  }
};

class AveragePoolingKernel : public PoolingGenerator<AveragePoolingKernel> {
 public:
  Input<Buffer> x{"x", 4};
  Input<bool> including_pad{"including_pad"};
  Output<Buffer> y{"y", 4};

  void configure() { SetType(x, y); }
  void generate() {
    ZeroMin(x, 4);
    const PoolingAxes axes = Axes(x);
    y = Forward({x, Extents(x), cast(dtype, 0)}, axes,
                [&](const Func& padded) { return AveragePooling(padded, axes, including_pad); });
    ZeroMin(y, 4);
  }
};

class AveragePoolingGradKernel : public PoolingGenerator<AveragePoolingGradKernel> {
 public:
  Input<Buffer> dy{"dy", 4};
  Input<bool> including_pad{"including_pad"};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 4};

  void configure() { SetType(dy, dx); }
  void generate() {
    ZeroMin(dy, 4);
    PoolingDx out("average_pooling_grad", dtype, 4);
    const PoolingAxes axes = Axes(out.dx.output_buffer());
    const AverageShare share(dy, axes, including_pad);
    const Bordered shares{share.share, Extents(dy), cast(dtype, 0)};
    const Place3 before{axes[0].overlap() - 1, axes[1].overlap() - 1, axes[2].overlap() - 1};
    if (get_target().has_gpu_feature()) {
      AveragePoolingGather op(BorderedFormula("share_at", shares, before).rows, axes);
      out.Define(op.gradient, accumulate_dx);
      ScheduleGpu(out, op.gradient);
    } else {
      const int lanes = get_target().natural_vector_size(dtype);
      BorderedRows rows("share_rows", shares, before);
      AveragePoolingGrad op(rows.rows, axes, lanes);
      out.Define(op.gradient, accumulate_dx);
      ScheduleCpu(op, out, rows, axes, lanes);
    }
    dx = out.dx;
    ZeroMin(dx, 4);
  }
};

class MaxPoolingGradKernel : public PoolingGenerator<MaxPoolingGradKernel> {
 public:
  Input<Buffer> dy{"dy", 2};
  Input<Buffer> place{"place", Int(32), 2};
  PerAxis<> in{"in"}, out{"out"};  // extents of x and of dy: the gather alone reads the geometry
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 2};

  void configure() { SetType(dy, dx); }
  void generate() {
    ZeroMin(dy, 2);
    ZeroMin(place, 2);
    if (get_target().has_gpu_feature()) {
      const PoolingAxes axes = Axes(Place3{in[0], in[1], in[2]});
      MaxPoolingGather op(dy, place, axes, {out[0], out[1], out[2]});
      PoolingDx result("max_pooling_grad", dtype, 2);
      result.Define(op.gradient, accumulate_dx);
      ScheduleGpu(result, op.gradient);
      dx = result.dx;
    } else {
      const Expr windows = dy.dim(0).extent();
      MaxPoolingScatter op(dy, place, windows, accumulate_dx);
      ScheduleCpu(op, windows, get_target().natural_vector_size(dtype));
      dx = op.dx;
    }
    ZeroMin(dx, 2);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::MaxPoolingKernel, max_pooling)
HALIDE_REGISTER_GENERATOR(halite::MaxPoolingGradKernel, max_pooling_grad)
HALIDE_REGISTER_GENERATOR(halite::AveragePoolingKernel, average_pooling)
HALIDE_REGISTER_GENERATOR(halite::AveragePoolingGradKernel, average_pooling_grad)
