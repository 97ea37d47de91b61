// SPDX-License-Identifier: Apache-2.0
//
// ExecutionContext, and the hooks through which Halide's runtime uses it. They are installed before
// main(), because a kernel remembers the first answer of some of them.
#include "halite/core/execution_context.h"

#include <sched.h>

#include <cstring>

#include "HalideRuntime.h"
#include "halite/core/memory_pool.h"
#include "halite/core/thread_pool.h"

namespace halite {
namespace {

int AvailableCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  const int count = CPU_COUNT(&set);
  return count > 0 ? count : 1;
}

// 0 stands for AvailableCpus(). Constant-initialized: contexts may be made before main().
std::atomic<int> g_num_threads{0};

void HandleError(void* user_context, const char* text) {
  if (user_context != nullptr) static_cast<ExecutionContext*>(user_context)->SetError(text);
}

void* Malloc(void* user_context, size_t bytes) {
  absl::StatusOr<void*> block = MemoryPool::ForHost().Allocate(bytes);
  if (block.ok()) return *block;
  HandleError(user_context, std::string(block.status().message()).c_str());
  return nullptr;
}

void Free(void*, void* block) {
  if (block != nullptr) MemoryPool::ForHost().Free(block);
}

int DoParFor(void* user_context, halide_task_t task, int min, int size, uint8_t* closure) {
  const int threads = user_context == nullptr
                          ? NumThreads()
                          : static_cast<ExecutionContext*>(user_context)->threads();
  return ParallelFor(threads, task, user_context, min, size, closure);
}

const bool g_hooks_installed = [] {
  halide_set_error_handler(HandleError);
  halide_set_custom_malloc(Malloc);
  halide_set_custom_free(Free);
  halide_set_custom_do_par_for(DoParFor);
  return true;
}();

}  // namespace

int NumThreads() {
  const int threads = g_num_threads.load(std::memory_order_relaxed);
  static const int available = AvailableCpus();
  return threads > 0 ? threads : available;
}

void SetNumThreads(int threads) { g_num_threads.store(threads, std::memory_order_relaxed); }

void ExecutionContext::SetError(const char* text) {
  bool expected = false;
  if (!has_error_.compare_exchange_strong(expected, true)) return;
  std::strncpy(error_, text, kErrorBytes - 1);
  error_[kErrorBytes - 1] = '\0';
  for (size_t n = std::strlen(error_); n > 0 && error_[n - 1] == '\n';) error_[--n] = '\0';
}

}  // namespace halite
