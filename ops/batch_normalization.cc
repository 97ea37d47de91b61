// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/batch_normalization.h"

#include "absl/strings/str_cat.h"
#include "halite/core/canonical.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"

namespace halite {
namespace {

constexpr int kX = 0, kBeta = 1, kGamma = 2, kMean = 3, kVariance = 4;

// REQUIRES: axes that fit (see Infer).
int ChannelAxis(const BatchNormalizationOptions& options, int rank) {
  return *NormalizeAxis(options.axes[0], rank);
}

absl::Status Infer(Inference& in) {
  const auto& options = in.options<BatchNormalizationOptions>();
  if (options.axes.size() != 1 || !NormalizeAxis(options.axes[0], in.rank()).ok()) {
    return in.Error(absl::StrCat("x ", ToString(in.shape()), " and axes ", ToString(options.axes)),
                    "exactly one axis of x");
  }
  if (options.output_stat && !options.batch_stat) {
    return in.Error("output_stat without batch_stat", "batch_stat");
  }
  const int axis = ChannelAxis(options, in.rank());
  Shape channels(in.rank(), 1);
  channels[axis] = in.shape()[axis];
  for (int i = kBeta; i <= kVariance; ++i) {
    if (in.shape(i) != channels) {
      return in.ShapeError(
          absl::StrCat("beta, gamma, mean and variance of shape ", ToString(channels)));
    }
  }
  in.AddOutput(in.shape());
  if (options.output_stat) {
    in.AddOutput(channels);
    in.AddOutput(channels);
  }
  return absl::OkStatus();
}

// The function as its kernels see it.
struct View {
  explicit View(Lowering& lowering)
      : l(lowering),
        options(l.options<BatchNormalizationOptions>()),
        dims(l.x_shape(), ChannelAxis(options, static_cast<int>(l.x_shape().size()))) {}

  Operand All(const Operand& operand) const { return operand.View(dims.dims()); }
  Operand Channels(const Operand& operand) const { return operand.View({dims.axis}); }
  Operand ChannelScratch() const { return l.Scratch({dims.axis}); }
  // What x is normalised with.
  Operand Mean() const { return Statistic(kMean, 1); }
  Operand Variance() const { return Statistic(kVariance, 2); }

  Lowering& l;
  const BatchNormalizationOptions& options;
  const InnerAxisOuter dims;

 private:
  // The running statistics, or those of the batch: an output, or kept for the gradient.
  Operand Statistic(int input, int output) const {
    if (!options.batch_stat) return Channels(l.x(input));
    if (options.output_stat) return Channels(l.y(output));
    return l.State(output - 1, {dims.axis}, l.dtype());
  }
};

void Forward(Lowering& l) {
  const View view(l);
  if (view.options.batch_stat) {
    l.Call("batch_normalization_statistics",
           {{"x", view.All(l.x(kX))},
            {"decay_rate", view.options.decay_rate},
            {"mean", view.Mean()},
            {"variance", view.Variance()},
            {"running_mean", view.Channels(l.x(kMean)).Accumulate()},
            {"running_variance", view.Channels(l.x(kVariance)).Accumulate()}});
  }
  l.Call("batch_normalization", {{"x", view.All(l.x(kX))},
                                 {"beta", view.Channels(l.x(kBeta))},
                                 {"gamma", view.Channels(l.x(kGamma))},
                                 {"mean", view.Mean()},
                                 {"variance", view.Variance()},
                                 {"eps", view.options.eps},
                                 {"y", view.All(l.y())}});
}

// The gradient of output `i`, or zeros if the function does not have it.
Operand StatisticGradient(const View& view, int i) {
  if (view.options.output_stat) return view.Channels(view.l.dy(i));
  const Operand zeros = view.ChannelScratch();
  view.l.Fill(zeros, 0);
  return zeros;
}

void Backward(Lowering& l) {
  const View view(l);
  const Operand x = view.All(l.x(kX)), dy = view.All(l.dy());
  const Operand gamma = view.Channels(l.x(kGamma));
  const Operand sum_dy = view.ChannelScratch(), sum_centered = view.ChannelScratch();
  const double eps = view.options.eps;
  const auto channel_dx = [&](int i) {
    return l.wants(i) ? view.Channels(l.dx(i)) : view.ChannelScratch();
  };
  const bool dx_needs_sums = l.wants(kX) && view.options.batch_stat;
  if (dx_needs_sums || l.wants(kBeta) || l.wants(kGamma)) {
    l.Call("batch_normalization_sums", {{"x", x},
                                        {"dy", dy},
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
  l.Call("batch_normalization_dx", {{"x", x},
                                    {"dy", dy},
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
    return new std::vector<FunctionDef>{std::move(def)};
  }();
  return functions;
}

}  // namespace halite
