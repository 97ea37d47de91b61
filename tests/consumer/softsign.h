// SPDX-License-Identifier: Apache-2.0
//
// An operator of this workspace's own: softsign, y = x / (1 + |x|).
#ifndef CONSUMER_SOFTSIGN_H_
#define CONSUMER_SOFTSIGN_H_

#include "halite/core/apply.h"

namespace consumer {

const halite::FunctionDef& SoftsignFunction();

template <typename Array>
Array Softsign(const Array& x) {
  return halite::Apply(SoftsignFunction(), halite::NoOptions(), x);
}

}  // namespace consumer

#endif  // CONSUMER_SOFTSIGN_H_
