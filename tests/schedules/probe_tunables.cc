// SPDX-License-Identifier: Apache-2.0
#include "halite/schedules/tuner/tunable.h"

namespace halite {
namespace {

const Tunable kProbe({"probing"}, {"n", "5000", "20001"},
                     [](const ShapeRow& row, const TunedKernel&) {
                       return KernelArguments{{{"x", {row["n"]}}, {"y", {row["n"]}}}};
                     });

}  // namespace
}  // namespace halite
