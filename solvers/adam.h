// SPDX-License-Identifier: Apache-2.0
//
// Adam (Kingma, Ba: "Adam: a method for stochastic optimization", ICLR 2015) and AdamW (Loshchilov,
// Hutter: "Decoupled weight decay regularization", ICLR 2019).
#ifndef HALITE_SOLVERS_ADAM_H_
#define HALITE_SOLVERS_ADAM_H_

#include <cmath>
#include <vector>

#include "halite/solvers/solver.h"

namespace halite {

struct AdamOptions {
  double alpha = 1e-3;  // learning rate
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
};

// t += 1; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
// w -= alpha sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps).
// eps is added to the uncorrected root, the paper's "efficient" order.
class Adam : public Solver {
 public:
  explicit Adam(const AdamOptions& options = {}) : Adam("adam", options) {}

 protected:
  Adam(std::string name, const AdamOptions& options)
      : Solver(std::move(name), "adam_update", {"mean", "var"},
               {"rate", "beta1", "beta2", "eps", "decay"}, options.alpha),
        options_(options) {}

  std::vector<double> Scalars(uint32_t t) const override {
    const double rate = learning_rate() * std::sqrt(1 - std::pow(options_.beta2, t)) /
                        (1 - std::pow(options_.beta1, t));
    return {rate, options_.beta1, options_.beta2, options_.eps, 0};
  }

 private:
  const AdamOptions options_;
};

struct AdamWOptions : AdamOptions {
  double wd = 1e-4;  // weight decay of each step
};

// Adam, and w -= (alpha / alpha at construction) wd w in the same step. WeightDecay(rate) replaces
// wd for the next Update; a rate of 0 does nothing, as everywhere.
class AdamW : public Adam {
 public:
  explicit AdamW(const AdamWOptions& options = {})
      : Adam("adamw", options), initial_rate_(options.alpha), default_decay_(options.wd) {}

  absl::Status WeightDecay(double rate) override {
    if (rate != 0) next_decay_ = rate;
    return absl::OkStatus();
  }

  absl::Status Update() override {
    const absl::Status status = Adam::Update();
    next_decay_ = default_decay_;
    return status;
  }

 protected:
  std::vector<double> Scalars(uint32_t t) const override {
    std::vector<double> scalars = Adam::Scalars(t);
    scalars.back() = learning_rate() / initial_rate_ * next_decay_;
    return scalars;
  }

 private:
  const double initial_rate_;
  const double default_decay_;
  double next_decay_ = default_decay_;
};

}  // namespace halite

#endif  // HALITE_SOLVERS_ADAM_H_
