// SPDX-License-Identifier: Apache-2.0
#include "examples/digits/digits.h"

#include <cstdlib>
#include <vector>

#include "halite/core/status.h"

// Made from digits.csv.gz while building: rows of 64 numbers and the label, comma-separated.
extern const char kDigitsCsv[];

namespace digits {

absl::StatusOr<Data> Load() {
  std::vector<float> images;
  std::vector<int32_t> labels;
  for (const char* at = kDigitsCsv; *at != '\0';) {
    char* end;
    for (int i = 0; i < 65; ++i, at = end + 1) {
      const long value = std::strtol(at, &end, 10);
      if (end == at) return absl::DataLossError("digits: a number needed");
      i < 64 ? images.push_back(static_cast<float>(value) / 16)
             : labels.push_back(static_cast<int32_t>(value));
    }
  }
  const auto n = static_cast<int64_t>(labels.size());
  return Data{halite::NdArray::From({n, 64}, images), halite::NdArray::From({n, 1}, labels)};
}

absl::StatusOr<Data> Part(const Data& data, int64_t start, int64_t count) {
  HALITE_ASSIGN_OR_RETURN(const halite::NdArray images, data.images.Narrow(start, count));
  HALITE_ASSIGN_OR_RETURN(const halite::NdArray labels, data.labels.Narrow(start, count));
  return Data{images, labels};
}

}  // namespace digits
