// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of solvers: the rows of update.h.
//
//   update:        g[n], scalars; in place: w.0[n] (the parameter), w.1, w.2 (its states)
//   total:         x[n] -> y[1]
//   clip_by_norm:  norm_squared[1], limit; in place: g[n]
//
// Bound by memory. Each update is one pass over parameter, gradient and states.
#include "halite/ops/algorithms/update.h"

#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using namespace Halide;

template <typename Row>
const Row& FindRow(const std::vector<Row>& rows, const std::string& name) {
  for (const Row& row : rows) {
    if (row.name == name) return row;
  }
  throw CompileError("no update rule " + name);
}

// An update of f over [0, n) by `r`.
void ScheduleInPlace(Func f, const Var& i, const RVar& r, Expr n, const Target& target, Type type) {
  if (target.has_gpu_feature()) {
    ScheduleUpdateGpu(f, {i}, {r});
  } else {
    ScheduleRowsCpu(f.update(), {r}, {n}, target.natural_vector_size(type));
  }
}

class Update : public OpGenerator<Update> {
 public:
  GeneratorParam<std::string> op{"op", ""};

  void configure() {
    row_ = &FindRow(UpdateRows(), op);
    g_ = add_input<Halide::Buffer<>>("g", dtype, 1);
    for (const std::string& name : row_->scalars) scalars_.push_back(add_input<Expr>(name, dtype));
    w_ = add_output<Func>("w", std::vector<Type>(row_->states + 1, dtype), 1);
  }
  void generate() {
    const Type type = dtype;
    const Expr n = g_->dim(0).extent();
    Var i("i");
    RDom r(0, n, "r");
    Func w(row_->name);
    w(i) = Tuple(std::vector<Expr>(row_->states + 1, undef(type)));
    const auto old = [&](int k) { return row_->states == 0 ? Expr(w(r)) : Expr(w(r)[k]); };
    Scalars scalars;
    for (auto* scalar : scalars_) scalars.push_back(*scalar);
    std::vector<Expr> states;
    for (int k = 1; k <= row_->states; ++k) states.push_back(old(k));
    const std::vector<Expr> updated = row_->update(old(0), (*g_)(r), states, scalars);
    w(r) = Tuple(updated);
    *w_ = w;
    ZeroMin(*g_, 1);
    // No min is set: with a min of 0 Halide takes reads of its own output for aligned, and arrays
    // may be views. The other outputs of a tuple have the bounds of the first.
    w.output_buffers()[0].dim(0).set_extent(n);
    ScheduleInPlace(w, i, r, n, get_target(), type);
  }

 private:
  const UpdateRow* row_ = nullptr;
  GeneratorInput<Halide::Buffer<>>* g_ = nullptr;
  std::vector<GeneratorInput<Expr>*> scalars_;
  GeneratorOutput<Func>* w_ = nullptr;
};

class TotalKernel : public OpGenerator<TotalKernel> {
 public:
  GeneratorParam<std::string> op{"op", ""};
  Input<Buffer> x{"x", 1};
  Output<Buffer> y{"y", 1};

  void configure() { SetType(x, y); }
  void generate() {
    Total op_total(FindRow(TotalRows(), op).f, x, x.dim(0).extent(), dtype);
    y = op_total.y;
    ZeroMin(x, 1);
    y.dim(0).set_bounds(0, 1);
    if (get_target().has_gpu_feature()) {
      Var block("block"), thread("thread");
      op_total.sums.compute_root().gpu_tile(op_total.piece, block, thread, 1, kGuard);
      op_total.sums.update().gpu_tile(op_total.piece, block, thread, 1, kGuard);
      op_total.partial.compute_root().gpu_blocks(op_total.piece).gpu_threads(op_total.lane);
      op_total.partial.update().gpu_blocks(op_total.piece).gpu_threads(op_total.lane);
      op_total.partial.bound(op_total.lane, 0, Total::kLanes);
      op_total.y.gpu_tile(op_total.i, block, thread, 1, kGuard);
      op_total.y.update().gpu_tile(op_total.i, block, thread, 1, kGuard);
    } else {
      const int lanes = get_target().natural_vector_size(dtype);
      op_total.sums.compute_root().parallel(op_total.piece);
      op_total.sums.update().parallel(op_total.piece);
      op_total.sums.update().atomic().vectorize(op_total.lanes, lanes, kGuard);
      op_total.partial.compute_at(op_total.sums, op_total.piece)
          .bound(op_total.lane, 0, Total::kLanes)
          .vectorize(op_total.lane, lanes, TailStrategy::RoundUp)
          .unroll(op_total.lane);
      op_total.partial.update()
          .reorder(op_total.lane, op_total.k)
          .vectorize(op_total.lane, lanes, TailStrategy::RoundUp)
          .unroll(op_total.lane);
    }
  }
};

class ClipByNorm : public OpGenerator<ClipByNorm> {
 public:
  Input<Buffer> norm_squared{"norm_squared", 1};
  GeneratorInput<Expr>* limit = nullptr;
  Output<Buffer> g{"g", 1};

  void configure() {
    SetType(norm_squared, g);
    limit = add_input<Expr>("limit", dtype);
    n_ = add_input<Expr>("n", Int(32));
  }
  void generate() {
    Var i("i");
    RDom r(0, *n_, "r");
    Func clipped("clip_by_norm");
    clipped(i) = undef(dtype);
    clipped(r) = Clipped(clipped(r), norm_squared(0), *limit);
    g = clipped;
    norm_squared.dim(0).set_bounds(0, 1);
    g.dim(0).set_extent(*n_);  // no min, as in Update
    ScheduleInPlace(clipped, i, r, *n_, get_target(), dtype);
  }

 private:
  GeneratorInput<Expr>* n_ = nullptr;
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::Update, update)
HALIDE_REGISTER_GENERATOR(halite::TotalKernel, total)
HALIDE_REGISTER_GENERATOR(halite::ClipByNorm, clip_by_norm)
