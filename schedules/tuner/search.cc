// SPDX-License-Identifier: Apache-2.0
#include "halite/schedules/tuner/search.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace halite {
namespace {

constexpr double kSample = 2e-3;    // seconds of one timing at least
constexpr int kFirstPairs = 12;     // timings of each side at most, at the first look
constexpr int kPairs = 40;          // and to confirm it
constexpr double kHopeless = 0.85;  // ratio at which a measurement is given up
constexpr double kWorstCase = 0.9;  // a winner is nowhere slower than this in every measurement

using Clock = Search::Clock;

double SecondsLeft(Clock::time_point deadline) {
  return std::chrono::duration<double>(deadline - Clock::now()).count();
}

// The least and the second least of a row of times. Others' work on the machine only adds to a
// time.
struct Least {
  double first = INFINITY, second = INFINITY;

  void Add(double seconds) {
    second = std::min(second, std::max(first, seconds));
    first = std::min(first, seconds);
  }
  bool settled() const { return std::isfinite(second) && second <= 1.01 * first; }
};

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      std::string name = line.substr(colon + 2);
      std::erase_if(name, [](char c) { return c == '"' || c == '\\'; });
      return name;
    }
  }
  return "unknown CPU";
}

std::string NameOf(const Numbers& numbers) {
  return numbers.empty() ? "the defaults" : ToText(numbers);
}

}  // namespace

std::string ToText(const Numbers& numbers) {
  return absl::StrJoin(numbers, ",", absl::PairFormatter(":"));
}

Numbers ParseNumbers(const std::string& text) {
  Numbers numbers;
  for (const std::string& pair : std::vector<std::string>(absl::StrSplit(text, ','))) {
    const std::vector<std::string> words = absl::StrSplit(pair, ':');
    int value;
    if (words.size() == 2 && absl::SimpleAtoi(words[1], &value)) numbers[words[0]] = value;
  }
  return numbers;
}

Search::Search(const TunedKernel& kernel, const std::vector<KernelArguments>& shapes,
               const SearchSettings& settings, TuningTable& table,
               benchmark::BenchmarkReporter& reporter)
    : kernel_(kernel), shapes_(shapes), settings_(settings), table_(table), reporter_(reporter) {}

absl::Status Search::Run(Clock::time_point deadline) {
  absl::Status status = StartDefault(deadline);
  if (!status.ok()) return status;
  if (!settings_.autoscheduler.empty()) CompareAutoscheduler();
  if (parameters_.empty()) return absl::OkStatus();
  status = StartHolder();
  if (!status.ok()) return status;
  const Numbers before = best_;
  TryAll(deadline);
  if (best_ == before) {
    std::printf("%s, %s: %s stay%s\n", kernel_.name.c_str(), settings_.set.c_str(),
                NameOf(best_).c_str(), best_.empty() ? "" : "s");
  }
  return absl::OkStatus();
}

std::unique_ptr<Child> Search::Start(const Numbers& numbers) const {
  const std::string tuning =
      numbers.empty() ? "" : absl::StrCat(settings_.set, "/", ToText(numbers));
  return std::make_unique<Child>(kernel_, Candidate{settings_.target, tuning}, shapes_, results_,
                                 settings_.time_limit);
}

// Compiles the default tuning and picks the cases: all, or as many as can be measured ten times.
absl::Status Search::StartDefault(Clock::time_point deadline) {
  default_ = Start({});
  auto parameters = default_->Describe();
  if (!parameters.ok()) return parameters.status();
  for (Tuning::Parameter& p : *parameters) {
    if (!p.candidates.empty()) parameters_.push_back(std::move(p));
  }
  if (absl::Status status = default_->Compile(); !status.ok()) return status;
  double cost = 0;
  for (size_t shape = 0; shape < shapes_.size(); ++shape) {
    for (int threads : settings_.threads) {
      const auto seconds = default_->Run(shape, 1, threads);
      if (!seconds.ok()) return seconds.status();
      cases_.push_back({shape, threads, *seconds});
      cost += 6 * std::max(kSample, *seconds);
    }
  }
  const size_t all = cases_.size();
  const double part = std::max(SecondsLeft(deadline), 1.) / 10 / cost;
  if (part >= 1) return absl::OkStatus();
  const auto kept = std::max<size_t>(1, static_cast<size_t>(part * static_cast<double>(all)));
  std::vector<Case> some;
  for (size_t i = 0; i < kept; ++i) some.push_back(cases_[(2 * i + 1) * all / (2 * kept)]);
  cases_ = some;
  std::printf("%s: %d of %d cases, evenly picked; a longer --budget takes more\n",
              kernel_.name.c_str(), static_cast<int>(kept), static_cast<int>(all));
  return absl::OkStatus();
}

// The holder is the table's entry, if the schedule still asks for its numbers and the results are
// right.
absl::Status Search::StartHolder() {
  const TableEntry* entry = table_.Find(settings_.set, kernel_.name);
  if (entry != nullptr) best_ = ParseNumbers(entry->tuning);
  holder_ = Start(best_);
  absl::Status status = holder_->Compile();
  if (best_.empty()) return status;
  for (const auto& [name, value] : best_) {
    const bool is_asked = std::any_of(parameters_.begin(), parameters_.end(),
                                      [&, &n = name](const auto& p) { return p.name == n; });
    if (!is_asked) status = absl::NotFoundError(absl::StrCat("the schedule asks for no ", name));
  }
  if (status.ok()) status = Check(*holder_);
  if (status.ok() || absl::IsCancelled(status)) return status;
  std::printf("%s, %s: the table's %s is broken (%s) and leaves it\n", kernel_.name.c_str(),
              settings_.set.c_str(), ToText(best_).c_str(), std::string(status.message()).c_str());
  best_.clear();
  holder_ = Start(best_);
  status = holder_->Compile();
  return status.ok() ? Write(1) : status;
}

void Search::TryAll(Clock::time_point deadline) {
  // However short the time, one challenger has its turn.
  int attempts = 0;
  const auto ended = [&] {
    return WasInterrupted() || (attempts > 0 && SecondsLeft(deadline) <= 0);
  };
  // False if the challenger is broken.
  const auto attempt = [&](const Numbers& challenger) {
    if (ended() || !tried_.insert(ToText(challenger)).second) return true;
    ++attempts;
    bool is_right = true;
    Report(challenger.empty() ? "defaults" : ToText(challenger), [&](Trial& trial) {
      const std::string label = Challenge(challenger, trial);
      is_right = trial.status.ok();
      return label;
    });
    return is_right;
  };
  // The default is not noted.
  const auto with = [](Numbers numbers, const Tuning::Parameter& p, int value) {
    numbers[p.name] = value;
    if (value == p.default_value) numbers.erase(p.name);
    return numbers;
  };
  tried_.insert(ToText(best_));
  attempt({});
  for (Numbers before = {{"", 0}}; before != best_ && !ended();) {
    before = best_;
    for (Tuning::Parameter& p : parameters_) {
      attempt(with(best_, p, p.default_value));
      // A value that breaks the best tuning is not tried in others.
      std::erase_if(p.candidates, [&](int value) { return !attempt(with(best_, p, value)); });
    }
  }
  std::mt19937 random;  // the same combinations in each run
  // Drawing in vain so often means that nearly all combinations were tried.
  for (int vain = 0; vain < 100 && !ended(); ++vain) {
    Numbers challenger;
    for (const auto& p : parameters_) {
      const size_t i = random() % (p.candidates.size() + 1);
      challenger = with(challenger, p, i == 0 ? p.default_value : p.candidates[i - 1]);
    }
    if (tried_.count(ToText(challenger)) != 0) continue;
    attempt(challenger);
    vain = 0;
  }
}

// Runs one candidate as a benchmark, whose line says what became of it.
void Search::Report(const std::string& name, const std::function<std::string(Trial&)>& run) {
  benchmark::ClearRegisteredBenchmarks();
  const std::string full = absl::StrCat(kernel_.name, "/", name);
  benchmark::RegisterBenchmark(
      full.c_str(),
      [&](benchmark::State& state) {
        Trial trial;
        const std::string label = run(trial);
        if (!trial.status.ok()) {
          return state.SkipWithError(std::string(trial.status.message()).c_str());
        }
        for (auto _ : state) state.SetIterationTime(trial.seconds);
        state.counters["ratio"] = trial.ratio;
        state.SetLabel(label);
      })
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMicrosecond);
  benchmark::RunSpecifiedBenchmarks(&reporter_);
}

// Such a schedule is made for the extents of one shape and wrong for smaller ones: it is compared
// on that shape alone.
void Search::CompareAutoscheduler() {
  const std::vector<Case> all = cases_;
  const size_t shape = all[all.size() / 2].shape;
  std::erase_if(cases_, [&](const Case& c) { return c.shape != shape; });
  Report(settings_.autoscheduler, [&](Trial& trial) {
    const Candidate candidate = {settings_.target, "", settings_.autoscheduler, settings_.plugin,
                                 shape};
    Child child(kernel_, candidate, shapes_, results_, settings_.time_limit);
    trial.status = child.Compile();
    if (trial.status.ok()) trial.status = Check(child);
    if (trial.status.ok()) trial = Measure(*default_, child, /*is_first=*/false);
    return "beside the schedule's defaults; never written";
  });
  cases_ = all;
}

std::string Search::Challenge(const Numbers& numbers, Trial& trial) {
  auto challenger = Start(numbers);
  trial.status = challenger->Compile();
  if (trial.status.ok()) trial.status = Check(*challenger);
  if (!trial.status.ok()) return "";
  trial = Measure(*holder_, *challenger, /*is_first=*/true);
  if (!trial.status.ok()) return "";
  const double enough = 1 + settings_.margin;
  if (trial.ratios.size() < cases_.size()) return "slower";
  if (trial.ratio < enough) return trial.ratio < 1 / enough ? "slower" : "no faster";
  for (const bool holder_first : {false, true}) {
    // Other processes, started in another order: where code and data lie in memory changes times.
    std::unique_ptr<Child> first = Start(holder_first ? best_ : numbers);
    std::unique_ptr<Child> second = Start(holder_first ? numbers : best_);
    Child& holder = holder_first ? *first : *second;
    Child& other = holder_first ? *second : *first;
    trial.status = holder.Compile();
    if (trial.status.ok()) trial.status = other.Compile();
    if (!trial.status.ok()) return "";
    const Trial again = Measure(holder, other, /*is_first=*/false);
    if (trial.status = again.status; !trial.status.ok()) return "";
    trial.ratio = std::min(trial.ratio, again.ratio);
    for (size_t c = 0; c < cases_.size(); ++c) {
      trial.ratios[c] = std::max(trial.ratios[c], again.ratios[c]);
    }
    if (trial.ratio < enough) return "faster once, not again";
  }
  if (*std::min_element(trial.ratios.begin(), trial.ratios.end()) < kWorstCase) {
    return "faster, but much slower in one case";
  }
  const double gain =
      best_.empty() ? trial.ratio : Measure(*default_, *challenger, /*is_first=*/true).ratio;
  best_ = numbers;
  holder_ = std::move(challenger);
  trial.status = Write(gain);
  return "written to the table";
}

absl::Status Search::Check(Child& challenger) {
  for (size_t i = 0; i < cases_.size(); ++i) {
    const size_t shape = cases_[i].shape;
    if (i > 0 && cases_[i - 1].shape == shape) continue;
    absl::Status status = default_->Publish(shape);
    if (status.ok()) status = challenger.Compare(shape);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

Search::Trial Search::Measure(Child& holder, Child& challenger, bool is_first) {
  Trial trial;
  double log_ratio = 0, log_seconds = 0;
  for (size_t i = 0; i < cases_.size(); ++i) {
    const auto times = Time(holder, challenger, cases_[i], is_first ? kFirstPairs : kPairs);
    if (trial.status = times.status(); !trial.status.ok()) return trial;
    trial.ratios.push_back(times->first / times->second);
    log_ratio += std::log(trial.ratios.back());
    log_seconds += std::log(times->second);
    const auto n = static_cast<double>(trial.ratios.size());
    trial.ratio = std::exp(log_ratio / n);
    trial.seconds = std::exp(log_seconds / n);
    if (is_first && i > 2 && trial.ratio < kHopeless) break;
  }
  return trial;
}

absl::StatusOr<std::pair<double, double>> Search::Time(Child& holder, Child& challenger,
                                                       const Case& c, int most_pairs) {
  const int runs = static_cast<int>(std::clamp(kSample / c.seconds, 1., 10000.));
  Least least[2];
  for (int i = 0; i < most_pairs && !(least[0].settled() && least[1].settled()); ++i) {
    for (int k = 0; k < 2; ++k) {
      const int side = (i + k) % 2;
      const auto seconds = (side == 0 ? holder : challenger).Run(c.shape, runs, c.threads);
      if (!seconds.ok()) return seconds.status();
      least[side].Add(*seconds);
    }
  }
  return std::make_pair(least[0].first, least[1].first);
}

absl::Status Search::Write(double gain) {
  table_.Set({settings_.set, kernel_.name, ToText(best_),
              absl::StrFormat("%.2f times as fast as the defaults, %d cases, %s", gain,
                              cases_.size(), CpuName())});
  return table_.Write();
}

}  // namespace halite
