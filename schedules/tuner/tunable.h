// SPDX-License-Identifier: Apache-2.0
//
// Tunable: says with which arguments the tuner times the kernels of a generator. One for each
// family of operators, as a static object in a file of the tuner (see halide_tuner in kernels.bzl):
//
//   const halite::Tunable kSoftsign(
//       {"softsign", "softsign_grad"}, {"n", "1000", "1000000"},
//       [](const halite::ShapeRow& row, const halite::TunedKernel&) {
//         const int n = row["n"];
//         return halite::KernelArguments{{{"x", {n}}, {"dy", {n}}, {"y", {n}}, {"dx", {n}}}};
//       });
#ifndef HALITE_SCHEDULES_TUNER_TUNABLE_H_
#define HALITE_SCHEDULES_TUNER_TUNABLE_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace halite {

// A kernel that the build makes: a line of the list that kernels.bzl writes.
struct TunedKernel {
  std::string op, name, generator;            // "convolution", "convolution_dx", "convolution_dx"
  std::map<std::string, std::string> params;  // of the generator, besides dtype and tuning
};

// One line of a tab-separated list of shapes, by column.
class ShapeRow {
 public:
  explicit ShapeRow(std::map<std::string, std::string> words) : words_(std::move(words)) {}

  // The integer in `column`; `otherwise` if there is none.
  int Get(const std::string& column, int otherwise) const;
  int operator[](const std::string& column) const { return Get(column, 0); }
  // The column holds "true".
  bool flag(const std::string& column) const;
  bool has(const std::string& column) const { return words_.count(column) != 0; }

 private:
  std::map<std::string, std::string> words_;
};

// What a kernel is called with, by the names of its arguments. Inputs are random in (0, 1); names
// that the kernel does not have are ignored.
struct KernelArguments {
  std::map<std::string, std::vector<int>> arrays = {};  // extents, innermost first
  std::map<std::string, double> scalars = {};           // 0 where nothing is said
};

class Tunable {
 public:
  // Nothing where the line does not concern the kernel.
  using Arguments =
      std::function<std::optional<KernelArguments>(const ShapeRow&, const TunedKernel&)>;

  // `shapes`: the list for which the kernels are tuned unless the user gives one: names of columns,
  // then lines, as words separated by spaces.
  Tunable(std::vector<std::string> generators, std::vector<std::string> shapes,
          Arguments arguments);

  // Null if there is none for the generator.
  static const Tunable* Find(const std::string& generator);

  const Arguments& arguments() const { return arguments_; }
  const std::vector<std::string>& shapes() const { return shapes_; }

 private:
  std::vector<std::string> generators_, shapes_;
  Arguments arguments_;
};

// Rows of `lines`, of which the first names the columns. Empty lines and comments (#) are skipped.
std::vector<ShapeRow> ParseShapes(const std::vector<std::string>& lines, char separator);

}  // namespace halite

#endif  // HALITE_SCHEDULES_TUNER_TUNABLE_H_
