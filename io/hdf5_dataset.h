// SPDX-License-Identifier: Apache-2.0
//
// The data and attributes of one HDF5 object.
#ifndef HALITE_IO_HDF5_DATASET_H_
#define HALITE_IO_HDF5_DATASET_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halite/core/nd_array.h"
#include "halite/io/hdf5_file.h"
#include "halite/io/hdf5_reader.h"

namespace halite::hdf5 {

// Memory for the data is allocated once the file has been found to hold it: compressed data at most
// at zlib's best ratio, and at most 16 MiB that stand nowhere in the file (fill values).
absl::StatusOr<NdArray> ReadDataset(Reader& reader, const Object& object);

// Attributes of other types and sizes than Hdf5Attribute are skipped.
absl::StatusOr<std::map<std::string, Hdf5Attribute>> ReadAttributes(const Object& object);

}  // namespace halite::hdf5

#endif  // HALITE_IO_HDF5_DATASET_H_
