// SPDX-License-Identifier: Apache-2.0
//
// Parameters as HDF5 files (.h5), in the layout of nnabla: scopes are groups, a parameter is a
// dataset with the attributes need_grad (0 or 1) and index (its place in the order of creation).
#ifndef HALITE_IO_PARAMETERS_HDF5_H_
#define HALITE_IO_PARAMETERS_HDF5_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "halite/core/parameter_scope.h"
#include "halite/io/hdf5_file.h"

namespace halite {

struct LoadOptions {
  // Parameters of the scope that the file lacks keep their values; else they are an error.
  bool allow_missing = false;
  // Parameters of the file that the scope lacks are left alone; else they are an error.
  bool allow_extra = false;
  // Parameters of the file that the scope lacks are created. Always so if the scope is empty.
  bool create_extra = false;
};

// Writes all parameters of the scope, also those without need_grad. Atomic.
absl::Status SaveParameters(const std::string& path, const ParameterScope& scope);

// Reads the file into the scope: values go into the arrays that exist (converted to their element
// type; graphs and views see them), which keep their need_grad; new parameters are created as
// float32 in the file's order, with need_grad of the file, true if it says nothing. On an error,
// which names everything that is missing, extra or of another shape, the scope is as it was.
absl::Status LoadParameters(const std::string& path, const ParameterScope& scope,
                            const LoadOptions& options = {});

// The same as lists of entries, for files that hold more: names begin with `prefix`, a group
// ("parameters/", or empty). `origin` is the file's name, for messages.
absl::Status AppendParameters(const ParameterScope& scope, const std::string& prefix,
                              std::vector<Hdf5Entry>& entries);
absl::Status LoadParameters(absl::Span<const Hdf5Entry> entries, const std::string& prefix,
                            const std::string& origin, const ParameterScope& scope,
                            const LoadOptions& options);

}  // namespace halite

#endif  // HALITE_IO_PARAMETERS_HDF5_H_
