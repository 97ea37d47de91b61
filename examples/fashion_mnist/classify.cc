// SPDX-License-Identifier: Apache-2.0
//
// Prints the probabilities of the ten classes for images of the Fashion-MNIST test set, by the
// network that train has saved: see README.md.
#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "examples/fashion_mnist/network.h"
#include "halite/core/status.h"
#include "halite/io/parameters_hdf5.h"
#include "halite/ops/softmax.h"

namespace {

namespace F = halite::functions;
using fashion_mnist::kClasses;
using fashion_mnist::kSide;
using halite::Variable;

// The image as characters, two for each pixel of every second row and column.
void Draw(absl::Span<const float> image) {
  static constexpr char kShades[] = " .:-=+*#%@";
  for (int y = 0; y < kSide; y += 2) {
    for (int x = 0; x < kSide; x += 2) {
      const char shade = kShades[static_cast<int>(image[y * kSide + x] * 9.99f)];
      std::printf("%c%c", shade, shade);
    }
    std::printf("\n");
  }
}

absl::Status Classify(const std::string& parameters, const std::string& data,
                      const std::vector<int64_t>& indices) {
  halite::ParameterScope scope;
  HALITE_RETURN_IF_ERROR(halite::LoadParameters(fashion_mnist::UserPath(parameters), scope));
  HALITE_ASSIGN_OR_RETURN(auto arrays, fashion_mnist::LoadData(data, "t10k"));
  HALITE_ASSIGN_OR_RETURN(const auto source, halite::MakeArrayDataSource(std::move(arrays)));
  Variable x({1, 1, kSide, kSide});
  halite::NdArray label({1, 1}, halite::DType::kInt32);
  const Variable probabilities = F::Softmax(fashion_mnist::Network(x, scope, /*train=*/false));
  for (const int64_t index : indices) {
    if (index < 0 || index >= source->size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("image ", index, ": a number below ", source->size(), " needed"));
    }
    halite::NdArray batch[] = {x.data(), label};
    HALITE_RETURN_IF_ERROR(source->Read({index}, absl::MakeSpan(batch)));
    HALITE_RETURN_IF_ERROR(probabilities.Forward({.clear_buffer = true}));
    HALITE_ASSIGN_OR_RETURN(const auto image, x.data().Read<float>());
    HALITE_ASSIGN_OR_RETURN(const auto p, probabilities.data().Read<float>());
    HALITE_ASSIGN_OR_RETURN(const auto t, label.Read<int32_t>());
    Draw(image);
    std::printf("image %lld, labelled %s\n", static_cast<long long>(index),
                fashion_mnist::kClassNames[t[0]]);
    for (int k = 0; k < kClasses; ++k) {
      std::printf("  %-12s %6.2f %%\n", fashion_mnist::kClassNames[k], 100 * p[k]);
    }
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  std::string parameters = "fashion_mnist/parameters.h5";
  std::string data = fashion_mnist::kDefaultFolder;
  std::vector<int64_t> indices = {0};
  CLI::App app("Classifies images of the Fashion-MNIST test set.");
  app.add_option("--load", parameters, "Parameters that train has saved")->capture_default_str();
  app.add_option("--data", data, "Folder of the IDX files")->capture_default_str();
  app.add_option("images", indices, "Numbers of test images")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Classify(parameters, data, indices);
  if (!status.ok()) {
    std::fprintf(stderr, "classify: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
