// SPDX-License-Identifier: Apache-2.0
//
// JitKernel: a kernel compiled with Halide's JIT from the generator that the build compiles, with
// arguments for lists of shapes. Errors are exceptions, Halide's and std::runtime_error.
#ifndef HALITE_SCHEDULES_TUNER_JIT_KERNEL_H_
#define HALITE_SCHEDULES_TUNER_JIT_KERNEL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "Halide.h"
#include "halite/schedules/tuner/tunable.h"
#include "halite/schedules/tuning.h"

namespace halite {

// How a kernel is compiled.
struct Candidate {
  std::string target;              // Halide's
  std::string tuning = "";         // entry of one instruction set, see Tuning; empty: the defaults
  std::string autoscheduler = "";  // replaces the schedule, if not empty
  std::string plugin = "";         // its library
  size_t shape = 0;                // for which it schedules
};

class JitKernel {
 public:
  // Builds the pipeline. `shapes` must outlive the object.
  JitKernel(const TunedKernel& kernel, const Candidate& candidate,
            const std::vector<KernelArguments>& shapes);

  // What the schedule asked for, each name once.
  const std::vector<Tuning::Parameter>& parameters() const { return parameters_; }

  void Compile();
  // Mean seconds of a call with the arguments of shapes[shape], after one that is not timed.
  double Run(size_t shape, int runs, int threads);
  // Runs once and stores the outputs in `memory` of `size` bytes.
  void Publish(size_t shape, char* memory, size_t size);
  // Runs once and compares the outputs with those stored. Returns the first difference, or "".
  std::string Compare(size_t shape, const char* memory);

 private:
  using Array = Halide::Runtime::Buffer<void>;

  struct Argument {
    std::string name;  // of the generator's argument
    Halide::Argument halide;
    bool is_output;
  };
  struct Call {
    std::vector<Array> arrays;
    std::vector<int64_t> scalars;  // storage for values of at most 8 bytes
    std::vector<const void*> argv;
    size_t bytes = 0;
  };

  void Autoschedule(const Candidate& candidate, const KernelArguments& arguments);
  Call& CallFor(size_t shape);
  Call MakeCall(const KernelArguments& arguments) const;
  void RunOnce(const Call& call);
  // The outputs of `call`, which are set to what no kernel writes.
  std::vector<Array*> Outputs(Call& call);

  const std::vector<KernelArguments>& shapes_;
  Halide::Internal::AbstractGeneratorPtr generator_;
  Halide::Target target_;
  Halide::Pipeline pipeline_;
  std::vector<Tuning::Parameter> parameters_;
  std::vector<Argument> arguments_;
  Halide::Callable callable_;
  Halide::JITUserContext context_;
  Halide::JITUserContext* const context_pointer_ = &context_;
  std::map<size_t, Call> calls_;  // prepared so far, within limits
};

}  // namespace halite

#endif  // HALITE_SCHEDULES_TUNER_JIT_KERNEL_H_
