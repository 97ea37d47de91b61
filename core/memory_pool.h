// SPDX-License-Identifier: Apache-2.0
//
// MemoryPool: the caching allocator of one device. Freed blocks are kept by size class and handed
// out again, so that a training step after the first asks nothing of the system. Thread-safe.
#ifndef HALITE_CORE_MEMORY_POOL_H_
#define HALITE_CORE_MEMORY_POOL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "halite/core/device.h"

namespace halite {

struct MemoryStatistics {
  size_t bytes_in_use = 0;         // in blocks handed out, as rounded to size classes
  size_t peak_bytes_in_use = 0;    // largest bytes_in_use so far
  size_t bytes_cached = 0;         // in blocks kept for later
  int64_t system_allocations = 0;  // times that the system was asked for memory
};

class MemoryPool {
 public:
  // The pools live as long as the process.
  static MemoryPool& ForHost();
  // REQUIRES: `device` is a GPU.
  static MemoryPool& ForDevice(Device device);

  // A block of at least `bytes`. On the host: 64-byte aligned, with 64 readable bytes before and
  // behind it. On a GPU: a device handle as Halide's buffers hold it.
  // Errors: RESOURCE_EXHAUSTED if the ceiling or the system refuses even after the cache has been
  // released.
  absl::StatusOr<void*> Allocate(size_t bytes);

  // Returns a block to the pool. REQUIRES: `block` came from Allocate of this pool.
  void Free(void* block);

  // Gives the cached blocks back to the system.
  void ReleaseCached();

  // Starts peak_bytes_in_use anew, from what is in use now.
  void ResetPeak();

  // bytes_in_use + bytes_cached stay at or below `bytes`; 0 (the default) means no ceiling.
  void SetCeiling(size_t bytes);

  MemoryStatistics statistics() const;

 private:
  // Size classes: 64 bytes times (8 + j) / 8 * 2^k, at most 12.5 % above the request.
  static constexpr int kClasses = 8 * 40;
  static int ClassOf(size_t bytes);
  static size_t BytesOf(int size_class);

  explicit MemoryPool(Device device) : device_(device) {}

  std::unique_lock<std::mutex> Lock() const;
  void* SystemAllocate(size_t bytes);
  void SystemFree(void* block, size_t bytes);
  void ReleaseCachedLocked();
  int TakeClass(void* block);

  const Device device_;
  mutable std::mutex mutex_;
  std::array<std::vector<void*>, kClasses> free_;
  MemoryStatistics statistics_;
  size_t ceiling_ = 0;
  // Size classes of GPU blocks in use; host blocks carry theirs in front.
  std::vector<std::pair<void*, int>> device_blocks_;
};

}  // namespace halite

#endif  // HALITE_CORE_MEMORY_POOL_H_
