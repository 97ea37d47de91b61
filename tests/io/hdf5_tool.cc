// SPDX-License-Identifier: Apache-2.0
//
// What the interoperability test asks of our reader and writer:
//   hdf5_tool write FILE                saves a known set of parameters
//   hdf5_tool dump FILE                 prints each parameter: name, need_grad, shape, values
//   hdf5_tool damage FILE COPY COUNT    reads COUNT damaged copies of FILE; prints how many were
//                                       refused, and on how many libhdf5 crashed
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>

#include "absl/strings/match.h"
#include "halite/core/parameter_scope.h"
#include "halite/io/hdf5_file.h"
#include "halite/io/parameters_hdf5.h"

namespace halite {
namespace {

absl::Status Write(const std::string& path) {
  ParameterScope scope;
  scope.GetOrCreate("conv1/conv/W", {2, 1, 3, 3}, RangeInitializer(0, 0.5));
  scope.GetOrCreate("conv1/bn/mean", {1, 2, 1, 1}, ConstantInitializer(-1), {false});
  scope.GetOrCreate("affine/b", {3}, ConstantInitializer(1e-40));
  scope.GetOrCreate("slope", {}, ConstantInitializer(0.25));
  scope.GetOrCreate("none", {0, 4}, {});
  for (int i = 0; i < 40; ++i) {
    scope.GetOrCreate("many/p" + std::to_string(i), {1}, ConstantInitializer(i));
  }
  return SaveParameters(path, scope);
}

absl::Status Dump(const std::string& path) {
  const ParameterScope scope;
  if (absl::Status status = LoadParameters(path, scope); !status.ok()) return status;
  for (const NamedParameter& parameter : scope.Parameters({false})) {
    const auto values = parameter.variable.data().ToVector<float>();
    if (!values.ok()) return values.status();
    std::cout << parameter.name << " " << parameter.variable.need_grad() << " "
              << ToString(parameter.variable.shape());
    for (float value : *values) std::printf(" %a", static_cast<double>(value));
    std::cout << std::endl;
  }
  return absl::OkStatus();
}

absl::Status Damage(const std::string& path, const std::string& copy, int count) {
  std::ifstream in(path, std::ios::binary);
  const std::string good(std::istreambuf_iterator<char>(in), {});
  std::mt19937 random(313);
  int refused = 0, crashed = 0;
  for (int i = 0; i < count; ++i) {
    std::string bytes = good;
    if (i % 4 == 0) bytes.resize(random() % bytes.size());
    for (int flips = i % 4 == 0 ? 0 : 1 << random() % 5; flips > 0; --flips) {
      // Most of a file is data; structures lie at its beginning and end.
      const size_t window = random() % 2 == 0 ? bytes.size() : std::min<size_t>(bytes.size(), 3000);
      const uint8_t values[] = {0, 255, static_cast<uint8_t>(random())};
      bytes[random() % window] = static_cast<char>(values[random() % 3]);
    }
    std::ofstream(copy, std::ios::binary).write(bytes.data(), static_cast<int64_t>(bytes.size()));
    const absl::Status status = ReadHdf5File(copy).status();
    refused += !status.ok();
    crashed += absl::StrContains(status.message(), "crashed");
  }
  std::cout << refused << " " << crashed << std::endl;
  return absl::OkStatus();
}

}  // namespace
}  // namespace halite

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  absl::Status status = absl::InvalidArgumentError("hdf5_tool write|dump|damage FILE ...");
  if (command == "write" && argc == 3) status = halite::Write(argv[2]);
  if (command == "dump" && argc == 3) status = halite::Dump(argv[2]);
  if (command == "damage" && argc == 5) {
    status = halite::Damage(argv[2], argv[3], std::atoi(argv[4]));
  }
  if (status.ok()) return 0;
  std::cerr << status << std::endl;
  return 1;
}
