// SPDX-License-Identifier: Apache-2.0
//
// Shape: the extents of an array, outermost first (row-major, as NumPy writes them).
#ifndef HALITE_CORE_SHAPE_H_
#define HALITE_CORE_SHAPE_H_

#include <cstdint>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace halite {

using Shape = absl::InlinedVector<int64_t, 6>;

// Number of elements: the product of the extents, 1 for rank 0.
int64_t Size(absl::Span<const int64_t> shape);

// "[32,3,28,28]".
std::string ToString(absl::Span<const int64_t> shape);

// Every extent is at least 0 and the number of elements fits in memory arithmetic.
absl::Status CheckShape(absl::Span<const int64_t> shape);

// Turns a negative axis into one in [0, rank); an axis outside [-rank, rank) is an error.
absl::StatusOr<int> NormalizeAxis(int64_t axis, int rank);

// Normalizes `axes`, sorts them and refuses one given twice. Empty means every axis.
absl::StatusOr<absl::InlinedVector<int, 6>> NormalizeAxes(absl::Span<const int64_t> axes, int rank);

// Each dimension equal, or 1 on one side; the ranks must be equal.
absl::StatusOr<Shape> Broadcast(absl::Span<const int64_t> a, absl::Span<const int64_t> b);

}  // namespace halite

#endif  // HALITE_CORE_SHAPE_H_
