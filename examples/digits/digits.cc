// SPDX-License-Identifier: Apache-2.0
#include "examples/digits/digits.h"

#include <cstdlib>
#include <numeric>
#include <vector>

#include "halite/core/random.h"
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
  // The file has the writers one after another.
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  halite::RandomGenerator().Shuffle(order);
  std::vector<float> shuffled_images;
  std::vector<int32_t> shuffled_labels;
  for (int64_t i : order) {
    shuffled_images.insert(shuffled_images.end(), images.begin() + i * 64,
                           images.begin() + (i + 1) * 64);
    shuffled_labels.push_back(labels[i]);
  }
  return Data{halite::NdArray::From({n, 64}, shuffled_images),
              halite::NdArray::From({n, 1}, shuffled_labels)};
}

absl::StatusOr<Data> Part(const Data& data, int64_t start, int64_t count) {
  HALITE_ASSIGN_OR_RETURN(const halite::NdArray images, data.images.Narrow(start, count));
  HALITE_ASSIGN_OR_RETURN(const halite::NdArray labels, data.labels.Narrow(start, count));
  return Data{images, labels};
}

}  // namespace digits
