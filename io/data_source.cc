// SPDX-License-Identifier: Apache-2.0
#include "halite/io/data_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"

namespace halite {
namespace {

// Writes to(value * scale) of each element.
template <typename From, typename To>
void ConvertRow(const From* from, int64_t count, double scale, To* to) {
  if (scale == 1) {
    std::transform(from, from + count, to, [](From value) { return ConvertElement<To>(value); });
  } else {
    std::transform(from, from + count, to, [scale](From value) {
      return ConvertElement<To>(static_cast<double>(value) * scale);
    });
  }
}

class ArrayDataSource : public DataSource {
 public:
  ArrayDataSource(std::vector<SourceArray> sources, std::vector<SampleArray> arrays, int64_t size)
      : sources_(std::move(sources)), arrays_(std::move(arrays)), size_(size) {}

  int64_t size() const override { return size_; }
  absl::Span<const SampleArray> arrays() const override { return arrays_; }

  absl::Status Read(absl::Span<const int64_t> indices, absl::Span<NdArray> batch) const override {
    HALITE_CHECK(batch.size() == sources_.size(), "one array for each of the source needed");
    for (size_t a = 0; a < sources_.size(); ++a) {
      const SourceArray& source = sources_[a];
      HALITE_RETURN_IF_ERROR(VisitDType(source.array.dtype(), [&](auto* from) {
        return VisitDType(batch[a].dtype(), [&](auto* to) {
          return Gather<std::remove_pointer_t<decltype(from)>, std::remove_pointer_t<decltype(to)>>(
              source, indices, batch[a]);
        });
      }));
    }
    return absl::OkStatus();
  }

 private:
  template <typename From, typename To>
  static absl::Status Gather(const SourceArray& source, absl::Span<const int64_t> indices,
                             NdArray& batch) {
    const int64_t row = source.array.SizeFromAxis(1);
    HALITE_ASSIGN_OR_RETURN(const absl::Span<const From> from, source.array.Read<From>());
    HALITE_ASSIGN_OR_RETURN(const absl::Span<To> to, batch.Write<To>());
    HALITE_CHECK(static_cast<int64_t>(to.size()) == row * static_cast<int64_t>(indices.size()),
                 "a row for each index needed");
    for (size_t i = 0; i < indices.size(); ++i) {
      ConvertRow(from.data() + indices[i] * row, row, source.scale,
                 to.data() + static_cast<int64_t>(i) * row);
    }
    return absl::OkStatus();
  }

  const std::vector<SourceArray> sources_;
  const std::vector<SampleArray> arrays_;
  const int64_t size_;
};

class SlicedDataSource : public DataSource {
 public:
  SlicedDataSource(std::shared_ptr<const DataSource> source, int64_t start, int64_t size)
      : source_(std::move(source)), start_(start), size_(size) {}

  int64_t size() const override { return size_; }
  absl::Span<const SampleArray> arrays() const override { return source_->arrays(); }

  absl::Status Read(absl::Span<const int64_t> indices, absl::Span<NdArray> batch) const override {
    std::vector<int64_t> moved(indices.begin(), indices.end());
    for (int64_t& index : moved) index += start_;
    return source_->Read(moved, batch);
  }

 private:
  const std::shared_ptr<const DataSource> source_;
  const int64_t start_;
  const int64_t size_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const DataSource>> MakeArrayDataSource(
    std::vector<SourceArray> sources) {
  if (sources.empty()) return absl::InvalidArgumentError("data source: no arrays: one needed");
  std::vector<SampleArray> arrays;
  const Shape first = sources[0].array.shape();
  for (const SourceArray& source : sources) {
    const NdArray& array = source.array;
    HALITE_RETURN_IF_ERROR(array.status());
    if (array.rank() == 0 || array.shape()[0] != first[0]) {
      return absl::InvalidArgumentError(absl::StrCat(
          "data source: array ", arrays.size(), " '", source.name, "' ", ToString(array.shape()),
          " beside ", ToString(first), ": a common first extent needed"));
    }
    // Moves the elements to the host now: later reads on several threads change nothing.
    HALITE_RETURN_IF_ERROR(VisitDType(array.dtype(), [&](auto* type) {
      return array.Read<std::remove_pointer_t<decltype(type)>>().status();
    }));
    SampleArray sample;
    sample.name = source.name;
    sample.shape.assign(array.shape().begin() + 1, array.shape().end());
    sample.dtype = source.dtype.value_or(array.dtype());
    arrays.push_back(std::move(sample));
  }
  return std::make_shared<const ArrayDataSource>(std::move(sources), std::move(arrays), first[0]);
}

absl::StatusOr<std::shared_ptr<const DataSource>> MakeSlicedDataSource(
    std::shared_ptr<const DataSource> source, int64_t num_slices, int64_t pos) {
  if (num_slices < 1 || pos < 0 || pos >= num_slices) {
    return absl::InvalidArgumentError(absl::StrCat("data source: slice ", pos, " of ", num_slices,
                                                   ": a slice in [0, number of slices) needed"));
  }
  // The first size % num_slices slices leave out one sample each, between them and the next.
  const int64_t size = source->size() / num_slices, rest = source->size() % num_slices;
  const int64_t start = pos * size + std::min(pos, rest);
  return std::make_shared<const SlicedDataSource>(std::move(source), start, size);
}

}  // namespace halite
