// SPDX-License-Identifier: Apache-2.0
//
// Storage: the memory behind one array and its views: a copy on the host, one on a GPU, which of
// them are valid, and the lazy fill. Moves between host and device happen here alone and are
// counted. Not thread-safe, except that several threads may read a storage that is valid on the
// device they ask for.
#ifndef HALITE_CORE_STORAGE_H_
#define HALITE_CORE_STORAGE_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "halite/core/device.h"
#include "halite/core/dtype.h"

namespace halite {

// How an operation touches memory.
enum class Access : uint8_t {
  kRead,
  kWrite,   // every element is overwritten; what was there is not needed
  kUpdate,  // read and written
};

// Copies between host and devices since the program began.
struct TransferStatistics {
  int64_t to_device = 0;
  int64_t to_host = 0;
  int64_t bytes = 0;
};
TransferStatistics GetTransferStatistics();

class Storage {
 public:
  Storage(int64_t elements, DType dtype) : elements_(elements), dtype_(dtype) {}
  // Memory owned by the caller, who keeps it alive and may be told by `release` when it is free.
  Storage(int64_t elements, DType dtype, void* memory, std::function<void()> release);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  // Makes the copy on `device` ready for `access`: allocates, performs a pending fill, moves data
  // if the valid copy is elsewhere. After kWrite and kUpdate only that copy is valid. A storage
  // never written reads as zeros.
  absl::Status Prepare(Device device, Access access) {
    if (access == Access::kRead && (valid_ & Bit(device)) != 0) return absl::OkStatus();
    if (access != Access::kRead && valid_ == Bit(device) && !filled_) {
      ++version_;
      return absl::OkStatus();
    }
    return PrepareSlowly(device, access);
  }

  // REQUIRES: Prepare has succeeded. `device_handle` is what halide_buffer_t::device holds.
  std::byte* host() const { return host_; }
  uint64_t device_handle() const { return device_handle_; }

  // Lazy fill: performed when somebody reads. `zeroing` is true from Fill(0) to the next write.
  void Fill(double value);
  bool zeroing() const { return filled_ && fill_value_ == 0; }

  // Returns the memory to the pool; the storage then reads as zeros and `cleared` is true until it
  // is written or filled again.
  void Clear();
  bool cleared() const { return cleared_; }

  // True once something was written or filled and not cleared.
  bool has_value() const { return valid_ != 0 || filled_; }

  int64_t elements() const { return elements_; }
  DType dtype() const { return dtype_; }
  size_t bytes() const { return static_cast<size_t>(elements_) * SizeOf(dtype_); }

  // Rises with each write access.
  uint64_t version() const { return version_; }

  // Converts the elements to `dtype` on the host (round toward zero for float to integer).
  absl::Status Cast(DType dtype);

 private:
  static uint8_t Bit(Device device) { return device == Device::kCpu ? 1 : 2; }

  absl::Status PrepareSlowly(Device device, Access access);
  absl::Status Allocate(Device device);
  absl::Status PerformFill(Device device);
  absl::Status Move(Device to);
  void FreeHost();
  void FreeDevice();

  int64_t elements_;
  DType dtype_;
  uint8_t valid_ = 0;
  bool filled_ = false;
  bool cleared_ = false;
  Device device_ = Device::kCpu;  // which GPU device_handle_ belongs to
  double fill_value_ = 0;
  std::byte* host_ = nullptr;
  uint64_t device_handle_ = 0;
  uint64_t version_ = 0;
  std::function<void()> release_;  // set for borrowed host memory
};

}  // namespace halite

#endif  // HALITE_CORE_STORAGE_H_
