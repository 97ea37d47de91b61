// SPDX-License-Identifier: Apache-2.0
//
// Random numbers, as core/random.h defines them: number i of a draw comes from word i % 4 of the
// Philox4x32-10 block (Salmon, Moraes, Dror, Shaw, SC 2011) at counter offset + i / 4.
//   uniform:  u = (word >> 8) 2^-24, in [0, 1): the same bits as on any other machine
//   normal:   of words a, b of a pair: sqrt(-2 log(1 - u_a)) times cos(2 pi u_b), then
//             sin(2 pi u_b); within 4 units in the last place
//   dropout:  y = u >= p ? x / (1 - p) : 0, dx = u >= p ? dy / (1 - p) : 0
// Numbers are float32; arrays of float64 hold the same, widened.
#ifndef HALITE_OPS_ALGORITHMS_RANDOM_H_
#define HALITE_OPS_ALGORITHMS_RANDOM_H_

#include <array>
#include <cstdint>
#include <functional>

#include "Halide.h"
#include "halite/ops/algorithms/math.h"

namespace halite {

// Where a draw begins: four uint32.
struct RandomStream {
  Halide::Expr seed_low, seed_high, offset_low, offset_high;
};

using RandomWords = std::array<Halide::Expr, 4>;

// The words of block `b` (int32, not negative) of a draw. They are held as `word` (UInt of 32 or 64
// bits, whose high half is anything): with 64 bits the products of a vector need no shuffles on
// x86.
inline RandomWords Philox(const RandomStream& stream, const Halide::Expr& b, Halide::Type word) {
  using Halide::cast;
  using Halide::Expr;
  const auto constant = [&](uint32_t value) {
    return Halide::Internal::make_const(word, uint64_t{value});
  };
  const auto product = [](const Expr& a, uint64_t factor) {
    return (cast<uint64_t>(a) & Expr(uint64_t{0xffffffff})) * Expr(factor);
  };
  const auto high = [&](const Expr& p) { return cast(word, p >> 32); };
  const auto low = [&](const Expr& p) { return cast(word, p); };
  Expr k0 = stream.seed_low, k1 = stream.seed_high;
  const Expr counter = stream.offset_low + cast<uint32_t>(b);
  Expr c0 = cast(word, counter);
  Expr c1 = cast(word, stream.offset_high + cast<uint32_t>(counter < stream.offset_low));
  Expr c2 = constant(0), c3 = constant(0);
  for (int round = 0; round < 10; ++round) {
    const Expr p0 = product(c0, 0xD2511F53), p1 = product(c2, 0xCD9E8D57);
    c0 = high(p1) ^ c1 ^ cast(word, k0);
    c2 = high(p0) ^ c3 ^ cast(word, k1);
    c1 = low(p1);
    c3 = low(p0);
    k0 = k0 + Expr(uint32_t{0x9E3779B9});
    k1 = k1 + Expr(uint32_t{0xBB67AE85});
  }
  return {cast<uint32_t>(c0), cast<uint32_t>(c1), cast<uint32_t>(c2), cast<uint32_t>(c3)};
}

// The 24 bits of a uniform number, as an integer.
inline Halide::Expr UniformBits(const Halide::Expr& word) {
  return Halide::cast<int32_t>(word >> 8);
}
inline Halide::Expr Uniform(const Halide::Expr& word) {
  return Halide::cast<float>(UniformBits(word)) * 0x1p-24f;
}

// cos(2 pi u) and sin(2 pi u), u = turns 2^-24: u = q / 4 + v with |v| <= 1/8, exactly.
inline std::array<Halide::Expr, 2> CosSinOfTurns(const Halide::Expr& turns) {
  using Halide::Expr;
  const Expr q = (turns + (1 << 21)) >> 22;
  const Expr v = Halide::cast<float>(turns - (q << 22)) * 0x1p-24f, z = v * v;
  const Expr cosine = math::internal::Polynomial(
      z, {1, -19.739208221435547, 64.93931579589844, -85.4428482055664, 59.22016906738281});
  const Expr sine = v * math::internal::Polynomial(z, {6.2831854820251465, -41.3416633605957,
                                                       81.59254455566406, -75.401611328125});
  const Expr is_odd = (q & 1) != 0;
  const auto signed_by = [](const Expr& x, const Expr& negative) {
    return Halide::select(negative, -x, x);
  };
  return {signed_by(Halide::select(is_odd, sine, cosine), ((q + 1) & 2) != 0),
          signed_by(Halide::select(is_odd, cosine, sine), (q & 2) != 0)};
}

// Two normal numbers.
inline std::array<Halide::Expr, 2> BoxMuller(const Halide::Expr& word_a,
                                             const Halide::Expr& word_b) {
  const Halide::Expr radius = Halide::sqrt(-2.0f * math::Log(1.0f - Uniform(word_a)));
  const std::array<Halide::Expr, 2> direction = CosSinOfTurns(UniformBits(word_b));
  return {radius * direction[0], radius * direction[1]};
}

// Numbers made from whole blocks: `make` turns the words of a block into its four numbers.
struct BlockNumbers {
  using Make = std::function<RandomWords(const RandomWords& words)>;

  Halide::Var w{"word"}, b{"block"};
  Halide::Func block{"blocks"};     // (b) -> four numbers
  Halide::Func numbers{"numbers"};  // (w, b)

  BlockNumbers(const RandomStream& stream, Halide::Type word, const Make& make) {
    using namespace Halide;
    const RandomWords made = make(Philox(stream, b, word));
    block(b) = Tuple(made[0], made[1], made[2], made[3]);
    numbers(w, b) = mux(w, {block(b)[0], block(b)[1], block(b)[2], block(b)[3]});
  }
  Halide::Expr At(const Halide::Expr& i) const { return numbers(i % 4, i / 4); }
};

inline RandomWords UniformNumbers(const RandomWords& words) {
  return {Uniform(words[0]), Uniform(words[1]), Uniform(words[2]), Uniform(words[3])};
}
inline RandomWords NormalNumbers(const RandomWords& words) {
  const auto first = BoxMuller(words[0], words[1]), second = BoxMuller(words[2], words[3]);
  return {first[0], first[1], second[0], second[1]};
}
inline RandomWords IntegerNumbers(const RandomWords& words) {
  return {UniformBits(words[0]), UniformBits(words[1]), UniformBits(words[2]),
          UniformBits(words[3])};
}

// a + scale number, each operation rounded. `zero`: the integer 0, but in a form that no compiler
// knows to be 0 where product and sum would be contracted in spite of being strict (GPUs).
inline Halide::Expr ScaledAndShifted(const Halide::Expr& number, const Halide::Expr& scale,
                                     const Halide::Expr& a, const Halide::Expr& zero) {
  using namespace math::internal;
  const Halide::Expr product = FromBits(Bits(StrictMul(scale, number)) ^ zero);
  return StrictAdd(a, product);
}

}  // namespace halite

#endif  // HALITE_OPS_ALGORITHMS_RANDOM_H_
