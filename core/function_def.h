// SPDX-License-Identifier: Apache-2.0
//
// FunctionDef: all that is to say about a function once: its names, inputs, options with their
// defaults, shape rule, and how it runs as kernel calls (see lowering.h). The typed functions of
// ops/ are thin calls on it; readers of files find it by name in a FunctionRegistry.
#ifndef HALITE_CORE_FUNCTION_DEF_H_
#define HALITE_CORE_FUNCTION_DEF_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "halite/core/dtype.h"
#include "halite/core/shape.h"

namespace halite {

class Inference;
class Lowering;

enum class InputKind : uint8_t {
  kData,   // floating point; all data inputs have one dtype
  kIndex,  // int32 labels or indices, without a gradient
  kState,  // floating point that Forward also writes (running statistics), without a gradient
};

struct InputDef {
  std::string name;
  InputKind kind = InputKind::kData;
  bool optional = false;       // an empty Variable may be given; optional inputs come last
  bool differentiable = true;  // kData alone: asking for the gradient of others is an error
};

// The value of an option, for callers that know functions by name only.
using OptionValue = std::variant<bool, int64_t, double, std::vector<int64_t>, std::string>;

std::string DebugString(const OptionValue& value);

// The options struct of one function, type-erased: its fields by name, and its defaults.
class OptionsDef {
 public:
  // No options.
  OptionsDef() = default;

  // The options of struct T, which is default-constructed with the defaults.
  template <typename T>
  static OptionsDef Of() {
    OptionsDef def;
    def.make_ = [] { return std::shared_ptr<void>(std::make_shared<T>()); };
    def.copy_ = [](const void* from) {
      return std::shared_ptr<void>(std::make_shared<T>(*static_cast<const T*>(from)));
    };
    return def;
  }

  // Adds the field `member`, known as `name`.
  template <typename T, typename Field>
  OptionsDef With(std::string name, Field T::*member) && {
    fields_.push_back(
        {std::move(name),
         [member](const void* options) { return Get(static_cast<const T*>(options)->*member); },
         [member](void* options, const OptionValue& value) {
           return Set(value, static_cast<T*>(options)->*member);
         }});
    return std::move(*this);
  }

  std::vector<std::string> names() const;
  // A fresh struct with the defaults; null if the function has no options.
  std::shared_ptr<void> MakeDefaults() const { return make_ ? make_() : nullptr; }
  std::shared_ptr<void> Copy(const void* options) const { return copy_ ? copy_(options) : nullptr; }
  // REQUIRES: `options` is the function's own struct.
  OptionValue Get(const void* options, absl::string_view name) const;
  // Errors: no such option, or a value of another type.
  absl::Status Set(void* options, absl::string_view name, const OptionValue& value) const;

 private:
  struct Field {
    std::string name;
    std::function<OptionValue(const void*)> get;
    std::function<bool(void*, const OptionValue&)> set;
  };

  static OptionValue Get(bool value) { return value; }
  static OptionValue Get(int value) { return int64_t{value}; }
  static OptionValue Get(int64_t value) { return value; }
  static OptionValue Get(double value) { return value; }
  static OptionValue Get(const std::vector<int64_t>& value) { return value; }
  static OptionValue Get(const Shape& value) {
    return std::vector<int64_t>(value.begin(), value.end());
  }
  static OptionValue Get(const std::string& value) { return value; }
  static bool Set(const OptionValue& value, bool& field);
  static bool Set(const OptionValue& value, int& field);
  static bool Set(const OptionValue& value, int64_t& field);
  static bool Set(const OptionValue& value, double& field);
  static bool Set(const OptionValue& value, std::vector<int64_t>& field);
  static bool Set(const OptionValue& value, Shape& field);
  static bool Set(const OptionValue& value, std::string& field);

  std::vector<Field> fields_;
  std::shared_ptr<void> (*make_)() = nullptr;
  std::shared_ptr<void> (*copy_)(const void*) = nullptr;
};

enum class Gradient : uint8_t {
  kDefined,  // `backward` computes it
  kZero,     // the function is constant almost everywhere: its inputs get zero
  kNone,     // asking for one is an error
};

struct FunctionDef {
  std::string name;         // "softmax": the registry's and the kernels' name
  std::string nnabla_name;  // "Softmax", as in NNP files; empty if nnabla has no such function
  std::string onnx_name;    // "Softmax", empty if ONNX has no single operator for it
  std::vector<InputDef> inputs;
  bool variadic = false;  // any number (at least 1) of inputs like inputs[0]
  OptionsDef options;

  // Shapes and dtypes of the outputs.
  absl::Status (*infer)(Inference&) = nullptr;
  // The kernel calls of Forward and of Backward.
  void (*forward)(Lowering&) = nullptr;
  void (*backward)(Lowering&) = nullptr;
  Gradient gradient = Gradient::kDefined;

  // Kernels (without dtype and back end) that forward and backward may call.
  std::vector<std::string> kernels;
  std::vector<std::string> gradient_kernels;

  // The output may share the memory of input 0 (reshape): Forward moves nothing. In Backward the
  // gradient of the only input may take over that of the output.
  bool aliases_input = false;
  // Output 0 may be written over the memory of input 0 once nobody else needs that: each element of
  // the output depends on the element of the input at the same place, and on no other. So does the
  // gradient of a function of one input, which may be written over that of the output.
  bool in_place = false;
  // Each Forward draws random numbers.
  bool draws_random_numbers = false;
};

// What a shape rule sees: the inputs and options; what it gives: outputs or an error.
class Inference {
 public:
  struct Output {
    Shape shape;
    DType dtype;
  };
  struct Input {
    bool given = true;
    Shape shape;
    DType dtype = DType::kFloat32;
  };

  Inference(const FunctionDef& def, std::vector<Input> inputs, const void* options);

  const FunctionDef& def() const { return def_; }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  bool given(int i) const { return i < num_inputs() && inputs_[i].given; }
  const Shape& shape(int i = 0) const { return inputs_[i].shape; }
  int rank(int i = 0) const { return static_cast<int>(inputs_[i].shape.size()); }
  DType dtype(int i = 0) const { return inputs_[i].dtype; }
  template <typename T>
  const T& options() const {
    return *static_cast<const T*>(options_);
  }

  void AddOutput(const Shape& shape, DType dtype) { outputs_.push_back({shape, dtype}); }
  // With the dtype of input 0.
  void AddOutput(const Shape& shape) { AddOutput(shape, dtype(0)); }

  // INVALID_ARGUMENT "name: given: needed needed".
  absl::Status Error(absl::string_view given, absl::string_view needed) const;
  // The same, with the inputs' names and shapes as what was given.
  absl::Status ShapeError(absl::string_view needed) const;
  // An axis that the first input does not have.
  absl::Status AxisError(int64_t axis) const;

  // Checks the number and dtypes of the inputs, then runs the shape rule.
  absl::StatusOr<std::vector<Output>> Run();

 private:
  const FunctionDef& def_;
  std::vector<Input> inputs_;
  const void* options_;
  std::vector<Output> outputs_;
};

// Functions by name. A value: programs build their own from those they link, or take
// AllFunctions() of //ops:registry.
class FunctionRegistry {
 public:
  FunctionRegistry() = default;
  explicit FunctionRegistry(std::vector<const FunctionDef*> functions);

  // NOT_FOUND, naming the target to add, if it is not there.
  absl::StatusOr<const FunctionDef*> Find(absl::string_view name) const;
  absl::StatusOr<const FunctionDef*> FindByNnablaName(absl::string_view name) const;
  const std::vector<const FunctionDef*>& functions() const { return functions_; }

 private:
  std::vector<const FunctionDef*> functions_;
};

}  // namespace halite

#endif  // HALITE_CORE_FUNCTION_DEF_H_
