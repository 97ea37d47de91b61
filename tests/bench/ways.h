// SPDX-License-Identifier: Apache-2.0
//
// The ways of the peers benchmark's sides. Each makes the same random data for itself and works on
// plain row-major arrays; gradients are overwritten.
#ifndef HALITE_TESTS_BENCH_WAYS_H_
#define HALITE_TESTS_BENCH_WAYS_H_

#include <vector>

#include "tests/bench/peer_cases.h"
#include "tests/bench/side.h"

namespace halite::bench {

// Halite's, and "data" which cannot be run: its result is all inputs and the gradients of the
// outputs, one after the other; a solver's are the parameter and its gradient.
std::vector<Way> HaliteWays(const PeerCase& test);

// "direct": on the arrays as they are; "reordered": in the formats oneDNN likes best, all
// conversions counted; "blocked": the same, conversions not counted: not what a user of plain
// arrays gets, but what the machine can do. None for what oneDNN does not have.
std::vector<Way> OnednnWays(const PeerCase& test, int threads);

// Plain C++ (loops.h), on as many threads as NumThreads(), for what oneDNN does not have.
std::vector<Way> LoopWays(const PeerCase& test);

// What an update starts from.
struct SolverValues {
  explicit SolverValues(const Case& test);
  std::vector<float> parameter, gradient;
};

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_WAYS_H_
