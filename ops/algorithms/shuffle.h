// SPDX-License-Identifier: Apache-2.0
//
// Transposition in registers. A list of rows is transposed by perfect shuffles: each interleaves
// the first half of the list with the second, which rotates the bits of an element's place by one;
// log2(rows) of them bring element (row, column) from row * columns + column to
// column * rows + row.
#ifndef HALITE_OPS_ALGORITHMS_SHUFFLE_H_
#define HALITE_OPS_ALGORITHMS_SHUFFLE_H_

#include <functional>
#include <vector>

#include "Halide.h"

namespace halite {

// The shuffles of list(e, place...); the last one is the transposed list. REQUIRES: `rows` is a
// power of two, and at least 2.
inline std::vector<Halide::Func> Shuffles(const Halide::Func& list, int rows, int columns) {
  const std::vector<Halide::Var> at = list.args();
  std::vector<Halide::Expr> from(at.begin(), at.end());
  from[0] = at[0] / 2 + at[0] % 2 * (rows * columns / 2);
  std::vector<Halide::Func> shuffles;
  for (int done = 1; done < rows; done *= 2) {
    Halide::Func shuffle("shuffle");
    shuffle(at) = shuffles.empty() ? list(from) : shuffles.back()(from);
    shuffles.push_back(shuffle);
  }
  return shuffles;
}

// elements(v, p, place...) = at(p, v), where `at` has runs of p and vectors shall have runs of v:
// squares of lanes x lanes elements are transposed.
struct TransposedSquares {
  Halide::Var v{"v"}, p{"p"};
  std::vector<Halide::Func> shuffles;
  Halide::Func elements{"transposed"};

  TransposedSquares(
      const std::function<Halide::Expr(const Halide::Expr& p, const Halide::Expr& v)>& at,
      int lanes, const std::vector<Halide::Var>& place) {
    const Halide::Var e("element"), square("square_of_p");
    std::vector<Halide::Var> list_at{e, square}, to{v, p};
    list_at.insert(list_at.end(), place.begin(), place.end());
    to.insert(to.end(), place.begin(), place.end());
    Halide::Func list("square");
    list(list_at) = at(square * lanes + e % lanes, e / lanes);
    shuffles = Shuffles(list, lanes, lanes);
    std::vector<Halide::Expr> from{p % lanes * lanes + v, p / lanes};
    from.insert(from.end(), place.begin(), place.end());
    elements(to) = shuffles.back()(from);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_SHUFFLE_H_
