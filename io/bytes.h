// SPDX-License-Identifier: Apache-2.0
//
// ByteReader and ByteWriter: little-endian numbers in untrusted and in new bytes.
#ifndef HALITE_IO_BYTES_H_
#define HALITE_IO_BYTES_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace halite {

// Reads numbers one after another. Reading past the end gives zeros and makes ok() false for good,
// so that one check at the end of a structure is enough.
class ByteReader {
 public:
  explicit ByteReader(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  // An unsigned number of 0 to 8 bytes.
  uint64_t Unsigned(size_t size) {
    uint64_t value = 0;
    const absl::Span<const uint8_t> bytes = Bytes(size);
    for (size_t i = 0; i < bytes.size(); ++i) value |= uint64_t{bytes[i]} << (8 * i);
    return value;
  }
  // `size` bytes; none if there are fewer.
  absl::Span<const uint8_t> Bytes(uint64_t size) {
    if (size > remaining()) {
      ok_ = false;
      position_ = bytes_.size();
      return {};
    }
    const absl::Span<const uint8_t> result = bytes_.subspan(position_, size);
    position_ += size;
    return result;
  }
  void Skip(uint64_t size) { Bytes(size); }

 private:
  absl::Span<const uint8_t> bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

class ByteWriter {
 public:
  void Unsigned(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  void Bytes(absl::Span<const uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void Text(absl::string_view text) { bytes_.insert(bytes_.end(), text.begin(), text.end()); }

  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace halite

#endif  // HALITE_IO_BYTES_H_
