// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of embed and one_hot.
//
//   embed:          index[n], w[width, rows] -> y[width, n]
//   embed_grad:     index[n], dy[width, n], rows -> dw[width, rows]
//   one_hot:        index[n], size -> y[size, n]
//   one_hot_index:  x[n] with any stride, extent -> index[n]
//
// All are bound by memory. The gradient is split by columns: each is summed by one thread in the
// order of the indices. Clearing a table of 30000 x 768 takes more than half of its time: memset
// writes 24 GB/s in rows of 3 KB, 58 in tasks of 128 KB and 96 in one piece, vectors 38 (Zen 5).
#include "halite/ops/algorithms/embed.h"

#include "halite/schedules/axis.h"
#include "halite/schedules/op_generator.h"

namespace halite {
namespace {

using namespace Halide;

// Columns of a task of the gradient: whole cache lines, and enough of them in a row to be
// fetched ahead.
constexpr int kColumns = 128;

// Ones that a task writes.
constexpr int kOnes = 2048;

// Zeros in dense rows. LLVM makes the inner loop a memset.
void ScheduleClear(Stage stage, const VarOrRVar& column, const VarOrRVar& row) {
  const VarOrRVar task("task", row.is_rvar), i("i", row.is_rvar);
  stage.split(FuseAll(stage, {column, row}), task, i, kGrain, kGuard).parallel(task);
}

class EmbedKernel : public OpGenerator<EmbedKernel> {
 public:
  Input<Buffer> index{"index", Int(32), 1};
  Input<Buffer> w{"w", 2};
  Output<Buffer> y{"y", 2};

  void configure() { SetType(w, y); }
  void generate() {
    const Expr width = w.dim(0).extent();
    Embed op(index, w, w.dim(1).extent());
    ZeroMin(index, 1);
    ZeroMin(w, 2);
    y = op.y;
    y.dim(0).set_bounds(0, width);
    y.dim(1).set_bounds(0, index.dim(0).extent());
    if (get_target().has_gpu_feature()) {
      ScheduleRowsGpu(op.y, {op.c, op.j});
    } else {
      ScheduleRowsCpu(op.y, {op.c, op.j}, {width, index.dim(0).extent()},
                      get_target().natural_vector_size(dtype));
    }
  }
};

class EmbedGradKernel : public OpGenerator<EmbedGradKernel> {
 public:
  Input<Buffer> index{"index", Int(32), 1};
  Input<Buffer> dy{"dy", 2};
  Input<int> rows{"rows"};
  Input<bool> accumulate_dw{"accumulate_dw"};
  Output<Buffer> dw{"dw", 2};

  void configure() { SetType(dy, dw); }
  void generate() {
    const Expr width = dy.dim(0).extent(), count = index.dim(0).extent();
    EmbedGrad op(index, dy, width, count, rows, accumulate_dw);
    ZeroMin(index, 1);
    dy.dim(0).set_min(0);
    dy.dim(1).set_bounds(0, count);
    dw = op.dw;
    dw.dim(0).set_bounds(0, width);
    dw.dim(1).set_bounds(0, rows).set_stride(width);
    if (get_target().has_gpu_feature()) {
      ScheduleGpu(op);
    } else {
      ScheduleCpu(op, width, rows, get_target().natural_vector_size(dtype));
    }
    op.dw.update(0).specialize(!accumulate_dw);
  }

 private:
  static void ScheduleCpu(EmbedGrad& op, const Expr& width, const Expr& rows, int lanes) {
    ScheduleClear(op.dw.update(0), op.all.x, op.all.y);
    const RVar task("task"), c("c");
    op.dw.update(1)
        .split(op.r.x, task, c, EvenPart(width, kColumns, lanes), kGuard)
        .reorder(c, op.r.y, task)
        .vectorize(c, lanes, TailStrategy::Predicate)
        .parallel(task);
  }
  static void ScheduleGpu(EmbedGrad& op) {
    ScheduleUndefinedGpu(op.dw);
    ScheduleRowsGpu(op.dw.update(0), {op.all.x, op.all.y});
    const RVar block("block"), thread("thread");
    op.dw.update(1)
        .split(op.r.x, block, thread, 32, kGuard)
        .reorder(op.r.y, thread, block)
        .gpu_blocks(block)
        .gpu_threads(thread);
  }
};

class OneHotKernel : public OpGenerator<OneHotKernel> {
 public:
  Input<Buffer> index{"index", Int(32), 1};
  Input<int> size{"size"};
  Output<Buffer> y{"y", 2};

  void configure() { y.set_type(dtype); }
  void generate() {
    const Expr count = index.dim(0).extent();
    OneHot op(index, size, count, dtype);
    ZeroMin(index, 1);
    y = op.y;
    y.dim(0).set_bounds(0, size);
    y.dim(1).set_bounds(0, count).set_stride(size);
    if (get_target().has_gpu_feature()) {
      ScheduleRowsGpu(op.y, {op.p, op.j});
      ScheduleRowsGpu(op.y.update(), {op.r});
      return;
    }
    ScheduleClear(op.y, op.p, op.j);
    const RVar rtask("rtask"), rrow("rrow");
    op.y.update().split(op.r, rtask, rrow, kOnes, kGuard).parallel(rtask);
  }
};

class OneHotIndexKernel : public OpGenerator<OneHotIndexKernel> {
 public:
  Input<Buffer> x{"x", Int(32), 1};
  Input<int> extent{"extent"};
  Input<bool> accumulate_index{"accumulate_index"};
  Output<Buffer> index{"index", Int(32), 1};

  void generate() {
    const Expr count = x.dim(0).extent();
    OneHotIndex op(x, extent, count, accumulate_index);
    ZeroMin(x, 1, /*any_stride=*/true);
    index = op.index;
    // Its min stays unknown: an update whose index is a multiple of the vector by proof reads with
    // aligned instructions, and views are not aligned.
    index.dim(0).set_extent(count);
    if (get_target().has_gpu_feature()) {
      ScheduleUndefinedGpu(op.index);
      ScheduleRowsGpu(op.index.update(), {op.r.x});
    } else {
      ScheduleRowsCpu(op.index.update(), {op.r.x}, {count},
                      get_target().natural_vector_size(dtype));
    }
    op.index.update().specialize(!accumulate_index);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::EmbedKernel, embed)
HALIDE_REGISTER_GENERATOR(halite::EmbedGradKernel, embed_grad)
HALIDE_REGISTER_GENERATOR(halite::OneHotKernel, one_hot)
HALIDE_REGISTER_GENERATOR(halite::OneHotIndexKernel, one_hot_index)
