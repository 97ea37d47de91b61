// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of batch normalization. x, y, dx, dy [i, c, o]; all others [c].
//
//   batch_normalization_statistics:    x, decay_rate -> mean, variance, running_mean,
//                                      running_variance (the last two are updated in place)
//   batch_normalization:               x, beta, gamma, mean, variance, eps -> y
//   batch_normalization_sums:          x, dy, mean, variance, eps -> sum_dy, sum_centered (of
//                                      dy (x - mean)), dbeta, dgamma
//   batch_normalization_dx:            x, dy, gamma, mean, variance, dmean, dvariance, sum_dy,
//                                      sum_centered, eps -> dx
//   batch_normalization_fixed_dx:      dy, gamma, variance, eps -> dx
//   fused_batch_normalization:         as batch_normalization, then relu
//   fused_batch_normalization_add:     also z, which is added before relu
//   fused_batch_normalization_sums, fused_batch_normalization_dx:
//                                      also beta and gamma: relu's mask is computed anew from x,
//                                      which they read in any case
//
// On the CPU a channel is summed by one task, in pieces of the type of the data that are added in
// double precision; sums never cross a task. The variance of float32 numbers of deviation 1 about
// 1000 is within 5e-6 of that in double precision.
//
// Milliseconds on one and two threads of a Zen 5 with AVX-512 (some other work ran), in brackets
// how many times faster than a plain C++ loop (statistics in one pass over a channel's planes):
//                      forward                      backward
//   [64,128,28,28]     2.1 (1.8)    1.5 (1.25)      3.6 (1.9)    2.9 (1.2)
//   [16,256,7,7]       0.041 (1.5)  0.024 (1.25)    0.076 (1.7)  0.040 (1.6)
// The first is bound by memory. Statistics on one thread are faster than in double precision, with
// planes of 49 elements 3.2 times, of 4 to 15 elements 4 times, of one ([256,512], [4096,50]) 13
// times; not with ten channels of one element, too few for a tile, where the sums of the gradient
// take 1.1 times as long.
#include "halite/ops/algorithms/batch_normalization.h"

#include <vector>

#include "halite/ops/algorithms/accumulate.h"
#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using namespace Halide;

// Elements of a row of neighbouring channels that one task walks down: some cache lines.
constexpr int kRowOfTask = 128;

void ScheduleCpu(ChannelSums& op, const ChannelExtents& extents, int lanes) {
  const Var task("task"), tile("tile"), c("one_channel");
  ColumnSums& columns = op.columns;
  Func sums = op.sums;
  sums.compute_root();
  const Expr is_wide = extents.channels >= columns.width;
  for (const Expr& is_column :
       {is_wide && extents.inner == 1, op.is_column && is_wide, op.is_column && !is_wide}) {
    sums.specialize(is_column)
        .split(op.c, tile, c, columns.width, kGuard)
        .vectorize(c, lanes, kGuard)
        .split(tile, task, tile, RowsPerTask(columns.width * extents.count()), kGuard)
        .parallel(task);
  }
  const Expr neighbours = max(kRowOfTask / extents.inner, 1);
  sums.specialize(!op.is_column)
      .split(op.c, tile, c, neighbours, kGuard)
      .split(tile, task, tile, RowsPerTask(neighbours * extents.count()), kGuard)
      .parallel(task);
  sums.specialize_fail("rows are short or not");

  columns.sums.compute_at(sums, tile)
      .store_in(MemoryType::Stack)
      .bound(columns.j, 0, columns.width)
      .bound_extent(columns.tile, 1)
      .vectorize(columns.j, lanes, TailStrategy::RoundUp)
      .unroll(columns.j);
  columns.sums.update()
      .reorder({columns.j, columns.tile, columns.pieces})
      .vectorize(columns.j, lanes, TailStrategy::RoundUp)
      .unroll(columns.j);
  columns.parts.compute_at(columns.sums, columns.pieces)
      .store_in(MemoryType::Stack)
      .bound(columns.j, 0, columns.width)
      .bound_extent(columns.tile, 1)
      .bound_extent(columns.piece, 1)
      .vectorize(columns.j, lanes, TailStrategy::RoundUp)
      .unroll(columns.j);
  columns.parts.update()
      .reorder({columns.j, columns.r.x, columns.r.y})
      .vectorize(columns.j, lanes, TailStrategy::RoundUp)
      .unroll(columns.j);

  RowSums& rows = op.rows;
  for (Func sum : {rows.block_sums, rows.vector_sums}) {
    sum.compute_at(rows.sums, rows.c)
        .store_in(MemoryType::Stack)
        .bound_extent(rows.c, 1)
        .bound_extent(rows.part, 1)
        .bound_extent(rows.group, 1)
        .bound(rows.lane, 0, sum.name() == rows.block_sums.name() ? rows.width : lanes)
        .vectorize(rows.lane, lanes, TailStrategy::RoundUp)
        .unroll(rows.lane);
  }
  rows.block_sums.update()
      .reorder({rows.lane, rows.blocks.x, rows.blocks.y})
      .vectorize(rows.lane, lanes, TailStrategy::RoundUp)
      .unroll(rows.lane);
  rows.vector_sums.update(0).reorder({rows.lane, rows.vectors.x, rows.vectors.y});
  rows.vector_sums.update(1).reorder({rows.lane, rows.last.x, rows.last.y});
  for (int update : {0, 1}) {
    rows.vector_sums.update(update).vectorize(rows.lane, lanes, TailStrategy::RoundUp);
  }
  rows.sums.compute_at(sums, tile).store_in(MemoryType::Stack);
  rows.sums.update()
      .reorder({rows.pieces.x, rows.c, rows.pieces.y, rows.pieces.z})
      .atomic()
      .vectorize(rows.pieces.x);
}

void ScheduleGpu(PieceSums& op) {
  const Var block("block"), thread("thread");
  op.part.compute_root().gpu_blocks(op.piece, op.c);
  op.part.update().gpu_blocks(op.piece, op.c);
  op.lanes.compute_at(op.part, op.piece).bound_extent(op.lane, PieceSums::kLanes);
  op.lanes.gpu_threads(op.lane);
  op.lanes.update().reorder({op.r, op.lane}).gpu_threads(op.lane);
  op.sums.compute_root().gpu_tile(op.c, block, thread, 64, kGuard);
  op.sums.update().gpu_tile(op.c, block, thread, 64, kGuard);
}

// A pass over all elements. Contiguous are those of a plane, or the channels where inner = 1.
void SchedulePass(Stage stage, const VarOrRVar& i, const VarOrRVar& c, const VarOrRVar& o,
                  const ChannelExtents& extents, int lanes) {
  ScheduleRowsCpu(stage.specialize(extents.inner == 1), {c, i, o},
                  {extents.channels, extents.inner}, lanes);
  ScheduleRowsCpu(stage, {i, c, o}, {extents.inner, extents.channels}, lanes);
}

template <typename Derived>
class ChannelGenerator : public OpGenerator<Derived> {
 protected:
  template <typename In>
  static ChannelExtents Extents(In& in) {
    return {in.dim(0).extent(), in.dim(1).extent(), in.dim(2).extent()};
  }
  bool gpu() const { return this->get_target().has_gpu_feature(); }
  int lanes() const { return this->get_target().natural_vector_size(Type(this->dtype)); }

  Func Sums(const ChannelTerms& terms, const ChannelExtents& extents) {
    if (gpu()) {
      PieceSums op(terms, extents, this->dtype);
      ScheduleGpu(op);
      return op.sums;
    }
    ChannelSums op(terms, extents, this->dtype, Float(64), lanes());
    ScheduleCpu(op, extents, lanes());
    return op.sums;
  }
  // f(c), a few numbers of each channel.
  void ScheduleChannels(Func f) {
    const Var c = f.args()[0];
    if (gpu()) {
      ScheduleRowsGpu(f, {c});
    } else {
      f.vectorize(c, lanes(), kGuard);
    }
  }
  void ScheduleChannels(Func f, const Var& c, const RVar& r) {
    if (gpu()) {
      ScheduleUpdateGpu(f, {c}, {r});
    } else {
      f.update().vectorize(r, lanes(), kGuard);
    }
  }
  // x is dense, so that neighbouring channels of rows of one element are contiguous.
  template <typename Array>
  void BindDense(Array& array, const ChannelExtents& extents) {
    this->ZeroMin(array, 3);
    array.dim(1).set_stride(extents.inner);
    array.dim(2).set_stride(extents.inner * extents.channels);
  }
  template <typename Out>
  void BindChannels(Out& out, const ChannelExtents& extents) {
    out.dim(0).set_bounds(0, extents.channels);
  }
  // What of dy gets through the relu that follows `op`.
  Func Masked(BatchNormalization op, const Func& dy) {
    op.channel.scale.compute_root();
    ScheduleChannels(op.channel.scale);
    return FusedBatchNormalization(op, Func()).Masked(dy);
  }
  // Arrays that are updated in place have a free minimum: were it 0, Halide 21 would take an array
  // of one dimension for aligned where it reads its own output.

  // dx := (accumulate ? dx : 0) + gradient.
  Func Finish(const std::string& name, const Func& gradient, const ChannelExtents& extents,
              const Expr& accumulate) {
    Accumulated out(name, gradient, {extents.inner, extents.channels, extents.outer}, accumulate);
    if (gpu()) {
      ScheduleUpdateGpu(out.dx, out.vars, {out.r.x, out.r.y, out.r.z});
    } else {
      SchedulePass(out.dx.update(), out.r.x, out.r.y, out.r.z, extents, lanes());
    }
    out.dx.update().specialize(!accumulate);
    return out.dx;
  }
};

class Statistics : public ChannelGenerator<Statistics> {
 public:
  Input<Buffer> x{"x", 3};
  Output<Buffer> mean{"mean", 1}, variance{"variance", 1};
  Output<Buffer> running_mean{"running_mean", 1}, running_variance{"running_variance", 1};

  void configure() {
    x.set_type(dtype);
    decay_ = add_input<Expr>("decay_rate", dtype);
    for (auto* out : {&mean, &variance, &running_mean, &running_variance}) out->set_type(dtype);
  }
  void generate() {
    const ChannelExtents extents = Extents(x);
    BindDense(x, extents);
    Func pivots = Pivots(x, extents);
    if (!gpu()) {
      pivots.compute_root();
      ScheduleChannels(pivots);
    }
    const Func sums = Sums(MomentTerms(x, pivots, extents), extents);
    BatchStatistics op(pivots, sums, extents, *decay_, dtype);
    ScheduleChannels(op.mean);
    ScheduleChannels(op.variance);
    ScheduleChannels(op.running_mean, op.c, op.r);
    ScheduleChannels(op.running_variance, op.c, op.r);
    mean = op.mean;
    variance = op.variance;
    running_mean = op.running_mean;
    running_variance = op.running_variance;
    for (auto* out : {&mean, &variance}) BindChannels(*out, extents);
  }

 private:
  GeneratorInput<Expr>* decay_ = nullptr;
};

class Normalize : public ChannelGenerator<Normalize> {
 public:
  GeneratorParam<bool> relu{"relu", false}, add{"add", false};
  Input<Buffer> x{"x", 3}, beta{"beta", 1}, gamma{"gamma", 1}, mean{"mean", 1};
  Input<Buffer> variance{"variance", 1};
  Output<Buffer> y{"y", 3};

  void configure() {
    for (auto* in : {&x, &beta, &gamma, &mean, &variance}) in->set_type(dtype);
    eps_ = add_input<Expr>("eps", dtype);
    if (add) z_ = add_input<Buffer>("z", dtype, 3);
    y.set_type(dtype);
  }
  void generate() {
    const ChannelExtents extents = Extents(x);
    BindDense(x, extents);
    if (add) BindDense(*z_, extents);
    for (auto* in : {&beta, &gamma, &mean, &variance}) BindChannels(*in, extents);
    BatchNormalization op(x, beta, gamma, mean, variance, *eps_);
    op.channel.scale.compute_root();
    ScheduleChannels(op.channel.scale);
    const FusedBatchNormalization fused(op, add ? Func(*z_) : Func());
    Func result = relu ? fused.y : op.y;
    const std::vector<Var> at = result.args();
    if (gpu()) {
      ScheduleRowsGpu(result, {at[0], at[1], at[2]});
    } else {
      SchedulePass(result, at[0], at[1], at[2], extents, lanes());
    }
    y = result;
    y.dim(0).set_bounds(0, extents.inner);
    y.dim(1).set_bounds(0, extents.channels);
    y.dim(2).set_bounds(0, extents.outer);
    BindDense(y, extents);
  }

 private:
  GeneratorInput<Expr>* eps_ = nullptr;
  GeneratorInput<Buffer>* z_ = nullptr;
};

class GradientSums : public ChannelGenerator<GradientSums> {
 public:
  GeneratorParam<bool> relu{"relu", false};
  Input<Buffer> x{"x", 3}, dy{"dy", 3}, mean{"mean", 1}, variance{"variance", 1};
  Input<bool> accumulate_dbeta{"accumulate_dbeta"}, accumulate_dgamma{"accumulate_dgamma"};
  Output<Buffer> sum_dy{"sum_dy", 1}, sum_centered{"sum_centered", 1};
  Output<Buffer> dbeta{"dbeta", 1}, dgamma{"dgamma", 1};

  void configure() {
    for (auto* in : {&x, &dy, &mean, &variance}) in->set_type(dtype);
    eps_ = add_input<Expr>("eps", dtype);
    for (const char* name : {"beta", "gamma"}) {
      if (relu) affine_.push_back(add_input<Buffer>(name, dtype, 1));
    }
    for (auto* out : {&sum_dy, &sum_centered, &dbeta, &dgamma}) out->set_type(dtype);
  }
  void generate() {
    const ChannelExtents extents = Extents(x);
    for (auto* in : {&x, &dy}) BindDense(*in, extents);
    BindChannels(mean, extents);
    BindChannels(variance, extents);
    for (auto* in : affine_) BindChannels(*in, extents);
    const Func arriving =
        relu ? Masked({x, *affine_[0], *affine_[1], mean, variance, *eps_}, dy) : Func(dy);
    const Func sums = Sums(GradientTerms(x, arriving, mean, extents), extents);
    const ChannelScale channel(Func(), variance, *eps_);
    const Var c("c");
    Func s("s"), q("q"), dgamma_of("dgamma_of");
    s(c) = cast(dtype, sums(c)[0]);
    q(c) = cast(dtype, sums(c)[1]);
    dgamma_of(c) = cast(dtype, sums(c)[1]) * channel.inverse(c);
    Accumulated beta("dbeta_out", s, {extents.channels}, accumulate_dbeta);
    Accumulated gamma("dgamma_out", dgamma_of, {extents.channels}, accumulate_dgamma);
    Func s_out("sum_dy_out"), q_out("sum_centered_out");
    s_out(c) = s(c);
    q_out(c) = q(c);
    ScheduleChannels(s_out);
    ScheduleChannels(q_out);
    for (Accumulated* out : {&beta, &gamma}) {
      ScheduleChannels(out->dx, out->vars[0], out->r.x);
      out->dx.update().specialize(!out->accumulate);
    }
    sum_dy = s_out;
    sum_centered = q_out;
    dbeta = beta.dx;
    dgamma = gamma.dx;
    for (auto* out : {&sum_dy, &sum_centered}) BindChannels(*out, extents);
  }

 private:
  GeneratorInput<Expr>* eps_ = nullptr;
  std::vector<GeneratorInput<Buffer>*> affine_;  // beta and gamma
};

class Dx : public ChannelGenerator<Dx> {
 public:
  GeneratorParam<bool> relu{"relu", false};
  Input<Buffer> x{"x", 3}, dy{"dy", 3}, gamma{"gamma", 1}, mean{"mean", 1};
  Input<Buffer> variance{"variance", 1}, dmean{"dmean", 1}, dvariance{"dvariance", 1};
  Input<Buffer> sum_dy{"sum_dy", 1}, sum_centered{"sum_centered", 1};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 3};

  void configure() {
    for (auto* in : Channels()) in->set_type(dtype);
    for (auto* in : {&x, &dy}) in->set_type(dtype);
    eps_ = add_input<Expr>("eps", dtype);
    if (relu) beta_ = add_input<Buffer>("beta", dtype, 1);
    dx.set_type(dtype);
  }
  void generate() {
    const ChannelExtents extents = Extents(x);
    for (auto* in : {&x, &dy}) BindDense(*in, extents);
    for (auto* in : Channels()) BindChannels(*in, extents);
    if (relu) BindChannels(*beta_, extents);
    const Func arriving = relu ? Masked({x, *beta_, gamma, mean, variance, *eps_}, dy) : Func(dy);
    BatchNormalizationDx op(
        {x, arriving, gamma, mean, variance, dmean, dvariance, sum_dy, sum_centered}, *eps_,
        cast(dtype, extents.count()));
    for (Func f : {op.channel.scale, op.slope, op.offset}) {
      f.compute_root();
      ScheduleChannels(f);
    }
    dx = Finish("batch_normalization_dx", op.gradient, extents, accumulate_dx);
    BindDense(dx, extents);
  }

 private:
  std::vector<Input<Buffer>*> Channels() {
    return {&gamma, &mean, &variance, &dmean, &dvariance, &sum_dy, &sum_centered};
  }
  GeneratorInput<Expr>* eps_ = nullptr;
  GeneratorInput<Buffer>* beta_ = nullptr;
};

class FixedDx : public ChannelGenerator<FixedDx> {
 public:
  Input<Buffer> dy{"dy", 3}, gamma{"gamma", 1}, variance{"variance", 1};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 3};

  void configure() {
    for (auto* in : {&dy, &gamma, &variance}) in->set_type(dtype);
    eps_ = add_input<Expr>("eps", dtype);
    dx.set_type(dtype);
  }
  void generate() {
    const ChannelExtents extents = Extents(dy);
    BindDense(dy, extents);
    BindChannels(gamma, extents);
    BindChannels(variance, extents);
    const ChannelScale channel(gamma, variance, *eps_);
    Func(channel.scale).compute_root();
    ScheduleChannels(channel.scale);
    const Var i("i"), c("c"), o("o");
    Func gradient("gradient");
    gradient(i, c, o) = channel.scale(c) * dy(i, c, o);
    dx = Finish("batch_normalization_fixed_dx", gradient, extents, accumulate_dx);
    BindDense(dx, extents);
  }

 private:
  GeneratorInput<Expr>* eps_ = nullptr;
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::Statistics, batch_normalization_statistics)
HALIDE_REGISTER_GENERATOR(halite::Normalize, batch_normalization)
HALIDE_REGISTER_GENERATOR(halite::GradientSums, batch_normalization_sums)
HALIDE_REGISTER_GENERATOR(halite::Dx, batch_normalization_dx)
HALIDE_REGISTER_GENERATOR(halite::FixedDx, batch_normalization_fixed_dx)
