// SPDX-License-Identifier: Apache-2.0
//
// Matrix product of a batch, y[col, row, batch] = prior + sum_k A[k, row, batch] * B[col, k, batch]
// with col < n, row < m, k < K; prior is y itself, bias[row] or 0. Either operand may be stored
// transposed.
// Matmul is the plain formula. BlockedMatmul is the same sum cut into blocks of k and register
// tiles (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008), in
// several forms of tile, one of which is used for a given size.
#ifndef HALITE_OPS_ALGORITHMS_MATMUL_H_
#define HALITE_OPS_ALGORITHMS_MATMUL_H_

#include <string>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/axis.h"
#include "halite/ops/algorithms/ceil_div.h"
#include "halite/ops/algorithms/shuffle.h"

namespace halite {

// The operands as stored: a(k, row, batch), or a(row, k, batch) with transpose_a; b(col, k, batch),
// or b(k, col, batch) with transpose_b.
struct MatmulOperands {
  Halide::ImageParam a, b;
  bool transpose_a, transpose_b;
  Halide::Expr n, m, k, batch;  // columns, rows, terms of the sum, matrices
  Halide::Expr accumulate;      // prior = y
  Halide::ImageParam bias;      // of a row
  Halide::Expr adds_bias;       // prior = bias, if it is not y
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

// Asks for the cache line of an element of `in`, which need not exist; 0. (Halide's own directive
// asks for every fourth line of floats, and all that a loop meets at once.)
inline Halide::Expr Prefetch(const Halide::ImageParam& in, const std::vector<Halide::Expr>& at) {
  using namespace Halide::Internal;
  Halide::Expr offset = at[0];
  for (int d = 1; d < in.dimensions(); ++d) offset += at[d] * in.dim(d).stride();
  const Halide::Expr memory = Variable::make(Halide::Handle(), in.name(), in.parameter());
  return Call::make(Halide::Int(32), Call::prefetch, {memory, offset, 1, 1}, Call::Intrinsic);
}

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
    y(col, row, batch) =
        select(in.accumulate, y(col, row, batch), in.adds_bias, in.bias(row), zero) +
        sum(col, row, batch);
  }
};

// When a form of tile is used, the first column that it computes (those before it belong to other
// forms), and its blocks of the k sum: block `i` holds the terms from i * size up to
// (i + 1) * size or K.
struct MatmulForm {
  Halide::Expr use, first_col, size, count;

  Halide::Expr Terms(const Halide::Expr& block, const Halide::Expr& k) const {
    return Halide::min(size, k - block * size);
  }
  // The elements of y, block by block, in whole tiles of `multiple` columns. The bounds of r.y and
  // r.z are stated again because Halide cannot derive them where these loops are fused.
  Halide::RDom Domain(const std::string& name, const MatmulOperands& in, int multiple) const {
    const Halide::Expr cols = (in.n - first_col) / multiple * multiple;
    Halide::RDom r({{first_col, cols}, {0, in.m}, {0, in.batch}, {0, count}}, name);
    r.where(use && r.y >= 0 && r.z >= 0 && r.z < in.batch);
    return r;
  }
};

// A tile of mr x nr elements, summed over one block of k. An operand that is not packed is read in
// place. Panels are copies in scratch memory of nr columns of B and of two tiles' rows of A, which
// are whole cache lines of a transposed A; rows and columns beyond the matrix are 0 there, and
// their sums are not stored. A ragged B that is read in place is masked. REQUIRES: a plain B, not
// packed, if prefetch; it is for the rows of one task.
struct MatmulTile {
  struct Shape {
    int mr, nr;
    bool pack_a, pack_b;
    bool ragged = false;    // also computes the columns behind the last whole tile
    bool prefetch = false;  // of the next columns of B
  };

  Shape shape;
  MatmulForm form;
  Halide::Var col{"col"}, row{"row"}, row_panel{"row_panel"}, col_panel{"col_panel"};
  Halide::Var term{"term"}, block{"block"}, batch{"batch"};
  Halide::RDom r, k;
  Halide::Func a_panel, b_panel, sum;
  Halide::Func prefetch;  // 0, a term of the sum at a time
  // A transposed B is packed through squares of lanes x lanes elements, transposed in registers.
  Halide::Var b_term{"b_term"}, b_col{"b_col"}, b_index{"b_index"}, square{"square"},
      terms{"terms"};
  Halide::Func b_line;
  std::vector<Halide::Func> b_square;

  MatmulTile(const std::string& name, const Shape& tile, const MatmulOperands& in,
             const MatmulForm& form_in, int lanes)
      : shape(tile),
        form(form_in),
        r(form.Domain(name, in, tile.ragged ? 1 : tile.nr)),
        k(0, form.size, name + "_k"),
        a_panel(name + "_a_panel"),
        b_panel(name + "_b_panel"),
        sum(name + "_sum"),
        prefetch(name + "_prefetch"),
        b_line(name + "_b_line") {
    using namespace Halide;
    if (shape.pack_a) PackA(in);
    if (shape.pack_b) PackB(in, lanes);
    const Expr i = Promise(min(row, in.m - 1), in.m), panel_row = row % (2 * shape.mr);
    const Expr j = Promise(col, in.n), in_form = col - form.first_col;
    Expr t = block * form.size + k;
    if (shape.prefetch) {
      PrefetchB(in);
      t += prefetch(in_form / shape.nr, row / shape.mr, k, block, clamp(batch, 0, in.batch - 1));
    }
    t = Promise(t, in.k);
    k.where(k < in.k - block * form.size);
    const Expr a =
        shape.pack_a ? Expr(a_panel(panel_row, t, row / (2 * shape.mr), batch)) : in.A(t, i, batch);
    Expr b = in.B(j, t, batch);
    if (shape.pack_b) {
      b = b_panel(in_form % shape.nr, t, in_form / shape.nr, batch);
    } else if (shape.ragged) {
      b = MaskedLoad(col < in.n, b);
    }
    sum(col, row, block, batch) = cast(in.type, 0);
    sum(col, row, block, batch) += a * b;
  }

 private:
  // Each tile asks for its share of the next columns, which its first terms hold; of few terms each
  // tile asks for all, which costs less than the shares' addresses.
  void PrefetchB(const MatmulOperands& in) {
    using namespace Halide;
    const Expr share = CeilDiv(form.size, CeilDiv(in.m, shape.mr)), shares = form.size > 128;
    const Expr t = block * form.size + select(shares, row * share, 0) +
                   min(term, select(shares, share, form.size));
    const int line = 64 / in.type.bytes();
    Expr lines = 0;
    for (int c = 0; c < shape.nr; c += line) {
      lines += Prefetch(in.b, {form.first_col + (col + 1) * shape.nr + c + line - 1, t, batch});
    }
    prefetch(col, row, term, block, batch) = lines;
  }

  void PackA(const MatmulOperands& in) {
    using namespace Halide;
    const Expr i = row_panel * (2 * shape.mr) + row;
    a_panel(row, term, row_panel, batch) =
        IfExists(i < in.m, in.A(term, Promise(i, in.m), batch), cast(in.type, 0));
  }

  void PackB(const MatmulOperands& in, int lanes) {
    using namespace Halide;
    const Expr j = form.first_col + col_panel * shape.nr;
    if (in.transpose_b) {
      b_line(b_term, b_col, square, terms, col_panel, batch) =
          IfExists(terms * lanes + b_term < in.k,
                   in.B(min(j + square * lanes + b_col, in.n - 1),
                        Promise(terms * lanes + b_term, in.k), batch),
                   cast(in.type, 0));
      Func list(b_panel.name() + "_square");
      list(b_index, square, terms, col_panel, batch) =
          b_line(b_index % lanes, b_index / lanes, square, terms, col_panel, batch);
      b_square = Shuffles(list, lanes, lanes);
      b_panel(col, term, col_panel, batch) = b_square.back()(
          term % lanes * lanes + col % lanes, col / lanes, term / lanes, col_panel, batch);
    } else {
      const Expr element = in.B(Promise(j + col, in.n), term, batch);
      b_panel(col, term, col_panel, batch) =
          shape.ragged ? IfExists(j + col < in.n, element, cast(in.type, 0)) : element;
    }
  }
};

// A tile of mr x nr inner products for B stored transposed, where k runs along both operands:
// `lanes` partial sums an element, which are added up at the end of the block. Neither operand is
// packed, but A is copied into rows along k where it is stored transposed. REQUIRES: K >= lanes.
struct MatmulDots {
  int mr, nr;
  MatmulForm form;
  Halide::Var lane{"lane"}, col{"col"}, row{"row"};
  Halide::Var term{"term"}, block{"block"}, batch{"batch"};
  Halide::RDom r, k, tail, lane_sum;
  Halide::Func a_row, partial, sum;

  MatmulDots(const std::string& name, int tile_rows, int tile_cols, const MatmulOperands& in,
             const MatmulForm& form_in, int lanes)
      : mr(tile_rows),
        nr(tile_cols),
        form(form_in),
        r(form.Domain(name, in, 1)),
        k(0, form.size / lanes, name + "_k"),
        tail(0, 1, name + "_tail"),
        lane_sum(0, lanes, name + "_lane"),
        a_row(name + "_a_row"),
        partial(name + "_partial"),
        sum(name + "_sum") {
    using namespace Halide;
    const Expr j = clamp(col, 0, in.n - 1);
    const Expr i = clamp(row, 0, in.m - 1);
    a_row(term, row, batch) = in.A(term, row, batch);
    const auto product = [&](const Expr& term_index) {
      const Expr t = Promise(term_index, in.k);
      return (in.transpose_a ? Expr(a_row(t, i, batch)) : in.A(t, i, batch)) * in.B(j, t, batch);
    };
    const Expr terms = form.Terms(block, in.k), left = terms % lanes;
    partial(lane, row, col, block, batch) = cast(in.type, 0);
    k.where(k < terms / lanes);
    partial(lane, row, col, block, batch) += product(block * form.size + k * lanes + lane);
    // What is left ends at K: the vector of the last `lanes` terms, without those summed already.
    tail.where(left > 0);
    partial(lane, row, col, block, batch) +=
        select(lane >= lanes - left, product(in.k - lanes + lane + tail), cast(in.type, 0));
    sum(col, row, block, batch) = cast(in.type, 0);
    sum(col, row, block, batch) += partial(lane_sum, row, col, block, batch);
  }
};

// Each form is one update of y. For each column exactly one of them has use = true. An update is
// written over an RDom because a guarded AVX-512 update over a pure Var assumes that y is aligned.
// The prior y is loaded behind a branch: a select would wait for memory that it does not use.
struct BlockedMatmul {
  Halide::Var col{"col"}, row{"row"}, batch{"batch"};
  Halide::Func y{"matmul"};

  explicit BlockedMatmul(const MatmulOperands& in) : in_(in) {
    y(col, row, batch) = Halide::undef(in.type);
  }

  // Adds the update of a MatmulTile or MatmulDots.
  template <typename Form>
  Halide::Stage Add(const Form& t) {
    const Halide::RDom& r = t.r;
    const Halide::Expr adds_y = r.w > 0 || in_.accumulate;
    const Halide::Expr prior =
        Branch(adds_y || in_.adds_bias, Branch(adds_y, y(r.x, r.y, r.z), in_.bias(r.y)),
               Halide::cast(in_.type, 0));
    y(r.x, r.y, r.z) = prior + t.sum(r.x, r.y, r.w, r.z);
    return y.update(y.num_update_definitions() - 1);
  }

 private:
  static Halide::Expr Branch(const Halide::Expr& condition, const Halide::Expr& a,
                             const Halide::Expr& b) {
    using Halide::Internal::Call;
    return Call::make(a.type(), Call::if_then_else, {condition, a, b}, Call::PureIntrinsic);
  }

  MatmulOperands in_;
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_MATMUL_H_
