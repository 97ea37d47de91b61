// SPDX-License-Identifier: Apache-2.0
//
// libhdf5 as the reader and the writer use it.
#ifndef HALITE_IO_HDF5_LIBRARY_H_
#define HALITE_IO_HDF5_LIBRARY_H_

// The names and structures of version 1.10, also of newer libraries.
#define H5_USE_110_API
#include <hdf5.h>

#include <mutex>
#include <string>

#include "halite/core/dtype.h"

namespace halite::hdf5 {

// Groups inside groups that we follow and write.
inline constexpr int kMaxDepth = 32;
// The longest name of an object and text of an attribute.
inline constexpr size_t kMaxTextBytes = size_t{32} << 10;

// The library has no locks. This one is held while we call it, and while we fork, so that the child
// finds it at rest.
inline std::mutex& LibraryMutex() {
  static auto& mutex = *new std::mutex;
  return mutex;
}

// An identifier of the library, let go of at the end. Negative if the call that made it failed.
class Id {
 public:
  explicit Id(hid_t id) : id_(id) {}
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  ~Id() {
    if (id_ >= 0) H5Idec_ref(id_);
  }

  operator hid_t() const { return id_; }  // NOLINT: it stands where the library wants one
  bool ok() const { return id_ >= 0; }

 private:
  hid_t id_;
};

// The type of elements in memory.
inline hid_t NativeType(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return H5T_NATIVE_FLOAT;
    case DType::kFloat64:
      return H5T_NATIVE_DOUBLE;
    case DType::kInt32:
      return H5T_NATIVE_INT32;
    case DType::kInt64:
      return H5T_NATIVE_INT64;
    case DType::kUint8:
      return H5T_NATIVE_UINT8;
  }
  return H5I_INVALID_HID;
}

// What the innermost function said of the last call, which has failed.
inline std::string LastError() {
  std::string text = "no reason given";
  const auto keep_first = [](unsigned number, const H5E_error2_t* error, void* data) -> herr_t {
    if (number == 0 && error->desc != nullptr) *static_cast<std::string*>(data) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
  return text;
}

}  // namespace halite::hdf5

#endif  // HALITE_IO_HDF5_LIBRARY_H_
