// SPDX-License-Identifier: Apache-2.0
//
// NdArray: an N-dimensional array of one element type, row-major and dense, on any device.
//
// A handle: copies share the elements; CopyFrom copies them. An array never written reads as zeros.
// Reading and writing on the host move the data there if its valid copy is on a GPU. Errors of
// imperative calls stay in the array (status()) and come out of every access.
// Thread-compatible: concurrent reads are safe once the data is valid on the host.
#ifndef HALITE_CORE_ND_ARRAY_H_
#define HALITE_CORE_ND_ARRAY_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "halite/core/dtype.h"
#include "halite/core/shape.h"
#include "halite/core/storage.h"

namespace halite {

class NdArray {
 public:
  // A float32 scalar (rank 0).
  NdArray() : NdArray(Shape{}) {}
  // Elements are not allocated before they are needed. A bad shape gives an array with a status.
  explicit NdArray(const Shape& shape, DType dtype = DType::kFloat32);
  // An array that carries an error.
  explicit NdArray(absl::Status status);

  // A copy of `values`, row-major. Their number must be the shape's.
  template <typename T>
  static NdArray From(const Shape& shape, absl::Span<const T> values);
  template <typename T>
  static NdArray From(const Shape& shape, const std::vector<T>& values) {
    return From(shape, absl::Span<const T>(values));
  }
  // Wraps memory of the caller (row-major, `shape` elements of T), who keeps it alive until
  // `release` is called or the last handle is gone.
  template <typename T>
  static NdArray Borrow(const Shape& shape, T* memory, std::function<void()> release = nullptr);

  const Shape& shape() const { return state_->shape; }
  DType dtype() const { return state_->storage->dtype(); }
  int rank() const { return static_cast<int>(state_->shape.size()); }
  int64_t size() const { return state_->size; }
  // Product of the extents from `axis` on; axis -1 (the default) means all of them.
  int64_t SizeFromAxis(int axis = -1) const;
  // Elements between neighbours of each dimension.
  Shape strides() const;

  // The error this array carries, if any.
  const absl::Status& status() const { return state_->status; }

  // Views of the elements on the host. T must be the element type. Write gives uninitialised
  // memory to overwrite, Update gives the present values.
  template <typename T>
  absl::StatusOr<absl::Span<const T>> Read() const;
  template <typename T>
  absl::StatusOr<absl::Span<T>> Write();
  template <typename T>
  absl::StatusOr<absl::Span<T>> Update();

  // A copy of the elements, converted to T (as by ConvertElement of dtype.h, which is true of every
  // conversion here: NaN becomes the integer 0, and what is too large the largest).
  template <typename T>
  absl::StatusOr<std::vector<T>> ToVector() const;

  // Lazy: done when somebody reads, where they read.
  void Zero() { Fill(0); }
  void Fill(double value);
  // True from Zero() to the next write.
  bool zeroing() const { return state_->storage->zeroing(); }

  // Converts the elements in place. Views of the same memory see the new type.
  absl::Status Cast(DType dtype);
  // Copies the elements of `from`, which must have the same number of them, converting the type.
  absl::Status CopyFrom(const NdArray& from);
  // A deep copy.
  absl::StatusOr<NdArray> Copy() const;

  // A view of the elements start .. start + length of the first axis.
  absl::StatusOr<NdArray> Narrow(int64_t start, int64_t length) const;
  // A view with another shape of the same size.
  absl::StatusOr<NdArray> Reshape(const Shape& shape) const;

  // Returns the memory to the pool; the array then reads as zeros until it is written.
  // Views and aliases of the same memory keep it.
  void Clear();
  bool cleared() const { return state_->storage->cleared(); }

  // Rises with each write.
  uint64_t version() const { return state_->storage->version(); }

  // For the engine: the memory, and the first element's place in it.
  Storage& storage() const { return *state_->storage; }
  int64_t offset() const { return state_->offset; }
  bool IsWholeStorage() const { return state_->size == state_->storage->elements(); }
  // Makes this array (all its handles) a view of the memory of `other`, which has as many elements.
  void Alias(const NdArray& other);
  // Exchanges the memory of two arrays of the same size and dtype.
  void SwapMemory(NdArray& other) { std::swap(state_->storage, other.state_->storage); }
  bool SharesMemoryWith(const NdArray& other) const {
    return state_->storage == other.state_->storage;
  }

 private:
  struct State {
    Shape shape;
    int64_t size = 0;
    int64_t offset = 0;  // in elements
    std::shared_ptr<Storage> storage;
    absl::Status status;
  };

  explicit NdArray(std::shared_ptr<State> state) : state_(std::move(state)) {}
  absl::StatusOr<std::byte*> Access(DType dtype, halite::Access access) const;

  std::shared_ptr<State> state_;
};

template <typename T>
NdArray NdArray::From(const Shape& shape, absl::Span<const T> values) {
  NdArray array(shape, kDTypeOf<T>);
  if (!array.status().ok()) return array;
  if (array.size() != static_cast<int64_t>(values.size())) {
    return NdArray(absl::InvalidArgumentError("NdArray: " + std::to_string(values.size()) +
                                              " values for shape " + ToString(shape) + ": " +
                                              std::to_string(array.size()) + " needed"));
  }
  auto span = array.Write<T>();
  if (!span.ok()) return NdArray(span.status());
  std::copy(values.begin(), values.end(), span->begin());
  return array;
}

template <typename T>
NdArray NdArray::Borrow(const Shape& shape, T* memory, std::function<void()> release) {
  NdArray array(shape, kDTypeOf<T>);
  if (array.status().ok()) {
    array.state_->storage =
        std::make_shared<Storage>(array.size(), kDTypeOf<T>, memory, std::move(release));
  }
  return array;
}

template <typename T>
absl::StatusOr<absl::Span<const T>> NdArray::Read() const {
  auto data = Access(kDTypeOf<T>, halite::Access::kRead);
  if (!data.ok()) return data.status();
  return absl::MakeConstSpan(reinterpret_cast<const T*>(*data), static_cast<size_t>(size()));
}

template <typename T>
absl::StatusOr<absl::Span<T>> NdArray::Write() {
  auto data = Access(kDTypeOf<T>, halite::Access::kWrite);
  if (!data.ok()) return data.status();
  return absl::MakeSpan(reinterpret_cast<T*>(*data), static_cast<size_t>(size()));
}

template <typename T>
absl::StatusOr<absl::Span<T>> NdArray::Update() {
  auto data = Access(kDTypeOf<T>, halite::Access::kUpdate);
  if (!data.ok()) return data.status();
  return absl::MakeSpan(reinterpret_cast<T*>(*data), static_cast<size_t>(size()));
}

template <typename T>
absl::StatusOr<std::vector<T>> NdArray::ToVector() const {
  auto data = Access(dtype(), halite::Access::kRead);
  if (!data.ok()) return data.status();
  std::vector<T> values(static_cast<size_t>(size()));
  VisitDType(dtype(), [&](auto* type) {
    const auto* from = reinterpret_cast<const std::remove_pointer_t<decltype(type)>*>(*data);
    for (int64_t i = 0; i < size(); ++i) values[i] = ConvertElement<T>(from[i]);
  });
  return values;
}

}  // namespace halite

#endif  // HALITE_CORE_ND_ARRAY_H_
