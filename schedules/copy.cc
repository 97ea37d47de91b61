// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of Copy: x, y [i0, i1, i2, i3] with any strides.
//
//   copy:       walks rows along i0, fast where x and y are contiguous there
//   copy_rows:  x and y are contiguous along i0, nothing is accumulated: memcpy (copy_rows.cc),
//               which writes large arrays without reading what was there
//   transpose:  x is contiguous along i1 and y along i0: walks tiles that are a cache line wide on
//               both sides, so that each line is read and written whole, and transposes them in
//               vector registers
//
// Milliseconds of transpose on one and two threads of a Zen 5 with AVX-512, in brackets how many
// times faster than a plain loop (over tiles of 16 x 16 for the square). The arrays leave the
// caches (relu of the second takes 1.4 and 1.0); in the first level a tile moves 110 GB/s.
//   [2048, 2048]                2.2 (5.3)   1.2 (4.9)
//   [64,128,28,28] to NHWC      2.3 (1.1)   1.35 (1.1)
#include "halite/ops/algorithms/copy.h"

#include <algorithm>
#include <string>
#include <vector>

#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"
#include "halite/schedules/shuffle.h"

namespace halite {

using namespace Halide;

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

// Blocks of 64 rows of y, 1 KB of each: longer rows of y are faster where strides are powers of two
// (blocks of 64 x 64 took 1.3 times as long), longer columns where they are not.
void ScheduleCpu(Transpose& op, const Target&, const Tuning& tuning) {
  const int block0 = tuning("block0", 256, {64, 128, 512}),
            block1 = tuning("block1", 64, {32, 128, 256});
  const RVar i0 = op.tiles[0], i1 = op.tiles[1];
  RVar outer0("outer0"), outer1("outer1"), tile0("tile0"), tile1("tile1");
  RVar square0("square0"), square1("square1"), in0("in0"), in1("in1");
  Stage stage = op.y.update(0);
  stage.split(i0, tile0, square0, op.line, kGuard)
      .split(i1, tile1, square1, op.line, kGuard)
      .split(square0, square0, in0, op.lanes, kGuard)
      .split(square1, square1, in1, op.lanes, kGuard)
      .split(tile0, outer0, tile0, block0 / op.line, kGuard)
      .split(tile1, outer1, tile1, block1 / op.line, kGuard)
      .reorder({in0, in1, square0, square1, tile0, tile1, outer0, outer1})
      .vectorize(in0)
      .unroll(in1)
      .unroll(square0);
  const VarOrRVar blocks = FuseAll(stage, {outer0, outer1, op.tiles[2], op.tiles[3]});
  const VarOrRVar task("task", true), inner("inner", true);
  stage.split(blocks, task, inner, std::max(1, kGrain / (block0 * block1)), kGuard).parallel(task);

  op.rows.compute_at(op.y, tile0)
      .store_in(MemoryType::Stack)
      .bound_extent(op.i0, op.line)
      .bound_extent(op.i1, op.line)
      .vectorize(op.i1, op.lanes)
      .unroll(op.i1)
      .unroll(op.i0);
  ScheduleShuffles(op.shuffles, op.lanes * op.lanes, op.lanes, {op.y, square0});
  const RDom &right = op.right, &below = op.below;
  ScheduleRowsCpu(op.y.update(1), {right[1], right[0], right[2], right[3]},
                  {right[1].extent(), right[0].extent()}, op.lanes);
  ScheduleRowsCpu(op.y.update(2), {below[0], below[1], below[2], below[3]},
                  {below[0].extent(), below[1].extent()}, op.lanes);
  for (int update : {0, 1, 2}) op.y.update(update).specialize(!op.accumulate);
}

namespace {

template <typename Derived>
class CopyGenerator : public OpGenerator<Derived> {
 public:
  GeneratorInput<Halide::Buffer<>> x{"x", Copy::kRank};
  GeneratorInput<bool> accumulate_y{"accumulate_y"};
  GeneratorOutput<Halide::Buffer<>> y{"y", Copy::kRank};

  void configure() {
    x.set_type(this->dtype);
    y.set_type(this->dtype);
  }

 protected:
  std::vector<Expr> Extents() {
    std::vector<Expr> extents;
    for (int d = 0; d < Copy::kRank; ++d) extents.push_back(x.dim(d).extent());
    return extents;
  }
  bool gpu() const { return this->get_target().has_gpu_feature(); }
};

class CopyKernel : public CopyGenerator<CopyKernel> {
 public:
  void generate() {
    Copy op(x, Extents(), accumulate_y);
    y = op.dx;
    ZeroMin(x, Copy::kRank, /*any_stride=*/true);
    ZeroMin(y, Copy::kRank, /*any_stride=*/true);
    Schedule(op);
    if (gpu()) return;
    const Expr x_dense = x.dim(0).stride() == 1, y_dense = y.dim(0).stride() == 1;
    op.dx.update().specialize(!op.accumulate && x_dense && y_dense);
    op.dx.update().specialize(!op.accumulate && x.dim(0).stride() == 0 && y_dense);
    op.dx.update().specialize(!op.accumulate);
    op.dx.update().specialize(x_dense && y_dense);
  }
};

class CopyRowsKernel : public OpGenerator<CopyRowsKernel> {
 public:
  Input<Buffer> x{"x", Copy::kRank};
  Output<Buffer> y{"y", Copy::kRank};

  void configure() { SetType(x, y); }
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

class TransposeKernel : public CopyGenerator<TransposeKernel> {
 public:
  void generate() {
    if (gpu()) {
      Copy op(x, Extents(), accumulate_y);
      y = op.dx;
      Schedule(op);
    } else {
      constexpr int kLineBytes = 64;
      const Type type = dtype;
      Transpose op(x, Extents(), accumulate_y, kLineBytes / type.bytes(),
                   get_target().natural_vector_size(type));
      y = op.y;
      ScheduleCpu(op, get_target(), Numbers());
    }
    ZeroMin(x, Copy::kRank, /*any_stride=*/true);
    ZeroMin(y, Copy::kRank);
    x.dim(1).set_stride(1);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::CopyKernel, copy)
HALIDE_REGISTER_GENERATOR(halite::CopyRowsKernel, copy_rows)
HALIDE_REGISTER_GENERATOR(halite::TransposeKernel, transpose)
