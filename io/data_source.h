// SPDX-License-Identifier: Apache-2.0
//
// DataSource: a data set of numbered samples, each a tuple of arrays; and sources made of others.
#ifndef HALITE_IO_DATA_SOURCE_H_
#define HALITE_IO_DATA_SOURCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "halite/core/nd_array.h"

namespace halite {

// One array of a sample.
struct SampleArray {
  std::string name = "";
  Shape shape;  // of one sample, without the axis of samples
  DType dtype = DType::kFloat32;
};

// Thread-safe once made: several iterators may read one source.
class DataSource {
 public:
  virtual ~DataSource() = default;
  virtual int64_t size() const = 0;
  virtual absl::Span<const SampleArray> arrays() const = 0;
  // Writes sample indices[i] to row i of each array of `batch`, which have the dtypes of arrays(),
  // and their shapes behind a first axis of indices.size().
  // REQUIRES: 0 <= indices[i] < size().
  virtual absl::Status Read(absl::Span<const int64_t> indices, absl::Span<NdArray> batch) const = 0;
};

// An array in memory whose first axis counts samples. A batch holds dtype(value * scale): with
// dtype float32 and scale 1 / 255, images stay bytes here and are numbers in [0, 1] in the batch.
struct SourceArray {
  NdArray array;
  std::string name = "";
  std::optional<DType> dtype = std::nullopt;  // that of the array by default
  double scale = 1;
};

// Samples from arrays with a common first extent. The arrays are shared, not copied: they must not
// be written while the source is used.
absl::StatusOr<std::shared_ptr<const DataSource>> MakeArrayDataSource(
    std::vector<SourceArray> arrays);

// The part `pos` of `num_slices` of equal size floor(size / num_slices): data-parallel processes
// take one each.
absl::StatusOr<std::shared_ptr<const DataSource>> MakeSlicedDataSource(
    std::shared_ptr<const DataSource> source, int64_t num_slices, int64_t pos);

}  // namespace halite

#endif  // HALITE_IO_DATA_SOURCE_H_
