// SPDX-License-Identifier: Apache-2.0
//
// All of Halite. Link //:halite for it; programs that want to be small include and link what they
// use, e.g. "halite/ops/softmax.h" and //ops:softmax.
#ifndef HALITE_HALITE_H_
#define HALITE_HALITE_H_

#include "halite/core/apply.h"
#include "halite/core/context.h"
#include "halite/core/data_iterator.h"
#include "halite/core/execution_context.h"
#include "halite/core/function_def.h"
#include "halite/core/initializer.h"
#include "halite/core/memory_pool.h"
#include "halite/core/nd_array.h"
#include "halite/core/parameter_scope.h"
#include "halite/core/random.h"
#include "halite/core/status.h"
#include "halite/core/variable.h"
#include "halite/io/checkpoint.h"
#include "halite/io/data_iterator.h"
#include "halite/io/idx.h"
#include "halite/io/parameters_hdf5.h"
#include "halite/ops/activations.h"
#include "halite/ops/arithmetic.h"
#include "halite/ops/array.h"
#include "halite/ops/batch_normalization.h"
#include "halite/ops/convolution.h"
#include "halite/ops/embed.h"
#include "halite/ops/matmul.h"
#include "halite/ops/parametric_functions.h"
#include "halite/ops/pooling.h"
#include "halite/ops/random.h"
#include "halite/ops/reduce.h"
#include "halite/ops/registry.h"
#include "halite/ops/softmax.h"
#include "halite/ops/softmax_cross_entropy.h"
#include "halite/ops/top_n_error.h"
#include "halite/solvers/adam.h"
#include "halite/solvers/sgd.h"

#endif  // HALITE_HALITE_H_
