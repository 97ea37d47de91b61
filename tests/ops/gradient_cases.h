// SPDX-License-Identifier: Apache-2.0
//
// The gradient checks of all functions.
#ifndef HALITE_TESTS_OPS_GRADIENT_CASES_H_
#define HALITE_TESTS_OPS_GRADIENT_CASES_H_

#include <vector>

#include "halite/tests/ops/gradient_check.h"

namespace halite::testing {

const std::vector<GradientCase>& GradientCases();

}  // namespace halite::testing

#endif  // HALITE_TESTS_OPS_GRADIENT_CASES_H_
