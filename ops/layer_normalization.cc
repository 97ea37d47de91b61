// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/layer_normalization.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halite/core/canonical.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"
#include "halite/ops/copy.h"

namespace halite {
namespace {

using Options = LayerNormalizationOptions;

// The places of beta and gamma among the inputs.
constexpr int kBeta = 1;
int GammaIndex(const Options& options) { return options.no_bias ? 1 : 2; }

// NormalizeAxes, but none stands for none.
auto BatchAxes(const Options& options, int rank) {
  auto axes = NormalizeAxes(options.batch_axis, rank);
  if (axes.ok() && options.batch_axis.empty()) axes->clear();
  return axes;
}

absl::Status Infer(Inference& in) {
  const auto& options = in.options<Options>();
  const auto axes = BatchAxes(options, in.rank());
  if (!axes.ok()) {
    return in.Error(
        absl::StrCat("x ", ToString(in.shape()), " and batch_axis ", ToString(options.batch_axis)),
        absl::StrCat("different axes in [", -in.rank(), ", ", in.rank(), ")"));
  }
  Shape wanted = in.shape();
  for (int axis : *axes) wanted[axis] = 1;
  const int weights = (options.no_bias ? 0 : 1) + (options.no_scale ? 0 : 1);
  for (int i = 1; i < in.num_inputs(); ++i) {
    if (i > weights) return in.ShapeError("no input for what no_scale and no_bias leave out");
    if (in.given(i) && in.shape(i) != wanted) {
      return in.ShapeError(absl::StrCat("beta and gamma ", ToString(wanted)));
    }
  }
  in.AddOutput(in.shape());
  return absl::OkStatus();
}

// The function as its kernels see it: rows [size, rows] with the normalised axes inside.
class Rows {
 public:
  explicit Rows(Lowering& lowering) : l_(lowering), options_(l_.options<Options>()) {
    const Shape& shape = l_.x_shape();
    const int rank = static_cast<int>(shape.size());
    std::vector<bool> is_batch(rank, false);
    const auto axes = BatchAxes(options_, rank);
    for (int axis : *axes) is_batch[axis] = true;
    for (const bool batch : {false, true}) {
      for (int axis = rank - 1; axis >= 0; --axis) {
        if (is_batch[axis] != batch) continue;
        order_.push_back(rank - 1 - axis);
        (batch ? rows_ : size_) *= shape[axis];
        // Axes of extent 1 may stand anywhere.
        if (shape[axis] == 1) continue;
        is_direct_ = is_direct_ && axis < last_;
        last_ = axis;
      }
    }
  }

  int64_t size() const { return size_; }

  // What a kernel reads: `operand`, or a copy of it in the order of the rows.
  Operand Read(const Operand& operand) const {
    if (is_direct_) return operand.View({size_, rows_});
    const Operand copy = l_.Scratch({rows_, size_});
    CopyView(l_, Permuted(operand), Extents(copy));
    return copy;
  }
  // What a kernel writes, to be passed to Finish after it.
  Operand Target(const Operand& operand) const {
    return is_direct_ ? operand.View({size_, rows_}) : l_.Scratch({rows_, size_});
  }
  void Finish(const Operand& written, const Operand& operand) const {
    if (!is_direct_) CopyView(l_, Extents(written), Permuted(operand));
  }

  // Input i as [size], or `value` for all elements where it is not given.
  Operand Weights(int i, bool left_out, double value) const {
    if (!left_out && l_.given(i)) return l_.x(i).View({size_});
    const Operand constant = l_.Scratch({1});
    l_.Fill(constant, value);
    return constant.WithDims({{size_, 0}});
  }
  Operand Beta() const { return Weights(kBeta, options_.no_bias, 0); }
  Operand Gamma() const { return Weights(GammaIndex(options_), options_.no_scale, 1); }

 private:
  Operand Permuted(const Operand& operand) const {
    absl::InlinedVector<Operand::Dim, 6> dims;
    for (int d : order_) dims.push_back(operand.dims()[d]);
    return operand.WithDims(std::move(dims));
  }
  // The dense array `copy` with the extents that Permuted gives.
  Operand Extents(const Operand& copy) const {
    std::vector<int64_t> extents;
    const Shape& shape = l_.x_shape();
    for (int d : order_) extents.push_back(shape[shape.size() - 1 - d]);
    return copy.View(extents);
  }

  Lowering& l_;
  const Options& options_;
  std::vector<int> order_;  // of dimensions, innermost first
  int64_t size_ = 1, rows_ = 1;
  bool is_direct_ = true;
  int last_ = 1 << 30;  // the axis before, in the order of the dimensions
};

void Forward(Lowering& l) {
  const Rows rows(l);
  const Operand y = rows.Target(l.y());
  l.Call("layer_normalization", {{"x", rows.Read(l.x())},
                                 {"beta", rows.Beta()},
                                 {"gamma", rows.Gamma()},
                                 {"eps", l.options<Options>().eps},
                                 {"y", y}});
  rows.Finish(y, l.y());
}

void Backward(Lowering& l) {
  const auto& options = l.options<Options>();
  const Rows rows(l);
  const Operand x = rows.Read(l.x()), dy = rows.Read(l.dy());
  if (l.wants(0)) {
    const Operand dx = rows.Target(l.dx());
    l.Call("layer_normalization_dx",
           {{"x", x}, {"dy", dy}, {"gamma", rows.Gamma()}, {"eps", options.eps}, {"dx", dx}});
    rows.Finish(dx, l.dx());
  }
  const int gamma = GammaIndex(options);
  const bool wants_beta = !options.no_bias && l.wants(kBeta);
  const bool wants_gamma = !options.no_scale && l.wants(gamma);
  if (!wants_beta && !wants_gamma) return;
  const auto target = [&](bool wanted, int i) {
    return wanted ? l.dx(i).View({rows.size()}) : l.Scratch({rows.size()});
  };
  l.Call("layer_normalization_dw", {{"x", x},
                                    {"dy", dy},
                                    {"eps", options.eps},
                                    {"dw.0", target(wants_beta, kBeta)},
                                    {"dw.1", target(wants_gamma, gamma)}});
}

}  // namespace

absl::Span<const FunctionDef> LayerNormalizationFunctions() {
  static const auto& functions = *new std::vector<FunctionDef>{[] {
    FunctionDef def;
    def.name = "layer_normalization";
    def.nnabla_name = "LayerNormalization";
    def.onnx_name = "LayerNormalization";
    def.inputs = {{"x"},
                  {"beta", InputKind::kData, /*optional=*/true},
                  {"gamma", InputKind::kData, /*optional=*/true}};
    def.options = OptionsDef::Of<Options>()
                      .With("batch_axis", &Options::batch_axis)
                      .With("eps", &Options::eps)
                      .With("no_scale", &Options::no_scale)
                      .With("no_bias", &Options::no_bias);
    def.infer = Infer;
    def.forward = Forward;
    def.backward = Backward;
    def.kernels = CopyKernels();
    def.kernels.push_back("layer_normalization");
    def.gradient_kernels = CopyKernels();
    def.gradient_kernels.push_back("layer_normalization_dx");
    def.gradient_kernels.push_back("layer_normalization_dw");
    return def;
  }()};
  return functions;
}

}  // namespace halite
