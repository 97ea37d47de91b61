// SPDX-License-Identifier: Apache-2.0
//
// Bench: the function of a case on random inputs, ready to be timed.
#ifndef HALITE_TESTS_BENCH_BENCH_H_
#define HALITE_TESTS_BENCH_BENCH_H_

#include <vector>

#include "halite/core/variable.h"
#include "tests/bench/cases.h"

namespace halite::bench {

// "convolution/(64, 1, 28, 28)/(16, 1, 5, 5)/(16)"
std::string Name(const Case& test);

// Of its inputs and outputs together.
double Bytes(const Case& test);

// As float32, whatever the type.
std::vector<float> Values(const NdArray& array);

// What is timed: the outputs, the gradients of all inputs, that of the first (the data), or those
// of all others (the weights).
enum class Pass { kForward, kBackward, kBackwardData, kBackwardWeights };

// An error ends the program with its message.
class Bench {
 public:
  explicit Bench(const Case& test, Pass pass = Pass::kBackward);

  // Computes the outputs.
  void Forward();
  // Adds to the gradients of the inputs; those of the outputs are random.
  void Backward();
  bool has_gradient() const { return has_gradient_; }

  const std::vector<Variable>& inputs() const { return inputs_; }
  const std::vector<Variable>& outputs() const { return outputs_; }

 private:
  std::vector<Variable> inputs_, outputs_;
  bool has_gradient_ = false;
};

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_BENCH_H_
