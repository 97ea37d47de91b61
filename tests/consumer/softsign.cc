// SPDX-License-Identifier: Apache-2.0
#include "softsign.h"

#include "halite/core/lowering.h"

namespace consumer {
namespace {

using halite::Inference;
using halite::Lowering;

absl::Status Infer(Inference& in) {
  in.AddOutput(in.shape());
  return absl::OkStatus();
}

void Forward(Lowering& l) {
  const int64_t n = halite::Size(l.x_shape());
  l.Call("softsign", {{"x", l.x().View({n})}, {"y", l.y().View({n})}});
}

void Backward(Lowering& l) {
  const int64_t n = halite::Size(l.x_shape());
  l.Call("softsign_grad",
         {{"x", l.x().View({n})}, {"dy", l.dy().View({n})}, {"dx", l.dx().View({n})}});
}

}  // namespace

const halite::FunctionDef& SoftsignFunction() {
  static const auto& function = *[] {
    auto* def = new halite::FunctionDef;
    def->name = "softsign";
    def->inputs = {{"x"}};
    def->infer = Infer;
    def->forward = Forward;
    def->backward = Backward;
    def->kernels = {"softsign"};
    def->gradient_kernels = {"softsign_grad"};
    return def;
  }();
  return function;
}

}  // namespace consumer
