// SPDX-License-Identifier: Apache-2.0
#include "halite/ops/lstm.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "halite/core/lowering.h"
#include "halite/core/status.h"
#include "halite/ops/copy.h"
#include "halite/ops/matrix_product.h"
#include "halite/ops/reduce_sum.h"

namespace halite {
namespace {

// ---- Gates: views [state, rows] of what arrives at the gates of a cell.

constexpr int kGates = 4;
// Where the gates i, f, g, o stand: in lstm_gates, and in the weights of lstm.
using GateOrder = std::array<int, kGates>;
constexpr GateOrder kCellOrder = {0, 2, 3, 1}, kLayerOrder = {0, 1, 2, 3};

// Gate `gate` of the dense `z` [state, 4, rows].
Operand Gate(const Operand& z, int64_t state, int64_t rows, int gate) {
  return z.WithDims({{state, 1}, {rows, kGates * state}}, gate * state);
}

void CallGates(Lowering& l, const Operand& z, const GateOrder& order, const Operand& c,
               const Operand& h, const Operand& c_next) {
  const int64_t state = c.dims()[0].extent, rows = c.dims()[1].extent;
  const auto gate = [&](int i) { return Gate(z, state, rows, order[i]); };
  l.Call("lstm_gates", {{"in", gate(0)},
                        {"forget", gate(1)},
                        {"candidate", gate(2)},
                        {"out", gate(3)},
                        {"c", c},
                        {"y.0", h},
                        {"y.1", c_next}});
}

struct GateGradients {
  Operand dh, dc_next, dz, dc;
};

void CallGatesGrad(Lowering& l, const Operand& z, const GateOrder& order, const Operand& c,
                   const GateGradients& d) {
  const int64_t state = c.dims()[0].extent, rows = c.dims()[1].extent;
  const auto gate = [&](const Operand& of, int i) { return Gate(of, state, rows, order[i]); };
  l.Call("lstm_gates_grad", {{"in", gate(z, 0)},
                             {"forget", gate(z, 1)},
                             {"candidate", gate(z, 2)},
                             {"out", gate(z, 3)},
                             {"c", c},
                             {"dh", d.dh},
                             {"dc_next", d.dc_next},
                             {"dx.0", gate(d.dz, 0)},
                             {"dx.1", gate(d.dz, 1)},
                             {"dx.2", gate(d.dz, 2)},
                             {"dx.3", gate(d.dz, 3)},
                             {"dx.4", d.dc}});
}

absl::Status InferGates(Inference& in) {
  const Shape &z = in.shape(0), &c = in.shape(1);
  if (c.empty()) return in.ShapeError("c of rank at least 1");
  Shape apart(c.begin(), c.end() - 1), together = apart;
  apart.insert(apart.end(), {kGates, c.back()});
  together.push_back(kGates * c.back());
  if (z != apart && z != together) {
    return in.ShapeError(absl::StrCat("z ", ToString(apart), " or ", ToString(together)));
  }
  in.AddOutput(c);
  in.AddOutput(c);
  return absl::OkStatus();
}

// `operand`, shaped like c, as [state, rows].
Operand StateRows(const Lowering& l, const Operand& operand) {
  const Shape& c = l.x_shape(1);
  return operand.View({c.back(), Size(absl::MakeConstSpan(c).subspan(0, c.size() - 1))});
}

void GatesForward(Lowering& l) {
  CallGates(l, l.x(0), kCellOrder, StateRows(l, l.x(1)), StateRows(l, l.y(0)),
            StateRows(l, l.y(1)));
}

void GatesBackward(Lowering& l) {
  const auto gradient = [&](int i) { return l.wants(i) ? l.dx(i) : l.Scratch(l.x_shape(i)); };
  CallGatesGrad(
      l, l.x(0), kCellOrder, StateRows(l, l.x(1)),
      {StateRows(l, l.dy(0)), StateRows(l, l.dy(1)), gradient(0), StateRows(l, gradient(1))});
}

// ---- lstm

constexpr int kX = 0, kH = 1, kC = 2, kWeightL0 = 3, kWeight = 4;
int BiasIndex(const LstmOptions& options) { return options.num_layers > 1 ? 5 : 4; }

struct LstmSizes {
  int64_t steps, batch, inputs, layers, directions, state;

  LstmSizes(const Shape& x, const Shape& h, const LstmOptions& options)
      : steps(x[0]),
        batch(x[1]),
        inputs(x[2]),
        layers(options.num_layers),
        directions(options.bidirectional ? 2 : 1),
        state(h.back()) {}

  int64_t gates() const { return kGates * state; }
  int64_t rows() const { return steps * batch; }
  int64_t outputs() const { return directions * state; }
  // Of the input of a layer.
  int64_t features(int64_t layer) const { return layer == 0 ? inputs : outputs(); }
};

absl::Status InferLstm(Inference& in) {
  const auto& options = in.options<LstmOptions>();
  if (options.num_layers < 1 || options.dropout != 0) {
    return in.Error(
        absl::StrCat("num_layers ", options.num_layers, " and dropout ", options.dropout),
        "num_layers of at least 1 and dropout 0");
  }
  if (in.rank(kX) != 3 || in.shape(kX)[0] < 1 || in.rank(kH) != 4) {
    return in.ShapeError("x [T,B,I] with T at least 1 and h [L,D,B,H]");
  }
  const LstmSizes s(in.shape(kX), in.shape(kH), options);
  const Shape states = {s.layers, s.directions, s.batch, s.state};
  const auto weights = [&](int64_t layer) {
    return Shape{s.directions, kGates, s.state, s.features(layer) + s.state};
  };
  Shape others = weights(1);
  others.insert(others.begin(), s.layers - 1);
  const Shape bias = {s.layers, s.directions, kGates, s.state};
  const int b = BiasIndex(options);
  const bool fits = in.shape(kH) == states && in.shape(kC) == states &&
                    in.shape(kWeightL0) == weights(0) &&
                    (s.layers == 1 || (in.given(kWeight) && in.shape(kWeight) == others)) &&
                    (!in.given(b) || in.shape(b) == bias) && in.num_inputs() <= b + 1;
  if (!fits) {
    return in.ShapeError(
        absl::StrCat("h and c ", ToString(states), ", weight_l0 ", ToString(weights(0)), ", ",
                     s.layers > 1 ? absl::StrCat("weight ", ToString(others), ", ") : "", "bias ",
                     ToString(bias)));
  }
  in.AddOutput({s.steps, s.batch, s.outputs()});
  in.AddOutput(states);
  in.AddOutput(states);
  return absl::OkStatus();
}

// One direction of one layer: views of its arrays, innermost dimension first.
class LstmLayer {
 public:
  LstmLayer(Lowering& l, int64_t layer, int64_t direction)
      : l_(l),
        options_(l.options<LstmOptions>()),
        s_(l.x_shape(kX), l.x_shape(kH), options_),
        layer_(layer),
        direction_(direction) {}

  const LstmSizes& sizes() const { return s_; }
  // The step that is the `count`-th in this direction.
  int64_t Step(int64_t count) const { return direction_ == 0 ? count : s_.steps - 1 - count; }

  // This direction's part of an array shaped like h.
  Operand Own(const Operand& states) const {
    const int64_t at = (layer_ * s_.directions + direction_) * s_.batch * s_.state;
    return states.WithDims({{s_.state, 1}, {s_.batch, s_.state}}, at);
  }
  // Of an array shaped like y: this direction of `count` steps from `first` on.
  Operand Output(const Operand& y, int64_t first, int64_t count) const {
    return y.WithDims({{s_.state, 1}, {count * s_.batch, s_.outputs()}},
                      first * s_.batch * s_.outputs() + direction_ * s_.state);
  }
  // Of the dense `z` [4 H, B, T]: `count` steps from `first` on.
  Operand Steps(const Operand& z, int64_t first, int64_t count) const {
    return z.WithDims({{s_.gates(), 1}, {count * s_.batch, s_.gates()}},
                      first * s_.batch * s_.gates());
  }

  // The index among the inputs, and the parts for the layer's input and for h [H, 4 H], of this
  // layer's weights or their gradient.
  int weight_index() const { return layer_ == 0 ? kWeightL0 : kWeight; }
  Operand InputWeights(const Operand& w) const { return Weights(w, 0, s_.features(layer_)); }
  Operand StateWeights(const Operand& w) const { return Weights(w, s_.features(layer_), s_.state); }
  bool has_bias() const { return l_.given(BiasIndex(options_)); }
  int bias_index() const { return BiasIndex(options_); }
  Operand Bias(const Operand& b, int64_t rows) const {
    return b.WithDims({{s_.gates(), 1}, {rows, 0}},
                      (layer_ * s_.directions + direction_) * s_.gates());
  }

  // Kept for the gradient: what arrives at the gates, the cells but for the last step's, and what
  // the layers but the last give.
  Operand Z() const { return Kept(0, s_.layers * s_.directions, s_.rows() * s_.gates(), own()); }
  Operand Cell(int64_t count) const {
    if (count < 0) return Own(l_.x(kC));
    const int64_t size = s_.batch * s_.state;
    return Kept(1, s_.layers * s_.directions * (s_.steps - 1), size, own() * (s_.steps - 1) + count)
        .WithDims({{s_.state, 1}, {s_.batch, s_.state}});
  }
  // What layer `layer` gives, [D H, T B]; that of layer -1 is x.
  Operand OutputOf(int64_t layer) const {
    if (layer < 0) return l_.x(kX).View({s_.inputs, s_.rows()});
    if (layer == s_.layers - 1) return l_.y(0).View({s_.outputs(), s_.rows()});
    return Kept(2, s_.layers - 1, s_.rows() * s_.outputs(), layer)
        .WithDims({{s_.outputs(), 1}, {s_.rows(), s_.outputs()}});
  }

  void Forward() const {
    const Operand w = l_.x(weight_index()), y = OutputOf(layer_), z = Z();
    Operand all = Steps(z, 0, s_.steps);
    if (has_bias()) {
      CopyView(l_, Bias(l_.x(bias_index()), s_.rows()), all);
      all = all.Accumulate();
    }
    MatrixProduct(l_, {OutputOf(layer_ - 1), false}, {InputWeights(w), true}, all);
    // Transposed once for all steps.
    const Operand own = l_.Scratch({s_.state, s_.gates()});
    CopyView(l_, Transposed(StateWeights(w)), own);
    for (int64_t count = 0; count < s_.steps; ++count) {
      const int64_t t = Step(count);
      const Operand before = count == 0 ? Own(l_.x(kH)) : Output(y, Step(count - 1), 1);
      const Operand now = Steps(z, t, 1), h = Output(y, t, 1);
      MatrixProduct(l_, {before, false}, {own, false}, now.Accumulate());
      const bool is_last = count + 1 == s_.steps;
      CallGates(l_, now, kLayerOrder, Cell(count - 1), h, is_last ? Own(l_.y(2)) : Cell(count));
      if (is_last) CopyView(l_, h, Own(l_.y(1)));
    }
  }

  // Arrays that the layers share.
  struct Work {
    Operand dz, dh, dc[2];
  };

  // `dy`: the gradient of what this layer gives. `dx`: of what it gets, if wanted.
  void Backward(const Operand& dy, const Work& work, const std::optional<Operand>& dx) const {
    const Operand w = l_.x(weight_index()), z = Z();
    const Operand state_weights = l_.Scratch({s_.gates(), s_.state});
    CopyView(l_, StateWeights(w), state_weights);
    for (int64_t count = s_.steps - 1; count >= 0; --count) {
      const int64_t t = Step(count);
      const bool is_last = count + 1 == s_.steps;
      CopyView(l_, Output(dy, t, 1), work.dh);
      if (is_last) {
        CopyView(l_, Own(l_.dy(1)), work.dh.Accumulate());
      } else {
        MatrixProduct(l_, {Steps(work.dz, Step(count + 1), 1), false}, {state_weights, false},
                      work.dh.Accumulate());
      }
      const bool to_input = count == 0 && l_.wants(kC);
      CallGatesGrad(l_, Steps(z, t, 1), kLayerOrder, Cell(count - 1),
                    {work.dh, is_last ? Own(l_.dy(2)) : work.dc[(count + 1) % 2],
                     Steps(work.dz, t, 1), to_input ? Own(l_.dx(kC)) : work.dc[count % 2]});
    }
    const Operand first = Steps(work.dz, Step(0), 1), all = Steps(work.dz, 0, s_.steps);
    if (l_.wants(kH)) {
      MatrixProduct(l_, {first, false}, {state_weights, false}, Own(l_.dx(kH)));
    }
    if (l_.wants(weight_index())) WeightGradients(work.dz);
    if (l_.wants(bias_index())) {
      SumOverAxes(l_, all, {s_.rows(), s_.gates()}, {true, false},
                  Bias(l_.dx(bias_index()), 1).WithDims({{s_.gates(), 1}}));
    }
    if (dx.has_value()) MatrixProduct(l_, {all, false}, {InputWeights(w), false}, *dx);
  }

 private:
  int64_t own() const { return layer_ * s_.directions + direction_; }

  // Of [features + H, 4 H] for each direction (and layer above the first): columns.
  Operand Weights(const Operand& w, int64_t first, int64_t columns) const {
    const int64_t width = s_.features(layer_) + s_.state, size = width * s_.gates();
    const int64_t at = (std::max<int64_t>(layer_ - 1, 0) * s_.directions + direction_) * size;
    return w.WithDims({{columns, 1}, {s_.gates(), width}}, at + first);
  }
  static Operand Transposed(const Operand& matrix) {
    return matrix.WithDims({matrix.dims()[1], matrix.dims()[0]});
  }
  // Part `part` of `parts` of the array `index` that lives until Backward.
  Operand Kept(int index, int64_t parts, int64_t size, int64_t part) const {
    return l_.State(index, {parts, size}, l_.dtype()).WithDims({{size, 1}}, part * size);
  }

  // One product for all steps, but for that which starts from the given h.
  void WeightGradients(const Operand& dz) const {
    const Operand dw = l_.dx(weight_index()), all = Steps(dz, 0, s_.steps);
    MatrixProduct(l_, {all, true}, {OutputOf(layer_ - 1), false}, InputWeights(dw));
    Operand to = StateWeights(dw);
    if (const int64_t count = s_.steps - 1; count > 0) {
      const int64_t later = direction_ == 0 ? 1 : 0;
      MatrixProduct(l_, {Steps(dz, later, count), true},
                    {Output(OutputOf(layer_), 1 - later, count), false}, to);
      to = to.Accumulate();
    }
    MatrixProduct(l_, {Steps(dz, Step(0), 1), true}, {Own(l_.x(kH)), false}, to);
  }

  Lowering& l_;
  const LstmOptions& options_;
  const LstmSizes s_;
  const int64_t layer_, direction_;
};

void LstmForward(Lowering& l) {
  const LstmSizes s(l.x_shape(kX), l.x_shape(kH), l.options<LstmOptions>());
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    for (int64_t direction = 0; direction < s.directions; ++direction) {
      LstmLayer(l, layer, direction).Forward();
    }
  }
}

void LstmBackward(Lowering& l) {
  const LstmSizes s(l.x_shape(kX), l.x_shape(kH), l.options<LstmOptions>());
  const auto state = [&] { return l.Scratch({s.batch, s.state}); };
  const LstmLayer::Work work = {l.Scratch({s.rows(), s.gates()}), state(), {state(), state()}};
  Operand dy = l.dy(0).View({s.outputs(), s.rows()});
  for (int64_t layer = s.layers - 1; layer >= 0; --layer) {
    std::optional<Operand> dx;
    if (layer > 0) dx = l.Scratch({s.rows(), s.outputs()});
    if (layer == 0 && l.wants(kX)) dx = l.dx(kX).View({s.inputs, s.rows()});
    for (int64_t direction = 0; direction < s.directions; ++direction) {
      LstmLayer(l, layer, direction).Backward(dy, work, dx);
      if (dx.has_value()) dx = dx->Accumulate();
    }
    if (dx.has_value()) dy = *dx;
  }
}

}  // namespace

absl::Span<const FunctionDef> LstmFunctions() {
  static const auto& functions = *[] {
    FunctionDef gates;
    gates.name = "lstm_gates";
    gates.inputs = {{"z"}, {"c"}};
    gates.infer = InferGates;
    gates.forward = GatesForward;
    gates.backward = GatesBackward;
    gates.kernels = {"lstm_gates"};
    gates.gradient_kernels = {"lstm_gates_grad"};

    FunctionDef lstm;
    lstm.name = "lstm";
    lstm.nnabla_name = "LSTM";
    lstm.inputs = {{"x"},
                   {"h"},
                   {"c"},
                   {"weight_l0"},
                   {"weight", InputKind::kData, /*optional=*/true},
                   {"bias", InputKind::kData, /*optional=*/true}};
    lstm.options = OptionsDef::Of<LstmOptions>()
                       .With("num_layers", &LstmOptions::num_layers)
                       .With("dropout", &LstmOptions::dropout)
                       .With("bidirectional", &LstmOptions::bidirectional)
                       .With("training", &LstmOptions::training);
    lstm.infer = InferLstm;
    lstm.forward = LstmForward;
    lstm.backward = LstmBackward;
    lstm.kernels = CopyKernels();
    for (const char* name : {"lstm_gates", "matmul_nn", "matmul_nt"}) lstm.kernels.push_back(name);
    lstm.gradient_kernels = CopyKernels();
    for (const char* name : {"lstm_gates_grad", "matmul_nn", "matmul_tn", "sum"}) {
      lstm.gradient_kernels.push_back(name);
    }
    return new std::vector<FunctionDef>{std::move(gates), std::move(lstm)};
  }();
  return functions;
}

}  // namespace halite
