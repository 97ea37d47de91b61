// SPDX-License-Identifier: Apache-2.0
//
// The digits data set, which is part of the program: see README.md.
#ifndef HALITE_EXAMPLES_DIGITS_DIGITS_H_
#define HALITE_EXAMPLES_DIGITS_DIGITS_H_

#include "absl/status/statusor.h"
#include "halite/core/nd_array.h"

namespace digits {

struct Data {
  halite::NdArray images;  // [n, 64], in [0, 1]
  halite::NdArray labels;  // [n, 1], int32
};

// All 1797 images, in a random order that is always the same.
absl::StatusOr<Data> Load();

// The images start .. start + count.
absl::StatusOr<Data> Part(const Data& data, int64_t start, int64_t count);

}  // namespace digits

#endif  // HALITE_EXAMPLES_DIGITS_DIGITS_H_
