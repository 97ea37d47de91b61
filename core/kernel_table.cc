// SPDX-License-Identifier: Apache-2.0
#include "halite/core/kernel_table.h"

#include <map>

#include "halite/core/status.h"

namespace halite {
namespace {

// Filled by static initialisers in any order, hence function-local.
std::map<std::string, Kernel, std::less<>>& Table() {
  static auto& table = *new std::map<std::string, Kernel, std::less<>>;
  return table;
}

}  // namespace

const Kernel* FindKernel(absl::string_view name) {
  const auto found = Table().find(std::string(name));
  return found == Table().end() ? nullptr : &found->second;
}

std::vector<std::string> KernelNames() {
  std::vector<std::string> names;
  for (const auto& [name, kernel] : Table()) names.push_back(name);
  return names;
}

}  // namespace halite

// Called by the registration source of each kernel.
extern "C" void halide_register_argv_and_metadata(int (*argv)(void**),
                                                  const halide_filter_metadata_t* metadata,
                                                  const char* const* /*extra_key_value_pairs*/) {
  const bool is_new =
      halite::Table().emplace(metadata->name, halite::Kernel{argv, metadata}).second;
  HALITE_CHECK(is_new, std::string("kernel ") + metadata->name + " is linked twice");
}
