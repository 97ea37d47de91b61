// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/matmul.h"

#include "absl/strings/str_cat.h"
#include "halite/core/canonical.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"
#include "halite/ops/copy.h"
#include "halite/ops/matrix_product.h"
#include "halite/ops/reduce_sum.h"

namespace halite {
namespace {

// A dense matrix of one row or one column, transposed: the same memory.
Operand Transposed(const Operand& vector) {
  const auto& dims = vector.dims();
  return vector.View({dims[1].extent, dims[0].extent, dims.size() > 2 ? dims[2].extent : 1});
}

// `a`, not transposed if it is a row or a column: the kernels read plain operands faster.
Matrix Plain(const Matrix& a) {
  const auto& dims = a.stored.dims();
  const bool is_vector = dims[0].extent == 1 || dims[1].extent == 1;
  return a.transposed && is_vector ? Matrix{Transposed(a.stored), false} : a;
}

// y := op(a) op(b), all dense. A product of one column is computed as its transpose, a product of
// one row: the kernels' vectors run along rows of y.
void Product(Lowering& l, const Matrix& a, const Matrix& b, const Operand& y) {
  if (y.dims()[0].extent != 1) return MatrixProduct(l, Plain(a), Plain(b), y);
  MatrixProduct(l, Plain({b.stored, !b.transposed}), Plain({a.stored, !a.transposed}),
                Transposed(y));
}

// ---- affine: x [n, i], w [i, o], b [o] -> y [n, o].

struct AffineSizes {
  int64_t n, i, o;
  AffineSizes(const Shape& x, const Shape& w, int base_axis)
      : n(Size(absl::MakeConstSpan(x).subspan(0, base_axis))),
        i(Size(absl::MakeConstSpan(x).subspan(base_axis))),
        o(Size(absl::MakeConstSpan(w).subspan(1))) {}
  explicit AffineSizes(const Lowering& l)
      : AffineSizes(l.x_shape(0), l.x_shape(1), l.options<AffineOptions>().base_axis) {}
};

absl::Status InferAffine(Inference& in) {
  const int base_axis = in.options<AffineOptions>().base_axis;
  if (base_axis < 0 || base_axis >= in.rank(0)) {
    return in.Error(absl::StrCat("x ", ToString(in.shape(0)), " and base_axis ", base_axis),
                    absl::StrCat("base_axis in [0,", in.rank(0), ")"));
  }
  if (in.rank(1) < 1) return in.ShapeError("w of rank at least 1");
  const AffineSizes sizes(in.shape(0), in.shape(1), base_axis);
  if (in.shape(1)[0] != sizes.i) {
    return in.ShapeError(absl::StrCat("w with ", sizes.i, " rows"));
  }
  const Shape outmaps(in.shape(1).begin() + 1, in.shape(1).end());
  if (in.given(2) && in.shape(2) != outmaps) {
    return in.ShapeError(absl::StrCat("b of shape ", ToString(outmaps)));
  }
  Shape shape(in.shape(0).begin(), in.shape(0).begin() + base_axis);
  shape.insert(shape.end(), outmaps.begin(), outmaps.end());
  in.AddOutput(shape);
  return absl::OkStatus();
}

void AffineForward(Lowering& l) {
  const AffineSizes s(l);
  Operand y = l.y().View({s.o, s.n});
  if (l.given(2)) {
    CopyView(l, l.x(2).WithDims({{s.o, 1}, {s.n, 0}}), y);
    y = y.Accumulate();
  }
  Product(l, {l.x(0).View({s.i, s.n}), false}, {l.x(1).View({s.o, s.i}), false}, y);
}

void AffineBackward(Lowering& l) {
  const AffineSizes s(l);
  const Operand dy = l.dy().View({s.o, s.n});
  if (l.wants(0)) {
    Product(l, {dy, false}, {l.x(1).View({s.o, s.i}), true}, l.dx(0).View({s.i, s.n}));
  }
  if (l.wants(1)) {
    Product(l, {l.x(0).View({s.i, s.n}), true}, {dy, false}, l.dx(1).View({s.o, s.i}));
  }
  if (l.wants(2)) SumOverAxes(l, dy, {s.n, s.o}, {true, false}, l.dx(2));
}

// ---- batch_matmul

struct BatchSizes {
  int64_t batch, rows, columns;  // of a matrix as stored
  explicit BatchSizes(const Shape& shape)
      : batch(Size(absl::MakeConstSpan(shape).subspan(0, shape.size() - 2))),
        rows(shape[shape.size() - 2]),
        columns(shape.back()) {}
};

absl::Status InferBatchMatmul(Inference& in) {
  const auto& options = in.options<BatchMatmulOptions>();
  const Shape &a = in.shape(0), &b = in.shape(1);
  if (in.rank(0) < 3 || in.rank(0) != in.rank(1) ||
      !std::equal(a.begin(), a.end() - 2, b.begin())) {
    return in.ShapeError("equal ranks of at least 3 and equal leading extents");
  }
  const BatchSizes as(a), bs(b);
  const int64_t m = options.transpose_a ? as.columns : as.rows;
  const int64_t k = options.transpose_a ? as.rows : as.columns;
  const int64_t n = options.transpose_b ? bs.rows : bs.columns;
  if ((options.transpose_b ? bs.columns : bs.rows) != k) {
    return in.ShapeError(absl::StrCat("a common extent of ", k, " to sum over"));
  }
  Shape shape(a.begin(), a.end() - 2);
  shape.push_back(m);
  shape.push_back(n);
  in.AddOutput(shape);
  return absl::OkStatus();
}

Operand Matrices(const Operand& operand, const Shape& shape) {
  const BatchSizes s(shape);
  return operand.View({s.columns, s.rows, s.batch});
}

void BatchMatmulForward(Lowering& l) {
  const auto& options = l.options<BatchMatmulOptions>();
  Product(l, {Matrices(l.x(0), l.x_shape(0)), options.transpose_a},
          {Matrices(l.x(1), l.x_shape(1)), options.transpose_b}, Matrices(l.y(), l.y_shape()));
}

// With A = op(a), B = op(b): dA = dY B^T and dB = A^T dY, each written as it is stored.
void BatchMatmulBackward(Lowering& l) {
  const auto& options = l.options<BatchMatmulOptions>();
  const bool ta = options.transpose_a, tb = options.transpose_b;
  const Operand a = Matrices(l.x(0), l.x_shape(0)), b = Matrices(l.x(1), l.x_shape(1));
  const Operand dy = Matrices(l.dy(), l.y_shape());
  if (l.wants(0)) {
    const Operand da = Matrices(l.dx(0), l.x_shape(0));
    ta ? Product(l, {b, tb}, {dy, true}, da) : Product(l, {dy, false}, {b, !tb}, da);
  }
  if (l.wants(1)) {
    const Operand db = Matrices(l.dx(1), l.x_shape(1));
    tb ? Product(l, {dy, true}, {a, ta}, db) : Product(l, {a, !ta}, {dy, false}, db);
  }
}

}  // namespace

absl::Span<const FunctionDef> MatmulFunctions() {
  static const auto& functions = *[] {
    FunctionDef affine;
    affine.name = "affine";
    affine.nnabla_name = "Affine";
    affine.onnx_name = "Gemm";
    affine.inputs = {{"x"}, {"w"}, {"b", InputKind::kData, /*optional=*/true}};
    affine.options = OptionsDef::Of<AffineOptions>().With("base_axis", &AffineOptions::base_axis);
    affine.infer = InferAffine;
    affine.forward = AffineForward;
    affine.backward = AffineBackward;
    affine.kernels = {"matmul_nn", "matmul_nt", "copy", "transpose"};
    affine.gradient_kernels = {"matmul_tn", "sum"};
    FunctionDef batch_matmul;
    batch_matmul.name = "batch_matmul";
    batch_matmul.nnabla_name = "BatchMatmul";
    batch_matmul.onnx_name = "MatMul";
    batch_matmul.inputs = {{"a"}, {"b"}};
    batch_matmul.options = OptionsDef::Of<BatchMatmulOptions>()
                               .With("transpose_a", &BatchMatmulOptions::transpose_a)
                               .With("transpose_b", &BatchMatmulOptions::transpose_b);
    batch_matmul.infer = InferBatchMatmul;
    batch_matmul.forward = BatchMatmulForward;
    batch_matmul.backward = BatchMatmulBackward;
    batch_matmul.kernels = MatrixProductKernels();
    batch_matmul.gradient_kernels = MatrixProductKernels();
    return new std::vector<FunctionDef>{std::move(affine), std::move(batch_matmul)};
  }();
  return functions;
}

namespace functions::internal {

const FunctionDef& MatmulFunction(absl::string_view name) {
  for (const FunctionDef& def : MatmulFunctions()) {
    if (def.name == name) return def;
  }
  HALITE_CHECK(false, "no such function");
}

}  // namespace functions::internal
}  // namespace halite
