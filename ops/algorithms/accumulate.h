// SPDX-License-Identifier: Apache-2.0
//
// Accumulated: the output of a gradient kernel. With an array `dx` over extents n0, n1, ...
//   dx[i] = (accumulate ? dx[i] : 0) + value[i].
// The update runs over an RDom: over pure variables a guarded vector tail would use an aligned
// access on AVX-512.
#ifndef HALITE_OPS_ALGORITHMS_ACCUMULATE_H_
#define HALITE_OPS_ALGORITHMS_ACCUMULATE_H_

#include <string>
#include <vector>

#include "Halide.h"

namespace halite {

struct Accumulated {
  std::vector<Halide::Var> vars;  // of the pure definition, which stores nothing
  Halide::RDom r;
  Halide::Func dx;
  Halide::Expr accumulate;

  // `value`: any Func of as many dimensions as `extents`, innermost first.
  Accumulated(const std::string& name, const Halide::Func& value,
              const std::vector<Halide::Expr>& extents, Halide::Expr accumulate_in)
      : dx(name), accumulate(accumulate_in) {
    Halide::Region region;
    for (size_t d = 0; d < extents.size(); ++d) {
      vars.emplace_back("i" + std::to_string(d));
      region.emplace_back(0, extents[d]);
    }
    r = Halide::RDom(region);
    std::vector<Halide::Expr> at;
    for (size_t d = 0; d < extents.size(); ++d) at.push_back(r[static_cast<int>(d)]);
    const Halide::Type type = value.types()[0];
    dx(vars) = Halide::undef(type);
    dx(at) = Halide::select(accumulate, dx(at), Halide::cast(type, 0)) + value(at);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_ACCUMULATE_H_
