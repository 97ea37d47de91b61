// SPDX-License-Identifier: Apache-2.0
//
// The tuner's command line: see docs/tuning.md.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "halite/schedules/tuner/search.h"

namespace halite {
namespace {

struct Flags {
  std::string ops, shapes, budget = "60s", set, kernels, table, plugins;
  bool list = false;
  SearchSettings search;
};

// What the build knows.
struct Kernels {
  std::vector<std::pair<std::string, std::string>> sets;  // name, Halide's target; best first
  std::vector<TunedKernel> kernels;
};

absl::StatusOr<std::vector<std::string>> ReadLines(const std::string& flag,
                                                   const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(flag, "=", path, ": a readable file needed"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

absl::StatusOr<Kernels> ReadKernels(const std::string& path) {
  const auto lines = ReadLines("--kernels", path);
  if (!lines.ok()) return lines.status();
  Kernels read;
  for (const std::string& line : *lines) {
    const std::vector<std::string> words = absl::StrSplit(line, '\t');
    if (words[0] == "set") read.sets.emplace_back(words[1], words[2]);
    if (words[0] != "kernel") continue;
    TunedKernel kernel{words[1], words[2], words[3], {}};
    for (const std::string& param : std::vector<std::string>(absl::StrSplit(words[4], ','))) {
      const std::vector<std::string> sides = absl::StrSplit(param, '=');
      if (sides.size() == 2) kernel.params[sides[0]] = sides[1];
    }
    // Without a Tunable nobody knows its arguments.
    if (Tunable::Find(kernel.generator) != nullptr) read.kernels.push_back(kernel);
  }
  return read;
}

// "90", "90s", "2m", "1h" in seconds; 0 if it is none of these.
double ParseSeconds(const std::string& text) {
  char* end;
  const double number = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  if (unit == "m") return number * 60;
  if (unit == "h") return number * 3600;
  return unit.empty() || unit == "s" ? number : 0;
}

// Picks the instruction set: the best that this machine runs, or --set.
absl::Status PickSet(const Kernels& kernels, const std::string& asked, SearchSettings& settings) {
  const Halide::Target host = Halide::get_host_target();
  std::vector<std::string> runnable;
  for (const auto& [name, target_text] : kernels.sets) {
    const Halide::Target target(target_text);
    bool runs = true;
    for (int f = 0; f < Halide::Target::FeatureEnd; ++f) {
      const auto feature = static_cast<Halide::Target::Feature>(f);
      runs = runs && (!target.has_feature(feature) || host.has_feature(feature));
    }
    if (!runs) continue;
    runnable.push_back(name);
    if ((asked.empty() && settings.set.empty()) || asked == name) {
      settings.set = name;
      settings.target = target_text;
    }
  }
  if (!settings.set.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--set=", asked, ": one of ", absl::StrJoin(runnable, ", "), " needed"));
}

// Prints what there is to tune. False if the table names what no schedule asks for.
bool List(const Kernels& kernels, const Flags& flags, const TuningTable& table) {
  const std::vector<KernelArguments> none;
  const SharedMemory memory;
  bool is_right = true;
  size_t known = 0;
  for (const TunedKernel& kernel : kernels.kernels) {
    const auto describe = [&](const std::string& target, const std::string& tuning) {
      return Child(kernel, {target, tuning}, none, memory, flags.search.time_limit).Describe();
    };
    const auto parameters = describe(flags.search.target, "");
    std::printf("%s (--op=%s or %s)\n", kernel.name.c_str(), kernel.op.c_str(),
                kernel.generator.c_str());
    if (!parameters.ok()) {
      std::printf("  does not build: %s\n", std::string(parameters.status().message()).c_str());
      is_right = false;
      continue;
    }
    for (const auto& p : *parameters) {
      if (p.candidates.empty()) continue;
      std::printf("  %-10s %8d, or %s\n", p.name.c_str(), p.default_value,
                  absl::StrJoin(p.candidates, ", ").c_str());
    }
    for (const auto& [set, target] : kernels.sets) {
      const TableEntry* entry = table.Find(set, kernel.name);
      if (entry == nullptr) continue;
      ++known;
      std::printf("  table: %s %s (%s)\n", set.c_str(), entry->tuning.c_str(), entry->note.c_str());
      const auto own = describe(target, absl::StrCat(set, "/", entry->tuning));
      for (const auto& [name, value] : ParseNumbers(entry->tuning)) {
        const bool asked = own.ok() && std::any_of(own->begin(), own->end(), [&](const auto& p) {
                             return p.name == name && p.value == value;
                           });
        if (asked) continue;
        std::printf("  error: the schedule asks for no %s\n", name.c_str());
        is_right = false;
      }
    }
  }
  if (known < table.entries().size()) {
    std::printf("error: the table has an entry whose kernel or instruction set is not here\n");
  }
  return is_right && known == table.entries().size();
}

// Shapes of the user's list, or the kernel's own.
absl::StatusOr<std::vector<KernelArguments>> ShapesFor(const TunedKernel& kernel,
                                                       const std::string& path) {
  const Tunable& tunable = *Tunable::Find(kernel.generator);
  std::vector<ShapeRow> rows = ParseShapes(tunable.shapes(), ' ');
  if (!path.empty()) {
    const auto lines = ReadLines("--shapes", path);
    if (!lines.ok()) return lines.status();
    rows = ParseShapes(*lines, '\t');
  }
  std::vector<KernelArguments> shapes;
  for (const ShapeRow& row : rows) {
    auto arguments = tunable.arguments()(row, kernel);
    if (!arguments.has_value()) continue;
    for (const auto& [name, extents] : arguments->arrays) {
      if (*std::min_element(extents.begin(), extents.end()) < 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("shapes of ", kernel.name, ": ", name, " [", absl::StrJoin(extents, ","),
                         "]: extents of at least 1 needed; columns are ", tunable.shapes()[0]));
      }
    }
    shapes.push_back(std::move(*arguments));
  }
  return shapes;
}

// Google Benchmark's table with one head for all searches.
class Reporter : public benchmark::ConsoleReporter {
 public:
  Reporter() : ConsoleReporter(OO_None) {}
  bool ReportContext(const Context& context) override {
    if (reported_) return true;
    reported_ = true;
    Context wide = context;
    wide.name_field_width = 44;
    return ConsoleReporter::ReportContext(wide);
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> named = runs;
    for (Run& run : named) run.run_name.iterations = run.run_name.time_type = "";
    ConsoleReporter::ReportRuns(named);
  }

 private:
  bool reported_ = false;
};

absl::Status Tune(const Kernels& kernels, const Flags& flags, TuningTable& table) {
  const std::vector<std::string> ops = absl::StrSplit(flags.ops, ',');
  std::vector<TunedKernel> asked;
  for (const std::string& op : ops) {
    bool is_known = false;
    for (const TunedKernel& kernel : kernels.kernels) {
      if (op != kernel.op && op != kernel.name && op != kernel.generator) continue;
      asked.push_back(kernel);
      is_known = true;
    }
    if (!is_known) {
      return absl::InvalidArgumentError(absl::StrCat("--op=", op, ": a name out of --list needed"));
    }
  }
  const double budget = ParseSeconds(flags.budget);
  if (!(budget > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--budget=", flags.budget, ": a time such as 60s, 5m or 1h needed"));
  }
  CatchInterrupt();
  Reporter reporter;
  const auto end = Search::Clock::now() + std::chrono::duration<double>(budget);
  bool found_shapes = false;
  for (size_t i = 0; i < asked.size() && !WasInterrupted(); ++i) {
    const auto shapes = ShapesFor(asked[i], flags.shapes);
    if (!shapes.ok()) return shapes.status();
    if (shapes->empty()) continue;
    found_shapes = true;
    const auto left = (end - Search::Clock::now()) / (asked.size() - i);
    const auto deadline =
        Search::Clock::now() + std::chrono::duration_cast<Search::Clock::duration>(left);
    const absl::Status status =
        Search(asked[i], *shapes, flags.search, table, reporter).Run(deadline);
    if (absl::IsCancelled(status)) break;
    if (!status.ok()) {
      return absl::InternalError(absl::StrCat(asked[i].name, ": ", status.message()));
    }
  }
  if (WasInterrupted()) std::printf("interrupted; what was found is in the table\n");
  if (found_shapes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--shapes=", flags.shapes, ": no line concerns ", flags.ops));
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "tune: %s\n", std::string(status.message()).c_str());
  return 1;
}

int Main(int argc, char** argv) {
  Flags flags;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  flags.search.threads = cores > 1 ? std::vector<int>{1, cores} : std::vector<int>{1};
  CLI::App app(
      "Times tunings of kernels and writes the fastest to the table that the build reads.");
  app.add_flag("--list", flags.list, "show what can be tuned and what the table holds");
  app.add_option("--op", flags.ops, "operators, kernels or generators of --list, comma-separated");
  app.add_option("--shapes", flags.shapes, "tab-separated list of shapes instead of the own one");
  app.add_option("--budget", flags.budget, "time for all of it: 60s, 5m, 1h")
      ->capture_default_str();
  app.add_option("--set", flags.set, "instruction set to tune for, instead of this machine's best");
  app.add_option("--threads", flags.search.threads, "numbers of threads to time with")
      ->capture_default_str()
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--margin", flags.search.margin, "how much faster a winner must be")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--time_limit", flags.search.time_limit,
                 "seconds that a candidate may take to compile or to run")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--autoscheduler", flags.search.autoscheduler,
                 "compare with Halide's autoscheduler: Adams2019");
  app.add_option("--table", flags.table, "table of tunings, below the workspace")
      ->required()
      ->take_last();
  app.add_option("--kernels", flags.kernels, "list of kernels (set by the build)")->required();
  app.add_option("--plugins", flags.search.plugin,
                 "the autoscheduler's library (set by the build)");
  CLI11_PARSE(app, argc, argv);

  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (workspace != nullptr && flags.table[0] != '/') {
    flags.table = absl::StrCat(workspace, "/", flags.table);
  }
  const char* folder = std::getenv("BUILD_WORKING_DIRECTORY");
  if (folder != nullptr && !flags.shapes.empty() && flags.shapes[0] != '/') {
    flags.shapes = absl::StrCat(folder, "/", flags.shapes);
  }
  const auto kernels = ReadKernels(flags.kernels);
  if (!kernels.ok()) return Fail(kernels.status());
  auto table = TuningTable::Read(flags.table);
  if (!table.ok()) return Fail(table.status());
  if (absl::Status s = PickSet(*kernels, flags.set, flags.search); !s.ok()) return Fail(s);
  if (flags.list) return List(*kernels, flags, *table) ? 0 : 1;
  if (flags.ops.empty()) {
    return Fail(absl::InvalidArgumentError("--op=NAME or --list needed; --help tells more"));
  }
  const absl::Status status = Tune(*kernels, flags, *table);
  return status.ok() ? 0 : Fail(status);
}

}  // namespace
}  // namespace halite

int main(int argc, char** argv) { return halite::Main(argc, argv); }
