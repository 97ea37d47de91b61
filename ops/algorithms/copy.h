// SPDX-License-Identifier: Apache-2.0
//
// Copy: y[i] = (accumulate ? y[i] : 0) + x[i] over four dimensions, where x and y have strides of
// their own. Slices, concatenations, broadcasts, transpositions and their gradients are copies.
#ifndef HALITE_OPS_ALGORITHMS_COPY_H_
#define HALITE_OPS_ALGORITHMS_COPY_H_

#include <string>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/accumulate.h"
#include "halite/ops/algorithms/shuffle.h"

namespace halite {

struct Copy : Accumulated {
  static constexpr int kRank = 4;

  Copy(const Halide::Func& x, const std::vector<Halide::Expr>& extents, Halide::Expr accumulate_in)
      : Accumulated("copy", x, extents, accumulate_in) {}
};

// The same where x is contiguous along i1 and y along i0, in tiles of `line` times `line` elements
// and two strips beside them. In a tile squares of `lanes` (a power of two) times `lanes` are
// transposed in registers.
struct Transpose {
  Halide::Var i0{"i0"}, i1{"i1"}, i2{"i2"}, i3{"i3"};
  Halide::Var k{"k"}, square0{"square0"}, square1{"square1"};
  Halide::RDom tiles, right, below;  // right: i0 behind the tiles; below: i1 behind them
  Halide::Func rows{"rows"}, y{"transpose"};
  std::vector<Halide::Func> shuffles;
  Halide::Expr accumulate;
  int line, lanes;

  // REQUIRES: `extents` of rank 4; line % lanes = 0.
  Transpose(const Halide::Func& x, const std::vector<Halide::Expr>& extents,
            Halide::Expr accumulate_in, int line_in, int lanes_in)
      : accumulate(accumulate_in), line(line_in), lanes(lanes_in) {
    using Halide::Expr;
    const Expr n0 = extents[0], n1 = extents[1], n2 = extents[2], n3 = extents[3];
    const Expr whole0 = n0 / line * line, whole1 = n1 / line * line;
    tiles = Halide::RDom({{0, whole0}, {0, whole1}, {0, n2}, {0, n3}}, "tiles");
    right = Halide::RDom({{whole0, n0 - whole0}, {0, n1}, {0, n2}, {0, n3}}, "right");
    below = Halide::RDom({{0, whole0}, {whole1, n1 - whole1}, {0, n2}, {0, n3}}, "below");
    rows(i1, i0, i2, i3) = x(Halide::unsafe_promise_clamped(i0, 0, n0 - 1),
                             Halide::unsafe_promise_clamped(i1, 0, n1 - 1), i2, i3);
    Halide::Func square("square");
    square(k, square0, square1, i2, i3) =
        rows(square1 * lanes + k % lanes, square0 * lanes + k / lanes, i2, i3);
    shuffles = Shuffles(square, lanes, lanes);
    y(i0, i1, i2, i3) = Halide::undef(x.types()[0]);
    const Expr t0 = tiles[0], t1 = tiles[1];
    Add(tiles, shuffles.back()(t1 % lanes * lanes + t0 % lanes, t0 / lanes, t1 / lanes, tiles[2],
                               tiles[3]));
    for (const Halide::RDom& r : {right, below}) Add(r, x(r[0], r[1], r[2], r[3]));
  }

 private:
  void Add(const Halide::RDom& r, const Halide::Expr& value) {
    const Halide::Expr old = y(r[0], r[1], r[2], r[3]);
    y(r[0], r[1], r[2], r[3]) =
        Halide::select(accumulate, old, Halide::cast(value.type(), 0)) + value;
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_COPY_H_
