// SPDX-License-Identifier: Apache-2.0
//
// Convolution as products of matrices with patches.
#ifndef HALITE_OPS_CONVOLUTION_PATCHES_H_
#define HALITE_OPS_CONVOLUTION_PATCHES_H_

#include <cstdint>

#include "halite/core/lowering.h"
#include "halite/ops/convolution_operands.h"

namespace halite {

// Patches P [(input channel, tap), pixel] of x, where the pixels are those of some images at a
// time: P(c, k, i) is the sample that tap k meets at output i, zero in the padding. All groups of
// channels in turn; calls convolution_patches and MatrixProduct.
class PatchProducts {
 public:
  explicit PatchProducts(const ConvolutionOperands& op) : op_(op), s_(op.sizes) {}

  // y = w P + b.
  void Forward(Lowering& l) const;
  // dx: w' dy, of which each element is added where it was taken from. REQUIRES: one or two spatial
  // axes and a kernel convolution_patches_dx.
  void InputGradient(Lowering& l) const;
  // dw = dy P'.
  void WeightsGradient(Lowering& l) const;

 private:
  // The images of a part of the batch, and how their patches lie: [channel, tap, image, pixel] if
  // they are gathered, as one matrix, else a matrix for each image.
  struct Part {
    int64_t images;
    bool gathered;
  };

  int64_t terms() const { return s_.in_channels * s_.taps(); }  // of all groups
  Part PartOf(int64_t most_patches, bool gathered) const;
  // Patches of one slice of the output and one of the taps: [x, y, tap, image, channel].
  Operand Slices(const Operand& patches, int64_t channels, const Part& part, int64_t z,
                 int64_t kz) const;
  // Of the channels and images `x`.
  void MakePatches(Lowering& l, const Operand& x, const Part& part, const Operand& patches) const;
  // The matrices [pixel, row of group g] of a part, one for each image or one for all.
  Operand Matrices(const Operand& array, int64_t rows, int64_t g, const Part& part) const;
  // Images from `first` on of an array [n, c, p] as [p, n, c].
  Operand Images(const Operand& array, int64_t channels, int64_t first, int64_t images) const;
  // The same of a gathered array.
  Operand Gathered(const Operand& array, int64_t channels, int64_t images) const;
  Operand Weights(const Operand& w, int64_t g, const Part& part) const;

  const ConvolutionOperands& op_;
  const ConvolutionSizes& s_;
};

}  // namespace halite

#endif  // HALITE_OPS_CONVOLUTION_PATCHES_H_
