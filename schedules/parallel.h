// SPDX-License-Identifier: Apache-2.0
//
// How memory-bound loops are vectorised and become tasks: shared by the schedules that walk over
// rows of contiguous elements.
#ifndef HALITE_SCHEDULES_PARALLEL_H_
#define HALITE_SCHEDULES_PARALLEL_H_

#include <string>
#include <vector>

#include "Halide.h"

namespace halite {

// Elements that one task of a memory-bound kernel handles at least: 128 KB of float32, some 5
// microseconds, against about 1 for handing a task to another thread. Smaller arrays make one task,
// which runs on the calling thread.
constexpr int kGrain = 32768;

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

// One pass over rows: loops[0] runs over `row_length` contiguous elements, `lanes` at a time; the
// rest are outer loops; tasks of about kGrain elements.
inline void ScheduleRowsCpu(Halide::Stage stage, const std::vector<Halide::VarOrRVar>& loops,
                            Halide::Expr row_length, int lanes) {
  constexpr auto kGuard = Halide::TailStrategy::GuardWithIf;
  const bool r = loops[0].is_rvar;
  const Halide::VarOrRVar chunk("chunk", r), i("i", r), task("task", r), inner("inner", r);
  // A short row is one chunk of its own length: a guard is paid for each iteration of a chunk.
  const Halide::Expr chunk_length = Halide::max(1, Halide::min(kGrain, row_length));
  stage.split(loops[0], chunk, i, chunk_length, kGuard).vectorize(i, lanes, kGuard);
  std::vector<Halide::VarOrRVar> rows(loops);
  rows[0] = chunk;
  stage.split(FuseAll(stage, rows), task, inner, RowsPerTask(row_length), kGuard).parallel(task);
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
