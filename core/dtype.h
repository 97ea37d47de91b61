// SPDX-License-Identifier: Apache-2.0
//
// DType: the element types of arrays.
#ifndef HALITE_CORE_DTYPE_H_
#define HALITE_CORE_DTYPE_H_

#include <cstdint>
#include <limits>
#include <type_traits>

#include "HalideRuntime.h"
#include "absl/strings/string_view.h"

namespace halite {

enum class DType : uint8_t { kFloat32, kFloat64, kInt32, kInt64, kUint8 };

// Bytes of one element.
constexpr int SizeOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kInt32:
      return 4;
    case DType::kFloat64:
    case DType::kInt64:
      return 8;
    case DType::kUint8:
      return 1;
  }
  return 0;
}

// "f32", "f64", "i32", "i64", "u8": as in kernel names and messages.
constexpr absl::string_view Name(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "f32";
    case DType::kFloat64:
      return "f64";
    case DType::kInt32:
      return "i32";
    case DType::kInt64:
      return "i64";
    case DType::kUint8:
      return "u8";
  }
  return "?";
}

constexpr bool IsFloat(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat64; }

inline halide_type_t HalideType(DType dtype) {
  const halide_type_code_t code = IsFloat(dtype)           ? halide_type_float
                                  : dtype == DType::kUint8 ? halide_type_uint
                                                           : halide_type_int;
  return halide_type_t(code, static_cast<uint8_t>(SizeOf(dtype) * 8), 1);
}

namespace internal {
template <typename T>
struct DTypeTraits;
template <>
struct DTypeTraits<float> {
  static constexpr DType kValue = DType::kFloat32;
};
template <>
struct DTypeTraits<double> {
  static constexpr DType kValue = DType::kFloat64;
};
template <>
struct DTypeTraits<int32_t> {
  static constexpr DType kValue = DType::kInt32;
};
template <>
struct DTypeTraits<int64_t> {
  static constexpr DType kValue = DType::kInt64;
};
template <>
struct DTypeTraits<uint8_t> {
  static constexpr DType kValue = DType::kUint8;
};
}  // namespace internal

// The DType of a C++ element type.
template <typename T>
inline constexpr DType kDTypeOf = internal::DTypeTraits<T>::kValue;

// `value` as an element of another type. What an integer type cannot hold becomes its nearest
// value, and NaN becomes 0; fractions are cut off. From integer to integer the low bits stay.
template <typename To, typename From>
constexpr To ConvertElement(From value) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // Rounded to a From, the limits of To are its lowest value and at least its highest.
    if (value != value) return 0;
    if (value <= static_cast<From>(std::numeric_limits<To>::min())) {
      return std::numeric_limits<To>::min();
    }
    if (value >= static_cast<From>(std::numeric_limits<To>::max())) {
      return std::numeric_limits<To>::max();
    }
  }
  return static_cast<To>(value);
}

// Calls `visit` with a null pointer of the C++ element type of `dtype`:
//   VisitDType(dtype, [&](auto* type) { using T = std::remove_pointer_t<decltype(type)>; ... });
template <typename Visitor>
decltype(auto) VisitDType(DType dtype, Visitor&& visit) {
  switch (dtype) {
    case DType::kFloat64:
      return visit(static_cast<double*>(nullptr));
    case DType::kInt32:
      return visit(static_cast<int32_t*>(nullptr));
    case DType::kInt64:
      return visit(static_cast<int64_t*>(nullptr));
    case DType::kUint8:
      return visit(static_cast<uint8_t*>(nullptr));
    case DType::kFloat32:
      break;
  }
  return visit(static_cast<float*>(nullptr));
}

}  // namespace halite

#endif  // HALITE_CORE_DTYPE_H_
