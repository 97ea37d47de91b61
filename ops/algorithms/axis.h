// SPDX-License-Identifier: Apache-2.0
//
// What operators over the middle dimension of x[inner, axis, outer] share: access to x, and
// reductions along rows (inner = 1, the axis is contiguous) and along columns (neighbours in the
// inner dimension side by side).
#ifndef HALITE_OPS_ALGORITHMS_AXIS_H_
#define HALITE_OPS_ALGORITHMS_AXIS_H_

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "Halide.h"
#include "halite/ops/algorithms/math.h"

namespace halite {

// condition ? a : b, bit for bit: keeps the NaN that a plain select of floats may drop.
inline Halide::Expr Choose(const Halide::Expr& condition, const Halide::Expr& a,
                           const Halide::Expr& b) {
  return a.type().is_float() ? math::Select(condition, a, b) : select(condition, a, b);
}

// `element`, read only where `exists` holds, and `otherwise` elsewhere: a masked load.
inline Halide::Expr IfExists(const Halide::Expr& exists, const Halide::Expr& element,
                             const Halide::Expr& otherwise) {
  using Halide::Internal::Call;
  if (Halide::Internal::is_const_one(exists)) return element;
  const Halide::Expr tag = likely(exists);
  return Choose(tag,
                Call::make(element.type(), Call::if_then_else, {tag, element}, Call::PureIntrinsic),
                otherwise);
}

// x[inner, axis, outer] and its extents.
struct AxisInput {
  Halide::Func x;
  Halide::Expr inner, axis, outer;
  Halide::Expr is_rows;  // inner = 1, and the axis is contiguous
  Halide::Type type;

  Halide::Type KeyType() const { return type.with_code(Halide::Type::Int); }

  // Element (i, k, o), known to be one of x.
  Halide::Expr At(const Halide::Expr& i, const Halide::Expr& k, const Halide::Expr& o) const {
    using Halide::unsafe_promise_clamped;
    return x(unsafe_promise_clamped(i, 0, inner - 1), unsafe_promise_clamped(k, 0, axis - 1),
             unsafe_promise_clamped(o, 0, outer - 1));
  }
  // Element (i, k, o) of columns, where i may reach beyond the end in the last vector.
  Halide::Expr Column(const Halide::Expr& i, const Halide::Expr& k, const Halide::Expr& o) const {
    return IfExists(i < inner, At(i, k, o), Halide::cast(type, 0));
  }
  // Element k of row o.
  Halide::Expr Row(const Halide::Expr& k, const Halide::Expr& o,
                   const Halide::Expr& exists = Halide::Internal::const_true()) const {
    return IfExists(exists, At(0, k, o), Halide::cast(type, 0));
  }
};

// A signed integer that orders floats: NaN is above all. (In Halide's default float mode a maximum
// of floats skips NaN.)
inline Halide::Expr OrderedKey(const Halide::Expr& x) {
  using namespace Halide;
  const Type type = x.type().with_code(Type::Int);
  const Expr bits = reinterpret(type, x);
  const Expr key = bits ^ ((bits >> (type.bits() - 1)) & type.max());
  return select(is_nan(x), type.max(), key);
}
inline Halide::Expr FromOrderedKey(const Halide::Expr& key) {
  const Halide::Type type = key.type();
  return Halide::reinterpret(type.with_code(Halide::Type::Float),
                             key ^ ((key >> (type.bits() - 1)) & type.max()));
}

// An associative operation and its neutral element.
struct Reduction {
  Halide::Expr neutral;
  Halide::Expr (*combine)(Halide::Expr, Halide::Expr);

  static Reduction Sum(Halide::Type type) {
    return {Halide::cast(type, 0),
            [](Halide::Expr a, Halide::Expr b) { return std::move(a) + std::move(b); }};
  }
  static Reduction Max(Halide::Type integer) {
    return {integer.min(), [](Halide::Expr a, Halide::Expr b) { return max(a, b); }};
  }
  static Reduction Min(Halide::Type integer) {
    return {integer.max(), [](Halide::Expr a, Halide::Expr b) { return min(a, b); }};
  }
};

// value(at) = the reduction of element(k, exists) over k < length: `vectors` vectors of partial
// results of every so many-th element, which `folds` combine, half with half, down to one. An
// element is read only where `exists` holds. REQUIRES: lanes and vectors are powers of two.
struct RowReduce {
  std::vector<Halide::Var> at;
  Halide::RDom block, tail;  // tail: (lane, vector)
  Halide::Func partial, value;
  std::vector<Halide::Func> folds;
  Halide::Var lane{"lane"};
  int lanes, width;

  using Element = std::function<Halide::Expr(Halide::Expr k, Halide::Expr exists)>;

  RowReduce(const std::string& name, const std::vector<Halide::Var>& at_in,
            const Halide::Expr& length, int lanes_in, int vectors, const Reduction& reduction,
            const Element& element)
      : at(at_in),
        partial(name + "_partial"),
        value(name),
        lanes(lanes_in),
        width(lanes_in * vectors) {
    using namespace Halide;
    const Expr left = length % width;
    block = RDom(0, length / width, name + "_block");
    tail = RDom(0, lanes, 0, (left + lanes - 1) / lanes, name + "_tail");
    partial(With(lane)) = reduction.neutral;
    partial(With(lane)) = reduction.combine(partial(With(lane)),
                                            element(block * width + lane, Internal::const_true()));
    const Expr rest = tail.y * lanes + tail.x, exists = rest < left;
    partial(With(tail.x)) =
        reduction.combine(partial(With(tail.x)),
                          Choose(exists, element(length - left + rest, exists), reduction.neutral));
    Func whole = partial;
    for (int half = width / 2; half > 0; half /= 2) {
      folds.emplace_back(name + "_fold" + std::to_string(half));
      folds.back()(With(lane)) = reduction.combine(whole(With(lane)), whole(With(lane + half)));
      whole = folds.back();
    }
    value(at) = whole(With(0));
  }

 private:
  std::vector<Halide::Expr> With(const Halide::Expr& first) const {
    std::vector<Halide::Expr> all = {first};
    all.insert(all.end(), at.begin(), at.end());
    return all;
  }
};

// value(i, at) = the reduction of element(k) over k < length, `kStep` elements at a time.
struct ColumnReduce {
  static constexpr int kStep = 4;

  Halide::Var i;
  std::vector<Halide::Var> at;
  Halide::RDom k, rest;
  Halide::Func value;

  using Element = std::function<Halide::Expr(Halide::Expr k)>;

  ColumnReduce(const std::string& name, const Halide::Var& i_in,
               const std::vector<Halide::Var>& at_in, const Halide::Expr& length,
               const Reduction& reduction, const Element& element)
      : i(i_in),
        at(at_in),
        k(0, length / kStep, name + "_k"),
        rest(0, length % kStep, name + "_rest"),
        value(name) {
    std::vector<Halide::Var> all = {i};
    all.insert(all.end(), at.begin(), at.end());
    Halide::Expr step = element(k * kStep);
    for (int u = 1; u < kStep; ++u) step = reduction.combine(step, element(k * kStep + u));
    value(all) = reduction.neutral;
    value(all) = reduction.combine(value(all), step);
    value(all) = reduction.combine(value(all), element(length / kStep * kStep + rest));
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_AXIS_H_
