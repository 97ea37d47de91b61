// SPDX-License-Identifier: Apache-2.0
//
// With which arguments the tuner times softsign: n elements.
#include "halite/schedules/tuner/tunable.h"

namespace consumer {

const halite::Tunable kSoftsign(
    {"softsign", "softsign_grad"}, {"n", "1000", "100000", "3211264"},
    [](const halite::ShapeRow& row, const halite::TunedKernel&) {
      const std::vector<int> n = {row["n"]};
      return halite::KernelArguments{{{"x", n}, {"y", n}, {"dy", n}, {"dx", n}}};
    });

}  // namespace consumer
