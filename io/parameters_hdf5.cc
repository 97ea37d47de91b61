// SPDX-License-Identifier: Apache-2.0
#include "halite/io/parameters_hdf5.h"

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "halite/core/status.h"

namespace halite {
namespace {

constexpr char kNeedGrad[] = "need_grad";
constexpr char kIndex[] = "index";

struct FileParameter {
  std::string name;
  const Hdf5Entry* entry;
};

// The datasets whose paths begin with `prefix`, in order of their index; names break ties.
std::vector<FileParameter> ListParameters(absl::Span<const Hdf5Entry> entries,
                                          const std::string& prefix) {
  std::vector<FileParameter> parameters;
  for (const Hdf5Entry& entry : entries) {
    if (entry.array.has_value() && absl::StartsWith(entry.path, prefix)) {
      parameters.push_back({entry.path.substr(prefix.size()), &entry});
    }
  }
  const auto key = [](const FileParameter& parameter) {
    const auto index = parameter.entry->Integer(kIndex);
    return std::pair(index.value_or(std::numeric_limits<int64_t>::max()),
                     absl::string_view(parameter.name));
  };
  std::sort(parameters.begin(), parameters.end(),
            [&](const FileParameter& a, const FileParameter& b) { return key(a) < key(b); });
  return parameters;
}

// "missing: a, b, c and 5 more; ".
void AppendNames(absl::string_view what, const std::vector<std::string>& names, std::string& text) {
  constexpr size_t kMaxNames = 8;
  if (names.empty()) return;
  absl::StrAppend(&text, text.empty() ? "" : "; ", what, ": ");
  for (size_t i = 0; i < std::min(names.size(), kMaxNames); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", names[i]);
  }
  if (names.size() > kMaxNames) absl::StrAppend(&text, " and ", names.size() - kMaxNames, " more");
}

// What is to be done, found before anything is changed.
struct LoadPlan {
  std::vector<std::pair<Variable, const FileParameter*>> copies;
  std::vector<const FileParameter*> creations;
};

absl::StatusOr<LoadPlan> PlanLoad(const std::vector<FileParameter>& parameters,
                                  const std::string& origin, const ParameterScope& scope,
                                  const LoadOptions& options) {
  const std::vector<NamedParameter> existing = scope.Parameters({false});
  const bool create = options.create_extra || existing.empty();
  LoadPlan plan;
  std::vector<std::string> missing, extra, misshaped;
  std::unordered_set<const internal::VariableNode*> found;
  for (const FileParameter& parameter : parameters) {
    const Variable variable = scope.Get(parameter.name);
    if (!variable.status().ok()) {
      if (create) {
        plan.creations.push_back(&parameter);
      } else if (!options.allow_extra) {
        extra.push_back(parameter.name);
      }
      continue;
    }
    found.insert(variable.node().get());
    const Shape& shape = parameter.entry->array->shape();
    if (shape != variable.shape()) {
      misshaped.push_back(
          absl::StrCat(parameter.name, " ", ToString(shape), " for ", ToString(variable.shape())));
      continue;
    }
    plan.copies.push_back({variable, &parameter});
  }
  for (const NamedParameter& parameter : existing) {
    if (!options.allow_missing && found.count(parameter.variable.node().get()) == 0) {
      missing.push_back(parameter.name);
    }
  }
  std::string text;
  AppendNames("not in the file", missing, text);
  AppendNames("only in the file", extra, text);
  AppendNames("of another shape", misshaped, text);
  if (text.empty()) return plan;
  return absl::InvalidArgumentError(
      absl::StrCat(origin, ": ", text, ": the parameters of the scope needed"));
}

}  // namespace

absl::Status AppendParameters(const ParameterScope& scope, const std::string& prefix,
                              std::vector<Hdf5Entry>& entries) {
  int64_t index = 0;
  for (const NamedParameter& parameter : scope.Parameters({false})) {
    HALITE_RETURN_IF_ERROR(parameter.variable.status());
    Hdf5Entry entry;
    entry.path = prefix + parameter.name;
    entry.array = parameter.variable.data();
    entry.attributes[kNeedGrad] = int32_t{parameter.variable.need_grad()};
    entry.attributes[kIndex] = index++;
    entries.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

absl::Status LoadParameters(absl::Span<const Hdf5Entry> entries, const std::string& prefix,
                            const std::string& origin, const ParameterScope& scope,
                            const LoadOptions& options) {
  const std::vector<FileParameter> parameters = ListParameters(entries, prefix);
  HALITE_ASSIGN_OR_RETURN(const LoadPlan plan, PlanLoad(parameters, origin, scope, options));
  for (const auto& [variable, parameter] : plan.copies) {
    HALITE_RETURN_IF_ERROR(variable.data().CopyFrom(*parameter->entry->array));
  }
  for (const FileParameter* parameter : plan.creations) {
    HALITE_ASSIGN_OR_RETURN(NdArray data, parameter->entry->array->Copy());
    HALITE_RETURN_IF_ERROR(data.Cast(DType::kFloat32));
    const bool need_grad = parameter->entry->Integer(kNeedGrad).value_or(1) != 0;
    HALITE_RETURN_IF_ERROR(scope.Set(parameter->name, Variable(std::move(data), need_grad)));
  }
  return absl::OkStatus();
}

absl::Status SaveParameters(const std::string& path, const ParameterScope& scope) {
  std::vector<Hdf5Entry> entries;
  HALITE_RETURN_IF_ERROR(AppendParameters(scope, "", entries));
  return WriteHdf5File(path, entries);
}

absl::Status LoadParameters(const std::string& path, const ParameterScope& scope,
                            const LoadOptions& options) {
  HALITE_ASSIGN_OR_RETURN(const std::vector<Hdf5Entry> entries, ReadHdf5File(path));
  return LoadParameters(entries, "", path, scope, options);
}

}  // namespace halite
