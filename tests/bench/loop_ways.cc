// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include "tests/bench/loop_arrays.h"
#include "tests/bench/pin.h"
#include "tests/bench/ways.h"

namespace halite::bench {
namespace {

std::vector<Way> UpdateWays(const Case& test) {
  struct Own {
    explicit Own(const Case& test) : values(test) {}
    SolverValues values;
    std::vector<float> states[2];
    Arrays arrays;
  };
  const auto own = std::make_shared<Own>(test);
  own->arrays.y_shape = test.shapes[0];
  own->arrays.x = {own->values.gradient.data()};
  own->arrays.y = {own->values.parameter.data()};
  for (std::vector<float>& state : own->states) {
    state.resize(own->values.parameter.size());
    own->arrays.y.push_back(state.data());
  }
  const Loop loop = UpdateLoop(test.function);
  return {{"loop", [own, loop] { loop(own->arrays); }, [own] { return own->values.parameter; }}};
}

}  // namespace

std::vector<Way> LoopWays(const PeerCase& test) {
  PinWorkers();
  if (test.family == "update") return UpdateWays(test.test);
  if (test.test.function != "embed") return {};
  const auto own = std::make_shared<LoopArrays>(Bench(test.test, test.pass));
  const LoopCase loops = EmbedLoops(test.test);
  if (test.pass == Pass::kForward) {
    return {{"loop", [own, loop = loops.forward] { loop(own->arrays()); },
             [own] { return own->y(0); }}};
  }
  return {{"loop",
           [own, loop = loops.backward] {
             own->ZeroGradients();
             loop(own->arrays());
           },
           [own] { return own->dx(1); }}};
}

}  // namespace halite::bench
