// SPDX-License-Identifier: Apache-2.0
//
// IDX files (MNIST, Fashion-MNIST), plain or compressed with gzip: two zero bytes, the element
// type, the rank, extents as big-endian 32-bit integers, then the elements, big-endian, row-major.
#ifndef HALITE_IO_IDX_H_
#define HALITE_IO_IDX_H_

#include <string>

#include "absl/status/statusor.h"
#include "halite/core/nd_array.h"

namespace halite {

// Unsigned bytes become u8; signed bytes, 16 and 32 bit integers i32; float f32; double f64.
// The file is untrusted: a header that promises more than it can hold is an error, as are missing
// and left-over bytes.
absl::StatusOr<NdArray> ReadIdx(const std::string& path);

}  // namespace halite

#endif  // HALITE_IO_IDX_H_
