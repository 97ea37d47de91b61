// SPDX-License-Identifier: Apache-2.0
//
// Halite and oneDNN in turn on the same data:
//   ./bazelw run //tests/bench:peers -- [--threads=1,2] [--shapes=FILE] [--json=FILE] [--once]
//                                       [Google Benchmark's flags]
// For each case the time of Halite, both speeds, their ratio (above 1 where Halite is faster; the
// median of pairs timed one after the other) and Halite's per cent of what this machine was
// measured to do at the start. The peer is the fastest of oneDNN's ways to do the work on plain
// arrays; "blocked" is its best format with no conversion counted. Results are compared before.
// --json writes one object a line, as soon as it is known; --once: one pair of each.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "halite/core/execution_context.h"
#include "tests/bench/onednn.h"
#include "tests/bench/peak.h"
#include "tests/bench/peer_cases.h"

namespace halite::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::vector<int> threads = {1};
  std::string shapes, json;
  bool once = false;
};

double Seconds(const std::function<void()>& f, int runs) {
  const auto start = Clock::now();
  for (int i = 0; i < runs; ++i) f();
  return std::chrono::duration<double>(Clock::now() - start).count() / runs;
}

std::vector<float> Values(const NdArray& array) {
  const auto values = array.ToVector<float>();
  if (!values.ok()) std::abort();
  return *values;
}

// Halite's side of a case.
class Own {
 public:
  explicit Own(const PeerCase& test) : pass_(test.pass), bench(test.test, test.pass) {}
  // Overwrites the gradients, as the peer does.
  void Run() {
    if (pass_ == Pass::kForward) return bench.Forward();
    for (const Variable& input : bench.inputs()) {
      if (input.need_grad()) input.grad().Zero();
    }
    bench.Backward();
  }
  std::vector<float> Result() const {
    if (pass_ == Pass::kForward) return Values(bench.outputs()[0].data());
    return Values(bench.inputs()[pass_ == Pass::kBackwardWeights ? 1 : 0].grad());
  }

 private:
  Pass pass_;

 public:
  Bench bench;
};

// Empty, or how two results differ by more than the rounding of float32 sums.
std::string Difference(const std::vector<float>& own, const std::vector<float>& peer) {
  float scale = 1e-3f;
  for (float value : peer) scale = std::max(scale, std::abs(value));
  for (size_t i = 0; i < own.size(); ++i) {
    if (std::abs(own[i] - peer[i]) <= 2e-3f * scale) continue;
    return absl::StrFormat("element %d: Halite %g, oneDNN %g", i, own[i], peer[i]);
  }
  return "";
}

struct Ratio {
  double own, peer;  // seconds, of the median pair
};

// The workers of another library may spin for a while after their last work.
void LetOthersSleep() { std::this_thread::sleep_for(std::chrono::milliseconds(8)); }

Ratio Compare(const std::function<void()>& own, const std::function<void()>& peer, bool once) {
  own();
  peer();
  const double longest = std::max(Seconds(own, 1), Seconds(peer, 1));
  const int runs = once ? 1 : std::clamp(static_cast<int>(0.004 / longest), 1, 10000);
  std::vector<Ratio> pairs;
  for (double total = 0; pairs.empty() || (!once && (pairs.size() < 7 || total < 0.4));) {
    LetOthersSleep();
    own();
    const double a = Seconds(own, runs);
    LetOthersSleep();
    peer();
    const double b = Seconds(peer, runs);
    total += (a + b) * runs;
    pairs.push_back({a, b});
    if (pairs.size() >= 200) break;
  }
  const auto middle = pairs.begin() + static_cast<ptrdiff_t>(pairs.size() / 2);
  std::nth_element(pairs.begin(), middle, pairs.end(),
                   [](const Ratio& x, const Ratio& y) { return x.peer / x.own < y.peer / y.own; });
  return *middle;
}

class Runner {
 public:
  explicit Runner(const Settings& settings) : settings_(settings) {
    for (int threads : settings.threads) {
      peaks_.push_back(MeasurePeak(threads));
      std::printf("this machine, %d threads: %.0f GFLOP/s (FMA loop), %.1f GB/s (triad)\n", threads,
                  peaks_.back().gflops, peaks_.back().gigabytes);
    }
    if (!settings.json.empty()) json_ = std::fopen(settings.json.c_str(), "a");
  }

  void Register(const std::vector<PeerCase>& cases) {
    for (const PeerCase& test : cases) {
      for (size_t t = 0; t < settings_.threads.size(); ++t) {
        const std::string name =
            absl::StrCat(test.family, "/", test.name, "/threads:", settings_.threads[t]);
        benchmark::RegisterBenchmark(
            name.c_str(), [this, &test, t](benchmark::State& state) { Run(test, t, state); })
            ->UseManualTime()
            ->Iterations(1)
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }

 private:
  void Run(const PeerCase& test, size_t t, benchmark::State& state) {
    SetNumThreads(settings_.threads[t]);
    SetOnednnThreads(settings_.threads[t]);
    Own own(test);
    const std::vector<Peer> peers = OnednnPeers(test.test, test.pass, own.bench);
    own.Run();
    const std::vector<float> result = own.Result();
    const Peer* best = nullptr;
    const Peer* blocked = nullptr;
    double best_seconds = 0;
    for (const Peer& peer : peers) {
      peer.run();
      const std::string difference = peer.result ? Difference(result, peer.result()) : "";
      if (!difference.empty()) return state.SkipWithError(difference.c_str());
      if (peer.name == "blocked") {
        blocked = &peer;
        continue;
      }
      const double seconds = std::min(Seconds(peer.run, 1), Seconds(peer.run, 1));
      if (best == nullptr || seconds < best_seconds) {
        best = &peer;
        best_seconds = seconds;
      }
    }
    if (best == nullptr) return state.SkipWithError("no peer");
    for (auto _ : state) {
      const Ratio ratio = Compare([&] { own.Run(); }, best->run, settings_.once);
      state.SetIterationTime(ratio.own);
      const bool is_bound_by_memory = test.work == 0;
      const double work = (is_bound_by_memory ? own.bench.bytes() : test.work) * 1e-9;
      const double peak = is_bound_by_memory ? peaks_[t].gigabytes : peaks_[t].gflops;
      const char* unit = is_bound_by_memory ? "GB/s" : "GFLOP/s";
      state.counters[unit] = work / ratio.own;
      state.counters["oneDNN"] = work / ratio.peer;
      state.counters["ratio"] = ratio.peer / ratio.own;
      state.counters["%peak"] = 100 * work / ratio.own / peak;
      state.SetLabel(best->name);
      WriteJson(test, t, work / ratio.own, work / ratio.peer, best->name, unit);
      if (blocked == nullptr) continue;
      const Ratio other = Compare([&] { own.Run(); }, blocked->run, settings_.once);
      state.counters["blocked"] = other.peer / other.own;
      WriteJson(test, t, work / other.own, work / other.peer, "blocked", unit);
    }
  }

  void WriteJson(const PeerCase& test, size_t t, double own, double peer, const std::string& name,
                 const char* unit) {
    if (json_ == nullptr) return;
    const std::string line = absl::StrFormat(
        "{\"family\": \"%s\", \"case\": \"%s\", \"threads\": %d, \"halite\": %.4g, \"peer\": %.4g, "
        "\"peer_name\": \"oneDNN %s\", \"unit\": \"%s\", \"ratio\": %.3f}\n",
        test.family, test.name, settings_.threads[t], own, peer, name, unit, own / peer);
    std::fputs(line.c_str(), json_);
    std::fflush(json_);
  }

  Settings settings_;
  std::vector<Peak> peaks_;
  std::FILE* json_ = nullptr;
};

// Takes our flags out of the command line.
absl::StatusOr<Settings> ParseFlags(int& argc, char** argv) {
  Settings settings;
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
    } else if (absl::ConsumePrefix(&flag, "--shapes=")) {
      settings.shapes = std::string(flag);
    } else if (absl::ConsumePrefix(&flag, "--json=")) {
      settings.json = std::string(flag);
    } else if (flag == "--once") {
      settings.once = true;
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return settings;
}

int Main(int argc, char** argv) {
  const auto settings = ParseFlags(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (!settings.ok()) {
    std::fprintf(stderr, "%s\n", std::string(settings.status().message()).c_str());
    return 1;
  }
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const absl::StatusOr<std::vector<PeerCase>> cases =
      settings->shapes.empty() ? PeerCases() : ReadPeerCases(settings->shapes);
  if (!cases.ok()) {
    std::fprintf(stderr, "%s\n", std::string(cases.status().message()).c_str());
    return 1;
  }
  Runner runner(*settings);
  runner.Register(*cases);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace halite::bench

int main(int argc, char** argv) { return halite::bench::Main(argc, argv); }
