// SPDX-License-Identifier: Apache-2.0
#include "halite/io/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace halite {
namespace {

using ::testing::HasSubstr;

std::string TempPath(const std::string& name) { return ::testing::TempDir() + "/" + name; }

NdArray Array(const Shape& shape, const std::vector<float>& values) {
  return NdArray::From<float>(shape, values);
}

SolverState AdamState() {
  SolverState state;
  state.solver = "Adam";
  state.learning_rate = 0.1;
  state.parameters["conv/W"].t = std::numeric_limits<uint32_t>::max();
  state.parameters["conv/W"].arrays = {{"m", Array({2}, {1, 2})}, {"v", Array({2}, {3, 4})}};
  state.parameters["slope"].t = 3;
  state.parameters["slope"].arrays = {{"m", Array({}, {5})}, {"v", Array({}, {6})}};
  state.parameters["plain"].t = 7;  // a solver without arrays
  return state;
}

void ExpectEqual(const SolverState& a, const SolverState& b) {
  EXPECT_EQ(a.solver, b.solver);
  EXPECT_EQ(a.learning_rate, b.learning_rate);
  ASSERT_EQ(a.parameters.size(), b.parameters.size());
  for (const auto& [name, parameter] : a.parameters) {
    SCOPED_TRACE(name);
    ASSERT_EQ(b.parameters.count(name), 1);
    const ParameterState& other = b.parameters.at(name);
    EXPECT_EQ(parameter.t, other.t);
    ASSERT_EQ(parameter.arrays.size(), other.arrays.size());
    for (const auto& [array_name, array] : parameter.arrays) {
      ASSERT_EQ(other.arrays.count(array_name), 1) << array_name;
      EXPECT_EQ(array.shape(), other.arrays.at(array_name).shape());
      EXPECT_EQ(array.ToVector<float>().value(),
                other.arrays.at(array_name).ToVector<float>().value());
    }
  }
}

TEST(Checkpoint, EverythingComesBack) {
  const std::string path = TempPath("checkpoint.h5");
  ParameterScope scope;
  scope.GetOrCreate("conv/W", {2}, RangeInitializer(1));
  TrainingState state;
  state.epoch = 3;
  state.iteration = int64_t{1} << 40;
  state.random.seed = std::numeric_limits<uint64_t>::max();
  state.random.offset = 12345;
  state.solvers["generator"] = AdamState();
  state.solvers["critic"].solver = "Sgd";
  state.iterators["train"].epoch = 3;
  state.iterators["train"].position = 77;
  state.iterators["train"].random.offset = 9;
  state.numbers["loss scale"] = 8;
  ASSERT_TRUE(SaveCheckpoint(path, scope, state).ok());

  scope.Get("conv/W").data().Fill(0);
  const auto loaded = LoadCheckpoint(path, scope);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(scope.Get("conv/W").data().ToVector<float>().value(), (std::vector<float>{1, 2}));
  EXPECT_EQ(loaded->epoch, 3);
  EXPECT_EQ(loaded->iteration, int64_t{1} << 40);
  EXPECT_EQ(loaded->random.seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(loaded->random.offset, 12345);
  ASSERT_EQ(loaded->solvers.size(), 2);
  ExpectEqual(loaded->solvers.at("generator"), state.solvers["generator"]);
  ExpectEqual(loaded->solvers.at("critic"), state.solvers["critic"]);
  ASSERT_EQ(loaded->iterators.size(), 1);
  EXPECT_EQ(loaded->iterators.at("train").position, 77);
  EXPECT_EQ(loaded->iterators.at("train").random.offset, 9);
  EXPECT_EQ(loaded->numbers, state.numbers);
}

TEST(Checkpoint, AnErrorLeavesTheScopeAsItWas) {
  const std::string path = TempPath("no_checkpoint.h5");
  ParameterScope scope;
  scope.GetOrCreate("W", {1}, ConstantInitializer(1));
  ASSERT_TRUE(SaveParameters(path, scope).ok());
  scope.Get("W").data().Fill(2);
  EXPECT_THAT(LoadCheckpoint(path, scope).status().ToString(), HasSubstr("not a checkpoint"));

  ASSERT_TRUE(SaveCheckpoint(path, scope, {}).ok());
  ParameterScope other;
  other.GetOrCreate("V", {1}, ConstantInitializer(1));
  EXPECT_THAT(LoadCheckpoint(path, other).status().ToString(), HasSubstr("not in the file: V"));
  TrainingState bad;
  bad.solvers["a/b"];
  EXPECT_FALSE(SaveCheckpoint(path, scope, bad).ok());
  EXPECT_TRUE(LoadCheckpoint(path, scope).ok());
}

TEST(SolverStateFile, RoundTrip) {
  const std::string path = TempPath("solver.h5");
  ASSERT_TRUE(SaveSolverState(path, AdamState()).ok());
  const auto loaded = LoadSolverState(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ExpectEqual(*loaded, AdamState());
}

TEST(SolverStateFile, HasTheLayoutOfNnabla) {
  const std::string path = TempPath("layout.h5");
  ASSERT_TRUE(SaveSolverState(path, AdamState()).ok());
  const auto entries = ReadHdf5File(path);
  ASSERT_TRUE(entries.ok());
  int found = 0;
  for (const Hdf5Entry& entry : *entries) {
    if (entry.path == "conv/W") found += !entry.array.has_value() && entry.Integer("index") == 0;
    if (entry.path == "conv/W/t") found += entry.array->rank() == 0;
    if (entry.path == "conv/W/v") found += entry.Integer("index") == 1;
  }
  EXPECT_EQ(found, 3);
}

TEST(SolverStateFile, WrongFilesAreErrorsThatNameTheField) {
  const std::string path = TempPath("wrong.h5");
  const auto error = [&](const std::vector<Hdf5Entry>& entries) {
    EXPECT_TRUE(WriteHdf5File(path, entries).ok());
    return LoadSolverState(path).status().ToString();
  };
  Hdf5Entry moment, t;
  moment.path = "W/m";
  moment.array = Array({1}, {1});
  t.path = "W/t";
  t.array = NdArray::From<int64_t>({}, std::vector<int64_t>{-1});
  EXPECT_THAT(error({moment}), HasSubstr("wrong.h5: W: no t"));
  EXPECT_THAT(error({moment, t}), HasSubstr("wrong.h5: W/t: not a number of updates"));
  moment.path = "m";
  EXPECT_THAT(error({moment}), HasSubstr("outside a parameter's group"));
}

}  // namespace
}  // namespace halite
