// SPDX-License-Identifier: Apache-2.0
#include "halite/core/parameter_scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace halite {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Names(const ParameterScope& scope, bool grad_only = true) {
  std::vector<std::string> names;
  for (const NamedParameter& parameter : scope.Parameters({grad_only})) {
    names.push_back(parameter.name);
  }
  return names;
}

float First(const Variable& variable) { return variable.data().ToVector<float>().value().at(0); }

TEST(ParameterScope, CreatesOnceAndFindsAgain) {
  ParameterScope scope;
  const Variable w = scope["conv1"].GetOrCreate("W", {2, 3}, ConstantInitializer(0.5));
  ASSERT_TRUE(w.status().ok()) << w.status();
  EXPECT_TRUE(w.need_grad());
  EXPECT_EQ(First(w), 0.5f);
  EXPECT_EQ(scope.GetOrCreate("conv1/W", {2, 3}, ConstantInitializer(7)), w);
  EXPECT_EQ(scope.Get("conv1/W"), w);
  EXPECT_EQ(scope[""]["/conv1/"].Get("W"), w);
  EXPECT_EQ(scope["a/b"].path(), "a/b");
  EXPECT_EQ(scope["a"]["b"], scope["a/b"]);
}

TEST(ParameterScope, AShapeClashNamesBothShapes) {
  ParameterScope scope;
  scope.GetOrCreate("conv1/W", {16, 1, 5, 5}, ConstantInitializer());
  const Variable clash = scope["conv1"].GetOrCreate("W", {16, 3, 5, 5}, ConstantInitializer());
  EXPECT_EQ(clash.status().message(),
            "parameter conv1/W: [16,1,5,5] exists, [16,3,5,5] asked: equal shapes needed");
}

TEST(ParameterScope, AnotherNeedGradGivesAViewThatShares) {
  ParameterScope scope;
  const Variable w = scope.GetOrCreate("W", {2}, ConstantInitializer(1));
  const Variable fixed = scope.GetOrCreate("W", {2}, ConstantInitializer(1), {false});
  EXPECT_FALSE(fixed.need_grad());
  EXPECT_TRUE(w.need_grad());
  EXPECT_TRUE(scope.Get("W").need_grad());
  w.data().Fill(4);
  EXPECT_EQ(First(fixed), 4);
}

TEST(ParameterScope, ErrorsTravelInTheVariable) {
  ParameterScope scope;
  EXPECT_EQ(scope.Get("W").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(scope.Contains("a/b/W"));
  EXPECT_FALSE(scope.GetOrCreate("W", {-1}, ConstantInitializer()).status().ok());
  EXPECT_FALSE(scope.GetOrCreate("", {1}, ConstantInitializer()).status().ok());
  const Variable bad = scope["c"].GetOrCreate("W", {3}, OrthogonalInitializer());
  EXPECT_THAT(std::string(bad.status().message()), HasSubstr("parameter c/W: "));
  EXPECT_TRUE(scope.empty());
}

TEST(ParameterScope, ListsInOrderOfCreationWithExactNames) {
  ParameterScope scope;
  scope.GetOrCreate("conv10/W", {1}, ConstantInitializer());
  scope.GetOrCreate("conv1/W", {1}, ConstantInitializer());
  scope.GetOrCreate("conv1/mean", {1}, ConstantInitializer(), {false});
  scope.GetOrCreate("affine/W", {1}, ConstantInitializer());
  scope.GetOrCreate("conv1/b", {1}, ConstantInitializer());
  EXPECT_THAT(Names(scope), ElementsAre("conv10/W", "conv1/W", "affine/W", "conv1/b"));
  EXPECT_THAT(Names(scope["conv1"]), ElementsAre("W", "b"));
  EXPECT_THAT(Names(scope["conv1"], false), ElementsAre("W", "mean", "b"));
}

TEST(ParameterScope, SetKeepsThePlaceOfAParameter) {
  ParameterScope scope;
  scope.GetOrCreate("a", {1}, ConstantInitializer());
  scope.GetOrCreate("b", {1}, ConstantInitializer());
  const Variable other({3}, true);
  ASSERT_TRUE(scope.Set("a", other).ok());
  EXPECT_THAT(Names(scope), ElementsAre("a", "b"));
  EXPECT_EQ(scope.Get("a"), other);
  EXPECT_FALSE(scope.Set("a", Variable()).ok());
  EXPECT_FALSE(scope.Set("a", Variable(absl::InternalError("no"))).ok());
  EXPECT_FALSE(scope.Set("/", other).ok());
  EXPECT_TRUE(scope.Remove("a"));
  EXPECT_FALSE(scope.Remove("a"));
  EXPECT_THAT(Names(scope), ElementsAre("b"));
}

TEST(ParameterScope, ClearKeepsHandlesValid) {
  ParameterScope scope;
  const ParameterScope conv = scope["conv"];
  conv.GetOrCreate("W", {1}, ConstantInitializer());
  scope.GetOrCreate("other/W", {1}, ConstantInitializer());
  conv.Clear();
  EXPECT_THAT(Names(scope), ElementsAre("other/W"));
  scope.Clear();
  EXPECT_TRUE(scope.empty());
  conv.GetOrCreate("W", {2}, ConstantInitializer());
  EXPECT_THAT(Names(scope), ElementsAre("conv/W"));
}

TEST(ParameterScope, SharedScopesAreOne) {
  ParameterScope scope, other;
  other.GetOrCreate("W", {1}, ConstantInitializer());
  ASSERT_TRUE(scope.Share("left", other).ok());
  ASSERT_TRUE(scope.Share("a/right", other).ok());
  scope["a/right"].GetOrCreate("b", {1}, ConstantInitializer());
  EXPECT_THAT(Names(other), ElementsAre("W", "b"));
  EXPECT_THAT(Names(scope), ElementsAre("left/W", "left/b"));
  EXPECT_EQ(scope.Get("a/right/W"), scope.Get("left/W"));
  EXPECT_THAT(Names(scope["a"]), ElementsAre("right/W", "right/b"));
}

TEST(ParameterScope, SharingACycleIsAnError) {
  ParameterScope scope, other;
  EXPECT_FALSE(scope["a"].Share("b", scope).ok());
  EXPECT_FALSE(scope.Share("b", scope).ok());
  ASSERT_TRUE(scope.Share("b", other).ok());
  EXPECT_FALSE(other.Share("c", scope).ok());
}

TEST(ParameterScope, ACopyIsDeepAndKeepsOrderAndSharing) {
  ParameterScope scope;
  scope.GetOrCreate("b/W", {1}, ConstantInitializer(1));
  scope.GetOrCreate("a/W", {1}, ConstantInitializer(2), {false});
  ASSERT_TRUE(scope.Share("c", scope["b"]).ok());
  const auto copy = scope.Copy();
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_THAT(Names(*copy, false), ElementsAre("b/W", "a/W"));
  EXPECT_EQ(copy->Get("c/W"), copy->Get("b/W"));
  EXPECT_EQ((*copy)["a"].path(), "a");
  EXPECT_FALSE(copy->Get("a/W").need_grad());
  scope.Get("b/W").data().Fill(5);
  EXPECT_EQ(First(copy->Get("b/W")), 1);
  copy->GetOrCreate("c/x", {1}, ConstantInitializer());
  EXPECT_THAT(Names(*copy), ElementsAre("b/W", "b/x"));
  EXPECT_FALSE(scope.Contains("b/x"));
}

TEST(ParameterScope, ThreadsThatCreateTheSameGetTheSame) {
  ParameterScope scope;
  constexpr int kThreads = 8, kNames = 40;
  std::vector<std::vector<Variable>> made(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kNames; ++i) {
        const std::string name = "s" + std::to_string(i % 7) + "/p" + std::to_string(i);
        made[t].push_back(scope.GetOrCreate(name, {4}, NormalInitializer()));
        scope.Parameters();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(scope.Parameters().size(), kNames);
  for (const auto& variables : made) EXPECT_EQ(variables, made[0]);
}

}  // namespace
}  // namespace halite
