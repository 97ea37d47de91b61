// SPDX-License-Identifier: Apache-2.0
//
// HDF5 files as lists of named arrays: the layer below parameter files, solver states and
// checkpoints. Reader and writer are our own, for the subset of the format that such files use:
// libhdf5 crashes on damaged files (version 1.10.8: 4 of 3000 random byte flips end in a
// segmentation fault), is not thread-safe, and would be the largest part of a small program.
//
// Read (HDF5 File Format Specification 3.0): superblocks 0 to 3, object headers 1 and 2, groups as
// symbol tables or compact links, contiguous, compact and chunked data (gzip, shuffle, fletcher32),
// integers, enums and binary floating point of any size and byte order. That is what h5py and
// libhdf5 write by default. Not read, with an UNIMPLEMENTED status that says so: soft and external
// links, hard links to what has a name already, external and virtual storage, compound and other
// types, other filters, and the indexes of libver='latest' for groups of more than 8 members and
// for chunks.
// Written: superblock 2 (any HDF5 since 1.8 reads it), contiguous little-endian data.
//
// Files are untrusted: each size is checked against the file before memory is allocated. Errors
// name the file and the object. Thread-safe.
#ifndef HALITE_IO_HDF5_FILE_H_
#define HALITE_IO_HDF5_FILE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "halite/core/nd_array.h"

namespace halite {

// Scalars, or strings of at most 32 KiB. Attributes of other types and shapes are skipped on
// reading; enums (h5py writes bool as one) are integers.
using Hdf5Attribute = std::variant<int32_t, int64_t, double, std::string>;

struct Hdf5Entry {
  // Names joined by '/', without one in front: "conv1/W". Empty for the root group.
  std::string path;
  // A dataset; without it a group.
  std::optional<NdArray> array;
  std::map<std::string, Hdf5Attribute> attributes;

  // The attribute as an integer, if it is there and is one of either size.
  std::optional<int64_t> Integer(const std::string& name) const;
};

// Writes the file atomically: whatever happens, `path` holds the old file or the new one. Groups
// above a path need no entry of their own. Element types are kept.
absl::Status WriteHdf5File(const std::string& path, absl::Span<const Hdf5Entry> entries);

// All groups and datasets, a group before its members. Integers of 8 bits without sign become u8,
// others of up to 32 bits i32 (without sign: up to 16), larger ones i64; half precision f32.
absl::StatusOr<std::vector<Hdf5Entry>> ReadHdf5File(const std::string& path);

}  // namespace halite

#endif  // HALITE_IO_HDF5_FILE_H_
