// SPDX-License-Identifier: Apache-2.0
#include "halite/core/status.h"

#include <cstdio>
#include <cstdlib>

namespace halite::internal {

void CheckFailed(const char* file, int line, const char* condition, const std::string& detail) {
  std::fprintf(stderr, "%s:%d: check failed: %s: %s\n", file, line, condition, detail.c_str());
  std::abort();
}

}  // namespace halite::internal
