// SPDX-License-Identifier: Apache-2.0
//
// The sizes of a convolution, and which of its forms suits them.
#ifndef HALITE_OPS_CONVOLUTION_SIZES_H_
#define HALITE_OPS_CONVOLUTION_SIZES_H_

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "absl/types/span.h"
#include "halite/core/lowering.h"
#include "halite/core/shape.h"
#include "halite/ops/convolution.h"

namespace halite {

// The extents of one convolution: one to three spatial axes, outermost first.
struct ConvolutionSizes {
  // The inputs i = phase + stride q of one axis meet the taps k = first + step j, through the
  // outputs
  //   o = (i + pad - k dilation) / stride = q + offset - j dilation,
  // which is a convolution of stride 1. Phases with no tap get no gradient.
  struct Phase {
    int64_t start = 0, inputs = 0;          // of dx: start, start + stride, ...
    int64_t first = 0, taps = 0, step = 1;  // of w
    int64_t offset = 0, dilation = 1;
  };

  // One spatial axis.
  struct Axis {
    int64_t in = 1, taps = 1, out = 1;
    int64_t pad = 0, stride = 1, dilation = 1;

    std::vector<Phase> Phases() const {
      std::vector<Phase> phases;
      for (int64_t start = 0; start < std::min(stride, in); ++start) {
        Phase phase;
        phase.start = start;
        phase.inputs = (in - start + stride - 1) / stride;
        const int64_t divisor = std::gcd(stride, dilation);
        phase.step = stride / divisor;
        phase.dilation = dilation / divisor;
        const auto meets = [&](int64_t tap) {
          return (start + pad - tap * dilation) % stride == 0;
        };
        while (phase.first < taps && !meets(phase.first)) ++phase.first;
        if (phase.first < taps) {
          phase.taps = (taps - phase.first + phase.step - 1) / phase.step;
          phase.offset = (start + pad - phase.first * dilation) / stride;
        }
        phases.push_back(phase);
      }
      return phases;
    }
    // Zeros before dy in the window of strided_convolution_dx, see StridedGradientAxis.
    int64_t StridedWindowPad() const {
      const int64_t odd = pad % 2;
      return (taps - 1 + odd) / 2 - (pad + odd) / 2;
    }
  };

  // Where the forms begin and end that suits_... are about.
  static constexpr int64_t kWinogradChannels = 16, kWinogradPixels = 1024;
  static constexpr int64_t kAdjointPixels = 256;
  static constexpr int64_t kPatchChannels = 64, kManyOutmaps = 128, kManyTerms = 128;
  static constexpr int64_t kGatheredPixels = 64, kGatheredOutmaps = 32, kGatheredTerms = 25;
  static constexpr int64_t kFewPixels = 4;
  // Elements: what stays in the second cache, and the most of an image (16 MB of float32).
  static constexpr int64_t kCachedPatches = 1 << 18, kPatches = 1 << 22;
  static constexpr int64_t kFewChannels = 4, kFewChannelsStride = 4;
  static constexpr int64_t kNarrowChannels = 8, kNarrowPixels = 1024, kNarrowStridedPixels = 4096;

  std::vector<Axis> axes;
  int64_t batch, in_channels, out_channels, group;

  // REQUIRES: ranks and lists fit (see InferConvolution).
  ConvolutionSizes(const Shape& x, const Shape& w, const ConvolutionOptions& options) {
    const int base = options.base_axis;
    batch = Size(absl::MakeConstSpan(x).subspan(0, base));
    in_channels = x[base];
    out_channels = w[0];
    group = options.group;
    for (size_t d = 0; d + 2 < w.size(); ++d) {
      Axis axis;
      axis.in = x[base + 1 + d];
      axis.taps = w[2 + d];
      if (!options.pad.empty()) axis.pad = options.pad[d];
      if (!options.stride.empty()) axis.stride = options.stride[d];
      if (!options.dilation.empty()) axis.dilation = options.dilation[d];
      const int64_t span = axis.in + 2 * axis.pad - axis.dilation * (axis.taps - 1) - 1;
      axis.out = span < 0 ? 0 : span / axis.stride + 1;
      axes.push_back(axis);
    }
  }
  explicit ConvolutionSizes(const Lowering& l)
      : ConvolutionSizes(l.x_shape(0), l.x_shape(1), l.options<ConvolutionOptions>()) {}

  // Axis x, y or z (0, 1, 2) of the kernels.
  Axis of(int d) const {
    return d < static_cast<int>(axes.size()) ? axes[axes.size() - 1 - d] : Axis();
  }
  // Each output channel reads one input channel.
  bool reads_one_channel() const { return group == in_channels; }
  // So few output channels would leave lanes of the other kernels idle: 6 maps of 28x28 by 5x5 take
  // 1.9 ms backward instead of 2.1, one of 5x5 1.3 us instead of 2.4 (Zen 5, one thread).
  bool is_depthwise() const { return reads_one_channel() && (group > 1 || out_channels <= 8); }
  // So few channels that vectors of x fill more lanes than vectors of channels, and strides the
  // kernels have. Zen 5, one thread: the gradient to 3 channels of 224x224 (7x7 taps of stride 2 to
  // 64 channels) takes 1.6 ms instead of 6.9, to 32 groups of 4 at 56x56 0.12 instead of 0.24.
  bool makes_few_channels() const {
    return out_channels <= kFewChannels * group && !skips_pixels();
  }
  bool reads_few_channels() const {
    return in_channels <= kFewChannels * group && of(0).stride <= kFewChannelsStride &&
           (group == 1 || !reads_one_channel()) && every_output_meets_input();
  }
  // One output channel an input channel, half a vector of them at least, and planes so small that
  // they stay in the caches while they are transposed (960 maps of 7x7 by 3x3 take 20 us instead of
  // 41, their weights' gradient 23 instead of 67; 192 of 28x28 57 instead of 51 and 52 instead of
  // 69; Zen 5, one thread).
  bool suits_narrow_planes(int64_t most_pixels = kNarrowPixels) const {
    return axes.size() <= 2 && group == in_channels && out_channels == group &&
           group >= kNarrowChannels && of(0).in * of(1).in <= most_pixels &&
           every_output_meets_input();
  }
  // With strides the other kernel multiplies the zeros between samples of dy a row at a time (144
  // maps of 56x56, stride 2: 0.10 ms instead of 0.13, forward 0.10 instead of 0.08).
  bool suits_narrow_input_gradient() const {
    return suits_narrow_planes(skips_pixels() ? kNarrowStridedPixels : kNarrowPixels);
  }
  // The padding is no larger than what taps reach.
  bool every_output_meets_input() const {
    return std::all_of(axes.begin(), axes.end(), [](const Axis& axis) {
      return axis.pad <= (axis.taps - 1) * axis.dilation;
    });
  }
  // Kernels of one tap that meet each element at most once: a matrix product over the channels.
  bool is_matrix_product() const {
    return std::all_of(axes.begin(), axes.end(),
                       [](const Axis& axis) { return axis.taps == 1 && axis.pad == 0; });
  }
  bool skips_pixels() const {
    return std::any_of(axes.begin(), axes.end(), [](const Axis& axis) { return axis.stride > 1; });
  }
  // The gradient to the input has a kernel for all four phases of the pixels: 198 GFLOP/s, one call
  // for each 130 (16 images of 56x56, 128 channels, 3 x 3 taps, Zen 5).
  bool strides_two() const {
    return of(0).stride == 2 && of(1).stride == 2 && of(0).dilation == 1 && of(1).dilation == 1;
  }
  // Kernels of 3 x 3 or 5 x 5 taps that meet every pixel, many channels, and pixels enough to pay
  // for the transformation of the weights: a third to a half of the multiplications.
  bool suits_winograd() const {
    if (axes.size() != 2 || group > 1) return false;
    const int64_t taps = axes[0].taps;
    return (taps == 3 || taps == 5) && in_channels >= kWinogradChannels &&
           out_channels >= kWinogradChannels && batch * pixels() >= kWinogradPixels &&
           std::all_of(axes.begin(), axes.end(), [&](const Axis& axis) {
             return axis.taps == taps && axis.stride == 1 && axis.dilation == 1;
           });
  }
  // The gradient to the input of 5 x 5 taps by tiles of dy rather than of dx, where they are fewer
  // and those of an image stay in the caches (64 images of 12x12 to 8x8, 16 channels: 0.19 ms
  // instead of 0.45, Zen 5, one thread).
  bool suits_adjoint() const {
    const auto tiles = [](int64_t x, int64_t y) { return ((x + 1) / 2) * ((y + 1) / 2); };
    return of(0).taps == 5 && pixels() <= kAdjointPixels &&
           5 * tiles(of(0).out, of(1).out) <= 4 * tiles(of(0).in, of(1).in);
  }
  // The sums of its gradient to the weights, 36 for 9 taps, are added to every 48 tiles: that needs
  // pixels enough for each channel (16 images of 14x14 with 512 channels take 102 ms by Winograd's
  // form and 76 by the other, Zen 5, one thread).
  bool suits_winograd_weights() const {
    return batch * pixels() >= 10 * std::max(in_channels, out_channels);
  }
  // Few input channels for each output channel: few patches, which are multiplied as they are,
  // where the direct form has a long way from a sum of few terms to its place in memory. And rows
  // so short that register tiles stay empty. With and without, GFLOP/s, Zen 5, one thread: 1 to 457
  // channels, 3 x 3 taps at 80x117, 190 and 49; 3 to 64 at 224x224 170 and 96; 64 images of 28x28
  // by 5 x 5 taps to 16 maps 139 and 102; 4 images of 9x7, 370 to 336 channels, 2 x 2 taps of
  // stride 3, 110 and 81. Many terms of few outputs fill the tiles (7 x 7 taps, 3 to 64 channels,
  // 209 and 229), sooner where images are brought together (8 images of 7x7, 3 x 3 taps, 5 to 27
  // channels, 71 and 110; 2 to 16 45 and 30).
  bool suits_patches() const {
    const int64_t outmaps = out_channels / group, inputs = terms();
    if (!fits_patches()) return false;
    if (outmaps > kFewChannels && outmaps * taps() >= 4 * inputs) {
      const bool fills_tiles = gathers_patches() && outmaps <= kGatheredOutmaps;
      return inputs <= (fills_tiles ? kGatheredTerms : kManyTerms) || outmaps >= kManyOutmaps;
    }
    return of(0).out <= kFewPixels && outmaps >= kManyOutmaps;
  }
  // The same of the gradient to the input, where vectors of few input channels are emptier still,
  // and strides beyond two are a call for each phase: 32 images, 1 to 527 channels, 5 x 5 taps at
  // 24x24, 145 and 33; 8 images of 150x223, 4 to 56, 5 x 5, stride 3, 113 and 32; 9 to 342, 7 x 7
  // at 17x17, 186 and 46. Vectors of x remain better for some output channels whose patches leave
  // the caches (3 to 64 at 224x224 105, 96 with patches).
  bool suits_input_patches() const {
    const int64_t outmaps = out_channels / group, inputs = terms();
    const int64_t maps = outmaps * taps();  // to be compared with `inputs`
    if (axes.size() > 2 || outmaps <= kFewChannels || !fits_patches()) return false;
    const int64_t stride = of(0).stride;
    if (inputs <= kFewChannels * taps() && stride <= 2) {
      return maps >= 32 * inputs || (maps >= 4 * inputs && inputs * pixels() <= kCachedPatches);
    }
    return maps >= 2 * inputs || (stride > 2 && maps >= inputs) ||
           (of(0).out <= kFewPixels && outmaps >= kManyOutmaps);
  }
  // Few pixels of many channels: the gradient to the weights is a product with patches of x. With
  // and without, GFLOP/s, Zen 5, one thread: 3 x 3 taps of stride 2, 16 images of 28x28 with 256
  // channels 168 and 141, one of 56x56 with 128 channels 193 and 156, 16 of these 138 and 163; 4
  // images of 20x20, 32 to 688 channels, 11 x 11 taps, 231 and 62.
  bool suits_weights_patches() const {
    const int64_t channels = std::max(in_channels, out_channels) / group;
    const int64_t terms = batch * pixels();
    return channels >= kPatchChannels && terms > 0 && terms <= 16 * channels;
  }
  // Of an image; Winograd's form is better where there is one.
  bool fits_patches() const {
    const int64_t patches = in_channels * taps() * pixels();
    return batch > 0 && patches > 0 && patches <= kPatches && !suits_winograd();
  }
  // Images of few pixels are brought together: products with short rows are slow.
  bool gathers_patches() const { return batch > 1 && pixels() < kGatheredPixels; }
  int64_t taps() const { return of(0).taps * of(1).taps * of(2).taps; }
  // Of the sum of an output.
  int64_t terms() const { return in_channels / group * taps(); }
  int64_t pixels() const { return of(0).out * of(1).out * of(2).out; }
};

}  // namespace halite

#endif  // HALITE_OPS_CONVOLUTION_SIZES_H_
