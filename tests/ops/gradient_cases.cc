// SPDX-License-Identifier: Apache-2.0
//
// One line for each function (and for each option that changes its arithmetic).
#include "tests/ops/gradient_check.h"

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
      Case("transpose", {{{3, 5}}, {{65, 130}}, {{1, 7}}}, {{"axes", Ints{1, 0}}}),
      Case("transpose", {{{2, 3, 4, 5}}, {{2, 1, 33, 4}}}, {{"axes", Ints{2, 0, 3, 1}}}),
  };
  return cases;
}

}  // namespace halite::testing
