// SPDX-License-Identifier: Apache-2.0
//
// What the forms of convolution share: its arrays and scalars as kernels take them.
#ifndef HALITE_OPS_CONVOLUTION_OPERANDS_H_
#define HALITE_OPS_CONVOLUTION_OPERANDS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halite/core/lowering.h"
#include "halite/ops/convolution_sizes.h"

namespace halite {

constexpr int kMaxSpatial = 3;
constexpr int kChannels = 3;  // of x and y
constexpr int kBatch = 4;     // of x and y
constexpr int kOutmaps = 4;   // of w

// The arrays as kernels see them.
struct ConvolutionOperands {
  explicit ConvolutionOperands(const Lowering& l) : sizes(l) {}

  Operand Input(const Operand& x) const {
    return x.View({sizes.of(0).in, sizes.of(1).in, sizes.of(2).in, sizes.in_channels, sizes.batch});
  }
  Operand Output(const Operand& y) const {
    return y.View(
        {sizes.of(0).out, sizes.of(1).out, sizes.of(2).out, sizes.out_channels, sizes.batch});
  }
  Operand Weights(const Operand& w) const {
    const int64_t in_channels = sizes.in_channels / sizes.group;
    return w.View(
        {sizes.of(0).taps, sizes.of(1).taps, sizes.of(2).taps, in_channels, sizes.out_channels});
  }

  // The Winograd kernel `name` if it is for these sizes and there is one, else "".
  std::string Winograd(const Lowering& l, const std::string& name) const {
    if (!sizes.suits_winograd()) return "";
    const int64_t taps = sizes.of(0).taps;
    const std::string kernel = absl::StrCat("winograd_", name, "_", taps, "x", taps);
    return l.Offers(kernel) ? kernel : "";
  }

  ConvolutionSizes sizes;
};

// What the kernels take of the sizes beside the extents of their arrays; each takes some of it.
inline std::vector<KernelArgument> ConvolutionGeometry(const ConvolutionSizes& sizes) {
  static constexpr const char* kNames[][4] = {{"stride_x", "pad_x", "dilation_x", "taps_x"},
                                              {"stride_y", "pad_y", "dilation_y", "taps_y"},
                                              {"stride_z", "pad_z", "dilation_z", "taps_z"}};
  std::vector<KernelArgument> arguments = {{"in_width", sizes.of(0).in},
                                           {"out_width", sizes.of(0).out},
                                           {"multiplier", sizes.out_channels / sizes.group}};
  for (int d = 0; d < kMaxSpatial; ++d) {
    const ConvolutionSizes::Axis axis = sizes.of(d);
    arguments.emplace_back(kNames[d][0], axis.stride);
    arguments.emplace_back(kNames[d][1], axis.pad);
    arguments.emplace_back(kNames[d][2], axis.dilation);
    arguments.emplace_back(kNames[d][3], axis.taps);
  }
  return arguments;
}

inline void Call(Lowering& l, const std::string& kernel, std::vector<KernelArgument> arrays,
                 const std::vector<KernelArgument>& scalars) {
  arrays.insert(arrays.end(), scalars.begin(), scalars.end());
  l.Call(kernel, std::move(arrays));
}

// Channels of group `g`, one of `groups`.
inline Operand GroupOf(const Operand& operand, int dim, int64_t g, int64_t groups) {
  const int64_t extent = operand.dims()[dim].extent / groups;
  return operand.Slice(dim, g * extent, extent);
}

}  // namespace halite

#endif  // HALITE_OPS_CONVOLUTION_OPERANDS_H_
