// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/convolution.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"
#include "halite/ops/convolution_operands.h"
#include "halite/ops/convolution_patches.h"
#include "halite/ops/convolution_sizes.h"
#include "halite/ops/copy.h"
#include "halite/ops/matrix_product.h"
#include "halite/ops/reduce_sum.h"

namespace halite {
namespace {

using Operands = ConvolutionOperands;
using Sizes = ConvolutionSizes;
using Axis = ConvolutionSizes::Axis;
using Phase = ConvolutionSizes::Phase;

constexpr int64_t kMaxPlace = std::numeric_limits<int32_t>::max();  // kernels count in int32
constexpr int64_t kMaxStep = 1 << 20;  // of strides and dilations, as kernels declare them

absl::Status InferConvolution(Inference& in) {
  const auto& options = in.options<ConvolutionOptions>();
  const int base = options.base_axis;
  const int spatial = base < 0 ? 0 : in.rank(0) - base - 1;
  if (spatial < 1 || spatial > kMaxSpatial) {
    return in.Error(absl::StrCat("x ", ToString(in.shape(0)), " and base_axis ", base),
                    "1 to 3 axes behind the channels");
  }
  if (in.rank(1) != spatial + 2) {
    return in.ShapeError(absl::StrCat("w of rank ", spatial + 2));
  }
  for (const auto* list : {&options.pad, &options.stride, &options.dilation}) {
    if (!list->empty() && static_cast<int>(list->size()) != spatial) {
      return in.Error(
          absl::StrCat("pad ", ToString(options.pad), ", stride ", ToString(options.stride),
                       ", dilation ", ToString(options.dilation)),
          absl::StrCat("lists of ", spatial, " entries or none"));
    }
    const bool is_pad = list == &options.pad;
    const int64_t least = is_pad ? 0 : 1, most = is_pad ? kMaxPlace : kMaxStep;
    if (std::any_of(list->begin(), list->end(), [&](int64_t v) { return v < least || v > most; })) {
      return in.Error(
          absl::StrCat("pad ", ToString(options.pad), ", stride ", ToString(options.stride),
                       ", dilation ", ToString(options.dilation)),
          "pad of at least 0, stride and dilation of 1 to 2^20");
    }
  }
  const Sizes sizes(in.shape(0), in.shape(1), options);
  if (sizes.group < 1 || sizes.in_channels % sizes.group != 0 ||
      sizes.out_channels % sizes.group != 0) {
    return in.Error(absl::StrCat(sizes.in_channels, " input and ", sizes.out_channels,
                                 " output channels in ", sizes.group, " groups"),
                    "multiples of the number of groups");
  }
  if (in.shape(1)[1] != sizes.in_channels / sizes.group) {
    return in.ShapeError(
        absl::StrCat("w with ", sizes.in_channels / sizes.group, " input channels"));
  }
  if (in.given(2) && in.shape(2) != Shape{sizes.out_channels}) {
    return in.ShapeError(absl::StrCat("b of shape [", sizes.out_channels, "]"));
  }
  Shape shape(in.shape(0).begin(), in.shape(0).begin() + base);
  shape.push_back(sizes.out_channels);
  for (const Axis& axis : sizes.axes) {
    if (axis.taps < 1) return in.ShapeError("w with at least one tap on each axis");
    if (axis.in + 2 * axis.pad > kMaxPlace) {
      return in.Error(absl::StrCat("x ", ToString(in.shape(0)), ", pad ", ToString(options.pad)),
                      "padded extents below 2^31");
    }
    if (axis.out < 1 && axis.in > 0) return in.ShapeError("kernels that fit in the padded input");
    shape.push_back(axis.out);
  }
  in.AddOutput(shape);
  return absl::OkStatus();
}

// The kernels for one input channel an output channel; those for narrow planes see a plane as one
// run of pixels.
class Depthwise {
 public:
  Depthwise(const Lowering& l, const Operands& op, bool suits_narrow)
      : op_(op), s_(op.sizes), narrow_(suits_narrow && l.Offers("narrow_depthwise_convolution")) {}

  Operand Input(const Operand& x) const {
    return narrow_ ? x.View({s_.of(0).in * s_.of(1).in, s_.in_channels, s_.batch}) : op_.Input(x);
  }
  Operand Output(const Operand& y) const {
    return narrow_ ? y.View({s_.pixels(), s_.out_channels, s_.batch}) : op_.Output(y);
  }
  Operand Weights(const Operand& w) const {
    return narrow_ ? w.View({s_.of(0).taps * s_.of(1).taps, s_.out_channels})
                   : w.View({s_.of(0).taps, s_.of(1).taps, s_.of(2).taps, s_.out_channels});
  }
  // `ending`: of the kernel's name.
  void Call(Lowering& l, const std::string& ending, std::vector<KernelArgument> arrays) const {
    halite::Call(l, (narrow_ ? "narrow_depthwise_convolution" : "depthwise_convolution") + ending,
                 std::move(arrays), ConvolutionGeometry(s_));
  }

 private:
  const Operands& op_;
  const Sizes& s_;
  const bool narrow_;
};

// An array of which each group has a part, along `dim`.
struct Grouped {
  const char* name;
  Operand array;
  int dim;
};

void CallForGroups(Lowering& l, const std::string& kernel, int64_t groups,
                   const std::vector<Grouped>& arrays, const std::vector<KernelArgument>& scalars) {
  for (int64_t g = 0; g < groups; ++g) {
    std::vector<KernelArgument> parts;
    for (const Grouped& a : arrays) {
      parts.emplace_back(a.name, GroupOf(a.array, a.dim, g, groups));
    }
    Call(l, kernel, std::move(parts), scalars);
  }
}

// A convolution of one tap as products of matrices: channels by pixels, for each of the batch.
class ChannelProducts {
 public:
  explicit ChannelProducts(const Lowering& l) : s_(l) {}

  void Forward(Lowering& l) const {
    const bool gathers = Gathers(kFewPixels);
    const Operand x = Source(l, l.x(0), Met(l.x(0)), s_.in_channels, gathers, s_.skips_pixels());
    const Operand y = gathers ? Scratch(l, s_.out_channels, gathers) : l.y();
    for (int64_t g = 0; g < s_.group; ++g) {
      std::optional<Operand> bias;
      if (l.given(2)) bias = GroupOf(l.x(2), 0, g, s_.group);
      MatrixProduct(l, {Weights(l.x(1), g, gathers)}, {Group(x, s_.in_channels, g, gathers)},
                    Group(y, s_.out_channels, g, gathers), bias);
    }
    if (gathers) {
      CopyView(l, Images(y, s_.out_channels, gathers), Images(l.y(), s_.out_channels, false));
    }
  }

  // dx = w' dy.
  void InputGradient(Lowering& l) const {
    const bool gathers = Gathers(kFewPixels), copies = gathers || s_.skips_pixels();
    const Operand dy = Gradient(l, gathers);
    const Operand dx = copies ? Scratch(l, s_.in_channels, gathers) : l.dx(0);
    for (int64_t g = 0; g < s_.group; ++g) {
      ProductWithTransposedWeights(l, Weights(l.x(1), g, gathers),
                                   Group(dy, s_.out_channels, g, gathers),
                                   Group(dx, s_.in_channels, g, gathers));
    }
    if (s_.skips_pixels()) l.Fill(l.dx(0), 0);
    if (copies) CopyView(l, Images(dx, s_.in_channels, gathers), Met(l.dx(0)));
  }

  // dw = dy x', where the sum runs over the batch too, one image after another or gathered.
  void WeightsGradient(Lowering& l) const {
    const bool gathers = Gathers(kManyPixels);
    const Operand x = Source(l, l.x(0), Met(l.x(0)), s_.in_channels, gathers, s_.skips_pixels());
    const Operand dy = Gradient(l, gathers);
    for (int64_t g = 0; g < s_.group; ++g) {
      Operand dw = Weights(l.dx(1), g, /*gathered=*/true);
      const Operand from_dy = Group(dy, s_.out_channels, g, gathers);
      const Operand from_x = Group(x, s_.in_channels, g, gathers);
      for (int64_t i = 0; i < from_x.dims()[2].extent; ++i) {
        MatrixProduct(l, {from_dy.Slice(2, i, 1)}, {from_x.Slice(2, i, 1), true}, dw);
        dw = dw.Accumulate();
      }
    }
  }

 private:
  // Images of fewer pixels are brought together, [channel, image, pixel], and multiplied as one:
  // for the result's sake, whose rows are short (and the weights would be packed for each of them);
  // for the gradient to the weights, because a sum of few terms is slow.
  static constexpr int64_t kFewPixels = 64, kManyPixels = 1024;
  bool Gathers(int64_t pixels) const { return s_.batch > 1 && s_.pixels() < pixels; }

  // The pixels of x that the strides meet: [x, y, z, channels, batch].
  Operand Met(const Operand& x) const {
    Operand met = x.View({s_.of(0).in, s_.of(1).in, s_.of(2).in, s_.in_channels, s_.batch});
    for (int d = 0; d < kMaxSpatial; ++d) met = met.Slice(d, 0, s_.of(d).out, s_.of(d).stride);
    return met;
  }
  // The same dimensions of an array as large as the output, gathered or not.
  Operand Images(const Operand& array, int64_t channels, bool gathered) const {
    const int64_t p = s_.pixels(), n = s_.batch, row = s_.of(0).out, slice = row * s_.of(1).out;
    return array.WithDims({{row, 1},
                           {s_.of(1).out, row},
                           {s_.of(2).out, slice},
                           {channels, gathered ? p * n : p},
                           {n, gathered ? p : p * channels}});
  }
  Operand Scratch(Lowering& l, int64_t channels, bool gathered) const {
    const int64_t p = s_.pixels(), n = s_.batch;
    return l.Scratch(gathered ? Shape{channels, n, p} : Shape{n, channels, p});
  }
  // `array` itself or a copy of its pixels `met`.
  Operand Source(Lowering& l, const Operand& array, const Operand& met, int64_t channels,
                 bool gathers, bool skips) const {
    if (!gathers && !skips) return array;
    const Operand copy = Scratch(l, channels, gathers);
    CopyView(l, met, Images(copy, channels, gathers));
    return copy;
  }
  Operand Gradient(Lowering& l, bool gathers) const {
    return Source(l, l.dy(), Images(l.dy(), s_.out_channels, false), s_.out_channels, gathers,
                  false);
  }
  // Matrices [pixels, channels of group g]: one for each image, or one for all.
  Operand Group(const Operand& array, int64_t channels, int64_t g, bool gathered) const {
    const int64_t p = s_.pixels(), n = s_.batch;
    const Operand matrices =
        gathered ? array.View({p * n, channels, 1}) : array.View({p, channels, n});
    return GroupOf(matrices, 1, g, s_.group);
  }
  // [input channels, output channels of group g], as often as there are matrices.
  Operand Weights(const Operand& w, int64_t g, bool gathered) const {
    const int64_t inputs = s_.in_channels / s_.group, outputs = s_.out_channels / s_.group;
    return w.WithDims({{inputs, 1}, {outputs, inputs}, {gathered ? 1 : s_.batch, 0}},
                      g * inputs * outputs);
  }
  // dx := w' dy. Weights that leave the second cache are slow to read transposed: many pixels pay
  // for a copy of them, few for one of dx, which is dy' w transposed (1024 to 512 channels, 14x14,
  // Zen 5, one thread: 16 images take 16 ms instead of 21, one 0.9 instead of 1.1).
  static void ProductWithTransposedWeights(Lowering& l, const Operand& w, const Operand& dy,
                                           const Operand& dx) {
    constexpr int64_t kLargeWeights = 1 << 18, kPixelsForCopy = 512;
    const int64_t inputs = w.dims()[0].extent, outputs = w.dims()[1].extent;
    const int64_t pixels = dx.dims()[0].extent, images = dx.dims()[2].extent;
    if (inputs * outputs < kLargeWeights) {
      MatrixProduct(l, {w, true}, {dy}, dx);
    } else if (pixels * images < kPixelsForCopy) {
      const Operand transposed = l.Scratch({images, pixels, inputs});
      MatrixProduct(l, {dy, true}, {w}, transposed.View({inputs, pixels, images}));
      CopyView(l, transposed.WithDims({{pixels, inputs}, {inputs, 1}, {images, pixels * inputs}}),
               dx);
    } else {
      const Operand copy = l.Scratch({inputs, outputs});
      CopyView(l, w.WithDims({{outputs, inputs}, {inputs, 1}}), copy);
      MatrixProduct(l, {copy.WithDims({{outputs, 1}, {inputs, outputs}, w.dims()[2]})}, {dy}, dx);
    }
  }

  Sizes s_;
};

void ConvolutionForward(Lowering& l) {
  const Operands op(l);
  if (op.sizes.is_matrix_product() && !op.sizes.is_depthwise()) {
    ChannelProducts(l).Forward(l);
    return;
  }
  if (op.sizes.suits_patches()) {
    PatchProducts(op).Forward(l);
    return;
  }
  Operand b = l.given(2) ? l.x(2) : l.Scratch({op.sizes.out_channels});
  if (!l.given(2)) l.Fill(b, 0);
  const Operand x = op.Input(l.x(0)), w = op.Weights(l.x(1)), y = op.Output(l.y());
  if (op.sizes.is_depthwise()) {
    const Depthwise depthwise(l, op, op.sizes.suits_narrow_planes());
    depthwise.Call(l, "",
                   {{"x", depthwise.Input(l.x(0))},
                    {"w", depthwise.Weights(l.x(1))},
                    {"b", b},
                    {"y", depthwise.Output(l.y())}});
    return;
  }
  if (const std::string kernel = op.Winograd(l, "convolution"); !kernel.empty()) {
    Call(l, kernel, {{"x", x}, {"w", w}, {"b", b}, {"y", y}}, ConvolutionGeometry(op.sizes));
    return;
  }
  const bool makes_few = op.sizes.makes_few_channels() && l.Offers("few_channels_convolution");
  CallForGroups(l, makes_few ? "few_channels_convolution" : "convolution", op.sizes.group,
                {{"x", x, kChannels}, {"w", w, kOutmaps}, {"b", b, 0}, {"y", y, kChannels}},
                ConvolutionGeometry(op.sizes));
}

void InputGradient(Lowering& l, const Operands& op) {
  const Operand dy = op.Output(l.dy()), w = op.Weights(l.x(1)), dx = op.Input(l.dx(0));
  const char* form = op.sizes.suits_adjoint() ? "convolution_adjoint" : "convolution_dx";
  if (const std::string kernel = op.Winograd(l, form); !kernel.empty()) {
    Call(l, kernel, {{"dy", dy}, {"w", w}, {"dx", dx}}, ConvolutionGeometry(op.sizes));
    return;
  }
  const std::vector<Phase> phases[] = {op.sizes.of(0).Phases(), op.sizes.of(1).Phases(),
                                       op.sizes.of(2).Phases()};
  const bool some_without_taps = std::any_of(std::begin(phases), std::end(phases), [](auto& all) {
    return std::any_of(all.begin(), all.end(), [](const Phase& p) { return p.taps == 0; });
  });
  if (some_without_taps) l.Fill(l.dx(0), 0);
  const auto call = [&](const char* kernel, const Operand& part, const Operand& taps,
                        const std::vector<KernelArgument>& scalars) {
    CallForGroups(l, kernel, op.sizes.group,
                  {{"dy", dy, kChannels}, {"w", taps, kOutmaps}, {"dx", part, kChannels}}, scalars);
  };
  if (op.sizes.strides_two() && l.Offers("strided_convolution_dx")) {
    const Axis x = op.sizes.of(0), y = op.sizes.of(1);
    for (const Phase& pz : phases[2]) {
      if (pz.taps == 0) continue;
      call("strided_convolution_dx", dx.Slice(2, pz.start, pz.inputs, op.sizes.of(2).stride),
           w.Slice(2, pz.first, pz.taps, pz.step),
           {{"pad_x", x.StridedWindowPad()},
            {"pad_y", y.StridedWindowPad()},
            {"odd_x", x.pad % 2},
            {"odd_y", y.pad % 2},
            {"offset_z", pz.offset},
            {"dilation_z", pz.dilation}});
    }
    return;
  }
  for (const Phase& px : phases[0]) {
    for (const Phase& py : phases[1]) {
      for (const Phase& pz : phases[2]) {
        const Phase* at[] = {&px, &py, &pz};
        if (px.taps * py.taps * pz.taps == 0) continue;
        Operand part = dx, taps = w;
        for (int d = 0; d < kMaxSpatial; ++d) {
          part = part.Slice(d, at[d]->start, at[d]->inputs, op.sizes.of(d).stride);
          taps = taps.Slice(d, at[d]->first, at[d]->taps, at[d]->step);
        }
        call("convolution_dx", part, taps,
             {{"offset_x", px.offset},
              {"offset_y", py.offset},
              {"offset_z", pz.offset},
              {"dilation_x", px.dilation},
              {"dilation_y", py.dilation},
              {"dilation_z", pz.dilation}});
      }
    }
  }
}

void WeightsGradient(Lowering& l, const Operands& op) {
  const Operand x = op.Input(l.x(0)), dy = op.Output(l.dy());
  if (op.sizes.is_depthwise()) {
    const Depthwise depthwise(l, op, op.sizes.suits_narrow_planes());
    depthwise.Call(l, "_dw",
                   {{"x", depthwise.Input(l.x(0))},
                    {"dy", depthwise.Output(l.dy())},
                    {"dw", depthwise.Weights(l.dx(1))}});
    return;
  }
  const std::string kernel =
      op.sizes.suits_winograd_weights() ? op.Winograd(l, "convolution_dw") : "";
  if (!kernel.empty()) {
    Call(l, kernel, {{"x", x}, {"dy", dy}, {"dw", op.Weights(l.dx(1))}},
         ConvolutionGeometry(op.sizes));
    return;
  }
  if (op.sizes.suits_weights_patches()) {
    PatchProducts(op).WeightsGradient(l);
    return;
  }
  const Sizes& s = op.sizes;
  const Operand pixels =
      l.dy().View({s.of(0).out * s.of(1).out, s.of(2).out, s.out_channels, s.batch});
  CallForGroups(l, "convolution_dw", s.group,
                {{"x", x, kChannels}, {"dy", pixels, 2}, {"dw", op.Weights(l.dx(1)), kOutmaps}},
                ConvolutionGeometry(s));
}

void ConvolutionBackward(Lowering& l) {
  const Operands op(l);
  if (op.sizes.is_matrix_product() && !op.sizes.is_depthwise()) {
    if (l.wants(0)) ChannelProducts(l).InputGradient(l);
    if (l.wants(1)) ChannelProducts(l).WeightsGradient(l);
  } else {
    if (l.wants(0)) {
      if (op.sizes.suits_input_patches() && l.Offers("convolution_patches_dx")) {
        PatchProducts(op).InputGradient(l);
      } else if (op.sizes.reads_few_channels() && l.Offers("few_channels_convolution_dx")) {
        CallForGroups(l, "few_channels_convolution_dx", op.sizes.group,
                      {{"dy", op.Output(l.dy()), kChannels},
                       {"w", op.Weights(l.x(1)), kOutmaps},
                       {"dx", op.Input(l.dx(0)), kChannels}},
                      ConvolutionGeometry(op.sizes));
      } else if (op.sizes.reads_one_channel()) {
        // The sum runs over the output channels: vectors of x, not of channels.
        const Depthwise depthwise(l, op, op.sizes.suits_narrow_input_gradient());
        depthwise.Call(l, "_dx",
                       {{"dy", depthwise.Output(l.dy())},
                        {"w", depthwise.Weights(l.x(1))},
                        {"dx", depthwise.Input(l.dx(0))}});
      } else {
        InputGradient(l, op);
      }
    }
    if (l.wants(1)) WeightsGradient(l, op);
  }
  if (l.wants(2)) {
    SumOverAxes(l, l.dy(), {op.sizes.batch, op.sizes.out_channels, op.sizes.pixels()},
                {true, false, true}, l.dx(2));
  }
}

}  // namespace

const FunctionDef& ConvolutionFunction() {
  static const auto& function = *[] {
    auto* def = new FunctionDef;
    def->name = "convolution";
    def->nnabla_name = "Convolution";
    def->onnx_name = "Conv";
    def->inputs = {{"x"}, {"w"}, {"b", InputKind::kData, /*optional=*/true}};
    def->options = OptionsDef::Of<ConvolutionOptions>()
                       .With("base_axis", &ConvolutionOptions::base_axis)
                       .With("pad", &ConvolutionOptions::pad)
                       .With("stride", &ConvolutionOptions::stride)
                       .With("dilation", &ConvolutionOptions::dilation)
                       .With("group", &ConvolutionOptions::group);
    def->infer = InferConvolution;
    def->forward = ConvolutionForward;
    def->backward = ConvolutionBackward;
    def->kernels = {"convolution",
                    "convolution_patches",
                    "depthwise_convolution",
                    "few_channels_convolution",
                    "narrow_depthwise_convolution",
                    "winograd_convolution_3x3",
                    "winograd_convolution_5x5",
                    "copy",
                    "matmul_nn"};
    def->gradient_kernels = {"convolution_dx",
                             "convolution_dw",
                             "convolution_patches_dx",
                             "strided_convolution_dx",
                             "depthwise_convolution_dx",
                             "depthwise_convolution_dw",
                             "few_channels_convolution_dx",
                             "narrow_depthwise_convolution_dx",
                             "narrow_depthwise_convolution_dw",
                             "winograd_convolution_adjoint_5x5",
                             "winograd_convolution_dx_3x3",
                             "winograd_convolution_dx_5x5",
                             "winograd_convolution_dw_3x3",
                             "winograd_convolution_dw_5x5",
                             "matmul_tn",
                             "matmul_nt",
                             "sum",
                             "transpose"};
    return def;
  }();
  return function;
}

}  // namespace halite
