// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of the reductions.
//
//   sum:  x[inner, axis, outer], scale -> y[inner, outer]
#include "halite/ops/algorithms/reduce.h"

#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using namespace Halide;

// Vectors of a row that are summed side by side: they do not wait for each other.
constexpr int kVectors = 4;

// Sums of rows of `length` elements, stored by the update `stage` of f: tasks of about kGrain
// elements of x.
void ScheduleRows(RowSum& op, Func f, Stage stage, const Expr& length, int lanes) {
  const RVar row("row"), rows("rows"), task("task");
  stage.split(op.r.z, rows, row, RowsPerTask(length), kGuard)
      .reorder({op.r.x, row, op.r.y, rows})
      .fuse(op.r.y, rows, task)
      .parallel(task)
      .never_partition_all();
  op.lanes.compute_at(f, row)
      .store_in(MemoryType::Stack)
      .bound(op.lane, 0, op.width)
      .bound_extent(op.piece, 1)
      .bound_extent(op.o, 1)
      .vectorize(op.lane, lanes, TailStrategy::RoundUp)
      .unroll(op.lane);
  op.lanes.update(0)
      .reorder({op.lane, op.block, op.piece, op.o})
      .vectorize(op.lane, lanes, TailStrategy::RoundUp)
      .unroll(op.lane);
  op.lanes.update(1).vectorize(op.tail, lanes, kGuard).unroll(op.tail);
  op.sum.compute_at(f, row).bound_extent(op.piece, 1).bound_extent(op.o, 1);
  op.sum.update().atomic().vectorize(op.fold);
}

// The same for column sums, in tiles of kWidth columns, whose sums stand in memory.
constexpr int kWidth = 1024;

void ScheduleColumns(ColumnSum& op, Func f, Stage stage, const Expr& inner, const Expr& length,
                     int lanes) {
  const RVar j("j"), tile("tile"), group("group"), row("row"), rows("rows"), task("task");
  stage.split(op.r.x, tile, j, kWidth, kGuard)
      .split(tile, group, tile, RowsPerTask(length * kWidth), kGuard)
      .split(op.r.z, rows, row, RowsPerTask(length * inner), kGuard)
      .reorder({j, tile, row, group, op.r.y, rows})
      .fuse(group, op.r.y, task)
      .fuse(task, rows, task)
      .parallel(task)
      .vectorize(j, lanes, TailStrategy::Predicate)
      .never_partition({tile, row, task});
  op.sum.compute_at(f, tile)
      .store_in(MemoryType::Stack)
      .bound_storage(op.i, kWidth)
      .bound_extent(op.piece, 1)
      .bound_extent(op.o, 1)
      .vectorize(op.i, lanes, TailStrategy::RoundUp);
  for (int i : {0, 1}) {
    op.sum.update(i)
        .reorder({op.i, i == 0 ? op.k : op.rest})
        .vectorize(op.i, lanes, TailStrategy::RoundUp);
  }
}

void ScheduleCpu(Sum& op, const AxisInput& in, const Expr& stride, int lanes) {
  Func y = op.y, partial = op.partial;
  ScheduleRows(op.rest.row, y, y.update(0), in.axis, lanes);
  ScheduleRows(op.rest.short_row, y, y.update(1), in.axis, lanes);
  ScheduleColumns(op.rest.columns, y, y.update(2), in.inner, in.axis, lanes);
  op.total.compute_at(y, op.r.y).vectorize(op.i, lanes, kGuard);
  op.total.update().reorder({op.i, op.p, op.o}).vectorize(op.i, lanes, kGuard);
  y.update(3).vectorize(op.r.x, lanes, TailStrategy::Predicate);
  partial.compute_root();
  ScheduleRows(op.part.row, partial, partial.update(0), op.length, lanes);
  ScheduleColumns(op.part.columns, partial, partial.update(1), in.inner, op.length, lanes);

  partial.update(0).specialize(stride == 1);
  for (int i : {0, 1}) {
    y.update(i).specialize(stride == 1 && !op.accumulate);
    y.update(i).specialize(stride == 1);
  }
  y.update(2).specialize(!op.accumulate);
}

// One thread a sum.
void ScheduleGpu(StridedSum& op, const Expr& accumulate) {
  op.partial.compute_root();
  ScheduleRowsGpu(op.partial, {op.i, op.piece, op.o});
  ScheduleRowsGpu(op.y.update(), {op.r.x, op.r.y});
  op.y.update().specialize(!accumulate);
}

class SumKernel : public OpGenerator<SumKernel> {
 public:
  Input<Buffer> x{"x", 3};
  Output<Buffer> y{"y", 2};

  void configure() {
    x.set_type(dtype);
    y.set_type(dtype);
    scale_ = add_input<Expr>("scale", dtype);
    accumulate_ = add_input<bool>("accumulate_y");
  }
  void generate() {
    const Expr inner = x.dim(0).extent(), stride = x.dim(1).stride();
    const AxisInput in{x,    inner, x.dim(1).extent(), x.dim(2).extent(), inner == 1 && stride == 1,
                       dtype};
    ZeroMin(x, 3);
    ZeroMin(y, 2);
    y.dim(0).set_extent(in.inner);
    y.dim(1).set_extent(in.outer);
    if (get_target().has_gpu_feature()) {
      GenerateGpu(in);
    } else {
      GenerateCpu(in, stride);
    }
  }

 private:
  void GenerateCpu(const AxisInput& in, const Expr& stride) {
    const int lanes = get_target().natural_vector_size(dtype);
    // Where the sums make fewer than 16 tasks and are long, up to 64 pieces of at least kGrain
    // elements.
    const Expr tasks = min(in.outer, 16) * min((in.inner + kWidth - 1) / kWidth, 16);
    const Expr grain = max(kGrain / in.inner, (in.axis + 63) / 64, 1);
    // No select: the bounds of one are never exact.
    const Expr count = in.axis / grain * clamp(16 - tasks, 0, 1);
    const Expr length = min(count * grain, grain - 1) + 1;
    Sum op(in, *scale_, *accumulate_, length, count, lanes, kVectors);
    ScheduleCpu(op, in, stride, lanes);
    y = op.y;
  }
  void GenerateGpu(const AxisInput& in) {
    // Sums of at least 32 elements, 2^16 threads and 1024 pieces at most; neighbours in memory go
    // to neighbouring threads.
    const Expr sums = min(in.inner, 1 << 16) * min(in.outer, 1 << 14);
    const Expr count =
        clamp((in.axis + 31) / 32, 1, clamp((1 << 16) / sums, select(in.inner == 1, 32, 1), 1024));
    StridedSum op(in, *scale_, *accumulate_, count);
    ScheduleGpu(op, *accumulate_);
    y = op.y;
  }

  GeneratorInput<Expr>* scale_ = nullptr;
  GeneratorInput<bool>* accumulate_ = nullptr;
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::SumKernel, sum)
