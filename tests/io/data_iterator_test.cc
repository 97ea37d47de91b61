// SPDX-License-Identifier: Apache-2.0
#include "halite/io/data_iterator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "halite/core/memory_pool.h"

namespace halite {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Samples whose only value is their number.
NdArray Numbers(int64_t size) {
  std::vector<int64_t> values(static_cast<size_t>(size));
  std::iota(values.begin(), values.end(), 0);
  return NdArray::From<int64_t>({size}, values);
}

std::unique_ptr<DataIterator> Make(int64_t size, const DataIteratorOptions& options) {
  auto iterator = MakeDataIterator(std::vector<SourceArray>{{Numbers(size), "x", {}, 1}}, options);
  EXPECT_TRUE(iterator.ok()) << iterator.status();
  return *std::move(iterator);
}

std::vector<int64_t> Values(const absl::StatusOr<Batch>& batch) {
  EXPECT_TRUE(batch.ok()) << batch.status();
  return batch->arrays[0].ToVector<int64_t>().value();
}

class Prefetching : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(DataIterator, Prefetching, ::testing::Bool());

TEST_P(Prefetching, AnEpochEndsWithItsLastSample) {
  const auto iterator = Make(1797, {.batch_size = 16, .prefetch = GetParam()});
  std::vector<int> calls;
  for (int64_t epoch = 0; epoch < 6; ++epoch) {
    calls.push_back(0);
    for (; iterator->epoch() == epoch; ++calls.back()) ASSERT_TRUE(iterator->Next().ok());
  }
  EXPECT_THAT(calls, ElementsAre(113, 112, 112, 113, 112, 112));
}

TEST_P(Prefetching, BatchesStraddleEpochs) {
  const auto iterator = Make(5, {.batch_size = 3, .prefetch = GetParam()});
  auto batch = iterator->Next();
  EXPECT_THAT(Values(batch), ElementsAre(0, 1, 2));
  EXPECT_EQ(std::pair(batch->epoch, batch->position), std::pair(int64_t{0}, int64_t{3}));
  batch = iterator->Next();
  EXPECT_THAT(Values(batch), ElementsAre(3, 4, 0));
  EXPECT_EQ(std::pair(batch->epoch, batch->position), std::pair(int64_t{1}, int64_t{1}));
  EXPECT_EQ(iterator->epoch(), 1);
  EXPECT_EQ(iterator->position(), 1);
}

TEST_P(Prefetching, AnExactEndBelongsToTheNewEpoch) {
  const auto iterator = Make(4, {.batch_size = 2, .prefetch = GetParam()});
  EXPECT_EQ(iterator->Next()->epoch, 0);
  EXPECT_EQ(iterator->Next()->epoch, 1);
  EXPECT_EQ(iterator->position(), 0);
}

TEST_P(Prefetching, ABatchMayHoldSeveralEpochs) {
  const auto iterator = Make(2, {.batch_size = 5, .prefetch = GetParam()});
  std::vector<std::string> calls;
  iterator->AddEpochBeginCallback([&](int64_t e) { calls.push_back("begin" + std::to_string(e)); });
  iterator->AddEpochEndCallback([&](int64_t e) { calls.push_back("end" + std::to_string(e)); });
  const auto batch = iterator->Next();
  EXPECT_THAT(Values(batch), ElementsAre(0, 1, 0, 1, 0));
  EXPECT_EQ(batch->epoch, 2);
  EXPECT_THAT(calls, ElementsAre("begin0", "end0", "begin1", "end1", "begin2"));
}

TEST_P(Prefetching, ShufflingTakesEverySampleOnceAnEpoch) {
  const auto iterator = Make(97, {.batch_size = 10, .shuffle = true, .prefetch = GetParam()});
  std::vector<int64_t> taken;
  while (taken.size() < 300) {
    for (int64_t value : Values(iterator->Next())) taken.push_back(value);
  }
  std::set<std::vector<int64_t>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> order(taken.begin() + 97 * epoch, taken.begin() + 97 * (epoch + 1));
    orders.insert(order);
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < 97; ++i) ASSERT_EQ(order[static_cast<size_t>(i)], i);
  }
  EXPECT_EQ(orders.size(), 3);
}

TEST_P(Prefetching, AStateContinuesBitForBit) {
  const DataIteratorOptions options = {.batch_size = 7, .shuffle = true, .prefetch = GetParam()};
  const auto iterator = Make(30, options);
  for (int start = 0; start < 12; ++start) {
    const DataIteratorState state = iterator->state();
    const auto other = Make(30, {.batch_size = 7, .shuffle = true, .seed = 1, .prefetch = true});
    ASSERT_TRUE(other->Next().ok());
    ASSERT_TRUE(other->SetState(state).ok());
    EXPECT_EQ(other->epoch(), state.epoch);
    const auto used = Make(30, options);
    ASSERT_TRUE(used->SetState(state).ok());
    std::vector<int64_t> next = Values(iterator->Next());
    EXPECT_EQ(Values(other->Next()), next);
    EXPECT_EQ(Values(used->Next()), next);
    for (int i = 0; i < 9; ++i) {
      next = Values(used->Next());
      EXPECT_EQ(Values(other->Next()), next);
    }
  }
  EXPECT_FALSE(iterator->SetState({0, 30, {}}).ok());
  EXPECT_FALSE(iterator->SetState({-1, 0, {}}).ok());
}

TEST(DataIterator, PrefetchingChangesNothing) {
  const auto a = Make(53, {.batch_size = 8, .shuffle = true, .prefetch = false});
  const auto b = Make(53, {.batch_size = 8, .shuffle = true, .prefetch = true});
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(Values(a->Next()), Values(b->Next()));
    EXPECT_EQ(a->epoch(), b->epoch());
    EXPECT_EQ(a->state().random.offset, b->state().random.offset);
  }
  const auto other = Make(53, {.batch_size = 53, .shuffle = true, .seed = 314});
  EXPECT_NE(Values(other->Next()), Values(Make(53, {.batch_size = 53, .shuffle = true})->Next()));
}

TEST(DataIterator, ArraysAreConvertedInTheBatch) {
  std::vector<uint8_t> pixels(2 * 3);
  std::iota(pixels.begin(), pixels.end(), 250);
  std::vector<SourceArray> arrays(2);
  arrays[0].array = NdArray::From<uint8_t>({2, 1, 3}, pixels);
  arrays[0].name = "x";
  arrays[0].dtype = DType::kFloat32;
  arrays[0].scale = 1.0 / 255;
  arrays[1].array = NdArray::From<uint8_t>({2, 1}, std::vector<uint8_t>{7, 9});
  arrays[1].dtype = DType::kInt32;
  const auto source = MakeArrayDataSource(arrays);
  ASSERT_TRUE(source.ok());
  EXPECT_EQ((*source)->arrays()[0].name, "x");
  EXPECT_EQ((*source)->arrays()[0].shape, (Shape{1, 3}));
  const auto iterator = MakeDataIterator(*source, {.batch_size = 2});
  ASSERT_TRUE(iterator.ok());
  const auto batch = (*iterator)->Next();
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->arrays[0].shape(), (Shape{2, 1, 3}));
  EXPECT_THAT(batch->arrays[0].ToVector<float>().value(),
              ElementsAre(250 / 255.f, 251 / 255.f, 252 / 255.f, 253 / 255.f, 254 / 255.f, 1));
  EXPECT_EQ(batch->arrays[1].dtype(), DType::kInt32);
  EXPECT_THAT(batch->arrays[1].ToVector<int>().value(), ElementsAre(7, 9));
}

TEST(DataIterator, SlicesHaveEqualSizesAndShareNothing) {
  const auto source = MakeArrayDataSource({{Numbers(11), "x", {}, 1}});
  ASSERT_TRUE(source.ok());
  std::set<int64_t> taken;
  for (int64_t pos = 0; pos < 3; ++pos) {
    const auto slice = MakeSlicedDataSource(*source, 3, pos);
    ASSERT_TRUE(slice.ok());
    const auto iterator = MakeDataIterator(*slice, {.batch_size = 3, .shuffle = true});
    ASSERT_TRUE(iterator.ok());
    EXPECT_EQ((*iterator)->size(), 3);
    for (int64_t value : Values((*iterator)->Next())) EXPECT_TRUE(taken.insert(value).second);
  }
  EXPECT_EQ(taken.size(), 9);
  EXPECT_FALSE(MakeSlicedDataSource(*source, 3, 3).ok());
  EXPECT_FALSE(MakeDataIterator(*MakeSlicedDataSource(*source, 20, 0), {}).ok());
}

TEST(DataIterator, BadSourcesAreErrors) {
  EXPECT_FALSE(MakeArrayDataSource({}).ok());
  EXPECT_FALSE(MakeArrayDataSource({{NdArray(), "scalar", {}, 1}}).ok());
  const auto unequal = MakeArrayDataSource({{Numbers(3), "x", {}, 1}, {Numbers(4), "y", {}, 1}});
  EXPECT_THAT(unequal.status().ToString(), HasSubstr("'y' [4] beside [3]"));
  EXPECT_FALSE(
      MakeDataIterator(std::vector<SourceArray>{{Numbers(3), "x", {}, 1}}, {.batch_size = 0}).ok());
  EXPECT_FALSE(MakeDataIterator(std::shared_ptr<const DataSource>(), {}).ok());
}

// A source whose third read fails, and which takes its time.
class Failing : public DataSource {
 public:
  int64_t size() const override { return 10; }
  absl::Span<const SampleArray> arrays() const override { return arrays_; }
  absl::Status Read(absl::Span<const int64_t> indices, absl::Span<NdArray> batch) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (++reads_ == 3) return absl::UnavailableError("the disk is away");
    auto values = batch[0].Write<int64_t>();
    std::copy(indices.begin(), indices.end(), values->begin());
    return absl::OkStatus();
  }

 private:
  std::vector<SampleArray> arrays_ = {{"x", {}, DType::kInt64}};
  mutable std::atomic<int> reads_{0};
};

TEST_P(Prefetching, AnErrorIsReturnedAndTheBatchIsTriedAgain) {
  const auto iterator =
      MakeDataIterator(std::make_shared<Failing>(), {.batch_size = 4, .prefetch = GetParam()});
  ASSERT_TRUE(iterator.ok());
  EXPECT_THAT(Values((*iterator)->Next()), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Values((*iterator)->Next()), ElementsAre(4, 5, 6, 7));
  EXPECT_EQ((*iterator)->Next().status().message(), "the disk is away");
  EXPECT_EQ((*iterator)->position(), 8);
  EXPECT_THAT(Values((*iterator)->Next()), ElementsAre(8, 9, 0, 1));
}

TEST_P(Prefetching, BatchesComeFromThePool) {
  std::vector<SourceArray> arrays(1);
  arrays[0].array = NdArray({100, 1000}, DType::kUint8);
  arrays[0].dtype = DType::kFloat32;
  const auto iterator = MakeDataIterator(arrays, {.batch_size = 32, .prefetch = GetParam()});
  ASSERT_TRUE(iterator.ok());
  // At most three batches live at once: the caller's, the one that takes its place, the one being
  // made.
  const int64_t before = MemoryPool::ForHost().statistics().system_allocations;
  Batch held;
  for (int i = 0; i < 100; ++i) {
    auto batch = (*iterator)->Next();
    ASSERT_TRUE(batch.ok());
    held = *std::move(batch);
  }
  EXPECT_LE(MemoryPool::ForHost().statistics().system_allocations, before + 3);
}

}  // namespace
}  // namespace halite
