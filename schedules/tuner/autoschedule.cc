// SPDX-License-Identifier: Apache-2.0
#include "halite/schedules/tuner/autoschedule.h"

#include <map>
#include <thread>
#include <vector>

namespace halite {
namespace {

using Halide::DeviceAPI;
using Halide::Partition;
using Halide::Internal::Definition;
using Halide::Internal::Dim;
using Halide::Internal::DimType;
using Halide::Internal::ForType;
using Halide::Internal::Function;

// The loops of a definition that nobody scheduled, innermost first, as Halide makes them: those of
// its reduction, then its pure variables.
std::vector<Dim> Loops(const Function& f, const Definition& definition) {
  std::vector<Dim> dims;
  const auto add = [&](const std::string& name, DimType type) {
    dims.push_back({name, ForType::Serial, DeviceAPI::None, type, Partition::Auto});
  };
  for (const auto& r : definition.schedule().rvars()) {
    const bool is_pure = Halide::Internal::can_parallelize_rvar(r.var, f.name(), definition);
    add(r.var, is_pure ? DimType::PureRVar : DimType::ImpureRVar);
  }
  for (size_t i = 0; i < f.args().size(); ++i) {
    const auto* variable = definition.args()[i].as<Halide::Internal::Variable>();
    if (variable != nullptr && variable->name == f.args()[i]) add(f.args()[i], DimType::PureVar);
  }
  add(Halide::Var::outermost().name(), DimType::PureVar);
  return dims;
}

void Unschedule(const Function& f, Definition& definition) {
  const std::vector<Halide::Internal::ReductionVariable> rvars = definition.schedule().rvars();
  const std::vector<Dim> dims = Loops(f, definition);
  definition.specializations().clear();
  definition.schedule() = Halide::Internal::StageSchedule();
  definition.schedule().rvars() = rvars;
  definition.schedule().dims() = dims;
}

void Unschedule(Function& f) {
  auto estimates = f.schedule().estimates();
  // Func::bound leaves one without an extent where that is no constant.
  std::erase_if(estimates, [](const auto& estimate) { return !estimate.extent.defined(); });
  f.schedule() = Halide::Internal::FuncSchedule();
  f.schedule().estimates() = estimates;
  for (const std::string& arg : f.args()) f.schedule().storage_dims().emplace_back().var = arg;
  Unschedule(f, f.definition());
  for (size_t u = 0; u < f.updates().size(); ++u) Unschedule(f, f.update(static_cast<int>(u)));
}

}  // namespace

void ApplyAutoscheduler(Halide::Pipeline& pipeline, const Halide::Target& target,
                        const std::string& name, const std::string& plugin) {
  Halide::load_plugin(plugin);
  for (const Halide::Func& output : pipeline.outputs()) {
    for (auto& [_, f] : Halide::Internal::find_transitive_calls(output.function())) Unschedule(f);
  }
  const std::string threads = std::to_string(std::thread::hardware_concurrency());
  pipeline.apply_autoscheduler(target, {name, {{"parallelism", threads}}});
}

}  // namespace halite
