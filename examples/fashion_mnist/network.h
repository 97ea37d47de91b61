// SPDX-License-Identifier: Apache-2.0
//
// The network and the data of the Fashion-MNIST example.
#ifndef HALITE_EXAMPLES_FASHION_MNIST_NETWORK_H_
#define HALITE_EXAMPLES_FASHION_MNIST_NETWORK_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "halite/core/parameter_scope.h"
#include "halite/core/variable.h"
#include "halite/io/data_source.h"

namespace fashion_mnist {

inline constexpr int kSide = 28;
inline constexpr int kClasses = 10;

// Names of the classes, by label.
extern const char* const kClassNames[kClasses];

// x [n, 1, 28, 28] in [0, 1] -> scores [n, 10]. Three convolutions with pooling, then two affine
// layers; `train` adds dropout.
halite::Variable Network(const halite::Variable& x, const halite::ParameterScope& scope,
                         bool train);

// Images [n, 1, 28, 28] (bytes, scaled to [0, 1] in batches) and labels [n, 1] (int32) from the
// IDX files "<part>-images-idx3-ubyte.gz" and "<part>-labels-idx1-ubyte.gz" in `folder`; `part` is
// "train" or "t10k".
absl::StatusOr<std::vector<halite::SourceArray>> LoadData(const std::string& folder,
                                                          const std::string& part);

// Where Debian's package dataset-fashion-mnist puts the files.
inline constexpr char kDefaultFolder[] = "/usr/share/datasets/fashion-mnist";

// A path given on the command line: relative to the folder in which `bazel run` was called.
std::string UserPath(const std::string& path);

}  // namespace fashion_mnist

#endif  // HALITE_EXAMPLES_FASHION_MNIST_NETWORK_H_
