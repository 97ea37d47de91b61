// SPDX-License-Identifier: Apache-2.0
//
// Learns to read 8x8 images of digits: data, network, training loop and test in one short main.
#include <cstdio>

#include "examples/digits/digits.h"
#include "halite/core/status.h"
#include "halite/io/data_iterator.h"
#include "halite/ops/activations.h"
#include "halite/ops/parametric_functions.h"
#include "halite/ops/reduce.h"
#include "halite/ops/softmax_cross_entropy.h"
#include "halite/ops/top_n_error.h"
#include "halite/solvers/adam.h"

namespace F = halite::functions;
namespace PF = halite::parametric_functions;
using halite::Variable;

// x [n, 64] -> scores [n, 10].
Variable Network(const Variable& x, const halite::ParameterScope& scope) {
  const Variable h = F::Relu(PF::Affine(x, 64, scope["hidden"]));
  return PF::Affine(h, 10, scope["output"]);
}

absl::Status Train() {
  constexpr int kBatch = 32, kTest = 297, kEpochs = 40;
  HALITE_ASSIGN_OR_RETURN(const digits::Data data, digits::Load());
  HALITE_ASSIGN_OR_RETURN(const digits::Data train, digits::Part(data, kTest, 1797 - kTest));
  HALITE_ASSIGN_OR_RETURN(const digits::Data test, digits::Part(data, 0, kTest));
  HALITE_ASSIGN_OR_RETURN(auto batches,
                          halite::MakeDataIterator({{train.images}, {train.labels}},
                                                   {.batch_size = kBatch, .shuffle = true}));
  halite::ParameterScope scope;
  Variable x({kBatch, 64}), t({kBatch, 1}, false, halite::DType::kInt32);
  const Variable loss = F::Mean(F::SoftmaxCrossEntropy(Network(x, scope), t));
  const Variable test_error =
      F::Mean(F::TopNError(Network(Variable(test.images), scope), Variable(test.labels)));

  halite::Adam solver({.alpha = 5e-3});
  HALITE_RETURN_IF_ERROR(solver.SetParameters(scope.Parameters()));
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    while (batches->epoch() == epoch) {
      HALITE_ASSIGN_OR_RETURN(const halite::Batch batch, batches->Next());
      HALITE_RETURN_IF_ERROR(x.SetData(batch.arrays[0]));
      HALITE_RETURN_IF_ERROR(t.SetData(batch.arrays[1]));
      HALITE_RETURN_IF_ERROR(loss.Forward({.clear_no_need_grad = true}));
      solver.ZeroGrad();
      HALITE_RETURN_IF_ERROR(loss.Backward({.clear_buffer = true}));
      HALITE_RETURN_IF_ERROR(solver.Update());
    }
    HALITE_RETURN_IF_ERROR(test_error.Forward({.clear_buffer = true}));
    HALITE_ASSIGN_OR_RETURN(const auto train_loss, loss.data().ToVector<float>());
    HALITE_ASSIGN_OR_RETURN(const auto error, test_error.data().ToVector<float>());
    std::printf("epoch %2d: loss %.4f, test accuracy %.1f %%\n", epoch + 1, train_loss[0],
                100 * (1 - error[0]));
  }
  return absl::OkStatus();
}

int main() {
  const absl::Status status = Train();
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
