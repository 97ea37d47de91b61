// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/matrix_product.h"

#include "absl/strings/str_cat.h"
#include "halite/ops/copy.h"

namespace halite {

void MatrixProduct(Lowering& l, const Matrix& a, const Matrix& b, const Operand& y,
                   const std::optional<Operand>& bias) {
  const char* letters[] = {"n", "t"};
  const auto& y_dims = y.dims();
  if (bias.has_value() && a.stored.size() == 0 && y.size() > 0) {  // no kernel is called
    const int64_t batch = y_dims.size() > 2 ? y_dims[2].extent : 1;
    CopyView(l, bias->WithDims({{y_dims[0].extent, 0}, bias->dims()[0], {batch, 0}}), y);
    return;
  }
  // A kernel wants all its buffers: an element of `a` stands for a bias that is not read.
  const Operand unread = a.stored.WithDims({{y_dims[1].extent, 0}});
  l.Call(absl::StrCat("matmul_", letters[a.transposed], letters[b.transposed]),
         {{"a", a.stored},
          {"b", b.stored},
          {"bias", bias.value_or(unread)},
          {"adds_bias", bias.has_value()},
          {"y", y}});
}

const std::vector<std::string>& MatrixProductKernels() {
  static const auto& kernels =
      *new std::vector<std::string>{"matmul_nn", "matmul_nt", "matmul_tn", "matmul_tt"};
  return kernels;
}

}  // namespace halite
