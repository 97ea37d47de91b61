// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of Copy: x, y [i0, i1, i2, i3] with any strides.
//
//   copy:       walks rows along i0, fast where x and y are contiguous there
//   copy_rows:  x and y are contiguous along i0, nothing is accumulated: memcpy (copy_rows.cc),
//               which writes large arrays without reading what was there
//   transpose:  x is contiguous along i1 and y along i0: walks tiles, so that each cache line of
//               x is used whole while it is there
//
// Both are bound by memory.
#include "halite/ops/algorithms/copy.h"

#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {

using namespace Halide;

struct Transpose : Copy {
  using Copy::Copy;
};

namespace {

std::vector<VarOrRVar> Loops(const Copy& op) {
  std::vector<VarOrRVar> loops;
  for (int d = 0; d < Copy::kRank; ++d) loops.emplace_back(op.r[d]);
  return loops;
}

}  // namespace

void ScheduleCpu(Copy& op, const Target& target, const Tuning&) {
  ScheduleRowsCpu(op.dx.update(), Loops(op), {op.r[0].extent(), op.r[1].extent()},
                  target.natural_vector_size(op.dx.types()[0]));
}

void ScheduleGpu(Copy& op, const Target&, const Tuning&) {
  ScheduleUpdateGpu(op.dx, op.vars, Loops(op));
}

void ScheduleCpu(Transpose& op, const Target& target, const Tuning& tuning) {
  const int tile = tuning("tile", 64);
  const RVar i0 = op.r[0], i1 = op.r[1];
  RVar tile0("tile0"), tile1("tile1"), in0("in0"), in1("in1");
  Stage stage = op.dx.update();
  stage.split(i0, tile0, in0, tile, kGuard)
      .split(i1, tile1, in1, tile, kGuard)
      .reorder(in0, in1, tile0, tile1, op.r[2], op.r[3])
      .vectorize(in0, target.natural_vector_size(op.dx.types()[0]), kGuard);
  const VarOrRVar tiles = FuseAll(stage, {tile0, tile1, op.r[2], op.r[3]});
  const VarOrRVar task("task", true), inner("inner", true);
  stage.split(tiles, task, inner, kGrain / (tile * tile), kGuard).parallel(task);
}

namespace {

template <typename Op>
class CopyKernel : public OpGenerator<CopyKernel<Op>> {
 public:
  using Base = OpGenerator<CopyKernel<Op>>;
  GeneratorInput<Halide::Buffer<>> x{"x", Copy::kRank};
  GeneratorInput<bool> accumulate_y{"accumulate_y"};
  GeneratorOutput<Halide::Buffer<>> y{"y", Copy::kRank};

  void configure() {
    x.set_type(this->dtype);
    y.set_type(this->dtype);
  }
  void generate() {
    std::vector<Expr> extents;
    for (int d = 0; d < Copy::kRank; ++d) extents.push_back(x.dim(d).extent());
    Op op(x, extents, accumulate_y);
    y = op.dx;
    this->ZeroMin(x, Copy::kRank, /*any_stride=*/true);
    this->ZeroMin(y, Copy::kRank, /*any_stride=*/true);
    this->Schedule(op);
    if (this->get_target().has_gpu_feature()) return;
    const Expr x_dense = x.dim(std::is_same_v<Op, Transpose> ? 1 : 0).stride() == 1;
    const Expr y_dense = y.dim(0).stride() == 1;
    op.dx.update().specialize(!op.accumulate && x_dense && y_dense);
    if (std::is_same_v<Op, Copy>) {
      op.dx.update().specialize(!op.accumulate && x.dim(0).stride() == 0 && y_dense);
    }
    op.dx.update().specialize(!op.accumulate);
    op.dx.update().specialize(x_dense && y_dense);
  }
};

class CopyRowsKernel : public OpGenerator<CopyRowsKernel> {
 public:
  Input<Buffer> x{"x", Copy::kRank};
  Output<Buffer> y{"y", Copy::kRank};

  void configure() {
    x.set_type(dtype);
    y.set_type(dtype);
  }
  void generate() {
    ZeroMin(x, Copy::kRank);
    std::vector<Expr> extents;
    for (int d = 0; d < Copy::kRank; ++d) {
      extents.push_back(x.dim(d).extent());
      y.dim(d).set_bounds(0, extents[d]);
    }
    if (get_target().has_gpu_feature()) {
      Copy op(x, extents, Internal::const_false());
      ScheduleGpu(op, get_target(), Tuning());
      y = op.dx;
    } else {
      Func rows("copy_rows");
      rows.define_extern("halite_copy_rows", {user_context_value(), Func(x)}, Type(dtype),
                         Copy::kRank, NameMangling::C);
      y = rows;
    }
  }
};

}  // namespace
}  // namespace halite

using CopyGenerator = halite::CopyKernel<halite::Copy>;
using TransposeGenerator = halite::CopyKernel<halite::Transpose>;
HALIDE_REGISTER_GENERATOR(CopyGenerator, copy)
HALIDE_REGISTER_GENERATOR(halite::CopyRowsKernel, copy_rows)
HALIDE_REGISTER_GENERATOR(TransposeGenerator, transpose)
