// SPDX-License-Identifier: Apache-2.0
#include "halite/core/context.h"

#include "halite/core/status.h"

namespace halite {
namespace {

Context& DefaultContext() {
  static auto& context = *new Context;
  return context;
}

thread_local const Context* t_current = nullptr;

}  // namespace

absl::StatusOr<Context> Context::ByName(absl::string_view name) {
  HALITE_ASSIGN_OR_RETURN(const Device device, DeviceByName(name));
  HALITE_RETURN_IF_ERROR(CheckAvailable(device));
  return Context{device, {std::string(Name(device))}};
}

const Context& CurrentContext() { return t_current != nullptr ? *t_current : DefaultContext(); }

void SetDefaultContext(const Context& context) { DefaultContext() = context; }

ContextScope::ContextScope(Context context) : context_(std::move(context)), previous_(t_current) {
  t_current = &context_;
}

ContextScope::~ContextScope() { t_current = previous_; }

}  // namespace halite
