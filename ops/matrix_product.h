// SPDX-License-Identifier: Apache-2.0
//
// Matrix products as steps of other functions.
#ifndef HALITE_OPS_MATRIX_PRODUCT_H_
#define HALITE_OPS_MATRIX_PRODUCT_H_

#include <optional>
#include <string>
#include <vector>

#include "halite/core/lowering.h"

namespace halite {

// Matrices of a batch as they are stored; `transposed`: the product takes their transposes.
struct Matrix {
  Operand stored;  // [columns, rows, batch], innermost first; a batch stride of 0 repeats one
  bool transposed = false;
};

// y := (y accumulates ? y : bias) + op(a) op(b), for each of a batch. bias [rows]: of a row, 0 if
// there is none.
void MatrixProduct(Lowering& l, const Matrix& a, const Matrix& b, const Operand& y,
                   const std::optional<Operand>& bias = std::nullopt);

// The kernels it may call.
const std::vector<std::string>& MatrixProductKernels();

}  // namespace halite

#endif  // HALITE_OPS_MATRIX_PRODUCT_H_
