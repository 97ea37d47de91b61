// SPDX-License-Identifier: Apache-2.0
//
// Plain C++ loops that do the work of one function each, as a careful programmer writes them
// without intrinsics: the innermost loop runs over contiguous memory and vectorises, the outermost
// one is shared by the threads. Compiled with -O3 -march=native. What Halite is measured against
// by //tests/bench:against_loops.
#ifndef HALITE_TESTS_BENCH_LOOPS_H_
#define HALITE_TESTS_BENCH_LOOPS_H_

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/cases.h"

namespace halite::bench {

// The arrays of one function. Gradients of the outputs are read, those of the inputs added to;
// null where an input has none. Index inputs are float here.
struct Arrays {
  std::vector<Shape> shapes;  // of the inputs
  Shape y_shape;
  std::vector<const float*> x;
  std::vector<float*> dx;
  std::vector<float*> y;
  std::vector<const float*> dy;
};

using Loop = std::function<void(const Arrays&)>;

struct LoopCase {
  Case test;
  Loop forward;
  Loop backward = nullptr;  // null: not compared
};

std::vector<LoopCase> MemoryBoundLoops();  // loops.cc
std::vector<LoopCase> ContractionLoops();  // contraction_loops.cc: affine and convolution

// parameter_loops.cc: rows of a table, for indices and a table of any shape; and the update of a
// parameter by "sgd", "momentum" or "adam" with Halite's defaults, where x is the gradient and y
// the parameter with its states.
LoopCase EmbedLoops(const Case& test);
Loop UpdateLoop(const std::string& solver);

// f(begin, end) over parts of [0, n), a part for each thread.
void Threads(int64_t n, const std::function<void(int64_t, int64_t)>& f);

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_LOOPS_H_
