// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/batch_normalization.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "halite/core/canonical.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"

namespace halite {
namespace {

constexpr int kX = 0, kBeta = 1, kGamma = 2, kMean = 3, kVariance = 4, kZ = 5;

// REQUIRES: axes that fit (see Infer).
int ChannelAxis(const BatchNormalizationOptions& options, int rank) {
  return *NormalizeAxis(options.axes[0], rank);
}

// y, and the shapes of all inputs that have channels.
absl::Status InferNormalized(Inference& in, const BatchNormalizationOptions& options) {
  if (options.axes.size() != 1 || !NormalizeAxis(options.axes[0], in.rank()).ok()) {
    return in.Error(absl::StrCat("x ", ToString(in.shape()), " and axes ", ToString(options.axes)),
                    "exactly one axis of x");
  }
  Shape channels(in.rank(), 1);
  const int axis = ChannelAxis(options, in.rank());
  channels[axis] = in.shape()[axis];
  for (int i = kBeta; i <= kVariance; ++i) {
    if (in.shape(i) != channels) {
      return in.ShapeError(
          absl::StrCat("beta, gamma, mean and variance of shape ", ToString(channels)));
    }
  }
  in.AddOutput(in.shape());
  return absl::OkStatus();
}

absl::Status Infer(Inference& in) {
  const auto& options = in.options<BatchNormalizationOptions>();
  if (options.output_stat && !options.batch_stat) {
    return in.Error("output_stat without batch_stat", "batch_stat");
  }
  HALITE_RETURN_IF_ERROR(InferNormalized(in, options));
  if (options.output_stat) {
    in.AddOutput(in.shape(kBeta));
    in.AddOutput(in.shape(kBeta));
  }
  return absl::OkStatus();
}

// The function as its kernels see it.
struct View {
  View(Lowering& lowering, const BatchNormalizationOptions& options_in)
      : l(lowering),
        options(options_in),
        dims(l.x_shape(), ChannelAxis(options, static_cast<int>(l.x_shape().size()))) {}

  Operand All(const Operand& operand) const { return operand.View(dims.dims()); }
  Operand Channels(const Operand& operand) const { return operand.View({dims.axis}); }
  Operand ChannelScratch() const { return l.Scratch({dims.axis}); }
  // What x is normalised with.
  Operand Mean() const { return Statistic(kMean, 1); }
  Operand Variance() const { return Statistic(kVariance, 2); }

  Lowering& l;
  const BatchNormalizationOptions options;
  const InnerAxisOuter dims;

 private:
  // The running statistics, or those of the batch: an output, or kept for the gradient.
  Operand Statistic(int input, int output) const {
    if (!options.batch_stat) return Channels(l.x(input));
    if (options.output_stat) return Channels(l.y(output));
    return l.State(output - 1, {dims.axis}, l.dtype());
  }
};

// `kernel`, and z if it reads one.
void ForwardWith(const View& view, const char* kernel, const Operand& z) {
  Lowering& l = view.l;
  if (view.options.batch_stat) {
    l.Call("batch_normalization_statistics",
           {{"x", view.All(l.x(kX))},
            {"decay_rate", view.options.decay_rate},
            {"mean", view.Mean()},
            {"variance", view.Variance()},
            {"running_mean", view.Channels(l.x(kMean)).Accumulate()},
            {"running_variance", view.Channels(l.x(kVariance)).Accumulate()}});
  }
  l.Call(kernel, {{"x", view.All(l.x(kX))},
                  {"beta", view.Channels(l.x(kBeta))},
                  {"gamma", view.Channels(l.x(kGamma))},
                  {"mean", view.Mean()},
                  {"variance", view.Variance()},
                  {"z", view.All(z)},
                  {"eps", view.options.eps},
                  {"y", view.All(l.y())}});
}

void Forward(Lowering& l) {
  ForwardWith({l, l.options<BatchNormalizationOptions>()}, "batch_normalization", l.x(kX));
}

// The gradient of output `i`, or zeros if the function does not have it.
Operand StatisticGradient(const View& view, int i) {
  if (view.options.output_stat) return view.Channels(view.l.dy(i));
  const Operand zeros = view.ChannelScratch();
  view.l.Fill(zeros, 0);
  return zeros;
}

// By the kernels <prefix>_sums and <prefix>_dx, or batch_normalization_fixed_dx for given
// statistics. `gradient`: of what the kernels take for y.
void BackwardWith(const View& view, const std::string& prefix, const Operand& gradient) {
  Lowering& l = view.l;
  const Operand x = view.All(l.x(kX)), dy = view.All(gradient);
  const Operand beta = view.Channels(l.x(kBeta)), gamma = view.Channels(l.x(kGamma));
  const Operand sum_dy = view.ChannelScratch(), sum_centered = view.ChannelScratch();
  const double eps = view.options.eps;
  const auto channel_dx = [&](int i) {
    return l.wants(i) ? view.Channels(l.dx(i)) : view.ChannelScratch();
  };
  const bool dx_needs_sums = l.wants(kX) && view.options.batch_stat;
  if (dx_needs_sums || l.wants(kBeta) || l.wants(kGamma)) {
    l.Call(prefix + "_sums", {{"x", x},
                              {"dy", dy},
                              {"beta", beta},
                              {"gamma", gamma},
                              {"mean", view.Mean()},
                              {"variance", view.Variance()},
                              {"eps", eps},
                              {"sum_dy", sum_dy},
                              {"sum_centered", sum_centered},
                              {"dbeta", channel_dx(kBeta)},
                              {"dgamma", channel_dx(kGamma)}});
  }
  if (!l.wants(kX)) return;
  if (!view.options.batch_stat) {
    l.Call("batch_normalization_fixed_dx", {{"dy", dy},
                                            {"gamma", gamma},
                                            {"variance", view.Variance()},
                                            {"eps", eps},
                                            {"dx", view.All(l.dx(kX))}});
    return;
  }
  l.Call(prefix + "_dx", {{"x", x},
                          {"dy", dy},
                          {"beta", beta},
                          {"gamma", gamma},
                          {"mean", view.Mean()},
                          {"variance", view.Variance()},
                          {"dmean", StatisticGradient(view, 1)},
                          {"dvariance", StatisticGradient(view, 2)},
                          {"sum_dy", sum_dy},
                          {"sum_centered", sum_centered},
                          {"eps", eps},
                          {"dx", view.All(l.dx(kX))}});
}

void Backward(Lowering& l) {
  BackwardWith({l, l.options<BatchNormalizationOptions>()}, "batch_normalization", l.dy());
}

// ---- fused

BatchNormalizationOptions Unfused(const FusedBatchNormalizationOptions& options) {
  BatchNormalizationOptions unfused;
  unfused.axes = options.axes;
  unfused.decay_rate = options.decay_rate;
  unfused.eps = options.eps;
  unfused.batch_stat = options.batch_stat;
  return unfused;
}

absl::Status InferFused(Inference& in) {
  const auto& options = in.options<FusedBatchNormalizationOptions>();
  if (options.nonlinearity != "relu") {
    return in.Error(absl::StrCat("nonlinearity ", options.nonlinearity), "relu");
  }
  HALITE_RETURN_IF_ERROR(InferNormalized(in, Unfused(options)));
  if (in.given(kZ) && in.shape(kZ) != in.shape()) return in.ShapeError("z of the shape of x");
  return absl::OkStatus();
}

void FusedForward(Lowering& l) {
  const View view(l, Unfused(l.options<FusedBatchNormalizationOptions>()));
  if (l.given(kZ)) {
    ForwardWith(view, "fused_batch_normalization_add", l.x(kZ));
  } else {
    ForwardWith(view, "fused_batch_normalization", l.x(kX));
  }
}

// Without z the kernels find from x what of dy gets through relu. With z they would read y for it,
// twice; the gradient of z is what they need, and is written in any case.
void FusedBackward(Lowering& l) {
  const View view(l, Unfused(l.options<FusedBatchNormalizationOptions>()));
  if (!l.given(kZ) && view.options.batch_stat) {
    return BackwardWith(view, "fused_batch_normalization", l.dy());
  }
  const auto mask = [&](const Operand& to) {
    const int64_t n = Size(l.x_shape());
    l.Call("relu_grad", {{"y", l.y().View({n})}, {"dy", l.dy().View({n})}, {"dx", to.View({n})}});
  };
  const Operand masked = l.owns(kZ) ? l.dx(kZ) : l.Scratch(l.x_shape());
  mask(masked);
  BackwardWith(view, "batch_normalization", masked);
  if (l.wants(kZ) && !l.owns(kZ)) mask(l.dx(kZ));
}

}  // namespace

absl::Span<const FunctionDef> BatchNormalizationFunctions() {
  static const auto& functions = *[] {
    FunctionDef def;
    def.name = "batch_normalization";
    def.nnabla_name = "BatchNormalization";
    def.onnx_name = "BatchNormalization";
    def.inputs = {
        {"x"}, {"beta"}, {"gamma"}, {"mean", InputKind::kState}, {"variance", InputKind::kState}};
    using Options = BatchNormalizationOptions;
    def.options = OptionsDef::Of<Options>()
                      .With("axes", &Options::axes)
                      .With("decay_rate", &Options::decay_rate)
                      .With("eps", &Options::eps)
                      .With("batch_stat", &Options::batch_stat)
                      .With("output_stat", &Options::output_stat);
    def.infer = Infer;
    def.forward = Forward;
    def.backward = Backward;
    def.kernels = {"batch_normalization", "batch_normalization_statistics"};
    def.gradient_kernels = {"batch_normalization_sums", "batch_normalization_dx",
                            "batch_normalization_fixed_dx"};

    FunctionDef fused;
    fused.name = "fused_batch_normalization";
    fused.nnabla_name = "FusedBatchNormalization";
    fused.inputs = def.inputs;
    fused.inputs.push_back({"z", InputKind::kData, /*optional=*/true});
    using Fused = FusedBatchNormalizationOptions;
    fused.options = OptionsDef::Of<Fused>()
                        .With("axes", &Fused::axes)
                        .With("decay_rate", &Fused::decay_rate)
                        .With("eps", &Fused::eps)
                        .With("batch_stat", &Fused::batch_stat)
                        .With("nonlinearity", &Fused::nonlinearity);
    fused.infer = InferFused;
    fused.forward = FusedForward;
    fused.backward = FusedBackward;
    fused.kernels = {"fused_batch_normalization", "fused_batch_normalization_add",
                     "batch_normalization_statistics"};
    fused.gradient_kernels = def.gradient_kernels;
    for (const char* name :
         {"fused_batch_normalization_sums", "fused_batch_normalization_dx", "relu_grad"}) {
      fused.gradient_kernels.push_back(name);
    }
    return new std::vector<FunctionDef>{std::move(def), std::move(fused)};
  }();
  return functions;
}

}  // namespace halite
