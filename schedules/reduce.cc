// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of the reductions.
//
//   sum:       x[inner, axis, outer], scale -> y[inner, outer]
//   sum_grad:  dy[i0, i1, i2, i3], scale -> dx; a stride of 0 broadcasts dy
//   max:       x[inner, axis, outer] -> y.0[inner, outer] the maximum, y.1 its index
//   max_grad:  index, dy [inner, outer], axis -> dx[inner, axis, outer]
//
// All are bound by memory. Rows are summed in vectors side by side, columns a few elements at a
// time into sums that stand in the first-level cache. max reads x once, at 90 per cent of the
// bandwidth of a triad (rows of 512 on one thread of a Zen 5, all of 12.8 million elements).
#include "halite/ops/algorithms/reduce.h"

#include "halite/schedules/axis.h"
#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using namespace Halide;

// Columns whose partial results stand in memory at a time.
constexpr int kWidth = 1024;
int Width(const Tuning& tuning) { return tuning("width", kWidth, {128, 256, 512}); }

// The forms of a sum of `length` elements as the first two updates of f.
void SchedulePieces(PieceSum& op, Func f, const Expr& inner, const Expr& length, int lanes,
                    const Tuning& tuning) {
  const int width = Width(tuning), grain = Grain(tuning);
  const bool down = tuning("down", 0, {1}) != 0;
  const RowLoops rows(f.update(0), {op.row_r.z, op.row_r.y}, length, grain);
  ScheduleReduce(op.row, LoopLevel(f, rows.row));
  const TileLoops tiles(f.update(1), op.column_r.x, {}, {op.column_r.z, op.column_r.y}, inner,
                        length, width, lanes, grain);
  ScheduleReduce(op.column, LoopLevel(f, tiles.tile), width, lanes, down);
}

void ScheduleCpu(Sum& op, const AxisInput& in, const Expr& stride, int lanes,
                 const Tuning& tuning) {
  SchedulePieces(op.rest, op.y, in.inner, in.axis, lanes, tuning);
  op.total.compute_at(op.y, op.r.y).vectorize(op.i, lanes, kGuard);
  op.total.update().reorder({op.i, op.p}).vectorize(op.i, lanes, kGuard);
  op.y.update(2).vectorize(op.r.x, lanes, TailStrategy::Predicate);
  op.partial.compute_root();
  SchedulePieces(op.part, op.partial, in.inner, op.length, lanes, tuning);

  op.partial.update(0).specialize(stride == 1);
  op.y.update(0).specialize(stride == 1 && !op.accumulate);
  op.y.update(0).specialize(stride == 1);
  op.y.update(1).specialize(!op.accumulate);
}

// One thread a sum.
void ScheduleGpu(StridedSum& op, const Expr& accumulate) {
  op.partial.compute_root();
  ScheduleRowsGpu(op.partial, {op.i, op.piece, op.o});
  ScheduleUndefinedGpu(op.y);
  ScheduleRowsGpu(op.y.update(), {op.r.x, op.r.y});
  op.y.update().specialize(!accumulate);
}

class SumKernel : public OpGenerator<SumKernel> {
 public:
  Input<Buffer> x{"x", 3};
  Output<Buffer> y{"y", 2};

  void configure() {
    SetType(x, y);
    scale_ = add_input<Expr>("scale", dtype);
    accumulate_ = add_input<bool>("accumulate_y");
  }
  void generate() {
    const bool is_gpu = get_target().has_gpu_feature();
    const AxisInput in = MakeAxisInput(x, dtype);
    ZeroMin(x, 3);
    ZeroMin(y, 2);
    y.dim(0).set_extent(in.inner);
    y.dim(1).set_extent(in.outer);
    is_gpu ? GenerateGpu(in) : GenerateCpu(in);
  }

 private:
  void GenerateCpu(const AxisInput& in) {
    const int lanes = get_target().natural_vector_size(dtype);
    // Where the sums make fewer than 16 tasks and are long, up to 64 pieces of
    // at least kGrain elements.
    const Expr tasks = min(in.outer, 16) * min((in.inner + kWidth - 1) / kWidth, 16);
    const Expr grain = max(2 * kGrain / in.inner, (in.axis + 63) / 64, 1);
    // No select: the bounds of one are never exact.
    const Expr count = in.axis / grain * clamp(16 - tasks, 0, 1);
    const Expr length = min(count * grain, grain - 1) + 1;
    Sum op(in, *scale_, *accumulate_, length, count, lanes, Vectors(Numbers()));
    ScheduleCpu(op, in, x.dim(1).stride(), lanes, Numbers());
    y = op.y;
  }
  void GenerateGpu(const AxisInput& in) {
    // Sums of at least 32 elements, 2^16 threads and 1024 pieces at most;
    // neighbours in memory go to neighbouring threads.
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

class SumGradKernel : public OpGenerator<SumGradKernel> {
 public:
  Input<Buffer> dy{"dy", SumGrad::kRank};
  Output<Buffer> dx{"dx", SumGrad::kRank};

  void configure() {
    SetType(dy, dx);
    scale_ = add_input<Expr>("scale", dtype);
    accumulate_ = add_input<bool>("accumulate_dx");
  }
  void generate() {
    std::vector<Expr> extents;
    for (int d = 0; d < SumGrad::kRank; ++d) extents.push_back(dy.dim(d).extent());
    SumGrad op(dy, *scale_, extents, *accumulate_);
    ZeroMin(dy, SumGrad::kRank, /*any_stride=*/true);
    ZeroMin(dx, SumGrad::kRank);
    const std::vector<VarOrRVar> loops = {op.r[0], op.r[1], op.r[2], op.r[3]};
    dx = op.dx;
    if (get_target().has_gpu_feature()) {
      ScheduleUndefinedGpu(op.dx);
      ScheduleRowsGpu(op.dx.update(), loops);
      return;
    }
    ScheduleRowsCpu(op.dx.update(), loops, extents, get_target().natural_vector_size(dtype),
                    Grain(Numbers()));
    const Expr stride = dy.dim(0).stride();
    op.dx.update().specialize(stride == 0 && !op.accumulate);
    op.dx.update().specialize(stride == 1 && !op.accumulate);
    op.dx.update().specialize(stride == 0);
    op.dx.update().specialize(stride == 1);
  }

 private:
  GeneratorInput<Expr>* scale_ = nullptr;
  GeneratorInput<bool>* accumulate_ = nullptr;
};

class MaxKernel : public OpGenerator<MaxKernel> {
 public:
  Input<Buffer> x{"x", 3};

  void configure() {
    x.set_type(dtype);
    y_ = add_output<Func>("y", {dtype, Int(32)}, 2);
  }
  void generate() {
    const bool is_gpu = get_target().has_gpu_feature();
    const int lanes = get_target().natural_vector_size(dtype);
    AxisInput in = MakeAxisInput(x, dtype);
    if (is_gpu) in.is_rows = Internal::const_false();
    ZeroMin(x, 3);
    const int width = Width(Numbers()), grain = Grain(Numbers());
    Max op(in, lanes, Vectors(Numbers()));
    *y_ = op.y;
    op.y.bound(op.i, 0, in.inner).bound(op.o, 0, in.outer);
    if (is_gpu) {
      ScheduleRowsGpu(op.y, {op.i, op.o});
      return;
    }
    const RowLoops rows(op.y.specialize(in.is_rows), {op.o}, in.axis, grain);
    ScheduleReduce(op.row, LoopLevel(op.y, rows.row));
    const TileLoops tiles(op.y, op.i, {}, {op.o}, in.inner, in.axis, width, lanes, grain);
    op.best.compute_at(LoopLevel(op.y, tiles.tile))
        .store_in(MemoryType::Stack)
        .bound_storage(op.i, width)
        .vectorize(op.i, lanes, TailStrategy::RoundUp);
    op.best.update().reorder(op.i, op.k).vectorize(op.i, lanes, TailStrategy::RoundUp);
  }

 private:
  GeneratorOutput<Func>* y_ = nullptr;
};

class MaxGradKernel : public OpGenerator<MaxGradKernel> {
 public:
  Input<Buffer> index{"index", Int(32), 2};
  Input<Buffer> dy{"dy", 2};
  Input<int> axis{"axis"};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 3};

  void configure() { SetType(dy, dx); }
  void generate() {
    const Expr inner = dy.dim(0).extent();
    MaxGrad op(index, dy, {inner, axis, dy.dim(1).extent()}, accumulate_dx);
    ZeroMin(index, 2);
    ZeroMin(dy, 2);
    ZeroMin(dx, 3);
    dx = op.dx;
    if (get_target().has_gpu_feature()) {
      ScheduleUndefinedGpu(op.dx);
      ScheduleRowsGpu(op.dx.update(), {op.r.x, op.r.y, op.r.z});
      return;
    }
    const int lanes = get_target().natural_vector_size(dtype);
    Stage columns = op.dx.update();
    Stage rows = columns.specialize(inner == 1 && dx.dim(1).stride() == 1);
    ScheduleRowsCpu(rows, {op.r.y, op.r.x, op.r.z}, {axis, inner}, lanes);
    rows.specialize(!op.accumulate);
    ScheduleRowsCpu(columns, {op.r.x, op.r.y, op.r.z}, {inner, axis}, lanes);
    columns.specialize(!op.accumulate);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::SumKernel, sum)
HALIDE_REGISTER_GENERATOR(halite::SumGradKernel, sum_grad)
HALIDE_REGISTER_GENERATOR(halite::MaxKernel, max)
HALIDE_REGISTER_GENERATOR(halite::MaxGradKernel, max_grad)
