// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/matrix_product.h"

#include "absl/strings/str_cat.h"

namespace halite {

void MatrixProduct(Lowering& l, const Matrix& a, const Matrix& b, const Operand& y) {
  const char* letters[] = {"n", "t"};
  l.Call(absl::StrCat("matmul_", letters[a.transposed], letters[b.transposed]),
         {{"a", a.stored}, {"b", b.stored}, {"y", y}});
}

const std::vector<std::string>& MatrixProductKernels() {
  static const auto& kernels =
      *new std::vector<std::string>{"matmul_nn", "matmul_nt", "matmul_tn", "matmul_tt"};
  return kernels;
}

}  // namespace halite
