// SPDX-License-Identifier: Apache-2.0
//
// The transcendental functions of every kernel, for float32 and float64 Exprs: straight-line code
// that vectorises, in the default float mode, without libm. Values at infinity, NaN, -0 and in the
// denormal range are those of C99 annex F (the sign of a zero result included). Largest error that
// tests/ops/algorithms/math_test.cc found on any instruction set, in units in the last place of the
// exact value; float32 over all 2^32 inputs, pow and float64 over samples of every binade:
//
//            Exp   Log   Tanh  Erf   Sigmoid  Softplus  Sin, Cos  Pow
//   float32  1.17  1.32  2.67  2.93  2.41     2.52      3.00      1.26
//   float64  1.15  0.75  2.50  2.69  2.38     2.70      2.05      1.43   (Sin, Cos: |x| < 2^30)
//   float32  5.8   5.4   4.5   6.5   4.8      2.9       1.8       0.7    10^9 a second on one core
//   float64  2.2   1.7   1.9   1.8   1.7      0.9       1.5       0.3    of a Zen 5 with AVX-512
//
// Halide's default float mode lets LLVM reassociate, contract a * b + c, and drop what NaN,
// infinity or -0 would change. So every rounding that must happen where it is written is a Strict
// operation (one operation, its operands stay free; Halide's strict_float would reach down the
// whole Expr and cost the FMAs of the polynomials), every comparison is strict, and every select
// works on bits. A chain whose order matters is strict to its last operation: LLVM reassociates a
// free operation with its strict operand, (x - a) - b to x - (a + b). CUDA contracts in spite of
// strictness: where that could matter the product is exact.
#ifndef HALITE_OPS_ALGORITHMS_MATH_H_
#define HALITE_OPS_ALGORITHMS_MATH_H_

#include <cstdint>
#include <cstring>
#include <vector>

#include "Halide.h"

namespace halite::math {

using Halide::Expr;

namespace internal {

using Halide::Internal::Call;

// REQUIRES: float32 or float64.
inline bool IsDouble(const Expr& x) {
  _halide_user_assert(x.type().is_float() && x.type().bits() >= 32)
      << "halite::math: " << x.type() << ": float32 or float64 needed\n";
  return x.type().bits() == 64;
}

// The same value, its shared subexpressions bound by Lets: mutators such as Halide's strict_float
// walk an Expr as a tree, and as a tree Pow has millions of nodes (strict_float(Pow): 28 s, now 0).
inline Expr BindShared(const Expr& y) {
  return Halide::Internal::common_subexpression_elimination(y);
}

// The bits of a float as an unsigned integer of its width (unsigned: it may wrap), and back.
inline Expr Bits(const Expr& x) {
  return Halide::reinterpret(x.type().with_code(Halide::Type::UInt), x);
}
inline Expr FromBits(const Expr& bits) {
  return Halide::reinterpret(bits.type().with_code(Halide::Type::Float), bits);
}
inline Expr BitsLike(const Expr& x, uint64_t value) {
  return Halide::Internal::make_const(x.type().with_code(Halide::Type::UInt), value);
}

// The constant `value` with the type of x. Halide 21 writes float64 constants into OpenCL source
// with the digits of a float32, so those that need more go by their bits.
inline Expr Like(const Expr& x, double value) {
  if (!IsDouble(x) || float(value) == value) {
    return Halide::Internal::make_const(x.type(), value);
  }
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return FromBits(BitsLike(x, bits));
}

inline Expr Strict(Call::IntrinsicOp op, const Expr& a, const Expr& b) {
  return Call::make(a.type(), op, {a, b}, Call::PureIntrinsic);
}
inline Expr StrictAdd(const Expr& a, const Expr& b) { return Strict(Call::strict_add, a, b); }
inline Expr StrictSub(const Expr& a, const Expr& b) { return Strict(Call::strict_sub, a, b); }
inline Expr StrictMul(const Expr& a, const Expr& b) { return Strict(Call::strict_mul, a, b); }
inline Expr StrictDiv(const Expr& a, const Expr& b) { return Strict(Call::strict_div, a, b); }

inline Expr Compare(Call::IntrinsicOp op, Expr a, Expr b) {
  Halide::Internal::match_types(a, b);
  return Call::make(Halide::Bool(a.type().lanes()), op, {a, b}, Call::PureIntrinsic);
}

// What differs between the two formats.
inline int MantissaBits(const Expr& x) { return IsDouble(x) ? 52 : 23; }
inline int ExponentBias(const Expr& x) { return IsDouble(x) ? 1023 : 127; }
inline Expr One(const Expr& x) {
  return BitsLike(x, IsDouble(x) ? 0x3ff0000000000000u : 0x3f800000u);
}
inline Expr SignMask(const Expr& x) { return BitsLike(x, uint64_t{1} << (x.type().bits() - 1)); }
inline Expr InfinityBits(const Expr& x) {
  return BitsLike(x, IsDouble(x) ? 0x7ff0000000000000u : 0x7f800000u);
}
inline Expr NanBits(const Expr& x) {
  return BitsLike(x, IsDouble(x) ? 0x7ff8000000000000u : 0x7fc00000u);
}

// sum_k c[k] x^k, by Horner's rule.
inline Expr Horner(const Expr& x, const std::vector<double>& c) {
  Expr sum = Like(x, c.back());
  for (size_t k = c.size() - 1; k-- > 0;) sum = sum * x + Like(x, c[k]);
  return sum;
}

// The same with half the latency: even and odd powers apart. Not where the two sums cancel.
inline Expr Polynomial(const Expr& x, const std::vector<double>& c) {
  if (c.size() < 6) return Horner(x, c);
  std::vector<double> parts[2];
  for (size_t k = 0; k < c.size(); ++k) parts[k % 2].push_back(c[k]);
  const Expr z = x * x;
  return Polynomial(z, parts[1]) * x + Polynomial(z, parts[0]);
}

}  // namespace internal

// a < b and a == b; false when either is NaN.
inline Expr Less(const Expr& a, const Expr& b) {
  return internal::Compare(internal::Call::strict_lt, a, b);
}
inline Expr Equal(const Expr& a, const Expr& b) {
  return internal::Compare(internal::Call::strict_eq, a, b);
}

inline Expr IsNan(const Expr& x) { return Halide::is_nan(x); }

// condition ? a : b for floats, bit for bit: keeps the NaN, infinity or -0 that a plain select may
// drop. The condition on floats must be one of the above.
inline Expr Select(const Expr& condition, Expr a, Expr b) {
  Halide::Internal::match_types(a, b);
  return internal::FromBits(Halide::select(condition, internal::Bits(a), internal::Bits(b)));
}

// The NaN of x's type.
inline Expr Nan(const Expr& x) { return internal::FromBits(internal::NanBits(x)); }

// The greater and the lesser of the two; NaN when either is NaN.
inline Expr Max(const Expr& a, const Expr& b) {
  return Select(IsNan(a), a, Select(Less(b, a), a, b));
}
inline Expr Min(const Expr& a, const Expr& b) {
  return Select(IsNan(a), a, Select(Less(a, b), a, b));
}

namespace internal {

inline Expr Infinity(const Expr& x) { return FromBits(InfinityBits(x)); }

inline Expr Absolute(const Expr& x) { return FromBits(Bits(x) & ~SignMask(x)); }
inline Expr NegativeAbsolute(const Expr& x) { return FromBits(Bits(x) | SignMask(x)); }

// x limited to [low, high]; NaN stays NaN. Each limit is one instruction on x86.
inline Expr AtLeast(const Expr& x, double low) {
  return Select(Less(x, Like(x, low)), Like(x, low), x);
}
inline Expr AtMost(const Expr& x, double high) {
  return Select(Less(Like(x, high), x), Like(x, high), x);
}

// Below this e^x rounds to 0, above the other it is infinite.
inline double ExpLowest(const Expr& x) { return IsDouble(x) ? -746 : -104; }
inline double ExpHighest(const Expr& x) { return IsDouble(x) ? 710 : 89; }

// n = round(x) for |x| < 2^22 (2^51): as a float, and in the low bits of an integer (two's
// complement; higher bits are set). Adding 1.5 * 2^23 (2^52) leaves no bits for the fraction.
struct Rounded {
  Expr value, bits;
  explicit Rounded(const Expr& x) {
    const Expr magic = Like(x, IsDouble(x) ? 0x1.8p52 : 0x1.8p23);
    const Expr shifted = StrictAdd(x, magic);
    value = StrictSub(shifted, magic);
    bits = Bits(shifted);
  }
};

// 2^n for a normal result; n in the low bits of an integer.
inline Expr PowerOfTwo(const Expr& x, const Expr& n) {
  return FromBits((n << MantissaBits(x)) + One(x));
}

// 2^n, or 0 where `zero`. Far underflow takes this way: a product that underflows costs 4 times an
// ordinary one (Zen 5; Intel more), and masked attention is full of e^-infinity.
inline Expr PowerOfTwoOrZero(const Expr& x, const Expr& n, const Expr& zero) {
  return Select(zero, Like(x, 0), PowerOfTwo(x, n));
}

constexpr double kLog2E = 1.4426950408889634;

// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; gives e^r within 2^-28 (float64 2^-57).
inline Expr ExpTail(const Expr& r) {
  if (IsDouble(r)) {
    return Polynomial(
        r, {0.50000000000000107, 0.1666666666666641, 0.041666666666529188, 0.0083333333334956279,
            0.0013888888943922712, 0.00019841269504755847, 2.4801492762711463e-5,
            2.7557587351082045e-6, 2.7630378652221425e-7, 2.4999962437975198e-8});
  }
  return Polynomial(r, {0.49999994, 0.166665167, 0.0416681021, 0.00836919248, 0.00138389028});
}
inline Expr ExpPolynomial(const Expr& r) { return (ExpTail(r) * r + Like(r, 1)) * r + Like(r, 1); }

// e^x = e^r 2^n, n = round(x / ln 2). Multiples of the high part of ln 2 are exact.
struct ReducedExp {
  Expr r, n;  // n in the low bits of an integer
  explicit ReducedExp(const Expr& x) {
    const Rounded rounded(x * Like(x, kLog2E));
    const Expr high = Like(x, IsDouble(x) ? 0.693147180559663 : 0.693145751953125);
    const Expr low = Like(x, IsDouble(x) ? 2.8235290563031577e-13 : 1.428606765330187e-06);
    r = StrictSub(x - rounded.value * high, rounded.value * low);
    n = rounded.bits;
  }
};

// e^r 2^n (0 where `zero`) from the denormals to infinity: by two powers of two, each of them
// normal; only the last product rounds.
inline Expr ScaledExp(const Expr& r, const Expr& n, const Expr& zero) {
  const Expr half = n >> 1;
  return StrictMul(StrictMul(ExpPolynomial(r), PowerOfTwo(r, half)),
                   PowerOfTwoOrZero(r, n - half, zero));
}

// e^-|x|, with a constant as the second power of two.
inline Expr ExpOfNegative(const Expr& x) {
  const Expr a = NegativeAbsolute(x);
  const double lowest = ExpLowest(x);
  const ReducedExp e(AtLeast(a, lowest));
  const Expr scale = PowerOfTwoOrZero(x, e.n + BitsLike(x, 64), Less(a, Like(x, lowest)));
  return StrictMul(StrictMul(ExpPolynomial(e.r), scale), Like(x, 0x1p-64));
}

// x = mantissa 2^exponent with mantissa in [sqrt(1/2), sqrt(2)), for 0 < x < infinity.
struct Normalized {
  Expr mantissa, exponent;
  explicit Normalized(const Expr& x) {
    const int width = MantissaBits(x), shift = 64;
    const Expr tiny = Less(x, Like(x, IsDouble(x) ? 0x1p-1022 : 0x1p-126));
    const Expr root = BitsLike(x, IsDouble(x) ? 0x3fe6a09e667f3bcdu : 0x3f3504f3u);
    const Expr raised = Select(tiny, StrictMul(x, Like(x, 0x1p64)), x);
    const Expr biased = Bits(raised) + (One(x) - root);
    mantissa = FromBits((biased & BitsLike(x, (uint64_t{1} << width) - 1)) + root);
    // An integer below 2^width is exact as a float once it stands in the mantissa of 2^width.
    const double base = IsDouble(x) ? 0x1p52 : 0x1p23;
    const double bias = base + ExponentBias(x);
    exponent = StrictSub(FromBits((biased >> width) | Bits(Like(x, base))),
                         Select(tiny, Like(x, bias + shift), Like(x, bias)));
  }
};

// x = k pi/2 + r with |r| <= pi/4; k modulo 4 in the low bits of an integer.
struct QuarterTurns {
  Expr r, k;
};

// Payne and Hanek's reduction in integers, for 1/2 <= x < infinity. x = m 2^(e - 151), m of 25
// bits, e >= 127. Of the bits of 2/pi only 96 matter: those above make whole turns with 2^(e - 151)
// m, those below fall under 2^-62 quarters, and float32 come no closer than about 2^-30 to a
// multiple of pi/2. The product modulo 4 is a 64-bit fraction of a turn: quarter (2 bits), rest.
inline QuarterTurns ReduceFloat32(const Expr& x) {
  // 2/pi after 26 zero bits.
  const uint32_t two_over_pi[] = {0x00000028, 0xbe60db93, 0x91054a7f, 0x09d5f47d,
                                  0x4d377036, 0xd8a5664f, 0x10e4107f};
  const auto word = [&x](uint32_t value) { return BitsLike(x, value); };
  const auto high_product = [](const Expr& a, const Expr& b) {
    return Halide::cast<uint32_t>((Halide::cast<uint64_t>(a) * Halide::cast<uint64_t>(b)) >> 32);
  };
  const Expr exponent = Bits(x) >> 23, mantissa = (Bits(x) & word(0x7fffff)) | word(0x800000);
  const Expr m = Halide::select(exponent < word(127), mantissa, mantissa << 1);
  const Expr start = Halide::max(exponent, word(127)) - word(127), shift = start & word(31);
  // words[j]: 32 bits of 2/pi from bit start + 32 j.
  Expr pair[5], whole[4], words[3];
  for (int j = 0; j < 5; ++j) {
    pair[j] = Halide::select((start & word(64)) != word(0), word(two_over_pi[j + 2]),
                             word(two_over_pi[j]));
  }
  for (int j = 0; j < 4; ++j) {
    whole[j] = Halide::select((start & word(32)) != word(0), pair[j + 1], pair[j]);
  }
  for (int j = 0; j < 3; ++j) {
    words[j] = (whole[j] << shift) | ((whole[j + 1] >> 1) >> (word(31) - shift));
  }
  const Expr middle = m * words[1], low = middle + high_product(m, words[2]);
  const Expr carry = Halide::select(low < middle, word(1), word(0));
  const Expr high = m * words[0] + high_product(m, words[1]) + carry;
  // The rest, signed: from -1/2 to 1/2 quarters, 32 bits and 24 more.
  const Expr rest = Halide::reinterpret<int32_t>((high << 2) | (low >> 30));
  const Expr more = Halide::reinterpret<int32_t>((low << 2) >> 8);
  const Expr quarters = Halide::cast<float>(rest) + Halide::cast<float>(more) * 0x1p-24f;
  return {quarters * float(1.5707963267948966 * 0x1p-32), (high + word(0x20000000)) >> 30};
}

// Cody and Waite's reduction, with exact products for 0 <= x < 2^30. Beyond, r has an absolute
// error of about x 2^-53, and is arbitrary, though bounded, from 2^52 on.
inline QuarterTurns ReduceFloat64(const Expr& x) {
  const Rounded n(x * Like(x, 0.63661977236758138));
  Expr r = x;
  // pi/2 in parts of 23 bits, the last with 53.
  for (double part : {1.5707962512969971, 7.5497894158615964e-08, 5.3903025299577648e-15,
                      3.2820035428735005e-22}) {
    r = StrictSub(r, StrictMul(n.value, Like(x, part)));
  }
  return {AtMost(AtLeast(r, -0.8), 0.8), n.bits};
}

// sin(|x| + quarters pi/2).
inline Expr SinOfMagnitude(const Expr& x, int quarters) {
  const Expr a = Absolute(x);
  QuarterTurns turns = IsDouble(x) ? ReduceFloat64(a) : ReduceFloat32(a);
  if (!IsDouble(x)) {
    const Expr small = Less(a, Like(x, 0.785398163));
    turns.r = Select(small, a, turns.r);
    turns.k = Halide::select(small, BitsLike(x, 0), turns.k);
  }
  const Expr k = turns.k + BitsLike(x, quarters), r = turns.r, z = r * r;
  Expr sine, cosine;
  if (IsDouble(x)) {
    sine = StrictAdd(r, r * z *
                            Polynomial(z, {-0.16666666666666631, 0.008333333333322113,
                                           -0.00019841269829584852, 2.7557313619701293e-6,
                                           -2.5050747490485532e-8, 1.5896213893993086e-10}));
    cosine = StrictSub(
        Like(x, 1),
        z * Like(x, 0.5) - z * z *
                               Polynomial(z, {0.041666666666666593, -0.0013888888888873048,
                                              2.4801587288846579e-5, -2.7557314177775468e-7,
                                              2.0875700629888014e-9, -1.1358525275557887e-11}));
  } else {
    sine = StrictAdd(r, r * z * Polynomial(z, {-0.166666552, 0.00833218917, -0.000195182889}));
    cosine = Polynomial(z, {1, -0.5, 0.0416666456, -0.00138873095, 2.44323273e-5});
  }
  const Expr magnitude = Select((k & BitsLike(x, 1)) != BitsLike(x, 0), cosine, sine);
  const Expr sign = (k & BitsLike(x, 2)) << (x.type().bits() - 2);
  return Select(Less(a, Infinity(x)), FromBits(Bits(magnitude) ^ sign), FromBits(NanBits(x)));
}

// The upper half of the digits of x (26 of 53, 12 of 24): a product of two heads is exact.
inline Expr Head(const Expr& x) {
  return FromBits(Bits(x) & ~BitsLike(x, IsDouble(x) ? 0x7ffffff : 0xfff));
}

// high + low, high being a head.
struct HeadAndTail {
  Expr high, low;
};

// log2(a) within 2^-64 (float32 2^-34) of itself, for 0 < a < infinity, in the manner of FreeBSD's
// e_pow.c: log2(m) = 2/(3 ln 2) s (3 + z + z^2 P(z)), s = (m - 1) / (m + 1), z = s^2.
inline HeadAndTail Log2(const Expr& a) {
  const Normalized n(a);
  const Expr one = Like(a, 1), three = Like(a, 3);
  const Expr f = StrictSub(n.mantissa, one), d = StrictAdd(n.mantissa, one);
  const Expr reciprocal = StrictDiv(one, d), s = StrictMul(f, reciprocal);
  const Expr s_high = Head(s), d_high = Head(d);
  const Expr d_low = StrictSub(n.mantissa, StrictSub(d_high, one));
  const Expr rest = StrictSub(StrictSub(f, StrictMul(s_high, d_high)), StrictMul(s_high, d_low));
  const Expr s_low = StrictMul(rest, reciprocal);
  const Expr z = s * s, z_high = StrictMul(s_high, s_high);
  const Expr p = IsDouble(a)
                     ? Polynomial(z, {0.60000000000003385, 0.42857142855148871, 0.3333333377996607,
                                      0.27272676543951847, 0.23080136291599404, 0.19885220043190174,
                                      0.197945519559745})
                     : Polynomial(z, {0.600002283, 0.42820693, 0.3512805});
  const Expr r = StrictAdd(s_low * (s_high + s), z * z * p);
  const Expr t_high = Head(StrictAdd(StrictAdd(three, z_high), r));
  const Expr t_low = StrictSub(r, StrictSub(StrictSub(t_high, three), z_high));
  const Expr u = StrictMul(s_high, t_high);
  const Expr v = StrictAdd(StrictMul(s_low, t_high), StrictMul(t_low, s));
  const Expr p_high = Head(StrictAdd(u, v)), p_low = StrictSub(v, StrictSub(p_high, u));
  // 2 / (3 ln 2) = c_high + c_low.
  const Expr c_high = Like(a, IsDouble(a) ? 0.96179668605327606 : 0.961669921875);
  const Expr c_low = Like(a, IsDouble(a) ? 7.8726995428948972e-09 : 0.00012677205097560491);
  const Expr q_high = StrictMul(p_high, c_high);
  const Expr q_low = StrictAdd(StrictMul(p_high, c_low), p_low * Like(a, 0.96179669392597555));
  const Expr high = Head(StrictAdd(StrictAdd(q_high, q_low), n.exponent));
  return {high, StrictSub(q_low, StrictSub(StrictSub(high, n.exponent), q_high))};
}

// a^y for 0 < a < infinity and |y| < 2^66 (float32 2^40).
inline Expr PowOfPositive(const Expr& a, const Expr& y) {
  // y log2(a) = high + low, and 2^(n + t) = e^(t ln 2) 2^n.
  const HeadAndTail log = Log2(a);
  const Expr y_high = Head(y), high = StrictMul(y_high, log.high);
  const Expr low = StrictAdd(StrictMul(StrictSub(y, y_high), log.high), StrictMul(y, log.low));
  const double lowest = ExpLowest(a) * kLog2E, highest = ExpHighest(a) * kLog2E;
  const Expr sum = StrictAdd(high, low);
  const Rounded n(AtMost(AtLeast(sum, lowest), highest));
  const Expr t = StrictAdd(StrictSub(high, n.value), low);
  const Expr r = StrictMul(AtMost(AtLeast(t, -0.51), 0.51), Like(a, 0.69314718055994531));
  return ScaledExp(r, n.bits, Less(sum, Like(a, lowest)));
}

}  // namespace internal

inline Expr Exp(const Expr& x) {
  using namespace internal;
  const double lowest = ExpLowest(x);
  const ReducedExp e(AtMost(AtLeast(x, lowest), ExpHighest(x)));
  return BindShared(ScaledExp(e.r, e.n, Less(x, Like(x, lowest))));
}

inline Expr Log(const Expr& x) {
  using namespace internal;
  const Normalized n(x);
  const Expr f = StrictSub(n.mantissa, Like(x, 1));
  Expr y;
  if (IsDouble(x)) {
    // log(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + R(s^2))), s = f / (2 + f).
    const Expr s = f / (f + Like(x, 2)), z = s * s, half = Like(x, 0.5) * f * f;
    const Expr r = z * Polynomial(z, {0.66666666666667345, 0.39999999999414321, 0.28571428742474875,
                                      0.22222198563486334, 0.18183564866607434, 0.15314035837309933,
                                      0.14796105417843551});
    const Expr ln2_high = Like(x, 0.6931471805598903), ln2_low = Like(x, 5.497923018708371e-14);
    const Expr tail = StrictSub(half, s * (half + r) + n.exponent * ln2_low);
    y = StrictSub(n.exponent * ln2_high, StrictSub(tail, f));
  } else {
    // f + f^2 Q(f). ln 2 rounded to float32 is right to 2^-28.
    const Expr q = Polynomial(f, {-0.499999911, 0.333339542, -0.250018269, 0.199619621,
                                  -0.165684313, 0.149168700, -0.143238530, 0.0876007080});
    y = n.exponent * Like(x, 0.693147181) + StrictAdd(f, f * f * q);
  }
  const Expr limit =
      Select(Equal(x, Like(x, 0)), FromBits(InfinityBits(x) | SignMask(x)), FromBits(NanBits(x)));
  return BindShared(Select(Less(Like(x, 0), x), Select(Less(x, Infinity(x)), y, x), limit));
}

// E / (E + 2), E = e^(2 |x|) - 1 = (e^r - 1) 2^n + (2^n - 1).
inline Expr Tanh(const Expr& x) {
  using namespace internal;
  const Expr a = Absolute(x);
  const ReducedExp e(AtMost(a + a, IsDouble(x) ? 40 : 20));
  const Expr scale = PowerOfTwo(x, e.n);
  const Expr slope = StrictAdd(e.r, e.r * e.r * ExpTail(e.r));
  const Expr growth = StrictAdd(slope * scale, StrictSub(scale, Like(x, 1)));
  const Expr y = StrictDiv(growth, StrictAdd(growth, Like(x, 2)));
  return BindShared(FromBits(Bits(y) | (Bits(x) & SignMask(x))));
}

// q (1 - 4/27 q^2), q = 9/8 x + x P(x^2) / Q(x^2): flat at q = 3/2, where it is 1, so that the
// errors of q, which is large there, do no harm.
inline Expr Erf(const Expr& x) {
  using namespace internal;
  const double limit = IsDouble(x) ? 5.93 : 3.95;
  const Expr t = AtMost(AtLeast(x, -limit), limit), z = t * t;
  Expr numerator, denominator;
  if (IsDouble(x)) {
    numerator =
        Polynomial(z, {0.0033791670955125057, -0.16245117818663273, -0.019605599040327764,
                       -0.0026858264045679683, -0.00017879105383142269, -1.1214369846418097e-5,
                       -4.2487403241810727e-7, -1.3326423696063247e-8, -2.4729399320745872e-10,
                       -2.4927355705051072e-12});
    denominator =
        Polynomial(z, {1, 0.24598199169076868, 0.03549550565465297, 0.0034930455084719123,
                       0.00024836270596366328, 1.3104781820524539e-5, 5.1106221786197509e-7,
                       1.4262421647124239e-8, 2.6277526903643506e-10, 2.3077703780831864e-12});
  } else {
    numerator =
        Polynomial(z, {0.00337916554, -0.16250009, -0.0172759896, -0.0012584101, -5.06681141e-5});
    denominator = Polynomial(z, {1, 0.231494164, 0.0249017292, 0.00154773756, 4.94356229e-5});
  }
  const Expr q = t * Like(x, 1.125) + StrictDiv(t * numerator, denominator);
  const Expr y = StrictMul(q, Like(x, 1) - q * q * Like(x, 4.0 / 27));
  // In float32 no rounding leads beyond 1.
  return BindShared(IsDouble(x) ? AtMost(AtLeast(y, -1), 1) : y);
}

// 1 / (1 + e^-x), as e^x / (1 + e^x) for x < 0: small results keep their digits.
inline Expr Sigmoid(const Expr& x) {
  using namespace internal;
  const Expr e = ExpOfNegative(x), one = Like(x, 1);
  return BindShared(StrictDiv(Select(Less(x, Like(x, 0)), e, one), StrictAdd(e, one)));
}

// log(1 + e^x) = max(x, 0) + log(1 + t), t = e^-|x| in [0, 1].
inline Expr Softplus(const Expr& x) {
  using namespace internal;
  const Expr t = ExpOfNegative(x);
  Expr log1p;
  if (IsDouble(x)) {
    // 2 atanh(w / 2), w = 2 t / (2 + t).
    const Expr w = (t + t) / (t + Like(x, 2)), z = w * w;
    const Expr r =
        Polynomial(z, {0.083333333333332885, 0.012500000000049185, 0.0022321428552994926,
                       0.00043402781193487862, 8.8778046268210057e-05, 1.8782423112069731e-05,
                       4.0591304804111399e-06, 9.236303199399152e-07, 1.5906442519986752e-07,
                       8.115583417097848e-08});
    log1p = StrictAdd(w, w * z * r);
  } else {
    log1p = t * Horner(t, {1, -0.499999315, 0.333304644, -0.249580190, 0.196921021, -0.153448805,
                           0.106611282, -0.0574572310, 0.0200862419, -0.00329046847});
  }
  return BindShared(StrictAdd(Select(Less(Like(x, 0), x), x, Like(x, 0)), log1p));
}

inline Expr Sin(const Expr& x) {
  using namespace internal;
  const Expr y = SinOfMagnitude(x, 0);
  return BindShared(FromBits(Bits(y) ^ (Bits(x) & SignMask(x))));
}

inline Expr Cos(const Expr& x) { return internal::BindShared(internal::SinOfMagnitude(x, 1)); }

// x^y with every special case of C99 annex F: x^0 = 1^y = 1 even for NaN; NaN for a negative finite
// x and a y that is no integer; the sign of x survives an odd y, in zeros and infinities too.
inline Expr Pow(const Expr& x, const Expr& y) {
  using namespace internal;
  const Expr zero = Like(x, 0), one = Like(x, 1), a = Absolute(x), infinity = Infinity(x);
  // Beyond 2^66 (float32: 2^40) every a but 1 has overflowed or underflowed.
  const double most = IsDouble(x) ? 0x1p66 : 0x1p40;
  const Expr finite = PowOfPositive(a, AtMost(AtLeast(y, -most), most));
  const Expr half = y * Like(x, 0.5);
  const Expr integer = Equal(Halide::floor(y), y);
  const Expr odd = integer && !Equal(Halide::floor(half), half);
  const Expr at_end = Equal(a, zero) || Equal(a, infinity);
  const Expr end = Halide::select(Equal(a, zero) == Less(y, zero), InfinityBits(x), BitsLike(x, 0));
  const Expr magnitude = Halide::select(at_end, end, Bits(finite));
  const Expr sign = Halide::select(odd, Bits(x) & SignMask(x), BitsLike(x, 0));
  const Expr invalid = IsNan(x) || IsNan(y) || (Less(x, zero) && Less(-infinity, x) && !integer);
  const Expr bits = Halide::select(invalid, NanBits(x), magnitude | sign);
  return BindShared(FromBits(Halide::select(Equal(x, one) || Equal(y, zero), One(x), bits)));
}

}  // namespace halite::math

#endif  // HALITE_OPS_ALGORITHMS_MATH_H_
