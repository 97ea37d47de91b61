// SPDX-License-Identifier: Apache-2.0
//
// affine, batch_matmul and convolution against plain loops in double, on the CPU and on OpenCL.
// Each is a list of products x[i] w[j] that are added to y[o]; the gradients follow from the list.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "halite/core/context.h"
#include "halite/ops/convolution.h"
#include "halite/ops/matmul.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
using testing::CheckReferences;
using testing::InputOf;
using testing::kNan;
using testing::Numbers;
using testing::References;

using Ints = std::vector<int64_t>;
using Values = std::vector<double>;
using Visit = std::function<void(int64_t o, int64_t i, int64_t j)>;

struct Contraction {
  Shape x, w, y;
  Shape b;         // empty: no bias
  int64_t pixels;  // elements of y in a row that have the same bias
  // Whether products with zeros are added beyond the list: none, to dx (beyond the ends of dy), or
  // to y and dw too (on the padding).
  enum Zeros { kNone, kInDx, kEverywhere } zeros;
  std::string name;
  std::function<Variable(const std::vector<Variable>& in)> apply;  // x, w, b
  std::function<void(const Visit& visit)> for_each_product;
};

// Matrices y [m, n] = a [m, k] b [k, n], for each index of `batch`.
struct ProductSize {
  Shape batch;
  int64_t m, n, k;
};

// `ta`, `tb`: whether a and b are stored transposed.
auto ProductsOf(const ProductSize& s, bool ta, bool tb) {
  return [=](const Visit& visit) {
    for (int64_t z = 0; z < Size(s.batch); ++z) {
      for (int64_t ik = 0; ik < s.m * s.k; ++ik) {
        const int64_t i = ik / s.k, k = ik % s.k, a = ta ? k * s.m + i : ik;
        for (int64_t j = 0; j < s.n; ++j) {
          const int64_t b = tb ? j * s.k + k : k * s.n + j;
          visit((z * s.m + i) * s.n + j, z * s.m * s.k + a, z * s.k * s.n + b);
        }
      }
    }
  };
}

Contraction AffineCase(const Shape& x, const Shape& w, int base_axis, bool bias) {
  Shape y(x.begin(), x.begin() + base_axis);
  const Shape outmaps(w.begin() + 1, w.end());
  const ProductSize size{{}, Size(y), Size(outmaps), w[0]};
  y.insert(y.end(), outmaps.begin(), outmaps.end());
  return {x,
          w,
          y,
          bias ? outmaps : Shape(),
          1,
          Contraction::kNone,
          "affine, base_axis " + std::to_string(base_axis),
          [=](const auto& in) { return F::Affine(in[0], in[1], in[2], {base_axis}); },
          ProductsOf(size, false, false)};
}

Contraction BatchMatmulCase(const ProductSize& s, bool ta, bool tb) {
  Shape a = s.batch, b = s.batch, y = s.batch;
  for (int64_t extent : {ta ? s.k : s.m, ta ? s.m : s.k}) a.push_back(extent);
  for (int64_t extent : {tb ? s.n : s.k, tb ? s.k : s.n}) b.push_back(extent);
  for (int64_t extent : {s.m, s.n}) y.push_back(extent);
  const BatchMatmulOptions options{ta, tb};
  return {a,
          b,
          y,
          {},
          1,
          Contraction::kNone,
          "batch_matmul " + std::to_string(ta) + std::to_string(tb),
          [=](const auto& in) { return F::BatchMatmul(in[0], in[1], options); },
          ProductsOf(s, ta, tb)};
}

// One spatial axis.
struct Axis {
  int64_t in = 1, taps = 1, out = 1, pad = 0, stride = 1, dilation = 1;
  // Where tap k of output o reads; negative or beyond `in` on the padding.
  int64_t At(int64_t o, int64_t k) const { return o * stride - pad + k * dilation; }
  bool Has(int64_t at) const { return at >= 0 && at < in; }
};

Contraction ConvolutionCase(const Shape& x, const Shape& w, const ConvolutionOptions& options,
                            bool bias) {
  const int base = options.base_axis;
  Shape y(x.begin(), x.begin() + base);
  const int64_t batch = Size(y), channels = x[base], outmaps = w[0], inputs = w[1];
  const int64_t group_outmaps = outmaps / options.group;
  y.push_back(outmaps);
  std::vector<Axis> axes(3);
  const size_t spatial = w.size() - 2;
  for (size_t d = 0; d < spatial; ++d) {
    Axis& axis = axes[3 - spatial + d];
    axis.in = x[base + 1 + d];
    axis.taps = w[2 + d];
    if (!options.pad.empty()) axis.pad = options.pad[d];
    if (!options.stride.empty()) axis.stride = options.stride[d];
    if (!options.dilation.empty()) axis.dilation = options.dilation[d];
    const int64_t window = axis.dilation * (axis.taps - 1) + 1;
    axis.out = (axis.in + 2 * axis.pad - window) / axis.stride + 1;
    y.push_back(axis.out);
  }
  const Axis ax = axes[2], ay = axes[1], az = axes[0];
  const bool padded = ax.pad + ay.pad + az.pad > 0;
  // Products of one output plane with one plane of its inputs.
  const auto for_planes = [=](const Visit& visit, int64_t to, int64_t from, int64_t weights) {
    const int64_t taps = az.taps * ay.taps * ax.taps;
    for (int64_t p = 0; p < az.out * ay.out * ax.out; ++p) {
      for (int64_t k = 0; k < taps; ++k) {
        const int64_t at_x = ax.At(p % ax.out, k % ax.taps);
        const int64_t at_y = ay.At(p / ax.out % ay.out, k / ax.taps % ay.taps);
        const int64_t at_z = az.At(p / ax.out / ay.out, k / ax.taps / ay.taps);
        if (!ax.Has(at_x) || !ay.Has(at_y) || !az.Has(at_z)) continue;
        visit(to * az.out * ay.out * ax.out + p,
              ((from * az.in + at_z) * ay.in + at_y) * ax.in + at_x, weights * taps + k);
      }
    }
  };
  return {x,
          w,
          y,
          bias ? Shape{outmaps} : Shape(),
          ax.out * ay.out * az.out,
          padded ? Contraction::kEverywhere : Contraction::kInDx,
          "convolution, pad " + ToString(options.pad) + " stride " + ToString(options.stride) +
              " dilation " + ToString(options.dilation) + " group " + std::to_string(options.group),
          [=](const auto& in) { return F::Convolution(in[0], in[1], in[2], options); },
          [=](const Visit& visit) {
            for (int64_t n = 0; n < batch; ++n) {
              for (int64_t o = 0; o < outmaps; ++o) {
                for (int64_t c = 0; c < inputs; ++c) {
                  for_planes(visit, n * outmaps + o, n * channels + o / group_outmaps * inputs + c,
                             o * inputs + c);
                }
              }
            }
          }};
}

std::vector<Contraction> Products() {
  std::vector<Contraction> cases;
  for (bool bias : {false, true}) {
    cases.push_back(AffineCase({3, 5}, {5, 4}, 1, bias));
    cases.push_back(AffineCase({1, 1}, {1, 1}, 1, bias));
    cases.push_back(AffineCase({2, 3, 7}, {21, 2, 3}, 1, bias));
    cases.push_back(AffineCase({4, 5, 3, 11}, {33, 17}, 2, bias));
    cases.push_back(AffineCase({5, 3}, {15, 2}, 0, bias));
    cases.push_back(AffineCase({130, 259}, {259, 67}, 1, bias));
  }
  cases.push_back(AffineCase({3, 5}, {5}, 1, false));
  for (int flags = 0; flags < 4; ++flags) {
    for (const ProductSize& size : {ProductSize{{2}, 1, 1, 1},
                                    {{3}, 1, 33, 7},
                                    {{2, 3}, 5, 4, 9},
                                    {{2, 1, 2}, 17, 33, 65},
                                    {{1}, 3, 300, 130},
                                    {{1}, 130, 2, 300},
                                    {{1}, 9, 40, 1100},
                                    {{1}, 65, 65, 1},
                                    {{1}, 130, 67, 259},
                                    // At the borders between the forms of tile.
                                    {{2}, 70, 1, 67},
                                    {{1}, 4, 128, 33},
                                    {{1}, 5, 129, 530},
                                    {{2}, 2, 131, 600},
                                    {{2}, 12, 130, 290},
                                    {{1}, 6, 150, 1030},
                                    {{1}, 40, 25, 64},
                                    {{1}, 37, 50, 1030},
                                    {{2}, 35, 85, 40},
                                    {{1}, 19, 25, 1030},
                                    {{1}, 33, 40, 100}}) {
      cases.push_back(BatchMatmulCase(size, flags & 1, flags & 2));
    }
  }
  // Large enough to be packed.
  for (bool ta : {false, true}) cases.push_back(BatchMatmulCase({{1}, 520, 124, 513}, ta, false));
  return cases;
}

struct ConvolutionSize {
  Shape x, w;
  ConvolutionOptions options = {};
};

std::vector<Contraction> Convolutions() {
  std::vector<Contraction> cases;
  for (const auto& [x, w, options] : std::initializer_list<ConvolutionSize>{
           // One spatial axis.
           {{2, 3, 17}, {4, 3, 3}},
           {{1, 1, 1}, {1, 1, 1}},
           {{2, 3, 40}, {5, 3, 4}, {1, {2}, {2}, {3}}},
           {{3, 17}, {5, 3, 3}, {0, {1}}},
           {{2, 2, 3, 9}, {4, 3, 2}, {2, {1}, {3}}},
           {{2, 6, 300}, {6, 1, 5}, {1, {2}, {}, {}, 6}},
           // Two.
           {{2, 3, 7, 6}, {4, 3, 3, 3}},
           {{2, 3, 9, 8}, {4, 3, 3, 2}, {1, {2, 1}, {2, 3}, {2, 1}}},
           {{2, 6, 9, 8}, {4, 3, 3, 2}, {1, {0, 1}, {1, 2}, {}, 2}},
           {{2, 2, 3, 7, 6}, {4, 3, 1, 5}, {2, {0, 2}}},
           {{1, 2, 3, 3}, {2, 2, 5, 3}, {1, {4, 2}}},
           {{1, 1, 4, 5}, {3, 1, 2, 2}, {1, {3, 4}, {5, 4}, {2, 3}}},
           {{2, 1, 28, 28}, {16, 1, 5, 5}},
           {{1, 33, 20, 19}, {70, 33, 3, 3}, {1, {1, 1}}},
           {{2, 130, 7, 7}, {17, 130, 3, 3}, {1, {1, 1}, {2, 2}}},
           {{1, 3, 33, 70}, {20, 3, 7, 7}, {1, {3, 3}, {2, 2}}},
           // One tap.
           {{2, 5, 6, 7}, {4, 5, 1, 1}},
           {{2, 5, 6, 7}, {4, 5, 1, 1}, {1, {}, {2, 3}}},
           {{2, 5, 6, 7}, {4, 5, 1, 1}, {1, {1, 2}}},
           {{3, 6, 6, 7}, {4, 3, 1, 1}, {1, {}, {}, {}, 2}},
           {{2, 3, 40, 41}, {2, 3, 1, 1}},
           // Depthwise.
           {{2, 5, 9, 8}, {5, 1, 3, 3}, {1, {1, 1}, {}, {}, 5}},
           {{2, 3, 9, 37}, {6, 1, 3, 3}, {1, {1, 1}, {2, 2}, {}, 3}},
           {{2, 3, 9, 8}, {6, 1, 2, 5}, {1, {2, 0}, {2, 1}, {2, 1}, 3}},
           {{2, 4, 5, 6}, {4, 1, 1, 1}, {1, {}, {}, {}, 4}},
           {{3, 9, 8}, {6, 1, 3, 3}, {0, {1, 2}, {1, 3}, {}, 3}},
           // Three.
           {{1, 2, 4, 5, 6}, {3, 2, 2, 3, 2}},
           {{2, 4, 5, 7, 6}, {6, 2, 3, 2, 3}, {1, {1, 0, 2}, {2, 1, 3}, {1, 2, 1}, 2}},
           {{1, 3, 4, 5, 6}, {6, 1, 3, 3, 2}, {1, {1, 1, 0}, {1, 2, 1}, {}, 3}},
           {{2, 3, 3, 4, 5}, {4, 3, 1, 1, 1}},
           {{1, 3, 5, 9, 8}, {17, 3, 3, 3, 2}, {1, {1, 1, 0}, {2, 2, 2}}},
           {{2, 64, 3, 4, 3}, {2, 64, 2, 3, 2}, {1, {1, 0, 2}, {2, 1, 2}, {1, 1, 2}}},
       }) {
    for (bool bias : {false, true}) cases.push_back(ConvolutionCase(x, w, options, bias));
  }
  return cases;
}

struct Arrays {
  Values x, w, b, dy;
  explicit Arrays(const Contraction& test)
      : x(Numbers(Size(test.x), 1)),
        w(Numbers(Size(test.w), 2)),
        b(Numbers(test.b.empty() ? 0 : Size(test.b), 3)),
        dy(Numbers(Size(test.y), 4)) {}
};

References Compute(const Contraction& test, const Arrays& in) {
  References result{test.y,
                    Values(in.dy.size(), 0),
                    in.dy,
                    {Values(in.x.size(), 0), Values(in.w.size(), 0), Values(in.b.size(), 0)}};
  Values &dx = result.dx[0], &dw = result.dx[1], &db = result.dx[2];
  test.for_each_product([&](int64_t o, int64_t i, int64_t j) {
    result.y[o] += in.x[i] * in.w[j];
    dx[i] += in.dy[o] * in.w[j];
    dw[j] += in.dy[o] * in.x[i];
  });
  for (size_t o = 0; o < in.dy.size() && !in.b.empty(); ++o) {
    const size_t c = o / test.pixels % in.b.size();
    result.y[o] += in.b[c];
    db[c] += in.dy[o];
  }
  return result;
}

// `wants`: which of x, w and b get a gradient.
template <typename T>
void Check(const Contraction& test, const Arrays& in, const References& reference, double tolerance,
           const std::vector<bool>& wants = {true, true, true}) {
  SCOPED_TRACE(test.name + ", " + ToString(test.x) + " with " + ToString(test.w));
  const Variable x = InputOf<T>(test.x, in.x, wants[0]), w = InputOf<T>(test.w, in.w, wants[1]);
  const Variable b = test.b.empty() ? Variable() : InputOf<T>(test.b, in.b, wants[2]);
  CheckReferences<T>({x, w, b}, test.apply({x, w, b}), reference, tolerance);
}

void CheckAll(const std::vector<Contraction>& cases) {
  for (const Contraction& test : cases) {
    const Arrays in(test);
    const References reference = Compute(test, in);
    ASSERT_NO_FATAL_FAILURE(Check<float>(test, in, reference, 1e-4));
    ASSERT_NO_FATAL_FAILURE(Check<double>(test, in, reference, 1e-12));
    for (const std::vector<bool>& wants :
         {std::vector<bool>{true, false, false}, {false, true, false}, {false, false, true}}) {
      ASSERT_NO_FATAL_FAILURE(Check<float>(test, in, reference, 1e-4, wants));
    }
  }
}

TEST(Contraction, ProductsMatchPlainLoops) { CheckAll(Products()); }

TEST(Contraction, ConvolutionsMatchPlainLoops) { CheckAll(Convolutions()); }

TEST(Contraction, OpenclMatchesPlainLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  for (const auto& cases : {Products(), Convolutions()}) {
    for (const Contraction& test : cases) {
      const Arrays in(test);
      ASSERT_NO_FATAL_FAILURE(Check<float>(test, in, Compute(test, in), 1e-4));
    }
  }
}

// NaN in one element reaches what reads it, and nothing else. Products of NaN and the zeros beyond
// the list are NaN, so what they go into is left out.
TEST(Contraction, NanReachesWhatReadsIt) {
  for (const auto& cases : {Products(), Convolutions()}) {
    for (const Contraction& test : cases) {
      const Arrays clean(test);
      for (Values Arrays::*list : {&Arrays::x, &Arrays::w, &Arrays::b, &Arrays::dy}) {
        std::vector<bool> wants = {true, true, true};
        if (list == &Arrays::w && test.zeros != Contraction::kNone) wants[0] = false;
        if (list == &Arrays::dy && test.zeros == Contraction::kEverywhere) wants[1] = false;
        Arrays in = clean;
        Values& values = in.*list;
        const bool y_is_known = list != &Arrays::w || test.zeros != Contraction::kEverywhere;
        if (values.empty() || !y_is_known) continue;
        values[values.size() * 2 / 3] = kNan;
        ASSERT_NO_FATAL_FAILURE(Check<float>(test, in, Compute(test, in), 1e-4, wants));
      }
    }
  }
}

TEST(Contraction, ErrorsSayWhatIsNeeded) {
  const auto message = [](const Variable& y) { return std::string(y.status().message()); };
  const Variable x({2, 3, 8});
  EXPECT_EQ(message(F::Affine(x, Variable({8, 5}))),
            "affine: x [2,3,8] and w [8,5]: w with 24 rows needed");
  EXPECT_EQ(message(F::Affine(x, Variable({8, 5}), Variable(), {3})),
            "affine: x [2,3,8] and base_axis 3: base_axis in [0,3) needed");
  EXPECT_EQ(message(F::BatchMatmul(x, Variable({1, 8, 5}))),
            "batch_matmul: a [2,3,8] and b [1,8,5]: equal ranks of at least 3 and equal leading "
            "extents needed");
  EXPECT_EQ(message(F::Convolution(x, Variable({5, 2, 3}))),
            "convolution: x [2,3,8] and w [5,2,3]: w with 3 input channels needed");
  EXPECT_EQ(message(F::Convolution(x, Variable({5, 3, 9}))),
            "convolution: x [2,3,8] and w [5,3,9]: kernels that fit in the padded input needed");
}

}  // namespace
}  // namespace halite
