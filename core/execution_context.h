// SPDX-License-Identifier: Apache-2.0
//
// ExecutionContext: what a kernel call carries as Halide's `user_context`: the device, the thread
// budget, the stream and the slot that a kernel's error text falls into. Halide's hooks (error
// handler, memory, thread pool) read it. One belongs to one running plan; not thread-safe, except
// that worker threads of the same call may report errors into it.
#ifndef HALITE_CORE_EXECUTION_CONTEXT_H_
#define HALITE_CORE_EXECUTION_CONTEXT_H_

#include <atomic>
#include <string>

#include "halite/core/device.h"

namespace halite {

// Threads that a kernel may use when the context says nothing: the CPUs this process may run on.
int NumThreads();

// Sets NumThreads() for the whole process; 0 restores the default. REQUIRES: threads >= 0.
void SetNumThreads(int threads);

class ExecutionContext {
 public:
  explicit ExecutionContext(Device device = Device::kCpu) : device_(device) {}

  Device device() const { return device_; }

  // Most threads that a kernel of this context uses.
  int threads() const { return threads_; }
  void set_threads(int threads) { threads_ = threads; }

  // A CUstream or cl_command_queue that kernels use; null is the runtime's own.
  void* stream() const { return stream_; }
  void set_stream(void* stream) { stream_ = stream; }

  // Text of the first error since ClearError(), empty if none.
  std::string error_text() const { return has_error_ ? error_ : std::string(); }
  // Keeps `text` if it is the first.
  void SetError(const char* text);
  void ClearError() { has_error_ = false; }

 private:
  static constexpr int kErrorBytes = 512;

  Device device_;
  int threads_ = NumThreads();
  void* stream_ = nullptr;
  std::atomic<bool> has_error_{false};
  char error_[kErrorBytes];
};

}  // namespace halite

#endif  // HALITE_CORE_EXECUTION_CONTEXT_H_
