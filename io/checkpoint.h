// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints: everything that training needs to go on bit for bit, in one HDF5 file: parameters,
// solver states, the program's random generator, positions of data iterators, and counters. Solver
// states also as files of their own, in the layout of nnabla.
//
// Layout of a checkpoint: /parameters/<name> as in parameter files,
// /solvers/<solver>/<name>/<state> as in solver files, /iterators/<iterator> with attributes,
// attributes of the root for the rest.
#ifndef HALITE_IO_CHECKPOINT_H_
#define HALITE_IO_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "halite/core/data_iterator.h"
#include "halite/core/parameter_scope.h"
#include "halite/core/random.h"
#include "halite/core/solver_state.h"
#include "halite/io/parameters_hdf5.h"

namespace halite {

struct TrainingState {
  int64_t epoch = 0;
  int64_t iteration = 0;
  // The program's generator: GetRandomState() to save, SetRandomState() after loading.
  RandomState random;
  // By names that the program chooses, without '/'.
  std::map<std::string, SolverState> solvers;
  std::map<std::string, DataIteratorState> iterators;
  // Other numbers of the program: loss scale, best error so far.
  std::map<std::string, double> numbers;
};

// Atomic: a kill at any moment leaves the old checkpoint or the new one.
absl::Status SaveCheckpoint(const std::string& path, const ParameterScope& scope,
                            const TrainingState& state);

// Reads the parameters into the scope (see LoadParameters) and returns the rest. On an error the
// scope is as it was.
absl::StatusOr<TrainingState> LoadCheckpoint(const std::string& path, const ParameterScope& scope,
                                             const LoadOptions& options = {});

// One solver's state: a group for each parameter (attribute index), with the datasets t (a scalar)
// and the state's arrays (attribute index).
absl::Status SaveSolverState(const std::string& path, const SolverState& state);
absl::StatusOr<SolverState> LoadSolverState(const std::string& path);

}  // namespace halite

#endif  // HALITE_IO_CHECKPOINT_H_
