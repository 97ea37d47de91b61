// SPDX-License-Identifier: Apache-2.0
//
// What oneDNN does for a case of the peers benchmark, on plain row-major arrays.
#ifndef HALITE_TESTS_BENCH_ONEDNN_H_
#define HALITE_TESTS_BENCH_ONEDNN_H_

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/bench.h"

namespace halite::bench {

// Work that can be timed. All peers of one case do the same.
struct Peer {
  // "direct": on the arrays as they are; "reordered": in the formats oneDNN likes best, all
  // conversions counted; "blocked": the same, conversions not counted: not what a user of plain
  // arrays gets, but what the machine can do.
  std::string name;
  std::function<void()> run;
  // The result as a plain array, empty for "blocked".
  std::function<std::vector<float>()> result;
};

// Empty if oneDNN has nothing for this case.
std::vector<Peer> OnednnPeers(const Case& test, Pass pass, const Bench& bench);

// Threads of oneDNN.
void SetOnednnThreads(int threads);

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_ONEDNN_H_
