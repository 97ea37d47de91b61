// SPDX-License-Identifier: Apache-2.0
//
// HDF5 files as lists of named arrays: the layer below parameter files, solver states and
// checkpoints. libhdf5 reads and writes them.
//
// Files are untrusted, and libhdf5 (1.10.8) crashes on one damaged file in a few hundred, and runs
// without end on one in some thousands. So a file is read in a process of its own: what happens
// there is a DATA_LOSS status here, or RESOURCE_EXHAUSTED once the process has used up its time,
// 4 s and 4 s for each MiB of the file. Memory is bounded by what the file can hold: its size,
// 1032 times where it is compressed, and 16 MiB of parts that were never written.
//
// Read: all that libhdf5 reads, but no other file. Refused, with an UNIMPLEMENTED status that says
// so: soft and external links, hard links to what has a name already, external and virtual storage,
// arrays that are not of integers, enums or floating point of up to 8 bytes, filters that are not
// part of the library, more than 32 groups inside each other.
// Written: the format of HDF5 1.8, contiguous data, no times: the same entries give the same bytes.
// The file is put together in memory, which takes its size once more.
//
// Errors name the file and the object. Thread-safe; a program that uses libhdf5 itself must not
// call it in another thread meanwhile, nor have the same file open with it.
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

// Scalars, or strings of at most 32 KiB, of fixed or variable length. Attributes of other types,
// shapes and sizes are skipped on reading; enums (h5py writes bool as one) are integers.
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

// All groups and datasets, a group before its members, which come in the order of creation if the
// file knows it (ours do) and by name if not. Integers of 8 bits without sign become u8, others of
// up to 32 bits i32 (without sign: up to 16), larger ones i64; half precision f32.
absl::StatusOr<std::vector<Hdf5Entry>> ReadHdf5File(const std::string& path);

}  // namespace halite

#endif  // HALITE_IO_HDF5_FILE_H_
