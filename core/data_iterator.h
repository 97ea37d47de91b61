// SPDX-License-Identifier: Apache-2.0
//
// DataIterator: an endless stream of batches of equal size over a data set.
//
// Batches run on across the end of the data set. The epoch number rises as soon as the last sample
// is taken, also in the middle of a batch: a batch that takes it carries the new epoch. So with
// 1797 samples and batches of 16, `while (it.epoch() == e) it.Next()` calls 113, 112, 112, 113, ...
// times.
#ifndef HALITE_CORE_DATA_ITERATOR_H_
#define HALITE_CORE_DATA_ITERATOR_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halite/core/nd_array.h"
#include "halite/core/random.h"

namespace halite {

struct Batch {
  std::vector<NdArray> arrays;  // first axis: the samples of the batch
  int64_t epoch = 0;            // after its last sample
  int64_t position = 0;         // samples of that epoch taken so far
};

// Where an iterator stands, bit for bit.
struct DataIteratorState {
  int64_t epoch = 0;
  int64_t position = 0;
  RandomState random;  // of the order of this epoch
};

// Called with the number of an epoch.
using EpochCallback = std::function<void(int64_t epoch)>;

// Thread-compatible.
class DataIterator {
 public:
  virtual ~DataIterator() = default;

  // The next batch. Its arrays belong to the caller.
  virtual absl::StatusOr<Batch> Next() = 0;

  virtual int64_t batch_size() const = 0;
  // Samples of the data set.
  virtual int64_t size() const = 0;
  // Of the batch returned last; 0 and 0 at the beginning.
  virtual int64_t epoch() const = 0;
  virtual int64_t position() const = 0;

  // The state after the batch returned last. An iterator over the same data that is set to it goes
  // on with the same batches.
  virtual DataIteratorState state() const = 0;
  virtual absl::Status SetState(const DataIteratorState& state) = 0;

  // Called from Next(), on its thread: begin(0) before the first batch; end(e), then begin(e + 1),
  // when the batch that holds the last sample of epoch e is returned.
  virtual void AddEpochBeginCallback(EpochCallback callback) = 0;
  virtual void AddEpochEndCallback(EpochCallback callback) = 0;
};

}  // namespace halite

#endif  // HALITE_CORE_DATA_ITERATOR_H_
