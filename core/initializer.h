// SPDX-License-Identifier: Apache-2.0
//
// Initializers: functions that fill a new parameter. Random ones draw from the generator of the
// whole program (random.h), in the order in which parameters are created, so equal programs start
// from equal weights. Any dtype is filled; numbers are drawn as float32.
#ifndef HALITE_CORE_INITIALIZER_H_
#define HALITE_CORE_INITIALIZER_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "halite/core/nd_array.h"

namespace halite {

// Writes every element of the array. Copyable; may be called from several threads.
using Initializer = std::function<absl::Status(NdArray&)>;

Initializer ConstantInitializer(double value = 0);
// Normal numbers of mean 0 and standard deviation `sigma`.
Initializer NormalInitializer(double sigma = 1);
// Uniform numbers in [low, high).
Initializer UniformInitializer(double low = -1, double high = 1);
// Integers in [low, high), each equally likely.
Initializer UniformIntInitializer(int64_t low = 0, int64_t high = 10);
// start, start + step, start + 2 step, ... in row-major order.
Initializer RangeInitializer(double start = 0, double step = 1);
// `gain` times an orthogonal matrix: the array as [shape[0], rest] has orthonormal rows, or columns
// if it has more rows than columns (Saxe, McClelland, Ganguli: "Exact solutions to the nonlinear
// dynamics of learning in deep linear neural networks", 2013). Rank 2 at least.
Initializer OrthogonalInitializer(double gain = 1);
// A copy of `values`, which must have the parameter's size.
Initializer ValuesInitializer(NdArray values);

// Scales for weights of a layer with `inmaps` inputs and `outmaps` outputs, N and M below, and a
// kernel of K = prod(kernel) taps (none for an affine layer).
// He, Zhang, Ren, Sun: "Delving deep into rectifiers", 2015: sqrt(2 / (N K)), sqrt(2 / (M K)).
double CalcNormalStdHeForward(int64_t inmaps, int64_t outmaps,
                              absl::Span<const int64_t> kernel = {});
double CalcNormalStdHeBackward(int64_t inmaps, int64_t outmaps,
                               absl::Span<const int64_t> kernel = {});
// Glorot, Bengio: "Understanding the difficulty of training deep feedforward neural networks",
// 2010: sqrt(2 / (N K + M)), and the limit of the uniform distribution sqrt(6 / (N K + M)). M is
// not multiplied by K: the form of nnabla's C++ library and of nnabla 1.0.
double CalcNormalStdGlorot(int64_t inmaps, int64_t outmaps, absl::Span<const int64_t> kernel = {});
double CalcUniformLimGlorot(int64_t inmaps, int64_t outmaps, absl::Span<const int64_t> kernel = {});

}  // namespace halite

#endif  // HALITE_CORE_INITIALIZER_H_
