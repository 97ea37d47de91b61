// SPDX-License-Identifier: Apache-2.0
//
// Rows of a table w[width, rows] picked by index[n], and indices as rows of zeros and a one.
// Indices are data: one that is out of range gives a result, and nothing outside the arrays is
// touched.
//
//   Embed:        y[c, j] = w[c, index[j]]; NaN for an index outside [0, rows)
//   EmbedGrad:    dw[c, r] = prior + sum of dy[c, j] over all j with index[j] = r
//   OneHot:       y[p, j] = 1 where p = index[j] or p = index[j] + size, else 0
//   OneHotIndex:  index[j] = prior extent + (x[j] modulo extent), where prior is index[j] itself
//                 or 0: the flat index of several dimensions; kNoIndex if x[j] is outside
//                 [-extent, extent)
#ifndef HALITE_OPS_ALGORITHMS_EMBED_H_
#define HALITE_OPS_ALGORITHMS_EMBED_H_

#include <limits>

#include "Halide.h"
#include "halite/ops/algorithms/math.h"

namespace halite {

struct Embed {
  Halide::Var c{"c"}, j{"j"};
  Halide::Func y{"embed"};

  Embed(const Halide::Func& index, const Halide::Func& w, const Halide::Expr& rows) {
    const Halide::Expr at = index(j), value = w(c, clamp(at, 0, rows - 1));
    y(c, j) = math::Select(at >= 0 && at < rows, value, math::Nan(value));
  }
};

// Sums are made in the order of j.
struct EmbedGrad {
  Halide::Var c{"c"}, row{"row"};
  Halide::RDom all, r;  // all: (column, row), none where the gradient adds; r: (column, j)
  Halide::Func dw{"embed_grad"};

  EmbedGrad(const Halide::Func& index, const Halide::Func& dy, const Halide::Expr& width,
            const Halide::Expr& count, const Halide::Expr& rows, const Halide::Expr& accumulate)
      : all({{0, width}, {0, rows}}, "all"), r({{0, width}, {0, count}}, "r") {
    using namespace Halide;
    const Type type = dy.types()[0];
    const Expr at = index(r.y), own = clamp(at, 0, rows - 1);
    dw(c, row) = undef(type);
    all.where(!accumulate);
    dw(all.x, all.y) = cast(type, 0);
    r.where(at >= 0 && at < rows);
    dw(r.x, own) += dy(r.x, r.y);
  }
};

struct OneHot {
  Halide::Var p{"p"}, j{"j"};
  Halide::RDom r;
  Halide::Func y{"one_hot"};

  OneHot(const Halide::Func& index, const Halide::Expr& size, const Halide::Expr& count,
         const Halide::Type& type)
      : r(0, count, "r") {
    using namespace Halide;
    const Expr at = select(index(r) < 0, index(r) + size, index(r));
    y(p, j) = cast(type, 0);
    r.where(at >= 0 && at < size);
    y(clamp(at, 0, size - 1), r) = cast(type, 1);
  }
};

struct OneHotIndex {
  static constexpr int kNoIndex = std::numeric_limits<int>::max();

  Halide::Var j{"j"};
  Halide::RDom r;
  Halide::Func index{"one_hot_index"};

  OneHotIndex(const Halide::Func& x, const Halide::Expr& extent, const Halide::Expr& count,
              const Halide::Expr& accumulate)
      : r(0, count, "r") {
    using namespace Halide;
    index(j) = undef<int>();
    const Expr prior = select(accumulate, index(r), 0);
    const Expr own = x(r), wrapped = select(own < 0, own + extent, own);
    const Expr is_valid = own >= -extent && own < extent && prior != kNoIndex;
    index(r) = select(is_valid, prior * extent + wrapped, kNoIndex);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_EMBED_H_
