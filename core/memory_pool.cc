// SPDX-License-Identifier: Apache-2.0
#include "halite/core/memory_pool.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "halite/core/execution_context.h"
#include "halite/core/status.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(begin, bytes) ((void)(begin), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(begin, bytes) ((void)(begin), (void)(bytes))
#endif

namespace halite {
namespace {

// Bytes before and behind a host block that may be read. The first of the front hold the block's
// size class.
constexpr size_t kMargin = 64;
constexpr size_t kClassBytes = 8;

int& ClassInFront(void* block) {
  return *reinterpret_cast<int*>(static_cast<std::byte*>(block) - kMargin);
}

// Under AddressSanitizer only the bytes asked for may be touched, from Allocate to Free: no margin,
// nothing that the size class adds, and nothing in the cache.
void Expose([[maybe_unused]] void* block, [[maybe_unused]] size_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(block, bytes);
}
void Hide([[maybe_unused]] void* block, [[maybe_unused]] size_t rounded) {
  constexpr size_t kFront = kMargin - kClassBytes;
  ASAN_POISON_MEMORY_REGION(static_cast<std::byte*>(block) - kFront, kFront + rounded + kMargin);
}

// A Halide buffer over `bytes` bytes of a GPU.
struct DeviceBytes {
  explicit DeviceBytes(size_t bytes) : dim(0, static_cast<int32_t>(bytes / 8), 1) {
    buffer.type = halide_type_t(halide_type_uint, 64, 1);
    buffer.dimensions = 1;
    buffer.dim = &dim;
  }
  halide_dimension_t dim;
  halide_buffer_t buffer = {};
};

}  // namespace

MemoryPool& MemoryPool::ForHost() {
  static auto& pool = *new MemoryPool(Device::kCpu);
  return pool;
}

MemoryPool& MemoryPool::ForDevice(Device device) {
  static auto& cuda = *new MemoryPool(Device::kCuda);
  static auto& opencl = *new MemoryPool(Device::kOpencl);
  return device == Device::kCuda ? cuda : opencl;
}

int MemoryPool::ClassOf(size_t bytes) {
  size_t units = std::max<size_t>((bytes + 63) / 64, 1);
  if (units <= 8) return static_cast<int>(units) - 1;
  // units in (8 * 2^k, 16 * 2^k]: eight steps of 2^k.
  const int k = 60 - __builtin_clzll(units - 1);
  const size_t step = (units - 1) >> k;  // 8..15
  return 8 * (k + 1) + static_cast<int>(step) - 8;
}

size_t MemoryPool::BytesOf(int size_class) {
  if (size_class < 8) return static_cast<size_t>(size_class + 1) * 64;
  return (static_cast<size_t>(size_class % 8 + 9) << (size_class / 8 - 1)) * 64;
}

void* MemoryPool::SystemAllocate(size_t bytes) {
  if (device_ == Device::kCpu) {
    void* raw = std::aligned_alloc(64, bytes + 2 * kMargin);
    if (raw == nullptr) return nullptr;
    std::memset(raw, 0, kMargin);
    std::memset(static_cast<std::byte*>(raw) + kMargin + bytes, 0, kMargin);
    void* block = static_cast<std::byte*>(raw) + kMargin;
    Hide(block, bytes);
    return block;
  }
  ExecutionContext context(device_);
  DeviceBytes memory(bytes);
  if (halide_device_malloc(&context, &memory.buffer, HalideInterface(device_)) != 0) return nullptr;
  return reinterpret_cast<void*>(memory.buffer.device);
}

void MemoryPool::SystemFree(void* block, size_t bytes) {
  if (device_ == Device::kCpu) {
    std::free(static_cast<std::byte*>(block) - kMargin);
    return;
  }
  ExecutionContext context(device_);
  DeviceBytes memory(bytes);
  memory.buffer.device = reinterpret_cast<uint64_t>(block);
  memory.buffer.device_interface = HalideInterface(device_);
  halide_device_free(&context, &memory.buffer);
}

// The pool is held for some 20 nanoseconds: kernels that take memory on several threads wait rather
// than sleep.
std::unique_lock<std::mutex> MemoryPool::Lock() const {
  for (int spin = 0; spin < 200; ++spin) {
    if (mutex_.try_lock()) return std::unique_lock<std::mutex>(mutex_, std::adopt_lock);
    __builtin_ia32_pause();
  }
  return std::unique_lock<std::mutex>(mutex_);
}

absl::StatusOr<void*> MemoryPool::Allocate(size_t bytes) {
  const int size_class = ClassOf(bytes);
  const size_t rounded = BytesOf(size_class);
  const auto lock = Lock();
  void* block = nullptr;
  if (!free_[size_class].empty()) {
    block = free_[size_class].back();
    free_[size_class].pop_back();
    statistics_.bytes_cached -= rounded;
  } else {
    const auto over_ceiling = [&] {
      return ceiling_ != 0 &&
             statistics_.bytes_in_use + statistics_.bytes_cached + rounded > ceiling_;
    };
    if (over_ceiling()) ReleaseCachedLocked();
    if (!over_ceiling()) {
      block = SystemAllocate(rounded);
      if (block == nullptr) {
        ReleaseCachedLocked();
        block = SystemAllocate(rounded);
      }
      ++statistics_.system_allocations;
    }
    if (block == nullptr) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "memory pool (", Name(device_), "): ", bytes, " bytes asked, ", statistics_.bytes_in_use,
          " in use, ceiling ", ceiling_, ": more memory or a smaller batch needed"));
    }
  }
  statistics_.bytes_in_use += rounded;
  statistics_.peak_bytes_in_use = std::max(statistics_.peak_bytes_in_use, statistics_.bytes_in_use);
  if (device_ == Device::kCpu) {
    ClassInFront(block) = size_class;
    Expose(block, bytes);
  } else {
    device_blocks_.emplace_back(block, size_class);
  }
  return block;
}

int MemoryPool::TakeClass(void* block) {
  if (device_ == Device::kCpu) return ClassInFront(block);
  const auto found = std::find_if(device_blocks_.begin(), device_blocks_.end(),
                                  [&](const auto& entry) { return entry.first == block; });
  HALITE_CHECK(found != device_blocks_.end(), "a block of this pool needed");
  const int size_class = found->second;
  *found = device_blocks_.back();
  device_blocks_.pop_back();
  return size_class;
}

void MemoryPool::Free(void* block) {
  const auto lock = Lock();
  const int size_class = TakeClass(block);
  if (device_ == Device::kCpu) Hide(block, BytesOf(size_class));
  free_[size_class].push_back(block);
  statistics_.bytes_in_use -= BytesOf(size_class);
  statistics_.bytes_cached += BytesOf(size_class);
}

void MemoryPool::ReleaseCachedLocked() {
  for (int size_class = 0; size_class < kClasses; ++size_class) {
    for (void* block : free_[size_class]) SystemFree(block, BytesOf(size_class));
    free_[size_class].clear();
  }
  statistics_.bytes_cached = 0;
}

void MemoryPool::ReleaseCached() {
  std::lock_guard<std::mutex> lock(mutex_);
  ReleaseCachedLocked();
}

void MemoryPool::ResetPeak() {
  std::lock_guard<std::mutex> lock(mutex_);
  statistics_.peak_bytes_in_use = statistics_.bytes_in_use;
}

void MemoryPool::SetCeiling(size_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  ceiling_ = bytes;
}

MemoryStatistics MemoryPool::statistics() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return statistics_;
}

}  // namespace halite
