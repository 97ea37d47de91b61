// SPDX-License-Identifier: Apache-2.0
//
// The networks whose training steps are timed, with those of PyTorch in torch_steps.py.
#ifndef HALITE_TESTS_BENCH_TRAINING_MODELS_H_
#define HALITE_TESTS_BENCH_TRAINING_MODELS_H_

#include <functional>
#include <string>
#include <vector>

#include "halite/core/parameter_scope.h"
#include "halite/core/variable.h"

namespace halite::bench {

struct Model {
  std::string name;
  Shape x;  // of one batch
  // The scores [batch, 10] of x.
  std::function<Variable(const Variable& x, const ParameterScope& scope)> scores;
  bool with_adam = false;  // timed with these solvers
  bool with_momentum = false;
};

// mlp       784-512-256-10 with relu, batch 64
// lenet     two 5x5 convolutions of 16 maps with 2x2 max pooling and relu, 50, 10; batch 64
// resnet20  for 32x32 images: 16, 32, 64 maps, projection shortcuts of 1x1; batch 128
//           (He et al., "Deep residual learning for image recognition", 2015)
// lstm      28 rows of 28, 128 cells, scores from the last state; batch 64
// transformer  128 steps of 256, 4 layers that normalise first, 4 heads, 1024 inside with gelu,
//           scores from the mean over the steps; batch 16
const std::vector<Model>& Models();

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_TRAINING_MODELS_H_
