// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/convolution_patches.h"

#include <algorithm>
#include <optional>

#include "halite/ops/copy.h"
#include "halite/ops/matrix_product.h"

namespace halite {

PatchProducts::Part PatchProducts::PartOf(int64_t most_patches, bool gathered) const {
  const int64_t patches = std::max<int64_t>(terms() * s_.pixels(), 1);
  const int64_t most = std::max<int64_t>(most_patches / patches, 1);
  const int64_t parts = (s_.batch + most - 1) / most;
  return {(s_.batch + parts - 1) / parts, gathered};
}

Operand PatchProducts::Slices(const Operand& patches, int64_t channels, const Part& part, int64_t z,
                              int64_t kz) const {
  const int64_t p = s_.pixels(), row = s_.of(0).out, slice = row * s_.of(1).out;
  const int64_t plane_taps = s_.of(0).taps * s_.of(1).taps, n = part.images;
  const int64_t tap = part.gathered ? n * p : p, image = part.gathered ? p : terms() * p;
  return patches.WithDims(
      {{row, 1}, {s_.of(1).out, row}, {plane_taps, tap}, {n, image}, {channels, s_.taps() * tap}},
      kz * plane_taps * tap + z * slice);
}

void PatchProducts::MakePatches(Lowering& l, const Operand& x, const Part& part,
                                const Operand& patches) const {
  for (int64_t z = 0; z < s_.of(2).out; ++z) {
    for (int64_t kz = 0; kz < s_.of(2).taps; ++kz) {
      Call(l, "convolution_patches",
           {{"x", x},
            {"slice", z * s_.of(2).stride + kz * s_.of(2).dilation},
            {"patches", Slices(patches, x.dims()[kChannels].extent, part, z, kz)}},
           ConvolutionGeometry(s_));
    }
  }
}

Operand PatchProducts::Matrices(const Operand& array, int64_t rows, int64_t g,
                                const Part& part) const {
  const int64_t p = s_.pixels(), n = part.images;
  const Operand all = part.gathered ? array.WithDims({{p * n, 1}, {rows, p * n}, {1, 0}})
                                    : array.WithDims({{p, 1}, {rows, p}, {n, rows * p}});
  return GroupOf(all, 1, g, s_.group);
}

Operand PatchProducts::Images(const Operand& array, int64_t channels, int64_t first,
                              int64_t images) const {
  const int64_t p = s_.pixels();
  return array.WithDims({{p, 1}, {images, channels * p}, {channels, p}}, first * channels * p);
}

Operand PatchProducts::Gathered(const Operand& array, int64_t channels, int64_t images) const {
  const int64_t p = s_.pixels();
  return array.WithDims({{p, 1}, {images, p}, {channels, images * p}});
}

Operand PatchProducts::Weights(const Operand& w, int64_t g, const Part& part) const {
  const int64_t outmaps = s_.out_channels / s_.group, inputs = terms() / s_.group;
  return w.WithDims({{inputs, 1}, {outmaps, inputs}, {part.gathered ? 1 : part.images, 0}},
                    g * outmaps * inputs);
}

void PatchProducts::Forward(Lowering& l) const {
  const int64_t p = s_.pixels();
  const Part whole = PartOf(ConvolutionSizes::kCachedPatches, s_.gathers_patches());
  const Operand patches = l.Scratch({terms(), whole.images, p});
  std::optional<Operand> scratch;
  if (whole.gathered) scratch = l.Scratch({s_.out_channels, whole.images, p});
  for (int64_t first = 0; first < s_.batch; first += whole.images) {
    const Part part = {std::min(whole.images, s_.batch - first), whole.gathered};
    MakePatches(l, op_.Input(l.x(0)).Slice(kBatch, first, part.images), part, patches);
    const Operand y = part.gathered ? *scratch : l.y().WithDims({}, first * s_.out_channels * p);
    for (int64_t g = 0; g < s_.group; ++g) {
      std::optional<Operand> bias;
      if (l.given(2)) bias = GroupOf(l.x(2), 0, g, s_.group);
      MatrixProduct(l, {Weights(l.x(1), g, part)}, {Matrices(patches, terms(), g, part)},
                    Matrices(y, s_.out_channels, g, part), bias);
    }
    if (part.gathered) {
      CopyView(l, Gathered(y, s_.out_channels, part.images),
               Images(l.y(), s_.out_channels, first, part.images));
    }
  }
}

void PatchProducts::InputGradient(Lowering& l) const {
  const int64_t p = s_.pixels();
  const Part whole = PartOf(ConvolutionSizes::kCachedPatches, s_.gathers_patches());
  const Operand patches = l.Scratch({terms(), whole.images, p});
  std::optional<Operand> scratch;
  if (whole.gathered) scratch = l.Scratch({s_.out_channels, whole.images, p});
  for (int64_t first = 0; first < s_.batch; first += whole.images) {
    const Part part = {std::min(whole.images, s_.batch - first), whole.gathered};
    const Operand dy = part.gathered ? *scratch : l.dy().WithDims({}, first * s_.out_channels * p);
    if (part.gathered) {
      CopyView(l, Images(l.dy(), s_.out_channels, first, part.images),
               Gathered(dy, s_.out_channels, part.images));
    }
    for (int64_t g = 0; g < s_.group; ++g) {
      MatrixProduct(l, {Weights(l.x(1), g, part), true}, {Matrices(dy, s_.out_channels, g, part)},
                    Matrices(patches, terms(), g, part));
    }
    const int64_t row = s_.of(0).in, plane = row * s_.of(1).in;
    Call(l, "convolution_patches_dx",
         {{"patches", Slices(patches, s_.in_channels, part, 0, 0)},
          {"dx", l.dx(0).WithDims({{row, 1},
                                   {s_.of(1).in, row},
                                   {s_.in_channels, plane},
                                   {part.images, plane * s_.in_channels}},
                                  first * s_.in_channels * plane)}},
         ConvolutionGeometry(s_));
  }
}

void PatchProducts::WeightsGradient(Lowering& l) const {
  constexpr int64_t kSummedPixels = 1024, kMostPatches = 1 << 20;  // at a time
  const Part whole = PartOf(kSummedPixels * terms(), /*gathered=*/true);
  const int64_t p = s_.pixels(), taps = s_.taps();
  const int64_t outmaps = s_.out_channels / s_.group, inputs = s_.in_channels / s_.group;
  // Some channels at a time, whose patches stay in the caches until they are multiplied.
  const int64_t most = std::max<int64_t>(kMostPatches / (taps * whole.images * p), 1);
  const int64_t channels = std::min(most, inputs);
  const Operand dy = l.Scratch({s_.out_channels, whole.images, p});
  const Operand patches = l.Scratch({channels * taps, whole.images, p});
  for (int64_t first = 0; first < s_.batch; first += whole.images) {
    const Part part = {std::min(whole.images, s_.batch - first), true};
    const int64_t pixels = part.images * p;
    const Operand x = op_.Input(l.x(0)).Slice(kBatch, first, part.images);
    CopyView(l, Images(l.dy(), s_.out_channels, first, part.images),
             Gathered(dy, s_.out_channels, part.images));
    for (int64_t g = 0; g < s_.group; ++g) {
      const Matrix from_dy = {Matrices(dy, s_.out_channels, g, part)};
      for (int64_t c = 0; c < inputs; c += channels) {
        const int64_t n = std::min(channels, inputs - c), terms = n * taps;
        MakePatches(l, x.Slice(kChannels, g * inputs + c, n), part, patches);
        const Operand dw = l.dx(1).WithDims({{terms, 1}, {outmaps, inputs * taps}, {1, 0}},
                                            (g * outmaps * inputs + c) * taps);
        MatrixProduct(l, from_dy, {patches.WithDims({{pixels, 1}, {terms, pixels}, {1, 0}}), true},
                      first == 0 ? dw : dw.Accumulate());
      }
    }
  }
}

}  // namespace halite
