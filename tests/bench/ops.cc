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
#include "halite/core/random.h"
#include "halite/ops/registry.h"
#include "tests/bench/cases.h"
#include "tests/bench/peak.h"

namespace halite::bench {
namespace {

Peak g_peak;

// The function of a case on random inputs.
class Bench {
 public:
  explicit Bench(const Case& test) {
    const FunctionDef& def = **AllFunctions().Find(test.function);
    RandomGenerator random;
    std::vector<Variable> inputs;
    for (size_t i = 0; i < test.shapes.size(); ++i) {
      const InputDef& input = def.inputs[std::min(i, def.inputs.size() - 1)];
      std::vector<float> values(Size(test.shapes[i]));
      random.Uniform(absl::MakeSpan(values), 0.01f, 1);
      if (input.kind == InputKind::kIndex) {
        for (float& value : values) value *= static_cast<float>(test.index_bound);
      }
      NdArray data = NdArray::From(test.shapes[i], values);
      const bool is_index = input.kind == InputKind::kIndex;
      if (is_index && !data.Cast(DType::kInt32).ok()) std::abort();
      inputs.emplace_back(data, input.kind == InputKind::kData && input.differentiable);
      bytes_ += Size(test.shapes[i]) * sizeof(float);
    }
    std::shared_ptr<void> options = def.options.MakeDefaults();
    for (const auto& [name, value] : test.options)
      Check(def.options.Set(options.get(), name, value));
    outputs_ = ApplyAll(def, inputs, options);
    for (const Variable& output : outputs_) {
      Check(output.status());
      output.grad().Fill(1);
      bytes_ += output.size() * sizeof(float);
    }
    Forward();
  }

  void Forward() { Check(ForwardAll()); }
  void Backward() {
    BackwardOptions options;
    options.use_stored_grad = true;
    for (const Variable& output : outputs_) Check(output.Backward(options));
  }
  double bytes() const { return static_cast<double>(bytes_); }

 private:
  static void Check(const absl::Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    std::exit(1);
  }
  absl::Status ForwardAll() {
    // Every output of one function comes from one run of it.
    return outputs_[0].Forward();
  }

  std::vector<Variable> outputs_;
  int64_t bytes_ = 0;
};

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
    std::string name = test.function;
    for (const Shape& shape : test.shapes) absl::StrAppend(&name, "/", ToString(shape));
    benchmark::RegisterBenchmark(absl::StrCat(name, "/forward").c_str(),
                                 [&test](benchmark::State& state) {
                                   Bench bench(test);
                                   for (auto _ : state) bench.Forward();
                                   Report(state, test, bench.bytes(), 1);
                                 })
        ->UseRealTime();
    if ((*AllFunctions().Find(test.function))->gradient != Gradient::kDefined) continue;
    benchmark::RegisterBenchmark(absl::StrCat(name, "/backward").c_str(),
                                 [&test](benchmark::State& state) {
                                   Bench bench(test);
                                   for (auto _ : state) bench.Backward();
                                   Report(state, test, bench.bytes(), test.flops > 0 ? 2 : 1);
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
