// SPDX-License-Identifier: Apache-2.0
//
// The gates of an LSTM cell (Hochreiter and Schmidhuber: "Long short-term memory", 1997; with the
// forget gate of Gers, Schmidhuber and Cummins: "Learning to forget", 2000). From what arrives at
// the gates in, forget, candidate and out and from the cell c
//   i = sigmoid(in),  f = sigmoid(forget),  g = tanh(candidate),  o = sigmoid(out)
//   c' = f c + i g,   h = o tanh(c')
// and with s = tanh(c') and the sum C = dc' + dh o (1 - s^2) of all that arrives at c'
//   din = C g i (1 - i),   dforget = C c f (1 - f),   dcandidate = C i (1 - g^2),
//   dout = dh s o (1 - o),   dc = C f.
// The gradient computes the gates anew: reading them would cost as much as reading what they are
// computed from, and Forward would have to write them.
#ifndef HALITE_OPS_ALGORITHMS_LSTM_H_
#define HALITE_OPS_ALGORITHMS_LSTM_H_

#include "Halide.h"
#include "halite/ops/algorithms/math.h"

namespace halite {

// What arrives at the gates, and the cell: one element of each.
struct LstmInputs {
  Halide::Expr in, forget, candidate, out, c;
};

struct LstmGates {
  Halide::Expr i, f, g, o, c, squashed, h;

  explicit LstmGates(const LstmInputs& x)
      : i(math::Sigmoid(x.in)),
        f(math::Sigmoid(x.forget)),
        g(math::Tanh(x.candidate)),
        o(math::Sigmoid(x.out)),
        // Strict: tanh compares it, and must see a NaN.
        c(math::internal::StrictAdd(math::internal::StrictMul(f, x.c),
                                    math::internal::StrictMul(i, g))),
        squashed(math::Tanh(c)),
        h(o * squashed) {}
};

struct LstmGatesGrad {
  Halide::Expr in, forget, candidate, out, c;

  LstmGatesGrad(const LstmInputs& x, const Halide::Expr& dh, const Halide::Expr& dc) {
    const LstmGates y(x);
    const Halide::Expr sum = dc + dh * y.o * (1 - y.squashed * y.squashed);
    in = sum * y.g * (y.i * (1 - y.i));
    forget = sum * x.c * (y.f * (1 - y.f));
    candidate = sum * y.i * (1 - y.g * y.g);
    out = dh * y.squashed * (y.o * (1 - y.o));
    c = sum * y.f;
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_LSTM_H_
