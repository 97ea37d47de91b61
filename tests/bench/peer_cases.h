// SPDX-License-Identifier: Apache-2.0
//
// The lists of the peers benchmark: sizes of real networks, and of a user's own from a file.
#ifndef HALITE_TESTS_BENCH_PEER_CASES_H_
#define HALITE_TESTS_BENCH_PEER_CASES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/bench.h"

namespace halite::bench {

struct PeerCase {
  std::string family;  // "matmul", "convolution_data", "pooling", ...
  std::string name;    // unique in its family
  Case test;           // of the family "update" a solver instead of a function
  Pass pass = Pass::kForward;
  double work = 0;   // FLOP; 0: memory bounds it
  double bytes = 0;  // read and written; 0: all inputs and outputs once
};

std::vector<PeerCase> PeerCases();

// {"function": "convolution", "shapes": [[16, 64, 56, 56], ...], "options": {"group": 1, ...},
//  "pass": "backward_data", "threads": 2}
std::string Json(const PeerCase& test, int threads);

// Cases of a tab-separated file whose first line that is no comment (#) names the columns: either
// m, n, k, a_t, b_t (matrix products), or mb, ic, oc, ih, iw, kh, kw, sh, sw, ph, pw and, if there,
// group, dil_h, dil_w, ndim (convolutions of two dimensions; lines of others are left out).
absl::StatusOr<std::vector<PeerCase>> ReadPeerCases(const std::string& path);

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_PEER_CASES_H_
