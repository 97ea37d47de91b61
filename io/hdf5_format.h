// SPDX-License-Identifier: Apache-2.0
//
// What reader and writer share of the HDF5 file format (HDF5 File Format Specification 3.0):
// numbers of messages and classes, and the checksum.
#ifndef HALITE_IO_HDF5_FORMAT_H_
#define HALITE_IO_HDF5_FORMAT_H_

#include <cstdint>

#include "absl/types/span.h"

namespace halite::hdf5 {

inline constexpr uint8_t kSignature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
// The address of what is not in the file.
inline constexpr uint64_t kUndefined = UINT64_MAX;

// Groups inside groups that we follow.
inline constexpr int kMaxDepth = 32;

// Messages of object headers.
enum MessageType : uint16_t {
  kDataspace = 0x0001,
  kLinkInfo = 0x0002,
  kDatatype = 0x0003,
  kFillValue = 0x0005,
  kLink = 0x0006,
  kExternalFiles = 0x0007,
  kDataLayout = 0x0008,
  kGroupInfo = 0x000A,
  kFilterPipeline = 0x000B,
  kAttribute = 0x000C,
  kContinuation = 0x0010,
  kSymbolTable = 0x0011,
  kAttributeInfo = 0x0015,
};

// The message is stored elsewhere.
inline constexpr uint8_t kSharedMessage = 0x02;

enum DatatypeClass : uint8_t { kFixedPoint = 0, kFloatingPoint = 1, kString = 3, kEnum = 8 };

enum LayoutClass : uint8_t { kCompact = 0, kContiguous = 1, kChunked = 2 };

enum Filter : uint16_t { kDeflate = 1, kShuffle = 2, kFletcher32 = 3 };

// Jenkins' lookup3 "hashlittle" with initial value 0: the checksum of newer structures.
uint32_t Checksum(absl::Span<const uint8_t> bytes);
// The checksum of the fletcher32 filter.
uint32_t Fletcher32(absl::Span<const uint8_t> bytes);

}  // namespace halite::hdf5

#endif  // HALITE_IO_HDF5_FORMAT_H_
