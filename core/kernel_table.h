// SPDX-License-Identifier: Apache-2.0
//
// The kernel table: every kernel that is linked into the program, by name. Halide emits for each
// kernel a source that registers it before main(), so run-time code never names a kernel symbol.
// A kernel is called <op>_<dtype>_<backend>, e.g. "softmax_f32_cpu".
#ifndef HALITE_CORE_KERNEL_TABLE_H_
#define HALITE_CORE_KERNEL_TABLE_H_

#include <string>
#include <vector>

#include "HalideRuntime.h"
#include "absl/strings/string_view.h"

namespace halite {

struct Kernel {
  // Argument i is args[i]: the address of a scalar, or a halide_buffer_t*. Argument 0 is the
  // address of the ExecutionContext's address.
  int (*argv)(void** args) = nullptr;
  const halide_filter_metadata_t* metadata = nullptr;
};

// The kernel called `name`, or null if it is not linked. Thread-safe after main() has begun.
const Kernel* FindKernel(absl::string_view name);

// Names of all linked kernels, sorted.
std::vector<std::string> KernelNames();

}  // namespace halite

#endif  // HALITE_CORE_KERNEL_TABLE_H_
