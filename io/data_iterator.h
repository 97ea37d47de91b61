// SPDX-License-Identifier: Apache-2.0
//
// The data iterator over a DataSource: shuffles each epoch with a generator of its own, and makes
// the next batch on a thread of its own while the present one is used. Batches, callbacks and
// states do not depend on prefetching.
#ifndef HALITE_IO_DATA_ITERATOR_H_
#define HALITE_IO_DATA_ITERATOR_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "halite/core/data_iterator.h"
#include "halite/io/data_source.h"

namespace halite {

struct DataIteratorOptions {
  int64_t batch_size = 1;
  // A new random order in each epoch; else the order of the source.
  bool shuffle = false;
  uint64_t seed = 313;
  // Makes one batch ahead on a thread of its own.
  bool prefetch = true;
};

absl::StatusOr<std::unique_ptr<DataIterator>> MakeDataIterator(
    std::shared_ptr<const DataSource> source, const DataIteratorOptions& options);
// Over arrays in memory.
absl::StatusOr<std::unique_ptr<DataIterator>> MakeDataIterator(std::vector<SourceArray> arrays,
                                                               const DataIteratorOptions& options);

}  // namespace halite

#endif  // HALITE_IO_DATA_ITERATOR_H_
