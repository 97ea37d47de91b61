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

// A masked load: `element`, read only where `exists` holds; anything elsewhere.
inline Halide::Expr MaskedLoad(const Halide::Expr& exists, const Halide::Expr& element) {
  using Halide::Internal::Call;
  return Call::make(element.type(), Call::if_then_else, {likely(exists), element},
                    Call::PureIntrinsic);
}
// The same, and `otherwise` elsewhere.
inline Halide::Expr IfExists(const Halide::Expr& exists, const Halide::Expr& element,
                             const Halide::Expr& otherwise) {
  if (Halide::Internal::is_const_one(exists)) return element;
  return Choose(likely(exists), MaskedLoad(exists, element), otherwise);
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
// The same with a tie of -0 and 0.
inline Halide::Expr TiedKey(const Halide::Expr& x) {
  const Halide::Expr key = OrderedKey(x);
  return select(key == -1, 0, key);
}
inline Halide::Expr FromOrderedKey(const Halide::Expr& key) {
  const Halide::Type type = key.type();
  return Halide::reinterpret(type.with_code(Halide::Type::Float),
                             key ^ ((key >> (type.bits() - 1)) & type.max()));
}

// What a reduction makes of an element: one value, or several that belong together.
struct Values : std::vector<Halide::Expr> {
  Values(const Halide::Expr& value) : std::vector<Halide::Expr>{value} {}
  Values(const Halide::Expr& a, const Halide::Expr& b) : std::vector<Halide::Expr>{a, b} {}
  Values(const Halide::FuncRef& f) {
    for (size_t i = 0; i < f.size(); ++i) push_back(f.size() == 1 ? Halide::Expr(f) : f[i]);
  }
};

// An associative operation and its neutral element.
struct Reduction {
  using Operation = Values (*)(const Values&, const Values&);

  Values neutral;
  Operation combine;
  Operation append = combine;  // the same where b comes after all that a is made of

  static Reduction Sum(Halide::Type type) {
    return {Halide::cast(type, 0),
            [](const Values& a, const Values& b) -> Values { return a[0] + b[0]; }};
  }
  static Reduction Max(Halide::Type integer) {
    return {integer.min(),
            [](const Values& a, const Values& b) -> Values { return max(a[0], b[0]); }};
  }
  // The greatest of pairs (value, index), of equal ones that of the least index.
  static Reduction FirstMax(Halide::Type integer) {
    return {{integer.min(), Halide::Int(32).max()},
            [](const Values& a, const Values& b) {
              const Halide::Expr is_b = b[0] > a[0] || (b[0] == a[0] && b[1] < a[1]);
              return Values(max(a[0], b[0]), select(is_b, b[1], a[1]));
            },
            [](const Values& a, const Values& b) {
              return Values(max(a[0], b[0]), select(b[0] > a[0], b[1], a[1]));
            }};
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

  using Element = std::function<Values(Halide::Expr k, Halide::Expr exists)>;

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
    partial(With(lane)) = Tuple(reduction.neutral);
    partial(With(lane)) = Tuple(reduction.append(
        Values(partial(With(lane))), element(block * width + lane, Internal::const_true())));
    const Expr rest = tail.y * lanes + tail.x, exists = rest < left;
    Values last = element(length - left + rest, exists);
    for (size_t i = 0; i < last.size(); ++i) {
      last[i] = Choose(exists, last[i], reduction.neutral[i]);
    }
    partial(With(tail.x)) = Tuple(reduction.append(Values(partial(With(tail.x))), last));
    Func whole = partial;
    for (int half = width / 2; half > 0; half /= 2) {
      folds.emplace_back(name + "_fold" + std::to_string(half));
      folds.back()(With(lane)) =
          Tuple(reduction.combine(Values(whole(With(lane))), Values(whole(With(lane + half)))));
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

  using Element = std::function<Values(Halide::Expr k)>;

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
    Values step = element(k * kStep);
    for (int u = 1; u < kStep; ++u) step = reduction.append(step, element(k * kStep + u));
    const Halide::Expr last = length / kStep * kStep + rest;
    value(all) = Halide::Tuple(reduction.neutral);
    value(all) = Halide::Tuple(reduction.append(Values(value(all)), step));
    value(all) = Halide::Tuple(reduction.append(Values(value(all)), element(last)));
  }
};

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_AXIS_H_
