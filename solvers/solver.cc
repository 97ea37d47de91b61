// SPDX-License-Identifier: Apache-2.0
#include "halite/solvers/solver.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"

namespace halite {
namespace {

absl::StatusOr<const Kernel*> SolverKernel(const std::string& op, DType dtype,
                                           const Context& context) {
  std::string name;
  for (const std::string& backend : context.backends) {
    name = absl::StrCat(op, "_", Name(dtype), "_", backend);
    if (const Kernel* kernel = FindKernel(name); kernel != nullptr) return kernel;
  }
  return absl::UnimplementedError(
      absl::StrCat("solver: kernel ", name, " is not linked: the solver's own target needed"));
}

// A scalar that a kernel reads by address, in the parameter's dtype.
class RunTimeScalar {
 public:
  explicit RunTimeScalar(DType dtype) : dtype_(dtype) {}
  void Set(double value) {
    f64_ = value;
    f32_ = static_cast<float>(value);
  }
  const void* address() const {
    return dtype_ == DType::kFloat64 ? static_cast<const void*>(&f64_) : &f32_;
  }

 private:
  DType dtype_;
  double f64_ = 0;
  float f32_ = 0;
};

}  // namespace

// One parameter with its states and the kernel calls on it, made when first needed.
struct Solver::Entry {
  Entry(std::string name_in, Variable parameter_in)
      : name(std::move(name_in)),
        parameter(std::move(parameter_in)),
        norm_squared(Shape{1}, parameter.dtype()),
        scalar(parameter.dtype()) {}

  // The flat view of an array that the kernel rewrites, or reads.
  static Operand InPlace(NdArray& array) {
    return Operand(&array).View({array.size()}).Accumulate();
  }
  static Operand Flat(NdArray& array) { return Operand(&array).View({array.size()}); }

  // Runs `op` with `arguments`, keeping the call.
  absl::Status Run(const std::string& op, const Context& context, ExecutionContext& execution,
                   const std::function<std::vector<KernelArgument>()>& arguments) {
    if (parameter.size() == 0) return absl::OkStatus();
    std::unique_ptr<KernelCall>& call = calls[op];
    if (call == nullptr) {
      HALITE_ASSIGN_OR_RETURN(const Kernel* kernel, SolverKernel(op, parameter.dtype(), context));
      HALITE_ASSIGN_OR_RETURN(call, KernelCall::Make(*kernel, arguments()));
    }
    return call->Run(execution);
  }

  std::string name;
  Variable parameter;
  uint32_t t = 0;
  std::vector<NdArray> states;
  NdArray norm_squared;
  RunTimeScalar scalar;  // of the operations on gradients
  std::vector<RunTimeScalar> update_scalars;
  std::map<std::string, std::unique_ptr<KernelCall>> calls;
};

Solver::Solver(std::string name, std::string kernel, std::vector<std::string> state_names,
               std::vector<std::string> scalar_names, double learning_rate)
    : name_(std::move(name)),
      kernel_(std::move(kernel)),
      state_names_(std::move(state_names)),
      scalar_names_(std::move(scalar_names)),
      learning_rate_(learning_rate) {}

Solver::~Solver() = default;

absl::StatusOr<std::unique_ptr<Solver::Entry>> Solver::MakeEntry(const std::string& name,
                                                                 const Variable& parameter) const {
  if (parameter.empty() || !parameter.status().ok() || !parameter.is_root() ||
      !IsFloat(parameter.dtype())) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": parameter ", name, ": a floating point root variable needed"));
  }
  auto entry = std::make_unique<Entry>(name, parameter);
  for (size_t i = 0; i < state_names_.size(); ++i) {
    entry->states.emplace_back(parameter.shape(), parameter.dtype()).Zero();
  }
  entry->update_scalars.assign(scalar_names_.size(), RunTimeScalar(parameter.dtype()));
  return entry;
}

Solver::Entry* Solver::Find(const std::string& name) const {
  for (const auto& entry : entries_) {
    if (entry->name == name) return entry.get();
  }
  return nullptr;
}

absl::Status Solver::SetParameters(const std::vector<NamedParameter>& parameters,
                                   const SetParametersOptions& options) {
  context_ = CurrentContext();
  if (options.reset) ClearParameters();
  for (const auto& [name, parameter] : parameters) {
    HALITE_ASSIGN_OR_RETURN(std::unique_ptr<Entry> entry, MakeEntry(name, parameter));
    Entry* known = Find(name);
    if (known == nullptr) {
      entries_.push_back(std::move(entry));
      continue;
    }
    if (options.retain_state) {
      if (known->parameter.shape() != parameter.shape() ||
          known->parameter.dtype() != parameter.dtype()) {
        return absl::InvalidArgumentError(absl::StrCat(
            name_, ": parameter ", name, " ", ToString(parameter.shape()), " with a state for ",
            ToString(known->parameter.shape()), ": equal shapes and types needed"));
      }
      entry->t = known->t;
      entry->states = std::move(known->states);
    }
    *std::find_if(entries_.begin(), entries_.end(),
                  [&](const auto& e) { return e.get() == known; }) = std::move(entry);
  }
  return absl::OkStatus();
}

void Solver::RemoveParameters(const std::vector<std::string>& names) {
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                [&](const auto& entry) {
                                  return std::find(names.begin(), names.end(), entry->name) !=
                                         names.end();
                                }),
                 entries_.end());
}

void Solver::ClearParameters() { entries_.clear(); }

std::vector<NamedParameter> Solver::parameters() const {
  std::vector<NamedParameter> parameters;
  for (const auto& entry : entries_) parameters.push_back({entry->name, entry->parameter});
  return parameters;
}

void Solver::ZeroGrad() {
  for (const auto& entry : entries_) entry->parameter.grad().Zero();
}

absl::Status Solver::ForEachTouched(
    const std::function<absl::Status(Entry&, ExecutionContext&)>& visit) {
  ExecutionContext execution(context_.device);
  for (const auto& entry : entries_) {
    if (entry->parameter.grad().zeroing()) continue;
    if (absl::Status status = visit(*entry, execution); !status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat(name_, ": parameter ", entry->name, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status Solver::Update() {
  return ForEachTouched([&](Entry& entry, ExecutionContext& execution) {
    entry.t = std::min(entry.t, std::numeric_limits<uint32_t>::max() - 2) + 1;
    const std::vector<double> values = Scalars(entry.t);
    for (size_t i = 0; i < values.size(); ++i) entry.update_scalars[i].Set(values[i]);
    return entry.Run(kernel_, context_, execution, [&] {
      const bool is_tuple = !entry.states.empty();
      std::vector<KernelArgument> arguments = {
          {"g", Entry::Flat(entry.parameter.grad())},
          {is_tuple ? "w.0" : "w", Entry::InPlace(entry.parameter.data())}};
      for (size_t i = 0; i < entry.states.size(); ++i) {
        arguments.emplace_back(absl::StrCat("w.", i + 1).c_str(), Entry::InPlace(entry.states[i]));
      }
      for (size_t i = 0; i < scalar_names_.size(); ++i) {
        arguments.emplace_back(scalar_names_[i].c_str(), entry.update_scalars[i].address());
      }
      return arguments;
    });
  });
}

absl::Status Solver::WeightDecay(double rate) {
  if (rate == 0) return absl::OkStatus();
  return ForEachTouched([&](Entry& entry, ExecutionContext& execution) {
    entry.scalar.Set(rate);
    return entry.Run("weight_decay", context_, execution, [&] {
      return std::vector<KernelArgument>{{"g", Entry::Flat(entry.parameter.data())},
                                         {"w", Entry::InPlace(entry.parameter.grad())},
                                         {"rate", entry.scalar.address()}};
    });
  });
}

absl::Status Solver::ScaleGrad(double scale) {
  return ForEachTouched([&](Entry& entry, ExecutionContext& execution) {
    entry.scalar.Set(scale);
    return entry.Run("scale_grad", context_, execution, [&] {
      return std::vector<KernelArgument>{{"g", Entry::Flat(entry.parameter.data())},
                                         {"w", Entry::InPlace(entry.parameter.grad())},
                                         {"scale", entry.scalar.address()}};
    });
  });
}

absl::Status Solver::ClipGradByNorm(double norm) {
  if (norm == 0) return absl::OkStatus();
  return ForEachTouched([&](Entry& entry, ExecutionContext& execution) {
    NdArray& grad = entry.parameter.grad();
    HALITE_RETURN_IF_ERROR(entry.Run("sum_of_squares", context_, execution, [&] {
      return std::vector<KernelArgument>{{"x", Entry::Flat(grad)},
                                         {"y", Operand(&entry.norm_squared)}};
    }));
    entry.scalar.Set(norm);
    return entry.Run("clip_by_norm", context_, execution, [&] {
      return std::vector<KernelArgument>{{"norm_squared", Operand(&entry.norm_squared)},
                                         {"limit", entry.scalar.address()},
                                         {"n", grad.size()},
                                         {"g", Entry::InPlace(grad)}};
    });
  });
}

absl::StatusOr<bool> Solver::AnyCounted(const char* kernel) {
  bool any = false;
  const absl::Status status = ForEachTouched([&](Entry& entry, ExecutionContext& execution) {
    entry.norm_squared.Zero();
    HALITE_RETURN_IF_ERROR(entry.Run(kernel, context_, execution, [&] {
      return std::vector<KernelArgument>{{"x", Entry::Flat(entry.parameter.grad())},
                                         {"y", Operand(&entry.norm_squared)}};
    }));
    HALITE_ASSIGN_OR_RETURN(const auto count, entry.norm_squared.ToVector<double>());
    any = any || count[0] > 0;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return any;
}

absl::StatusOr<bool> Solver::CheckInfGrad() { return AnyCounted("count_inf"); }
absl::StatusOr<bool> Solver::CheckNanGrad() { return AnyCounted("count_nan"); }
absl::StatusOr<bool> Solver::CheckInfOrNanGrad() {
  HALITE_ASSIGN_OR_RETURN(const bool any_inf, CheckInfGrad());
  if (any_inf) return true;
  return CheckNanGrad();
}

SolverState Solver::state() const {
  SolverState state;
  state.solver = name_;
  state.learning_rate = learning_rate_;
  for (const auto& entry : entries_) {
    ParameterState& own = state.parameters[entry->name];
    own.t = entry->t;
    for (size_t i = 0; i < state_names_.size(); ++i) {
      own.arrays.emplace(state_names_[i], entry->states[i]);
    }
  }
  return state;
}

absl::Status Solver::SetState(const SolverState& state) {
  if (!state.solver.empty() && state.solver != name_) {
    return absl::InvalidArgumentError(absl::StrCat(name_, ": state of solver ", state.solver,
                                                   ": a state of its own kind needed"));
  }
  for (const auto& [name, own] : state.parameters) {
    const Entry* entry = Find(name);
    if (entry == nullptr) {
      return absl::NotFoundError(
          absl::StrCat(name_, ": state of parameter ", name, ": a parameter of that name needed"));
    }
    for (const std::string& state_name : state_names_) {
      const auto found = own.arrays.find(state_name);
      if (found == own.arrays.end() || found->second.shape() != entry->parameter.shape()) {
        return absl::InvalidArgumentError(
            absl::StrCat(name_, ": parameter ", name, ": state ", state_name, " of shape ",
                         ToString(entry->parameter.shape()), " needed"));
      }
    }
  }
  for (const auto& [name, own] : state.parameters) {
    Entry& entry = *Find(name);
    entry.t = own.t;
    for (size_t i = 0; i < state_names_.size(); ++i) {
      HALITE_RETURN_IF_ERROR(entry.states[i].CopyFrom(own.arrays.at(state_names_[i])));
    }
  }
  if (state.learning_rate != 0) learning_rate_ = state.learning_rate;
  return absl::OkStatus();
}

}  // namespace halite
