// SPDX-License-Identifier: Apache-2.0
#include "halite/io/parameters_hdf5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace halite {
namespace {

using ::testing::HasSubstr;

std::string TempPath(const std::string& name) { return ::testing::TempDir() + "/" + name; }

std::vector<float> Values(const Variable& variable) {
  return variable.data().ToVector<float>().value();
}

ParameterScope Network(double value) {
  ParameterScope scope;
  scope.GetOrCreate("z/W", {2, 2}, RangeInitializer(value));
  scope.GetOrCreate("bn/mean", {3}, ConstantInitializer(value), {false});
  scope.GetOrCreate("a/slope", {}, ConstantInitializer(value));
  scope.GetOrCreate("bn/beta", {3}, ConstantInitializer(value));
  scope.GetOrCreate("a/none", {0}, ConstantInitializer(value));
  return scope;
}

TEST(ParametersHdf5, AnEmptyScopeGetsEverythingInOrder) {
  const std::string path = TempPath("all.h5");
  const ParameterScope saved = Network(1);
  ASSERT_TRUE(SaveParameters(path, saved).ok());
  const ParameterScope loaded;
  ASSERT_TRUE(LoadParameters(path, loaded).ok());
  const auto a = saved.Parameters({false}), b = loaded.Parameters({false});
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].variable.need_grad(), b[i].variable.need_grad());
    EXPECT_EQ(a[i].variable.shape(), b[i].variable.shape());
    EXPECT_EQ(Values(a[i].variable), Values(b[i].variable));
  }
}

TEST(ParametersHdf5, LoadingWritesIntoTheArraysThatExist) {
  const std::string path = TempPath("into.h5");
  ASSERT_TRUE(SaveParameters(path, Network(5)).ok());
  const ParameterScope scope = Network(1);
  const Variable view = scope.GetOrCreate("z/W", {2, 2}, {}, {false});
  scope.Get("bn/beta").SetNeedGrad(false);
  ASSERT_TRUE(LoadParameters(path, scope).ok());
  EXPECT_EQ(Values(view), (std::vector<float>{5, 6, 7, 8}));
  EXPECT_FALSE(scope.Get("bn/beta").need_grad());
}

TEST(ParametersHdf5, OtherElementTypesAreConverted) {
  const std::string path = TempPath("f64.h5");
  ParameterScope doubles;
  doubles.GetOrCreate("w", {2}, RangeInitializer(0.1), {true, DType::kFloat64});
  ASSERT_TRUE(SaveParameters(path, doubles).ok());
  ParameterScope same;
  same.GetOrCreate("w", {2}, {}, {true, DType::kFloat64});
  ASSERT_TRUE(LoadParameters(path, same).ok());
  EXPECT_EQ(same.Get("w").data().ToVector<double>().value(), (std::vector<double>{0.1, 1.1}));
  ParameterScope created;
  ASSERT_TRUE(LoadParameters(path, created).ok());
  EXPECT_EQ(Values(created.Get("w")), (std::vector<float>{0.1f, 1.1f}));
}

TEST(ParametersHdf5, DifferencesAreNamedAndChangeNothing) {
  const std::string path = TempPath("differences.h5");
  ASSERT_TRUE(SaveParameters(path, Network(5)).ok());
  ParameterScope scope;
  scope.GetOrCreate("z/W", {2, 3}, ConstantInitializer(1));
  scope.GetOrCreate("bn/beta", {3}, ConstantInitializer(1));
  scope.GetOrCreate("bn/gamma", {3}, ConstantInitializer(1));
  const absl::Status status = LoadParameters(path, scope);
  EXPECT_EQ(status.message(),
            path +
                ": not in the file: bn/gamma; only in the file: bn/mean, a/slope, a/none; "
                "of another shape: z/W [2,2] for [2,3]: the parameters of the scope needed");
  EXPECT_EQ(Values(scope.Get("bn/beta"))[0], 1);
}

TEST(ParametersHdf5, OptionsAllowDifferences) {
  const std::string path = TempPath("options.h5");
  ASSERT_TRUE(SaveParameters(path, Network(5)).ok());
  const auto load = [&](const LoadOptions& options) {
    ParameterScope scope;
    scope.GetOrCreate("bn/beta", {3}, ConstantInitializer(1));
    scope.GetOrCreate("bn/gamma", {3}, ConstantInitializer(1));
    const absl::Status status = LoadParameters(path, scope, options);
    return status.ok() ? static_cast<int>(scope.Parameters({false}).size()) : -1;
  };
  EXPECT_EQ(load({}), -1);
  EXPECT_EQ(load({true, false, false}), -1);
  EXPECT_EQ(load({false, true, false}), -1);
  EXPECT_EQ(load({true, true, false}), 2);
  EXPECT_EQ(load({true, false, true}), 6);
}

TEST(ParametersHdf5, AScopeBelowTheRootIsSavedUnderItsOwnNames) {
  const std::string path = TempPath("below.h5");
  ASSERT_TRUE(SaveParameters(path, Network(2)["bn"]).ok());
  const ParameterScope scope;
  ASSERT_TRUE(LoadParameters(path, scope["foo"]).ok());
  EXPECT_TRUE(scope.Contains("foo/mean"));
}

TEST(ParametersHdf5, AParameterThatIsAScopeTooCannotBeSaved) {
  ParameterScope scope;
  scope.GetOrCreate("conv", {1}, ConstantInitializer());
  scope.GetOrCreate("conv/W", {1}, ConstantInitializer());
  const absl::Status status = SaveParameters(TempPath("clash.h5"), scope);
  EXPECT_THAT(status.ToString(), HasSubstr("conv/W: a part is an array and a group"));
}

// A child saves two networks in turn and is killed at any moment; the file is always one of them.
TEST(ParametersHdf5, AKillLeavesTheOldOrTheNewFile) {
  const std::string path = TempPath("killed.h5");
  const auto network = [](float value) {
    ParameterScope scope;
    for (int i = 0; i < 20; ++i) {
      scope.GetOrCreate("layer" + std::to_string(i) + "/W", {4096}, ConstantInitializer(value));
    }
    return scope;
  };
  ASSERT_TRUE(SaveParameters(path, network(1)).ok());
  for (int round = 0; round < 15; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const ParameterScope scopes[] = {network(1), network(2)};
      for (int i = 0;; ++i) {
        if (!SaveParameters(path, scopes[i % 2]).ok()) _exit(1);
      }
    }
    usleep(static_cast<useconds_t>(3000 + 1700 * round));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    const ParameterScope loaded;
    const absl::Status result = LoadParameters(path, loaded);
    ASSERT_TRUE(result.ok()) << result;
    const auto parameters = loaded.Parameters();
    ASSERT_EQ(parameters.size(), 20);
    const float first = Values(parameters[0].variable)[0];
    EXPECT_TRUE(first == 1 || first == 2);
    for (const NamedParameter& parameter : parameters) {
      for (float value : Values(parameter.variable)) ASSERT_EQ(value, first);
    }
  }
}

}  // namespace
}  // namespace halite
