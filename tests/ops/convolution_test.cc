// SPDX-License-Identifier: Apache-2.0
//
// Convolution and its gradients against direct loops in double: the forms that kernels choose by
// the sizes, odd sizes, and NaN, which reaches what reads it. Zeros of the padding are read.
#include "halite/ops/convolution.h"

#include <gtest/gtest.h>

#include "halite/core/variable.h"
#include "tests/ops/reference_check.h"

namespace halite {
namespace {

using testing::ArrayOf;
using testing::ExpectNear;
using testing::InputOf;
using testing::kNan;
using testing::Numbers;

struct Axis {
  int64_t in, taps, pad = 0, stride = 1, dilation = 1;

  int64_t out() const { return (in + 2 * pad - dilation * (taps - 1) - 1) / stride + 1; }
};

struct ConvolutionCase {
  int64_t batch, channels, maps, group;
  Axis y, x;
};

struct Results {
  std::vector<double> y, dx, dw, db;
};

Results Compute(const ConvolutionCase& test, const std::vector<double>& x,
                const std::vector<double>& w, const std::vector<double>& b,
                const std::vector<double>& dy) {
  const int64_t from = test.channels / test.group, to = test.maps / test.group;
  Results r{{},
            std::vector<double>(x.size()),
            std::vector<double>(w.size()),
            std::vector<double>(b.size())};
  for (int64_t n = 0; n < test.batch; ++n) {
    for (int64_t o = 0; o < test.maps; ++o) {
      for (int64_t i = 0; i < test.y.out() * test.x.out(); ++i) {
        double sum = b[o];
        const double gradient = dy[r.y.size()];
        r.db[o] += gradient;
        for (int64_t k = 0; k < from * test.y.taps * test.x.taps; ++k) {
          const int64_t kx = k % test.x.taps, ky = k / test.x.taps % test.y.taps;
          const int64_t c = k / (test.x.taps * test.y.taps);
          const int64_t at_x = i % test.x.out() * test.x.stride + kx * test.x.dilation - test.x.pad;
          const int64_t at_y = i / test.x.out() * test.y.stride + ky * test.y.dilation - test.y.pad;
          if (at_x < 0 || at_x >= test.x.in || at_y < 0 || at_y >= test.y.in) continue;
          const int64_t plane = n * test.channels + o / to * from + c;
          const int64_t at = (plane * test.y.in + at_y) * test.x.in + at_x;
          const int64_t tap = o * from * test.y.taps * test.x.taps + k;
          sum += x[at] * w[tap];
          r.dx[at] += gradient * w[tap];
          r.dw[tap] += gradient * x[at];
        }
        r.y.push_back(sum);
      }
    }
  }
  return r;
}

enum class Nan { kNone, kInput, kGradient };

// `of_largest`: the tolerance is this part of the largest value of an array, if it is given.
// `shifted`: x, w and b begin one element behind an aligned address.
template <typename T>
void Check(const ConvolutionCase& test, Nan nan, double of_largest = 0, bool shifted = false) {
  const Shape x_shape = {test.batch, test.channels, test.y.in, test.x.in};
  const Shape w_shape = {test.maps, test.channels / test.group, test.y.taps, test.x.taps};
  const Shape y_shape = {test.batch, test.maps, test.y.out(), test.x.out()};
  std::vector<double> x = Numbers(Size(x_shape), 1), w = Numbers(Size(w_shape), 2);
  std::vector<double> b = Numbers(test.maps, 3), dy = Numbers(Size(y_shape), 4);
  if (nan == Nan::kInput) x[x.size() / 2] = kNan;
  if (nan == Nan::kGradient) dy[dy.size() / 3] = kNan;
  ConvolutionOptions options;
  options.pad = {test.y.pad, test.x.pad};
  options.stride = {test.y.stride, test.x.stride};
  options.dilation = {test.y.dilation, test.x.dilation};
  options.group = test.group;
  const Variable vx = InputOf<T>(x_shape, x, true, shifted);
  const Variable vw = InputOf<T>(w_shape, w, true, shifted);
  const Variable vb = InputOf<T>({test.maps}, b, true, shifted);
  const Variable vy = functions::Convolution(vx, vw, vb, options);
  ASSERT_TRUE(vy.status().ok()) << vy.status();
  ASSERT_EQ(vy.shape(), y_shape);
  ASSERT_TRUE(vy.Forward().ok());
  BackwardOptions backward;
  backward.grad_array = ArrayOf<T>(y_shape, dy);
  Results wanted = Compute(test, x, w, b, dy);
  const auto expect_near = [&](const NdArray& array, const std::vector<double>& values,
                               const char* what) {
    double largest = 0;
    for (double value : values) largest = std::max(largest, std::fabs(value));
    ExpectNear<T>(array, values, of_largest > 0 ? of_largest * largest : 1e-4, what);
  };
  expect_near(vy.data(), wanted.y, "y");
  for (const Variable& v : {vx, vw, vb}) v.grad().Zero();
  for (int runs = 1; runs <= 2; ++runs) {
    const absl::Status status = vy.Backward(backward);
    ASSERT_TRUE(status.ok()) << status;
    const auto times = [&](std::vector<double> values) {
      for (double& value : values) value *= runs;
      return values;
    };
    expect_near(vx.grad(), times(wanted.dx), "dx");
    if (nan != Nan::kGradient) expect_near(vw.grad(), times(wanted.dw), "dw");
    expect_near(vb.grad(), times(wanted.db), "db");
  }
}

TEST(ConvolutionTest, EqualsDirectLoops) {
  const ConvolutionCase cases[] = {
      // Depthwise, planes of up to 1,024 pixels of 8 channels and more: whole and cut vectors of
      // channels and of pixels, several tasks of planes and of images.
      {2, 19, 19, 19, {6, 3, 1}, {8, 3, 1}},
      {2, 19, 19, 19, {3, 3, 1}, {4, 3, 1}},
      {1, 17, 17, 17, {8, 3, 1}, {9, 3, 1}},
      {1, 20, 20, 20, {9, 3, 2}, {8, 5, 2}},
      {3, 18, 36, 18, {6, 3, 2, 1, 2}, {5, 3, 1}},
      {25, 40, 40, 40, {7, 3, 1}, {7, 3, 1}},
      {9, 40, 40, 40, {9, 3, 1, 2}, {9, 3, 1, 2}},
      {2, 16, 16, 16, {7, 3, 1}, {7, 3, 1}},
      {1, 35, 35, 35, {14, 3, 1, 2}, {14, 3, 1, 2}},
      {2, 19, 19, 19, {5, 5, 2}, {9, 3, 4, 3}},
      {1, 17, 17, 17, {40, 3, 0, 1, 2}, {12, 3, 5, 1, 3}},
      {3, 16, 16, 16, {1, 1}, {1, 1}},
      {2, 20, 20, 20, {6, 2, 1, 3}, {16, 4, 3, 2}},
      {1, 8, 8, 8, {7, 3, 1}, {8, 3, 1}},
      {90, 8, 8, 8, {7, 3, 1}, {8, 3, 1, 2}},
      {3, 33, 33, 33, {28, 5, 2, 2}, {30, 3, 1, 3}},
      {2, 9, 9, 9, {1, 3, 1}, {1000, 3, 1}},
      {2, 150, 150, 150, {1, 1}, {5, 4, 0}},
      {1, 17, 17, 17, {60, 3, 1, 2}, {59, 3, 1, 2}},
      // Padding beyond the taps, few channels, several outputs a channel, large planes.
      {2, 9, 9, 9, {7, 3, 4}, {7, 1, 2}},
      {1, 7, 7, 7, {7, 3, 1}, {8, 3, 1}},
      {1, 8, 32, 8, {7, 3, 1}, {8, 3, 1}},
      // Several blocks of rows.
      {1, 2, 2, 2, {300, 3, 1}, {21, 3, 1}},
      {1, 2, 4, 2, {301, 3, 1, 2}, {31, 4, 1, 2}},
      {2, 5, 5, 5, {9, 3, 1}, {8, 3, 1}},
      {2, 3, 6, 3, {35, 3, 1, 2}, {35, 3, 1, 2}},
      {1, 20, 20, 20, {9, 3, 1}, {70, 3, 1}},
      // One to four input channels, whose gradient is in vectors of x; phases of strides.
      {3, 1, 6, 1, {28, 5}, {28, 5}},
      {2, 1, 17, 1, {9, 3, 2, 2}, {11, 4, 1, 3}},
      {1, 1, 1, 1, {5, 3}, {5, 3}},
      {1, 1, 3, 1, {4, 1}, {5, 1}},
      {2, 1, 18, 1, {11, 3, 1}, {20, 3, 2}},
      {2, 2, 5, 1, {19, 3, 1}, {35, 3, 1}},
      {2, 3, 17, 1, {20, 3, 1, 2}, {70, 7, 3, 2}},
      {1, 6, 10, 2, {7, 2, 0, 3}, {37, 4, 5, 3, 2}},
      {1, 4, 5, 1, {9, 3, 4, 2, 3}, {23, 3, 2, 4, 3}},
      {1, 3, 4, 1, {11, 3, 0, 5}, {13, 3, 1, 5}},
      {2, 3, 5, 1, {6, 2, 4}, {9, 3, 7, 2}},
      // Many channels in and out.
      {2, 3, 16, 1, {9, 3, 1}, {10, 3, 1}},
      {1, 18, 34, 2, {7, 3, 1, 2}, {13, 3, 2, 2}},
      // Strides of two on both axes: odd and even padding, first and last pairs of taps that lack
      // one, more padding than taps, one vector of channels and more, groups, several tasks.
      {2, 17, 3, 1, {9, 3, 1, 2}, {30, 3, 1, 2}},
      {1, 40, 5, 1, {10, 3, 0, 2}, {17, 3, 2, 2}},
      {3, 3, 18, 1, {8, 4, 1, 2}, {33, 4, 2, 2}},
      {1, 33, 2, 1, {7, 2, 0, 2}, {12, 5, 3, 2}},
      {1, 6, 8, 2, {5, 1, 1, 2}, {6, 1, 0, 2}},
      {2, 34, 4, 2, {7, 2, 3, 2}, {5, 1, 2, 2}},
      {1, 2, 70, 1, {31, 7, 3, 2}, {70, 7, 3, 2}},
      {1, 16, 3, 1, {1, 3, 1, 2}, {1, 3, 1, 2}},
      // By patches, forward and the gradient to the input: one matrix for each image and for all,
      // strides, dilation, groups, short rows, more padding than taps, more than one block of rows.
      {2, 2, 11, 1, {17, 3, 1}, {19, 3, 1}},
      {3, 4, 24, 2, {9, 3, 1, 2}, {7, 4, 2, 3}},
      {5, 1, 7, 1, {4, 2, 0}, {5, 3, 1}},
      {1, 5, 23, 1, {11, 3, 2, 1, 2}, {15, 2, 0, 1, 5}},
      {2, 3, 70, 1, {8, 5, 6, 3}, {6, 3, 4, 4}},
      {1, 9, 140, 1, {5, 2, 0, 2}, {4, 2, 0, 1}},
      {1, 6, 13, 1, {33, 3, 1, 1}, {300, 5, 2, 2}},
      {1, 8, 9, 1, {13, 3, 1, 3}, {20, 5, 2, 3}},
      // The gradient to the weights in vectors of input channels: groups, dilation, padding beyond
      // the taps and none.
      {2, 9, 2, 1, {7, 3, 1}, {9, 4, 2}},
      {1, 34, 6, 2, {8, 3, 2, 1, 2}, {6, 1}},
      {3, 20, 1, 1, {5, 2, 3}, {6, 3, 4}},
      {1, 70, 33, 1, {6, 2}, {9, 3, 1}},
      // The gradient to the weights by patches; taps that meet padding alone.
      {1, 64, 17, 1, {7, 3, 1}, {9, 3, 1, 2}},
      {3, 130, 6, 2, {5, 3, 2, 2, 2}, {4, 2, 0, 1, 3}},
      {2, 64, 3, 1, {1, 5, 2}, {2, 3, 1}},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    for (const Nan nan : {Nan::kNone, Nan::kInput, Nan::kGradient}) {
      SCOPED_TRACE(::testing::Message() << "case " << i << ", NaN " << static_cast<int>(nan));
      Check<float>(cases[i], nan);
      Check<double>(cases[i], nan);
    }
  }
}

// Products over the channels: in short and in long shares of prefetched columns, forward and
// backward, with large weights, and with strides in planes of many pixels.
TEST(ConvolutionTest, OneTapEqualsDirectLoops) {
  const ConvolutionCase cases[] = {
      {68, 150, 9, 1, {14, 1}, {15, 1}},
      {68, 9, 150, 1, {14, 1}, {15, 1}},
      {50, 42, 9, 1, {33, 1}, {31, 1}},
      {50, 9, 42, 1, {33, 1}, {31, 1}},
      {2, 513, 514, 1, {13, 1}, {20, 1}},
      {2, 516, 509, 1, {9, 1}, {8, 1}},
      {3, 513, 512, 1, {3, 1}, {2, 1}},
      {3, 20, 24, 2, {17, 1, 0, 2}, {19, 1, 0, 2}},
      {2, 20, 24, 1, {9, 1, 0, 3}, {50, 1, 0, 2}},
      {2, 8, 9, 1, {1, 1, 0, 5}, {70, 1}},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    SCOPED_TRACE(::testing::Message() << "case " << i);
    Check<float>(cases[i], Nan::kNone, 1e-4);
    Check<double>(cases[i], Nan::kNone, 1e-12);
  }
}

// More patches than are made at a time: two images, then the third.
TEST(ConvolutionTest, PatchesInTwoParts) {
  const ConvolutionCase test = {3, 64, 2, 1, {44, 9, 0, 2}, {44, 9, 0, 2}};
  Check<float>(test, Nan::kNone, 1e-5);
  Check<double>(test, Nan::kNone, 1e-13);
}

// Tiles of 4 x 4 and 2 x 2 outputs, whole and cut; several images in a task, several tasks of one.
TEST(ConvolutionTest, WinogradEqualsDirectLoops) {
  const ConvolutionCase cases[] = {
      {5, 16, 18, 1, {15, 3, 1}, {17, 3, 1}}, {1, 17, 33, 1, {33, 3, 0}, {35, 3, 2}},
      {70, 16, 16, 1, {4, 3, 1}, {4, 3, 1}},  {1, 16, 16, 1, {30, 3, 3}, {36, 3, 4}},
      {2, 70, 16, 1, {6, 3, 0}, {300, 3, 1}}, {30, 17, 18, 1, {12, 5}, {11, 5}},
      {1, 33, 16, 1, {31, 5, 2}, {37, 5, 4}}, {70, 16, 40, 1, {3, 5, 2}, {5, 5, 3}},
      {40, 16, 35, 1, {13, 5, 1}, {10, 5}},   {9, 35, 16, 1, {20, 5}, {17, 5, 1}},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    for (const bool shifted : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "case " << i << (shifted ? ", shifted" : ""));
      // The transformations subtract numbers some ten times as large as the results, which loses a
      // digit of the largest value, whatever the size of the result.
      Check<float>(cases[i], Nan::kNone, 3e-5, shifted);
      Check<double>(cases[i], Nan::kNone, 1e-13, shifted);
    }
  }
}

// A NaN of the input makes the outputs of its tiles NaN, and no others.
TEST(ConvolutionTest, WinogradKeepsNanInItsTiles) {
  const int64_t size = 32, channels = 16;
  std::vector<double> x = Numbers(channels * size * size, 1);
  const int64_t nan_y = 9, nan_x = 20;
  x[(3 * size + nan_y) * size + nan_x] = kNan;
  const Variable vx(ArrayOf<float>({1, channels, size, size}, x));
  const Variable vw(
      ArrayOf<float>({channels, channels, 3, 3}, Numbers(channels * channels * 9, 2)));
  const Variable y = functions::Convolution(vx, vw, {}, {.pad = {1, 1}});
  ASSERT_TRUE(y.Forward().ok());
  const auto values = y.data().ToVector<float>().value();
  for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
    const int64_t at_y = i / size % size, at_x = i % size;
    const bool reads = std::abs(at_y - nan_y) <= 1 && std::abs(at_x - nan_x) <= 1;
    const bool may_read = at_y / 4 >= (nan_y - 1) / 4 && at_y / 4 <= (nan_y + 1) / 4 &&
                          at_x / 4 >= (nan_x - 1) / 4 && at_x / 4 <= (nan_x + 1) / 4;
    const bool is_nan = std::isnan(values[i]);
    ASSERT_TRUE(is_nan ? may_read : !reads) << i;
  }
}

}  // namespace
}  // namespace halite
