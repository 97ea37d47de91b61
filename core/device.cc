// SPDX-License-Identifier: Apache-2.0
#include "halite/core/device.h"

#include <dlfcn.h>

#include "HalideRuntimeCuda.h"
#include "HalideRuntimeOpenCL.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "halite/core/execution_context.h"

namespace halite {
namespace {

// Asks for 64 bytes on the device, which loads the driver and makes the context.
absl::Status Probe(Device device) {
  // Halide's runtime asks for "libcuda.so", which only a development package installs.
  if (device == Device::kCuda) dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  ExecutionContext context;
  halide_dimension_t dim(0, 64, 1);
  halide_buffer_t buffer = {};
  buffer.type = halide_type_t(halide_type_uint, 8, 1);
  buffer.dimensions = 1;
  buffer.dim = &dim;
  const auto* interface = HalideInterface(device);
  if (halide_device_malloc(&context, &buffer, interface) != 0) {
    return absl::UnavailableError(absl::StrCat(Name(device), ": no usable device (",
                                               context.error_text(),
                                               "): its driver and a device are needed"));
  }
  halide_device_free(&context, &buffer);
  return absl::OkStatus();
}

}  // namespace

absl::string_view Name(Device device) {
  switch (device) {
    case Device::kCpu:
      return "cpu";
    case Device::kCuda:
      return "cuda";
    case Device::kOpencl:
      return "opencl";
  }
  return "?";
}

absl::StatusOr<Device> DeviceByName(absl::string_view name) {
  for (Device device : {Device::kCpu, Device::kCuda, Device::kOpencl}) {
    if (Name(device) == name) return device;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("device \"", name, "\": cpu, cuda or opencl needed"));
}

absl::Status CheckAvailable(Device device) {
  if (device == Device::kCuda) {
    static const auto& status = *new absl::Status(Probe(Device::kCuda));
    return status;
  }
  if (device == Device::kOpencl) {
    static const auto& status = *new absl::Status(Probe(Device::kOpencl));
    return status;
  }
  return absl::OkStatus();
}

const halide_device_interface_t* HalideInterface(Device device) {
  switch (device) {
    case Device::kCuda:
      return halide_cuda_device_interface();
    case Device::kOpencl:
      return halide_opencl_device_interface();
    case Device::kCpu:
      break;
  }
  return nullptr;
}

}  // namespace halite
