// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/top_n_error.h"

#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/ops/labels.h"

namespace halite {
namespace {

absl::Status InferTopNError(Inference& in) {
  const auto& options = in.options<TopNErrorOptions>();
  if (options.n < 1 || options.n > std::numeric_limits<int>::max()) {
    return in.Error(absl::StrCat("n = ", options.n), "n of at least 1");
  }
  return InferWithLabels(in, options.axis);
}

void TopNErrorForward(Lowering& l) {
  const auto& options = l.options<TopNErrorOptions>();
  const InnerAxisOuter dims = AroundClasses(l, options.axis);
  const auto sums = {dims.inner, dims.outer};
  // Without classes every label is an error.
  l.Call("top_n_error",
         {{"x", l.x().View(dims.dims())},
          {"label", l.x(1).View(sums)},
          {"n", options.n},
          {"y", l.y().View(sums)}},
         1);
}

}  // namespace

absl::Span<const FunctionDef> TopNErrorFunctions() {
  static const auto& functions = *new std::vector<FunctionDef>{[] {
    FunctionDef def;
    def.name = "top_n_error";
    def.nnabla_name = "TopNError";
    def.inputs = {{"x"}, {"target", InputKind::kIndex}};
    def.options = OptionsDef::Of<TopNErrorOptions>()
                      .With("axis", &TopNErrorOptions::axis)
                      .With("n", &TopNErrorOptions::n);
    def.infer = InferTopNError;
    def.forward = TopNErrorForward;
    def.gradient = Gradient::kZero;
    def.kernels = {"top_n_error"};
    return def;
  }()};
  return functions;
}

}  // namespace halite
