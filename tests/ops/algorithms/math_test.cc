// SPDX-License-Identifier: Apache-2.0
//
// Accuracy of ops/algorithms/math.h. Each float32 function of one argument runs over all 2^32 bit
// patterns, on every instruction set that this CPU has, against glibc's float64 function; float64
// functions and pow run over samples and special values. An error is counted in units in the last
// place (ulp) of the exact value: 2^(e - 23) where it is 2^e or more, at least 2^-149 (float64:
// 2^(e - 52), 2^-1074). Two threads share a chunk counter; a chunk's exact values serve all sets.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "HalideBuffer.h"

using UnaryKernel = int(void const* user_context, halide_buffer_t* x, halide_buffer_t* y);
using PowKernel = int(void const* user_context, halide_buffer_t* x, halide_buffer_t* e,
                      halide_buffer_t* y);

constexpr int kNumSets = 4;

// Declares the kernels of one function and dtype (one per instruction set, no dispatcher), and
// the table `name` of the four.
#define MATH_KERNELS(Kernel, name)                                                          \
  extern "C" Kernel name##_sse41, name##_avx2, name##_avx512, name##_zen4;                  \
  constexpr std::array<Kernel*, kNumSets> name = {name##_sse41, name##_avx2, name##_avx512, \
                                                  name##_zen4};
MATH_KERNELS(UnaryKernel, math_exp_f32)
MATH_KERNELS(UnaryKernel, math_exp_f64)
MATH_KERNELS(UnaryKernel, math_log_f32)
MATH_KERNELS(UnaryKernel, math_log_f64)
MATH_KERNELS(UnaryKernel, math_tanh_f32)
MATH_KERNELS(UnaryKernel, math_tanh_f64)
MATH_KERNELS(UnaryKernel, math_erf_f32)
MATH_KERNELS(UnaryKernel, math_erf_f64)
MATH_KERNELS(UnaryKernel, math_sigmoid_f32)
MATH_KERNELS(UnaryKernel, math_sigmoid_f64)
MATH_KERNELS(UnaryKernel, math_softplus_f32)
MATH_KERNELS(UnaryKernel, math_softplus_f64)
MATH_KERNELS(UnaryKernel, math_sin_f32)
MATH_KERNELS(UnaryKernel, math_sin_f64)
MATH_KERNELS(UnaryKernel, math_cos_f32)
MATH_KERNELS(UnaryKernel, math_cos_f64)
MATH_KERNELS(PowKernel, math_pow_f32)
MATH_KERNELS(PowKernel, math_pow_f64)
#undef MATH_KERNELS

namespace halite {
namespace {

constexpr const char* kSetNames[kNumSets] = {"sse41", "avx2", "avx512", "zen4"};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool CpuHas(int set) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  const bool zen4 =
      avx512 && __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi") &&
      __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vnni") &&
      __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("avx512vpopcntdq") &&
      __builtin_cpu_supports("avx512bf16");
  const bool has[kNumSets] = {bool(__builtin_cpu_supports("sse4.1")), avx2, avx512, zen4};
  return has[set];
}

// The error of `got`, in ulp. A result that overflows counts as the power of two it overflows at.
template <typename T, typename Wide>
double Error(T got, Wide exact) {
  if (std::isnan(got) || std::isnan(exact)) {
    return std::isnan(got) && std::isnan(exact) ? 0 : kInfinity;
  }
  using Limits = std::numeric_limits<T>;
  const Wide end = std::ldexp(Wide(1), Limits::max_exponent);
  const Wide v = std::clamp(exact, -end, end);
  const Wide error = std::abs(std::clamp(Wide(got), -end, end) - v);
  const int exponent = v == 0 ? Limits::min_exponent : std::ilogb(v) + 1;
  return double(std::ldexp(
      error, Limits::digits - std::clamp(exponent, Limits::min_exponent, Limits::max_exponent)));
}

struct Worst {
  double error = 0;
  double x = 0, e = 0;  // where; e is the exponent of pow
  void Add(double other_error, double other_x, double other_e = 0) {
    if (!(other_error > error)) return;
    error = other_error;
    x = other_x;
    e = other_e;
  }
};
using WorstOfSets = std::array<Worst, kNumSets>;

// Prints and judges each set; the test counts as skipped if the CPU lacks one and none fails.
void Report(const char* function, const char* dtype, const WorstOfSets& worst, double tolerance) {
  for (int set = 0; set < kNumSets; ++set) {
    if (!CpuHas(set)) continue;
    std::printf("%s %s %s: %.3f ulp at %a", function, dtype, kSetNames[set], worst[set].error,
                worst[set].x);
    std::printf(worst[set].e != 0 ? " ^ %a\n" : "\n", worst[set].e);
    EXPECT_LE(worst[set].error, tolerance)
        << function << " " << dtype << " " << kSetNames[set] << " at " << worst[set].x;
  }
  for (int set = 0; set < kNumSets; ++set) {
    if (!CpuHas(set)) GTEST_SKIP() << "not run, this CPU lacks it: " << kSetNames[set];
  }
}

template <typename T>
void RunUnary(UnaryKernel* kernel, const T* x, T* y, int n) {
  Halide::Runtime::Buffer<T> x_buffer(const_cast<T*>(x), n), y_buffer(y, n);
  ASSERT_EQ(kernel(nullptr, x_buffer, y_buffer), 0);
}

// f(-x) is f(x), or -f(x), or neither: then the oracle is asked for both.
enum class Parity { kNone, kEven, kOdd };

// Consecutive bit patterns with their exact values.
struct Chunk {
  static constexpr int kSize = 1 << 14, kBlock = 1 << 10;
  std::array<float, kSize> x;
  std::array<double, kSize> exact, per_ulp;
  std::array<std::array<float, kSize>, kNumSets> y;
  bool all_nan;  // every exact value is NaN

  void Fill(uint32_t first, double (*oracle)(float)) {
    int nans = 0;
    for (int i = 0; i < kSize; ++i) {
      const uint32_t bits = first + i;
      std::memcpy(&x[i], &bits, sizeof(bits));
      exact[i] = std::clamp(oracle(x[i]), -0x1p128, 0x1p128);
      nans += exact[i] != exact[i];
      // 2^(23 - e) for 2^e <= |exact| < 2^(e + 1), -126 <= e <= 127, from the bits of the exponent.
      uint64_t power;
      std::memcpy(&power, &exact[i], sizeof(power));
      const int biased = std::clamp(int(power >> 52 & 0x7ff), 1023 - 126, 1023 + 127);
      power = uint64_t(1023 + 1023 + 23 - biased) << 52;
      std::memcpy(&per_ulp[i], &power, sizeof(power));
    }
    all_nan = nans == kSize;
  }

  // x becomes -x.
  void Mirror(Parity parity) {
    for (float& v : x) v = -v;
    if (parity == Parity::kOdd) {
      for (double& v : exact) v = -v;
    }
  }

  // The largest error of y[set]; NaN if some element is NaN.
  float LargestError(int set) const {
    if (all_nan) {
      int nans = 0;
      for (int i = 0; i < kSize; ++i) nans += y[set][i] != y[set][i];
      return nans == kSize ? 0 : std::numeric_limits<float>::infinity();
    }
    // As integers, the bits of floats from 0 to infinity are in order, and NaN is above: such a
    // maximum vectorises.
    int32_t highest = 0;
    for (int block = 0; block < kSize; block += kBlock) {
      std::array<float, kBlock> errors;
      std::array<int32_t, kBlock> bits;
      for (int i = 0; i < kBlock; ++i) {
        const double got = std::min(std::max(double(y[set][block + i]), -0x1p128), 0x1p128);
        errors[i] = float(std::abs(got - exact[block + i]) * per_ulp[block + i]);
      }
      std::memcpy(bits.data(), errors.data(), sizeof(bits));
      for (int i = 0; i < kBlock; ++i) highest = std::max(highest, bits[i] & 0x7fffffff);
    }
    float error;
    std::memcpy(&error, &highest, sizeof(error));
    return error;
  }

  // Runs the kernels and enters the errors of each set into `worst`.
  void Test(const std::array<UnaryKernel*, kNumSets>& kernels, WorstOfSets& worst) {
    float error = 0;
    for (int set = 0; set < kNumSets; ++set) {
      if (!CpuHas(set)) continue;
      RunUnary(kernels[set], x.data(), y[set].data(), kSize);
      // Most chunks come out alike on all sets that have FMA.
      const bool same = set > 0 && std::memcmp(&y[set], &y[set - 1], sizeof(y[set])) == 0;
      if (!same) error = LargestError(set);
      if (error <= float(worst[set].error)) continue;
      for (int i = 0; i < kSize; ++i) worst[set].Add(Error(y[set][i], exact[i]), x[i]);
    }
  }
};

void TestAllFloat32(const char* function, const std::array<UnaryKernel*, kNumSets>& kernels,
                    double (*oracle)(float), Parity parity, double tolerance) {
  const uint32_t chunks = (uint64_t{1} << (parity == Parity::kNone ? 32 : 31)) / Chunk::kSize;
  WorstOfSets worst;
  std::mutex mutex;
  std::atomic<uint32_t> next{0};
  const auto work = [&] {
    auto chunk = std::make_unique<Chunk>();
    WorstOfSets mine;
    for (uint32_t c = next++; c < chunks; c = next++) {
      chunk->Fill(c * Chunk::kSize, oracle);
      chunk->Test(kernels, mine);
      if (parity == Parity::kNone) continue;
      chunk->Mirror(parity);
      chunk->Test(kernels, mine);
    }
    const std::lock_guard<std::mutex> lock(mutex);
    for (int set = 0; set < kNumSets; ++set) worst[set].Add(mine[set].error, mine[set].x);
  };
  std::thread other(work);
  work();
  other.join();
  Report(function, "f32", worst, tolerance);
}

// Bit patterns of every binade, and values where the functions bend.
std::vector<double> Samples64() {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-40, 10.5), near(-40, 40);
  std::vector<double> x;
  for (int i = 0; i < 1 << 18; ++i) {
    const uint64_t bits = random();
    double value;
    std::memcpy(&value, &bits, sizeof(value));
    x.push_back(value);
    x.push_back((bits & 1 ? 1 : -1) * std::exp2(exponent(random)));
    x.push_back(near(random));
    x.push_back(1 + near(random) * 0x1p-10);
  }
  return x;
}

void TestFloat64(const char* function, const std::array<UnaryKernel*, kNumSets>& kernels,
                 long double (*oracle)(long double), double tolerance, double range = kInfinity) {
  std::vector<double> x = Samples64(), y(x.size());
  for (double& v : x) {
    if (std::isfinite(v) && std::abs(v) > range) v = std::remainder(v, range);
  }
  std::vector<long double> exact;
  for (double v : x) exact.push_back(oracle(v));
  WorstOfSets worst;
  for (int set = 0; set < kNumSets; ++set) {
    if (!CpuHas(set)) continue;
    RunUnary(kernels[set], x.data(), y.data(), int(x.size()));
    for (size_t i = 0; i < x.size(); ++i) worst[set].Add(Error(y[i], exact[i]), x[i]);
  }
  Report(function, "f64", worst, tolerance);
}

// Zero, infinity and NaN come out exactly, with their sign.
template <typename T>
void TestSpecial(const std::array<UnaryKernel*, kNumSets>& kernels,
                 long double (*oracle)(long double)) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> x = {0,    Limits::denorm_min(), Limits::min(),
                      T(1), Limits::max(),        Limits::infinity()};
  for (int i = 0; i < 6; ++i) x.push_back(-x[i]);
  x.push_back(Limits::quiet_NaN());
  std::vector<T> y(x.size());
  for (int set = 0; set < kNumSets; ++set) {
    if (!CpuHas(set)) continue;
    RunUnary(kernels[set], x.data(), y.data(), int(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      const T exact = T(oracle(x[i]));
      const auto where = [&] {
        return ::testing::Message() << kSetNames[set] << " at " << x[i] << ": " << y[i];
      };
      EXPECT_EQ(std::isnan(y[i]), std::isnan(exact)) << where();
      if (exact == 0 || std::isinf(exact)) {
        EXPECT_EQ(y[i], exact) << where();
        EXPECT_EQ(std::signbit(y[i]), std::signbit(exact)) << where();
      }
    }
  }
}

// Shortcuts of the oracles are exact to 2^-50 of the value: where a series of two or three terms
// is, and where the result is far beyond overflow or underflow of float32.
constexpr float kTiny = 0x1p-26f;

double Exp32(float x) {
  if (std::abs(x) < kTiny) return 1.0 + x;
  if (x > 100) return kInfinity;
  if (x < -150) return 0;
  return std::exp(double(x));
}
// glibc is slow where it raises an exception.
double Log32(float x) { return x >= 0 ? std::log(double(x)) : kNan; }
double Tanh32(float x) {
  const double d = x;
  if (std::abs(x) < 0x1p-13f) return d - d * d * d / 3;
  if (std::abs(x) > 20) return std::copysign(1.0, d);
  return std::tanh(d);
}
double Erf32(float x) {
  const double d = x;
  if (std::abs(x) < 0x1p-13f) return (d - d * d * d / 3) * 1.1283791670955126;
  if (std::abs(x) > 6) return std::copysign(1.0, d);
  return std::erf(d);
}
double Sigmoid32(float x) {
  if (std::abs(x) < kTiny) return 0.5 + 0.25 * x;
  if (x > 40) return 1;
  if (x < -150) return 0;
  return 1 / (1 + std::exp(-double(x)));
}
double Softplus32(float x) {
  const double d = x;
  if (std::abs(x) < kTiny) return 0.69314718055994531 + 0.5 * d;
  if (x > 40) return d;
  if (x < -150) return 0;
  return x > 0 ? d + std::log1p(std::exp(-d)) : std::log1p(std::exp(d));
}
double Sin32(float x) {
  const double d = x;
  return std::abs(x) < 0x1p-13f ? d - d * d * d / 6 : std::sin(d);
}
double Cos32(float x) {
  const double d = x;
  return std::abs(x) < 0x1p-13f ? 1 - d * d / 2 : std::cos(d);
}

long double Sigmoid64(long double x) { return 1 / (1 + std::exp(-x)); }
long double Softplus64(long double x) {
  return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x)));
}

template <typename T>
void RunPow(PowKernel* kernel, const std::vector<T>& x, const std::vector<T>& e,
            std::vector<T>& y) {
  const int n = int(x.size());
  Halide::Runtime::Buffer<T> x_buffer(const_cast<T*>(x.data()), n),
      e_buffer(const_cast<T*>(e.data()), n), y_buffer(y.data(), n);
  ASSERT_EQ(kernel(nullptr, x_buffer, e_buffer, y_buffer), 0);
}

// Bases of every binade and near 1, with exponents that spread the results over the whole range
// and beyond; small integers and halves as exponents, of bases of both signs; random bits.
template <typename T>
class PowSamples {
 public:
  std::vector<T> x, e;

  PowSamples(uint64_t seed, int count) : random_(seed) {
    using Limits = std::numeric_limits<T>;
    constexpr double kDenormal = Limits::min_exponent - Limits::digits;
    for (int i = 0; i < count; ++i) {
      Spread(std::exp2(Uniform(kDenormal, Limits::max_exponent)));
      Spread(1 + std::exp2(Uniform(-Limits::digits, -1)) * Sign());
      Push(Uniform(0.1, 10) * Sign(), std::round(Uniform(-100, 100)));
      Push(std::exp2(Uniform(kDenormal, Limits::max_exponent)), std::round(Uniform(-8, 8)) / 2);
      Push(Bits(), Bits());
    }
  }

 private:
  void Push(double base, double exponent) {
    x.push_back(T(base));
    e.push_back(T(exponent));
  }
  void Spread(double base) {
    const double widest = 1.2 * std::numeric_limits<T>::max_exponent;
    Push(base, Uniform(-widest, widest) / std::log2(double(T(base))));
  }
  double Uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  double Sign() { return random_() & 1 ? 1 : -1; }
  double Bits() {
    const uint64_t bits = random_();
    T value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  std::mt19937_64 random_;
};

// `Wide` is a type with many more digits than T.
template <typename T, typename Wide>
void TestPow(const char* dtype, const std::array<PowKernel*, kNumSets>& kernels, int rounds,
             double tolerance) {
  WorstOfSets worst;
  for (int round = 0; round < rounds; ++round) {
    const PowSamples<T> samples(round, 1 << 14);
    std::vector<T> y(samples.x.size());
    std::vector<Wide> exact;
    for (size_t i = 0; i < y.size(); ++i) {
      exact.push_back(std::pow(Wide(samples.x[i]), Wide(samples.e[i])));
    }
    for (int set = 0; set < kNumSets; ++set) {
      if (!CpuHas(set)) continue;
      RunPow(kernels[set], samples.x, samples.e, y);
      for (size_t i = 0; i < y.size(); ++i) {
        worst[set].Add(Error(y[i], exact[i]), samples.x[i], samples.e[i]);
      }
    }
  }
  Report("pow", dtype, worst, tolerance);
}

// All pairs of special values: NaN, infinity, zero and signs as in C99 annex F.
template <typename T, typename Wide>
void TestPowSpecial(const std::array<PowKernel*, kNumSets>& kernels, double tolerance) {
  using Limits = std::numeric_limits<T>;
  const T two_digits = std::ldexp(T(1), Limits::digits);
  std::vector<T> values = {0,
                           Limits::denorm_min(),
                           Limits::min(),
                           T(0.5),
                           T(1) - Limits::epsilon(),
                           1,
                           T(1) + Limits::epsilon(),
                           T(1.5),
                           2,
                           T(2.5),
                           3,
                           4,
                           1001,
                           T(1e9),
                           two_digits - 1,
                           two_digits,
                           two_digits + 2,
                           Limits::max(),
                           Limits::infinity()};
  for (size_t i = 0, n = values.size(); i < n; ++i) values.push_back(-values[i]);
  values.push_back(Limits::quiet_NaN());
  std::vector<T> x, e;
  for (T base : values) {
    for (T exponent : values) {
      x.push_back(base);
      e.push_back(exponent);
    }
  }
  std::vector<T> y(x.size());
  for (int set = 0; set < kNumSets; ++set) {
    if (!CpuHas(set)) continue;
    RunPow(kernels[set], x, e, y);
    for (size_t i = 0; i < x.size(); ++i) {
      const Wide exact = std::pow(Wide(x[i]), Wide(e[i]));
      const auto where = [&] {
        return ::testing::Message() << kSetNames[set] << ": " << x[i] << " ^ " << e[i];
      };
      EXPECT_LE(Error(y[i], exact), tolerance) << where();
      if (std::isnan(exact)) continue;
      EXPECT_EQ(std::signbit(y[i]), std::signbit(exact)) << where();
      const T rounded = T(exact);
      if (rounded == 0 || std::isinf(rounded) || rounded == 1) {
        EXPECT_EQ(y[i], rounded) << where();
      }
    }
  }
}

TEST(Math, ExpFloat32) { TestAllFloat32("exp", math_exp_f32, Exp32, Parity::kNone, 2); }
TEST(Math, LogFloat32) { TestAllFloat32("log", math_log_f32, Log32, Parity::kNone, 2); }
TEST(Math, TanhFloat32) { TestAllFloat32("tanh", math_tanh_f32, Tanh32, Parity::kOdd, 4); }
TEST(Math, ErfFloat32) { TestAllFloat32("erf", math_erf_f32, Erf32, Parity::kOdd, 4); }
TEST(Math, SigmoidFloat32) {
  TestAllFloat32("sigmoid", math_sigmoid_f32, Sigmoid32, Parity::kNone, 4);
}
TEST(Math, SoftplusFloat32) {
  TestAllFloat32("softplus", math_softplus_f32, Softplus32, Parity::kNone, 4);
}
TEST(Math, SinFloat32) { TestAllFloat32("sin", math_sin_f32, Sin32, Parity::kOdd, 4); }
TEST(Math, CosFloat32) { TestAllFloat32("cos", math_cos_f32, Cos32, Parity::kEven, 4); }
TEST(Math, PowFloat32) { TestPow<float, double>("f32", math_pow_f32, 256, 4); }

TEST(Math, ExpFloat64) { TestFloat64("exp", math_exp_f64, std::exp, 2); }
TEST(Math, LogFloat64) { TestFloat64("log", math_log_f64, std::log, 2); }
TEST(Math, TanhFloat64) { TestFloat64("tanh", math_tanh_f64, std::tanh, 4); }
TEST(Math, ErfFloat64) { TestFloat64("erf", math_erf_f64, std::erf, 4); }
TEST(Math, SigmoidFloat64) { TestFloat64("sigmoid", math_sigmoid_f64, Sigmoid64, 4); }
TEST(Math, SoftplusFloat64) { TestFloat64("softplus", math_softplus_f64, Softplus64, 4); }
TEST(Math, SinFloat64) { TestFloat64("sin", math_sin_f64, std::sin, 4, 0x1p30); }
TEST(Math, CosFloat64) { TestFloat64("cos", math_cos_f64, std::cos, 4, 0x1p30); }
TEST(Math, PowFloat64) { TestPow<double, long double>("f64", math_pow_f64, 16, 4); }

// Rounding does not carry a result beyond the range of the function: over all float32 from 1/2 to
// 64, where these saturate, and over samples in float64.
TEST(Math, BoundedByOne) {
  const struct {
    const char* name;
    std::array<UnaryKernel*, kNumSets> float32, float64;
  } functions[] = {{"tanh", math_tanh_f32, math_tanh_f64},
                   {"erf", math_erf_f32, math_erf_f64},
                   {"sigmoid", math_sigmoid_f32, math_sigmoid_f64},
                   {"sin", math_sin_f32, math_sin_f64},
                   {"cos", math_cos_f32, math_cos_f64}};
  const std::vector<double> x64 = Samples64();
  std::vector<double> y64(x64.size());
  std::vector<float> x(1 << 20), y(x.size());
  const auto beyond = [](const auto& values) {
    int count = 0;
    for (const auto v : values) count += v > 1 || v < -1;
    return count;
  };
  for (const auto& function : functions) {
    for (int set = 0; set < kNumSets; ++set) {
      if (!CpuHas(set)) continue;
      int count = 0;
      for (uint32_t bits = 0x3f000000; bits < 0x42800000; bits += x.size()) {
        for (size_t i = 0; i < x.size(); ++i) {
          const uint32_t pattern = bits + uint32_t(i);
          std::memcpy(&x[i], &pattern, sizeof(pattern));
        }
        RunUnary(function.float32[set], x.data(), y.data(), int(x.size()));
        count += beyond(y);
      }
      EXPECT_EQ(count, 0) << function.name << " f32 " << kSetNames[set];
      RunUnary(function.float64[set], x64.data(), y64.data(), int(x64.size()));
      EXPECT_EQ(beyond(y64), 0) << function.name << " f64 " << kSetNames[set];
    }
  }
}

TEST(Math, SpecialValues) {
  const struct {
    const char* name;
    std::array<UnaryKernel*, kNumSets> float32, float64;
    long double (*oracle)(long double);
  } functions[] = {
      {"exp", math_exp_f32, math_exp_f64, std::exp},
      {"log", math_log_f32, math_log_f64, std::log},
      {"tanh", math_tanh_f32, math_tanh_f64, std::tanh},
      {"erf", math_erf_f32, math_erf_f64, std::erf},
      {"sigmoid", math_sigmoid_f32, math_sigmoid_f64, Sigmoid64},
      {"softplus", math_softplus_f32, math_softplus_f64, Softplus64},
      {"sin", math_sin_f32, math_sin_f64, std::sin},
      {"cos", math_cos_f32, math_cos_f64, std::cos},
  };
  for (const auto& function : functions) {
    SCOPED_TRACE(function.name);
    TestSpecial<float>(function.float32, function.oracle);
    TestSpecial<double>(function.float64, function.oracle);
  }
}
TEST(Math, SpecialPairsOfPow) {
  TestPowSpecial<float, double>(math_pow_f32, 4);
  TestPowSpecial<double, long double>(math_pow_f64, 4);
}

}  // namespace
}  // namespace halite
