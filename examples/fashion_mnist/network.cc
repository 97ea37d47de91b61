// SPDX-License-Identifier: Apache-2.0
#include "examples/fashion_mnist/network.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/idx.h"
#include "halite/ops/activations.h"
#include "halite/ops/parametric_functions.h"
#include "halite/ops/pooling.h"
#include "halite/ops/random.h"

namespace fashion_mnist {

namespace F = halite::functions;
namespace PF = halite::parametric_functions;
using halite::NdArray;
using halite::ParameterScope;
using halite::Variable;

const char* const kClassNames[kClasses] = {"T-shirt/top", "trouser",   "pullover", "dress",
                                           "coat",        "sandal",    "shirt",    "sneaker",
                                           "bag",         "ankle boot"};

Variable Network(const Variable& x, const ParameterScope& scope, bool train) {
  Variable h = F::Relu(PF::Convolution(x, 16, {5, 5}, scope["conv1"], {.pad = {2, 2}}));
  h = F::MaxPooling(h, {2, 2});
  h = F::Relu(PF::Convolution(h, 32, {3, 3}, scope["conv2"], {.pad = {1, 1}}));
  h = F::MaxPooling(h, {2, 2});
  h = F::Relu(PF::Convolution(h, 64, {3, 3}, scope["conv3"]));
  h = F::Relu(PF::Affine(h, 128, scope["affine4"]));
  if (train) h = F::Dropout(h, 0.25);
  return PF::Affine(h, kClasses, scope["affine5"]);
}

absl::StatusOr<std::vector<halite::SourceArray>> LoadData(const std::string& folder,
                                                          const std::string& part) {
  HALITE_ASSIGN_OR_RETURN(const NdArray images, halite::ReadIdx(absl::StrCat(
                                                    folder, "/", part, "-images-idx3-ubyte.gz")));
  HALITE_ASSIGN_OR_RETURN(
      NdArray labels, halite::ReadIdx(absl::StrCat(folder, "/", part, "-labels-idx1-ubyte.gz")));
  if (images.rank() != 3 || images.shape()[1] != kSide || images.shape()[2] != kSide ||
      labels.rank() != 1 || labels.size() != images.shape()[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": images ", halite::ToString(images.shape()), " and labels ",
                     halite::ToString(labels.shape()), ": [n,28,28] and [n] needed"));
  }
  const int64_t n = images.shape()[0];
  HALITE_ASSIGN_OR_RETURN(NdArray x, images.Reshape({n, 1, kSide, kSide}));
  HALITE_ASSIGN_OR_RETURN(NdArray t, labels.Reshape({n, 1}));
  return std::vector<halite::SourceArray>{{x, "x", halite::DType::kFloat32, 1. / 255},
                                          {t, "label", halite::DType::kInt32, 1}};
}

std::string UserPath(const std::string& path) {
  const char* folder = std::getenv("BUILD_WORKING_DIRECTORY");
  return folder == nullptr || path.empty() || path[0] == '/' ? path
                                                             : absl::StrCat(folder, "/", path);
}

}  // namespace fashion_mnist
