// SPDX-License-Identifier: Apache-2.0
//
// Times whole training steps (forward, backward, update) on one batch that stays:
//   ./bazelw run //tests/bench/training -- [--threads=1,2] [--models=mlp,lenet] [--json=FILE]
//     [--seconds=S] [--once]
// Prints the median and the least time of a step, images a second, the most that the memory pool
// gave out, and how far the peak resident set rises above its size before network and batch are
// made (after two steps of a batch of 2, as in torch_steps.py). --json appends one object a line.
// --once: a few steps of each, to see that they run and learn, and that on one thread those after
// the second take nothing from the system.
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "halite/core/execution_context.h"
#include "halite/core/memory_pool.h"
#include "halite/core/random.h"
#include "halite/core/status.h"
#include "halite/ops/reduce.h"
#include "halite/ops/softmax_cross_entropy.h"
#include "halite/solvers/adam.h"
#include "halite/solvers/sgd.h"
#include "tests/bench/training/models.h"

namespace halite::bench {
namespace {

namespace F = functions;

constexpr char kUsage[] =
    "training [--threads=1,2] [--models=NAME,...] [--json=FILE] [--seconds=S] [--once]\n"
    "Times training steps of the networks";

struct Flags {
  std::vector<std::string> threads = {"1"};
  std::vector<std::string> models;  // none: all
  std::string json;
  double seconds = 2;  // for each network, solver and number of threads
  bool once = false;
};

std::unique_ptr<Solver> MakeSolver(bool adam) {
  if (adam) return std::make_unique<Adam>(AdamOptions{});
  return std::make_unique<Momentum>(MomentumOptions{.lr = 0.01});
}

struct Timing {
  double median, least;  // seconds a step
  double memory;         // bytes, at the most
  double growth;         // of the resident set, in bytes
  int64_t allocations;   // from the system, after two steps
  float first_loss, least_loss;
};

absl::Status Step(const Variable& loss, Solver& solver) {
  HALITE_RETURN_IF_ERROR(loss.Forward({.clear_no_need_grad = true}));
  solver.ZeroGrad();
  HALITE_RETURN_IF_ERROR(loss.Backward({.clear_buffer = true}));
  return solver.Update();
}

// Bytes of VmRSS, the resident set of this process, or VmHWM, its peak.
double Resident(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (absl::StartsWith(line, field + ":")) {
      return 1024 * std::strtod(line.c_str() + field.size() + 1, nullptr);
    }
  }
  return 0;
}

// Gives free memory back, starts VmHWM anew, and returns the resident set.
double ResetResident() {
  MemoryPool::ForHost().ReleaseCached();
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
  return Resident("VmRSS");
}

// One batch and the loss on it.
struct Task {
  Task(const Model& model, int64_t batch) {
    Shape shape = model.x;
    shape[0] = batch;
    RandomGenerator random(1);
    std::vector<float> pixels(Size(shape));
    random.Normal(absl::MakeSpan(pixels), 0, 1);
    std::vector<int32_t> labels(batch);
    for (int32_t& label : labels) label = static_cast<int32_t>(random.Below(10));
    const Variable x(NdArray::From(shape, pixels)), t(NdArray::From({batch, 1}, labels));
    loss = F::Mean(F::SoftmaxCrossEntropy(model.scores(x, scope), t));
  }

  ParameterScope scope;
  Variable loss;
};

absl::StatusOr<Timing> Time(const Model& model, bool adam, const Flags& flags) {
  {
    const Task small(model, 2);
    const std::unique_ptr<Solver> solver = MakeSolver(adam);
    HALITE_RETURN_IF_ERROR(solver->SetParameters(small.scope.Parameters()));
    for (int step = 0; step < 2; ++step) HALITE_RETURN_IF_ERROR(Step(small.loss, *solver));
  }
  const double resident = ResetResident();
  MemoryPool::ForHost().ResetPeak();
  const Task task(model, model.x[0]);
  const Variable& loss = task.loss;
  HALITE_RETURN_IF_ERROR(loss.status());
  const std::unique_ptr<Solver> solver = MakeSolver(adam);
  HALITE_RETURN_IF_ERROR(solver->SetParameters(task.scope.Parameters()));

  using Clock = std::chrono::steady_clock;
  Timing timing = {};
  const auto step = [&]() -> absl::StatusOr<float> {
    HALITE_RETURN_IF_ERROR(Step(loss, *solver));
    HALITE_ASSIGN_OR_RETURN(const auto values, loss.data().ToVector<float>());
    return values[0];
  };
  HALITE_ASSIGN_OR_RETURN(timing.first_loss, step());
  timing.least_loss = timing.first_loss;
  HALITE_RETURN_IF_ERROR(step().status());
  const int64_t allocations = MemoryPool::ForHost().statistics().system_allocations;
  std::vector<double> seconds;
  const auto start = Clock::now();
  for (auto begin = start;
       flags.once
           ? seconds.size() < 5
           : seconds.size() < 7 || begin - start < std::chrono::duration<double>(flags.seconds);) {
    HALITE_ASSIGN_OR_RETURN(const float loss_now, step());
    timing.least_loss = std::min(timing.least_loss, loss_now);
    const auto end = Clock::now();
    seconds.push_back(std::chrono::duration<double>(end - begin).count());
    begin = end;
  }
  std::sort(seconds.begin(), seconds.end());
  timing.least = seconds[0];
  timing.median = seconds[seconds.size() / 2];
  const MemoryStatistics statistics = MemoryPool::ForHost().statistics();
  timing.memory = static_cast<double>(statistics.peak_bytes_in_use);
  timing.allocations = statistics.system_allocations - allocations;
  timing.growth = Resident("VmHWM") - resident;
  return timing;
}

void Print(const std::string& name, const Model& model, const Timing& timing, std::FILE* json) {
  std::printf("%-18s %7d %10.3f %10.3f %10.0f %9.1f %9.1f\n", name.c_str(), NumThreads(),
              timing.median * 1e3, timing.least * 1e3,
              static_cast<double>(model.x[0]) / timing.median, timing.memory / 1e6,
              timing.growth / 1e6);
  std::fflush(stdout);
  if (json == nullptr) return;
  std::fprintf(json,
               "{\"case\": \"%s\", \"peer\": \"halite\", \"threads\": %d, \"median_ms\": %.5f, "
               "\"least_ms\": %.5f, \"peak_mb\": %.2f, \"growth_mb\": %.2f}\n",
               name.c_str(), NumThreads(), timing.median * 1e3, timing.least * 1e3,
               timing.memory / 1e6, timing.growth / 1e6);
  std::fflush(json);
}

absl::Status Run(const Flags& flags) {
  std::FILE* json = nullptr;
  if (!flags.json.empty() && (json = std::fopen(flags.json.c_str(), "a")) == nullptr) {
    return absl::InvalidArgumentError("--json=" + flags.json + ": a file to write needed");
  }
  std::printf("%-18s %7s %10s %10s %10s %9s %9s\n", "network", "threads", "median ms", "least ms",
              "images/s", "pool MB", "growth MB");
  for (const Model& model : Models()) {
    const auto& asked = flags.models;
    if (!asked.empty() && std::find(asked.begin(), asked.end(), model.name) == asked.end()) {
      continue;
    }
    for (const bool adam : {false, true}) {
      if (!(adam ? model.with_adam : model.with_momentum)) continue;
      for (const std::string& threads : flags.threads) {
        SetNumThreads(std::stoi(threads));
        const std::string name = model.name + (adam ? "_adam_b" : "_momentum_b");
        HALITE_ASSIGN_OR_RETURN(const Timing timing, Time(model, adam, flags));
        if (!(timing.least_loss < timing.first_loss)) {
          return absl::InternalError(name + ": the loss did not fall");
        }
        if (flags.once && NumThreads() == 1 && timing.allocations != 0) {
          return absl::InternalError(name + ": steps take memory from the system");
        }
        Print(name + std::to_string(model.x[0]), model, timing, json);
      }
    }
  }
  if (json != nullptr) std::fclose(json);
  return absl::OkStatus();
}

// False for a flag that is none of ours.
bool Parse(absl::string_view flag, Flags& flags) {
  double number = 0;
  if (flag == "--once") {
    flags.once = true;
  } else if (absl::ConsumePrefix(&flag, "--json=")) {
    flags.json = std::string(flag);
  } else if (absl::ConsumePrefix(&flag, "--models=")) {
    flags.models = absl::StrSplit(flag, ',');
  } else if (absl::ConsumePrefix(&flag, "--seconds=") && absl::SimpleAtod(flag, &number)) {
    flags.seconds = number;
  } else if (absl::ConsumePrefix(&flag, "--threads=")) {
    flags.threads = absl::StrSplit(flag, ',');
    return std::all_of(flags.threads.begin(), flags.threads.end(), [](const std::string& text) {
      int threads = 0;
      return absl::SimpleAtoi(text, &threads) && threads > 0;
    });
  } else {
    return false;
  }
  return true;
}

}  // namespace
}  // namespace halite::bench

int main(int argc, char** argv) {
  halite::bench::Flags flags;
  for (int i = 1; i < argc; ++i) {
    if (halite::bench::Parse(argv[i], flags)) continue;
    const bool is_help = absl::string_view(argv[i]) == "--help";
    std::fprintf(is_help ? stdout : stderr, "%s\n", halite::bench::kUsage);
    return is_help ? 0 : 1;
  }
  const absl::Status status = halite::bench::Run(flags);
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
