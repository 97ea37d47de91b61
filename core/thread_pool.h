// SPDX-License-Identifier: Apache-2.0
//
// ThreadPool: the workers that run the parallel loops of kernels. One loop at a time uses the
// workers; a second loop that starts meanwhile (from another thread, or nested) runs on its own
// thread alone, which gives the same results because no kernel's arithmetic depends on the number
// of threads.
#ifndef HALITE_CORE_THREAD_POOL_H_
#define HALITE_CORE_THREAD_POOL_H_

#include <cstdint>

namespace halite {

// Calls task(context, i, closure) for min <= i < min + size on at most `threads` threads, the
// calling one included. Returns the first nonzero result (the remaining iterations may then be left
// out), else 0.
int ParallelFor(int threads, int (*task)(void* context, int i, uint8_t* closure), void* context,
                int min, int size, uint8_t* closure);

}  // namespace halite

#endif  // HALITE_CORE_THREAD_POOL_H_
