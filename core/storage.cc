// SPDX-License-Identifier: Apache-2.0
#include "halite/core/storage.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "halite/core/execution_context.h"
#include "halite/core/kernel_table.h"
#include "halite/core/memory_pool.h"
#include "halite/core/status.h"

namespace halite {
namespace {

std::atomic<int64_t> g_to_device{0};
std::atomic<int64_t> g_to_host{0};
std::atomic<int64_t> g_bytes{0};

// A flat Halide buffer over a storage's memory.
struct FlatBuffer {
  FlatBuffer(int64_t elements, DType dtype, std::byte* host, uint64_t device_handle, Device device)
      : dim(0, static_cast<int32_t>(elements), 1) {
    buffer.type = HalideType(dtype);
    buffer.dimensions = 1;
    buffer.dim = &dim;
    buffer.host = reinterpret_cast<uint8_t*>(host);
    buffer.device = device_handle;
    buffer.device_interface = device_handle != 0 ? HalideInterface(device) : nullptr;
  }
  halide_dimension_t dim;
  halide_buffer_t buffer = {};
};

}  // namespace

TransferStatistics GetTransferStatistics() { return {g_to_device, g_to_host, g_bytes}; }

Storage::Storage(int64_t elements, DType dtype, void* memory, std::function<void()> release)
    : elements_(elements),
      dtype_(dtype),
      valid_(Bit(Device::kCpu)),
      host_(static_cast<std::byte*>(memory)),
      release_(release ? std::move(release) : [] {}) {}

Storage::~Storage() {
  FreeHost();
  FreeDevice();
}

void Storage::FreeHost() {
  if (host_ == nullptr) return;
  if (release_) {
    release_();
    release_ = nullptr;
  } else {
    MemoryPool::ForHost().Free(host_);
  }
  host_ = nullptr;
}

void Storage::FreeDevice() {
  if (device_handle_ == 0) return;
  MemoryPool::ForDevice(device_).Free(reinterpret_cast<void*>(device_handle_));
  device_handle_ = 0;
}

void Storage::Fill(double value) {
  filled_ = true;
  cleared_ = false;
  fill_value_ = value;
  valid_ = 0;
  ++version_;
}

void Storage::Clear() {
  // Borrowed memory stays: the caller gave it to be written.
  if (!release_) FreeHost();
  FreeDevice();
  valid_ = 0;
  filled_ = false;
  cleared_ = true;
}

absl::Status Storage::Allocate(Device device) {
  if (device == Device::kCpu) {
    if (host_ != nullptr) return absl::OkStatus();
    HALITE_ASSIGN_OR_RETURN(void* block, MemoryPool::ForHost().Allocate(bytes()));
    host_ = static_cast<std::byte*>(block);
    return absl::OkStatus();
  }
  if (device_handle_ != 0 && device_ == device) return absl::OkStatus();
  FreeDevice();
  HALITE_RETURN_IF_ERROR(CheckAvailable(device));
  HALITE_ASSIGN_OR_RETURN(void* block, MemoryPool::ForDevice(device).Allocate(bytes()));
  device_handle_ = reinterpret_cast<uint64_t>(block);
  device_ = device;
  return absl::OkStatus();
}

absl::Status Storage::PerformFill(Device device) {
  const double value = filled_ ? fill_value_ : 0;
  if (elements_ == 0) return absl::OkStatus();
  if (device == Device::kCpu) {
    VisitDType(dtype_, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      std::fill_n(reinterpret_cast<T*>(host_), elements_, ConvertElement<T>(value));
    });
    return absl::OkStatus();
  }
  const std::string name = absl::StrCat("fill_", Name(dtype_), "_", Name(device));
  const Kernel* kernel = FindKernel(name);
  if (kernel == nullptr) {
    return absl::UnimplementedError(absl::StrCat("fill: kernel ", name, " is not linked"));
  }
  ExecutionContext context(device);
  void* user_context = &context;
  FlatBuffer y(elements_, dtype_, nullptr, device_handle_, device);
  float as_float = static_cast<float>(value);
  int32_t as_int = ConvertElement<int32_t>(value);
  void* scalar = dtype_ == DType::kInt32 ? static_cast<void*>(&as_int) : &as_float;
  void* args[] = {&user_context, scalar, &y.buffer};
  if (kernel->argv(args) != 0)
    return absl::InternalError(absl::StrCat("fill: ", context.error_text()));
  return absl::OkStatus();
}

absl::Status Storage::Move(Device to) {
  const bool to_host = to == Device::kCpu;
  ExecutionContext context(device_);
  FlatBuffer flat(elements_, dtype_, host_, device_handle_, device_);
  flat.buffer.set_host_dirty(!to_host);
  flat.buffer.set_device_dirty(to_host);
  const int result = to_host ? halide_copy_to_host(&context, &flat.buffer)
                             : halide_copy_to_device(&context, &flat.buffer, HalideInterface(to));
  if (result != 0) return absl::InternalError(absl::StrCat("copy: ", context.error_text()));
  (to_host ? g_to_host : g_to_device).fetch_add(1, std::memory_order_relaxed);
  g_bytes.fetch_add(static_cast<int64_t>(bytes()), std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status Storage::PrepareSlowly(Device device, Access access) {
  // From one kind of GPU to another the way leads over the host.
  if (device != Device::kCpu && device_handle_ != 0 && device_ != device) {
    if (access != Access::kWrite && (valid_ & Bit(Device::kCpu)) == 0 && valid_ != 0) {
      HALITE_RETURN_IF_ERROR(PrepareSlowly(Device::kCpu, Access::kRead));
    }
    FreeDevice();
    valid_ &= Bit(Device::kCpu);
  }
  HALITE_RETURN_IF_ERROR(Allocate(device));
  const uint8_t bit = Bit(device);
  if (access != Access::kWrite && (valid_ & bit) == 0) {
    if (valid_ == 0) {
      HALITE_RETURN_IF_ERROR(PerformFill(device));
    } else if (elements_ > 0) {
      HALITE_RETURN_IF_ERROR(Move(device));
    }
    valid_ |= bit;
  }
  if (access != Access::kRead) {
    valid_ = bit;
    filled_ = false;
    cleared_ = false;
    ++version_;
  }
  return absl::OkStatus();
}

absl::Status Storage::Cast(DType dtype) {
  if (dtype == dtype_) return absl::OkStatus();
  if (!has_value()) {
    Clear();
    dtype_ = dtype;
    return absl::OkStatus();
  }
  HALITE_RETURN_IF_ERROR(Prepare(Device::kCpu, Access::kRead));
  Storage converted(elements_, dtype);
  HALITE_RETURN_IF_ERROR(converted.Prepare(Device::kCpu, Access::kWrite));
  VisitDType(dtype_, [&](auto* from_type) {
    using From = std::remove_pointer_t<decltype(from_type)>;
    VisitDType(dtype, [&](auto* to_type) {
      using To = std::remove_pointer_t<decltype(to_type)>;
      const From* from = reinterpret_cast<const From*>(host_);
      std::transform(from, from + elements_, reinterpret_cast<To*>(converted.host_),
                     [](From value) { return ConvertElement<To>(value); });
    });
  });
  FreeHost();
  FreeDevice();
  std::swap(host_, converted.host_);
  dtype_ = dtype;
  valid_ = Bit(Device::kCpu);
  filled_ = false;
  ++version_;
  return absl::OkStatus();
}

}  // namespace halite
