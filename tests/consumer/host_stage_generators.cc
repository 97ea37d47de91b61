// SPDX-License-Identifier: Apache-2.0
//
// A kernel with a mistake that the kernel rule must refuse: its GPU schedule leaves a stage on the
// host.
#include "halite/schedules/op_generator.h"

namespace consumer {

using namespace Halide;

class HostStage : public Generator<HostStage> {
 public:
  GeneratorParam<Type> dtype{"dtype", Float(32)};
  Input<Halide::Buffer<float, 1>> x{"x"};
  Output<Halide::Buffer<float, 1>> y{"y"};

  void generate() {
    Var i("i"), block("block"), thread("thread");
    Func squares("squares"), twice("twice");
    squares(i) = x(i) * x(i);
    twice(i) = squares(i) * 2;
    y(i) = twice(i) + 1;
    if (!get_target().has_gpu_feature()) return;
    squares.compute_root().gpu_tile(i, block, thread, 64, TailStrategy::GuardWithIf);
    twice.compute_root();
    y.gpu_tile(i, block, thread, 64, TailStrategy::GuardWithIf);
  }
};

}  // namespace consumer

HALIDE_REGISTER_GENERATOR(consumer::HostStage, host_stage)
