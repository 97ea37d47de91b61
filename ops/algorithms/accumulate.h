// SPDX-License-Identifier: Apache-2.0
//
// Accumulated: the output of a gradient kernel. With an array `dx` over extents n0, n1, ...
//   dx[i] = (accumulate ? dx[i] : 0) + value[i],
// or several such arrays in one pass, if `value` is a Tuple.
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
  Halide::Expr accumulate;  // whether any array is added to

  // `value`: any Func of as many dimensions as `extents`, innermost first.
  Accumulated(const std::string& name, const Halide::Func& value,
              const std::vector<Halide::Expr>& extents, const Halide::Expr& accumulate_in)
      : Accumulated(name, value, extents, std::vector<Halide::Expr>{accumulate_in}) {}

  // One flag for each element of `value`.
  Accumulated(const std::string& name, const Halide::Func& value,
              const std::vector<Halide::Expr>& extents, const std::vector<Halide::Expr>& flags)
      : dx(name), accumulate(flags[0]) {
    Halide::Region region;
    for (size_t d = 0; d < extents.size(); ++d) {
      vars.emplace_back("i" + std::to_string(d));
      region.emplace_back(0, extents[d]);
    }
    r = Halide::RDom(region);
    std::vector<Halide::Expr> at;
    for (size_t d = 0; d < extents.size(); ++d) at.push_back(r[static_cast<int>(d)]);
    const std::vector<Halide::Type> types = value.types();
    if (flags.size() == 1) {
      dx(vars) = Halide::undef(types[0]);
      dx(at) = Halide::select(accumulate, dx(at), Halide::cast(types[0], 0)) + value(at);
      return;
    }
    std::vector<Halide::Expr> undefined, sums;
    for (const Halide::Type& type : types) undefined.push_back(Halide::undef(type));
    dx(vars) = Halide::Tuple(undefined);
    for (size_t k = 0; k < flags.size(); ++k) {
      if (k > 0) accumulate = accumulate || flags[k];
      sums.push_back(Halide::select(flags[k], dx(at)[k], Halide::cast(types[k], 0)) + value(at)[k]);
    }
    dx(at) = Halide::Tuple(sums);
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_ACCUMULATE_H_
