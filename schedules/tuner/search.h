// SPDX-License-Identifier: Apache-2.0
//
// Search: finds the numbers with which a kernel's schedule is fastest over a list of shapes, one
// parameter after another, then in random combinations. A challenger replaces the holder if it
// gives the same results and is faster by a margin in several measurements in turn, each with
// processes of its own; then it is written to the table at once.
#ifndef HALITE_SCHEDULES_TUNER_SEARCH_H_
#define HALITE_SCHEDULES_TUNER_SEARCH_H_

#include <benchmark/benchmark.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "halite/schedules/tuner/child.h"
#include "halite/schedules/tuner/table.h"

namespace halite {

struct SearchSettings {
  std::string set, target;            // instruction set, and Halide's target
  std::vector<int> threads;           // each shape is timed with each
  double margin = 0.03;               // a winner is faster by this part at least
  int time_limit = 30;                // seconds for one thing that a candidate does
  std::string autoscheduler, plugin;  // to compare with
};

// Values that differ from a schedule's defaults.
using Numbers = std::map<std::string, int>;

// "kc:256,mr:8", and back.
std::string ToText(const Numbers& numbers);
Numbers ParseNumbers(const std::string& text);

class Search {
 public:
  using Clock = std::chrono::steady_clock;

  // All arguments outlive the object.
  Search(const TunedKernel& kernel, const std::vector<KernelArguments>& shapes,
         const SearchSettings& settings, TuningTable& table,
         benchmark::BenchmarkReporter& reporter);

  // Searches until `deadline`, or until every combination was tried. The error is one of the
  // default tuning or of the table; what is wrong with a candidate is only reported.
  absl::Status Run(Clock::time_point deadline);

 private:
  struct Case {
    size_t shape;
    int threads;
    double seconds;  // of a call with the default tuning
  };
  struct Trial {
    absl::Status status;
    double ratio = 1;            // geometric mean of the speeds, challenger to holder
    double seconds = 0;          // geometric mean of the challenger
    std::vector<double> ratios;  // of the cases; fewer if it was given up
  };

  std::unique_ptr<Child> Start(const Numbers& numbers) const;
  absl::Status StartDefault(Clock::time_point deadline);
  absl::Status StartHolder();
  void TryAll(Clock::time_point deadline);
  void CompareAutoscheduler();
  void Report(const std::string& name, const std::function<std::string(Trial&)>& run);
  // What became of the challenger.
  std::string Challenge(const Numbers& challenger, Trial& trial);
  // Are the results those of the default tuning?
  absl::Status Check(Child& challenger);
  // Times both in turn. The first look at a challenger is short and given up where there is no
  // hope.
  Trial Measure(Child& holder, Child& challenger, bool is_first);
  absl::StatusOr<std::pair<double, double>> Time(Child& holder, Child& challenger, const Case& c,
                                                 int most_pairs);
  absl::Status Write(double gain);

  const TunedKernel& kernel_;
  const std::vector<KernelArguments>& shapes_;
  const SearchSettings& settings_;
  TuningTable& table_;
  benchmark::BenchmarkReporter& reporter_;
  SharedMemory results_;
  std::vector<Tuning::Parameter> parameters_;  // those with candidates
  std::vector<Case> cases_;
  std::unique_ptr<Child> default_, holder_;
  Numbers best_;
  std::set<std::string> tried_;
};

}  // namespace halite

#endif  // HALITE_SCHEDULES_TUNER_SEARCH_H_
