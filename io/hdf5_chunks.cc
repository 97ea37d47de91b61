// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_chunks.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/hdf5_format.h"

namespace halite::hdf5 {
namespace {

constexpr uint64_t kMaxChunkBytes = UINT32_MAX;  // of the format

absl::StatusOr<Bytes> Inflate(const Bytes& bytes, uint64_t max_bytes) {
  if (max_bytes > kMaxRatio * bytes.size() + 64) {
    return Damaged("chunk", absl::StrCat(bytes.size(), " compressed bytes for ", max_bytes));
  }
  Bytes result(max_bytes);
  uLongf size = max_bytes;
  if (uncompress(result.data(), &size, bytes.data(), bytes.size()) != Z_OK) {
    return Damaged("chunk", "zlib cannot expand it");
  }
  result.resize(size);
  return result;
}

// The first bytes of all elements come first, then the second bytes, ...; what is left behind the
// last whole element stays at the end.
Bytes Unshuffle(const Bytes& bytes, uint64_t element_bytes) {
  Bytes result = bytes;
  const uint64_t count = bytes.size() / element_bytes;
  for (uint64_t b = 0; b < element_bytes; ++b) {
    for (uint64_t i = 0; i < count; ++i) result[i * element_bytes + b] = bytes[b * count + i];
  }
  return result;
}

absl::Status CheckFletcher32(Bytes& bytes) {
  if (bytes.size() < 4) return Damaged("chunk", "no room for a checksum");
  const auto body = absl::MakeConstSpan(bytes).first(bytes.size() - 4);
  if (ByteReader(absl::MakeConstSpan(bytes).last(4)).Unsigned(4) != Fletcher32(body)) {
    return Damaged("chunk", "the checksum does not match");
  }
  bytes.resize(body.size());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ChunkTable> ChunkTable::Parse(Reader& reader, int version, ByteReader& layout,
                                             const Message* filters, const Shape& shape,
                                             uint64_t element_bytes) {
  ChunkTable table(shape, element_bytes);
  if (shape.empty()) return Damaged("data layout", "chunks of a scalar");
  if (filters != nullptr) HALITE_RETURN_IF_ERROR(table.ParseFilters(*filters));
  HALITE_RETURN_IF_ERROR(version == 3 ? table.ParseLayout3(reader, layout)
                                      : table.ParseLayout4(reader, layout));
  return table;
}

absl::Status ChunkTable::ParseFilters(const Message& message) {
  ByteReader reader(message.data);
  const uint64_t version = reader.Unsigned(1), count = reader.Unsigned(1);
  if (version < 1 || version > 2 || count > 32) {
    return Damaged("filters", absl::StrCat("version ", version, ", ", count, " filters"));
  }
  if (version == 1) reader.Skip(6);
  for (uint64_t i = 0; i < count; ++i) {
    FilterStep step;
    step.id = static_cast<uint16_t>(reader.Unsigned(2));
    const bool has_name = version == 1 || step.id >= 256;
    const uint64_t name_bytes = has_name ? reader.Unsigned(2) : 0;
    reader.Skip(2);  // flags
    const uint64_t values = reader.Unsigned(2);
    reader.Skip(version == 1 ? (name_bytes + 7) / 8 * 8 : name_bytes);
    step.element_bytes = values > 0 ? reader.Unsigned(4) : element_bytes_;
    if (values > 1) reader.Skip(4 * (values - 1));
    if (version == 1 && values % 2 != 0) reader.Skip(4);
    if (!reader.ok()) return Damaged("filters", "the message is cut");
    if (step.id < kDeflate || step.id > kFletcher32) {
      return Unsupported(absl::StrCat("filter ", step.id));
    }
    if (step.id == kShuffle && step.element_bytes == 0) {
      return Damaged("filters", "shuffle for elements of 0 bytes");
    }
    filters_.push_back(step);
  }
  return absl::OkStatus();
}

bool ChunkTable::IsCompressed() const {
  return std::any_of(filters_.begin(), filters_.end(),
                     [](const FilterStep& step) { return step.id == kDeflate; });
}

absl::Status ChunkTable::SetExtents(ByteReader& layout, int rank, size_t bytes) {
  if (rank != static_cast<int>(shape_.size()) + 1) {
    return Damaged("data layout", absl::StrCat("chunks of rank ", rank - 1));
  }
  chunk_bytes_ = element_bytes_;
  for (size_t d = 0; d < shape_.size(); ++d) {
    const uint64_t extent = layout.Unsigned(bytes);
    if (extent == 0 || extent > kMaxChunkBytes / chunk_bytes_) {
      return Damaged("data layout", absl::StrCat("chunks of extent ", extent));
    }
    chunk_bytes_ *= extent;
    extents_.push_back(static_cast<int64_t>(extent));
  }
  if (layout.Unsigned(bytes) != element_bytes_) {
    return Damaged("data layout", "chunks of other elements than the dataset's");
  }
  return absl::OkStatus();
}

absl::Status ChunkTable::ParseLayout3(Reader& reader, ByteReader& layout) {
  const int rank = static_cast<int>(layout.Unsigned(1));
  const uint64_t tree = layout.Unsigned(8);
  HALITE_RETURN_IF_ERROR(SetExtents(layout, rank, 4));
  if (!layout.ok()) return Damaged("data layout", "the message is cut");
  return tree == kUndefined ? absl::OkStatus() : ReadTree(reader, tree, -1);
}

absl::Status ChunkTable::ParseLayout4(Reader& reader, ByteReader& layout) {
  constexpr uint64_t kSingleChunk = 1;
  const uint64_t flags = layout.Unsigned(1);
  const int rank = static_cast<int>(layout.Unsigned(1));
  const size_t bytes = layout.Unsigned(1);
  if (bytes < 1 || bytes > 8) return Damaged("data layout", "extents of no size");
  HALITE_RETURN_IF_ERROR(SetExtents(layout, rank, bytes));
  if (layout.Unsigned(1) != kSingleChunk) {
    return Unsupported("the chunk index of libver='latest'");
  }
  Chunk chunk;
  for (size_t d = 0; d < shape_.size(); ++d) chunk.start.push_back(0);
  chunk.stored_bytes = chunk_bytes_;
  if ((flags & 0x02) != 0) {
    chunk.stored_bytes = layout.Unsigned(8);
    chunk.skipped_filters = static_cast<uint32_t>(layout.Unsigned(4));
  }
  chunk.address = layout.Unsigned(8);
  if (!layout.ok()) return Damaged("data layout", "the message is cut");
  if (chunk.address == kUndefined) return absl::OkStatus();
  if (!reader.file().Holds(chunk.address, chunk.stored_bytes)) {
    return Damaged("chunk", "it lies outside the file");
  }
  return AddChunk(std::move(chunk));
}

absl::Status ChunkTable::AddChunk(Chunk chunk) {
  for (size_t d = 0; d < shape_.size(); ++d) {
    if (chunk.start[d] < 0 || chunk.start[d] >= shape_[d] || chunk.start[d] % extents_[d] != 0) {
      return Damaged("chunk", absl::StrCat("it begins at ", ToString(chunk.start)));
    }
  }
  chunks_.push_back(std::move(chunk));
  return absl::OkStatus();
}

absl::Status ChunkTable::ReadTree(Reader& reader, uint64_t address, int level) {
  HALITE_ASSIGN_OR_RETURN(const TreeHead head, ReadTreeHead(reader, address, 1, level));
  // Keys (size, filter mask, start of rank + 1 numbers) and addresses take turns.
  const uint64_t entry_bytes = 8 + 8 * (shape_.size() + 1) + 8;
  HALITE_ASSIGN_OR_RETURN(
      const Bytes bytes, reader.Read(address + kTreeHeadBytes, head.entries * entry_bytes, "tree"));
  ByteReader entries(bytes);
  for (uint64_t i = 0; i < head.entries; ++i) {
    Chunk chunk;
    chunk.stored_bytes = entries.Unsigned(4);
    chunk.skipped_filters = static_cast<uint32_t>(entries.Unsigned(4));
    for (size_t d = 0; d < shape_.size(); ++d) {
      chunk.start.push_back(static_cast<int64_t>(entries.Unsigned(8)));
    }
    entries.Skip(8);
    chunk.address = entries.Unsigned(8);
    if (head.level > 0) {
      HALITE_RETURN_IF_ERROR(ReadTree(reader, chunk.address, head.level - 1));
      continue;
    }
    if (!reader.file().Holds(chunk.address, chunk.stored_bytes)) {
      return Damaged("chunk", "it lies outside the file");
    }
    HALITE_RETURN_IF_ERROR(AddChunk(std::move(chunk)));
  }
  return absl::OkStatus();
}

uint64_t ChunkTable::MaxBytes() const {
  uint64_t bytes = 0;
  for (const Chunk& chunk : chunks_) {
    bytes += chunk.stored_bytes * (IsCompressed() ? kMaxRatio : 1);
  }
  return bytes;
}

absl::StatusOr<Bytes> ChunkTable::Decode(const Chunk& chunk, Bytes bytes) const {
  for (size_t i = filters_.size(); i-- > 0;) {
    if ((chunk.skipped_filters >> i & 1) != 0) continue;
    switch (filters_[i].id) {
      case kDeflate: {
        // What was compressed may have had checksums behind it.
        HALITE_ASSIGN_OR_RETURN(bytes, Inflate(bytes, chunk_bytes_ + 4 * i));
        break;
      }
      case kShuffle:
        bytes = Unshuffle(bytes, filters_[i].element_bytes);
        break;
      default:
        HALITE_RETURN_IF_ERROR(CheckFletcher32(bytes));
    }
  }
  if (bytes.size() != chunk_bytes_) {
    return Damaged("chunk", absl::StrCat(bytes.size(), " bytes for ", chunk_bytes_));
  }
  return bytes;
}

void ChunkTable::Place(const Chunk& chunk, const Bytes& bytes, absl::Span<uint8_t> raw) const {
  const size_t rank = shape_.size();
  // The part of the chunk that lies in the dataset, row by row of the last axis.
  Shape inside(rank), at(rank, 0);
  for (size_t d = 0; d < rank; ++d) {
    inside[d] = std::min(extents_[d], shape_[d] - chunk.start[d]);
  }
  const size_t row_bytes = static_cast<size_t>(inside[rank - 1]) * element_bytes_;
  for (;;) {
    int64_t from = 0, to = 0;
    for (size_t d = 0; d < rank; ++d) {
      from = from * extents_[d] + at[d];
      to = to * shape_[d] + chunk.start[d] + at[d];
    }
    std::memcpy(raw.data() + to * static_cast<int64_t>(element_bytes_),
                bytes.data() + from * static_cast<int64_t>(element_bytes_), row_bytes);
    size_t d = rank - 1;
    while (d > 0 && ++at[d - 1] == inside[d - 1]) at[--d] = 0;
    if (d == 0) return;
  }
}

absl::Status ChunkTable::Read(Reader& reader, absl::Span<uint8_t> raw) const {
  for (const Chunk& chunk : chunks_) {
    HALITE_ASSIGN_OR_RETURN(Bytes stored, reader.Read(chunk.address, chunk.stored_bytes, "chunk"));
    HALITE_ASSIGN_OR_RETURN(const Bytes bytes, Decode(chunk, std::move(stored)));
    Place(chunk, bytes, raw);
  }
  return absl::OkStatus();
}

}  // namespace halite::hdf5
