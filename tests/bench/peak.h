// SPDX-License-Identifier: Apache-2.0
//
// What the machine can do, measured: float32 multiply-adds in registers, and bytes moved by
// a[i] = b[i] + s c[i] on arrays beyond the last cache.
#ifndef HALITE_TESTS_BENCH_PEAK_H_
#define HALITE_TESTS_BENCH_PEAK_H_

namespace halite::bench {

struct Peak {
  double gflops = 1;
  double gigabytes = 1;  // a second
};

Peak MeasurePeak(int threads);

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_PEAK_H_
