// SPDX-License-Identifier: Apache-2.0
//
// The benchmark of operators: ./bazelw run //tests/bench:ops -- [--threads=N] [Google Benchmark's
// flags]. Each function of cases.cc forward and backward, in float32 on the CPU: GFLOP/s or GB/s,
// and per cent of what this machine was measured to do at the start.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "halite/core/apply.h"
#include "halite/core/execution_context.h"
#include "halite/ops/registry.h"
#include "tests/bench/bench.h"
#include "tests/bench/cases.h"
#include "tests/bench/peak.h"

namespace halite::bench {
namespace {

Peak g_peak;

void Report(benchmark::State& state, const Case& test, double bytes, double passes) {
  using benchmark::Counter;
  const double n = static_cast<double>(state.iterations());
  if (test.flops > 0) {
    state.counters["GFLOP/s"] = Counter(n * passes * test.flops * 1e-9, Counter::kIsRate);
    state.counters["%peak"] =
        Counter(100 * n * passes * test.flops * 1e-9 / g_peak.gflops, Counter::kIsRate);
  } else {
    state.counters["GB/s"] = Counter(n * passes * bytes * 1e-9, Counter::kIsRate);
    state.counters["%peak"] =
        Counter(100 * n * passes * bytes * 1e-9 / g_peak.gigabytes, Counter::kIsRate);
  }
}

void RegisterAll() {
  for (const Case& test : Cases()) {
    const std::string name = Name(test);
    benchmark::RegisterBenchmark(absl::StrCat(name, "/forward").c_str(),
                                 [&test](benchmark::State& state) {
                                   Bench bench(test);
                                   for (auto _ : state) bench.Forward();
                                   Report(state, test, Bytes(test), 1);
                                 })
        ->UseRealTime();
    if ((*AllFunctions().Find(test.function))->gradient != Gradient::kDefined) continue;
    benchmark::RegisterBenchmark(absl::StrCat(name, "/backward").c_str(),
                                 [&test](benchmark::State& state) {
                                   Bench bench(test);
                                   for (auto _ : state) bench.Backward();
                                   Report(state, test, Bytes(test), test.flops > 0 ? 2 : 1);
                                 })
        ->UseRealTime();
  }
}

// The time that a function costs beside its kernel: a static chain of 100 functions of one element.
void ChainForward(benchmark::State& state) {
  const Variable x(Shape{1}, true);
  Variable y = x;
  for (int i = 0; i < 100; ++i) {
    y = ApplyAll(**AllFunctions().Find("identity"), std::vector<Variable>{y}, nullptr)[0];
  }
  for (auto _ : state) {
    if (!y.Forward().ok()) std::abort();
  }
  state.counters["ns/function"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 100 * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(ChainForward);

void ChainForwardBackward(benchmark::State& state) {
  const Variable x(Shape{1}, true);
  Variable y = x;
  for (int i = 0; i < 100; ++i) {
    y = ApplyAll(**AllFunctions().Find("identity"), std::vector<Variable>{y}, nullptr)[0];
  }
  for (auto _ : state) {
    x.grad().Zero();
    if (!y.Forward().ok() || !y.Backward().ok()) std::abort();
  }
  state.counters["ns/function"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 100 * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(ChainForwardBackward);

}  // namespace
}  // namespace halite::bench

int main(int argc, char** argv) {
  // --threads=N is ours, the rest is Google Benchmark's.
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--threads=", 10) == 0) {
      halite::SetNumThreads(std::atoi(argv[i] + 10));
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  halite::bench::g_peak = halite::bench::MeasurePeak(halite::NumThreads());
  std::printf("this machine, %d threads: %.0f GFLOP/s (FMA loop), %.1f GB/s (triad)\n",
              halite::NumThreads(), halite::bench::g_peak.gflops, halite::bench::g_peak.gigabytes);
  halite::bench::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
