// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of an LSTM cell's gates. All arrays [k, row]: rows of any stride.
//
//   lstm_gates:       in, forget, candidate, out, c -> y.0 (h), y.1 (c')
//   lstm_gates_grad:  in, forget, candidate, out, c, dh, dc_next -> dx.0 to dx.3 (of the gates in
//                     the same order), dx.4 (dc)
//
// 64 rows of 128 take 9 and 12 us on one thread of a Zen 5 with AVX-512: 18 and 24 ns for 16
// elements, which is what three sigmoids and two tanhs take. Bound by arithmetic.
#include "halite/ops/algorithms/lstm.h"

#include "halite/ops/algorithms/accumulate.h"
#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using namespace Halide;

constexpr int kTask = GrainOf(8);  // three sigmoids and two tanh

template <typename Derived>
class LstmGenerator : public OpGenerator<Derived> {
 public:
  template <typename T>
  using In = GeneratorInput<T>;
  In<Halide::Buffer<>> in{"in", 2}, forget{"forget", 2}, candidate{"candidate", 2}, out{"out", 2};
  In<Halide::Buffer<>> c{"c", 2};

 protected:
  void SetInputTypes() {
    for (auto* x : {&in, &forget, &candidate, &out, &c}) x->set_type(this->dtype);
  }
  void ConstrainInputs() {
    for (auto* x : {&in, &forget, &candidate, &out, &c}) this->ZeroMin(*x, 2);
  }
  LstmInputs At(const Expr& k, const Expr& row) {
    return {in(k, row), forget(k, row), candidate(k, row), out(k, row), c(k, row)};
  }
  std::vector<Expr> Extents() { return {c.dim(0).extent(), c.dim(1).extent()}; }
  bool gpu() const { return this->get_target().has_gpu_feature(); }
  int lanes() const { return this->get_target().natural_vector_size(Type(this->dtype)); }
};

class LstmGatesKernel : public LstmGenerator<LstmGatesKernel> {
 public:
  void configure() {
    SetInputTypes();
    y_ = add_output<Func>("y", {dtype, dtype}, 2);
  }
  void generate() {
    const Var k("k"), row("row");
    const LstmGates gates(At(k, row));
    Func y("lstm_gates");
    y(k, row) = Tuple(gates.h, gates.c);
    *y_ = y;
    ConstrainInputs();
    const std::vector<Expr> extents = Extents();
    for (int d : {0, 1}) y.output_buffers()[0].dim(d).set_bounds(0, extents[d]);
    if (gpu()) {
      ScheduleRowsGpu(y, {k, row});
    } else {
      ScheduleRowsCpu(y, {k, row}, extents, lanes(), kTask);
    }
  }

 private:
  GeneratorOutput<Func>* y_ = nullptr;
};

class LstmGatesGradKernel : public LstmGenerator<LstmGatesGradKernel> {
 public:
  static constexpr int kOutputs = 5;
  In<Halide::Buffer<>> dh{"dh", 2}, dc_next{"dc_next", 2};

  void configure() {
    SetInputTypes();
    SetType(dh, dc_next);
    for (int i = 0; i < kOutputs; ++i) {
      accumulate_.push_back(add_input<bool>("accumulate_dx_" + std::to_string(i)));
    }
    dx_ = add_output<Func>("dx", std::vector<Type>(kOutputs, dtype), 2);
  }
  void generate() {
    const Var k("k"), row("row");
    const LstmGatesGrad d(At(k, row), dh(k, row), dc_next(k, row));
    Func gradient("gradient");
    gradient(k, row) = Tuple(d.in, d.forget, d.candidate, d.out, d.c);
    const std::vector<Expr> extents = Extents();
    std::vector<Expr> flags;
    for (auto* flag : accumulate_) flags.push_back(*flag);
    Accumulated to("lstm_gates_grad", gradient, extents, flags);
    *dx_ = to.dx;
    ConstrainInputs();
    ZeroMin(dh, 2);
    ZeroMin(dc_next, 2);
    // The innermost min stays free, see Accumulated.
    to.dx.output_buffers()[0].dim(0).set_extent(extents[0]);
    to.dx.output_buffers()[0].dim(1).set_bounds(0, extents[1]);
    if (gpu()) {
      ScheduleUpdateGpu(to.dx, to.vars, {to.r.x, to.r.y});
    } else {
      ScheduleRowsCpu(to.dx.update(), {to.r.x, to.r.y}, extents, lanes(), kTask);
    }
    to.dx.update().specialize(!to.accumulate);
  }

 private:
  std::vector<GeneratorInput<bool>*> accumulate_;
  GeneratorOutput<Func>* dx_ = nullptr;
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::LstmGatesKernel, lstm_gates)
HALIDE_REGISTER_GENERATOR(halite::LstmGatesGradKernel, lstm_gates_grad)
