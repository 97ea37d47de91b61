// SPDX-License-Identifier: Apache-2.0
//
// Stochastic gradient descent: plain, with momentum, with Nesterov's momentum. g is the gradient, w
// the parameter.
#ifndef HALITE_SOLVERS_SGD_H_
#define HALITE_SOLVERS_SGD_H_

#include <vector>

#include "halite/solvers/solver.h"

namespace halite {

struct SgdOptions {
  double lr = 1e-3;
};

// w -= lr g.
class Sgd : public Solver {
 public:
  explicit Sgd(const SgdOptions& options = {})
      : Solver("sgd", "sgd_update", {}, {"lr"}, options.lr) {}

 protected:
  std::vector<double> Scalars(uint32_t) const override { return {learning_rate()}; }
};

struct MomentumOptions {
  double lr = 1e-3;
  double momentum = 0.9;
};

// m = momentum m + lr g; w -= m. The rate is inside the velocity: changing it does not rescale the
// steps already taken into m.
class Momentum : public Solver {
 public:
  explicit Momentum(const MomentumOptions& options = {})
      : Solver("momentum", "momentum_update", {"m"}, {"lr", "momentum"}, options.lr),
        momentum_(options.momentum) {}

 protected:
  std::vector<double> Scalars(uint32_t) const override { return {learning_rate(), momentum_}; }

 private:
  const double momentum_;
};

// v = m; m = momentum m - lr g; w += -momentum v + (1 + momentum) m. Nesterov 1983; the sign of m
// is the opposite of Momentum's.
class Nesterov : public Solver {
 public:
  explicit Nesterov(const MomentumOptions& options = {})
      : Solver("nesterov", "nesterov_update", {"m"}, {"lr", "momentum"}, options.lr),
        momentum_(options.momentum) {}

 protected:
  std::vector<double> Scalars(uint32_t) const override { return {learning_rate(), momentum_}; }

 private:
  const double momentum_;
};

}  // namespace halite

#endif  // HALITE_SOLVERS_SGD_H_
