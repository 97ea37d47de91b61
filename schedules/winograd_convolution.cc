// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of Winograd's convolution of 3 x 3 or 5 x 5 taps (parameter `taps`), for a
// CPU alone: x, w, b -> y; dy, w -> dx; x, dy -> dw as in convolution.cc, with one slice (z), and
// strides and dilations of 1.
//
// Channels stand in the lanes from the first stage to the last: a task stages its padded input as
// planes of `lanes` channels, transforms each tile, multiplies with register tiles of one vector of
// output channels x 16 tiles (8 with 16 registers), and transforms back.
//
// GFLOP/s of one core as the direct sum has them, AMD EPYC (Zen 5), peak 260 by multiply-adds; per
// cent of that; oneDNN 2.6 (direct) on plain arrays, its conversions included, in the same run (dw
// of 256 channels in another):
//
//   layer, batch         forward    %  oneDNN |   dx    %  oneDNN |   dw    %  oneDNN
//   3x3 16 @32, 128          205   79      99 |  192   74     139 |  179   69     158
//   3x3 64 @8, 128           337  130     194 |  370  142     217 |  241   93     197
//   3x3 64 @56, 1            454  175     224 |  459  177     222 |  386  148     219
//   3x3 64 @56, 16           371  143     198 |  377  145     201 |  280  108     185
//   3x3 128 @28, 16          459  177     218 |  455  175     218 |  344  132     212
//   3x3 256 @14, 16          299  115     228 |  373  143     235 |  232   89     235
//   3x3 512 @28, 16          231   89     231 |  235   90     225 |  428  165     214
//   5x5 16 @12, 64           272  105     194 |  253   97     192 |  215   83     173
//
// What bounds it: of few channels the staging of rows and the transformations; of batches the
// memory; of 512 channels the weights, 36 for 9, from the last cache. dx of 5x5 is the adjoint's
// (by flipped weights 108).
#include "halite/ops/algorithms/winograd_convolution.h"

#include "halite/schedules/convolution_window.h"
#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::LoopLevel;
using Halide::MemoryType;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Target;
using Halide::Var;

// Tasks of 48 tiles (64 of few channels: 7 to 9 KB of transformed input for each), which with the
// sums of a point stay in the caches. `extent`: of the result.
WinogradShape ShapeFor(const Winograd& form, const std::vector<Expr>& extent,
                       const Expr& in_channels, const Halide::Type& type, const Target& target,
                       const Tuning& tuning) {
  WinogradShape shape;
  shape.lanes = target.natural_vector_size(type);
  shape.tiles = target.has_feature(Target::AVX512_Skylake) ? 16 : 8;
  const Expr across = CeilDiv(extent[0], form.tile()), down = CeilDiv(extent[1], form.tile());
  const int tiles = tuning("tiles", 48, {32, 64, 96, 128});
  const Expr most = Halide::select(in_channels <= 32, tiles * 4 / 3, tiles);
  shape.rows = EvenShare(down, most / Halide::max(across, 1));
  shape.images = EvenShare(extent[4], most / Halide::max(across * down, 1));
  return shape;
}

// The points of a task's tiles, computed at `points`; memory is taken once, at `task`: threads that
// ask for it in turn wait for each other. `width`: of the rows of the array.
void SchedulePoints(WinogradPoints& op, const LoopLevel& points, const LoopLevel& task,
                    const Expr& width, int lanes) {
  op.points.compute_at(points)
      .hoist_storage(task)
      .bound(op.v, 0, lanes)
      .bound(op.e, 0, kWinogradPoints)
      .reorder_storage(op.v, op.e, op.t, op.plane);
  op.points.update()
      .reorder({op.e, op.v, op.tiles.x, op.tiles.y, op.tiles.z, op.plane})
      .vectorize(op.v)
      .unroll(op.e)
      .never_partition_all();
  op.columns.compute_at(op.points, op.tiles.x)
      .store_in(MemoryType::Stack)
      .bound(op.v, 0, lanes)
      .bound(op.row, 0, kWinogradWindow)
      .reorder(op.row, op.v, op.x)
      .vectorize(op.v)
      .unroll(op.row);
  // One row of tiles of one image and plane at a time, in one place.
  const std::vector<Var> at = op.columns.args();
  for (size_t i = 3; i < at.size(); ++i) op.columns.bound_extent(at[i], 1);
  ScheduleChannelPlanes(op.planes, {op.points, op.tiles.z}, task, lanes);
  // Rows of one vector come from memory by request alone.
  PaddedWindow& window = op.planes.window;
  window.padded.update()
      .reorder({RVar("lane"), RVar("vector"), window.y, window.z, window.c, window.i})
      .specialize(width <= lanes)
      .prefetch(ArrayOf(width), window.c, window.c, 4, Halide::PrefetchBoundStrategy::Clamp);
}

// All of a task's products, at `task`. `width`: of the rows of the array.
void ScheduleProducts(WinogradProducts& op, const Winograd& form, const ConvolutionOperands& in,
                      const LoopLevel& task, const WinogradShape& shape) {
  op.weights.compute_root()
      .bound(op.v, 0, shape.lanes)
      .bound(op.e, 0, kWinogradPoints)
      .reorder(op.e, op.v, op.ci, op.block)
      .vectorize(op.v)
      .unroll(op.e)
      .never_partition_all();
  op.weight_columns.compute_at(op.weights, op.ci)
      .store_in(MemoryType::Stack)
      .bound(op.v, 0, shape.lanes)
      .bound(op.j, 0, kWinogradWindow)
      .bound(op.kx, 0, form.taps)
      .bound_extent(op.ci, 1)
      .bound_extent(op.block, 1)
      .reorder(op.j, op.v, op.kx)
      .vectorize(op.v)
      .unroll(op.j);
  op.weights.specialize(in.in_channels * in.out_channels <= 1 << 12);
  op.weights.parallel(op.block);
  SchedulePoints(*op.input, task, task, in.axes[0].in, shape.lanes);
  op.input->points.update(1)
      .reorder({op.input->v, op.input->e, op.tail.x, op.input->plane})
      .vectorize(op.input->v)
      .never_partition_all();
  const Var group("group"), tile("tile");
  op.products.compute_at(task)
      .bound(op.v, 0, shape.lanes)
      .bound(op.e, 0, kWinogradPoints)
      .reorder_storage(op.v, op.e, op.t, op.block)
      .split(op.t, group, tile, shape.tiles, TailStrategy::RoundUp)
      .reorder(op.v, tile, group, op.block, op.e)
      .vectorize(op.v)
      .unroll(tile)
      .never_partition_all();
  op.sum.compute_at(op.products, group)
      .store_in(MemoryType::Stack)
      .bound(op.v, 0, shape.lanes)
      .bound(op.p, 0, shape.tiles)
      .bound_extent(op.group, 1)
      .bound_extent(op.e, 1)
      .bound_extent(op.block, 1)
      .bound_extent(op.task, 1)
      .vectorize(op.v)
      .unroll(op.p);
  op.sum.update()
      .reorder({op.v, op.p, op.terms.x, op.terms.y})
      .vectorize(op.v)
      .unroll(op.p)
      .never_partition_all();
}

void ScheduleCpu(WinogradConvolution& op, const Winograd& form, const ConvolutionOperands& in,
                 const WinogradShape& shape) {
  using Op = WinogradConvolution;
  const int tile = form.tile();
  op.result.update()
      .allow_race_conditions()
      .vectorize(op.r[Op::kPixel])
      .parallel(op.r[Op::kTask])
      .never_partition_all();
  const auto place = [&](Func& f, const LoopLevel& where) -> Func& {
    return f.compute_at(where)
        .store_in(MemoryType::Stack)
        .bound_extent(op.run, 1)
        .bound_extent(op.tile_row, 1)
        .bound_extent(op.i, 1)
        .bound_extent(op.block, 1)
        .bound_extent(op.task, 1);
  };
  place(op.outputs, {op.result, op.r[Op::kRunOfTiles]})
      .bound(op.v, 0, shape.lanes)
      .bound(op.j, 0, tile * tile)
      .bound(op.s, 0, Op::kRun / tile)
      .reorder_storage(op.v, op.j, op.s)
      .reorder(op.j, op.v, op.s)
      .vectorize(op.v)
      .unroll(op.j)
      .never_partition_all();
  place(op.half, {op.outputs, op.s})
      .bound(op.v, 0, shape.lanes)
      .bound(op.j, 0, tile * kWinogradWindow)
      .bound_extent(op.s, 1)
      .reorder(op.j, op.v)
      .vectorize(op.v)
      .unroll(op.j);
  ScheduleShuffles(op.turned, shape.lanes * Op::kRun, shape.lanes, {op.result, op.r[Op::kRow]});
  op.bias.compute_root().bound(op.v, 0, shape.lanes);
  ScheduleProducts(*op.of_task, form, in, {op.result, op.r[Op::kTask]}, shape);
  if (!Halide::Internal::is_const(in.accumulate)) op.result.update().specialize(!in.accumulate);
}

void ScheduleCpu(WinogradAdjoint& op, const Winograd& form, const ConvolutionOperands& in,
                 const WinogradShape& shape) {
  using Op = WinogradAdjoint;
  const LoopLevel task(op.result, op.r[Op::kTask]), block(op.result, op.r[Op::kBlock]),
      image(op.result, op.r[Op::kImage]);
  op.result.update()
      .allow_race_conditions()
      .vectorize(op.r[Op::kPixel])
      .parallel(op.r[Op::kTask])
      .never_partition_all();
  ScheduleShuffles(op.turned, shape.lanes * Op::kRun, shape.lanes,
                   {op.result, op.r[Op::kRunOfPixels]});
  op.added.compute_at(image)
      .hoist_storage(task)
      .bound(op.v, 0, shape.lanes)
      .vectorize(op.v)
      .never_partition_all();
  op.added.update()
      .reorder({op.v, op.tiles[0], op.tiles[1], op.tiles[2], op.tiles[3]})
      .vectorize(op.v)
      .unroll(op.tiles[0])
      .unroll(op.tiles[1])
      .never_partition_all();
  const auto place = [&](Func& f, const LoopLevel& where) {
    f.compute_at(where)
        .store_in(MemoryType::Stack)
        .bound(op.v, 0, shape.lanes)
        .bound(op.j, 0, kWinogradPoints)
        .reorder(op.j, op.v)
        .vectorize(op.v)
        .unroll(op.j);
    for (const Var& one : {op.s, op.y, op.i, op.block, op.task}) f.bound_extent(one, 1);
  };
  place(op.outputs, {op.added, op.tiles[2]});
  place(op.half, {op.added, op.tiles[2]});
  ScheduleProducts(*op.of_task, form, in, task, shape);
  op.result.update().specialize(!in.accumulate);
}

// The result of a convolution or of its gradient to the input.
Func Scheduled(const Winograd& form, const ConvolutionOperands& in, const Target& target,
               const Tuning& tuning) {
  WinogradShape shape;
  WinogradConvolution op(form, in, [&](const std::vector<Expr>& extent) {
    return shape = ShapeFor(form, extent, in.in_channels, in.type, target, tuning);
  });
  ScheduleCpu(op, form, in, shape);
  return op.result;
}

// Blocks of at most 128 x 128 channels, whose sums (2.4 MB) stay in the caches.
WinogradWeightsShape ShapeFor(const Winograd& form, const ConvolutionWeightsOperands& in,
                              const Target& target, const Tuning& tuning) {
  WinogradWeightsShape shape;
  const int lanes = shape.lanes = target.natural_vector_size(in.type);
  const int most = tuning("channels", 128, {64, 256}) / lanes;
  const Expr planes = CeilDiv(in.in_channels, lanes), blocks = CeilDiv(in.out_channels, lanes);
  shape.planes = EvenShare(planes, most);
  shape.blocks = EvenShare(blocks, most);
  const Expr across = CeilDiv(in.out[0], form.tile()), down = CeilDiv(in.out[1], form.tile());
  const int tiles = tuning("tiles", 48, {24, 32, 64, 96});
  const Expr most_tiles = Halide::select(in.in_channels <= 32, tiles * 4 / 3, tiles);
  shape.rows = EvenShare(down, most_tiles / Halide::max(across, 1));
  shape.images = EvenShare(in.batch, most_tiles / Halide::max(across * down, 1));
  const Expr groups = CeilDiv(planes, shape.planes) * CeilDiv(blocks, shape.blocks);
  const Expr chunks = CeilDiv(down, shape.rows) * CeilDiv(in.batch, shape.images);
  shape.slices = Halide::clamp(8 / groups, 1, chunks);
  return shape;
}

// Register tiles of a vector of output channels x the channels of a plane.
void ScheduleCpu(WinogradConvolutionWeights& op, const Winograd& form,
                 const ConvolutionWeightsOperands& in, const WinogradWeightsShape& shape) {
  const int lanes = shape.lanes;
  op.partial.compute_root()
      .bound(op.v, 0, lanes)
      .bound(op.p, 0, lanes)
      .bound(op.e, 0, kWinogradPoints)
      .bound(op.plane, 0, shape.planes)
      .bound(op.block, 0, shape.blocks)
      .vectorize(op.v)
      .parallel(op.task)
      .never_partition_all();
  op.total.compute_at(op.partial, op.task).vectorize(op.v).never_partition_all();
  op.total.update()
      .reorder({op.v, op.p, op.block, op.plane, op.e, op.c.x, op.task})
      .vectorize(op.v)
      .unroll(op.p)
      .never_partition_all();
  op.sum.compute_at(op.total, op.block)
      .store_in(MemoryType::Stack)
      .bound_extent(op.e, 1)
      .bound_extent(op.plane, 1)
      .bound_extent(op.block, 1)
      .bound_extent(op.chunk, 1)
      .bound_extent(op.task, 1)
      .vectorize(op.v)
      .unroll(op.p);
  op.sum.update()
      .reorder({op.v, op.p, op.tiles.x})
      .vectorize(op.v)
      .unroll(op.p)
      .never_partition_all();
  const LoopLevel chunk(op.total, op.c.x), task(op.partial, op.task);
  SchedulePoints(*op.x, chunk, task, in.axes[0].in, lanes);
  SchedulePoints(*op.dy, chunk, task, in.out[0], lanes);

  // Eight input channels of a block at a time: dw is written in long runs.
  const RVar block("block"), lane("lane"), group("group"), ci("ci");
  op.result.update()
      .split(op.r[4], block, lane, lanes, kGuard)
      .split(op.r[3], group, ci, 8, kGuard)
      .reorder({op.r[0], op.r[1], op.r[2], ci, lane, group, block})
      .parallel(block)
      .never_partition_all();
  op.taps.compute_at(op.result, group)
      .bound(op.v, 0, lanes)
      .bound(op.j, 0, form.taps * form.taps)
      .reorder(op.j, op.v, op.ci)
      .vectorize(op.v)
      .unroll(op.j)
      .never_partition_all();
  for (Func* f : {&op.half, &op.added}) {
    f->compute_at(op.taps, op.ci)
        .store_in(MemoryType::Stack)
        .bound(op.v, 0, lanes)
        .bound_extent(op.ci, 1)
        .bound_extent(op.block, 1)
        .vectorize(op.v);
  }
  op.half.bound(op.j, 0, form.taps * kWinogradWindow).reorder(op.j, op.v).unroll(op.j);
  op.added.bound(op.e, 0, kWinogradPoints)
      .update()
      .reorder({op.v, op.e, op.slices.x})
      .vectorize(op.v)
      .never_partition_all();
  op.result.update().specialize(!in.accumulate);
}

// Of an array of which samples are met by taps of stride and dilation 1, in one slice.
template <typename Array>
ConvolutionAxes Axes(const Winograd& form, Array& x, const PerAxis<2>& pad) {
  return {{{1, pad[0], 1, x.dim(0).extent(), form.taps},
           {1, pad[1], 1, x.dim(1).extent(), form.taps},
           {1, 0, 1, 1, 1}}};
}

class WinogradConvolutionKernel : public OpGenerator<WinogradConvolutionKernel> {
 public:
  Halide::GeneratorParam<int> taps{"taps", 3};
  Input<Buffer> x{"x", 5}, w{"w", 5}, b{"b", 1};
  PerAxis<2> pad{"pad"};
  Output<Buffer> y{"y", 5};

  void configure() { SetType(x, w, b, y); }

  void generate() {
    const Winograd form{taps};
    ZeroMin(x, 5);
    ZeroMin(w, 5);
    ZeroMin(b, 1);
    ConvolutionOperands in{x, w, b, {}, w.dim(3).extent(), w.dim(4).extent(), dtype};
    in.axes = Axes(form, x, pad);
    y = Scheduled(form, in, get_target(), Numbers());
    ZeroMin(y, 5);
  }
};

class WinogradConvolutionDxKernel : public OpGenerator<WinogradConvolutionDxKernel> {
 public:
  Halide::GeneratorParam<int> taps{"taps", 3};
  Halide::GeneratorParam<bool> adjoint{"adjoint", false};  // see WinogradAdjoint
  Input<Buffer> dy{"dy", 5}, w{"w", 5};
  PerAxis<2> pad{"pad"};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 5};

  void configure() { SetType(dy, w, dx); }

  void generate() {
    ZeroMin(dy, 5);
    ZeroMin(w, 5);
    const ConvolutionOperands in{dy,    {},           {}, {}, w.dim(4).extent(), w.dim(3).extent(),
                                 dtype, accumulate_dx};
    dx = adjoint ? ByAdjoint({taps}, in) : ByFlippedWeights({taps}, in);
    ZeroMin(dx, 5);
  }

 private:
  Func ByFlippedWeights(const Winograd& form, ConvolutionOperands in) {
    for (int d = 0; d < 2; ++d) {
      in.axes[d] = GradientAxis(pad[d], 1, dy.dim(d).extent(), form.taps);
    }
    in.axes[2] = {1, 0, 1, 1, 1};
    in.w = FlippedWeights(w, in.axes);
    return Scheduled(form, in, get_target(), Numbers());
  }

  Func ByAdjoint(const Winograd& form, ConvolutionOperands in) {
    for (int d = 0; d < 3; ++d) in.axes[d] = {1, 0, 1, dy.dim(d).extent(), 1};
    in.w = ExchangedWeights(w);
    WinogradShape shape;
    WinogradAdjoint op(form, in, {pad[0], pad[1]}, [&](const std::vector<Expr>& extent) {
      const std::vector<Expr> of_dy{dy.dim(0).extent(), dy.dim(1).extent(), 1, extent[3],
                                    extent[4]};
      return shape = ShapeFor(form, of_dy, in.in_channels, dtype, get_target(), Numbers());
    });
    ScheduleCpu(op, form, in, shape);
    return op.result;
  }
};

class WinogradConvolutionDwKernel : public OpGenerator<WinogradConvolutionDwKernel> {
 public:
  Halide::GeneratorParam<int> taps{"taps", 3};
  Input<Buffer> x{"x", 5}, dy{"dy", 5};
  PerAxis<2> pad{"pad"};
  Input<bool> accumulate_dw{"accumulate_dw"};
  Output<Buffer> dw{"dw", 5};

  void configure() { SetType(x, dy, dw); }

  void generate() {
    const Winograd form{taps};
    ZeroMin(x, 5);
    ZeroMin(dy, 5);
    ConvolutionWeightsOperands in{
        x,     dy,           {}, {}, x.dim(3).extent(), dy.dim(3).extent(), dy.dim(4).extent(),
        dtype, accumulate_dw};
    in.axes = Axes(form, x, pad);
    for (int d = 0; d < 3; ++d) in.out[d] = dy.dim(d).extent();
    const WinogradWeightsShape shape = ShapeFor(form, in, get_target(), Numbers());
    WinogradConvolutionWeights op(form, in, shape);
    ScheduleCpu(op, form, in, shape);
    dw = op.result;
    ZeroMin(dw, 5);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::WinogradConvolutionKernel, winograd_convolution)
HALIDE_REGISTER_GENERATOR(halite::WinogradConvolutionDxKernel, winograd_convolution_dx)
HALIDE_REGISTER_GENERATOR(halite::WinogradConvolutionDwKernel, winograd_convolution_dw)
