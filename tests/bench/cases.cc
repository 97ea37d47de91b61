// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/cases.h"

namespace halite::bench {
namespace {

using Ints = std::vector<int64_t>;

const Shape kLarge = {64, 128, 28, 28};  // 25.7 MB of float32: beyond the last cache of most cores

Case Unary(const std::string& function,
           std::vector<std::pair<std::string, OptionValue>> options = {}) {
  return {function, {kLarge}, std::move(options)};
}

Case Binary(const std::string& function) { return {function, {kLarge, kLarge}}; }

Case Affine(int64_t n, int64_t i, int64_t o) {
  return {"affine", {{n, i}, {i, o}, {o}}, {}, 2. * n * i * o};
}

Case Convolution(int64_t n, int64_t c, int64_t side, int64_t o, int64_t k, int64_t stride,
                 int64_t pad, int64_t group = 1) {
  const int64_t out = (side + 2 * pad - k) / stride + 1;
  return {"convolution",
          {{n, c, side, side}, {o, c / group, k, k}, {o}},
          {{"pad", Ints{pad, pad}}, {"stride", Ints{stride, stride}}, {"group", group}},
          2. * n * o * (c / group) * k * k * out * out};
}

}  // namespace

const std::vector<Case>& Cases() {
  static const auto& cases = *new std::vector<Case>{
      Unary("abs"),
      Unary("add_scalar"),
      Unary("elu"),
      Unary("exp"),
      Unary("identity"),
      Unary("leaky_relu"),
      Unary("log"),
      Unary("mul_scalar"),
      Unary("pow_scalar", {{"val", 2.5}}),
      Unary("relu"),
      Unary("sigmoid"),
      Unary("gelu"),
      Unary("swish"),
      Unary("tanh"),
      Binary("add2"),
      {"add2", {kLarge, {1, 128, 1, 1}}},
      Binary("div2"),
      Binary("equal"),
      Binary("greater"),
      Binary("maximum2"),
      Binary("mul2"),
      Binary("pow2"),
      Binary("sigmoid_cross_entropy"),
      Binary("squared_error"),
      Binary("sub2"),
      {"average_pooling", {kLarge}, {{"kernel", Ints{2, 2}}}},
      {"max_pooling", {kLarge}, {{"kernel", Ints{2, 2}}}},
      {"max_pooling",
       {{16, 64, 112, 112}},
       {{"kernel", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"pad", Ints{1, 1}}}},
      {"batch_normalization",
       {kLarge, {1, 128, 1, 1}, {1, 128, 1, 1}, {1, 128, 1, 1}, {1, 128, 1, 1}}},
      {"fused_batch_normalization",
       {kLarge, {1, 128, 1, 1}, {1, 128, 1, 1}, {1, 128, 1, 1}, {1, 128, 1, 1}}},
      {"fused_batch_normalization",
       {kLarge, {1, 128, 1, 1}, {1, 128, 1, 1}, {1, 128, 1, 1}, {1, 128, 1, 1}, kLarge}},
      Unary("dropout"),
      {"rand", {}, {{"shape", Ints{6422528}}}},
      {"randn", {}, {{"shape", Ints{6422528}}}},
      Unary("sum"),
      Unary("sum", {{"axes", Ints{0, 2, 3}}}),
      Unary("mean"),
      Unary("max"),
      {"lstm_gates", {{64, 4, 128}, {64, 128}}},
      {"lstm",
       {{28, 64, 28}, {1, 1, 64, 128}, {1, 1, 64, 128}, {1, 4, 128, 156}, {1, 1, 4, 128}},
       {},
       2. * 28 * 64 * 512 * 156},
      {"layer_normalization", {{2048, 256}, {1, 256}, {1, 256}}, {}},
      {"layer_normalization", {{8192, 1024}, {1, 1024}, {1, 1024}}},
      {"softmax", {{128, 1000}}},
      {"softmax", {{4096, 1024}}},
      {.function = "softmax_cross_entropy", .shapes = {{128, 1000}, {128, 1}}, .index_bound = 1000},
      {.function = "top_n_error", .shapes = {{128, 1000}, {128, 1}}, .index_bound = 1000},
      {.function = "embed", .shapes = {{64, 128}, {10000, 256}}, .index_bound = 10000},
      {.function = "one_hot",
       .shapes = {{8192, 1}},
       .options = {{"shape", Ints{256}}},
       .index_bound = 256},
      {"concatenate", {kLarge, kLarge}, {{"axis", int64_t{1}}}},
      {"reshape", {kLarge}, {{"shape", Ints{64, -1}}, {"inplace", false}}},
      {"slice", {kLarge}, {{"start", Ints{1, 1}}, {"stop", Ints{27, 27}}}},
      {"split", {{4, 1000000}}},
      {"transpose", {{2048, 2048}}, {{"axes", Ints{1, 0}}}},
      {"transpose", {kLarge}, {{"axes", Ints{0, 2, 3, 1}}}},
      Affine(64, 784, 512),
      Affine(128, 784, 10),
      Affine(1024, 1024, 1024),
      {"batch_matmul", {{32, 128, 64}, {32, 64, 128}}, {}, 2. * 32 * 128 * 64 * 128},
      Convolution(64, 1, 28, 16, 5, 1, 2),
      Convolution(16, 64, 56, 64, 3, 1, 1),
      Convolution(16, 128, 28, 128, 3, 1, 1),
      Convolution(16, 256, 14, 256, 3, 1, 1),
      Convolution(16, 64, 56, 256, 1, 1, 0),
      Convolution(16, 3, 224, 64, 7, 2, 3),
      Convolution(16, 32, 112, 32, 3, 1, 1, 32),
  };
  return cases;
}

}  // namespace halite::bench
