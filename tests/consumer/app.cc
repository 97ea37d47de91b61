// SPDX-License-Identifier: Apache-2.0
//
// A program that computes softmax and nothing else.
#include <cstdio>

#include "halite/ops/softmax.h"

#if defined(CONSUMER_ABSL_EXPECTED) && !defined(CONSUMER_ABSL)
#error "the workspace's own Abseil was not used"
#endif

int main() {
  using halite::NdArray;
  const NdArray x = NdArray::From<float>({1, 3}, std::vector<float>{1, 2, 3});
  const auto y = halite::functions::Softmax(x).ToVector<float>();
  if (!y.ok()) {
    std::fprintf(stderr, "%s\n", std::string(y.status().message()).c_str());
    return 1;
  }
  std::printf("%.4f %.4f %.4f\n", (*y)[0], (*y)[1], (*y)[2]);
  return 0;
}
