// SPDX-License-Identifier: Apache-2.0
//
// How the shuffles of ops/algorithms/shuffle.h run.
#ifndef HALITE_SCHEDULES_SHUFFLE_H_
#define HALITE_SCHEDULES_SHUFFLE_H_

#include <vector>

#include "Halide.h"

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

}  // namespace halite

#endif  // HALITE_SCHEDULES_SHUFFLE_H_
