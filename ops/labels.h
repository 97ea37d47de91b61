// SPDX-License-Identifier: Apache-2.0
//
// What functions of x [..., classes, ...] and labels [..., 1, ...] share.
#ifndef HALITE_OPS_LABELS_H_
#define HALITE_OPS_LABELS_H_

#include "absl/status/status.h"
#include "halite/core/canonical.h"
#include "halite/core/function_def.h"
#include "halite/core/lowering.h"

namespace halite {

// Checks x, the target and the axis of the classes, and adds the output, of the target's shape.
absl::Status InferWithLabels(Inference& in, int axis);

// x around the axis of the classes. REQUIRES: InferWithLabels passed.
InnerAxisOuter AroundClasses(const Lowering& l, int axis);

}  // namespace halite

#endif  // HALITE_OPS_LABELS_H_
