// SPDX-License-Identifier: Apache-2.0
//
// How the shuffles of ops/algorithms/shuffle.h run.
#ifndef HALITE_SCHEDULES_SHUFFLE_H_
#define HALITE_SCHEDULES_SHUFFLE_H_

#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/shuffle.h"

namespace halite {

// Lists of `elements`, one at a time, at `where`: each shuffle makes two vectors of `lanes` out of
// two. The list itself is read by the first, a vector of each half at a time.
inline void ScheduleShuffles(std::vector<Halide::Func>& shuffles, int elements, int lanes,
                             const Halide::LoopLevel& where) {
  const Halide::Var pair("pair"), bit("bit");
  for (Halide::Func& shuffle : shuffles) {
    const std::vector<Halide::Var> at = shuffle.args();
    shuffle.compute_at(where).store_in(Halide::MemoryType::Stack).bound(at[0], 0, elements);
    for (size_t i = 1; i < at.size(); ++i) shuffle.bound_extent(at[i], 1);
    shuffle.split(at[0], pair, bit, 2).unroll(bit).vectorize(pair, lanes).unroll(pair);
  }
}

// At `where`, a row of squares after another; memory is taken once, at `task`: threads that ask for
// it in turn wait for each other.
inline void ScheduleTransposed(TransposedSquares& op, const Halide::LoopLevel& where,
                               const Halide::LoopLevel& task, int lanes) {
  const Halide::Var one("one");
  op.elements.compute_at(where)
      .hoist_storage(task)
      .bound(op.v, 0, lanes)
      .align_bounds(op.p, lanes)
      .split(op.p, op.p, one, lanes, Halide::TailStrategy::RoundUp)
      .reorder(op.v, one, op.p)
      .vectorize(op.v)
      .unroll(one)
      .never_partition_all();
  ScheduleShuffles(op.shuffles, lanes * lanes, lanes, {op.elements, op.p});
}

}  // namespace halite

#endif  // HALITE_SCHEDULES_SHUFFLE_H_
