// SPDX-License-Identifier: Apache-2.0
//
// The kernels of softsign: the mathematics, a CPU and a GPU schedule, and the signatures.
#include "halite/ops/algorithms/accumulate.h"
#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace consumer {

using namespace Halide;

struct Softsign {
  Var i{"i"};
  Func y{"softsign"};

  explicit Softsign(Func x) { y(i) = x(i) / (1 + abs(x(i))); }
};

struct SoftsignGrad {
  Var i{"i"};
  Func slope{"slope"};
  halite::Accumulated dx;

  SoftsignGrad(Func x, Func dy, Expr n, Expr accumulate)
      : dx("softsign_grad", Slope(x, dy), {n}, accumulate) {}

 private:
  Func Slope(Func x, Func dy) {
    const Expr d = 1 + abs(x(i));
    slope(i) = dy(i) / (d * d);
    return slope;
  }
};

void ScheduleCpu(Softsign& op, const Target& target, const halite::Tuning& tuning) {
  halite::ScheduleRowsCpu(op.y, {op.i}, {op.y.output_buffer().dim(0).extent()},
                          target.natural_vector_size(op.y.types()[0]), halite::Grain(tuning));
}
void ScheduleGpu(Softsign& op, const Target&, const halite::Tuning&) {
  halite::ScheduleRowsGpu(op.y, {op.i});
}
void ScheduleCpu(SoftsignGrad& op, const Target& target, const halite::Tuning& tuning) {
  Func dx = op.dx.dx;
  halite::ScheduleRowsCpu(dx.update(), {op.dx.r[0]}, {op.dx.r[0].extent()},
                          target.natural_vector_size(dx.types()[0]), halite::Grain(tuning));
  dx.update().specialize(!op.dx.accumulate);
}
void ScheduleGpu(SoftsignGrad& op, const Target&, const halite::Tuning&) {
  halite::ScheduleUpdateGpu(op.dx.dx, op.dx.vars, {op.dx.r[0]});
}

class SoftsignKernel : public halite::OpGenerator<SoftsignKernel> {
 public:
  Input<Halide::Buffer<>> x{"x", 1};
  Output<Halide::Buffer<>> y{"y", 1};

  void configure() { SetType(x, y); }
  void generate() {
    Softsign op(x);
    y = op.y;
    ZeroMin(x, 1);
    y.dim(0).set_bounds(0, x.dim(0).extent());
    Schedule(op);
  }
};

class SoftsignGradKernel : public halite::OpGenerator<SoftsignGradKernel> {
 public:
  Input<Halide::Buffer<>> x{"x", 1}, dy{"dy", 1};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Halide::Buffer<>> dx{"dx", 1};

  void configure() { SetType(x, dy, dx); }
  void generate() {
    SoftsignGrad op(x, dy, x.dim(0).extent(), accumulate_dx);
    dx = op.dx.dx;
    ZeroMin(x, 1);
    ZeroMin(dy, 1);
    dx.dim(0).set_extent(x.dim(0).extent());  // no min: see docs/new_operator.md
    Schedule(op);
  }
};

}  // namespace consumer

HALIDE_REGISTER_GENERATOR(consumer::SoftsignKernel, softsign)
HALIDE_REGISTER_GENERATOR(consumer::SoftsignGradKernel, softsign_grad)
