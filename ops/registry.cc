// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/registry.h"

#include <vector>

#include "halite/ops/activations.h"
#include "halite/ops/arithmetic.h"
#include "halite/ops/array.h"
#include "halite/ops/batch_normalization.h"
#include "halite/ops/convolution.h"
#include "halite/ops/embed.h"
#include "halite/ops/layer_normalization.h"
#include "halite/ops/lstm.h"
#include "halite/ops/matmul.h"
#include "halite/ops/pooling.h"
#include "halite/ops/random.h"
#include "halite/ops/reduce.h"
#include "halite/ops/softmax.h"
#include "halite/ops/softmax_cross_entropy.h"
#include "halite/ops/top_n_error.h"

namespace halite {

const FunctionRegistry& AllFunctions() {
  static const auto& registry = *[] {
    std::vector<const FunctionDef*> functions;
    const auto add = [&](absl::Span<const FunctionDef> family) {
      for (const FunctionDef& def : family) functions.push_back(&def);
    };
    add(ActivationFunctions());
    add(ArithmeticFunctions());
    add(ArrayFunctions());
    add(BatchNormalizationFunctions());
    add({&ConvolutionFunction(), 1});
    add(EmbedFunctions());
    add(LayerNormalizationFunctions());
    add(LstmFunctions());
    add(MatmulFunctions());
    add(PoolingFunctions());
    add(RandomFunctions());
    add(ReduceFunctions());
    add(SoftmaxCrossEntropyFunctions());
    add(SoftmaxFunctions());
    add(TopNErrorFunctions());
    return new FunctionRegistry(std::move(functions));
  }();
  return registry;
}

}  // namespace halite
