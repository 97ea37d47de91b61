// SPDX-License-Identifier: Apache-2.0
//
// Pooling against direct loops in double, on the CPU and on OpenCL.
#include "halite/ops/pooling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "halite/core/context.h"
#include "halite/core/random.h"
#include "halite/core/variable.h"

namespace halite {
namespace {

namespace F = functions;

using Ints = std::vector<int64_t>;

struct PoolingCase {
  Shape x;
  Ints kernel, stride, pad;
  bool ignore_border = true;
  bool including_pad = true;
};

// What the direct loops give: outputs, and the gradients for dy.
struct Reference {
  Shape shape;
  std::vector<double> max, average, max_dx, average_dx;
};

// One window axis: the cells that exist, and the divisor's share.
struct Window {
  int64_t begin, end, size;
};

Window WindowOf(const PoolingCase& test, size_t d, int64_t o, int64_t in) {
  const int64_t kernel = test.kernel[d], pad = test.pad.empty() ? 0 : test.pad[d];
  const int64_t stride = test.stride.empty() ? kernel : test.stride[d];
  const int64_t start = o * stride - pad;
  Window window{std::max<int64_t>(start, 0), std::min(start + kernel, in), 0};
  window.size =
      test.including_pad ? std::min(start + kernel, in + pad) - start : window.end - window.begin;
  return window;
}

// dy of element i.
double Dy(size_t i) { return static_cast<double>(i % 7) - 2.5; }

Reference Compute(const PoolingCase& test, const std::vector<double>& x) {
  const size_t pooled = test.kernel.size();
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, rest = 1;
  Reference result;
  result.shape = test.x;
  for (size_t d = 0; d < test.x.size(); ++d) {
    if (d < test.x.size() - pooled) {
      rest *= test.x[d];
      continue;
    }
    const size_t i = d - (test.x.size() - pooled), at = 3 - pooled + i;
    const int64_t kernel = test.kernel[i], pad = test.pad.empty() ? 0 : test.pad[i];
    const int64_t stride = test.stride.empty() ? kernel : test.stride[i];
    in[at] = test.x[d];
    out[at] = test.ignore_border ? (in[at] + 2 * pad - kernel) / stride + 1
                                 : (in[at] + pad - 1) / stride + 1;
    result.shape[d] = out[at];
  }
  const auto window = [&](int axis, int64_t o) {
    const int d = axis - (3 - static_cast<int>(pooled));
    return d < 0 ? Window{0, 1, 1} : WindowOf(test, d, o, in[axis]);
  };
  result.max_dx.assign(x.size(), 0);
  result.average_dx.assign(x.size(), 0);
  for (int64_t n = 0; n < rest; ++n) {
    for (int64_t oz = 0; oz < out[0]; ++oz) {
      for (int64_t oy = 0; oy < out[1]; ++oy) {
        for (int64_t ox = 0; ox < out[2]; ++ox) {
          const Window wz = window(0, oz), wy = window(1, oy), wx = window(2, ox);
          const double size = static_cast<double>(wz.size * wy.size * wx.size);
          const double dy = Dy(result.max.size());
          double sum = 0, best = 0;
          int64_t place = -1;
          for (int64_t z = wz.begin; z < wz.end; ++z) {
            for (int64_t y = wy.begin; y < wy.end; ++y) {
              for (int64_t i = wx.begin; i < wx.end; ++i) {
                const int64_t at = ((n * in[0] + z) * in[1] + y) * in[2] + i;
                sum += x[at];
                result.average_dx[at] += dy / size;
                if (place < 0 || (!(x[at] <= best) && !std::isnan(best))) {
                  best = x[at];
                  place = at;
                }
              }
            }
          }
          result.max_dx[place] += dy;
          result.max.push_back(best);
          result.average.push_back(sum / size);
        }
      }
    }
  }
  return result;
}

std::vector<double> Numbers(int64_t count) {
  std::vector<float> values(count);
  RandomGenerator(7).Uniform(absl::MakeSpan(values), -4, 4);
  // Steps of 1/4 make ties.
  std::vector<double> rounded;
  for (float v : values) rounded.push_back(std::floor(v * 4) / 4);
  return rounded;
}

template <typename T>
void ExpectNear(const NdArray& array, const std::vector<double>& wanted, double tolerance,
                const char* what) {
  const auto got = array.ToVector<T>();
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), wanted.size()) << what;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted[i])) {
      ASSERT_TRUE(std::isnan((*got)[i])) << what << " " << i;
    } else {
      ASSERT_NEAR((*got)[i], wanted[i], tolerance) << what << " " << i;
    }
  }
}

template <typename T>
void Check(const PoolingCase& test, const std::vector<double>& x, double tolerance) {
  const Reference reference = Compute(test, x);
  const Variable input(NdArray::From<T>(test.x, std::vector<T>(x.begin(), x.end())), true);
  std::vector<T> dy;
  for (size_t i = 0; i < reference.max.size(); ++i) dy.push_back(static_cast<T>(Dy(i)));
  const auto check = [&](const Variable& y, const std::vector<double>& wanted,
                         const std::vector<double>& wanted_dx) {
    ASSERT_TRUE(y.status().ok()) << y.status();
    ASSERT_EQ(y.shape(), reference.shape);
    ForwardOptions lean;
    lean.clear_no_need_grad = true;
    absl::Status status = y.Forward(lean);
    ASSERT_TRUE(status.ok()) << status;
    ExpectNear<T>(y.data(), wanted, tolerance, "y");
    BackwardOptions options;
    options.grad_array = NdArray::From<T>(y.shape(), dy);
    input.grad().Fill(std::numeric_limits<double>::quiet_NaN());
    input.grad().Zero();
    status = y.Backward(options);
    ASSERT_TRUE(status.ok()) << status;
    ExpectNear<T>(input.grad(), wanted_dx, tolerance, "dx");
    // A second gradient is added.
    status = y.Backward(options);
    ASSERT_TRUE(status.ok()) << status;
    std::vector<double> twice = wanted_dx;
    for (double& v : twice) v *= 2;
    ExpectNear<T>(input.grad(), twice, 2 * tolerance, "2 dx");
  };
  MaxPoolingOptions max;
  max.stride = test.stride;
  max.pad = test.pad;
  max.ignore_border = test.ignore_border;
  check(F::MaxPooling(input, test.kernel, max), reference.max, reference.max_dx);
  AveragePoolingOptions average;
  average.stride = test.stride;
  average.pad = test.pad;
  average.ignore_border = test.ignore_border;
  average.including_pad = test.including_pad;
  check(F::AveragePooling(input, test.kernel, average), reference.average, reference.average_dx);
}

const std::vector<PoolingCase>& Cases() {
  static const auto& cases = *new std::vector<PoolingCase>{
      {{2, 3, 24, 24}, {2, 2}, {}, {}},
      {{3, 8, 8}, {2, 2}, {}, {}},
      {{1, 2, 112, 112}, {3, 3}, {2, 2}, {1, 1}},
      {{2, 31, 29}, {3, 3}, {2, 2}, {1, 1}, false},
      {{2, 31, 29}, {3, 3}, {2, 2}, {1, 1}, false, false},
      {{5, 7, 9}, {3, 2}, {1, 3}, {2, 0}, true, false},
      {{3, 5}, {2, 2}, {}, {1, 1}, true, true},
      {{33, 37}, {3, 3}, {1, 1}, {1, 1}, true, false},
      {{2, 3, 7, 7}, {7, 7}, {}, {}},
      {{2, 3, 7, 7}, {5, 4}, {4, 5}, {}, false},
      {{4, 100}, {3}, {2}, {1}, true, false},
      {{17}, {5}, {1}, {4}, false, true},
      {{1}, {1}, {}, {}},
      {{1, 1, 1}, {2, 2}, {1, 1}, {1, 1}},
      {{2, 5, 6, 7}, {2, 3, 2}, {2, 1, 2}, {1, 1, 0}, false, false},
      {{2, 9, 6, 19}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}},
      {{600, 3, 3}, {2, 2}, {1, 1}, {}},
      {{2, 300, 500}, {2, 2}, {}, {}},
  };
  return cases;
}

TEST(Pooling, MatchesDirectLoops) {
  for (const PoolingCase& test : Cases()) {
    SCOPED_TRACE(ToString(test.x) + " kernel " + ToString(test.kernel));
    const std::vector<double> x = Numbers(Size(test.x));
    Check<float>(test, x, 1e-5);
    Check<double>(test, x, 1e-12);
  }
}

TEST(Pooling, OpenclMatchesDirectLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  for (const PoolingCase& test : Cases()) {
    SCOPED_TRACE(ToString(test.x) + " kernel " + ToString(test.kernel));
    Check<float>(test, Numbers(Size(test.x)), 1e-5);
  }
}

TEST(Pooling, NanAndInfinityComeOut) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  PoolingCase test{{4, 40}, {2, 3}, {1, 2}, {1, 1}, false, false};
  std::vector<double> x = Numbers(160);
  for (int i : {3, 4, 77, 150}) x[i] = nan;
  for (int i : {20, 21, 60, 61, 62, 100, 101, 102}) x[i] = -infinity;
  x[90] = infinity;
  const Reference reference = Compute(test, x);
  MaxPoolingOptions options{{}, test.stride, test.ignore_border, test.pad};
  const NdArray y = F::MaxPooling(
      NdArray::From<float>(test.x, std::vector<float>(x.begin(), x.end())), test.kernel, options);
  ASSERT_TRUE(y.status().ok()) << y.status();
  ASSERT_NO_FATAL_FAILURE(
      Check<float>({test.x, test.kernel, test.stride, test.pad, false, false}, Numbers(160), 1e-5));
  const auto got = y.ToVector<float>().value();
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(reference.max[i])) {
      EXPECT_TRUE(std::isnan(got[i])) << i;
    } else {
      EXPECT_EQ(got[i], reference.max[i]) << i;
    }
  }
}

TEST(Pooling, WindowsOfEqualNumbersGiveTheirGradientToTheFirst) {
  for (double value :
       {2.0, -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    const Variable x(NdArray::From<double>({4, 4}, std::vector<double>(16, value)), true);
    const Variable y = F::MaxPooling(x, {3, 3}, {{}, {2, 2}, true, {1, 1}});
    ASSERT_TRUE(y.Forward().ok());
    ASSERT_TRUE(y.Backward().ok());
    const auto dx = x.grad().ToVector<double>().value();
    for (int i = 0; i < 16; ++i) {
      EXPECT_EQ(dx[i], (i == 0 || i == 1 || i == 4 || i == 5) ? 1 : 0) << value << " " << i;
    }
    // One window over everything.
    x.grad().Zero();
    const Variable peak = F::MaxPooling(x, {4, 4});
    ASSERT_TRUE(peak.Forward().ok());
    ASSERT_TRUE(peak.Backward().ok());
    const auto dx_peak = x.grad().ToVector<double>().value();
    for (int i = 0; i < 16; ++i) EXPECT_EQ(dx_peak[i], i == 0 ? 1 : 0) << value << " " << i;
  }
}

TEST(Pooling, EmptyBatchesGiveEmptyOutputs) {
  const Variable x({0, 3, 8, 8}, true);
  for (const Variable& y : {F::MaxPooling(x, {2, 2}), F::AveragePooling(x, {2, 2})}) {
    EXPECT_EQ(y.shape(), Shape({0, 3, 4, 4}));
    EXPECT_TRUE(y.Forward().ok());
    EXPECT_TRUE(y.Backward().ok());
  }
}

TEST(Pooling, ErrorsSayWhatIsNeeded) {
  const auto error = [](const Shape& shape, Ints kernel, MaxPoolingOptions options = {}) {
    return std::string(F::MaxPooling(Variable(shape), kernel, options).status().message());
  };
  EXPECT_EQ(error({8, 8}, {}),
            "max_pooling: x [8,8] and kernel []: a kernel of 1 to 3 entries, no more than x has "
            "axes needed");
  EXPECT_EQ(error({8}, {2, 2}),
            "max_pooling: x [8] and kernel [2,2]: a kernel of 1 to 3 entries, no more than x has "
            "axes needed");
  EXPECT_EQ(error({8, 8}, {2, 2}, {{}, {2}, true, {}}),
            "max_pooling: kernel [2,2], stride [2], pad []: lists of 2 entries or none needed");
  EXPECT_EQ(error({8, 8}, {2, 2}, {{}, {}, true, {2, 0}}),
            "max_pooling: kernel [2,2], stride [], pad [2,0]: kernel and stride of at least 1, pad "
            "of at least 0 and below kernel needed");
  EXPECT_EQ(error({8, 3}, {2, 4}),
            "max_pooling: x [8,3], kernel [2,4], stride [], pad []: a kernel that fits in the "
            "padded array needed");
}

}  // namespace
}  // namespace halite
