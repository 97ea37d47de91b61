// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of the pointwise operators (rows of activations.h and arithmetic.h).
//
//   unary:        x[n] -> y[n], over contiguous elements
//   unary_grad:   x?, y?, dy [n] -> dx[n]
//   binary:       x0, x1 [i0, i1, i2, i3] -> y; an input's stride 0 broadcasts it
//   binary_grad:  x0?, x1?, y?, dy [i0, i1, i2, i3] -> dx, or dx.0 and dx.1 in one pass
//   fill:         value -> y[n]
//
// All are bound by memory: one vector an iteration, tasks of some kGrain elements.
#include "halite/ops/algorithms/accumulate.h"
#include "halite/ops/algorithms/activations.h"
#include "halite/ops/algorithms/arithmetic.h"
#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using namespace Halide;

// The row called `name`. A name that is in no table is a mistake in a BUILD file.
template <typename Row>
const Row& FindRow(const std::vector<Row>& rows, const std::string& name) {
  for (const Row& row : rows) {
    if (row.name == name) return row;
  }
  throw CompileError("no pointwise operator " + name);
}

// Generators whose buffers follow from the row's expressions.
template <typename Derived>
class PointwiseGenerator : public OpGenerator<Derived> {
 public:
  GeneratorParam<std::string> op{"op", ""};

 protected:
  using BufferInput = GeneratorInput<Halide::Buffer<>>;

  // Declares those of `names` that `expression`, built on variables of these names, reads.
  void AddInputsOf(const Expr& expression, const std::vector<std::string>& names, int rank) {
    for (const std::string& name : names) {
      if (Internal::expr_uses_var(expression, name)) {
        inputs_.emplace_back(name,
                             this->template add_input<Halide::Buffer<>>(name, this->dtype, rank));
      }
    }
  }
  void AddScalars(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      scalars_.push_back(this->template add_input<Expr>(name, this->dtype));
    }
  }
  // The variable that stands for the array `name` while a row's expression is examined.
  Expr Symbol(const std::string& name) const { return Internal::Variable::make(this->dtype, name); }
  Scalars Symbols(const std::vector<std::string>& names) const {
    Scalars symbols;
    for (const std::string& name : names) symbols.push_back(Symbol(name));
    return symbols;
  }
  // Element `at` of the input `name`, or 0 if the kernel does not have it.
  Expr At(const std::string& name, const std::vector<Expr>& at) const {
    for (const auto& [own, input] : inputs_) {
      if (own == name) return Func(*input)(at);
    }
    return cast(this->dtype, 0);
  }
  BufferInput& Find(const std::string& name) {
    for (auto& [own, input] : inputs_) {
      if (own == name) return *input;
    }
    throw CompileError("no input " + name);
  }
  Scalars ScalarInputs() const {
    Scalars values;
    for (auto* scalar : scalars_) values.push_back(*scalar);
    return values;
  }
  void ConstrainInputs(int rank, bool any_stride) {
    for (auto& [name, input] : inputs_) this->ZeroMin(*input, rank, any_stride);
  }

  std::vector<std::pair<std::string, BufferInput*>> inputs_;
  std::vector<GeneratorInput<Expr>*> scalars_;
};

class Unary : public PointwiseGenerator<Unary> {
 public:
  void configure() {
    row_ = &FindRow(UnaryRows(), op);
    inputs_.emplace_back("x", add_input<Halide::Buffer<>>("x", dtype, 1));
    AddScalars(row_->scalars);
    y_ = add_output<Halide::Buffer<>>("y", dtype, 1);
  }
  void generate() {
    Var i("i");
    Func y(row_->name);
    y(i) = cast(dtype, row_->forward(At("x", {i}), ScalarInputs()));
    *y_ = y;
    ConstrainInputs(1, false);
    y_->dim(0).set_bounds(0, inputs_[0].second->dim(0).extent());
    if (get_target().has_gpu_feature()) {
      ScheduleRowsGpu(y, {i});
    } else {
      ScheduleRowsCpu(y, {i}, {y_->dim(0).extent()}, get_target().natural_vector_size(dtype),
                      Grain(Numbers()));
    }
  }

 private:
  const UnaryRow* row_ = nullptr;
  GeneratorOutput<Halide::Buffer<>>* y_ = nullptr;
};

// What both gradient generators share: dx over `rank` dimensions from a row's gradients, one for
// each array of dx.
template <typename Derived>
class GradientGenerator : public PointwiseGenerator<Derived> {
 protected:
  void AddOutput(int rank, size_t count = 1) {
    for (size_t k = 0; k < count; ++k) {
      const std::string suffix = count == 1 ? "" : "_" + std::to_string(k);
      accumulate_.push_back(this->template add_input<bool>("accumulate_dx" + suffix));
    }
    const std::vector<Type> types(count, this->dtype);
    dx_ = this->template add_output<Func>("dx", types, rank);
  }
  void Finish(Func gradient, int rank) {
    std::vector<Expr> extents, flags(accumulate_.size());
    // Every gradient reads dy, which has dx's extents.
    for (int d = 0; d < rank; ++d) extents.push_back(this->Find("dy").dim(d).extent());
    for (size_t k = 0; k < flags.size(); ++k) flags[k] = *accumulate_[k];
    Accumulated out(std::string(this->op) + "_grad", gradient, extents, flags);
    *dx_ = out.dx;
    // The innermost min stays free: with a min of 0 Halide takes reads of its own output for
    // aligned, and dx may be a view.
    OutputImageParam first = out.dx.output_buffers()[0];  // the others have its extents
    first.dim(0).set_extent(extents[0]);
    for (int d = 1; d < rank; ++d) first.dim(d).set_bounds(0, extents[d]);
    std::vector<VarOrRVar> loops;
    for (int d = 0; d < rank; ++d) loops.emplace_back(out.r[d]);
    if (this->get_target().has_gpu_feature()) {
      ScheduleUpdateGpu(out.dx, out.vars, loops);
    } else {
      ScheduleRowsCpu(out.dx.update(), loops, extents,
                      this->get_target().natural_vector_size(this->dtype), Grain(this->Numbers()));
    }
    out.dx.update().specialize(!out.accumulate);
  }

  std::vector<GeneratorInput<bool>*> accumulate_;
  GeneratorOutput<Func>* dx_ = nullptr;
};

class UnaryGrad : public GradientGenerator<UnaryGrad> {
 public:
  void configure() {
    row_ = &FindRow(UnaryRows(), op);
    const Expr symbolic =
        row_->gradient(Symbol("x"), Symbol("y"), Symbol("dy"), Symbols(row_->scalars));
    AddInputsOf(symbolic, {"x", "y", "dy"}, 1);
    AddScalars(row_->scalars);
    AddOutput(1);
  }
  void generate() {
    Var i("i");
    Func gradient("gradient");
    gradient(i) =
        cast(dtype, row_->gradient(At("x", {i}), At("y", {i}), At("dy", {i}), ScalarInputs()));
    ConstrainInputs(1, false);
    Finish(gradient, 1);
  }

 private:
  const UnaryRow* row_ = nullptr;
};

constexpr int kBroadcastRank = 4;

class Binary : public PointwiseGenerator<Binary> {
 public:
  void configure() {
    row_ = &FindRow(BinaryRows(), op);
    for (const char* name : {"x0", "x1"}) {
      inputs_.emplace_back(name, add_input<Halide::Buffer<>>(name, dtype, kBroadcastRank));
    }
    y_ = add_output<Halide::Buffer<>>("y", dtype, kBroadcastRank);
  }
  void generate() {
    std::vector<Var> i = {Var("i0"), Var("i1"), Var("i2"), Var("i3")};
    const std::vector<Expr> at(i.begin(), i.end());
    Func y(row_->name);
    y(i) = cast(dtype, row_->forward(At("x0", at), At("x1", at)));
    *y_ = y;
    ConstrainInputs(kBroadcastRank, true);
    ZeroMin(*y_, kBroadcastRank);
    const std::vector<VarOrRVar> loops(i.begin(), i.end());
    if (get_target().has_gpu_feature()) {
      ScheduleRowsGpu(y, loops);
      return;
    }
    ScheduleRowsCpu(y, loops, {y_->dim(0).extent(), y_->dim(1).extent()},
                    get_target().natural_vector_size(dtype), Grain(Numbers()));
    const Expr stride0 = inputs_[0].second->dim(0).stride();
    const Expr stride1 = inputs_[1].second->dim(0).stride();
    y.specialize(stride0 == 1 && stride1 == 1);
    y.specialize(stride0 == 1 && stride1 == 0);
    y.specialize(stride0 == 0 && stride1 == 1);
  }

 private:
  const BinaryRow* row_ = nullptr;
  GeneratorOutput<Halide::Buffer<>>* y_ = nullptr;
};

class BinaryGrad : public GradientGenerator<BinaryGrad> {
 public:
  GeneratorParam<std::string> inputs{"inputs", "0"};  // the gradients of which: 0, 1 or 01

  void configure() {
    const BinaryRow& row = FindRow(BinaryRows(), op);
    Expr symbolic = Symbol("dy");
    for (char input : inputs.value()) {
      gradients_.push_back(input == '0' ? row.gradient0 : row.gradient1);
      symbolic += gradients_.back()(Symbol("x0"), Symbol("x1"), Symbol("y"), Symbol("dy"));
    }
    AddInputsOf(symbolic, {"x0", "x1", "y", "dy"}, kBroadcastRank);
    AddOutput(kBroadcastRank, gradients_.size());
  }
  void generate() {
    std::vector<Var> i = {Var("i0"), Var("i1"), Var("i2"), Var("i3")};
    const std::vector<Expr> at(i.begin(), i.end());
    std::vector<Expr> values;
    for (const auto& gradient : gradients_) {
      values.push_back(
          cast(dtype, gradient(At("x0", at), At("x1", at), At("y", at), At("dy", at))));
    }
    Func gradient("gradient");
    gradient(i) = Tuple(values);
    ConstrainInputs(kBroadcastRank, true);
    Expr dense = cast<bool>(true);
    for (auto& [name, buffer] : inputs_) dense = dense && buffer->dim(0).stride() == 1;
    Finish(gradient, kBroadcastRank);
    if (!get_target().has_gpu_feature()) {
      Func(*dx_).update().specialize(dense);
    }
  }

 private:
  std::vector<BinaryRow::Gradient> gradients_;
};

class Fill : public OpGenerator<Fill> {
 public:
  void configure() {
    value_ = add_input<Expr>("value", dtype);
    y_ = add_output<Halide::Buffer<>>("y", dtype, 1);
  }
  void generate() {
    Var i("i");
    Func y("fill");
    y(i) = Expr(*value_);
    *y_ = y;
    ZeroMin(*y_, 1);
    if (get_target().has_gpu_feature()) {
      ScheduleRowsGpu(y, {i});
    } else {
      ScheduleRowsCpu(y, {i}, {y_->dim(0).extent()}, get_target().natural_vector_size(dtype));
    }
  }

 private:
  GeneratorInput<Expr>* value_ = nullptr;
  GeneratorOutput<Halide::Buffer<>>* y_ = nullptr;
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::Unary, unary)
HALIDE_REGISTER_GENERATOR(halite::UnaryGrad, unary_grad)
HALIDE_REGISTER_GENERATOR(halite::Binary, binary)
HALIDE_REGISTER_GENERATOR(halite::BinaryGrad, binary_grad)
HALIDE_REGISTER_GENERATOR(halite::Fill, fill)
