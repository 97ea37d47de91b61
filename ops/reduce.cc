// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/reduce.h"

#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halite/core/canonical.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"
#include "halite/ops/reduce_sum.h"

namespace halite {
namespace {

// One flag an axis: whether it is reduced. REQUIRES: the axes were checked.
std::vector<bool> ReducedAxes(const Shape& shape, const ReduceOptions& options) {
  const int rank = static_cast<int>(shape.size());
  std::vector<bool> reduced(rank, false);
  const auto axes = NormalizeAxes(options.axes, rank);
  for (int axis : axes.value()) reduced[axis] = true;
  return reduced;
}

std::vector<bool> ReducedAxes(const Lowering& l) {
  return ReducedAxes(l.x_shape(), l.options<ReduceOptions>());
}

// `shape` with an extent of 1 for each reduced axis.
Shape Kept(Shape shape, const std::vector<bool>& reduced) {
  for (size_t d = 0; d < shape.size(); ++d) {
    if (reduced[d]) shape[d] = 1;
  }
  return shape;
}

absl::Status InferReduce(Inference& in) {
  const auto& options = in.options<ReduceOptions>();
  if (!NormalizeAxes(options.axes, in.rank()).ok()) {
    return in.Error(absl::StrCat("axes ", ToString(options.axes), " of ", in.def().inputs[0].name,
                                 " ", ToString(in.shape())),
                    absl::StrCat("different axes in [", -in.rank(), ", ", in.rank(), ")"));
  }
  const std::vector<bool> reduced = ReducedAxes(in.shape(), options);
  Shape y;
  for (int d = 0; d < in.rank(); ++d) {
    if (!reduced[d]) {
      y.push_back(in.shape()[d]);
    } else if (options.keep_dims) {
      y.push_back(1);
    }
  }
  in.AddOutput(y);
  return absl::OkStatus();
}

// What each element of a mean weighs.
double MeanScale(const Lowering& l) {
  return static_cast<double>(Size(l.y_shape())) / static_cast<double>(Size(l.x_shape()));
}

void SumForward(Lowering& l) { SumOverAxes(l, l.x(), l.x_shape(), ReducedAxes(l), l.y()); }

void MeanForward(Lowering& l) {
  if (Size(l.x_shape()) == 0) {
    l.Fill(l.y(), std::numeric_limits<double>::quiet_NaN());
    return;
  }
  SumOverAxes(l, l.x(), l.x_shape(), ReducedAxes(l), l.y(), MeanScale(l));
}

// dx = scale dy, broadcast to the shape of x.
void BroadcastGradient(Lowering& l, double scale) {
  if (Size(l.x_shape()) == 0) return;
  const Shape shapes[] = {Kept(l.x_shape(), ReducedAxes(l)), l.x_shape()};
  Walk walk = Walk::Broadcast(l.x_shape(), shapes);
  walk.Collapse();
  walk.ForEachOuter(kWalkRank, [&](absl::Span<const int64_t> at) {
    l.Call("sum_grad", {{"dy", walk.View(l.dy(), 0, kWalkRank, at[0])},
                        {"scale", scale},
                        {"dx", walk.View(l.dx(), 1, kWalkRank, at[1])}});
  });
}

void SumBackward(Lowering& l) { BroadcastGradient(l, 1); }
void MeanBackward(Lowering& l) { BroadcastGradient(l, MeanScale(l)); }

// The passes of max: one for each run of adjacent axes, innermost first. A long run with few
// results is two: its last axes first, so that there are results for threads to share.
struct MaxPass {
  InnerAxisOuter dims;
  Shape from, to;
};

std::vector<MaxPass> MaxPasses(const Lowering& l) {
  constexpr int64_t kFew = 16, kLong = 1 << 16;
  std::vector<std::pair<int, int>> runs = AxisRuns(ReducedAxes(l));
  // Nothing to reduce: the maximum over an axis of one element.
  if (runs.empty()) runs.emplace_back(0, -1);
  std::vector<MaxPass> passes;
  Shape from = l.x_shape();
  const auto add = [&](int first, int last) {
    Shape to = from;
    for (int d = first; d <= last; ++d) to[d] = 1;
    passes.push_back({InnerAxisOuter(from, first, last), from, to});
    from = to;
  };
  for (const auto& [first, last] : runs) {
    const InnerAxisOuter dims(from, first, last);
    int middle = first;
    if (dims.inner == 1 && dims.axis >= kLong) {
      for (int64_t outer = dims.outer; outer < kFew && middle < last; ++middle) {
        outer *= from[middle];
      }
    }
    if (middle > first) add(middle, last);
    add(first, middle > first ? middle - 1 : last);
  }
  return passes;
}

Operand MaxIndex(Lowering& l, const MaxPass& pass, size_t i) {
  return l.State(static_cast<int>(i), pass.to, DType::kInt32)
      .View({pass.dims.inner, pass.dims.outer});
}

void MaxForward(Lowering& l) {
  if (Size(l.x_shape()) == 0) {
    l.Fill(l.y(), -std::numeric_limits<double>::infinity());
    return;
  }
  const std::vector<MaxPass> passes = MaxPasses(l);
  Operand x = l.x();
  for (size_t i = 0; i < passes.size(); ++i) {
    const InnerAxisOuter& dims = passes[i].dims;
    const Operand y = i + 1 == passes.size() ? l.y() : l.Scratch(passes[i].to);
    l.Call("max", {{"x", x.View(dims.dims())},
                   {"y.0", y.View({dims.inner, dims.outer})},
                   {"y.1", MaxIndex(l, passes[i], i)}});
    x = y;
  }
}

void MaxBackward(Lowering& l) {
  if (Size(l.x_shape()) == 0) return;
  const std::vector<MaxPass> passes = MaxPasses(l);
  Operand dy = l.dy();
  for (size_t i = passes.size(); i-- > 0;) {
    const InnerAxisOuter& dims = passes[i].dims;
    const Operand dx = i == 0 ? l.dx() : l.Scratch(passes[i].from);
    l.Call("max_grad", {{"index", MaxIndex(l, passes[i], i)},
                        {"dy", dy.View({dims.inner, dims.outer})},
                        {"axis", dims.axis},
                        {"dx", dx.View(dims.dims())}});
    dy = dx;
  }
}

FunctionDef ReduceDef(const char* name, const char* nnabla_name, const char* onnx_name,
                      void (*forward)(Lowering&), void (*backward)(Lowering&), const char* kernel) {
  FunctionDef def;
  def.name = name;
  def.nnabla_name = nnabla_name;
  def.onnx_name = onnx_name;
  def.inputs = {{"x"}};
  def.options = OptionsDef::Of<ReduceOptions>()
                    .With("axes", &ReduceOptions::axes)
                    .With("keep_dims", &ReduceOptions::keep_dims);
  def.infer = InferReduce;
  def.forward = forward;
  def.backward = backward;
  def.kernels = {kernel};
  def.gradient_kernels = {absl::StrCat(kernel, "_grad")};
  return def;
}

}  // namespace

absl::Span<const FunctionDef> ReduceFunctions() {
  static const auto& functions = *new std::vector<FunctionDef>{
      ReduceDef("max", "Max", "ReduceMax", MaxForward, MaxBackward, "max"),
      ReduceDef("mean", "Mean", "ReduceMean", MeanForward, MeanBackward, "sum"),
      ReduceDef("sum", "Sum", "ReduceSum", SumForward, SumBackward, "sum"),
  };
  return functions;
}

namespace functions::internal {

const FunctionDef& Reduce(absl::string_view name) {
  for (const FunctionDef& def : ReduceFunctions()) {
    if (def.name == name) return def;
  }
  HALITE_CHECK(false, "no such reduction");
}

}  // namespace functions::internal
}  // namespace halite
