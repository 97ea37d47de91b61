// SPDX-License-Identifier: Apache-2.0
//
// Device: where arrays live and kernels run. The CPU, an NVIDIA GPU through the CUDA driver (loaded
// at run time), or an OpenCL device, which exists so that tests can execute the GPU schedules on
// machines without a GPU.
#ifndef HALITE_CORE_DEVICE_H_
#define HALITE_CORE_DEVICE_H_

#include <cstdint>
#include <string>

#include "HalideRuntime.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halite {

enum class Device : uint8_t { kCpu, kCuda, kOpencl };

// "cpu", "cuda", "opencl": as in kernel names and in --context.
absl::string_view Name(Device device);

// The device called `name`.
absl::StatusOr<Device> DeviceByName(absl::string_view name);

// OK if kernels can run there; else what is missing (no driver, no device). The first call for a
// GPU loads its driver; the answer is remembered. Thread-safe.
absl::Status CheckAvailable(Device device);

// Halide's interface to a GPU, null for the CPU.
const halide_device_interface_t* HalideInterface(Device device);

}  // namespace halite

#endif  // HALITE_CORE_DEVICE_H_
