// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/loop_arrays.h"

#include <algorithm>

namespace halite::bench {

LoopArrays::LoopArrays(const Bench& bench) {
  for (const Variable& input : bench.inputs()) {
    arrays_.shapes.push_back(input.shape());
    x_.push_back(Values(input.data()));
    dx_.emplace_back(input.need_grad() ? x_.back().size() : 0);
  }
  for (const Variable& output : bench.outputs()) {
    y_.emplace_back(output.size());
    dy_.push_back(Values(output.grad()));
  }
  arrays_.y_shape = bench.outputs()[0].shape();
  for (size_t i = 0; i < x_.size(); ++i) {
    arrays_.x.push_back(x_[i].data());
    arrays_.dx.push_back(dx_[i].empty() ? nullptr : dx_[i].data());
  }
  for (size_t i = 0; i < y_.size(); ++i) {
    arrays_.y.push_back(y_[i].data());
    arrays_.dy.push_back(dy_[i].data());
  }
}

void LoopArrays::ZeroGradients() {
  for (std::vector<float>& dx : dx_) std::fill(dx.begin(), dx.end(), 0.f);
}

}  // namespace halite::bench
