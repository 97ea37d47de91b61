// SPDX-License-Identifier: Apache-2.0
//
// One line for each function (and for each option that changes its arithmetic).
#include "halite/tests/ops/gradient_cases.h"

namespace halite::testing {
namespace {

// Of a pointwise function: smaller and larger than a vector, odd, 1, several ranks.
const std::vector<std::vector<Shape>> kUnary = {{{1}}, {{7}}, {{3, 5, 7}}, {{1037}}, {{}}};
// With equal shapes, each kind of broadcasting, and more broadcast axes than kernels have.
const std::vector<std::vector<Shape>> kBinary = {
    {{5}, {5}},       {{4, 67}, {1, 67}}, {{4, 67}, {4, 1}},
    {{1, 5}, {3, 1}}, {{1}, {33}},        {{2, 1, 3, 1, 2, 1, 3}, {1, 2, 1, 3, 1, 2, 1}},
    {{1000}, {1000}},
};

using Case = GradientCase;
using Ints = std::vector<int64_t>;

}  // namespace

const std::vector<GradientCase>& GradientCases() {
  static const auto& cases = *new std::vector<GradientCase>{
      Case("abs", kUnary).AwayFrom(0),
      Case("add_scalar", kUnary, {{"val", 0.5}}),
      Case("elu", kUnary, {{"alpha", 0.7}}).AwayFrom(0),
      Case("exp", kUnary),
      Case("identity", kUnary),
      Case("leaky_relu", kUnary, {{"alpha", 0.3}}).AwayFrom(0),
      Case("log", kUnary).In(0.1, 3),
      Case("mul_scalar", kUnary, {{"val", -1.5}}),
      Case("pow_scalar", kUnary, {{"val", 2.5}}).In(0.1, 3),
      Case("relu", kUnary).AwayFrom(0),
      Case("sigmoid", kUnary),
      Case("gelu", kUnary),
      Case("swish", kUnary),
      Case("tanh", kUnary),
      Case("add2", kBinary),
      Case("div2", kBinary).In(0.5, 2),
      Case("maximum2", kBinary),
      Case("mul2", kBinary),
      Case("pow2", kBinary).In(0.5, 2),
      Case("sigmoid_cross_entropy", {{{5}, {5}}, {{3, 67}, {3, 67}}}).In(0, 1),
      Case("squared_error", kBinary),
      Case("sub2", kBinary),
      Case("concatenate", {{{2, 3}, {2, 1}, {2, 40}}, {{1}, {1}}, {{5}}}),
      Case("concatenate", {{{2, 3, 5}, {4, 3, 5}}}, {{"axis", int64_t{0}}}),
      Case("reshape", {{{4, 6}}, {{24}}}, {{"shape", Ints{2, -1}}}),
      Case("reshape", {{{4, 6}}}, {{"shape", Ints{3, 8}}, {"inplace", false}}),
      Case("slice", {{{5, 9}}, {{2, 5, 67}}},
           {{"start", Ints{1, 2}}, {"stop", Ints{4, -1}}, {"step", Ints{2, 3}}}),
      Case("split", {{{3, 5}}, {{1, 40}}}),
      Case("split", {{{4, 3, 5}}}, {{"axis", int64_t{-2}}}),
      Case("average_pooling", {{{2, 3, 6, 8}}, {{1, 1, 7, 37}}}, {{"kernel", Ints{2, 2}}}),
      Case("average_pooling", {{{2, 7, 9}}},
           {{"kernel", Ints{3, 3}},
            {"stride", Ints{2, 1}},
            {"pad", Ints{1, 1}},
            {"including_pad", false},
            {"ignore_border", false}}),
      Case("max_pooling", {{{2, 3, 6, 8}}, {{1, 1, 7, 37}}}, {{"kernel", Ints{2, 2}}}),
      Case("max_pooling", {{{2, 7, 9}}},
           {{"kernel", Ints{3, 3}}, {"stride", Ints{2, 1}}, {"pad", Ints{1, 1}}}),
      Case("max_pooling", {{{1, 2, 4, 5, 6}}}, {{"kernel", Ints{2, 3, 2}}}),
      // The statistics of few samples make large second derivatives: 1e-5.
      Case("batch_normalization", {{{8, 3, 2}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}},
                                   {{3, 5, 37}, {1, 5, 1}, {1, 5, 1}, {1, 5, 1}, {1, 5, 1}}})
          .In(0.5, 3)
          .Within(1e-5, 1e-3),
      Case("batch_normalization", {{{8, 3, 2}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}}},
           {{"batch_stat", false}})
          .In(0.5, 3),
      // The same. No sum is near 0 in them, where relu has no derivative.
      Case("fused_batch_normalization",
           {{{8, 3, 2}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}},
            {{8, 3, 2}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {8, 3, 2}},
            {{2, 3, 37}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {2, 3, 37}}})
          .In(-2, 3)
          .Within(1e-5, 1e-3),
      Case("fused_batch_normalization",
           {{{8, 3, 2}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {8, 3, 2}},
            {{8, 3, 2}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}, {1, 3, 1}}},
           {{"batch_stat", false}})
          .In(0.5, 3),
      Case("layer_normalization", {{{3, 5}, {1, 5}, {1, 5}},
                                   {{1, 1}, {1, 1}, {1, 1}},
                                   {{67, 4, 9}, {1, 4, 9}, {1, 4, 9}},
                                   {{2, 130}, {1, 130}, {1, 130}}})
          .In(0.5, 3)
          .Within(1e-5, 1e-3),
      Case("layer_normalization", {{{4, 3, 7}, {1, 1, 7}, {1, 1, 7}}},
           {{"batch_axis", Ints{0, -2}}})
          .In(0.5, 3),
      Case("layer_normalization", {{{3, 4, 5, 2}, {3, 1, 5, 1}, {3, 1, 5, 1}}, {{3, 4, 5, 2}}},
           {{"batch_axis", Ints{3, 1}}})
          .In(0.5, 3),
      Case("layer_normalization", {{{3, 7}, {1, 7}}}, {{"no_bias", true}}).In(0.5, 3),
      Case("lstm_gates", {{{3, 4, 5}, {3, 5}}, {{1, 4}, {1, 1}}, {{2, 3, 268}, {2, 3, 67}}}),
      Case("lstm", {{{4, 3, 2}, {1, 1, 3, 5}, {1, 1, 3, 5}, {1, 4, 5, 7}, {1, 1, 4, 5}},
                    {{1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 4, 1, 2}},
                    {{3, 2, 19}, {1, 1, 2, 17}, {1, 1, 2, 17}, {1, 4, 17, 36}, {1, 1, 4, 17}}}),
      Case("lstm",
           {{{3, 2, 3}, {2, 2, 2, 4}, {2, 2, 2, 4}, {2, 4, 4, 7}, {1, 2, 4, 4, 12}, {2, 2, 4, 4}}},
           {{"num_layers", int64_t{2}}, {"bidirectional", true}}),
      Case("dropout", {{{7}}, {{3, 67}}}, {{"p", 0.4}}),
      Case("rand", {{}}, {{"shape", Ints{3, 5}}}),
      Case("randn", {{}}, {{"shape", Ints{3, 5}}}),
      Case("sum", {{{3, 5, 7}}, {{1}}, {{2000}}}),
      Case("sum", {{{3, 5, 7, 9}}}, {{"axes", Ints{0, 2}}, {"keep_dims", true}}),
      Case("mean", {{{3, 67}}}, {{"axes", Ints{-1}}}),
      Case("mean", {{{33, 70}}}, {{"axes", Ints{0}}}),
      Case("max", {{{3, 5, 7}}, {{1}}}),
      Case("max", {{{3, 5, 7, 9}}}, {{"axes", Ints{0, 2}}}),
      Case("softmax", {{{3, 5}}, {{2, 67}}, {{4, 1}}}),
      Case("softmax", {{{3, 5, 33}}}, {{"axis", int64_t{1}}}),
      Case("softmax_cross_entropy", {{{4, 5}, {4, 1}}, {{2, 67}, {2, 1}}}).IndexBelow(5),
      Case("softmax_cross_entropy", {{{3, 5, 33}, {3, 1, 33}}}, {{"axis", int64_t{1}}})
          .IndexBelow(5),
      Case("top_n_error", {{{4, 5}, {4, 1}}}, {{"n", int64_t{2}}}).IndexBelow(5),
      Case("embed", {{{4, 3}, {6, 5}}, {{1}, {3, 37}}}).IndexBelow(3),
      Case("one_hot", {{{4, 1}}}, {{"shape", Ints{6}}}).IndexBelow(6),
      Case("transpose", {{{3, 5}}, {{65, 130}}, {{1, 7}}}, {{"axes", Ints{1, 0}}}),
      Case("affine",
           {{{3, 5}, {5, 4}, {4}}, {{1, 1}, {1, 1}, {1}}, {{2, 3, 7}, {21, 2, 3}, {2, 3}}}),
      Case("affine", {{{65, 33}, {33, 70}}, {{1, 67}, {67, 10}}}),
      Case("affine", {{{2, 3, 7}, {7, 5}, {5}}}, {{"base_axis", int64_t{2}}}),
      Case("batch_matmul", {{{2, 3, 5}, {2, 5, 4}}, {{3, 1, 33}, {3, 33, 1}}}),
      Case("batch_matmul", {{{2, 5, 3}, {2, 5, 4}}}, {{"transpose_a", true}}),
      Case("batch_matmul", {{{2, 3, 5}, {2, 17, 5}}}, {{"transpose_b", true}}),
      Case("batch_matmul", {{{2, 2, 5, 3}, {2, 2, 4, 5}}},
           {{"transpose_a", true}, {"transpose_b", true}}),
      Case("convolution", {{{2, 3, 7, 6}, {4, 3, 3, 3}, {4}},
                           {{1, 1, 1, 1}, {1, 1, 1, 1}, {1}},
                           {{2, 2, 9}, {5, 2, 3}, {5}},
                           {{1, 2, 4, 5, 6}, {3, 2, 2, 3, 2}, {3}},
                           {{1, 5, 20, 19}, {33, 5, 3, 3}}}),
      Case("convolution", {{{2, 4, 9, 8}, {6, 2, 3, 2}, {6}}},
           {{"pad", Ints{2, 1}}, {"stride", Ints{2, 3}}, {"group", int64_t{2}}}),
      Case("convolution", {{{1, 3, 12, 11}, {4, 3, 3, 3}, {4}}},
           {{"pad", Ints{2, 0}}, {"stride", Ints{2, 2}}, {"dilation", Ints{2, 3}}}),
      Case("convolution", {{{1, 2, 7, 7}, {3, 2, 1, 1}}}, {{"stride", Ints{3, 2}}}),
      Case("convolution", {{{1, 2, 5, 6, 7}, {3, 2, 3, 3, 2}}},
           {{"pad", Ints{1, 0, 1}}, {"stride", Ints{2, 3, 2}}}),
      // Products of matrices: of few and of many pixels.
      Case("convolution", {{{3, 4, 5, 7}, {6, 4, 1, 1}, {6}},
                           {{2, 2, 33, 32}, {3, 2, 1, 1}, {3}},
                           {{1, 3, 17}, {2, 3, 1}}}),
      Case("convolution", {{{2, 4, 3, 5}, {6, 2, 1, 1}, {6}}}, {{"group", int64_t{2}}}),
      Case("convolution", {{{2, 3, 8, 7}, {6, 1, 3, 3}, {6}}},
           {{"pad", Ints{1, 1}}, {"stride", Ints{2, 1}}, {"group", int64_t{3}}}),
      Case("transpose", {{{2, 3, 4, 5}}, {{2, 1, 33, 4}}}, {{"axes", Ints{2, 0, 3, 1}}}),
  };
  return cases;
}

}  // namespace halite::testing
