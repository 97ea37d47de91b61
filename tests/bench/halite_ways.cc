// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "halite/core/random.h"
#include "halite/solvers/adam.h"
#include "halite/solvers/sgd.h"
#include "tests/bench/pin.h"
#include "tests/bench/ways.h"

namespace halite::bench {
namespace {

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  std::exit(1);
}

void Append(std::vector<float>& values, const NdArray& array) {
  const std::vector<float> more = Values(array);
  values.insert(values.end(), more.begin(), more.end());
}

std::vector<Way> SolverWays(const Case& test) {
  struct Own {
    Variable parameter;
    std::unique_ptr<Solver> solver;
  };
  const SolverValues values(test);
  const auto own = std::make_shared<Own>();
  own->parameter = Variable(NdArray::From(test.shapes[0], values.parameter), true);
  Check(own->parameter.grad().CopyFrom(NdArray::From(test.shapes[0], values.gradient)));
  if (test.function == "sgd") own->solver = std::make_unique<Sgd>();
  if (test.function == "momentum") own->solver = std::make_unique<Momentum>();
  if (test.function == "adam") own->solver = std::make_unique<Adam>();
  Check(own->solver->SetParameters({{"w", own->parameter}}));
  return {{"Halite", [own] { Check(own->solver->Update()); },
           [own] { return Values(own->parameter.data()); }},
          {"data", nullptr, [own] {
             std::vector<float> all;
             Append(all, own->parameter.data());
             Append(all, own->parameter.grad());
             return all;
           }}};
}

}  // namespace

SolverValues::SolverValues(const Case& test)
    : parameter(Size(test.shapes[0])), gradient(parameter.size()) {
  RandomGenerator random;
  random.Uniform(absl::MakeSpan(parameter), -1, 1);
  random.Uniform(absl::MakeSpan(gradient), -1, 1);
}

std::vector<Way> HaliteWays(const PeerCase& test) {
  PinWorkers();
  if (test.family == "update") return SolverWays(test.test);
  const auto bench = std::make_shared<Bench>(test.test, test.pass);
  const Pass pass = test.pass;
  const auto run = [bench, pass] {
    if (pass == Pass::kForward) return bench->Forward();
    for (const Variable& input : bench->inputs()) {
      if (input.need_grad()) input.grad().Zero();  // lazy: Backward overwrites
    }
    bench->Backward();
  };
  const auto result = [bench, pass] {
    if (pass == Pass::kForward) return Values(bench->outputs()[0].data());
    return Values(bench->inputs()[pass == Pass::kBackwardWeights ? 1 : 0].grad());
  };
  const auto data = [bench] {
    std::vector<float> all;
    for (const Variable& input : bench->inputs()) Append(all, input.data());
    for (const Variable& output : bench->outputs()) Append(all, output.grad());
    return all;
  };
  return {{"Halite", run, result}, {"data", nullptr, data}};
}

}  // namespace halite::bench
