// SPDX-License-Identifier: Apache-2.0
//
// Errors are values: absl::Status travels through Halite, and these macros pass it on. A broken
// invariant of our own is no error but a bug: HALITE_CHECK aborts with the place and the text.
#ifndef HALITE_CORE_STATUS_H_
#define HALITE_CORE_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace halite::internal {

// Prints "file:line: check failed: condition: detail" and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const std::string& detail);

}  // namespace halite::internal

// Aborts unless `condition` holds; the second argument says what went wrong.
#define HALITE_CHECK(condition, detail)                                          \
  do {                                                                           \
    if (!(condition)) {                                                          \
      ::halite::internal::CheckFailed(__FILE__, __LINE__, #condition, (detail)); \
    }                                                                            \
  } while (false)

// Returns the status from the enclosing function if it is an error.
#define HALITE_RETURN_IF_ERROR(expression)                                  \
  do {                                                                      \
    if (absl::Status halite_status_ = (expression); !halite_status_.ok()) { \
      return halite_status_;                                                \
    }                                                                       \
  } while (false)

#define HALITE_CONCAT_INNER_(a, b) a##b
#define HALITE_CONCAT_(a, b) HALITE_CONCAT_INNER_(a, b)

// Declares or assigns `target` from a StatusOr, or returns its error. Expands into several
// statements.
#define HALITE_ASSIGN_OR_RETURN(target, expression)             \
  auto HALITE_CONCAT_(halite_result_, __LINE__) = (expression); \
  if (!HALITE_CONCAT_(halite_result_, __LINE__).ok()) {         \
    return HALITE_CONCAT_(halite_result_, __LINE__).status();   \
  }                                                             \
  target = *std::move(HALITE_CONCAT_(halite_result_, __LINE__))

#endif  // HALITE_CORE_STATUS_H_
