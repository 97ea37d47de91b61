// SPDX-License-Identifier: Apache-2.0
//
// Schedules and generator of the batched matrix product: matmul(a, b, bias, adds_bias,
// accumulate_y, y) with parameters transpose_a and transpose_b. On a CPU the sizes pick a form of
// tile:
//   rows    one row (16 registers: 3 or 4), B plain: 1 x 8 vectors, B streamed in blocks of 8 rows
//   low     few rows, or 33 to 64 columns, B plain: 4 x 4 vectors, the last ones masked, B
//           prefetched
//   few     m <= 64, long k, B plain: 8 x 2 vectors, B streamed once in blocks of 32 or 64 rows and
//           prefetched
//   ahead   m <= 2 k, B plain and far: 8 x 2 vectors, nothing packed, B prefetched
//   direct  B plain and near: 8 x 2 vectors, nothing packed
//   masked  direct with the last columns, where those are more than a vector
//   dots    few rows (or few columns), B transposed: 4 x 4 inner products along k (2 x 4 for one
//           or two rows), nothing packed
//   packed  all others: 8 x 2 vectors, B packed; and A if it is transposed and has many rows
//   narrow  the columns behind the last whole tile of the others: 8 x 1 vectors, B packed, or
//           masked where it is plain and rows are few
// (6 x 2 vectors where there are 16 registers). The cut into tasks and blocks of k follows from the
// sizes, never from the number of threads, so that the thread count does not change a result.
//
// Measured, float32, AMD EPYC Zen 5 (AVX-512, peak 260 GFLOP/s a core), one core by its thread CPU
// time, GFLOP/s (per cent of peak; times oneDNN 2.6.3 dnnl_sgemm in the same run). Geometric mean
// over the 74 products of //tests/bench:peers 1.06 (AVX2 kernels against oneDNN limited to AVX2:
// 1.06), the least 0.79.
// m x n x k      A B plain         B transposed      bound, as far as known
// 64 cubed       218 (84 %; 0.99)  205 (79 %; 1.29)  2.3 us; B transposed: packing
// 256 cubed      261 (100 %; 1.01) 246 (95 %; 1.00)  FMA
// 1000 cubed     248 (95 %; 0.99)  237 (91 %; 1.06)  FMA; waits for memory while packing B
// 1024 cubed     255 (98 %; 1.01)  251 (96 %; 1.03)  FMA; waits for memory while packing B
// 64x512x784     257 (99 %; 1.03)  223 (86 %; 1.09)  FMA (64x784x512 where B is transposed)
// 64x4096x4096   174 (67 %; 0.80)  164 (63 %; 1.09)  memory
// 16x1024x1024   176 (68 %; 0.81)  187 (72 %; 2.29)  memory
// 4x1024x1024    148 (57 %; 1.42)  172 (66 %; 1.73)  memory
// 1x4096x4096     23 (9 %; 1.43)    19 (7 %; 1.30)   memory
// 64x50x784      194 (75 %; 1.05)                    50 of 64 lanes used
// 128x10x784     120 (46 %; 0.96)  198 (76 %; 0.98)  10 of 16 lanes used (128x784x10)
// 4096x16x25     152 (58 %; 0.78)  151 (58 %; 0.81)  short k sum; sums pass through the stack
// With one A for 16 matrices, as convolutions of one tap have it (in brackets before B was
// prefetched; oneDNN's convolution, one thread):
// 64x3136x64     217 (149; 205)    A transposed: 220 (174; 238)
// 24x3136x144                      A transposed: 226 (102; 145)
// 16x12544x32    136 (70; 93)      memory
// 64x3136x256    212 (163; 220)    memory
// 32x12544x16                      A transposed: 104 (110; 93), memory
// A transposed: 1024x1024x1024 241 (1.01), 4096x4096x64 243 (1.01), 4096x4096x1 15 (1.58),
// 1024x1024x16 230 (1.08), 784x512x64 253 (1.04), 784x50x64 192 (1.04), 784x10x128 99 (0.79),
// 300x100x3000 182 (0.89).
#include "halite/ops/algorithms/matmul.h"

#include <cstdint>

#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"
#include "halite/schedules/shuffle.h"

namespace halite {
namespace {

using Halide::cast;
using Halide::clamp;
using Halide::Expr;
using Halide::Func;
using Halide::MemoryType;
using Halide::min;
using Halide::RVar;
using Halide::select;
using Halide::Stage;
using Halide::TailStrategy;
using Halide::Target;
using Halide::Var;

// The extents cut into even tasks of at most about `most_rows` x `most_cols` elements, in tiles;
// columns into an even number of them, if into some. Nothing here knows the number of threads.
struct TaskShape {
  Expr rows, cols;

  TaskShape(const Expr& m, const Expr& n, int mr, int nr, const Expr& most_rows,
            const Expr& most_cols)
      : rows(EvenShare(CeilDiv(m, mr), most_rows / mr)) {
    const Expr tiles = CeilDiv(n, nr), parts = CeilDiv(tiles, Halide::max(most_cols / nr, 1));
    cols = Halide::max(CeilDiv(tiles, select(parts > 1, parts + parts % 2, 1)), 1);
  }
};

// The loops of an update of y: parallel tasks, and in a task all blocks of k, tile by tile. All
// forms use the same names. The tasks are one parallel loop: nested parallel loops of which the
// outer has one iteration were observed to run on one thread.
struct Loops {
  RVar col{"j"}, row{"i"}, col_tile{"jt"}, row_tile{"it"}, cols{"cols"}, rows{"rows"};
  RVar col_task{"jtask"}, row_task{"itask"}, col_block{"jblock"}, matrix{"z"}, matrix_task{"ztask"},
      task{"task"};

  // A task walks its tiles down the columns, or along the rows in blocks of `along` columns.
  void Apply(Stage y, const Halide::RDom& r, int mr, int nr, const TaskShape& shape,
             const Expr& along = Expr()) const {
    y.split(r.x, cols, col, nr, kGuard)
        .split(cols, col_task, col_tile, shape.cols, kGuard)
        .split(r.y, rows, row, mr, kGuard)
        .split(rows, row_task, row_tile, shape.rows, kGuard)
        .split(r.z, matrix_task, matrix, 1, kGuard);
    if (along.defined()) {
      y.split(col_tile, col_block, col_tile, along / nr, kGuard)
          .reorder({col, row, col_tile, row_tile, col_block, r.w, matrix, col_task, row_task,
                    matrix_task});
    } else {
      y.reorder({col, row, row_tile, col_tile, r.w, matrix, col_task, row_task, matrix_task});
    }
    y.fuse(col_task, row_task, task).fuse(task, matrix_task, task).parallel(task);
  }
};

// Picks the form of tile, the blocks of k and the tasks from the sizes, and schedules each form.
class CpuScheduler {
 public:
  CpuScheduler(const MatmulOperands& in, const Target& target, const Tuning& tuning,
               BlockedMatmul& op)
      : in_(in),
        op_(op),
        lanes_(target.natural_vector_size(in.type)),
        many_registers_(target.has_feature(Target::AVX512_Skylake)),
        mr_(tuning("mr", many_registers_ ? 8 : 6, {4, 6, 8, 10, 12})),
        nr_(2 * lanes_),
        rows_nr_(8 * lanes_),
        single_rows_(many_registers_                    ? 1
                     : target.has_feature(Target::AVX2) ? 3
                                                        : 4),
        kc_(tuning("kc", 512, {128, 256, 384, 768, 1024})),
        all_rows_(in.m + mr_),
        all_cols_(in.n + 8 * lanes_),
        area_(cast<int64_t>(in.m) * in.n),
        work_(area_ * in.k) {}

  void Schedule() {
    if (in_.transpose_b) {
      const Expr dots = Dots();
      Packed(!dots);
      Narrow(!dots, in_.n / nr_ * nr_);
    } else {
      const Expr rows = Rows(), low = Low(!rows), few = Few(!rows && !low);
      const Expr ahead = Ahead(!rows && !low && !few);
      const Expr masked =
          many_registers_ ? in_.n % nr_ > lanes_ && in_.k > 8 : Halide::Internal::const_false();
      const Expr direct = Direct(!rows && !low && !few && !ahead, masked);
      Packed(!rows && !low && !few && !ahead && !direct);
      const Expr tile = select(rows, rows_nr_, nr_);
      Narrow(!low && !(direct && masked), in_.n / tile * tile);
    }
  }

 private:
  // Each form returns when it is used.
  Expr Dots() {
    const Expr few_rows = in_.m <= 32 && in_.k > 8 * in_.m;
    const Expr few = in_.transpose_a ? few_rows : few_rows || in_.n <= lanes_;
    const Expr use = in_.k >= 4 * lanes_ && few;
    const int mr = many_registers_ ? 4 : 3;
    // Long runs of memory for few rows of A, which stay in the cache whole.
    const Expr block = select(in_.m <= 8, CeilDiv(in_.k, lanes_) * lanes_, EvenBlocks(1024));
    const Expr cols = in_.transpose_a ? clamp(in_.n / 4, 256, 1024)
                                      : clamp(TermsShare(kMultiplyAdds / 2), 16, 256);
    const auto tile = [&](const char* name, const Expr& used, int rows, int columns) {
      MatmulDots d(name, rows, columns, in_, Form(used, block), lanes_);
      ScheduleDots(d, TaskShape(in_.m, in_.n, rows, columns, 64, cols));
    };
    tile("dots", use && in_.m > 2, mr, 4);
    tile("low_dots", use && in_.m <= 2, 2, 4);
    return use;
  }

  Expr Rows() {
    const Expr use = in_.m <= single_rows_ && in_.n >= rows_nr_;
    Tile("rows", {1, rows_nr_, false, false}, Form(use, 8), all_rows_, StreamCols());
    return use;
  }

  // Where less is computed in vain, rows and columns of tiles past the ends of y, than by tall
  // tiles and Narrow; as much is for one column of tiles, but those read A twice. There are
  // registers left for the masks of the last columns.
  Expr Low(const Expr& others) {
    if (!many_registers_) return Halide::Internal::const_false();
    const int mr = mr_ / 2, nr = 2 * nr_;
    const Expr tall_cost = CeilDiv(in_.m, mr_) * (in_.n / nr_ * 2 + CeilDiv(in_.n % nr_, lanes_));
    const Expr cost = CeilDiv(in_.m, mr) * CeilDiv(in_.n, nr) * 2;
    const Expr column = cost <= tall_cost && in_.n > nr_ && in_.n <= nr;
    const Expr row = in_.m <= mr || (in_.m <= 3 * mr_ && in_.n % 512 != 0);
    const Expr use = others && (column || (row && cost < tall_cost));
    const Expr block = select(in_.m <= mr, 128, column, EvenBlocks(kc_), 32);
    MatmulTile::Shape shape = {mr, nr, false, false};
    shape.ragged = true;
    shape.prefetch = true;
    Tile("low", shape, Form(use, block), select(column, ColumnRows(), all_rows_), StreamCols());
    return use;
  }

  // Rows of a task that has all columns.
  Expr ColumnRows() const {
    return select(work_ <= kMultiplyAdds, all_rows_, area_ <= 1 << 12, 32, 64);
  }

  Expr Few(const Expr& others) {
    const Expr most_rows = select(Aliased() && !many_registers_, 32, 64);
    const Expr use = others && in_.n >= 4 * nr_ &&
                     ((in_.m <= 16 && in_.k > 512) || (in_.m <= most_rows && !Near()));
    MatmulTile::Shape shape = {mr_, nr_, false, false};
    shape.prefetch = true;
    Tile("few", shape, Form(use, select(in_.m <= 32, 32, 64)), all_rows_, StreamCols());
    return use;
  }

  // Tiles follow each other down the columns, so that those of B stay in the first cache. Where y
  // is much larger than B, Direct is as fast, which writes longer runs.
  Expr Ahead(const Expr& others) {
    const Expr bytes = cast<int64_t>(in_.k) * in_.n * in_.batch * in_.type.bytes();
    const Expr use =
        others && in_.m <= min(2 * in_.k, 256) && in_.k <= 1024 && !Aliased() && bytes >= 1 << 23;
    MatmulTile::Shape shape = {mr_, nr_, false, false};
    shape.prefetch = true;
    Tile("ahead", shape, Form(use, EvenBlocks(kc_)), all_rows_, 256);
    return use;
  }

  // `masked`: with the columns behind the last whole tile.
  Expr Direct(const Expr& others, const Expr& masked) {
    const Expr column = masked && in_.n < nr_, use = others && (Near() || column);
    const Expr edge = select(area_ <= 1 << 12, 32, area_ <= 1 << 16, 64, 128);
    const Expr one_task = work_ <= kMultiplyAdds;
    const Expr rows = select(one_task, all_rows_, edge),
               cols = select(one_task, all_cols_, 2 * edge);
    MatmulTile::Shape shape = {mr_, nr_, false, false};
    Tile("direct", shape, Form(use && !masked, in_.k), rows, cols, all_cols_);
    shape.ragged = true;
    if (many_registers_) {
      const Expr block = select(column, EvenBlocks(kc_), in_.k);
      Tile("masked", shape, Form(use && masked, block), rows, cols, all_cols_);
    }
    return use;
  }

  void Packed(const Expr& use) {
    // A transposed A is read in steps of its rows, which are slow where they are long.
    const Expr pack_a = in_.m > 512;
    Packed("packed", in_.transpose_a ? use && !pack_a : use, false);
    if (in_.transpose_a) Packed("both_packed", use && pack_a, true);
  }

  void Packed(const char* name, const Expr& use, bool pack_a) {
    const Expr one_task = work_ <= kMultiplyAdds;
    const Expr edge = select(area_ <= 1 << 15, 64, area_ <= 1 << 16, 128, area_ <= 1 << 18, 256,
                             area_ <= 1 << 20, 512, 1024);
    Tile(name, {mr_, nr_, pack_a, true}, Form(use, EvenBlocks(kc_)),
         select(one_task, all_rows_, edge), select(one_task, all_cols_, edge), 256);
  }

  // The columns from `first` on, which are no whole tiles of the other forms. (A choice in `first`
  // would become one in the indices of the packed B: gathers.)
  void Narrow(const Expr& others, const Expr& first) {
    const Expr use = others && in_.n > first;
    const Expr packed_rows = Halide::max(TermsShare(kMultiplyAdds / 4) / lanes_, 64);
    if (in_.transpose_b || !many_registers_) return Narrow("narrow", use, first, packed_rows);
    Narrow("near_narrow", use && in_.m <= 64, first, 32, /*pack_b=*/false);
    Narrow("narrow", use && in_.m > 64, first, packed_rows);
  }

  void Narrow(const char* name, const Expr& use, const Expr& first, const Expr& most_rows,
              bool pack_b = true) {
    MatmulForm form = Form(use, EvenBlocks(kc_));
    form.first_col = first;
    Tile(name, {8, lanes_, false, pack_b, true}, form, most_rows, all_cols_, all_cols_);
  }

  // Whether B is read in place: it is small, or its copy would not be read often enough.
  Expr Near() const {
    return in_.k <= 8 ||
           ((in_.m <= 64 || !Aliased()) &&
            (work_ <= 320 * 320 * 320 || (in_.k <= 512 && (in_.m <= 128 || in_.n <= 512))));
  }

  // Rows of B that are a multiple of 4 KB apart meet in the same sets of the first cache.
  Expr Aliased() const { return in_.n >= 1024 && in_.n % 1024 == 0; }

  // How many rows or columns of k terms make `count` multiply-adds.
  Expr TermsShare(int count) const { return count / Halide::max(in_.k, 1); }

  // Columns of a task that reads B once.
  Expr StreamCols() const {
    return select(work_ <= kMultiplyAdds / 2, all_cols_, clamp(in_.n / 2, 256, 1024));
  }

  // Blocks of even size, which is a multiple of the vector.
  Expr EvenBlocks(const Expr& most) const {
    return CeilDiv(in_.k, CeilDiv(in_.k, most) * lanes_) * lanes_;
  }

  MatmulForm Form(const Expr& use, const Expr& size) const {
    return {use, 0, size, CeilDiv(in_.k, size)};
  }

  // The parts of a form that exist for one tile of y at a time.
  template <typename Form>
  void OneTile(Func& f, const Form& t, int mr, int nr, const RVar& level) const {
    f.compute_at(op_.y, level)
        .store_in(MemoryType::Stack)
        .bound_extent(t.col, nr)
        .bound_extent(t.row, mr)
        .bound_extent(t.block, 1)
        .bound_extent(t.batch, 1);
  }

  void Tile(const char* name, const MatmulTile::Shape& shape, const MatmulForm& form,
            const Expr& most_rows, const Expr& most_cols, const Expr& along = Expr()) {
    MatmulTile t(name, shape, in_, form, lanes_);
    Stage y = op_.Add(t);
    v_.Apply(y, t.r, shape.mr, shape.nr,
             TaskShape(in_.m, in_.n, shape.mr, shape.nr, most_rows, most_cols), along);
    y.vectorize(v_.col, lanes_, kGuard).unroll(v_.col).unroll(v_.row).never_partition_all();
    OneTile(t.sum, t, shape.mr, shape.nr, along.defined() ? v_.col_tile : v_.row_tile);
    t.sum.vectorize(t.col, lanes_, TailStrategy::RoundUp).unroll(t.col).unroll(t.row);
    t.sum.update()
        .reorder({t.col, t.row, t.k})
        .vectorize(t.col, lanes_, TailStrategy::RoundUp)
        .unroll(t.col)
        .unroll(t.row);
    if (shape.prefetch) {
      t.prefetch.compute_at(t.sum, t.k).store_in(MemoryType::Stack);
      for (const Var& v : t.prefetch.args()) t.prefetch.bound_extent(v, 1);
    }
    if (shape.pack_a) PackA(t);
    if (shape.pack_b) PackB(t);
  }

  void PackA(MatmulTile& t) const {
    const Var group("group");
    t.a_panel.compute_at(op_.y, t.r.w)
        .bound(t.row, 0, 2 * t.shape.mr)
        .bound_storage(t.term, kc_ + lanes_)
        .split(t.row_panel, group, t.row_panel, 16, kGuard)
        .reorder({t.row, t.row_panel, t.term, group})
        .vectorize(t.row);
  }

  void PackB(MatmulTile& t) const {
    t.b_panel.compute_at(op_.y, v_.col_block).bound(t.col, 0, t.shape.nr);
    if (in_.transpose_b) {
      const Var inner_terms("inner_terms"), cols("cols");
      t.b_panel.align_bounds(t.term, lanes_)
          .split(t.term, t.term, inner_terms, lanes_, TailStrategy::RoundUp)
          .split(t.col, t.col, cols, lanes_, TailStrategy::RoundUp)
          .reorder({cols, inner_terms, t.col, t.term, t.col_panel})
          .vectorize(cols)
          .unroll(inner_terms);
      t.b_line.compute_at(t.b_panel, t.col)
          .store_in(MemoryType::Stack)
          .bound(t.b_term, 0, lanes_)
          .bound(t.b_col, 0, lanes_)
          .bound_extent(t.square, 1)
          .bound_extent(t.terms, 1)
          .vectorize(t.b_term)
          .unroll(t.b_col);
      ScheduleShuffles(t.b_square, lanes_ * lanes_, lanes_, {t.b_panel, t.col});
    } else {
      // Eight panels at a time: long contiguous reads.
      const Var group("group");
      t.b_panel.split(t.col_panel, group, t.col_panel, 8, kGuard)
          .reorder({t.col, t.col_panel, t.term, group})
          .vectorize(t.col, lanes_, TailStrategy::RoundUp)
          .unroll(t.col);
    }
  }

  void ScheduleDots(MatmulDots& d, const TaskShape& shape) {
    Stage y = op_.Add(d);
    v_.Apply(y, d.r, d.mr, d.nr, shape);
    y.unroll(v_.col).unroll(v_.row).never_partition_all();
    if (in_.transpose_a) d.a_row.compute_at(op_.y, d.r.w);
    for (Func* f : {&d.partial, &d.sum}) {
      OneTile(*f, d, d.mr, d.nr, v_.row_tile);
      f->unroll(d.row).unroll(d.col);
    }
    d.partial.bound(d.lane, 0, lanes_).vectorize(d.lane);
    for (int i : {0, 1}) {
      d.partial.update(i)
          .reorder({d.lane, d.row, d.col, i == 0 ? d.k : d.tail})
          .vectorize(d.lane)
          .unroll(d.row)
          .unroll(d.col);
    }
    d.sum.update().reorder({d.lane_sum, d.col, d.row}).atomic().vectorize(d.lane_sum);
    d.sum.update().unroll(d.row).unroll(d.col);
  }

  const MatmulOperands& in_;
  BlockedMatmul& op_;
  const int lanes_;
  const bool many_registers_;  // 32 vector registers, not 16
  const int mr_, nr_, rows_nr_, single_rows_, kc_;
  const Expr all_rows_, all_cols_;  // most rows and columns of a task that is not cut
  const Expr area_, work_;          // m * n and m * n * k
  const Loops v_;
};

// A block of tile x tile elements, 4 x 4 a thread. Steps of both operands pass through shared
// memory, in which the sums of the block stay too; a thread keeps its share of a step in registers.
void ScheduleGpu(Matmul& op, const MatmulOperands& in, int tile) {
  const int each = 4, threads = tile / each;
  const Var block_col("block_col"), block_row("block_row");
  const Var thread_col("thread_col"), thread_row("thread_row");
  ScheduleUndefinedGpu(op.y);
  op.y.update()
      .split(op.col, block_col, op.col, tile, kGuard)
      .split(op.row, block_row, op.row, tile, kGuard)
      .split(op.col, thread_col, op.col, each, kGuard)
      .split(op.row, thread_row, op.row, each, kGuard)
      .reorder(op.col, op.row, thread_col, thread_row, block_col, block_row, op.batch)
      .gpu_threads(thread_col, thread_row)
      .gpu_blocks(block_col, block_row, op.batch);
  const auto per_thread = [&](Stage stage) {
    stage.split(op.col, thread_col, op.col, each, TailStrategy::RoundUp)
        .split(op.row, thread_row, op.row, each, TailStrategy::RoundUp)
        .reorder(op.col, op.row, thread_col, thread_row)
        .unroll(op.col)
        .unroll(op.row)
        .gpu_threads(thread_col, thread_row);
  };
  op.sum.compute_at(op.y, block_col)
      .store_in(MemoryType::GPUShared)
      .bound_extent(op.col, tile)
      .bound_extent(op.row, tile);
  per_thread(op.sum);
  per_thread(op.sum.update());
  op.sum.update().reorder(op.col, op.row, thread_col, thread_row, op.steps);
  op.part.compute_at(op.sum, thread_col).unroll(op.col).unroll(op.row);
  op.part.update().reorder(op.col, op.row, op.t).unroll(op.col).unroll(op.row);
  // Neighbouring threads load neighbouring elements.
  const auto stage_operand = [&](Func& f, const Var& contiguous, const Var& other) {
    f.compute_at(op.sum, op.steps)
        .store_in(MemoryType::GPUShared)
        .split(contiguous, contiguous, thread_col, threads, kGuard)
        .split(other, other, thread_row, threads, kGuard)
        .reorder(contiguous, other, thread_col, thread_row)
        .gpu_threads(thread_col, thread_row);
  };
  stage_operand(op.a_step, in.transpose_a ? op.row : op.term, in.transpose_a ? op.term : op.row);
  stage_operand(op.b_step, in.transpose_b ? op.term : op.col, in.transpose_b ? op.col : op.term);
}

class MatmulKernel : public OpGenerator<MatmulKernel> {
 public:
  Halide::GeneratorParam<bool> transpose_a{"transpose_a", false};
  Halide::GeneratorParam<bool> transpose_b{"transpose_b", false};
  Input<Buffer> a{"a", 3}, b{"b", 3}, bias{"bias", 1};  // bias is read if it is added
  Input<bool> adds_bias{"adds_bias"}, accumulate_y{"accumulate_y"};
  Output<Buffer> y{"y", 3};

  void configure() { SetType(a, b, bias, y); }

  void generate() {
    const int a_row = transpose_a ? 0 : 1, b_col = transpose_b ? 1 : 0;
    const Expr n = b.dim(b_col).extent(), m = a.dim(a_row).extent(), k = a.dim(1 - a_row).extent();
    const Expr batch = a.dim(2).extent();
    ZeroMin(a, 3);
    ZeroMin(b, 3);
    ZeroMin(bias, 1, /*any_stride=*/true);
    bias.dim(0).set_extent(m);
    b.dim(1 - b_col).set_extent(k);
    b.dim(2).set_extent(batch);
    y.dim(0).set_bounds(0, n);
    y.dim(1).set_bounds(0, m);
    y.dim(2).set_bounds(0, batch);
    const MatmulOperands in{a, b,     transpose_a,  transpose_b, n,         m,
                            k, batch, accumulate_y, bias,        adds_bias, dtype};
    if (get_target().has_gpu_feature()) {
      // 48 KB of shared memory hold the sums and the steps of such a block.
      Matmul op(in, /*terms=*/16);
      ScheduleGpu(op, in, in.type.bits() == 64 ? 32 : 64);
      y = op.y;
    } else {
      BlockedMatmul op(in);
      CpuScheduler(in, get_target(), Numbers(), op).Schedule();
      y = op.y;
    }
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::MatmulKernel, matmul)
