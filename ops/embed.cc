// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/embed.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"

namespace halite {
namespace {

absl::Status InferEmbed(Inference& in) {
  const Shape& table = in.shape(1);
  if (table.empty()) return in.ShapeError("w [n, ...]");
  Shape y = in.shape(0);
  y.insert(y.end(), table.begin() + 1, table.end());
  in.AddOutput(y, in.dtype(1));
  return absl::OkStatus();
}

// The table [width, rows] and the number of indices.
struct Table {
  int64_t width, rows, count;

  explicit Table(const Lowering& l)
      : width(Size(absl::MakeConstSpan(l.x_shape(1)).subspan(1))),
        rows(l.x_shape(1)[0]),
        count(Size(l.x_shape(0))) {}
};

void EmbedForward(Lowering& l) {
  const Table t(l);
  l.Call("embed",
         {{"index", l.x(0).View({t.count})},
          {"w", l.x(1).View({t.width, t.rows})},
          {"y", l.y().View({t.width, t.count})}},
         std::numeric_limits<double>::quiet_NaN());
}

void EmbedBackward(Lowering& l) {
  if (!l.wants(1)) return;
  const Table t(l);
  l.Call("embed_grad", {{"index", l.x(0).View({t.count})},
                        {"dy", l.dy().View({t.width, t.count})},
                        {"rows", t.rows},
                        {"dw", l.dx(1).View({t.width, t.rows})}});
}

absl::Status InferOneHot(Inference& in) {
  const Shape& shape = in.options<OneHotOptions>().shape;
  const auto given = [&] {
    return absl::StrCat("x ", ToString(in.shape()), ", shape ", ToString(shape));
  };
  if (in.rank() == 0 || shape.empty() || in.shape().back() != static_cast<int64_t>(shape.size())) {
    return in.Error(given(), "x [..., k] and a shape of k extents");
  }
  // Flat indices are int32.
  if (!CheckShape(shape).ok() || Size(shape) >= std::numeric_limits<int>::max()) {
    return in.Error(given(), "extents of at least 0, below 2^31 elements");
  }
  Shape y(in.shape().begin(), in.shape().end() - 1);
  y.insert(y.end(), shape.begin(), shape.end());
  in.AddOutput(y, DType::kFloat32);
  return absl::OkStatus();
}

void OneHotForward(Lowering& l) {
  const Shape& shape = l.options<OneHotOptions>().shape;
  const int64_t k = static_cast<int64_t>(shape.size()), count = Size(l.x_shape()) / k;
  Operand index = l.x().View({k, count});
  if (k == 1) {
    index = l.x().View({count});
  } else {
    // The flat index, one dimension after another.
    const Operand flat = l.Scratch({count}, DType::kInt32);
    for (int64_t d = 0; d < k; ++d) {
      l.Call("one_hot_index", {{"x", l.x().WithDims({{count, k}}, d)},
                               {"extent", shape[d]},
                               {"index", d == 0 ? flat : flat.Accumulate()}});
    }
    index = flat;
  }
  const int64_t size = Size(shape);
  l.Call("one_hot", {{"index", index}, {"size", size}, {"y", l.y().View({size, count})}});
}

FunctionDef EmbedDef() {
  FunctionDef def;
  def.name = "embed";
  def.nnabla_name = "Embed";
  def.inputs = {{"x0", InputKind::kIndex}, {"w"}};
  def.infer = InferEmbed;
  def.forward = EmbedForward;
  def.backward = EmbedBackward;
  def.kernels = {"embed"};
  def.gradient_kernels = {"embed_grad"};
  return def;
}

FunctionDef OneHotDef() {
  FunctionDef def;
  def.name = "one_hot";
  def.nnabla_name = "OneHot";
  def.inputs = {{"x", InputKind::kIndex}};
  def.options = OptionsDef::Of<OneHotOptions>().With("shape", &OneHotOptions::shape);
  def.infer = InferOneHot;
  def.forward = OneHotForward;
  def.gradient = Gradient::kNone;
  def.kernels = {"one_hot", "one_hot_index"};
  return def;
}

}  // namespace

absl::Span<const FunctionDef> EmbedFunctions() {
  static const auto& functions = *new std::vector<FunctionDef>{EmbedDef(), OneHotDef()};
  return functions;
}

namespace functions::internal {

const FunctionDef& EmbedFunction(absl::string_view name) {
  for (const FunctionDef& def : EmbedFunctions()) {
    if (def.name == name) return def;
  }
  HALITE_CHECK(false, "no such function");
}

}  // namespace functions::internal
}  // namespace halite
