// SPDX-License-Identifier: Apache-2.0
#include "halite/schedules/tuner/jit_kernel.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "halite/schedules/tuner/autoschedule.h"

namespace halite {
namespace {

using Halide::Internal::ArgInfoDirection;

// Arrays of shapes that are kept at most, beside those in use.
constexpr size_t kKeptBytes = size_t{256} << 20;

// Sums in another order differ by less, a wrong element by more.
constexpr double kTolerance = 1e-4;

[[noreturn]] void Fail(const std::string& text) { throw std::runtime_error(text); }

// The same numbers in each process, in (0, 1). An index array holds zeros.
void FillRandom(Halide::Runtime::Buffer<void>& array, uint32_t seed) {
  if (array.type() != halide_type_of<float>()) {
    std::memset(array.data(), 0, array.size_in_bytes());
    return;
  }
  uint32_t state = seed;
  auto* values = static_cast<float*>(array.data());
  for (size_t i = 0, n = array.number_of_elements(); i < n; ++i) {
    state = state * 1664525u + 1013904223u;
    values[i] = (static_cast<float>(state >> 9) + 0.5f) * 0x1p-23f;
  }
}

std::string DifferenceOfFloats(const float* own, const float* other, size_t n) {
  double scale = 0;
  bool is_finite = n == 0;
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(other[i])) continue;
    is_finite = true;
    scale = std::max(scale, std::abs(double{other[i]}));
  }
  if (!is_finite) return "the default tuning gives no finite number";
  for (size_t i = 0; i < n; ++i) {
    const bool same = std::isnan(other[i]) ? std::isnan(own[i]) : own[i] == other[i];
    if (same || std::abs(double{own[i]} - double{other[i]}) <= kTolerance * scale) continue;
    return absl::StrCat("element ", i, " is ", own[i], ", with the default tuning ", other[i]);
  }
  return "";
}

}  // namespace

JitKernel::JitKernel(const TunedKernel& kernel, const Candidate& candidate,
                     const std::vector<KernelArguments>& shapes)
    : shapes_(shapes), target_(candidate.target) {
  Tuning::Record() = &parameters_;
  generator_ = Halide::Internal::GeneratorRegistry::create(kernel.generator,
                                                           Halide::GeneratorContext(target_));
  generator_->set_generatorparam_value("dtype", "float32");
  generator_->set_generatorparam_value("tuning", candidate.tuning);
  for (const auto& [name, value] : kernel.params) {
    generator_->set_generatorparam_value(name, value);
  }
  pipeline_ = generator_->build_pipeline();
  Tuning::Record() = nullptr;
  std::vector<Tuning::Parameter> once;
  for (const Tuning::Parameter& p : parameters_) {
    if (std::none_of(once.begin(), once.end(), [&](auto& o) { return o.name == p.name; })) {
      once.push_back(p);
    }
  }
  parameters_ = once;
  for (const auto& info : generator_->arginfos()) {
    if (info.dir == ArgInfoDirection::Input) {
      for (const Halide::Parameter& p : generator_->input_parameter(info.name)) {
        const auto kind =
            p.is_buffer() ? Halide::Argument::InputBuffer : Halide::Argument::InputScalar;
        arguments_.push_back(
            {info.name, Halide::Argument(p.name(), kind, p.type(), p.dimensions(), {}), false});
      }
      continue;
    }
    for (const Halide::Func& f : generator_->output_func(info.name)) {
      for (const Halide::Type& type : f.types()) {
        arguments_.push_back(
            {info.name,
             Halide::Argument(f.name(), Halide::Argument::OutputBuffer, type, f.dimensions(), {}),
             true});
      }
    }
  }
  if (!candidate.autoscheduler.empty()) {
    Autoschedule(candidate, shapes_.at(candidate.shape));
  }
}

void JitKernel::Autoschedule(const Candidate& candidate, const KernelArguments& arguments) {
  for (const auto& info : generator_->arginfos()) {
    const auto extents = arguments.arrays.find(info.name);
    const auto scalar = arguments.scalars.find(info.name);
    if (info.dir == ArgInfoDirection::Input) {
      for (Halide::Parameter p : generator_->input_parameter(info.name)) {
        const double value = scalar == arguments.scalars.end() ? 0 : scalar->second;
        if (!p.is_buffer()) p.set_estimate(Halide::Internal::make_const(p.type(), value));
        for (int d = 0; p.is_buffer() && d < p.dimensions(); ++d) {
          p.set_min_constraint_estimate(d, 0);
          p.set_extent_constraint_estimate(d, extents->second.at(d));
        }
      }
      continue;
    }
    for (Halide::Func f : generator_->output_func(info.name)) {
      Halide::Region region;
      for (int extent : extents->second) region.emplace_back(0, extent);
      f.set_estimates(region);
    }
  }
  ApplyAutoscheduler(pipeline_, target_, candidate.autoscheduler, candidate.plugin);
}

void JitKernel::Compile() {
  std::vector<Halide::Argument> inputs;
  for (const Argument& a : arguments_) {
    if (!a.is_output) inputs.push_back(a.halide);
  }
  callable_ = pipeline_.compile_to_callable(inputs, target_);
}

JitKernel::Call JitKernel::MakeCall(const KernelArguments& arguments) const {
  Call call;
  call.arrays.reserve(arguments_.size());
  call.scalars.reserve(arguments_.size());
  call.argv.push_back(&context_pointer_);
  for (const Argument& a : arguments_) {
    if (a.halide.kind == Halide::Argument::InputScalar) {
      const auto found = arguments.scalars.find(a.name);
      const double value = found == arguments.scalars.end() ? 0 : found->second;
      int64_t& storage = call.scalars.emplace_back(0);
      if (a.halide.type.is_float()) {
        const auto number = static_cast<float>(value);
        std::memcpy(&storage, &number, sizeof number);
      } else {
        storage = static_cast<int64_t>(value);
      }
      call.argv.push_back(&storage);
      continue;
    }
    const auto found = arguments.arrays.find(a.name);
    if (found == arguments.arrays.end() ||
        static_cast<int>(found->second.size()) != a.halide.dimensions) {
      Fail(absl::StrCat("no extents for ", a.name, " of rank ", a.halide.dimensions,
                        ": see the Tunable of this kernel"));
    }
    Array& array = call.arrays.emplace_back(a.halide.type, found->second);
    if (!a.is_output) FillRandom(array, static_cast<uint32_t>(call.arrays.size()));
    call.bytes += array.size_in_bytes();
    call.argv.push_back(array.raw_buffer());
  }
  return call;
}

JitKernel::Call& JitKernel::CallFor(size_t shape) {
  const auto found = calls_.find(shape);
  if (found != calls_.end()) return found->second;
  size_t bytes = 0;
  for (const auto& [index, call] : calls_) bytes += call.bytes;
  if (bytes > kKeptBytes) calls_.clear();
  return calls_.emplace(shape, MakeCall(shapes_.at(shape))).first->second;
}

void JitKernel::RunOnce(const Call& call) {
  const int status = callable_.call_argv_fast(call.argv.size(), call.argv.data());
  if (status != 0) Fail(absl::StrCat("the kernel returns ", status));
}

double JitKernel::Run(size_t shape, int runs, int threads) {
  using Clock = std::chrono::steady_clock;
  const Call& call = CallFor(shape);
  Halide::Internal::JITSharedRuntime::set_num_threads(threads);
  RunOnce(call);
  const auto start = Clock::now();
  for (int i = 0; i < runs; ++i) RunOnce(call);
  return std::chrono::duration<double>(Clock::now() - start).count() / runs;
}

std::vector<JitKernel::Array*> JitKernel::Outputs(Call& call) {
  std::vector<Array*> outputs;
  size_t at = 0;
  for (const Argument& a : arguments_) {
    if (a.halide.kind == Halide::Argument::InputScalar) continue;
    Array& array = call.arrays[at++];
    if (!a.is_output) continue;
    std::memset(array.data(), 0xff, array.size_in_bytes());  // NaN or -1
    outputs.push_back(&array);
  }
  return outputs;
}

void JitKernel::Publish(size_t shape, char* memory, size_t size) {
  Call& call = CallFor(shape);
  const std::vector<Array*> outputs = Outputs(call);
  RunOnce(call);
  for (const Array* output : outputs) {
    const size_t bytes = output->size_in_bytes();
    if (bytes > size) Fail("outputs of more than 1 GB: give a smaller shape");
    std::memcpy(memory, output->data(), bytes);
    memory += bytes;
    size -= bytes;
  }
}

std::string JitKernel::Compare(size_t shape, const char* memory) {
  Call& call = CallFor(shape);
  const std::vector<Array*> outputs = Outputs(call);
  RunOnce(call);
  for (const Array* output : outputs) {
    const size_t n = output->number_of_elements();
    if (output->type() == halide_type_of<float>()) {
      const std::string difference = DifferenceOfFloats(static_cast<const float*>(output->data()),
                                                        reinterpret_cast<const float*>(memory), n);
      if (!difference.empty()) return difference;
    } else if (std::memcmp(output->data(), memory, output->size_in_bytes()) != 0) {
      return "integers differ from those with the default tuning";
    }
    memory += output->size_in_bytes();
  }
  return "";
}

}  // namespace halite
