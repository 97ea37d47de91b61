// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_datatype.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/bytes.h"
#include "halite/io/hdf5_format.h"
#include "halite/io/hdf5_reader.h"

namespace halite::hdf5 {
namespace {

static_assert(std::endian::native == std::endian::little, "IsNative knows little-endian hosts");

constexpr int kMaxRank = 32;

Datatype IeeeFloat(uint64_t size) {
  Datatype type;
  type.kind = Datatype::kFloat;
  type.size = size;
  type.mantissa_bits = size == 4 ? 23 : 52;
  type.exponent_at = type.mantissa_bits;
  type.exponent_bits = size == 4 ? 8 : 11;
  type.sign_at = static_cast<int>(size) * 8 - 1;
  type.bias = size == 4 ? 127 : 1023;
  return type;
}

uint64_t Load(const Datatype& type, const uint8_t* element) {
  uint64_t word = 0;
  for (size_t i = 0; i < type.size; ++i) {
    word |= uint64_t{element[i]} << (8 * (type.big_endian ? type.size - 1 - i : i));
  }
  return word;
}

uint64_t BitField(uint64_t word, int at, int bits) {
  return word >> at & ((uint64_t{1} << bits) - 1);
}

// Reads the properties of a floating-point type; kOther stays unless it is one that we convert.
void ParseFloat(uint64_t flags, ByteReader& reader, Datatype& type) {
  const uint64_t offset = reader.Unsigned(2), precision = reader.Unsigned(2);
  type.sign_at = static_cast<int>(flags >> 8 & 0xFF);
  type.exponent_at = static_cast<int>(reader.Unsigned(1));
  type.exponent_bits = static_cast<int>(reader.Unsigned(1));
  type.mantissa_at = static_cast<int>(reader.Unsigned(1));
  type.mantissa_bits = static_cast<int>(reader.Unsigned(1));
  type.bias = static_cast<int64_t>(reader.Unsigned(4));
  const int bits = static_cast<int>(type.size) * 8;
  const bool leading_one_implied = (flags >> 4 & 0x03) == 2, vax = (flags & 0x40) != 0;
  const bool inside = type.sign_at < bits && type.exponent_at + type.exponent_bits <= bits &&
                      type.mantissa_at + type.mantissa_bits <= bits;
  if (type.size <= 8 && offset == 0 && precision == type.size * 8 && leading_one_implied && !vax &&
      inside && type.exponent_bits >= 2 && type.exponent_bits <= 11 && type.mantissa_bits >= 1 &&
      type.mantissa_bits <= 52) {
    type.kind = Datatype::kFloat;
  }
}

absl::StatusOr<Datatype> ParseType(absl::Span<const uint8_t> message, bool inside_enum) {
  ByteReader reader(message);
  const uint64_t type_class = reader.Unsigned(1) & 0x0F, flags = reader.Unsigned(3);
  Datatype type;
  type.size = reader.Unsigned(4);
  if (type_class == kFixedPoint || type_class == kFloatingPoint) {
    type.big_endian = (flags & 0x01) != 0;
  }
  if (type_class == kFixedPoint) {
    type.is_signed = (flags & 0x08) != 0;
    const uint64_t offset = reader.Unsigned(2), precision = reader.Unsigned(2);
    if (type.size <= 8 && offset == 0 && precision == type.size * 8) type.kind = Datatype::kInteger;
  } else if (type_class == kFloatingPoint) {
    ParseFloat(flags, reader, type);
  } else if (type_class == kString) {
    type.kind = Datatype::kText;
  } else if (type_class == kEnum && !inside_enum) {
    HALITE_ASSIGN_OR_RETURN(const Datatype base, ParseType(reader.Bytes(reader.remaining()), true));
    if (base.kind == Datatype::kInteger && base.size == type.size) type = base;
  }
  if (!reader.ok() || type.size == 0) return Damaged("element type", "the message is cut or empty");
  return type;
}

}  // namespace

absl::StatusOr<Datatype> ParseDatatype(absl::Span<const uint8_t> message) {
  return ParseType(message, false);
}

absl::StatusOr<Shape> ParseDataspace(absl::Span<const uint8_t> message) {
  ByteReader reader(message);
  const uint64_t version = reader.Unsigned(1), rank = reader.Unsigned(1);
  reader.Skip(1);  // flags
  const uint64_t type = reader.Unsigned(1);
  if (version == 1) reader.Skip(4);
  if (version < 1 || version > 2 || rank > kMaxRank) {
    return Damaged("shape", absl::StrCat("version ", version, ", rank ", rank));
  }
  if (version == 2 && type == 2) return Shape{0};
  Shape shape;
  for (uint64_t d = 0; d < rank; ++d) {
    const uint64_t extent = reader.Unsigned(8);
    if (extent > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Damaged("shape", absl::StrCat("an extent of ", extent));
    }
    shape.push_back(static_cast<int64_t>(extent));
  }
  if (!reader.ok()) return Damaged("shape", "the message is cut");
  if (const absl::Status status = CheckShape(shape); !status.ok()) {
    return Damaged("shape", status.message());
  }
  return shape;
}

DType ToDType(const Datatype& type) {
  if (type.kind == Datatype::kFloat) return type.size <= 4 ? DType::kFloat32 : DType::kFloat64;
  if (type.size == 1 && !type.is_signed) return DType::kUint8;
  const uint64_t widest = type.is_signed ? 4 : 2;
  return type.size <= widest ? DType::kInt32 : DType::kInt64;
}

bool IsNative(const Datatype& type) {
  if (type.kind == Datatype::kFloat) {
    return type == IeeeFloat(type.size <= 4 ? 4 : 8);
  }
  return (type.size == 1 && !type.is_signed) ||
         (type.is_signed && !type.big_endian && (type.size == 4 || type.size == 8));
}

int64_t ToInteger(const Datatype& type, const uint8_t* element) {
  const uint64_t word = Load(type, element);
  if (type.is_signed) {
    const int unused = 64 - 8 * static_cast<int>(type.size);
    return static_cast<int64_t>(word << unused) >> unused;
  }
  constexpr uint64_t kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(word < kMax ? word : kMax);
}

double ToDouble(const Datatype& type, const uint8_t* element) {
  if (type.kind == Datatype::kInteger) return static_cast<double>(ToInteger(type, element));
  const uint64_t word = Load(type, element);
  const uint64_t exponent = BitField(word, type.exponent_at, type.exponent_bits);
  const uint64_t mantissa = BitField(word, type.mantissa_at, type.mantissa_bits);
  const bool negative = BitField(word, type.sign_at, 1) != 0;
  double magnitude;
  if (exponent == (uint64_t{1} << type.exponent_bits) - 1) {
    magnitude = mantissa == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
  } else {
    // (1 + m / 2^bits) 2^(e - bias); with exponent 0 the leading digit is 0 and e counts as 1.
    const double digits = std::ldexp(static_cast<double>(mantissa), -type.mantissa_bits);
    const int64_t power = static_cast<int64_t>(exponent == 0 ? 1 : exponent) - type.bias;
    magnitude = std::ldexp(digits + (exponent == 0 ? 0 : 1),
                           static_cast<int>(std::max<int64_t>(power, -5000)));
  }
  return negative ? -magnitude : magnitude;
}

absl::Status Convert(const Datatype& type, absl::Span<const uint8_t> raw, NdArray& array) {
  return VisitDType(array.dtype(), [&](auto* element_type) -> absl::Status {
    using T = std::remove_pointer_t<decltype(element_type)>;
    HALITE_ASSIGN_OR_RETURN(const absl::Span<T> elements, array.Write<T>());
    HALITE_CHECK(raw.size() == elements.size() * type.size, "as many elements needed");
    for (size_t i = 0; i < elements.size(); ++i) {
      const uint8_t* element = raw.data() + i * type.size;
      if constexpr (std::is_floating_point_v<T>) {
        elements[i] = static_cast<T>(ToDouble(type, element));
      } else {
        elements[i] = static_cast<T>(ToInteger(type, element));
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace halite::hdf5
