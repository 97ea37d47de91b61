// SPDX-License-Identifier: Apache-2.0
//
// Context: where functions run: the device, and the implementations of kernels to try, best first.
// A function takes the context that is current on its thread when the graph is built.
#ifndef HALITE_CORE_CONTEXT_H_
#define HALITE_CORE_CONTEXT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "halite/core/device.h"

namespace halite {

struct Context {
  Device device = Device::kCpu;
  // Suffixes of kernel names, e.g. {"cudnn", "cuda"}: the first that is linked is taken.
  std::vector<std::string> backends = {"cpu"};

  static Context Cpu() { return Context(); }
  // "cpu", "cuda" or "opencl". Errors: INVALID_ARGUMENT for another name, UNAVAILABLE without a
  // driver or a device.
  static absl::StatusOr<Context> ByName(absl::string_view name);
};

// The context in which this thread builds functions: that of the innermost ContextScope, else the
// default context.
const Context& CurrentContext();

// Makes `context` the default of all threads. REQUIRES: called before threads build graphs.
void SetDefaultContext(const Context& context);

// Makes `context` current on this thread while it lives.
class ContextScope {
 public:
  explicit ContextScope(Context context);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  Context context_;
  const Context* previous_;
};

}  // namespace halite

#endif  // HALITE_CORE_CONTEXT_H_
