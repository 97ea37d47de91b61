// SPDX-License-Identifier: Apache-2.0
#include "halite/core/lowering.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "halite/core/random.h"
#include "halite/core/status.h"

namespace halite {

using internal::FunctionNode;

absl::Status Program::Run(ExecutionContext& context) {
  for (Accumulation& accumulation : accumulations_) {
    const Storage& storage = accumulation.grad->storage();
    accumulation.effective = accumulation.is_repeated ||
                             (accumulation.planned && storage.has_value() && !storage.zeroing());
  }
  for (Instruction& instruction : instructions_) {
    HALITE_RETURN_IF_ERROR(instruction.call != nullptr ? instruction.call->Run(context)
                                                       : instruction.action(context));
  }
  for (NdArray& array : scratch_) array.Clear();
  return absl::OkStatus();
}

absl::StatusOr<Program> Lowering::Forward(FunctionNode& node, bool in_place) {
  Lowering lowering(node, /*is_backward=*/false);
  lowering.in_place_ = in_place;
  if (in_place) lowering.TakeOver(&node.inputs[0]->arrays->data, &node.outputs[0]->data);
  const bool empty = std::all_of(node.outputs.begin(), node.outputs.end(),
                                 [](const auto& output) { return output->data.size() == 0; });
  if (!empty) node.def.forward(lowering);
  HALITE_RETURN_IF_ERROR(lowering.status_);
  return std::move(lowering.program_);
}

absl::StatusOr<Program> Lowering::Backward(FunctionNode& node,
                                           const std::vector<GradientInput>& inputs,
                                           const std::vector<NdArray*>& output_grads,
                                           bool in_place) {
  Lowering lowering(node, /*is_backward=*/true);
  lowering.in_place_ = in_place;
  lowering.gradients_ = inputs;
  lowering.output_grads_ = output_grads;
  if (node.def.gradient == Gradient::kNone) {
    return absl::UnimplementedError(
        absl::StrCat(node.def.name,
                     ": a gradient was asked for, it has none: inputs with "
                     "need_grad = false (or Unlinked) needed"));
  }
  bool empty = node.def.gradient == Gradient::kZero;
  for (const auto& output : node.outputs) empty = empty || output->data.size() == 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    lowering.accumulate_.push_back(nullptr);
    lowering.owns_.push_back(false);
    if (!inputs[i].wanted) continue;
    const InputDef& input = node.def.inputs[std::min(i, node.def.inputs.size() - 1)];
    if (input.kind != InputKind::kData || !input.differentiable) {
      return absl::UnimplementedError(
          absl::StrCat(node.def.name, ": a gradient of ", input.name,
                       " was asked for, it has none: need_grad = false needed there"));
    }
    NdArray* grad = &node.inputs[i]->arrays->grad;
    auto& accumulations = lowering.program_.accumulations_;
    const bool is_repeated = std::any_of(accumulations.begin(), accumulations.end(),
                                         [&](const auto& other) { return other.grad == grad; });
    accumulations.push_back({grad, inputs[i].accumulate, is_repeated, false});
    lowering.accumulate_.back() = &accumulations.back().effective;
    lowering.owns_.back() = !inputs[i].accumulate && !is_repeated;
    if (empty) lowering.Fill(lowering.dx(static_cast<int>(i)), 0);
  }
  if (in_place) lowering.TakeOver(output_grads[0], &node.inputs[0]->arrays->grad);
  if (!empty) node.def.backward(lowering);
  HALITE_RETURN_IF_ERROR(lowering.status_);
  return std::move(lowering.program_);
}

DType Lowering::dtype() const {
  for (size_t i = 0; i < node_.inputs.size(); ++i) {
    const InputDef& input = node_.def.inputs[std::min(i, node_.def.inputs.size() - 1)];
    if (node_.inputs[i] != nullptr && input.kind != InputKind::kIndex) {
      return node_.inputs[i]->arrays->data.dtype();
    }
  }
  return node_.outputs[0]->data.dtype();
}

Operand Lowering::x(int i) {
  if (in_place_ && !is_backward_ && node_.inputs[i] == node_.inputs[0]) return y();
  Operand operand(&node_.inputs[i]->arrays->data);
  operand.must_not_be_cleared_ = is_backward_;
  return operand;
}

Operand Lowering::y(int i) {
  Operand operand(&node_.outputs[i]->data);
  operand.must_not_be_cleared_ = is_backward_;
  return operand;
}

Operand Lowering::dy(int i) {
  return Operand(in_place_ ? &node_.inputs[0]->arrays->grad : output_grads_[i]);
}

Operand Lowering::dx(int i) {
  HALITE_CHECK(wants(i), absl::StrCat(def().name, ": gradient ", i, " is not wanted"));
  Operand operand(&node_.inputs[i]->arrays->grad);
  operand.accumulate_at_run_ = accumulate_[i];
  return operand;
}

Operand Lowering::State(int index, const Shape& shape, DType dtype) {
  // One node's states are few; their addresses must stay.
  node_.states.reserve(8);
  HALITE_CHECK(index < 8, "at most 8 states");
  while (static_cast<int>(node_.states.size()) <= index) node_.states.emplace_back();
  NdArray& state = node_.states[index];
  if (state.shape() != shape || state.dtype() != dtype) state = NdArray(shape, dtype);
  return Operand(&state);
}

Operand Lowering::Scratch(const Shape& shape, DType dtype) {
  return Operand(&program_.scratch_.emplace_back(shape, dtype));
}

// Where one of the two is part of other memory, the elements alone go over.
void Lowering::TakeOver(NdArray* from, NdArray* to) {
  program_.instructions_.push_back({nullptr, [from, to](ExecutionContext&) {
                                      if (!from->IsWholeStorage() || !to->IsWholeStorage()) {
                                        return to->CopyFrom(*from);
                                      }
                                      to->SwapMemory(*from);
                                      return absl::OkStatus();
                                    }});
}

void Lowering::NoteReads(const Operand& operand) {
  for (size_t i = 0; i < node_.inputs.size(); ++i) {
    if (node_.inputs[i] != nullptr && operand.array() == &node_.inputs[i]->arrays->data) {
      program_.reads_inputs_ |= Program::Bit(static_cast<int>(i));
    }
  }
  for (size_t o = 0; o < node_.outputs.size(); ++o) {
    if (operand.array() == &node_.outputs[o]->data) {
      program_.reads_outputs_ |= Program::Bit(static_cast<int>(o));
    }
  }
}

const Kernel* Lowering::Find(const std::string& name) const {
  for (const std::string& backend : node_.context.backends) {
    const Kernel* kernel = FindKernel(absl::StrCat(name, "_", Name(dtype()), "_", backend));
    if (kernel != nullptr) return kernel;
  }
  return nullptr;
}

void Lowering::Call(const std::string& name, std::vector<KernelArgument> arguments,
                    double empty_value) {
  if (!status_.ok()) return;
  const Kernel* kernel = Find(name);
  if (kernel == nullptr) {
    status_ = absl::UnimplementedError(
        absl::StrCat(def().name, ": kernel ", name, "_", Name(dtype()), "_",
                     node_.context.backends.back(), " is not linked: the target //ops:", def().name,
                     is_backward_ ? " without --//core:inference_only" : "", " needed"));
    return;
  }
  absl::StatusOr<std::unique_ptr<KernelCall>> call = KernelCall::Make(*kernel, arguments);
  if (!call.ok()) {
    status_ = call.status();
    return;
  }
  const auto is_empty = [](const NdArray* array) { return array->size() == 0; };
  const auto reads = (*call)->reads();
  const auto writes = (*call)->writes();
  if (std::any_of(reads.begin(), reads.end(), is_empty)) {
    for (const KernelArgument& argument : arguments) {
      if (argument.operand.has_value() &&
          std::find(writes.begin(), writes.end(), argument.operand->array()) != writes.end()) {
        Fill(*argument.operand, empty_value);
      }
    }
    return;
  }
  if (std::any_of(writes.begin(), writes.end(), is_empty)) return;
  for (const KernelArgument& argument : arguments) {
    if (argument.operand.has_value() &&
        std::find(reads.begin(), reads.end(), argument.operand->array()) != reads.end()) {
      NoteReads(*argument.operand);
    }
  }
  program_.instructions_.push_back({std::move(*call), nullptr});
}

void Lowering::Fill(const Operand& operand, double value) {
  const bool* accumulate = operand.accumulate_at_run_;
  if (operand.accumulate_ && accumulate == nullptr) return;
  program_.instructions_.push_back(
      {nullptr, [array = operand.array(), accumulate, value](ExecutionContext&) {
         if (accumulate == nullptr || !*accumulate) array->Fill(value);
         return absl::OkStatus();
       }});
}

void Lowering::Alias() {
  NdArray* from = &node_.inputs[0]->arrays->data;
  NdArray* to = &node_.outputs[0]->data;
  program_.instructions_.push_back({nullptr, [from, to](ExecutionContext&) {
                                      if (!to->SharesMemoryWith(*from)) to->Alias(*from);
                                      return absl::OkStatus();
                                    }});
}

void Lowering::DrawRandomNumbers(int64_t count, int64_t seed) {
  internal::RandomDraw* draw = &node_.random;
  program_.instructions_.push_back(
      {nullptr, [draw, count, seed,
                 own = RandomGenerator(static_cast<uint64_t>(seed))](ExecutionContext&) mutable {
         const RandomState begin = seed < 0 ? ReserveRandomNumbers(count) : own.Reserve(count);
         draw->seed_low = static_cast<uint32_t>(begin.seed);
         draw->seed_high = static_cast<uint32_t>(begin.seed >> 32);
         draw->offset_low = static_cast<uint32_t>(begin.offset);
         draw->offset_high = static_cast<uint32_t>(begin.offset >> 32);
         return absl::OkStatus();
       }});
}

std::vector<KernelArgument> Lowering::RandomArguments() const {
  const auto address = [](const uint32_t& value) { return static_cast<const void*>(&value); };
  const internal::RandomDraw& draw = node_.random;
  return {{"seed_low", address(draw.seed_low)},
          {"seed_high", address(draw.seed_high)},
          {"offset_low", address(draw.offset_low)},
          {"offset_high", address(draw.offset_high)}};
}

}  // namespace halite
