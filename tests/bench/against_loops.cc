// SPDX-License-Identifier: Apache-2.0
//
// Halite's functions against plain C++ loops (loops.h), in turn on the same data:
//   ./bazelw run //tests/bench:against_loops -- [--threads=N] [--filter=TEXT] [--once]
// Prints the microseconds of both and their ratio, above 1 where Halite is faster: the median of
// pairs timed one after the other. Results are compared too. --once: one pair of each, untimed.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "halite/core/execution_context.h"
#include "tests/bench/bench.h"
#include "tests/bench/loop_arrays.h"

namespace halite::bench {
namespace {

double Seconds(const std::function<void()>& f, int runs) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < runs; ++i) f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / runs;
}

struct Timing {
  double own, loop, ratio;
};

// Pairs until a second has passed, at least 5.
Timing Compare(const std::function<void()>& own, const std::function<void()>& loop) {
  own();
  loop();
  const double once = std::max(Seconds(own, 1), Seconds(loop, 1));
  const int runs = std::clamp(static_cast<int>(0.005 / once), 1, 10000);
  std::vector<Timing> pairs;
  for (double total = 0; pairs.size() < 5 || (total < 1 && pairs.size() < 41);) {
    const double a = Seconds(own, runs), b = Seconds(loop, runs);
    total += (a + b) * runs;
    pairs.push_back({a, b, b / a});
  }
  const auto middle = pairs.begin() + pairs.size() / 2;
  std::nth_element(pairs.begin(), middle, pairs.end(),
                   [](const Timing& a, const Timing& b) { return a.ratio < b.ratio; });
  return *middle;
}

// Ends the program where two results differ by more than rounding: sums of millions of float32.
void CheckClose(const std::string& name, const std::vector<float>& own,
                const std::vector<float>& loop) {
  float scale = 1e-3f;
  for (float value : loop) scale = std::max(scale, std::abs(value));
  for (size_t i = 0; i < own.size(); ++i) {
    if (std::abs(own[i] - loop[i]) <= 5e-3f * scale) continue;
    std::fprintf(stderr, "%s: element %zu: Halite %g, loop %g\n", name.c_str(), i, own[i], loop[i]);
    std::exit(1);
  }
}

class Pair {
 public:
  explicit Pair(const LoopCase& test) : bench_(test.test), loop_(bench_) {}

  void CheckForward(const std::string& name, const Loop& loop) {
    loop(loop_.arrays());
    for (size_t i = 0; i < bench_.outputs().size(); ++i) {
      CheckClose(name, Values(bench_.outputs()[i].data()), loop_.y(i));
    }
  }
  void CheckBackward(const std::string& name, const Loop& loop) {
    for (const Variable& input : bench_.inputs()) input.grad().Zero();
    bench_.Backward();
    loop(loop_.arrays());
    for (size_t i = 0; i < bench_.inputs().size(); ++i) {
      const Variable& input = bench_.inputs()[i];
      if (input.need_grad()) CheckClose(name, Values(input.grad()), loop_.dx(i));
    }
  }

  Bench& bench() { return bench_; }
  const Arrays& arrays() const { return loop_.arrays(); }

 private:
  Bench bench_;
  LoopArrays loop_;
};

void Print(const std::string& name, const Timing& timing) {
  std::printf("%7.2f %12.1f %12.1f  %s\n", timing.ratio, timing.own * 1e6, timing.loop * 1e6,
              name.c_str());
  std::fflush(stdout);
}

int Run(const std::string& filter, bool once) {
  std::vector<LoopCase> cases = MemoryBoundLoops();
  for (LoopCase& test : ContractionLoops()) cases.push_back(std::move(test));
  std::vector<std::pair<double, std::string>> slower;
  std::printf("%7s %12s %12s  %d threads\n", "ratio", "Halite us", "loop us", NumThreads());
  for (const LoopCase& test : cases) {
    const std::string name = Name(test.test);
    if (!absl::StrContains(name, filter)) continue;
    Pair pair(test);
    const auto compare = [&](const std::string& pass, const std::function<void()>& own,
                             const Loop& loop) {
      if (once) return;
      const Timing timing = Compare(own, [&] { loop(pair.arrays()); });
      Print(name + pass, timing);
      if (timing.ratio < 0.95) slower.emplace_back(timing.ratio, name + pass);
    };
    pair.CheckForward(name, test.forward);
    compare(
        "/forward", [&] { pair.bench().Forward(); }, test.forward);
    if (!test.backward || !pair.bench().has_gradient()) continue;
    pair.CheckBackward(name, test.backward);
    compare(
        "/backward", [&] { pair.bench().Backward(); }, test.backward);
  }
  std::sort(slower.begin(), slower.end());
  std::printf("\n%zu slower than a plain loop\n", slower.size());
  for (const auto& [ratio, name] : slower) std::printf("%7.2f  %s\n", ratio, name.c_str());
  return 0;
}

}  // namespace
}  // namespace halite::bench

int main(int argc, char** argv) {
  std::string filter;
  bool once = false;
  for (int i = 1; i < argc; ++i) {
    absl::string_view flag = argv[i];
    int threads = 0;
    if (flag == "--once") {
      once = true;
    } else if (absl::ConsumePrefix(&flag, "--filter=")) {
      filter = std::string(flag);
    } else if (absl::ConsumePrefix(&flag, "--threads=") && absl::SimpleAtoi(flag, &threads) &&
               threads > 0) {
      halite::SetNumThreads(threads);
    } else {
      std::fprintf(stderr, "against_loops [--threads=N] [--filter=TEXT] [--once]\n");
      return flag == "--help" ? 0 : 1;
    }
  }
  return halite::bench::Run(filter, once);
}
