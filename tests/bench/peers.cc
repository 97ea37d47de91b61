// SPDX-License-Identifier: Apache-2.0
//
// Halite and its peers in turn on the same data, each in a process of its own (side.h):
//   ./bazelw run //tests/bench:peers -- [--threads=1,2] [--shapes=FILE] [--json=FILE] [--once]
//       [--torch=PYTHON] [--seconds=S] [--isa=avx2] [Google Benchmark's flags]
// For each case the time of Halite, its speed, its per cent of what this machine was measured to do
// at the start, the speed of the fastest peer on plain arrays and the ratio of both (above 1 where
// Halite is faster). The peers are oneDNN, plain C++ loops for what it does not have, and PyTorch,
// of each the fastest of its ways; "blocked" is oneDNN's best format with no conversion counted.
// Results are compared before. All are timed in turn, and the fastest tenth of the rounds counts.
//   --json     appends one object a line, as soon as it is known
//   --once     each way once, untimed but for that
//   --torch    a Python that has PyTorch
//   --seconds  of measurement, for each case, shared by the sides; default 0.6
//   --isa      sse41, avx2 or avx512: limits Halite, oneDNN and PyTorch; Halite must be built for
//              it (--//schedules:instruction_sets=zen4,avx2,sse41)
// Ends with status 1 if a case failed.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "halite/core/execution_context.h"
#include "halite/core/instruction_set.h"
#include "halite/core/status.h"
#include "tests/bench/peak.h"
#include "tests/bench/side.h"
#include "tests/bench/ways.h"

namespace halite::bench {
namespace {

struct Settings {
  std::vector<int> threads = {1};
  std::string shapes, json, torch, isa;
  double seconds = 0.6;
  bool once = false;
  std::string program;
};

// One way of one side.
struct Entrant {
  Side* side = nullptr;
  size_t way = 0;
  std::string name;  // "oneDNN direct"
  bool is_blocked = false;
  double rough = 0;             // seconds, the least so far
  std::vector<double> seconds;  // of each round
};

// How two results differ by more than the rounding of float32 sums.
absl::Status Compare(absl::Span<const float> own, absl::Span<const float> peer,
                     const std::string& name) {
  if (own.size() != peer.size()) {
    return absl::InternalError(
        absl::StrFormat("Halite has %d elements, %s %d", own.size(), name, peer.size()));
  }
  float scale = 1e-3f;
  for (float value : peer) scale = std::max(scale, std::abs(value));
  for (size_t i = 0; i < own.size(); ++i) {
    if (std::abs(own[i] - peer[i]) <= 2e-3f * scale) continue;
    return absl::InternalError(
        absl::StrFormat("element %d: Halite %g, %s %g", i, own[i], name, peer[i]));
  }
  return absl::OkStatus();
}

class Runner {
 public:
  Runner(const Settings& settings, std::FILE* json) : settings_(settings), json_(json) {
    for (int threads : settings.threads) {
      peaks_.push_back(MeasurePeak(threads));
      std::printf("this machine, %d threads: %.0f GFLOP/s (FMA loop), %.1f GB/s (triad)\n", threads,
                  peaks_.back().gflops, peaks_.back().gigabytes);
    }
  }

  void Register(const std::vector<PeerCase>& cases) {
    for (const PeerCase& test : cases) {
      for (size_t t = 0; t < settings_.threads.size(); ++t) {
        const std::string name =
            absl::StrCat(test.family, "/", test.name, "/threads:", settings_.threads[t]);
        const auto run = [this, &test, t](benchmark::State& state) {
          if (const absl::Status status = Run(test, t, state); !status.ok()) {
            state.SkipWithError(std::string(status.message()).c_str());
            has_failed_ = true;
          }
        };
        benchmark::RegisterBenchmark(name.c_str(), run)
            ->UseManualTime()
            ->Iterations(1)
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }

  bool has_failed() const { return has_failed_; }

 private:
  absl::Status Run(const PeerCase& test, size_t t, benchmark::State& state) {
    const int threads = settings_.threads[t];
    const Clock clock = threads == 1 ? Clock::kCpu : Clock::kWall;
    SetNumThreads(threads);  // of the forks
    Side own("Halite", memory_, [&] { return HaliteWays(test); });
    Side onednn("oneDNN", memory_, [&] { return OnednnWays(test, threads); });
    Side loops("loop", memory_, [&] { return LoopWays(test); });
    HALITE_RETURN_IF_ERROR(own.Ask("").status());
    std::vector<std::pair<Side*, std::string>> peers;
    if (!settings_.torch.empty()) {
      HALITE_RETURN_IF_ERROR(own.Result(1, memory_).status());  // the data, for PyTorch to take
      if (torch_ == nullptr || torch_->has_ended()) torch_ = StartTorch();
      HALITE_ASSIGN_OR_RETURN(peers.emplace_back(torch_.get(), "").second,
                              torch_->Ask(Json(test, threads)));
    }
    for (Side* side : {&loops, &onednn}) {
      HALITE_ASSIGN_OR_RETURN(peers.emplace_back(side, "").second, side->Ask(""));
    }
    std::vector<float> expected;
    std::vector<Entrant> entrants;
    HALITE_RETURN_IF_ERROR(Enter(own, "Halite", clock, expected, entrants));
    for (const auto& [side, ways] : peers) {
      HALITE_RETURN_IF_ERROR(Enter(*side, ways, clock, expected, entrants));
    }
    if (entrants.size() == 1) return absl::NotFoundError("no peer");
    HALITE_RETURN_IF_ERROR(TimeAll(clock, entrants));
    for (auto _ : state) Report(test, t, entrants, state);
    return absl::OkStatus();
  }

  std::unique_ptr<Side> StartTorch() const {
    setenv("OMP_PROC_BIND", "true", 1);  // a processor for each thread, as oneDNN's have
    const std::string script = settings_.program + ".runfiles/halite/tests/bench/torch_side.py";
    return std::make_unique<Side>(
        "PyTorch",
        std::vector<std::string>{settings_.torch, script, absl::StrCat(memory_.descriptor())});
  }

  // Adds the side's fastest way, and the blocked one, once their results were compared. The first
  // side's are what is expected.
  absl::Status Enter(Side& side, const std::string& names, Clock clock,
                     std::vector<float>& expected, std::vector<Entrant>& entrants) {
    Entrant best;
    const std::vector<std::string> ways = absl::StrSplit(names, ' ', absl::SkipEmpty());
    for (size_t way = 0; way < ways.size(); ++way) {
      Entrant entrant;
      entrant.side = &side;
      entrant.way = way;
      entrant.name = ways[way];
      if (ways.size() > 1 || ways[way] != side.name()) {
        entrant.name = absl::StrCat(side.name(), " ", ways[way]);
      }
      HALITE_ASSIGN_OR_RETURN(const double first, side.Seconds(way, 1, clock));
      HALITE_ASSIGN_OR_RETURN(const auto result, side.Result(way, memory_));
      if (entrants.empty()) {
        expected.assign(result.begin(), result.end());
      } else if (!result.empty()) {
        HALITE_RETURN_IF_ERROR(Compare(expected, result, entrant.name));
      }
      entrant.rough = first;
      if (!settings_.once) {
        HALITE_ASSIGN_OR_RETURN(entrant.rough, side.Seconds(way, Runs(first), clock));
      }
      entrant.is_blocked = ways[way] == "blocked";
      if (entrant.is_blocked) {
        entrants.push_back(entrant);
      } else if (best.side == nullptr || entrant.rough < best.rough) {
        best = entrant;
      }
    }
    if (best.side != nullptr) entrants.push_back(best);
    return absl::OkStatus();
  }

  // That take some 4 ms: less than what other programs are given at a time. One run alone is not
  // warmed up, and may wait for workers to wake.
  static int Runs(double seconds) {
    return seconds > 0.02 ? 1 : std::clamp(static_cast<int>(0.004 / seconds), 2, 100000);
  }

  // Rounds of all in turn.
  absl::Status TimeAll(Clock clock, std::vector<Entrant>& entrants) const {
    using std::chrono::steady_clock;
    const auto end = steady_clock::now() + std::chrono::duration<double>(settings_.seconds);
    for (int round = 0; settings_.once ? round < 1 : round < 3 || steady_clock::now() < end;
         ++round) {
      for (Entrant& entrant : entrants) {
        HALITE_ASSIGN_OR_RETURN(
            const double seconds,
            entrant.side->Seconds(entrant.way, settings_.once ? 1 : Runs(entrant.rough), clock));
        entrant.seconds.push_back(seconds);
        entrant.rough = std::min(entrant.rough, seconds);
      }
    }
    return absl::OkStatus();
  }

  void Report(const PeerCase& test, size_t t, const std::vector<Entrant>& entrants,
              benchmark::State& state) {
    const bool is_bound_by_memory = test.work == 0;
    const double bytes = test.bytes > 0 ? test.bytes : Bytes(test.test);
    const double work = (is_bound_by_memory ? bytes : test.work) * 1e-9;
    const double peak = is_bound_by_memory ? peaks_[t].gigabytes : peaks_[t].gflops;
    const char* unit = is_bound_by_memory ? "GB/s" : "GFLOP/s";
    const double a = Undisturbed(entrants[0].seconds);
    state.SetIterationTime(a);
    state.counters[unit] = work / a;
    state.counters["%peak"] = 100 * work / a / peak;
    double least = 0;
    for (size_t e = 1; e < entrants.size(); ++e) {
      const Entrant& entrant = entrants[e];
      const double b = Undisturbed(entrant.seconds);
      if (json_ != nullptr) {
        std::fprintf(json_,
                     "{\"family\": \"%s\", \"case\": \"%s\", \"threads\": %d, \"halite\": %.4g, "
                     "\"peer\": %.4g, \"peer_name\": \"%s\", \"unit\": \"%s\", \"ratio\": %.3f}\n",
                     test.family.c_str(), test.name.c_str(), settings_.threads[t], work / a,
                     work / b, entrant.name.c_str(), unit, b / a);
        std::fflush(json_);
      }
      if (entrant.is_blocked) {
        state.counters["blocked"] = b / a;
      } else if (least == 0 || b / a < least) {
        least = b / a;
        state.SetLabel(entrant.name);
        state.counters["peer"] = work / b;
        state.counters["ratio"] = least;
      }
    }
  }

  // The fastest tenth is what others on the machine let alone.
  static double Undisturbed(std::vector<double> seconds) {
    const auto tenth = seconds.begin() + static_cast<ptrdiff_t>(seconds.size() / 10);
    std::nth_element(seconds.begin(), tenth, seconds.end());
    return *tenth;
  }

  Settings settings_;
  std::FILE* json_;
  SharedMemory memory_;
  std::unique_ptr<Side> torch_;  // stays for all cases: it takes seconds to start
  std::vector<Peak> peaks_;
  bool has_failed_ = false;
};

// Limits every side to an instruction set. REQUIRES: no kernel has run.
absl::Status LimitTo(const std::string& isa) {
  struct Names {
    const char *own, *onednn, *torch, *mkl;
  };
  for (const Names& names :
       {Names{"sse41", "SSE41", "default", "SSE4_2"}, Names{"avx2", "AVX2", "avx2", "AVX2"},
        Names{"avx512", "AVX512_CORE", "avx512", "AVX512"}}) {
    if (isa != names.own) continue;
    setenv("HALITE_ISA", names.own, 1);
    setenv("ONEDNN_MAX_CPU_ISA", names.onednn, 1);
    setenv("ATEN_CPU_CAPABILITY", names.torch, 1);
    setenv("MKL_ENABLE_INSTRUCTIONS", names.mkl, 1);
    if (Name(CurrentInstructionSet()) == isa) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--isa=", isa, ": sse41, avx2 or avx512 needed, and a CPU that has it"));
}

// Takes our flags out of the command line.
absl::StatusOr<Settings> ParseFlags(int& argc, char** argv) {
  Settings settings;
  settings.program = argv[0];
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    absl::string_view flag = argv[i];
    if (absl::ConsumePrefix(&flag, "--threads=")) {
      settings.threads.clear();
      for (const absl::string_view word : absl::StrSplit(flag, ',')) {
        int threads;
        if (!absl::SimpleAtoi(word, &threads) || threads < 1) {
          return absl::InvalidArgumentError(
              absl::StrCat(argv[i], ": numbers of at least 1 needed"));
        }
        settings.threads.push_back(threads);
      }
    } else if (absl::ConsumePrefix(&flag, "--seconds=")) {
      if (!absl::SimpleAtod(flag, &settings.seconds) || !(settings.seconds > 0)) {
        return absl::InvalidArgumentError(absl::StrCat(argv[i], ": a number above 0 needed"));
      }
    } else if (absl::ConsumePrefix(&flag, "--shapes=")) {
      settings.shapes = std::string(flag);
    } else if (absl::ConsumePrefix(&flag, "--json=")) {
      settings.json = std::string(flag);
    } else if (absl::ConsumePrefix(&flag, "--torch=")) {
      settings.torch = std::string(flag);
    } else if (absl::ConsumePrefix(&flag, "--isa=")) {
      settings.isa = std::string(flag);
    } else if (flag == "--once") {
      settings.once = true;
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return settings;
}

absl::Status Main(int argc, char** argv) {
  HALITE_ASSIGN_OR_RETURN(const Settings settings, ParseFlags(argc, argv));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return absl::InvalidArgumentError("peers.cc's head has the flags");
  }
  if (!settings.isa.empty()) HALITE_RETURN_IF_ERROR(LimitTo(settings.isa));
  HALITE_ASSIGN_OR_RETURN(const std::vector<PeerCase> cases,
                          settings.shapes.empty() ? PeerCases() : ReadPeerCases(settings.shapes));
  std::FILE* json = settings.json.empty() ? nullptr : std::fopen(settings.json.c_str(), "a");
  if (!settings.json.empty() && json == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("--json=", settings.json, ": a file to write needed"));
  }
  Runner runner(settings, json);
  runner.Register(cases);
  benchmark::RunSpecifiedBenchmarks();
  return runner.has_failed() ? absl::AbortedError("cases failed") : absl::OkStatus();
}

}  // namespace
}  // namespace halite::bench

int main(int argc, char** argv) {
  const absl::Status status = halite::bench::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "peers: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
