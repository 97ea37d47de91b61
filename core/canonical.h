// SPDX-License-Identifier: Apache-2.0
//
// Canonical forms: how shapes of any rank become the few dimensions that kernels take. Dimensions
// are innermost first here, as kernels see them.
#ifndef HALITE_CORE_CANONICAL_H_
#define HALITE_CORE_CANONICAL_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "halite/core/kernel_call.h"
#include "halite/core/shape.h"

namespace halite {

// The elements of `shape` around `axis`: products of the extents inside it and outside it.
struct InnerAxisOuter {
  int64_t inner = 1;
  int64_t axis = 1;
  int64_t outer = 1;

  InnerAxisOuter(absl::Span<const int64_t> shape, int axis);
  // Around the adjacent axes first .. last, taken as one.
  InnerAxisOuter(absl::Span<const int64_t> shape, int first, int last);
  std::vector<int64_t> dims() const { return {inner, axis, outer}; }
};

// Several arrays walked together over common extents; a stride of 0 broadcasts an array.
struct Walk {
  absl::InlinedVector<int64_t, 6> extents;
  // strides[k][d]: of array k in dimension d.
  std::vector<absl::InlinedVector<int64_t, 6>> strides;

  // A walk over `shape`, along which arrays of `shapes` broadcast (extents equal or 1).
  static Walk Broadcast(absl::Span<const int64_t> shape, absl::Span<const Shape> shapes);

  int rank() const { return static_cast<int>(extents.size()); }
  // Drops extents of 1 and merges neighbours that all arrays cross evenly. At least rank 1 stays.
  void Collapse();
  // The view of `operand`'s array by array k of the walk, over the first `rank` dimensions,
  // starting at `offset`.
  Operand View(const Operand& operand, int k, int rank, int64_t offset) const;
  // Calls `visit` with the offsets of all arrays for each index of the dimensions from `rank` on,
  // which no kernel takes.
  void ForEachOuter(int rank, const std::function<void(absl::Span<const int64_t>)>& visit) const;
};

// Most dimensions that pointwise and copy kernels take.
inline constexpr int kWalkRank = 4;

}  // namespace halite

#endif  // HALITE_CORE_CANONICAL_H_
