// SPDX-License-Identifier: Apache-2.0
//
// Chunked datasets: the table of chunks, and the filters that each chunk has passed.
#ifndef HALITE_IO_HDF5_CHUNKS_H_
#define HALITE_IO_HDF5_CHUNKS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "halite/core/shape.h"
#include "halite/io/bytes.h"
#include "halite/io/hdf5_reader.h"

namespace halite::hdf5 {

// zlib's best ratio is 1032.
inline constexpr uint64_t kMaxRatio = 1032;

struct FilterStep {
  uint16_t id = 0;
  uint64_t element_bytes = 0;  // of shuffle
};

struct Chunk {
  Shape start;  // its first element in the dataset
  uint64_t address = 0;
  uint64_t stored_bytes = 0;
  uint32_t skipped_filters = 0;  // bit i: step i was not applied
};

// The chunks of one dataset of `shape`, whose elements have `element_bytes`.
class ChunkTable {
 public:
  // `layout` stands behind the class in the data layout message of version 3 or 4; `filters` is the
  // filter pipeline message, null without one.
  static absl::StatusOr<ChunkTable> Parse(Reader& reader, int version, ByteReader& layout,
                                          const Message* filters, const Shape& shape,
                                          uint64_t element_bytes);

  // The most bytes that the chunks can hold.
  uint64_t MaxBytes() const;
  // Writes the chunks into `raw`, the elements of the dataset in row-major order.
  absl::Status Read(Reader& reader, absl::Span<uint8_t> raw) const;

 private:
  ChunkTable(const Shape& shape, uint64_t element_bytes)
      : shape_(shape), element_bytes_(element_bytes) {}

  absl::Status ParseLayout3(Reader& reader, ByteReader& layout);
  absl::Status ParseLayout4(Reader& reader, ByteReader& layout);
  absl::Status SetExtents(ByteReader& layout, int rank, size_t bytes);
  absl::Status ParseFilters(const Message& message);
  absl::Status ReadTree(Reader& reader, uint64_t address, int level);
  absl::Status AddChunk(Chunk chunk);
  // Undoes the filters of a chunk.
  absl::StatusOr<Bytes> Decode(const Chunk& chunk, Bytes bytes) const;
  void Place(const Chunk& chunk, const Bytes& bytes, absl::Span<uint8_t> raw) const;
  bool IsCompressed() const;

  Shape shape_;
  uint64_t element_bytes_;
  Shape extents_;             // of a chunk
  uint64_t chunk_bytes_ = 0;  // of a chunk without filters
  std::vector<FilterStep> filters_;
  std::vector<Chunk> chunks_;
};

}  // namespace halite::hdf5

#endif  // HALITE_IO_HDF5_CHUNKS_H_
