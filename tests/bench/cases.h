// SPDX-License-Identifier: Apache-2.0
//
// What the benchmark of operators runs: each function at sizes of real networks.
#ifndef HALITE_TESTS_BENCH_CASES_H_
#define HALITE_TESTS_BENCH_CASES_H_

#include <string>
#include <utility>
#include <vector>

#include "halite/core/function_def.h"

namespace halite::bench {

struct Case {
  std::string function;
  std::vector<Shape> shapes;  // of the inputs
  std::vector<std::pair<std::string, OptionValue>> options = {};
  // Multiplications and additions of Forward; 0 for a function that memory bounds. Backward to all
  // inputs takes twice as many.
  double flops = 0;
  int64_t index_bound = 1;  // index inputs are below it
};

const std::vector<Case>& Cases();

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_CASES_H_
