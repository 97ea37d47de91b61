// SPDX-License-Identifier: Apache-2.0
#include "halite/solvers/solver.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>

#include "halite/ops/arithmetic.h"
#include "halite/solvers/adam.h"
#include "halite/solvers/sgd.h"

namespace halite {
namespace {

const Shape kShapes[] = {{4, 3}, {5}, {}};

// As solver_reference.py makes them.
std::vector<double> Values(const Shape& shape, double seed) {
  std::vector<double> values(Size(shape));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<double>(i) * 1.7 + seed);
  }
  return values;
}

std::unique_ptr<Solver> Make(const std::string& name) {
  if (name == "sgd") return std::make_unique<Sgd>(SgdOptions{0.1});
  if (name == "momentum") return std::make_unique<Momentum>(MomentumOptions{0.1, 0.9});
  if (name == "nesterov") return std::make_unique<Nesterov>(MomentumOptions{0.1, 0.9});
  if (name == "adam") return std::make_unique<Adam>(AdamOptions{0.01});
  AdamWOptions options;
  options.alpha = 0.01;
  return std::make_unique<AdamW>(options);
}

std::vector<NamedParameter> Parameters(DType dtype) {
  std::vector<NamedParameter> parameters;
  for (int i = 0; i < 3; ++i) {
    const Variable w(kShapes[i], true, dtype);
    EXPECT_TRUE(w.data().CopyFrom(NdArray::From(kShapes[i], Values(kShapes[i], i))).ok());
    parameters.push_back({"w" + std::to_string(i), w});
  }
  return parameters;
}

void SetGrad(const Variable& w, const std::vector<double>& values) {
  ASSERT_TRUE(w.grad().CopyFrom(NdArray::From(w.shape(), values)).ok());
}

std::vector<double> Read(const NdArray& array) { return array.ToVector<double>().value(); }

// solver, rate -> step, parameter, values.
struct Row {
  std::string solver;
  double rate;
  int step, parameter;
  std::vector<double> values;
};

std::vector<Row> Reference() {
  std::ifstream file("tests/solvers/solver_reference.tsv");
  EXPECT_TRUE(file.good());
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    Row row;
    fields >> row.solver >> row.rate >> row.step >> row.parameter;
    for (double value; fields >> value;) row.values.push_back(value);
    rows.push_back(row);
  }
  return rows;
}

TEST(SolverTest, UpdatesAsNumpyDoes) {
  const std::vector<Row> rows = Reference();
  ASSERT_EQ(rows.size(), 5u * 2 * 5 * 3);
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const double tolerance = dtype == DType::kFloat32 ? 2e-6 : 1e-14;
    for (size_t begin = 0; begin < rows.size(); begin += 15) {
      const Row& first = rows[begin];
      SCOPED_TRACE(first.solver + " " + std::to_string(first.rate));
      const auto solver = Make(first.solver);
      const auto parameters = Parameters(dtype);
      ASSERT_TRUE(solver->SetParameters(parameters).ok());
      for (size_t r = begin; r < begin + 15; r += 3) {
        for (int i = 0; i < 3; ++i) {
          SetGrad(parameters[i].variable, Values(kShapes[i], 10 * rows[r].step + i));
        }
        ASSERT_TRUE(solver->WeightDecay(first.rate).ok());
        const absl::Status status = solver->Update();
        ASSERT_TRUE(status.ok()) << status;
        for (int i = 0; i < 3; ++i) {
          const std::vector<double> w = Read(parameters[i].variable.data());
          ASSERT_EQ(w.size(), rows[r + i].values.size());
          for (size_t k = 0; k < w.size(); ++k) {
            ASSERT_NEAR(w[k], rows[r + i].values[k], tolerance) << "step " << rows[r].step;
          }
        }
        EXPECT_EQ(solver->state().parameters.at("w0").t, static_cast<uint32_t>(rows[r].step));
      }
    }
  }
}

TEST(SolverTest, UntouchedParametersAreSkipped) {
  for (const char* name : {"momentum", "adamw"}) {
    const auto solver = Make(name);
    const auto parameters = Parameters(DType::kFloat32);
    ASSERT_TRUE(solver->SetParameters(parameters).ok());
    solver->ZeroGrad();
    SetGrad(parameters[1].variable, Values(kShapes[1], 3));
    const std::vector<double> before = Read(parameters[0].variable.data());
    ASSERT_TRUE(solver->WeightDecay(0.5).ok());
    ASSERT_TRUE(solver->Update().ok());
    EXPECT_EQ(Read(parameters[0].variable.data()), before);
    EXPECT_NE(Read(parameters[1].variable.data()), Values(kShapes[1], 1));
    EXPECT_EQ(solver->state().parameters.at("w0").t, 0u);
    EXPECT_EQ(solver->state().parameters.at("w1").t, 1u);
  }
}

TEST(SolverTest, ClipsEachGradientByItsNorm) {
  const auto solver = Make("sgd");
  const auto parameters = Parameters(DType::kFloat32);
  ASSERT_TRUE(solver->SetParameters(parameters).ok());
  SetGrad(parameters[0].variable, std::vector<double>(12, 2));
  SetGrad(parameters[1].variable, {0.1, 0, 0, 0, 0.2});
  SetGrad(parameters[2].variable, {0});
  ASSERT_TRUE(solver->ClipGradByNorm(0.5).ok());
  for (double g : Read(parameters[0].variable.grad())) EXPECT_NEAR(g, 0.5 / std::sqrt(12), 1e-6);
  EXPECT_FLOAT_EQ(Read(parameters[1].variable.grad())[4], 0.2f) << "below the norm: unchanged";
  EXPECT_EQ(Read(parameters[2].variable.grad())[0], 0) << "a zero gradient stays zero";
}

TEST(SolverTest, ScalesAndChecksGradients) {
  const auto solver = Make("sgd");
  const auto parameters = Parameters(DType::kFloat32);
  ASSERT_TRUE(solver->SetParameters(parameters).ok());
  for (int i = 0; i < 3; ++i) SetGrad(parameters[i].variable, Values(kShapes[i], i));
  ASSERT_TRUE(solver->ScaleGrad(0.25).ok());
  EXPECT_NEAR(Read(parameters[1].variable.grad())[2], Values(kShapes[1], 1)[2] / 4, 1e-7);
  EXPECT_FALSE(solver->CheckInfOrNanGrad().value());
  SetGrad(parameters[1].variable, {0, 0, -std::numeric_limits<double>::infinity(), 0, 0});
  EXPECT_TRUE(solver->CheckInfGrad().value());
  EXPECT_FALSE(solver->CheckNanGrad().value());
  SetGrad(parameters[1].variable, {0, 0, 0, std::nan(""), 0});
  EXPECT_FALSE(solver->CheckInfGrad().value());
  EXPECT_TRUE(solver->CheckNanGrad().value());
  EXPECT_TRUE(solver->CheckInfOrNanGrad().value());
}

TEST(SolverTest, LearningRateCanBeSet) {
  const auto solver = Make("sgd");
  const auto parameters = Parameters(DType::kFloat64);
  ASSERT_TRUE(solver->SetParameters(parameters).ok());
  solver->set_learning_rate(0.5);
  EXPECT_EQ(solver->learning_rate(), 0.5);
  SetGrad(parameters[2].variable, {1});
  const double before = Read(parameters[2].variable.data())[0];
  ASSERT_TRUE(solver->Update().ok());
  EXPECT_DOUBLE_EQ(Read(parameters[2].variable.data())[0], before - 0.5);
}

TEST(SolverTest, SetParametersResetsOrRetains) {
  const auto solver = Make("momentum");
  const auto parameters = Parameters(DType::kFloat32);
  ASSERT_TRUE(solver->SetParameters(parameters).ok());
  for (int i = 0; i < 3; ++i) SetGrad(parameters[i].variable, Values(kShapes[i], i));
  ASSERT_TRUE(solver->Update().ok());
  const auto other = Parameters(DType::kFloat32);
  ASSERT_TRUE(solver->SetParameters({other[0]}, {.reset = false, .retain_state = true}).ok());
  EXPECT_EQ(solver->state().parameters.at("w0").t, 1u);
  EXPECT_TRUE(solver->parameters()[0].variable == other[0].variable) << "the new variable counts";
  ASSERT_TRUE(solver->SetParameters({other[1]}, {.reset = false, .retain_state = false}).ok());
  EXPECT_EQ(solver->state().parameters.at("w1").t, 0u);
  EXPECT_EQ(solver->parameters().size(), 3u);
  const NamedParameter reshaped{"w0", Variable({7}, true)};
  EXPECT_FALSE(solver->SetParameters({reshaped}, {.reset = false, .retain_state = true}).ok());
  solver->RemoveParameters({"w1"});
  EXPECT_EQ(solver->parameters().size(), 2u);
  ASSERT_TRUE(solver->SetParameters({other[2]}).ok());
  EXPECT_EQ(solver->parameters().size(), 1u);
}

TEST(SolverTest, GoesOnFromASavedState) {
  for (const char* name : {"sgd", "momentum", "nesterov", "adam", "adamw"}) {
    const auto a = Make(name), b = Make(name);
    const auto pa = Parameters(DType::kFloat32), pb = Parameters(DType::kFloat32);
    ASSERT_TRUE(a->SetParameters(pa).ok());
    ASSERT_TRUE(b->SetParameters(pb).ok());
    const auto step = [](Solver& solver, const std::vector<NamedParameter>& parameters, int seed) {
      for (int i = 0; i < 3; ++i) {
        SetGrad(parameters[i].variable, Values(kShapes[i], seed + i));
      }
      ASSERT_TRUE(solver.Update().ok());
    };
    step(*a, pa, 1);
    step(*a, pa, 2);
    ASSERT_TRUE(b->SetState(a->state()).ok());
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(pb[i].variable.data().CopyFrom(pa[i].variable.data()).ok());
    }
    step(*a, pa, 3);
    step(*b, pb, 3);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(Read(pa[i].variable.data()), Read(pb[i].variable.data())) << name;
    }
  }
  const auto adam = Make("adam");
  ASSERT_TRUE(adam->SetParameters(Parameters(DType::kFloat32)).ok());
  EXPECT_FALSE(Make("sgd")->SetState(adam->state()).ok());
  EXPECT_FALSE(Make("adam")->SetState(adam->state()).ok()) << "unknown parameters";
}

}  // namespace
}  // namespace halite
