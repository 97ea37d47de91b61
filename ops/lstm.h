// SPDX-License-Identifier: Apache-2.0
//
// Long short-term memory. Hochreiter and Schmidhuber: "Long short-term memory", 1997; with the
// forget gate of Gers, Schmidhuber and Cummins: "Learning to forget", 2000.
#ifndef HALITE_OPS_LSTM_H_
#define HALITE_OPS_LSTM_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "halite/core/apply.h"

namespace halite {

// The functions of this header.
absl::Span<const FunctionDef> LstmFunctions();

// What a cell hands to its next step.
template <typename Array>
struct LstmState {
  Array h, c;
};

template <typename Array>
struct LstmResult {
  Array y;
  Array h, c;  // after the last step
};

struct LstmOptions {
  int64_t num_layers = 1;
  double dropout = 0;  // between layers: 0 alone is there
  bool bidirectional = false;
  bool training = true;  // as in nnabla; changes nothing here
};

namespace functions {

// The gates of one cell. z [..., 4, state] or [..., 4 state], what arrives at the gates i, o, f, g
// in this order; c [..., state]:
//   c' = sigmoid(f) c + sigmoid(i) tanh(g),   h = sigmoid(o) tanh(c')
// Results: h and c' of the shape of c.
template <typename Array>
LstmState<Array> LstmGates(const Array& z, const Array& c) {
  const std::vector<Array> y = ApplyAll(LstmFunctions()[0], {z, c}, nullptr);
  return {y.front(), y.back()};
}

// A whole sequence of T steps through L layers of cells, in D = 2 directions if bidirectional, else
// 1. x [T, B, I], T at least 1; h and c, the states before the first step, [L, D, B, H];
// weight_l0 [D, 4, H, I + H], the weights of layer 0 for the gates i, f, g, o in this order, of its
// input and of its h; weight [L - 1, D, 4, H, D H + H], those of the others, for L > 1 alone;
// bias [L, D, 4, H], or empty for none. Each step is
//   z = W [x_t, h] + b,   c := sigmoid(f) c + sigmoid(i) tanh(g),   h := sigmoid(o) tanh(c).
// The second direction runs from the last step to the first. The input of layer l > 0 is the h of
// layer l - 1 at the same step, both directions side by side.
//
// Results: y [T, B, D H], the h of the last layer at each step; h and c after the last step of each
// direction, [L, D, B, H].
template <typename Array>
LstmResult<Array> Lstm(const Array& x, const Array& h, const Array& c, const Array& weight_l0,
                       const Array& weight, const Array& bias, const LstmOptions& options = {}) {
  std::vector<Array> inputs = {x, h, c, weight_l0};
  if (options.num_layers > 1) inputs.push_back(weight);
  inputs.push_back(bias);
  const std::vector<Array> y =
      ApplyAll(LstmFunctions()[1], inputs, std::make_shared<LstmOptions>(options));
  return {y.front(), y[y.size() / 2], y.back()};
}

}  // namespace functions
}  // namespace halite

#endif  // HALITE_OPS_LSTM_H_
