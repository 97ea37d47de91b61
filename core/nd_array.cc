// SPDX-License-Identifier: Apache-2.0
#include "halite/core/nd_array.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"

namespace halite {

NdArray::NdArray(const Shape& shape, DType dtype) : state_(std::make_shared<State>()) {
  state_->status = CheckShape(shape);
  state_->shape = state_->status.ok() ? shape : Shape{0};
  state_->size = Size(state_->shape);
  state_->storage = std::make_shared<Storage>(state_->size, dtype);
}

NdArray::NdArray(absl::Status status) : NdArray(Shape{0}) { state_->status = std::move(status); }

int64_t NdArray::SizeFromAxis(int axis) const {
  if (axis < 0) return size();
  const size_t first = std::min<size_t>(axis, shape().size());
  return Size(absl::MakeConstSpan(shape()).subspan(first));
}

Shape NdArray::strides() const {
  Shape strides(shape().size());
  int64_t stride = 1;
  for (int d = rank() - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= shape()[d];
  }
  return strides;
}

absl::StatusOr<std::byte*> NdArray::Access(DType dtype, halite::Access access) const {
  HALITE_RETURN_IF_ERROR(status());
  if (dtype != this->dtype()) {
    return absl::InvalidArgumentError(absl::StrCat("NdArray: elements of type ",
                                                   Name(this->dtype()), " accessed as ",
                                                   Name(dtype), ": their own type needed"));
  }
  Storage& memory = storage();
  // Writing a part keeps the rest.
  if (access == halite::Access::kWrite && !IsWholeStorage()) access = halite::Access::kUpdate;
  HALITE_RETURN_IF_ERROR(memory.Prepare(Device::kCpu, access));
  return memory.host() + offset() * SizeOf(dtype);
}

void NdArray::Fill(double value) {
  if (IsWholeStorage()) {
    storage().Fill(value);
    return;
  }
  // A part of a storage cannot be lazy.
  if (auto data = Access(dtype(), halite::Access::kUpdate); data.ok()) {
    VisitDType(dtype(), [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      std::fill_n(reinterpret_cast<T*>(*data), size(), ConvertElement<T>(value));
    });
  }
}

void NdArray::Clear() {
  if (state_->storage.use_count() > 1) {
    state_->storage = std::make_shared<Storage>(size(), dtype());
    state_->offset = 0;
  }
  storage().Clear();
}

absl::Status NdArray::Cast(DType dtype) {
  HALITE_RETURN_IF_ERROR(status());
  return storage().Cast(dtype);
}

absl::Status NdArray::CopyFrom(const NdArray& from) {
  HALITE_RETURN_IF_ERROR(status());
  HALITE_RETURN_IF_ERROR(from.status());
  if (size() != from.size()) {
    return absl::InvalidArgumentError(absl::StrCat("CopyFrom: ", ToString(from.shape()), " into ",
                                                   ToString(shape()), ": equal sizes needed"));
  }
  HALITE_ASSIGN_OR_RETURN(const std::byte* source,
                          from.Access(from.dtype(), halite::Access::kRead));
  HALITE_ASSIGN_OR_RETURN(std::byte * target, Access(dtype(), halite::Access::kWrite));
  VisitDType(from.dtype(), [&](auto* from_type) {
    using From = std::remove_pointer_t<decltype(from_type)>;
    VisitDType(dtype(), [&](auto* to_type) {
      using To = std::remove_pointer_t<decltype(to_type)>;
      const From* values = reinterpret_cast<const From*>(source);
      std::transform(values, values + size(), reinterpret_cast<To*>(target),
                     [](From value) { return ConvertElement<To>(value); });
    });
  });
  return absl::OkStatus();
}

absl::StatusOr<NdArray> NdArray::Copy() const {
  HALITE_RETURN_IF_ERROR(status());
  NdArray copy(shape(), dtype());
  HALITE_RETURN_IF_ERROR(copy.CopyFrom(*this));
  return copy;
}

absl::StatusOr<NdArray> NdArray::Narrow(int64_t start, int64_t length) const {
  HALITE_RETURN_IF_ERROR(status());
  if (rank() == 0 || start < 0 || length < 0 || length > shape()[0] - start) {
    return absl::InvalidArgumentError(absl::StrCat("Narrow: ", length, " elements from ", start,
                                                   " on of ", ToString(shape()),
                                                   ": a range inside the first axis needed"));
  }
  auto state = std::make_shared<State>(*state_);
  state->offset += start * SizeFromAxis(1);
  state->shape[0] = length;
  state->size = Size(state->shape);
  return NdArray(std::move(state));
}

absl::StatusOr<NdArray> NdArray::Reshape(const Shape& shape) const {
  HALITE_RETURN_IF_ERROR(status());
  HALITE_RETURN_IF_ERROR(CheckShape(shape));
  if (Size(shape) != size()) {
    return absl::InvalidArgumentError(absl::StrCat("Reshape: ", ToString(this->shape()), " as ",
                                                   ToString(shape), ": equal sizes needed"));
  }
  auto state = std::make_shared<State>(*state_);
  state->shape = shape;
  return NdArray(std::move(state));
}

void NdArray::Alias(const NdArray& other) {
  HALITE_CHECK(size() == other.size(), "an array of as many elements needed");
  state_->storage = other.state_->storage;
  state_->offset = other.state_->offset;
}

}  // namespace halite
