// SPDX-License-Identifier: Apache-2.0
//
// Which of the CPU instruction sets that kernels are built for this process uses. The environment
// variable HALITE_ISA (sse41, avx2, avx512, zen4) lowers the choice; it is read once, when the
// choice is first asked for, at the latest by the first kernel.
#ifndef HALITE_CORE_INSTRUCTION_SET_H_
#define HALITE_CORE_INSTRUCTION_SET_H_

#include "absl/strings/string_view.h"

namespace halite {

enum class InstructionSet { kSse41, kAvx2, kAvx512, kZen4 };

// "sse41", "avx2", "avx512" (Skylake's), "zen4" (with bfloat16).
absl::string_view Name(InstructionSet set);

// The best set that this CPU and its operating system support.
InstructionSet AvailableInstructionSet();

// The set in use: the available one, or a lower one that HALITE_ISA names.
InstructionSet CurrentInstructionSet();

}  // namespace halite

#endif  // HALITE_CORE_INSTRUCTION_SET_H_
