// SPDX-License-Identifier: Apache-2.0
//
// OpGenerator: what every kernel generator shares, written once. A generator declares the kernel's
// C signature (buffers, scalars, outputs), constrains the buffers, builds the algorithm struct and
// calls Schedule(op), which picks ScheduleCpu or ScheduleGpu (found beside the struct by ADL).
#ifndef HALITE_SCHEDULES_OP_GENERATOR_H_
#define HALITE_SCHEDULES_OP_GENERATOR_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "Halide.h"
#include "halite/schedules/tuning.h"

namespace halite {

// Any extent from 1 up is legal in a kernel, so every split guards its tail.
constexpr Halide::TailStrategy kGuard = Halide::TailStrategy::GuardWithIf;

// What kernels.bzl and the table of tunings call the instruction set of a CPU target.
inline std::string InstructionSetName(const Halide::Target& target) {
  if (target.has_feature(Halide::Target::AVX512_Zen4)) return "zen4";
  if (target.has_feature(Halide::Target::AVX512_Skylake)) return "avx512";
  return target.has_feature(Halide::Target::AVX2) ? "avx2" : "sse41";
}

// Scalars of a kernel, one for each of the first axes: name_x, name_y, name_z.
template <int kAxes = 3>
class PerAxis {
 public:
  explicit PerAxis(const std::string& name)
      : PerAxis(std::make_integer_sequence<int, kAxes>(), name) {}
  // At least `least`, which is the default, and at most `most`.
  PerAxis(const std::string& name, int32_t least, int32_t most)
      : PerAxis(std::make_integer_sequence<int, kAxes>(), name, least, least, most) {}

  Halide::Expr operator[](int axis) const { return scalars_[axis]; }

 private:
  template <int... axes, typename... Limits>
  PerAxis(std::integer_sequence<int, axes...>, const std::string& name, const Limits&... limits)
      : scalars_{Halide::GeneratorInput<int32_t>(name + "_" + "xyz"[axes], limits...)...} {}

  std::array<Halide::GeneratorInput<int32_t>, kAxes> scalars_;
};

template <typename Derived>
class OpGenerator : public Halide::Generator<Derived> {
 public:
  // Type of the data; every buffer that is not an index has it.
  Halide::GeneratorParam<Halide::Type> dtype{"dtype", Halide::Float(32)};
  // The table's numbers for the schedule, for all instruction sets: see Tuning.
  Halide::GeneratorParam<std::string> tuning{"tuning", ""};

 protected:
  using Expr = Halide::Expr;
  using Func = Halide::Func;
  template <typename T>
  using Input = Halide::GeneratorInput<T>;
  template <typename T>
  using Output = Halide::GeneratorOutput<T>;
  using Buffer = Halide::Buffer<>;

  template <typename Op>
  void Schedule(Op& op) {
    const Halide::Target target = this->get_target();
    if (target.has_gpu_feature()) {
      ScheduleGpu(op, target, Numbers());
    } else {
      ScheduleCpu(op, target, Numbers());
    }
  }

  // The schedule's numbers for this target.
  Tuning Numbers() const { return Tuning(tuning.value(), InstructionSetName(this->get_target())); }

  // Buffers of the data.
  template <typename... BufferArguments>
  void SetType(BufferArguments&... buffers) {
    (buffers.set_type(dtype), ...);
  }

  // Every dimension of `buffer` starts at 0. The innermost has any stride if `any_stride`.
  template <typename BufferArgument>
  static void ZeroMin(BufferArgument& buffer, int rank, bool any_stride = false) {
    for (int d = 0; d < rank; ++d) buffer.dim(d).set_min(0);
    if (any_stride) buffer.dim(0).set_stride(Expr());
  }
};

}  // namespace halite

#endif  // HALITE_SCHEDULES_OP_GENERATOR_H_
