// SPDX-License-Identifier: Apache-2.0
#include "halite/core/function_def.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"

namespace halite {

std::string DebugString(const OptionValue& value) {
  struct Text {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(int64_t v) const { return absl::StrCat(v); }
    std::string operator()(double v) const { return absl::StrCat(v); }
    std::string operator()(const std::vector<int64_t>& v) const { return ToString(v); }
    std::string operator()(const std::string& v) const { return v; }
    static std::string ToString(absl::Span<const int64_t> v) { return halite::ToString(v); }
  };
  return std::visit(Text(), value);
}

std::vector<std::string> OptionsDef::names() const {
  std::vector<std::string> names;
  for (const Field& field : fields_) names.push_back(field.name);
  return names;
}

OptionValue OptionsDef::Get(const void* options, absl::string_view name) const {
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const Field& field) { return field.name == name; });
  HALITE_CHECK(found != fields_.end(), absl::StrCat("no option ", name));
  return found->get(options);
}

absl::Status OptionsDef::Set(void* options, absl::string_view name,
                             const OptionValue& value) const {
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const Field& field) { return field.name == name; });
  if (found == fields_.end()) {
    std::string known;
    for (const Field& field : fields_)
      absl::StrAppend(&known, known.empty() ? "" : ", ", field.name);
    return absl::InvalidArgumentError(
        absl::StrCat("option ", name, ": one of {", known, "} needed"));
  }
  if (!found->set(options, value)) {
    return absl::InvalidArgumentError(absl::StrCat("option ", name, " = ", DebugString(value),
                                                   ": a value of its own type needed"));
  }
  return absl::OkStatus();
}

bool OptionsDef::Set(const OptionValue& value, bool& field) {
  if (const auto* v = std::get_if<bool>(&value)) return field = *v, true;
  if (const auto* v = std::get_if<int64_t>(&value)) return field = *v != 0, true;
  return false;
}

bool OptionsDef::Set(const OptionValue& value, int& field) {
  const auto* v = std::get_if<int64_t>(&value);
  return v != nullptr && *v == static_cast<int>(*v) && (field = static_cast<int>(*v), true);
}

bool OptionsDef::Set(const OptionValue& value, int64_t& field) {
  if (const auto* v = std::get_if<int64_t>(&value)) return field = *v, true;
  return false;
}

bool OptionsDef::Set(const OptionValue& value, double& field) {
  if (const auto* v = std::get_if<double>(&value)) return field = *v, true;
  if (const auto* v = std::get_if<int64_t>(&value)) return field = static_cast<double>(*v), true;
  return false;
}

bool OptionsDef::Set(const OptionValue& value, std::vector<int64_t>& field) {
  if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) return field = *v, true;
  return false;
}

bool OptionsDef::Set(const OptionValue& value, Shape& field) {
  if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) {
    return field.assign(v->begin(), v->end()), true;
  }
  return false;
}

bool OptionsDef::Set(const OptionValue& value, std::string& field) {
  const auto* v = std::get_if<std::string>(&value);
  return v != nullptr && (field = *v, true);
}

Inference::Inference(const FunctionDef& def, std::vector<Input> inputs, const void* options)
    : def_(def), inputs_(std::move(inputs)), options_(options) {}

absl::Status Inference::Error(absl::string_view given, absl::string_view needed) const {
  return absl::InvalidArgumentError(absl::StrCat(def_.name, ": ", given, ": ", needed, " needed"));
}

absl::Status Inference::AxisError(int64_t axis) const {
  return Error(absl::StrCat("axis ", axis, " of x ", ToString(shape())),
               absl::StrCat("an axis in [", -rank(), ", ", rank(), ")"));
}

absl::Status Inference::ShapeError(absl::string_view needed) const {
  std::string given;
  for (int i = 0; i < num_inputs(); ++i) {
    if (!inputs_[i].given) continue;
    absl::StrAppend(&given, given.empty() ? "" : " and ",
                    def_.inputs[std::min<size_t>(i, def_.inputs.size() - 1)].name, " ",
                    ToString(inputs_[i].shape));
  }
  return Error(given, needed);
}

absl::StatusOr<std::vector<Inference::Output>> Inference::Run() {
  size_t least = 0;
  while (least < def_.inputs.size() && !def_.inputs[least].optional) ++least;
  const size_t most = def_.variadic ? inputs_.size() : def_.inputs.size();
  if (inputs_.size() < std::max<size_t>(least, def_.variadic ? 1 : 0) || inputs_.size() > most) {
    return Error(absl::StrCat(inputs_.size(), " inputs"),
                 def_.variadic ? "at least 1" : absl::StrCat(least, " to ", most));
  }
  std::optional<DType> data_dtype;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const InputDef& input = def_.inputs[std::min(i, def_.inputs.size() - 1)];
    if (!inputs_[i].given) {
      if (!input.optional) return Error(absl::StrCat(input.name, " is empty"), "a variable");
      continue;
    }
    const DType dtype = inputs_[i].dtype;
    const std::string given = absl::StrCat(input.name, " of type ", Name(dtype));
    if (input.kind == InputKind::kIndex) {
      if (dtype != DType::kInt32) return Error(given, "type i32");
    } else {
      if (!IsFloat(dtype)) return Error(given, "type f32 or f64");
      if (data_dtype.has_value() && *data_dtype != dtype) {
        return Error(given, absl::StrCat("type ", Name(*data_dtype), " as its first input"));
      }
      data_dtype = dtype;
    }
  }
  HALITE_RETURN_IF_ERROR(def_.infer(*this));
  for (const Output& output : outputs_) {
    if (absl::Status status = CheckShape(output.shape); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(def_.name, ": output: ", status.message()));
    }
  }
  return std::move(outputs_);
}

FunctionRegistry::FunctionRegistry(std::vector<const FunctionDef*> functions)
    : functions_(std::move(functions)) {
  std::sort(functions_.begin(), functions_.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });
}

absl::StatusOr<const FunctionDef*> FunctionRegistry::Find(absl::string_view name) const {
  for (const FunctionDef* def : functions_) {
    if (def->name == name) return def;
  }
  return absl::NotFoundError(absl::StrCat("function ", name,
                                          ": not in the registry: a known name, or the target ",
                                          "//ops:", name, " and its FunctionDef needed"));
}

absl::StatusOr<const FunctionDef*> FunctionRegistry::FindByNnablaName(
    absl::string_view name) const {
  for (const FunctionDef* def : functions_) {
    if (!name.empty() && def->nnabla_name == name) return def;
  }
  return absl::NotFoundError(
      absl::StrCat("function ", name, " (nnabla): not in the registry: a known name needed"));
}

}  // namespace halite
