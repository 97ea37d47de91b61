// SPDX-License-Identifier: Apache-2.0
//
// Schedules of the reductions of ops/algorithms/axis.h, and the loops of the stages that read them.
#ifndef HALITE_SCHEDULES_AXIS_H_
#define HALITE_SCHEDULES_AXIS_H_

#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/axis.h"
#include "halite/schedules/parallel.h"

namespace halite {

// Vectors of a row that are reduced side by side: they do not wait for each other.
inline int Vectors(const Tuning& tuning) { return tuning("vectors", 4, {1, 2, 8}); }

// The input x[inner, axis, outer] of a kernel.
template <typename BufferArgument>
AxisInput MakeAxisInput(BufferArgument& x, Halide::Type type) {
  const Halide::Expr inner = x.dim(0).extent();
  return {x,   inner, x.dim(1).extent(), x.dim(2).extent(), inner == 1 && x.dim(1).stride() == 1,
          type};
}

// Another array with the extents of `x` and its stride along the axis.
template <typename A, typename B>
void SetLike(A& other, B& x) {
  for (int d = 0; d < 3; ++d) other.dim(d).set_bounds(0, x.dim(d).extent());
  other.dim(1).set_stride(x.dim(1).stride());
}

// An array [inner, outer] with an element for each sum over the axis of `in`, dense.
template <typename BufferArgument>
void SetSums(BufferArgument& sums, const AxisInput& in) {
  sums.dim(0).set_bounds(0, in.inner);
  sums.dim(1).set_bounds(0, in.outer).set_stride(in.inner);
}

// Computes the reduction of at most `rows` rows at `at`.
inline void ScheduleReduce(RowReduce& op, const Halide::LoopLevel& at, int rows = 1) {
  using Halide::TailStrategy;
  op.value.compute_at(at).store_in(Halide::MemoryType::Stack);
  for (const Halide::Var& v : op.at) {
    op.partial.bound_extent(v, 1);
    if (rows == 1) {
      op.value.bound_extent(v, 1);
    } else {
      op.value.bound_storage(v, rows);
    }
  }
  const Halide::LoopLevel row = rows == 1 ? at : Halide::LoopLevel(op.value, op.at[0]);
  op.partial.compute_at(row)
      .store_in(Halide::MemoryType::Stack)
      .bound(op.lane, 0, op.width)
      .vectorize(op.lane, op.lanes, TailStrategy::RoundUp)
      .unroll(op.lane);
  op.partial.update(0)
      .reorder({op.lane, op.block})
      .vectorize(op.lane, op.lanes, TailStrategy::RoundUp)
      .unroll(op.lane);
  op.partial.update(1).vectorize(op.tail.x);
  int extent = op.width;
  for (Halide::Func& fold : op.folds) {
    extent /= 2;
    fold.compute_at(row).store_in(Halide::MemoryType::Stack).bound(op.lane, 0, extent);
    for (const Halide::Var& v : op.at) fold.bound_extent(v, 1);
    if (extent > 1) fold.vectorize(op.lane);
  }
}

// Computes a tile of at most `width` neighbours at `at`. The axis is visited a row of the tile
// after another, or, `down`, a vector of columns after another, whose partial results stay in a
// register.
inline void ScheduleReduce(ColumnReduce& op, const Halide::LoopLevel& at, int width, int lanes,
                           bool down = false) {
  using Halide::TailStrategy;
  op.value.compute_at(at)
      .store_in(Halide::MemoryType::Stack)
      .bound_storage(op.i, width)
      .vectorize(op.i, lanes, TailStrategy::RoundUp);
  for (const Halide::Var& v : op.at) op.value.bound_extent(v, 1);
  for (int u : {0, 1}) {
    const Halide::Var vector("vector");
    const Halide::RVar k = u == 0 ? op.k : op.rest;
    Halide::Stage update = op.value.update(u);
    update.split(op.i, vector, op.i, lanes, TailStrategy::RoundUp).vectorize(op.i);
    down ? update.reorder({op.i, k, vector}) : update.reorder({op.i, vector, k});
  }
}

// Loops over tiles of at most `most` columns, whose elements are visited `lanes` at a time: `tile`,
// where the tile's stages are computed, in tasks of about `grain` elements. `middle`: loops of a
// tile.
struct TileLoops {
  Halide::VarOrRVar j, tile, task;

  TileLoops(Halide::Stage stage, const Halide::VarOrRVar& i,
            const std::vector<Halide::VarOrRVar>& middle,
            const std::vector<Halide::VarOrRVar>& outer, const Halide::Expr& inner,
            const Halide::Expr& axis, int most, int lanes, int grain = kGrain)
      : j("j", i.is_rvar), tile("tile", i.is_rvar), task(tile) {
    using Halide::TailStrategy;
    constexpr auto kGuard = TailStrategy::GuardWithIf;
    const bool r = i.is_rvar;
    const Halide::VarOrRVar group("group", r), row("row", r), rows("rows", r);
    const Halide::Expr width = EvenPart(inner, most, lanes);
    stage.split(i, tile, j, width, kGuard)
        .split(tile, group, tile, RowsPerTask(axis * width, grain), kGuard)
        .split(outer[0], rows, row, RowsPerTask(axis * inner, grain), kGuard);
    std::vector<Halide::VarOrRVar> order = {j}, tasks = {group};
    order.insert(order.end(), middle.begin(), middle.end());
    order.insert(order.end(), {tile, row, group});
    for (size_t d = 1; d < outer.size(); ++d) {
      order.push_back(outer[d]);
      tasks.push_back(outer[d]);
    }
    order.push_back(rows);
    tasks.push_back(rows);
    stage.reorder(order).vectorize(j, lanes, TailStrategy::Predicate).never_partition({tile, row});
    task = FuseAll(stage, tasks);
    stage.parallel(task).never_partition({task});
  }
};

// On a GPU a block of kRowThreads threads shares a row; RowReduce has as many lanes there.
constexpr int kRowThreads = 64;

// The loops of a stage that visits rows: axis k, block o; `rest` are loops within a row.
inline void ScheduleRowGpu(Halide::Stage stage, const Halide::VarOrRVar& k,
                           const std::vector<Halide::VarOrRVar>& rest, const Halide::VarOrRVar& o) {
  const Halide::VarOrRVar step("step", k.is_rvar), thread("thread", k.is_rvar);
  std::vector<Halide::VarOrRVar> order = {thread, step};
  order.insert(order.end(), rest.begin(), rest.end());
  order.push_back(o);
  stage.split(k, step, thread, kRowThreads, Halide::TailStrategy::GuardWithIf)
      .reorder(order)
      .gpu_blocks(o)
      .gpu_threads(thread);
}

inline void ScheduleReduceGpu(RowReduce& op, const Halide::LoopLevel& block) {
  op.partial.compute_at(block).bound(op.lane, 0, op.width).gpu_threads(op.lane);
  op.partial.update(0).reorder({op.block, op.lane}).gpu_threads(op.lane);
  op.partial.update(1).reorder({op.tail.y, op.tail.x}).gpu_threads(op.tail.x);
  int extent = op.width;
  for (Halide::Func& fold : op.folds) {
    extent /= 2;
    fold.compute_at(block).bound(op.lane, 0, extent).gpu_threads(op.lane);
  }
  op.value.compute_at(block);
}

// The loops of a stage with one element (i, o) for each row: block o, which is returned.
inline Halide::VarOrRVar ScheduleSumOfRowGpu(Halide::Stage stage, const Halide::VarOrRVar& i,
                                             const Halide::VarOrRVar& o) {
  stage.reorder({i, o}).gpu_blocks(o).gpu_threads(i);
  return o;
}

// The loops of a stage that gives a column (i, o) to a thread, which is returned; `own` are loops
// within a column.
inline Halide::VarOrRVar ScheduleColumnGpu(Halide::Stage stage, const Halide::VarOrRVar& i,
                                           std::vector<Halide::VarOrRVar> own,
                                           const Halide::VarOrRVar& o) {
  const Halide::VarOrRVar column("column", i.is_rvar), block("block", i.is_rvar);
  const Halide::VarOrRVar thread("thread", i.is_rvar);
  own.insert(own.end(), {i, o});
  stage.reorder(own)
      .fuse(i, o, column)
      .split(column, block, thread, 256, Halide::TailStrategy::GuardWithIf)
      .gpu_blocks(block)
      .gpu_threads(thread);
  return thread;
}

}  // namespace halite

#endif  // HALITE_SCHEDULES_AXIS_H_
