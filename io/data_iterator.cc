// SPDX-License-Identifier: Apache-2.0
#include "halite/io/data_iterator.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halite/core/random.h"
#include "halite/core/status.h"

namespace halite {
namespace {

// The endless sequence of sample numbers. The order of an epoch follows from the state of the
// generator at its beginning alone, so that state and position say everything.
class Sequence {
 public:
  Sequence(int64_t size, bool shuffle, uint64_t seed)
      : shuffle_(shuffle), generator_(seed), order_(static_cast<size_t>(size)) {
    BeginEpoch();
  }

  const DataIteratorState& state() const { return state_; }

  void SetState(const DataIteratorState& state) {
    state_ = state;
    generator_.set_state(state.random);
    BeginEpoch();
  }

  // Takes indices.size() samples.
  void Take(absl::Span<int64_t> indices) {
    for (int64_t& index : indices) {
      index = order_[static_cast<size_t>(state_.position)];
      if (++state_.position < static_cast<int64_t>(order_.size())) continue;
      state_.position = 0;
      ++state_.epoch;
      BeginEpoch();
    }
  }

 private:
  void BeginEpoch() {
    state_.random = generator_.state();
    std::iota(order_.begin(), order_.end(), 0);
    if (shuffle_) generator_.Shuffle(order_);
  }

  const bool shuffle_;
  RandomGenerator generator_;
  std::vector<int64_t> order_;
  DataIteratorState state_;
};

class SourceIterator : public DataIterator {
 public:
  SourceIterator(std::shared_ptr<const DataSource> source, const DataIteratorOptions& options)
      : source_(std::move(source)),
        sequence_(source_->size(), options.shuffle, options.seed),
        indices_(static_cast<size_t>(options.batch_size)),
        current_(sequence_.state()) {
    if (options.prefetch) thread_ = std::thread([this] { Prefetch(); });
  }

  ~SourceIterator() override {
    if (!thread_.joinable()) return;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      quit_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  absl::StatusOr<Batch> Next() override {
    if (!begun_) Call(begin_callbacks_, current_.epoch);
    begun_ = true;
    Made made = TakeNext();
    if (!made.batch.ok()) return made.batch;
    const int64_t before = current_.epoch;
    current_ = made.after;
    for (int64_t epoch = before; epoch < current_.epoch; ++epoch) {
      Call(end_callbacks_, epoch);
      Call(begin_callbacks_, epoch + 1);
    }
    return std::move(made.batch);
  }

  int64_t batch_size() const override { return static_cast<int64_t>(indices_.size()); }
  int64_t size() const override { return source_->size(); }
  int64_t epoch() const override { return current_.epoch; }
  int64_t position() const override { return current_.position; }
  DataIteratorState state() const override { return current_; }

  absl::Status SetState(const DataIteratorState& state) override {
    if (state.epoch < 0 || state.position < 0 || state.position >= size()) {
      return absl::InvalidArgumentError(absl::StrCat("data iterator: epoch ", state.epoch,
                                                     ", position ", state.position,
                                                     ": a position in [0, ", size(), ") needed"));
    }
    {
      // The thread rests while a batch lies ready.
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return !thread_.joinable() || ready_.has_value(); });
      ready_.reset();
      sequence_.SetState(state);
      current_ = state;
    }
    changed_.notify_all();
    return absl::OkStatus();
  }

  void AddEpochBeginCallback(EpochCallback callback) override {
    begin_callbacks_.push_back(std::move(callback));
  }
  void AddEpochEndCallback(EpochCallback callback) override {
    end_callbacks_.push_back(std::move(callback));
  }

 private:
  struct Made {
    absl::StatusOr<Batch> batch;
    DataIteratorState after;
  };

  static void Call(const std::vector<EpochCallback>& callbacks, int64_t epoch) {
    for (const EpochCallback& callback : callbacks) callback(epoch);
  }

  // Makes the next batch. After an error the sequence is as it was.
  Made Make() {
    const DataIteratorState before = sequence_.state();
    sequence_.Take(absl::MakeSpan(indices_));
    Batch batch;
    batch.epoch = sequence_.state().epoch;
    batch.position = sequence_.state().position;
    absl::Status status;
    for (const SampleArray& array : source_->arrays()) {
      Shape shape(array.shape.size() + 1, batch_size());
      std::copy(array.shape.begin(), array.shape.end(), shape.begin() + 1);
      batch.arrays.emplace_back(shape, array.dtype);
      status.Update(batch.arrays.back().status());
    }
    if (status.ok()) status = source_->Read(indices_, absl::MakeSpan(batch.arrays));
    if (status.ok()) return {std::move(batch), sequence_.state()};
    sequence_.SetState(before);
    return {status, before};
  }

  Made TakeNext() {
    if (!thread_.joinable()) return Make();
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return ready_.has_value(); });
    Made made = *std::move(ready_);
    ready_.reset();
    lock.unlock();
    changed_.notify_all();
    return made;
  }

  // The thread: makes a batch whenever none lies ready.
  void Prefetch() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return quit_ || !ready_.has_value(); });
      if (quit_) return;
      lock.unlock();
      Made made = Make();
      lock.lock();
      ready_ = std::move(made);
      changed_.notify_all();
    }
  }

  const std::shared_ptr<const DataSource> source_;
  // Of the thread while no batch lies ready, of the caller otherwise.
  Sequence sequence_;
  std::vector<int64_t> indices_;

  // Of the caller.
  DataIteratorState current_;
  bool begun_ = false;
  std::vector<EpochCallback> begin_callbacks_;
  std::vector<EpochCallback> end_callbacks_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Made> ready_;  // guarded by mutex_
  bool quit_ = false;          // guarded by mutex_
  std::thread thread_;         // not joinable without prefetching
};

}  // namespace

absl::StatusOr<std::unique_ptr<DataIterator>> MakeDataIterator(
    std::shared_ptr<const DataSource> source, const DataIteratorOptions& options) {
  if (source == nullptr || source->size() < 1 || options.batch_size < 1) {
    return absl::InvalidArgumentError(absl::StrCat("data iterator: batches of ", options.batch_size,
                                                   " from ", source == nullptr ? 0 : source->size(),
                                                   " samples: at least 1 each needed"));
  }
  return std::make_unique<SourceIterator>(std::move(source), options);
}

absl::StatusOr<std::unique_ptr<DataIterator>> MakeDataIterator(std::vector<SourceArray> arrays,
                                                               const DataIteratorOptions& options) {
  HALITE_ASSIGN_OR_RETURN(auto source, MakeArrayDataSource(std::move(arrays)));
  return MakeDataIterator(std::move(source), options);
}

}  // namespace halite
