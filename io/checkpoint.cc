// SPDX-License-Identifier: Apache-2.0
#include "halite/io/checkpoint.h"

#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "halite/core/status.h"
#include "halite/io/hdf5_file.h"

namespace halite {
namespace {

constexpr char kFormat[] = "halite checkpoint 1";

// Reads attributes of one entry; the first that is missing or of another type is the error.
class AttributeReader {
 public:
  AttributeReader(const std::string& origin, const Hdf5Entry& entry)
      : origin_(origin), entry_(entry) {}

  const absl::Status& status() const { return status_; }

  int64_t Integer(const std::string& name) {
    const std::optional<int64_t> value = entry_.Integer(name);
    if (!value.has_value()) Fail(name, "an integer");
    return value.value_or(0);
  }
  RandomState Random() {
    RandomState random;
    random.seed = static_cast<uint64_t>(Integer("random_seed"));
    random.offset = static_cast<uint64_t>(Integer("random_offset"));
    return random;
  }

 private:
  void Fail(const std::string& name, absl::string_view needed) {
    if (!status_.ok()) return;
    status_ = absl::DataLossError(
        absl::StrCat(origin_, ": ", entry_.path, entry_.path.empty() ? "" : ": ", "attribute ",
                     name, ": not there or of another type: ", needed, " needed"));
  }

  const std::string& origin_;
  const Hdf5Entry& entry_;
  absl::Status status_;
};

void AddRandom(const RandomState& random, Hdf5Entry& entry) {
  entry.attributes["random_seed"] = static_cast<int64_t>(random.seed);
  entry.attributes["random_offset"] = static_cast<int64_t>(random.offset);
}

Hdf5Entry Group(std::string path) {
  Hdf5Entry entry;
  entry.path = std::move(path);
  return entry;
}

// `group` is the path of the group that holds the solver: "solvers/adam", or empty for the root.
void AppendSolver(const SolverState& state, const std::string& group,
                  std::vector<Hdf5Entry>& entries) {
  Hdf5Entry head = Group(group);
  head.attributes["solver"] = state.solver;
  head.attributes["learning_rate"] = state.learning_rate;
  entries.push_back(std::move(head));
  int64_t parameter_index = 0;
  for (const auto& [name, parameter] : state.parameters) {
    Hdf5Entry parameter_group = Group(group.empty() ? name : absl::StrCat(group, "/", name));
    const std::string prefix = parameter_group.path + "/";
    parameter_group.attributes["index"] = parameter_index++;
    entries.push_back(std::move(parameter_group));
    Hdf5Entry t = Group(prefix + "t");
    t.array = NdArray::From<int64_t>({}, std::vector<int64_t>{parameter.t});
    entries.push_back(std::move(t));
    int64_t array_index = 0;
    for (const auto& [array_name, array] : parameter.arrays) {
      Hdf5Entry entry = Group(prefix + array_name);
      entry.array = array;
      entry.attributes["index"] = array_index++;
      entries.push_back(std::move(entry));
    }
  }
}

absl::StatusOr<uint32_t> ReadCount(const NdArray& array) {
  if (array.size() == 1 && !IsFloat(array.dtype())) {
    HALITE_ASSIGN_OR_RETURN(const std::vector<int64_t> values, array.ToVector<int64_t>());
    if (values[0] >= 0 && values[0] <= std::numeric_limits<uint32_t>::max()) {
      return static_cast<uint32_t>(values[0]);
    }
  }
  return absl::DataLossError("not a number of updates: one integer from 0 to 2^32 - 1 needed");
}

// `prefix` is empty or ends with '/'.
absl::StatusOr<SolverState> ParseSolver(absl::Span<const Hdf5Entry> entries,
                                        const std::string& prefix, const std::string& origin) {
  SolverState state;
  std::map<std::string, bool> has_count;
  for (const Hdf5Entry& entry : entries) {
    if (absl::StrCat(entry.path, "/") == prefix || (prefix.empty() && entry.path.empty())) {
      const auto name = entry.attributes.find("solver"),
                 rate = entry.attributes.find("learning_rate");
      const auto end = entry.attributes.end();
      if (name != end && std::holds_alternative<std::string>(name->second)) {
        state.solver = std::get<std::string>(name->second);
      }
      if (rate != end && std::holds_alternative<double>(rate->second)) {
        state.learning_rate = std::get<double>(rate->second);
      }
    }
    if (!entry.array.has_value() || !absl::StartsWith(entry.path, prefix)) continue;
    const std::string path = entry.path.substr(prefix.size());
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) {
      return absl::DataLossError(absl::StrCat(
          origin, ": ", entry.path, ": an array outside a parameter's group: none needed"));
    }
    const std::string parameter = path.substr(0, slash), name = path.substr(slash + 1);
    bool& counted = has_count[parameter];
    if (name != "t") {
      state.parameters[parameter].arrays.emplace(name, *entry.array);
      continue;
    }
    const absl::StatusOr<uint32_t> t = ReadCount(*entry.array);
    if (!t.ok()) {
      return absl::Status(t.status().code(),
                          absl::StrCat(origin, ": ", entry.path, ": ", t.status().message()));
    }
    state.parameters[parameter].t = *t;
    counted = true;
  }
  for (const auto& [parameter, counted] : has_count) {
    if (!counted) {
      return absl::DataLossError(
          absl::StrCat(origin, ": ", prefix, parameter, ": no t: the number of updates needed"));
    }
  }
  return state;
}

// The last part of a path directly below `group` ("iterators/"), or empty.
std::string NameBelow(const std::string& path, absl::string_view group) {
  if (!absl::StartsWith(path, group)) return "";
  const std::string name = path.substr(group.size());
  return name.find('/') == std::string::npos ? name : "";
}

absl::Status CheckNames(const TrainingState& state) {
  const auto check = [](const auto& named) -> absl::Status {
    for (const auto& [name, value] : named) {
      if (name.empty() || name.find('/') != std::string::npos) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", name, "' in a checkpoint: a name without '/' needed"));
      }
    }
    return absl::OkStatus();
  };
  HALITE_RETURN_IF_ERROR(check(state.solvers));
  HALITE_RETURN_IF_ERROR(check(state.iterators));
  return check(state.numbers);
}

absl::StatusOr<TrainingState> ParseTrainingState(absl::Span<const Hdf5Entry> entries,
                                                 const std::string& origin) {
  TrainingState state;
  for (const Hdf5Entry& entry : entries) {
    AttributeReader attributes(origin, entry);
    if (entry.path.empty()) {
      const auto format = entry.attributes.find("format");
      if (format == entry.attributes.end() ||
          format->second != Hdf5Attribute(std::string(kFormat))) {
        return absl::InvalidArgumentError(
            absl::StrCat(origin, ": not a checkpoint: the format '", kFormat, "' needed"));
      }
      state.epoch = attributes.Integer("epoch");
      state.iteration = attributes.Integer("iteration");
      state.random = attributes.Random();
    } else if (entry.path == "numbers") {
      for (const auto& [name, value] : entry.attributes) {
        if (const double* number = std::get_if<double>(&value); number != nullptr) {
          state.numbers[name] = *number;
        }
      }
    } else if (const std::string name = NameBelow(entry.path, "iterators/"); !name.empty()) {
      DataIteratorState& iterator = state.iterators[name];
      iterator.epoch = attributes.Integer("epoch");
      iterator.position = attributes.Integer("position");
      iterator.random = attributes.Random();
    } else if (const std::string solver = NameBelow(entry.path, "solvers/"); !solver.empty()) {
      HALITE_ASSIGN_OR_RETURN(state.solvers[solver],
                              ParseSolver(entries, absl::StrCat("solvers/", solver, "/"), origin));
    }
    HALITE_RETURN_IF_ERROR(attributes.status());
  }
  return state;
}

}  // namespace

absl::Status SaveCheckpoint(const std::string& path, const ParameterScope& scope,
                            const TrainingState& state) {
  HALITE_RETURN_IF_ERROR(CheckNames(state));
  std::vector<Hdf5Entry> entries;
  Hdf5Entry root;
  root.attributes["format"] = std::string(kFormat);
  root.attributes["epoch"] = state.epoch;
  root.attributes["iteration"] = state.iteration;
  AddRandom(state.random, root);
  entries.push_back(std::move(root));
  Hdf5Entry numbers = Group("numbers");
  for (const auto& [name, number] : state.numbers) numbers.attributes[name] = number;
  entries.push_back(std::move(numbers));
  for (const auto& [name, iterator] : state.iterators) {
    Hdf5Entry entry = Group(absl::StrCat("iterators/", name));
    entry.attributes["epoch"] = iterator.epoch;
    entry.attributes["position"] = iterator.position;
    AddRandom(iterator.random, entry);
    entries.push_back(std::move(entry));
  }
  for (const auto& [name, solver] : state.solvers) {
    AppendSolver(solver, absl::StrCat("solvers/", name), entries);
  }
  HALITE_RETURN_IF_ERROR(AppendParameters(scope, "parameters/", entries));
  return WriteHdf5File(path, entries);
}

absl::StatusOr<TrainingState> LoadCheckpoint(const std::string& path, const ParameterScope& scope,
                                             const LoadOptions& options) {
  HALITE_ASSIGN_OR_RETURN(const std::vector<Hdf5Entry> entries, ReadHdf5File(path));
  HALITE_ASSIGN_OR_RETURN(TrainingState state, ParseTrainingState(entries, path));
  HALITE_RETURN_IF_ERROR(LoadParameters(entries, "parameters/", path, scope, options));
  return state;
}

absl::Status SaveSolverState(const std::string& path, const SolverState& state) {
  std::vector<Hdf5Entry> entries;
  AppendSolver(state, "", entries);
  return WriteHdf5File(path, entries);
}

absl::StatusOr<SolverState> LoadSolverState(const std::string& path) {
  HALITE_ASSIGN_OR_RETURN(const std::vector<Hdf5Entry> entries, ReadHdf5File(path));
  return ParseSolver(entries, "", path);
}

}  // namespace halite
