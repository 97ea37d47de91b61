// SPDX-License-Identifier: Apache-2.0
//
// Lowering: how a function says what it runs. FunctionDef::forward and ::backward get a Lowering,
// which offers the function's arrays as operands and its options, and take down kernel calls. The
// result is a Program, which a Plan runs as often as it likes.
//
//   void SoftmaxForward(Lowering& l) {
//     const auto rows = {inner, axis, outer};
//     l.Call("softmax", {{"x", l.x().View(rows)}, {"y", l.y().View(rows)}});
//   }
//   void SoftmaxBackward(Lowering& l) {
//     l.Call("softmax_grad", {{"y", ...}, {"dy", ...}, {"dx", l.dx().View(rows)}});
//   }
//
// Whether dx is overwritten or added to is the engine's business; a gradient kernel has a flag
// accumulate_dx for it. Empty arrays never reach a kernel: a call whose output is empty is left
// out, one whose input is empty writes `empty_value`.
#ifndef HALITE_CORE_LOWERING_H_
#define HALITE_CORE_LOWERING_H_

#include <algorithm>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "halite/core/graph.h"
#include "halite/core/kernel_call.h"

namespace halite {

// The calls of one function, in order.
class Program {
 public:
  Program() = default;
  Program(Program&&) = default;
  Program& operator=(Program&&) = default;

  absl::Status Run(ExecutionContext& context);

  // Which data the calls read.
  bool reads_input(int i) const { return (reads_inputs_ & Bit(i)) != 0; }
  bool reads_output(int i) const { return (reads_outputs_ & Bit(i)) != 0; }

 private:
  friend class Lowering;

  using Action = std::function<absl::Status(ExecutionContext&)>;
  struct Instruction {
    std::unique_ptr<KernelCall> call;
    Action action;  // if there is no call
  };
  // Whether Backward adds to the gradient of an input: `planned`, unless nothing is there yet. The
  // second time that one variable is an input, the first has been written.
  struct Accumulation {
    NdArray* grad;
    bool planned;
    bool is_repeated;
    bool effective;
  };

  // The inputs (and the outputs) from 63 on share a bit.
  static uint64_t Bit(int i) { return uint64_t{1} << std::min(i, 63); }

  std::vector<Instruction> instructions_;
  std::deque<Accumulation> accumulations_;  // addresses stay valid
  std::deque<NdArray> scratch_;
  uint64_t reads_inputs_ = 0;
  uint64_t reads_outputs_ = 0;
};

class Lowering {
 public:
  // `in_place`: output 0 takes over the memory of input 0, which nobody needs afterwards.
  static absl::StatusOr<Program> Forward(internal::FunctionNode& node, bool in_place = false);

  struct GradientInput {
    bool wanted = false;
    bool accumulate = false;
  };
  // `output_grads`: the arrays to read dy from, usually the outputs' own gradients. `in_place`: the
  // gradient of input 0 takes over the memory of that of output 0, which nobody needs afterwards.
  static absl::StatusOr<Program> Backward(internal::FunctionNode& node,
                                          const std::vector<GradientInput>& inputs,
                                          const std::vector<NdArray*>& output_grads,
                                          bool in_place = false);

  const FunctionDef& def() const { return node_.def; }
  template <typename T>
  const T& options() const {
    return *static_cast<const T*>(node_.options.get());
  }
  OptionValue option(const std::string& name) const {
    return def().options.Get(node_.options.get(), name);
  }
  int num_inputs() const { return static_cast<int>(node_.inputs.size()); }
  int num_outputs() const { return static_cast<int>(node_.outputs.size()); }
  bool given(int i) const { return i < num_inputs() && node_.inputs[i] != nullptr; }
  const Shape& x_shape(int i = 0) const { return node_.inputs[i]->arrays->data.shape(); }
  const Shape& y_shape(int i = 0) const { return node_.outputs[i]->data.shape(); }

  // Inputs, outputs and their gradients as dense operands.
  Operand x(int i = 0);
  Operand y(int i = 0);
  Operand dy(int i = 0);
  // REQUIRES: wants(i).
  Operand dx(int i = 0);
  // Whether Backward asks for the gradient of input i.
  bool wants(int i) const { return given(i) && gradients_[i].wanted; }
  // Whether each Backward overwrites the gradient of input i, and no other input is the same array:
  // dx(i) may then hold something else in between.
  bool owns(int i) const { return wants(i) && owns_[i]; }

  // Whether output 0 (in Backward the gradient of input 0) stands where input 0 (the gradient of
  // output 0) stood.
  bool in_place() const { return in_place_; }

  // An array that lives from Forward to Backward (and on). The index is the function's own choice.
  Operand State(int index, const Shape& shape, DType dtype);
  // An array that lives during this program alone.
  Operand Scratch(const Shape& shape, DType dtype);
  Operand Scratch(const Shape& shape) { return Scratch(shape, dtype()); }

  // The dtype that names this function's kernels: that of its first data input, else of output 0.
  DType dtype() const;

  // Whether this function's context has a kernel of that name: some exist for a CPU alone.
  bool Offers(const std::string& name) const { return Find(name) != nullptr; }
  // Takes down a call of <name>_<dtype>_<backend>. `empty_value` is what the output gets if an
  // input is empty.
  void Call(const std::string& name, std::vector<KernelArgument> arguments, double empty_value = 0);
  // Output `operand` := value everywhere, unless it accumulates. REQUIRES: a view of all of it.
  void Fill(const Operand& operand, double value);
  // The alias output 0 of input 0.
  void Alias();
  // Random numbers: each Forward takes `count` fresh ones before its kernels run; bind the
  // addresses as scalars seed_low, seed_high, offset_low, offset_high.
  void DrawRandomNumbers(int64_t count, int64_t seed);
  std::vector<KernelArgument> RandomArguments() const;

 private:
  Lowering(internal::FunctionNode& node, bool is_backward)
      : node_(node), is_backward_(is_backward) {}

  // The kernel of the first of the context's back ends that has one, or null.
  const Kernel* Find(const std::string& name) const;
  void NoteReads(const Operand& operand);
  void TakeOver(NdArray* from, NdArray* to);

  internal::FunctionNode& node_;
  const bool is_backward_;
  bool in_place_ = false;
  std::vector<GradientInput> gradients_;
  std::vector<NdArray*> output_grads_;   // where dy stands
  std::vector<const bool*> accumulate_;  // by input
  std::vector<bool> owns_;               // by input
  Program program_;
  absl::Status status_;
};

}  // namespace halite

#endif  // HALITE_CORE_LOWERING_H_
