// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of softmax.
//
//   softmax:       x -> y                      all [inner, axis, outer]
//   softmax_grad:  y, dy -> dx
//
// Rows: the maximum, then the powers into a buffer that stays in the cache and their sum, then the
// quotients: x is read once from memory and y written once. Columns: the same for tiles of some
// kTile neighbours. A GPU gives a row to a block of threads, a column to a thread.
//
// float32 on two busy cores of an AMD EPYC (Zen 5), zen4 kernels, against a plain loop of g++ -O3
// -march=native with expf on one core; exp bounds the first two, memory the third:
//
//   rows x axis        us  plain us    gradient us  plain us
//   64 x 10           0.9       1.8           0.25      0.22
//   128 x 1000         18       440            8.7        69
//   4096 x 1024      1390     15600           1420      2350
#include "halite/ops/algorithms/softmax.h"

#include "halite/schedules/axis.h"
#include "halite/schedules/op_generator.h"

namespace halite {
namespace {

using namespace Halide;

constexpr int kTile = 64;
constexpr int kTask = GrainOf(4);  // exp

// Columns that are visited together.
int Tile(const Tuning& tuning) { return tuning("tile", kTile, {32, 128, 256}); }

void ScheduleCpu(Softmax& op, const AxisInput& in, int lanes, const Tuning& tuning) {
  const int tile_width = Tile(tuning), grain = Grain(tuning, kTask);
  Stage rows = op.y.specialize(in.is_rows);
  const RowLoops row(rows, {op.o}, in.axis, grain);
  rows.vectorize(op.k, lanes, TailStrategy::Predicate);
  const TileLoops tile(op.y, op.i, {op.k}, {op.o}, in.inner, in.axis, tile_width, lanes, grain);

  const LoopLevel at_row(op.y, row.row), at_tile(op.y, tile.tile);
  ScheduleReduce(op.row.peak, at_row);
  op.row.power.compute_at(at_row)
      .hoist_storage(LoopLevel(op.y, row.task))
      .vectorize(op.row.k, lanes, TailStrategy::RoundUp);
  ScheduleReduce(op.row.sum, at_row);
  op.row_scale.compute_at(at_row);
  ScheduleReduce(op.column.peak, at_tile, tile_width, lanes);
  op.column.power.compute_at(at_tile)
      .hoist_storage(LoopLevel(op.y, tile.task))
      .bound_storage(op.column.i, tile_width)
      .vectorize(op.column.i, lanes, TailStrategy::RoundUp);
  ScheduleReduce(op.column.sum, at_tile, tile_width, lanes);
  op.column_scale.compute_at(at_tile).vectorize(op.i, lanes, TailStrategy::RoundUp);
}

void ScheduleCpu(SoftmaxGrad& op, const AxisInput& in, const Expr& stride, int lanes,
                 const Tuning& tuning) {
  const int tile_width = Tile(tuning), grain = Grain(tuning);
  Stage rows = op.dx.update(0), columns = op.dx.update(1);
  const RowLoops row(rows, {op.row_r.z}, in.axis, grain);
  rows.vectorize(op.row_r.y, lanes, TailStrategy::Predicate);
  const TileLoops tile(columns, op.column_r.x, {op.column_r.y}, {op.column_r.z}, in.inner, in.axis,
                       tile_width, lanes, grain);
  ScheduleReduce(op.row_dot, LoopLevel(op.dx, row.row));
  ScheduleReduce(op.column_dot, LoopLevel(op.dx, tile.tile), tile_width, lanes);
  rows.specialize(stride == 1 && !op.accumulate);
  rows.specialize(stride == 1);
  columns.specialize(!op.accumulate);
}

void ScheduleGpu(Softmax& op, const AxisInput& in) {
  ScheduleRowGpu(op.y.specialize(in.is_rows), op.k, {op.i}, op.o);
  ScheduleReduceGpu(op.row.peak, LoopLevel(op.y, op.o));
  ScheduleReduceGpu(op.row.sum, LoopLevel(op.y, op.o));
  const LoopLevel thread(op.y, ScheduleColumnGpu(op.y, op.i, {op.k}, op.o));
  op.column.peak.value.compute_at(thread);
  op.column.sum.value.compute_at(thread);
}

void ScheduleGpu(SoftmaxGrad& op) {
  ScheduleUndefinedGpu(op.dx);
  ScheduleRowGpu(op.dx.update(0), op.row_r.y, {op.row_r.x}, op.row_r.z);
  ScheduleReduceGpu(op.row_dot, LoopLevel(op.dx, op.row_r.z));
  const VarOrRVar thread =
      ScheduleColumnGpu(op.dx.update(1), op.column_r.x, {op.column_r.y}, op.column_r.z);
  op.column_dot.value.compute_at(LoopLevel(op.dx, thread));
  op.dx.update(0).specialize(!op.accumulate);
  op.dx.update(1).specialize(!op.accumulate);
}

class SoftmaxKernel : public OpGenerator<SoftmaxKernel> {
 public:
  Input<Buffer> x{"x", 3};
  Output<Buffer> y{"y", 3};

  void configure() { SetType(x, y); }
  void generate() {
    const AxisInput in = MakeAxisInput(x, dtype);
    ZeroMin(x, 3);
    const bool is_gpu = get_target().has_gpu_feature();
    const int lanes = is_gpu ? kRowThreads : get_target().natural_vector_size(dtype);
    Softmax op(in, lanes, is_gpu ? 1 : Vectors(Numbers()));
    y = op.y;
    SetLike(y, x);
    is_gpu ? ScheduleGpu(op, in) : ScheduleCpu(op, in, lanes, Numbers());
  }
};

class SoftmaxGradKernel : public OpGenerator<SoftmaxGradKernel> {
 public:
  Input<Buffer> y{"y", 3}, dy{"dy", 3};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 3};

  void configure() { SetType(y, dy, dx); }
  void generate() {
    const AxisInput in = MakeAxisInput(y, dtype);
    ZeroMin(y, 3);
    SetLike(dy, y);
    const bool is_gpu = get_target().has_gpu_feature();
    const int lanes = is_gpu ? kRowThreads : get_target().natural_vector_size(dtype);
    SoftmaxGrad op(in, MakeAxisInput(dy, dtype), accumulate_dx, lanes,
                   is_gpu ? 1 : Vectors(Numbers()));
    dx = op.dx;
    SetLike(dx, y);
    is_gpu ? ScheduleGpu(op) : ScheduleCpu(op, in, y.dim(1).stride(), lanes, Numbers());
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::SoftmaxKernel, softmax)
HALIDE_REGISTER_GENERATOR(halite::SoftmaxGradKernel, softmax_grad)
