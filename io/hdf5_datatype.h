// SPDX-License-Identifier: Apache-2.0
//
// Element types and shapes of HDF5 datasets and attributes, and their conversion to ours.
#ifndef HALITE_IO_HDF5_DATATYPE_H_
#define HALITE_IO_HDF5_DATATYPE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "halite/core/dtype.h"
#include "halite/core/nd_array.h"
#include "halite/core/shape.h"

namespace halite::hdf5 {

struct Datatype {
  enum Kind : uint8_t { kInteger, kFloat, kText, kOther };
  Kind kind = kOther;
  uint64_t size = 0;  // bytes of an element, 1 at least
  bool big_endian = false;
  bool is_signed = false;  // integers
  // Binary floating point: places and widths in bits; the leading 1 of the mantissa is not stored.
  int sign_at = 0, exponent_at = 0, exponent_bits = 0, mantissa_at = 0, mantissa_bits = 0;
  int64_t bias = 0;

  bool operator==(const Datatype&) const = default;
};

// Kinds that we do not read become kOther.
absl::StatusOr<Datatype> ParseDatatype(absl::Span<const uint8_t> message);

// A null dataspace (no elements) is the shape [0].
absl::StatusOr<Shape> ParseDataspace(absl::Span<const uint8_t> message);

// The element type that holds the values: f16 and f32 become f32, f64 stays; unsigned bytes u8,
// integers that fit i32, others i64. REQUIRES: kInteger or kFloat.
DType ToDType(const Datatype& type);

// Whether the elements lie in the file as they do in an array of ToDType(type).
bool IsNative(const Datatype& type);

// Converts `raw`, array.size() elements of `type`, into the array of dtype ToDType(type). Integers
// above 2^63 - 1 become 2^63 - 1.
absl::Status Convert(const Datatype& type, absl::Span<const uint8_t> raw, NdArray& array);

// One element as a number.
double ToDouble(const Datatype& type, const uint8_t* element);
int64_t ToInteger(const Datatype& type, const uint8_t* element);

}  // namespace halite::hdf5

#endif  // HALITE_IO_HDF5_DATATYPE_H_
