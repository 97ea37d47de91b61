// SPDX-License-Identifier: Apache-2.0
//
// LoopArrays: copies of a bench's arrays, for a plain loop to work on.
#ifndef HALITE_TESTS_BENCH_LOOP_ARRAYS_H_
#define HALITE_TESTS_BENCH_LOOP_ARRAYS_H_

#include <vector>

#include "tests/bench/bench.h"
#include "tests/bench/loops.h"

namespace halite::bench {

class LoopArrays {
 public:
  explicit LoopArrays(const Bench& bench);
  LoopArrays(const LoopArrays&) = delete;
  LoopArrays& operator=(const LoopArrays&) = delete;

  const Arrays& arrays() const { return arrays_; }
  const std::vector<float>& y(size_t output) const { return y_[output]; }
  // Empty where there is none.
  const std::vector<float>& dx(size_t input) const { return dx_[input]; }
  void ZeroGradients();

 private:
  Arrays arrays_;
  std::vector<std::vector<float>> x_, dx_, y_, dy_;
};

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_LOOP_ARRAYS_H_
