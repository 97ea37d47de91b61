// SPDX-License-Identifier: Apache-2.0
//
// SolverState: what a solver has learnt about its parameters, as plain data: for each parameter the
// number of updates t and named arrays (moments). Arrays are handles: Copy() them if the solver
// goes on while the state is kept.
#ifndef HALITE_CORE_SOLVER_STATE_H_
#define HALITE_CORE_SOLVER_STATE_H_

#include <cstdint>
#include <map>
#include <string>

#include "halite/core/nd_array.h"

namespace halite {

struct ParameterState {
  uint32_t t = 0;
  std::map<std::string, NdArray> arrays;  // "m", "v", ... of the parameter's shape
};

struct SolverState {
  // The kind of solver, e.g. "Adam"; empty in files of other programs.
  std::string solver;
  // Absent in files of other programs: 0.
  double learning_rate = 0;
  std::map<std::string, ParameterState> parameters;  // by the parameter's name
};

}  // namespace halite

#endif  // HALITE_CORE_SOLVER_STATE_H_
