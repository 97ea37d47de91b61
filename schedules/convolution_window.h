// SPDX-License-Identifier: Apache-2.0
//
// How the input of a convolution is staged: padded rows, and planes with the channels in the lanes.
#ifndef HALITE_SCHEDULES_CONVOLUTION_WINDOW_H_
#define HALITE_SCHEDULES_CONVOLUTION_WINDOW_H_

#include "Halide.h"
#include "halite/ops/algorithms/convolution.h"
#include "halite/schedules/shuffle.h"

namespace halite {

// The channels of a row lie together: tiles walk over them.
inline void ScheduleWindow(PaddedWindow& in, const Halide::LoopLevel& where, int lanes) {
  in.padded.compute_at(where)
      .reorder_storage(in.x, in.c, in.y, in.z, in.i)
      .reorder(in.x, in.c, in.y, in.z, in.i)
      .vectorize(in.x, lanes, Halide::TailStrategy::RoundUp)
      .never_partition_all();
  const Halide::RVar vector("vector"), lane("lane");
  in.padded.update()
      .reorder(in.samples.x, in.c, in.y, in.z, in.i)
      .split(in.samples.x, vector, lane, lanes, Halide::TailStrategy::GuardWithIf)
      .vectorize(lane)
      .never_partition_all();
}

// The array of which `extent` is an extent, for prefetch: it is a variable that names it.
inline Halide::Parameter ArrayOf(const Halide::Expr& extent) {
  return extent.as<Halide::Internal::Variable>()->param;
}

// At `where`, a window for each image; memory is taken at `task`.
inline void ScheduleChannelPlanes(ChannelPlanes& in, const Halide::LoopLevel& where,
                                  const Halide::LoopLevel& task, int lanes) {
  ScheduleTransposed(in.pixels, where, task, lanes);
  ScheduleWindow(in.window, {in.pixels.elements, in.i}, lanes);
  in.window.padded.hoist_storage(task);
}

}  // namespace halite

#endif  // HALITE_SCHEDULES_CONVOLUTION_WINDOW_H_
