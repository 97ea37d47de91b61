// SPDX-License-Identifier: Apache-2.0
//
// How memory-bound loops are vectorised and become tasks: shared by the schedules that walk over
// rows of contiguous elements.
#ifndef HALITE_SCHEDULES_PARALLEL_H_
#define HALITE_SCHEDULES_PARALLEL_H_

#include <string>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/ceil_div.h"
#include "halite/schedules/tuning.h"

namespace halite {

// The cost model of parallel loops: a task takes some 5 microseconds at least, against about 1 for
// handing it to another thread. What is less makes one task, which runs on the calling thread.
//
// Elements of a task that are loaded and stored: 128 KB of float32.
constexpr int kGrain = 32768;
// Elements of a task that cost as much as `cost` loads and stores each.
constexpr int GrainOf(int cost) { return kGrain / cost; }
// Multiply-adds of a task, in registers.
constexpr int kMultiplyAdds = 16 * kGrain;

// The same where a kernel is tuned.
inline int Grain(const Tuning& tuning, int default_value = kGrain) {
  return tuning("grain", default_value, {2048, 8192, 32768, 131072});
}

// `count` things in even shares of at most about `most`; at least 1.
inline Halide::Expr EvenShare(const Halide::Expr& count, const Halide::Expr& most) {
  return Halide::max(CeilDiv(count, CeilDiv(count, Halide::max(most, 1))), 1);
}

// How many rows of `row_length` elements make one task.
inline Halide::Expr RowsPerTask(Halide::Expr row_length, int grain = kGrain) {
  return Halide::max(1, grain / Halide::max(1, row_length));
}

// All of `loops` (innermost first) as one loop.
inline Halide::VarOrRVar FuseAll(Halide::Stage stage, const std::vector<Halide::VarOrRVar>& loops) {
  Halide::VarOrRVar all = loops[0];
  for (size_t d = 1; d < loops.size(); ++d) {
    const Halide::VarOrRVar fused("fused" + std::to_string(d), all.is_rvar);
    stage.fuse(all, loops[d], fused);
    all = fused;
  }
  return all;
}

// Loops over rows: `row`, where the row's stages are computed, in tasks of about `grain` elements.
struct RowLoops {
  Halide::VarOrRVar row, task;

  RowLoops(Halide::Stage stage, const std::vector<Halide::VarOrRVar>& outer,
           const Halide::Expr& row_length, int grain = kGrain)
      : row("row", outer[0].is_rvar), task("task", outer[0].is_rvar) {
    constexpr auto kGuard = Halide::TailStrategy::GuardWithIf;
    stage.split(FuseAll(stage, outer), task, row, RowsPerTask(row_length, grain), kGuard)
        .parallel(task)
        .never_partition({row, task});
  }
};

// `length` in even parts of at most `most`, whole vectors of `lanes`. A part is no longer than what
// there is: steps past the end do nothing, but a masked vector there costs as much as others, and a
// hundred times as much where it meets a page that is not mapped. (Of (length + parts - 1) / parts
// Halide makes a product that overflows from 2^16 elements on.)
inline Halide::Expr EvenPart(const Halide::Expr& length, int most, int lanes) {
  const Halide::Expr parts = (length + most - 1) / most, part = (length - 1) / parts + 1;
  return Halide::clamp((part + lanes - 1) / lanes * lanes, lanes, most);
}

// One pass over an array: loops[0] runs over extents[0] contiguous elements, `lanes` at a time;
// loops[1], if there is one, over extents[1] rows; the rest are outer loops. Tasks of about `grain`
// elements. A task walks blocks of rows: finding the indices of a block takes integer divisions,
// 20 ns, which would cost more than a short row.
inline void ScheduleRowsCpu(Halide::Stage stage, const std::vector<Halide::VarOrRVar>& loops,
                            const std::vector<Halide::Expr>& extents, int lanes,
                            int grain = kGrain) {
  using Halide::clamp;
  constexpr auto kGuard = Halide::TailStrategy::GuardWithIf;
  const bool r = loops[0].is_rvar;
  const Halide::VarOrRVar chunk("chunk", r), i("i", r), block("block", r), row("row", r);
  const Halide::VarOrRVar task("task", r), inner("inner", r);
  const Halide::Expr width = EvenPart(extents[0], grain, lanes);
  stage.split(loops[0], chunk, i, width, kGuard);
  if (loops.size() == 1) {
    stage.vectorize(i, lanes, kGuard).parallel(chunk);
    return;
  }
  const Halide::Expr height = clamp(grain / width, 1, Halide::max(extents[1], 1));
  stage.split(loops[1], block, row, height, kGuard);
  std::vector<Halide::VarOrRVar> outer = {chunk, block};
  outer.insert(outer.end(), loops.begin() + 2, loops.end());
  std::vector<Halide::VarOrRVar> order = {i, row};
  order.insert(order.end(), outer.begin(), outer.end());
  stage.reorder(order).vectorize(i, lanes, kGuard);
  stage.split(FuseAll(stage, outer), task, inner, RowsPerTask(width * height, grain), kGuard)
      .parallel(task)
      .never_partition({row, inner, task});
}

// The same on a GPU: one thread an element.
inline void ScheduleRowsGpu(Halide::Stage stage, const std::vector<Halide::VarOrRVar>& loops) {
  constexpr int kThreads = 256;
  const bool r = loops[0].is_rvar;
  const Halide::VarOrRVar block("block", r), thread("thread", r);
  stage.split(FuseAll(stage, loops), block, thread, kThreads, Halide::TailStrategy::GuardWithIf)
      .gpu_blocks(block)
      .gpu_threads(thread);
}

// The first definition of a Func that is defined as undef and then by updates: it stores nothing,
// but on a GPU it must not stay on the host either.
inline void ScheduleUndefinedGpu(Halide::Func f) {
  const std::vector<Halide::Var> vars = f.args();
  ScheduleRowsGpu(f, std::vector<Halide::VarOrRVar>(vars.begin(), vars.end()));
}

// A Func defined as undef and then by an update over [0, extents): on a GPU the first definition,
// which stores nothing, must not stay on the host either.
inline void ScheduleUpdateGpu(Halide::Func f, const std::vector<Halide::Var>& vars,
                              const std::vector<Halide::VarOrRVar>& loops) {
  ScheduleRowsGpu(f, std::vector<Halide::VarOrRVar>(vars.begin(), vars.end()));
  ScheduleRowsGpu(f.update(), loops);
}

}  // namespace halite

#endif  // HALITE_SCHEDULES_PARALLEL_H_
