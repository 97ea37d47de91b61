// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/array.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "halite/core/canonical.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"
#include "halite/ops/copy.h"

namespace halite {
namespace {

// The dimension of an operand (innermost first) that holds `axis` of an array of rank `rank`.
int DimOf(int axis, int rank) { return rank - 1 - axis; }

absl::Status InferReshape(Inference& in) {
  Shape shape = in.options<ReshapeOptions>().shape;
  const int64_t size = Size(in.shape());
  const auto wild = std::find(shape.begin(), shape.end(), -1);
  const std::string asked = absl::StrCat("x ", ToString(in.shape()), " as ", ToString(shape));
  if (wild != shape.end()) *wild = 1;
  if (!CheckShape(shape).ok()) return in.Error(asked, "equal sizes");
  const int64_t rest = Size(shape);
  if (wild != shape.end()) {
    if (rest == 0) return in.Error(asked, "one size that fits");
    *wild = size / rest;
  }
  if (Size(shape) != size) return in.Error(asked, "equal sizes");
  in.AddOutput(shape);
  return absl::OkStatus();
}

void ReshapeForward(Lowering& l) {
  if (l.options<ReshapeOptions>().inplace) return l.Alias();
  const int64_t n = Size(l.x_shape());
  CopyView(l, l.x().View({n}), l.y().View({n}));
}

void ReshapeBackward(Lowering& l) {
  if (l.in_place()) return;
  const int64_t n = Size(l.x_shape());
  CopyView(l, l.dy().View({n}), l.dx().View({n}));
}

// Valid, normalized axes of a transposition.
absl::StatusOr<std::vector<int>> Permutation(const std::vector<int64_t>& axes, int rank) {
  if (static_cast<int>(axes.size()) != rank) {
    return absl::InvalidArgumentError("a permutation needed");
  }
  HALITE_ASSIGN_OR_RETURN(auto sorted, NormalizeAxes(axes, rank));
  std::vector<int> permutation;
  for (int64_t axis : axes) permutation.push_back(*NormalizeAxis(axis, rank));
  return permutation;
}

absl::Status InferTranspose(Inference& in) {
  const auto& axes = in.options<TransposeOptions>().axes;
  const auto permutation = Permutation(axes, in.rank());
  if (!permutation.ok()) {
    return in.Error(absl::StrCat("x ", ToString(in.shape()), " and axes ", ToString(axes)),
                    "a permutation of the axes of x");
  }
  Shape shape;
  for (int axis : *permutation) shape.push_back(in.shape()[axis]);
  in.AddOutput(shape);
  return absl::OkStatus();
}

// `operand` (of x or dx) with its axes in the order of y.
Operand Permuted(const Lowering& l, const Operand& operand) {
  const int rank = static_cast<int>(l.x_shape().size());
  const auto permutation = *Permutation(l.options<TransposeOptions>().axes, rank);
  absl::InlinedVector<Operand::Dim, 6> dims(rank);
  for (int d = 0; d < rank; ++d) {
    dims[DimOf(d, rank)] = operand.dims()[DimOf(permutation[d], rank)];
  }
  return operand.WithDims(std::move(dims));
}

void TransposeForward(Lowering& l) { CopyView(l, Permuted(l, l.x()), l.y()); }
void TransposeBackward(Lowering& l) {
  // dx is written along its own rows: walk in the order of x.
  const int rank = static_cast<int>(l.x_shape().size());
  const auto permutation = *Permutation(l.options<TransposeOptions>().axes, rank);
  const Operand dy = l.dy();
  absl::InlinedVector<Operand::Dim, 6> dims(rank);
  for (int d = 0; d < rank; ++d) {
    dims[DimOf(permutation[d], rank)] = dy.dims()[DimOf(d, rank)];
  }
  CopyView(l, dy.WithDims(std::move(dims)), l.dx());
}

absl::StatusOr<int> ConcatenateAxis(const ConcatenateOptions& options, int rank) {
  return NormalizeAxis(options.axis, rank);
}

absl::Status InferConcatenate(Inference& in) {
  const auto& options = in.options<ConcatenateOptions>();
  const auto axis = ConcatenateAxis(options, in.rank());
  if (!axis.ok()) return in.AxisError(options.axis);
  Shape shape = in.shape();
  for (int i = 1; i < in.num_inputs(); ++i) {
    if (in.rank(i) != in.rank(0)) return in.ShapeError("equal ranks");
    for (int d = 0; d < in.rank(); ++d) {
      if (d != *axis && in.shape(i)[d] != shape[d]) {
        return in.ShapeError(absl::StrCat("equal extents but on axis ", *axis));
      }
    }
    shape[*axis] += in.shape(i)[*axis];
  }
  in.AddOutput(shape);
  return absl::OkStatus();
}

// Calls visit(i, part) with the part of `whole` (y or dy) that input i fills.
template <typename Visit>
void ForEachPart(Lowering& l, const Operand& whole, Visit&& visit) {
  const int rank = static_cast<int>(l.y_shape().size());
  const int axis = *ConcatenateAxis(l.options<ConcatenateOptions>(), rank);
  int64_t start = 0;
  for (int i = 0; i < l.num_inputs(); ++i) {
    const int64_t extent = l.x_shape(i)[axis];
    if (extent > 0) visit(i, whole.Slice(DimOf(axis, rank), start, extent));
    start += extent;
  }
}

void ConcatenateForward(Lowering& l) {
  ForEachPart(l, l.y(), [&](int i, const Operand& part) { CopyView(l, l.x(i), part); });
}

void ConcatenateBackward(Lowering& l) {
  ForEachPart(l, l.dy(), [&](int i, const Operand& part) {
    if (l.wants(i)) CopyView(l, part, l.dx(i));
  });
}

absl::Status InferSplit(Inference& in) {
  const auto& options = in.options<SplitOptions>();
  const auto axis = NormalizeAxis(options.axis, in.rank());
  if (!axis.ok()) return in.AxisError(options.axis);
  if (in.shape()[*axis] == 0)
    return in.ShapeError(absl::StrCat("extent of axis ", *axis, " at least 1"));
  Shape shape = in.shape();
  shape.erase(shape.begin() + *axis);
  for (int64_t i = 0; i < in.shape()[*axis]; ++i) in.AddOutput(shape);
  return absl::OkStatus();
}

// Element `i` of the split axis of `whole` (x or dx), without that axis.
Operand Piece(const Lowering& l, const Operand& whole, int i) {
  const int rank = static_cast<int>(l.x_shape().size());
  const int dim = DimOf(*NormalizeAxis(l.options<SplitOptions>().axis, rank), rank);
  auto dims = whole.dims();
  const int64_t offset = i * dims[dim].stride;
  dims.erase(dims.begin() + dim);
  return whole.WithDims(std::move(dims), offset);
}

void SplitForward(Lowering& l) {
  for (int i = 0; i < l.num_outputs(); ++i) CopyView(l, Piece(l, l.x(), i), l.y(i));
}

void SplitBackward(Lowering& l) {
  for (int i = 0; i < l.num_outputs(); ++i) CopyView(l, l.dy(i), Piece(l, l.dx(), i));
}

struct Range {
  int64_t start, extent, step;
};

// One range for each axis.
absl::StatusOr<std::vector<Range>> Ranges(const SliceOptions& options, const Shape& shape) {
  const size_t rank = shape.size();
  if (std::max({options.start.size(), options.stop.size(), options.step.size()}) > rank) {
    return absl::InvalidArgumentError("at most one entry for each axis");
  }
  std::vector<Range> ranges;
  for (size_t d = 0; d < rank; ++d) {
    const auto value = [&](const std::vector<int64_t>& list, int64_t otherwise) {
      const size_t skipped = rank - list.size();
      return d < skipped ? otherwise : list[d - skipped];
    };
    int64_t start = value(options.start, 0);
    int64_t stop = value(options.stop, shape[d]);
    const int64_t step = value(options.step, 1);
    if (start < 0) start += shape[d];
    if (stop < 0) stop += shape[d];
    if (step < 1 || start < 0 || start > stop || stop > shape[d]) {
      return absl::InvalidArgumentError(
          absl::StrCat("0 <= start <= stop <= ", shape[d], " and step >= 1 on axis ", d));
    }
    const int64_t extent = stop == start ? 0 : (stop - start - 1) / step + 1;
    // The step of a single element does not matter, but strides are multiplied with it.
    ranges.push_back({start, extent, extent > 1 ? step : 1});
  }
  return ranges;
}

absl::Status InferSlice(Inference& in) {
  const auto& options = in.options<SliceOptions>();
  const auto ranges = Ranges(options, in.shape());
  if (!ranges.ok()) {
    return in.Error(
        absl::StrCat("x ", ToString(in.shape()), ", start ", ToString(options.start), ", stop ",
                     ToString(options.stop), ", step ", ToString(options.step)),
        ranges.status().message());
  }
  Shape shape;
  for (const Range& range : *ranges) shape.push_back(range.extent);
  in.AddOutput(shape);
  return absl::OkStatus();
}

// The elements of `whole` (x or dx) that the slice takes.
Operand Sliced(const Lowering& l, Operand whole) {
  const auto ranges = *Ranges(l.options<SliceOptions>(), l.x_shape());
  const int rank = static_cast<int>(ranges.size());
  for (int d = 0; d < rank; ++d) {
    whole = whole.Slice(DimOf(d, rank), ranges[d].start, ranges[d].extent, ranges[d].step);
  }
  return whole;
}

void SliceForward(Lowering& l) { CopyView(l, Sliced(l, l.x()), l.y()); }

void SliceBackward(Lowering& l) {
  // What the slice leaves out gets no gradient.
  if (l.y_shape() != l.x_shape()) l.Fill(l.dx(), 0);
  CopyView(l, l.dy(), Sliced(l, l.dx()));
}

FunctionDef CopyFunction(std::string name, std::string nnabla_name, std::string onnx_name,
                         OptionsDef options) {
  FunctionDef def;
  def.name = std::move(name);
  def.nnabla_name = std::move(nnabla_name);
  def.onnx_name = std::move(onnx_name);
  def.inputs = {{"x"}};
  def.options = std::move(options);
  def.kernels = CopyKernels();
  def.gradient_kernels = CopyKernels();
  return def;
}

}  // namespace

absl::Span<const FunctionDef> ArrayFunctions() {
  static const auto& functions = *[] {
    auto reshape = CopyFunction("reshape", "Reshape", "Reshape",
                                OptionsDef::Of<ReshapeOptions>()
                                    .With("shape", &ReshapeOptions::shape)
                                    .With("inplace", &ReshapeOptions::inplace));
    reshape.infer = InferReshape;
    reshape.forward = ReshapeForward;
    reshape.backward = ReshapeBackward;
    reshape.aliases_input = true;
    auto transpose =
        CopyFunction("transpose", "Transpose", "Transpose",
                     OptionsDef::Of<TransposeOptions>().With("axes", &TransposeOptions::axes));
    transpose.infer = InferTranspose;
    transpose.forward = TransposeForward;
    transpose.backward = TransposeBackward;
    auto concatenate =
        CopyFunction("concatenate", "Concatenate", "Concat",
                     OptionsDef::Of<ConcatenateOptions>().With("axis", &ConcatenateOptions::axis));
    concatenate.variadic = true;
    concatenate.infer = InferConcatenate;
    concatenate.forward = ConcatenateForward;
    concatenate.backward = ConcatenateBackward;
    auto split = CopyFunction("split", "Split", "",
                              OptionsDef::Of<SplitOptions>().With("axis", &SplitOptions::axis));
    split.infer = InferSplit;
    split.forward = SplitForward;
    split.backward = SplitBackward;
    auto slice = CopyFunction("slice", "Slice", "Slice",
                              OptionsDef::Of<SliceOptions>()
                                  .With("start", &SliceOptions::start)
                                  .With("stop", &SliceOptions::stop)
                                  .With("step", &SliceOptions::step));
    slice.infer = InferSlice;
    slice.forward = SliceForward;
    slice.backward = SliceBackward;
    return new std::vector<FunctionDef>{std::move(concatenate), std::move(reshape),
                                        std::move(slice), std::move(split), std::move(transpose)};
  }();
  return functions;
}

namespace functions::internal {

const FunctionDef& ArrayFunction(absl::string_view name) {
  for (const FunctionDef& def : ArrayFunctions()) {
    if (def.name == name) return def;
  }
  HALITE_CHECK(false, "no such function");
}

}  // namespace functions::internal
}  // namespace halite
