// SPDX-License-Identifier: Apache-2.0
//
// Threads each on a processor of its own. Left to the kernel, two that work together may share one
// for seconds where other programs run too; then each wait of one for the other takes milliseconds.
#ifndef HALITE_TESTS_BENCH_PIN_H_
#define HALITE_TESTS_BENCH_PIN_H_

namespace halite::bench {

// The calling thread, to the processor number i of those that the process may use.
void PinThread(int i);

// The calling thread and Halite's workers. REQUIRES: nothing runs on them.
void PinWorkers();

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_PIN_H_
