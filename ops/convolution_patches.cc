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

Operand PatchProducts::Slices(const Operand& patches, const Part& part, int64_t z,
                              int64_t kz) const {
  const int64_t p = s_.pixels(), row = s_.of(0).out, slice = row * s_.of(1).out;
  const int64_t plane_taps = s_.of(0).taps * s_.of(1).taps, n = part.images;
  const int64_t tap = part.gathered ? n * p : p, image = part.gathered ? p : terms() * p;
  return patches.WithDims({{row, 1},
                           {s_.of(1).out, row},
                           {plane_taps, tap},
                           {n, image},
                           {s_.in_channels, s_.taps() * tap}},
                          kz * plane_taps * tap + z * slice);
}

void PatchProducts::MakePatches(Lowering& l, int64_t first, const Part& part,
                                const Operand& patches) const {
  for (int64_t z = 0; z < s_.of(2).out; ++z) {
    for (int64_t kz = 0; kz < s_.of(2).taps; ++kz) {
      Call(l, "convolution_patches",
           {{"x", op_.Input(l.x(0)).Slice(kBatch, first, part.images)},
            {"slice", z * s_.of(2).stride + kz * s_.of(2).dilation},
            {"patches", Slices(patches, part, z, kz)}},
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
    MakePatches(l, first, part, patches);
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
         {{"patches", Slices(patches, part, 0, 0)},
          {"dx", l.dx(0).WithDims({{row, 1},
                                   {s_.of(1).in, row},
                                   {s_.in_channels, plane},
                                   {part.images, plane * s_.in_channels}},
                                  first * s_.in_channels * plane)}},
         ConvolutionGeometry(s_));
  }
}

void PatchProducts::WeightsGradient(Lowering& l) const {
  const Part whole = PartOf(ConvolutionSizes::kPatches, /*gathered=*/true);
  const Operand dy = l.Scratch({s_.out_channels, whole.images, s_.pixels()});
  const Operand patches = l.Scratch({terms(), whole.images, s_.pixels()});
  const int64_t outmaps = s_.out_channels / s_.group, inputs = terms() / s_.group;
  for (int64_t first = 0; first < s_.batch; first += whole.images) {
    const Part part = {std::min(whole.images, s_.batch - first), true};
    CopyView(l, Images(l.dy(), s_.out_channels, first, part.images),
             Gathered(dy, s_.out_channels, part.images));
    MakePatches(l, first, part, patches);
    for (int64_t g = 0; g < s_.group; ++g) {
      const Operand dw =
          l.dx(1).WithDims({{inputs, 1}, {outmaps, inputs}, {1, 0}}, g * outmaps * inputs);
      MatrixProduct(l, {Matrices(dy, s_.out_channels, g, part)},
                    {Matrices(patches, terms(), g, part), true}, first == 0 ? dw : dw.Accumulate());
    }
  }
}

}  // namespace halite
