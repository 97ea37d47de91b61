// SPDX-License-Identifier: Apache-2.0
#include "halite/core/shape.h"

#include <algorithm>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "halite/core/status.h"

namespace halite {

int64_t Size(absl::Span<const int64_t> shape) {
  int64_t size = 1;
  for (int64_t extent : shape) size *= extent;
  return size;
}

std::string ToString(absl::Span<const int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

absl::Status CheckShape(absl::Span<const int64_t> shape) {
  // Kernels index with 32 bits; 2^31 - 1 elements of 8 bytes stay far below any 64-bit overflow.
  constexpr int64_t kLimit = std::numeric_limits<int32_t>::max();
  int64_t size = 1;
  for (int64_t extent : shape) {
    if (extent < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ToString(shape), ": extents of at least 0 needed"));
    }
    if (extent > kLimit || size * std::max<int64_t>(extent, 1) > kLimit) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ToString(shape), ": at most ", kLimit, " elements supported"));
    }
    size *= std::max<int64_t>(extent, 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<int> NormalizeAxis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    return absl::InvalidArgumentError(
        absl::StrCat("axis ", axis, ": an axis in [", -rank, ",", rank, ") needed"));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

absl::StatusOr<absl::InlinedVector<int, 6>> NormalizeAxes(absl::Span<const int64_t> axes,
                                                          int rank) {
  absl::InlinedVector<int, 6> result;
  for (int64_t axis : axes) {
    HALITE_ASSIGN_OR_RETURN(int normalized, NormalizeAxis(axis, rank));
    result.push_back(normalized);
  }
  if (axes.empty()) {
    for (int axis = 0; axis < rank; ++axis) result.push_back(axis);
  }
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) != result.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("axes ", ToString(axes), ": each axis at most once needed"));
  }
  return result;
}

absl::StatusOr<Shape> Broadcast(absl::Span<const int64_t> a, absl::Span<const int64_t> b) {
  bool fits = a.size() == b.size();
  Shape result(a.begin(), a.end());
  for (size_t d = 0; fits && d < a.size(); ++d) {
    fits = a[d] == b[d] || a[d] == 1 || b[d] == 1;
    if (a[d] == 1) result[d] = b[d];
  }
  if (!fits) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToString(a), " and ", ToString(b),
                     ": equal ranks, and in each dimension equal extents or 1 needed"));
  }
  return result;
}

}  // namespace halite
