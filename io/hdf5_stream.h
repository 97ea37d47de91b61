// SPDX-License-Identifier: Apache-2.0
//
// The entries of an HDF5 file on their way from the process that reads it, which a damaged file may
// have in its hands, to the program, which believes nothing of what it receives.
//
// The stream is a row of frames: one byte kind, 8 bytes length, as many bytes. All are entries but
// the last, a status. Elements do not go through the stream if the file has them as our memory
// does: then the entry says where they are, and the program reads them there itself, in a quarter
// of the time. Others follow the entry's frame, as many as its shape and element type say.
#ifndef HALITE_IO_HDF5_STREAM_H_
#define HALITE_IO_HDF5_STREAM_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "halite/core/dtype.h"
#include "halite/core/shape.h"
#include "halite/io/child_process.h"
#include "halite/io/file.h"
#include "halite/io/hdf5_file.h"

namespace halite::hdf5 {

// Data may be larger than the file by what deflate can do, and by this much that was never written
// and reads as the fill value.
inline constexpr uint64_t kMaxDeflateRatio = 1032;
inline constexpr uint64_t kMaxFilledBytes = uint64_t{16} << 20;
// All entries without elements; the names of groups stand in the path of each object below them.
constexpr uint64_t MaxTextBytes(uint64_t file_bytes) {
  return 4 * file_bytes + (uint64_t{16} << 20);
}

// What an entry in the stream says of its array.
struct ArrayType {
  DType dtype = DType::kFloat32;
  Shape shape;
  std::optional<uint64_t> offset;  // of the elements in the file, if they are ready there
};

// `entry` has no array yet; `array` is null for a group. Elements, if any, are to follow.
void SendEntry(const Hdf5Entry& entry, const ArrayType* array, const ChildOutput& output);
void SendStatus(const absl::Status& status, const ChildOutput& output);

// The child's whole work: reads the file with libhdf5, of which it changes settings, and sends it.
// Messages name objects, not the file. UNAVAILABLE if another file has taken its path.
void SendFile(const InputFile& file, const ChildOutput& output);

// All entries that the child sends, or its status. Errors: DATA_LOSS for a stream that is not as
// above or has more than the file can hold; those of ChildProcess::Read.
absl::StatusOr<std::vector<Hdf5Entry>> ReceiveEntries(ChildProcess& child, const InputFile& file);

}  // namespace halite::hdf5

#endif  // HALITE_IO_HDF5_STREAM_H_
