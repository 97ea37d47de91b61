// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/pin.h"

#include <sched.h>

#include <atomic>
#include <thread>
#include <vector>

#include "halite/core/execution_context.h"
#include "halite/core/thread_pool.h"

namespace halite::bench {
namespace {

std::vector<size_t> Processors() {
  std::vector<size_t> processors;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return {0};
  for (size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &allowed)) processors.push_back(i);
  }
  return processors;
}

}  // namespace

void PinThread(int i) {
  static const std::vector<size_t> processors = Processors();  // before the first is pinned
  cpu_set_t own;
  CPU_ZERO(&own);
  CPU_SET(processors[static_cast<size_t>(i) % processors.size()], &own);
  sched_setaffinity(0, sizeof(own), &own);
}

void PinWorkers() {
  const int threads = NumThreads();
  if (threads == 1) return;
  std::atomic<int> missing = threads;
  // Each thread takes one: it stays until all are there.
  ParallelFor(
      threads,
      [](void* context, int i, uint8_t*) {
        PinThread(i);
        auto& all = *static_cast<std::atomic<int>*>(context);
        for (--all; all > 0;) std::this_thread::yield();
        return 0;
      },
      &missing, 0, threads, nullptr);
}

}  // namespace halite::bench
