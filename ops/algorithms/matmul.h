// SPDX-License-Identifier: Apache-2.0
//
// Matrix product of a batch, y[col, row, batch] = prior + sum_k A[k, row, batch] * B[col, k, batch]
// with col < n, row < m, k < K; prior is y itself or 0. Either operand may be stored transposed.
// Matmul is the plain formula. BlockedMatmul is the same sum cut into blocks of k and register
// tiles (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008), in
// several forms of tile, one of which is used for a given size.
#ifndef HALITE_OPS_ALGORITHMS_MATMUL_H_
#define HALITE_OPS_ALGORITHMS_MATMUL_H_

#include <string>

#include "Halide.h"

namespace halite {

// The operands as stored: a(k, row, batch), or a(row, k, batch) with transpose_a; b(col, k, batch),
// or b(k, col, batch) with transpose_b.
struct MatmulOperands {
  Halide::Func a, b;
  bool transpose_a, transpose_b;
  Halide::Expr n, m, k, batch;  // columns, rows, terms of the sum, matrices
  Halide::Expr accumulate;      // true: prior = y; false: prior = 0
  Halide::Type type;

  // The clamp tells Halide what a loop over fused tasks hides: that `matrix` is in range.
  Halide::Expr A(const Halide::Expr& term, const Halide::Expr& row,
                 const Halide::Expr& matrix) const {
    const Halide::Expr z = Halide::clamp(matrix, 0, batch - 1);
    return transpose_a ? a(row, term, z) : a(term, row, z);
  }
  Halide::Expr B(const Halide::Expr& col, const Halide::Expr& term,
                 const Halide::Expr& matrix) const {
    const Halide::Expr z = Halide::clamp(matrix, 0, batch - 1);
    return transpose_b ? b(term, col, z) : b(col, term, z);
  }
};

// `index`, known to lie in [0, extent).
inline Halide::Expr Promise(const Halide::Expr& index, const Halide::Expr& extent) {
  return Halide::unsafe_promise_clamped(index, 0, extent - 1);
}

// The sum in steps of `step` terms: a_step and b_step hold the operands of a step, zero beyond K,
// and part its share of the sum.
struct Matmul {
  Halide::Var col{"col"}, row{"row"}, term{"term"}, step{"step"}, batch{"batch"};
  Halide::RDom t, steps;
  Halide::Func a_step{"a_step"}, b_step{"b_step"}, part{"part"}, sum{"sum"}, y{"matmul"};

  Matmul(const MatmulOperands& in, int terms)
      : t(0, terms, "t"), steps(0, (in.k + terms - 1) / terms, "steps") {
    using namespace Halide;
    const Expr zero = cast(in.type, 0), k = min(term, in.k - 1);
    a_step(term, row, batch) = select(term < in.k, in.A(k, min(row, in.m - 1), batch), zero);
    b_step(col, term, batch) = select(term < in.k, in.B(min(col, in.n - 1), k, batch), zero);
    part(col, row, step, batch) = zero;
    part(col, row, step, batch) +=
        a_step(step * terms + t, row, batch) * b_step(col, step * terms + t, batch);
    sum(col, row, batch) = zero;
    sum(col, row, batch) += part(col, row, steps, batch);
    y(col, row, batch) = undef(in.type);
    y(col, row, batch) = select(in.accumulate, y(col, row, batch), zero) + sum(col, row, batch);
  }
};

// When a form of tile is used, and its blocks of the k sum: block `i` holds the terms from
// i * size up to (i + 1) * size or K.
struct MatmulForm {
  Halide::Expr use, size, count;

  Halide::Expr Terms(const Halide::Expr& block, const Halide::Expr& k) const {
    return Halide::min(size, k - block * size);
  }
  // The elements of y, block by block. The bounds of r.y and r.z are stated again because Halide
  // cannot derive them where these loops are fused.
  Halide::RDom Domain(const std::string& name, const MatmulOperands& in) const {
    Halide::RDom r({{0, in.n}, {0, in.m}, {0, in.batch}, {0, count}}, name);
    r.where(use && r.y >= 0 && r.z >= 0 && r.z < in.batch);
    return r;
  }
};

// Where tile `index` of `size` elements starts: the last tile ends with the extent, so that it is
// full wherever the extent holds one tile.
inline Halide::Expr TileStart(const Halide::Expr& index, int size, const Halide::Expr& extent) {
  return Halide::max(Halide::min(index * size, extent - size), 0);
}

// A tile of mr x nr elements, summed over one block of k. A panel is mr rows of A (nr columns of B)
// copied to scratch memory; where the matrix is narrower than the panel the rest is undefined and
// the products with it are not stored. An operand that is not packed is read in place.
// REQUIRES: n >= nr if `wide`, which lets whole rows of B be copied and read.
struct MatmulTile {
  struct Shape {
    int mr, nr;
    bool pack_a, pack_b, wide;
  };

  Shape shape;
  Halide::Var col{"col"}, row{"row"}, col_tile{"col_tile"}, row_tile{"row_tile"};
  Halide::Var term{"term"}, block{"block"}, batch{"batch"};
  Halide::Var square_col{"square_col"}, square_term{"square_term"};
  Halide::RDom r, k, a_rows, b_cols, b_terms;
  Halide::Func a_panel, b_panel, b_square, sum;

  // A transposed B is packed through squares of lanes x lanes elements.
  MatmulTile(const std::string& name, const Shape& tile, const MatmulOperands& in,
             const MatmulForm& form, int lanes)
      : shape(tile),
        r(form.Domain(name, in)),
        k(0, form.size, name + "_k"),
        a_rows(0, Halide::min(tile.mr, in.m), name + "_a_rows"),
        b_cols(0, tile.wide ? Halide::Expr(tile.nr) : Halide::min(tile.nr, in.n), name + "_b_cols"),
        b_terms(0, Halide::min(lanes, in.k), name + "_b_terms"),
        a_panel(name + "_a_panel"),
        b_panel(name + "_b_panel"),
        b_square(name + "_b_square"),
        sum(name + "_sum") {
    using namespace Halide;
    if (shape.pack_a) PackA(in);
    if (shape.pack_b) PackB(in, lanes);
    const Expr t = Promise(block * form.size + k, in.k);
    k.where(k < in.k - block * form.size);
    const Expr i = clamp(row_tile * shape.mr + row, 0, in.m - 1);
    const Expr j = Promise(TileStart(col_tile, shape.nr, in.n) + col, in.n);
    const Expr a = shape.pack_a ? Expr(a_panel(row, t, row_tile, batch)) : in.A(t, i, batch);
    const Expr b = shape.pack_b ? Expr(b_panel(col, t, col_tile, batch)) : in.B(j, t, batch);
    sum(col, row, col_tile, row_tile, block, batch) = cast(in.type, 0);
    sum(col, row, col_tile, row_tile, block, batch) += a * b;
  }

  // The sum that belongs to element (r.x, r.y) of matrix r.z and block r.w.
  Halide::Expr At(const MatmulOperands& in) const {
    using namespace Halide;
    const Expr jt = r.x / shape.nr, it = r.y / shape.mr;
    const Expr row = ShiftedRows(in) ? r.y - TileStart(it, shape.mr, in.m) : r.y % shape.mr;
    return sum(r.x - TileStart(jt, shape.nr, in.n), row, jt, it, r.w, r.z);
  }

 private:
  bool ShiftedRows(const MatmulOperands& in) const { return shape.pack_a && in.transpose_a; }

  void PackA(const MatmulOperands& in) {
    using namespace Halide;
    if (ShiftedRows(in)) {
      const Expr i = TileStart(row_tile, shape.mr, in.m) + a_rows;
      a_panel(row, term, row_tile, batch) = undef(in.type);
      a_panel(a_rows, term, row_tile, batch) = in.A(term, i, batch);
    } else {
      const Expr i = clamp(row_tile * shape.mr + row, 0, in.m - 1);
      a_panel(row, term, row_tile, batch) = in.A(term, i, batch);
    }
  }

  void PackB(const MatmulOperands& in, int lanes) {
    using namespace Halide;
    const Expr j = TileStart(col_tile, shape.nr, in.n);
    if (in.transpose_b) {
      const Expr first = TileStart(term, lanes, in.k);
      b_square(square_term, square_col, term, col_tile, batch) = undef(in.type);
      b_square(b_terms, square_col, term, col_tile, batch) =
          in.B(min(j + square_col, in.n - 1), first + b_terms, batch);
      const Expr t = min(term - TileStart(term / lanes, lanes, in.k), lanes - 1);
      b_panel(col, term, col_tile, batch) = b_square(t, col, term / lanes, col_tile, batch);
    } else {
      b_panel(col, term, col_tile, batch) = undef(in.type);
      b_panel(b_cols, term, col_tile, batch) =
          in.B(shape.wide ? Promise(j + b_cols, in.n) : j + b_cols, term, batch);
    }
  }
};

// A tile of mr x nr inner products for B stored transposed, where k runs along both operands:
// `lanes` partial sums an element, which are added up at the end of the block. Neither operand is
// packed, but A is copied into rows along k where it is stored transposed. REQUIRES: K >= lanes.
struct MatmulDots {
  int mr, nr;
  Halide::Var lane{"lane"}, col{"col"}, row{"row"}, col_tile{"col_tile"}, row_tile{"row_tile"};
  Halide::Var term{"term"}, block{"block"}, batch{"batch"};
  Halide::RDom r, k, tail, lane_sum;
  Halide::Func a_row{"dots_a_row"}, partial{"dots_partial"}, sum{"dots_sum"};

  MatmulDots(int tile_rows, int tile_cols, const MatmulOperands& in, const MatmulForm& form,
             int lanes)
      : mr(tile_rows),
        nr(tile_cols),
        r(form.Domain("dots", in)),
        k(0, form.size / lanes, "dots_k"),
        tail(0, 1, "dots_tail"),
        lane_sum(0, lanes, "dots_lane") {
    using namespace Halide;
    const Expr j = clamp(col_tile * nr + col, 0, in.n - 1);
    const Expr i = clamp(row_tile * mr + row, 0, in.m - 1);
    a_row(term, row, batch) = in.A(term, row, batch);
    const auto product = [&](const Expr& term_index) {
      const Expr t = Promise(term_index, in.k);
      return (in.transpose_a ? Expr(a_row(t, i, batch)) : in.A(t, i, batch)) * in.B(j, t, batch);
    };
    const Expr terms = form.Terms(block, in.k), left = terms % lanes;
    partial(lane, row, col, col_tile, row_tile, block, batch) = cast(in.type, 0);
    k.where(k < terms / lanes);
    partial(lane, row, col, col_tile, row_tile, block, batch) +=
        product(block * form.size + k * lanes + lane);
    // What is left ends at K: the vector of the last `lanes` terms, without those summed already.
    tail.where(left > 0);
    partial(lane, row, col, col_tile, row_tile, block, batch) +=
        select(lane >= lanes - left, product(in.k - lanes + lane + tail), cast(in.type, 0));
    sum(col, row, col_tile, row_tile, block, batch) = cast(in.type, 0);
    sum(col, row, col_tile, row_tile, block, batch) +=
        partial(lane_sum, row, col, col_tile, row_tile, block, batch);
  }

  Halide::Expr At(const MatmulOperands&) const {
    return sum(r.x % nr, r.y % mr, r.x / nr, r.y / mr, r.w, r.z);
  }
};

// Each form is one update of y, of which exactly one has use = true. An update is written over an
// RDom because a guarded AVX-512 update over a pure Var assumes that y is aligned. Without
// `accumulate` the prior y may be loaded but is never used, so that NaN there does no harm.
struct BlockedMatmul {
  Halide::Var col{"col"}, row{"row"}, batch{"batch"};
  Halide::Func y{"matmul"};

  explicit BlockedMatmul(const MatmulOperands& in) : in_(in) {
    y(col, row, batch) = Halide::undef(in.type);
  }

  // Adds the update of a MatmulTile or MatmulDots.
  template <typename Form>
  Halide::Stage Add(const Form& form) {
    const Halide::RDom& r = form.r;
    const Halide::Expr prior =
        Halide::select(r.w > 0 || in_.accumulate, y(r.x, r.y, r.z), Halide::cast(in_.type, 0));
    y(r.x, r.y, r.z) = prior + form.At(in_);
    return y.update(y.num_update_definitions() - 1);
  }

 private:
  MatmulOperands in_;
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_MATMUL_H_
