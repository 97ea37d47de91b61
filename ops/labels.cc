// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/labels.h"

#include "absl/strings/str_cat.h"

namespace halite {

absl::Status InferWithLabels(Inference& in, int axis) {
  const absl::StatusOr<int> own = NormalizeAxis(axis, in.rank());
  if (!own.ok()) return in.AxisError(axis);
  Shape labels = in.shape();
  labels[*own] = 1;
  if (in.shape(1) != labels) return in.ShapeError(absl::StrCat("target ", ToString(labels)));
  in.AddOutput(labels);
  return absl::OkStatus();
}

InnerAxisOuter AroundClasses(const Lowering& l, int axis) {
  const Shape& shape = l.x_shape();
  return InnerAxisOuter(shape, *NormalizeAxis(axis, static_cast<int>(shape.size())));
}

}  // namespace halite
