// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of layer normalization. x, y, dx, dy [axis, outer]; beta, gamma [axis] with
// a stride of 0 or 1.
//
//   layer_normalization:     x, beta, gamma, eps -> y
//   layer_normalization_dx:  x, dy, gamma, eps -> dx
//   layer_normalization_dw:  x, dy, eps -> dw.0 (dbeta), dw.1 (dgamma)
//
// Bound by memory: a row stays in the first-level cache from the first pass to the last.
#include "halite/ops/algorithms/layer_normalization.h"

#include "halite/schedules/axis.h"
#include "halite/schedules/op_generator.h"

namespace halite {
namespace {

using namespace Halide;

void ScheduleCpu(RowStatistics& op, const LoopLevel& row) {
  ScheduleReduce(op.sum, row);
  op.mean.compute_at(row);
  ScheduleReduce(op.squares, row);
  op.inverse.compute_at(row);
}

void ScheduleCpu(LayerNormalization& op, const AxisInput& x, int lanes, const Tuning& tuning) {
  const RowLoops rows(op.y, {op.row}, x.axis, Grain(tuning));
  op.y.vectorize(op.k, lanes, TailStrategy::Predicate);
  ScheduleCpu(op.statistics, LoopLevel(op.y, rows.row));
}

void ScheduleCpu(LayerNormalizationDx& op, const AxisInput& x, int lanes, const Tuning& tuning) {
  const RowLoops rows(op.out.dx.update(), {op.out.r[1]}, x.axis, Grain(tuning));
  op.out.dx.update().vectorize(op.out.r[0], lanes, TailStrategy::Predicate);
  const LoopLevel row(op.out.dx, rows.row);
  ScheduleCpu(op.statistics, row);
  ScheduleReduce(op.sum_g, row);
  ScheduleReduce(op.sum_gh, row);
}

void ScheduleCpu(LayerNormalizationDw& op, int lanes) {
  ScheduleRowsCpu(op.out.dx.update(), {op.out.r[0]}, {op.out.r[0].extent()}, lanes);
  op.total.compute_root().vectorize(op.k, lanes, kGuard);
  op.total.update().reorder(op.k, op.pieces).vectorize(op.k, lanes, kGuard);
  op.partial.compute_root().vectorize(op.k, lanes, kGuard).parallel(op.piece);
  op.partial.update()
      .reorder(op.k, op.r, op.piece)
      .vectorize(op.k, lanes, kGuard)
      .parallel(op.piece);
  ScheduleCpu(op.statistics, LoopLevel(op.partial, op.r));
}

// A block for each row.
void ScheduleGpu(RowStatistics& op) {
  for (Func f : {op.mean, op.inverse}) {
    const Var block("block"), thread("thread");
    f.compute_root().gpu_tile(op.row, block, thread, 1, kGuard);
    ScheduleReduceGpu(f.name() == op.mean.name() ? op.sum : op.squares, LoopLevel(f, block));
  }
}

void ScheduleGpu(LayerNormalization& op) {
  ScheduleRowGpu(op.y, op.k, {}, op.row);
  ScheduleGpu(op.statistics);
}

void ScheduleGpu(LayerNormalizationDx& op) {
  ScheduleUndefinedGpu(op.out.dx);
  ScheduleRowGpu(op.out.dx.update(), op.out.r[0], {}, op.out.r[1]);
  ScheduleGpu(op.statistics);
  ScheduleReduceGpu(op.sum_g, LoopLevel(op.out.dx, op.out.r[1]));
  ScheduleReduceGpu(op.sum_gh, LoopLevel(op.out.dx, op.out.r[1]));
}

void ScheduleGpu(LayerNormalizationDw& op) {
  ScheduleUpdateGpu(op.out.dx, op.out.vars, {op.out.r[0]});
  ScheduleGpu(op.statistics);
  op.partial.compute_root();
  op.total.compute_root();
  const Var block("block"), thread("thread");
  for (Stage stage : {Stage(op.partial), op.partial.update()}) {
    stage.split(op.k, block, thread, kRowThreads, kGuard);
  }
  op.partial.gpu_blocks(block, op.piece).gpu_threads(thread);
  op.partial.update()
      .reorder({op.r, thread, block, op.piece})
      .gpu_blocks(block, op.piece)
      .gpu_threads(thread);
  op.total.gpu_tile(op.k, block, thread, kRowThreads, kGuard);
  op.total.update()
      .split(op.k, block, thread, kRowThreads, kGuard)
      .reorder({op.pieces, thread, block})
      .gpu_blocks(block)
      .gpu_threads(thread);
}

template <typename Derived>
class RowsGenerator : public OpGenerator<Derived> {
 protected:
  bool gpu() const { return this->get_target().has_gpu_feature(); }
  int lanes() const {
    return gpu() ? kRowThreads : this->get_target().natural_vector_size(Type(this->dtype));
  }
  int vectors() const { return gpu() ? 1 : Vectors(this->Numbers()); }

  // Rows [axis, outer], dense, as AxisInput has them.
  template <typename In>
  AxisInput Rows(In& in) const {
    this->ZeroMin(in, 2);
    Func rows("rows");
    const Var i("i"), k("k"), o("o");
    rows(i, k, o) = in(k, o);
    return {rows, 1, in.dim(0).extent(), in.dim(1).extent(), Internal::const_true(), this->dtype};
  }
  // Another array of the shape of `in`, whose own min stays free: see Accumulated.
  template <typename Out>
  static void SetLike(Out& out, const AxisInput& in) {
    out.dim(0).set_extent(in.axis);
    out.dim(1).set_bounds(0, in.outer);
  }
};

class LayerNormalizationKernel : public RowsGenerator<LayerNormalizationKernel> {
 public:
  Input<Buffer> x{"x", 2}, beta{"beta", 1}, gamma{"gamma", 1};
  Output<Buffer> y{"y", 2};

  void configure() {
    SetType(x, beta, gamma, y);
    eps_ = add_input<Expr>("eps", dtype);
  }
  void generate() {
    const AxisInput rows = Rows(x);
    ZeroMin(beta, 1, /*any_stride=*/true);
    ZeroMin(gamma, 1, /*any_stride=*/true);
    LayerNormalization op(rows, beta, gamma, *eps_, lanes(), vectors());
    y = op.y;
    y.dim(0).set_bounds(0, rows.axis);
    y.dim(1).set_bounds(0, rows.outer);
    gpu() ? ScheduleGpu(op) : ScheduleCpu(op, rows, lanes(), Numbers());
    if (!gpu()) op.y.specialize(beta.dim(0).stride() == 1 && gamma.dim(0).stride() == 1);
  }

 private:
  GeneratorInput<Expr>* eps_ = nullptr;
};

class LayerNormalizationDxKernel : public RowsGenerator<LayerNormalizationDxKernel> {
 public:
  Input<Buffer> x{"x", 2}, dy{"dy", 2}, gamma{"gamma", 1};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 2};

  void configure() {
    SetType(x, dy, gamma, dx);
    eps_ = add_input<Expr>("eps", dtype);
  }
  void generate() {
    const AxisInput rows = Rows(x);
    ZeroMin(gamma, 1, /*any_stride=*/true);
    LayerNormalizationDx op(rows, Rows(dy), gamma, *eps_, accumulate_dx, lanes(), vectors());
    dx = op.out.dx;
    SetLike(dx, rows);
    gpu() ? ScheduleGpu(op) : ScheduleCpu(op, rows, lanes(), Numbers());
    Stage update = op.out.dx.update();
    if (!gpu()) update.specialize(gamma.dim(0).stride() == 1 && !op.out.accumulate);
    if (!gpu()) update.specialize(gamma.dim(0).stride() == 1);
  }

 private:
  GeneratorInput<Expr>* eps_ = nullptr;
};

class LayerNormalizationDwKernel : public RowsGenerator<LayerNormalizationDwKernel> {
 public:
  Input<Buffer> x{"x", 2}, dy{"dy", 2};
  Input<bool> accumulate_dw_0{"accumulate_dw_0"}, accumulate_dw_1{"accumulate_dw_1"};

  void configure() {
    SetType(x, dy);
    eps_ = add_input<Expr>("eps", dtype);
    dw_ = add_output<Func>("dw", {dtype, dtype}, 1);
  }
  void generate() {
    LayerNormalizationDw op(Rows(x), Rows(dy), *eps_, {accumulate_dw_0, accumulate_dw_1}, lanes(),
                            vectors());
    *dw_ = op.out.dx;
    op.out.dx.output_buffers()[0].dim(0).set_extent(x.dim(0).extent());
    gpu() ? ScheduleGpu(op) : ScheduleCpu(op, lanes());
  }

 private:
  GeneratorInput<Expr>* eps_ = nullptr;
  GeneratorOutput<Func>* dw_ = nullptr;
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::LayerNormalizationKernel, layer_normalization)
HALIDE_REGISTER_GENERATOR(halite::LayerNormalizationDxKernel, layer_normalization_dx)
HALIDE_REGISTER_GENERATOR(halite::LayerNormalizationDwKernel, layer_normalization_dw)
