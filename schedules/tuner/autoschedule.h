// SPDX-License-Identifier: Apache-2.0
//
// Halide's autoschedulers in the place of a hand-written schedule, to compare with it.
#ifndef HALITE_SCHEDULES_TUNER_AUTOSCHEDULE_H_
#define HALITE_SCHEDULES_TUNER_AUTOSCHEDULE_H_

#include <string>

#include "Halide.h"

namespace halite {

// Takes every schedule out of `pipeline`, whose inputs and outputs have estimates, and lets the
// autoscheduler `name` of the library `plugin` give it another. Throws what Halide throws.
void ApplyAutoscheduler(Halide::Pipeline& pipeline, const Halide::Target& target,
                        const std::string& name, const std::string& plugin);

}  // namespace halite

#endif  // HALITE_SCHEDULES_TUNER_AUTOSCHEDULE_H_
