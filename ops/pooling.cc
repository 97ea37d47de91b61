// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/pooling.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"
#include "halite/ops/reduce_sum.h"

namespace halite {
namespace {

constexpr int kMaxPooled = 3;
constexpr int64_t kMaxPlace = std::numeric_limits<int32_t>::max();  // kernels count in int32

// One pooled axis.
struct Axis {
  int64_t in = 1, out = 1;
  int64_t kernel = 1, stride = 1, pad = 0;

  int64_t OutExtent(bool ignore_border) const {
    if (in == 0) return 0;
    const int64_t last = ignore_border ? in + 2 * pad - kernel : in + pad - 1;
    return last < 0 ? 0 : last / stride + 1;
  }
};

// The extents of one pooling, innermost axis first.
struct Sizes {
  Axis axes[kMaxPooled];
  int64_t rest = 1;  // product of the axes that are not pooled

  // REQUIRES: lists and entries that fit (see InferPooling).
  template <typename Options>
  Sizes(const Shape& x, const Options& options) {
    const size_t pooled = options.kernel.size();
    rest = Size(absl::MakeConstSpan(x).subspan(0, x.size() - pooled));
    for (size_t d = 0; d < pooled; ++d) {
      const size_t at = pooled - 1 - d;
      axes[d].in = x[x.size() - 1 - d];
      axes[d].kernel = options.kernel[at];
      axes[d].stride = options.stride.empty() ? options.kernel[at] : options.stride[at];
      if (!options.pad.empty()) axes[d].pad = options.pad[at];
      axes[d].out = axes[d].OutExtent(options.ignore_border);
      // A longer stride than the padded array gives one window too, but kernels plan for its
      // length.
      axes[d].stride = std::min(axes[d].stride, std::max<int64_t>(axes[d].in + 2 * axes[d].pad, 1));
    }
  }

  int64_t in_plane() const { return axes[0].in * axes[1].in * axes[2].in; }
  int64_t out_plane() const { return axes[0].out * axes[1].out * axes[2].out; }
  Operand Input(const Operand& x) const {
    return x.View({axes[0].in, axes[1].in, axes[2].in, rest});
  }
  Operand Output(const Operand& y) const {
    return y.View({axes[0].out, axes[1].out, axes[2].out, rest});
  }
  // All of x under one window that is not padded.
  bool is_global() const {
    return std::all_of(std::begin(axes), std::end(axes), [](const Axis& axis) {
      return axis.out == 1 && axis.pad == 0 && axis.kernel == axis.in;
    });
  }

  // `arguments` and the geometry.
  std::vector<KernelArgument> With(std::vector<KernelArgument> arguments) const {
    static constexpr const char* kNames[][5] = {{"kernel_x", "stride_x", "pad_x", "in_x", "out_x"},
                                                {"kernel_y", "stride_y", "pad_y", "in_y", "out_y"},
                                                {"kernel_z", "stride_z", "pad_z", "in_z", "out_z"}};
    for (int d = 0; d < kMaxPooled; ++d) {
      const Axis& axis = axes[d];
      const int64_t values[] = {axis.kernel, axis.stride, axis.pad, axis.in, axis.out};
      for (int i = 0; i < 5; ++i) arguments.emplace_back(kNames[d][i], values[i]);
    }
    return arguments;
  }
};

template <typename Options>
absl::Status InferPooling(Inference& in) {
  const auto& options = in.options<Options>();
  const size_t pooled = options.kernel.size();
  if (pooled < 1 || pooled > kMaxPooled || in.rank() < static_cast<int>(pooled)) {
    return in.Error(
        absl::StrCat("x ", ToString(in.shape()), " and kernel ", ToString(options.kernel)),
        "a kernel of 1 to 3 entries, no more than x has axes");
  }
  const std::string lists = absl::StrCat("kernel ", ToString(options.kernel), ", stride ",
                                         ToString(options.stride), ", pad ", ToString(options.pad));
  for (const auto* list : {&options.stride, &options.pad}) {
    if (!list->empty() && list->size() != pooled) {
      return in.Error(lists, absl::StrCat("lists of ", pooled, " entries or none"));
    }
  }
  for (size_t d = 0; d < pooled; ++d) {
    const int64_t kernel = options.kernel[d];
    const int64_t stride = options.stride.empty() ? kernel : options.stride[d];
    const int64_t pad = options.pad.empty() ? 0 : options.pad[d];
    if (kernel < 1 || stride < 1 || pad < 0 || pad >= kernel) {
      return in.Error(lists, "kernel and stride of at least 1, pad of at least 0 and below kernel");
    }
    if (std::max(kernel, stride) > kMaxPlace) return in.Error(lists, "entries below 2^31");
  }
  const Sizes sizes(in.shape(), options);
  Shape shape = in.shape();
  for (size_t d = 0; d < pooled; ++d) {
    const Axis& axis = sizes.axes[d];
    if (axis.in + 2 * axis.pad + axis.kernel > kMaxPlace) {
      return in.Error(absl::StrCat("x ", ToString(in.shape()), ", ", lists),
                      "array, padding and kernel together below 2^31");
    }
    if (axis.out < 1 && axis.in > 0) {
      return in.Error(absl::StrCat("x ", ToString(in.shape()), ", ", lists),
                      "a kernel that fits in the padded array");
    }
    shape[shape.size() - 1 - d] = axis.out;
  }
  in.AddOutput(shape);
  return absl::OkStatus();
}

Operand Places(Lowering& l) { return l.State(0, l.y_shape(), DType::kInt32); }

// A maximum over whole planes is a reduction of rows; its index is the place in the plane.
void MaxPoolingForward(Lowering& l) {
  const Sizes sizes(l.x_shape(), l.options<MaxPoolingOptions>());
  if (sizes.is_global()) {
    l.Call("max", {{"x", l.x().View({1, sizes.in_plane(), sizes.rest})},
                   {"y.0", l.y().View({1, sizes.rest})},
                   {"y.1", Places(l).View({1, sizes.rest})}});
    return;
  }
  l.Call("max_pooling", sizes.With({{"x", sizes.Input(l.x())},
                                    {"y.0", sizes.Output(l.y())},
                                    {"y.1", sizes.Output(Places(l))}}));
}

void MaxPoolingBackward(Lowering& l) {
  const Sizes sizes(l.x_shape(), l.options<MaxPoolingOptions>());
  const int64_t in = sizes.in_plane(), out = sizes.out_plane();
  l.Call("max_pooling_grad", sizes.With({{"dy", l.dy().View({out, sizes.rest})},
                                         {"place", Places(l).View({out, sizes.rest})},
                                         {"dx", l.dx().View({in, sizes.rest})}}));
}

void AveragePoolingForward(Lowering& l) {
  const auto& options = l.options<AveragePoolingOptions>();
  const Sizes sizes(l.x_shape(), options);
  if (sizes.is_global()) {
    SumOverAxes(l, l.x(), {sizes.rest, sizes.in_plane()}, {false, true}, l.y(),
                1.0 / static_cast<double>(sizes.in_plane()));
    return;
  }
  l.Call("average_pooling", sizes.With({{"x", sizes.Input(l.x())},
                                        {"including_pad", options.including_pad},
                                        {"y", sizes.Output(l.y())}}));
}

void AveragePoolingBackward(Lowering& l) {
  const auto& options = l.options<AveragePoolingOptions>();
  const Sizes sizes(l.x_shape(), options);
  if (sizes.is_global()) {
    const int64_t plane = sizes.in_plane();
    l.Call("sum_grad", {{"dy", l.dy().WithDims({{plane, 0}, {sizes.rest, 1}}, 0)},
                        {"scale", 1.0 / static_cast<double>(plane)},
                        {"dx", l.dx().View({plane, sizes.rest})}});
    return;
  }
  l.Call("average_pooling_grad", sizes.With({{"dy", sizes.Output(l.dy())},
                                             {"including_pad", options.including_pad},
                                             {"dx", sizes.Input(l.dx())}}));
}

// What both functions share.
template <typename Options>
FunctionDef PoolingDef(const std::string& name, OptionsDef options) {
  FunctionDef def;
  def.name = name;
  def.inputs = {{"x"}};
  def.options = std::move(options)
                    .With("kernel", &Options::kernel)
                    .With("stride", &Options::stride)
                    .With("ignore_border", &Options::ignore_border)
                    .With("pad", &Options::pad);
  def.infer = InferPooling<Options>;
  def.kernels = {name};
  def.gradient_kernels = {name + "_grad"};
  return def;
}

}  // namespace

absl::Span<const FunctionDef> PoolingFunctions() {
  static const auto& functions = *[] {
    FunctionDef max =
        PoolingDef<MaxPoolingOptions>("max_pooling", OptionsDef::Of<MaxPoolingOptions>());
    max.nnabla_name = "MaxPooling";
    max.onnx_name = "MaxPool";
    max.forward = MaxPoolingForward;
    max.backward = MaxPoolingBackward;
    max.kernels.push_back("max");

    FunctionDef average = PoolingDef<AveragePoolingOptions>(
        "average_pooling", OptionsDef::Of<AveragePoolingOptions>().With(
                               "including_pad", &AveragePoolingOptions::including_pad));
    average.nnabla_name = "AveragePooling";
    average.onnx_name = "AveragePool";
    average.forward = AveragePoolingForward;
    average.backward = AveragePoolingBackward;
    average.kernels.push_back("sum");
    average.gradient_kernels.push_back("sum_grad");
    return new std::vector<FunctionDef>{std::move(max), std::move(average)};
  }();
  return functions;
}

namespace functions::internal {

const FunctionDef& MaxPoolingDef() { return PoolingFunctions()[0]; }
const FunctionDef& AveragePoolingDef() { return PoolingFunctions()[1]; }

}  // namespace functions::internal
}  // namespace halite
