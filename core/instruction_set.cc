// SPDX-License-Identifier: Apache-2.0
//
// Halide 21's own test of the CPU does not know avx512_zen4 (a CPU without bfloat16 would be sent
// to code that needs it) and does not ask whether the operating system has enabled the AVX state.
// __builtin_cpu_supports does. A kernel remembers the first answer it gets, so this is installed
// before main().
#include "halite/core/instruction_set.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "HalideRuntime.h"

namespace halite {
namespace {

InstructionSet Detect() {
  __builtin_cpu_init();
  if (!(__builtin_cpu_supports("avx") && __builtin_cpu_supports("avx2") &&
        __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"))) {
    return InstructionSet::kSse41;
  }
  if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq"))) {
    return InstructionSet::kAvx2;
  }
  if (!(__builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vnni") &&
        __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("avx512vpopcntdq") &&
        __builtin_cpu_supports("avx512bf16"))) {
    return InstructionSet::kAvx512;
  }
  return InstructionSet::kZen4;
}

struct Requirement {
  int feature;             // a halide_target_feature_t
  InstructionSet minimum;  // the lowest set that has it
};

constexpr Requirement kRequirements[] = {
    {halide_target_feature_sse41, InstructionSet::kSse41},
    {halide_target_feature_avx, InstructionSet::kAvx2},
    {halide_target_feature_avx2, InstructionSet::kAvx2},
    {halide_target_feature_fma, InstructionSet::kAvx2},
    {halide_target_feature_f16c, InstructionSet::kAvx2},
    {halide_target_feature_avx512, InstructionSet::kAvx512},
    {halide_target_feature_avx512_skylake, InstructionSet::kAvx512},
    {halide_target_feature_avx512_cannonlake, InstructionSet::kZen4},
    {halide_target_feature_avx512_zen4, InstructionSet::kZen4},
};

// Kernels for these are not built, so they are never chosen.
constexpr int kNeverChosen[] = {
    halide_target_feature_avx512_knl,
    halide_target_feature_avx512_zen5,
    halide_target_feature_avx512_sapphirerapids,
    halide_target_feature_avxvnni,
};

bool Asked(int words, const uint64_t* features, int feature) {
  return feature / 64 < words && (features[feature / 64] >> (feature % 64) & 1) != 0;
}

// Halide's question: may code that needs these features run? Others (no_runtime, cuda, ...) are no
// matter of the CPU.
int CanUse(int words, const uint64_t* features) {
  const InstructionSet current = CurrentInstructionSet();
  for (const Requirement& requirement : kRequirements) {
    if (Asked(words, features, requirement.feature) && current < requirement.minimum) return 0;
  }
  for (int feature : kNeverChosen) {
    if (Asked(words, features, feature)) return 0;
  }
  return 1;
}

[[maybe_unused]] const auto g_previous = halide_set_custom_can_use_target_features(CanUse);

}  // namespace

absl::string_view Name(InstructionSet set) {
  switch (set) {
    case InstructionSet::kSse41:
      return "sse41";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kZen4:
      return "zen4";
  }
  return "?";
}

InstructionSet AvailableInstructionSet() {
  static const InstructionSet available = Detect();
  return available;
}

InstructionSet CurrentInstructionSet() {
  static const InstructionSet current = [] {
    const char* asked = std::getenv("HALITE_ISA");
    for (InstructionSet set : {InstructionSet::kSse41, InstructionSet::kAvx2,
                               InstructionSet::kAvx512, InstructionSet::kZen4}) {
      if (asked != nullptr && Name(set) == asked) return std::min(set, AvailableInstructionSet());
    }
    return AvailableInstructionSet();
  }();
  return current;
}

}  // namespace halite
