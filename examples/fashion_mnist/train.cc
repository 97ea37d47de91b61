// SPDX-License-Identifier: Apache-2.0
//
// Trains a small convolutional network on Fashion-MNIST: see README.md.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "examples/fashion_mnist/network.h"
#include "halite/core/context.h"
#include "halite/core/execution_context.h"
#include "halite/core/random.h"
#include "halite/core/status.h"
#include "halite/io/checkpoint.h"
#include "halite/io/data_iterator.h"
#include "halite/io/parameters_hdf5.h"
#include "halite/io/progress.h"
#include "halite/ops/reduce.h"
#include "halite/ops/softmax_cross_entropy.h"
#include "halite/ops/top_n_error.h"
#include "halite/solvers/adam.h"

namespace {

namespace F = halite::functions;
using halite::Variable;

struct Flags {
  int epochs = 5;
  int64_t batch_size = 64;
  uint64_t seed = 313;
  int threads = 0;
  double learning_rate = 1e-3;
  std::string context = "cpu";
  std::string data = fashion_mnist::kDefaultFolder;
  std::string output = "fashion_mnist";
  std::string load;
  int64_t max_steps = 0;
};

std::atomic<bool> g_interrupted{false};

// Loss and errors of the network on batches of a fixed size.
struct Model {
  Model(int64_t batch_size, const halite::ParameterScope& scope, bool train)
      : x({batch_size, 1, fashion_mnist::kSide, fashion_mnist::kSide}),
        label({batch_size, 1}, false, halite::DType::kInt32) {
    const Variable scores = fashion_mnist::Network(x, scope, train);
    loss = F::Mean(F::SoftmaxCrossEntropy(scores, label));
    error = F::Mean(F::TopNError(scores, label));
  }

  absl::Status SetBatch(const halite::Batch& batch) {
    HALITE_RETURN_IF_ERROR(x.SetData(batch.arrays[0]));
    return label.SetData(batch.arrays[1]);
  }

  Variable x, label, loss, error;
};

class Training {
 public:
  explicit Training(const Flags& flags) : flags_(flags) {}

  absl::Status Run() {
    halite::TrainingState state;
    if (!flags_.load.empty()) HALITE_RETURN_IF_ERROR(Load(state));
    HALITE_RETURN_IF_ERROR(Prepare());
    if (!flags_.load.empty()) HALITE_RETURN_IF_ERROR(GoOn(state));
    while (train_data_->epoch() < flags_.epochs) {
      const int64_t epoch = train_data_->epoch();
      HALITE_RETURN_IF_ERROR(Epoch(epoch));
      const bool is_whole = train_data_->epoch() > epoch;
      if (is_whole) HALITE_RETURN_IF_ERROR(Evaluate(epoch));
      HALITE_RETURN_IF_ERROR(Save());
      if (!is_whole) {
        std::printf(
            "Stopped in epoch %d. To go on:\n  ./bazelw run //examples/fashion_mnist:train"
            " -- --load=%s\n",
            static_cast<int>(epoch + 1), CheckpointPath().c_str());
        return absl::OkStatus();
      }
    }
    std::printf("Parameters: %s\n", ParametersPath().c_str());
    return absl::OkStatus();
  }

 private:
  absl::Status Prepare() {
    auto context = halite::Context::ByName(flags_.context);
    if (absl::IsUnavailable(context.status())) {
      std::fprintf(stderr, "%s; going on with the CPU\n",
                   std::string(context.status().message()).c_str());
      context = halite::Context::Cpu();
    }
    HALITE_RETURN_IF_ERROR(context.status());
    halite::SetDefaultContext(*context);
    halite::SetNumThreads(flags_.threads);
    halite::SetRandomSeed(flags_.seed);
    output_ = fashion_mnist::UserPath(flags_.output);
    std::error_code error;
    std::filesystem::create_directories(output_, error);
    if (error) return absl::UnavailableError(absl::StrCat(output_, ": ", error.message()));

    HALITE_ASSIGN_OR_RETURN(auto train, fashion_mnist::LoadData(flags_.data, "train"));
    HALITE_ASSIGN_OR_RETURN(
        train_data_, halite::MakeDataIterator(
                         std::move(train),
                         {.batch_size = flags_.batch_size, .shuffle = true, .seed = flags_.seed}));
    HALITE_ASSIGN_OR_RETURN(auto test, fashion_mnist::LoadData(flags_.data, "t10k"));
    test_size_ = test[0].array.shape()[0];
    HALITE_ASSIGN_OR_RETURN(test_data_,
                            halite::MakeDataIterator(std::move(test), {.batch_size = kTestBatch}));
    train_.emplace(flags_.batch_size, scope_, /*train=*/true);
    test_.emplace(kTestBatch, scope_, /*train=*/false);
    HALITE_RETURN_IF_ERROR(train_->loss.status());
    solver_.set_learning_rate(flags_.learning_rate);
    return solver_.SetParameters(scope_.Parameters());
  }

  absl::Status Epoch(int64_t epoch) {
    halite::ProgressBar bar(absl::StrFormat("epoch %d/%d", epoch + 1, flags_.epochs),
                            train_data_->size(), "images");
    bar.Update(train_data_->position(), "");
    double loss = 0;
    std::string note;
    while (train_data_->epoch() == epoch && !g_interrupted) {
      HALITE_ASSIGN_OR_RETURN(const halite::Batch batch, train_data_->Next());
      HALITE_RETURN_IF_ERROR(Step(batch));
      // Reading the loss waits for the device: now and then is enough.
      if (steps_ % 20 == 1) {
        HALITE_ASSIGN_OR_RETURN(const auto value, train_->loss.data().Read<float>());
        loss = loss == 0 ? value[0] : 0.9 * loss + 0.1 * value[0];
        note = absl::StrFormat("loss %.4f", loss);
      }
      bar.Update(batch.epoch > epoch ? train_data_->size() : batch.position, note);
      if (flags_.max_steps > 0 && steps_ >= flags_.max_steps) g_interrupted = true;
    }
    bar.Finish(note);
    return absl::OkStatus();
  }

  absl::Status Step(const halite::Batch& batch) {
    ++steps_;
    HALITE_RETURN_IF_ERROR(train_->SetBatch(batch));
    HALITE_RETURN_IF_ERROR(train_->loss.Forward({.clear_no_need_grad = true}));
    solver_.ZeroGrad();
    HALITE_RETURN_IF_ERROR(train_->loss.Backward({.clear_buffer = true}));
    return solver_.Update();
  }

  absl::Status Evaluate(int64_t epoch) {
    double errors = 0;
    const int64_t batches = test_size_ / kTestBatch;
    for (int64_t i = 0; i < batches; ++i) {
      HALITE_ASSIGN_OR_RETURN(const halite::Batch batch, test_data_->Next());
      HALITE_RETURN_IF_ERROR(test_->SetBatch(batch));
      HALITE_RETURN_IF_ERROR(test_->error.Forward({.clear_buffer = true}));
      HALITE_ASSIGN_OR_RETURN(const auto value, test_->error.data().Read<float>());
      errors += value[0];
    }
    std::printf("epoch %d: test accuracy %.2f %%\n", static_cast<int>(epoch + 1),
                100 * (1 - errors / static_cast<double>(batches)));
    std::fflush(stdout);
    return absl::OkStatus();
  }

  absl::Status Save() {
    halite::TrainingState state;
    state.epoch = train_data_->epoch();
    state.iteration = steps_;
    state.random = halite::GetRandomState();
    state.solvers["solver"] = solver_.state();
    state.iterators["train"] = train_data_->state();
    state.numbers["batch_size"] = static_cast<double>(flags_.batch_size);
    state.numbers["seed"] = static_cast<double>(flags_.seed);
    HALITE_RETURN_IF_ERROR(halite::SaveCheckpoint(CheckpointPath(), scope_, state));
    return halite::SaveParameters(ParametersPath(), scope_);
  }

  // Parameters, and what the interrupted run was started with.
  absl::Status Load(halite::TrainingState& state) {
    HALITE_ASSIGN_OR_RETURN(state,
                            halite::LoadCheckpoint(fashion_mnist::UserPath(flags_.load), scope_));
    for (const char* name : {"batch_size", "seed"}) {
      if (state.numbers.count(name) == 0) {
        return absl::InvalidArgumentError(
            absl::StrCat(flags_.load, ": a checkpoint of this program needed"));
      }
    }
    flags_.batch_size = static_cast<int64_t>(state.numbers["batch_size"]);
    flags_.seed = static_cast<uint64_t>(state.numbers["seed"]);
    return absl::OkStatus();
  }

  // Everything else, once there are a solver and an iterator.
  absl::Status GoOn(const halite::TrainingState& state) {
    const auto solver = state.solvers.find("solver");
    const auto train = state.iterators.find("train");
    if (solver == state.solvers.end() || train == state.iterators.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(flags_.load, ": a checkpoint of this program needed"));
    }
    HALITE_RETURN_IF_ERROR(solver_.SetState(solver->second));
    HALITE_RETURN_IF_ERROR(train_data_->SetState(train->second));
    halite::SetRandomState(state.random);
    steps_ = state.iteration;
    return absl::OkStatus();
  }

  std::string CheckpointPath() const { return absl::StrCat(output_, "/checkpoint.h5"); }
  std::string ParametersPath() const { return absl::StrCat(output_, "/parameters.h5"); }

  static constexpr int64_t kTestBatch = 500;

  Flags flags_;
  std::string output_;
  halite::ParameterScope scope_;
  halite::Adam solver_;
  std::unique_ptr<halite::DataIterator> train_data_, test_data_;
  std::optional<Model> train_, test_;
  int64_t test_size_ = 0;
  int64_t steps_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Trains a small convolutional network on Fashion-MNIST.");
  app.add_option("--epochs", flags.epochs, "Passes over the 60,000 images")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch-size", flags.batch_size, "Images a step")
      ->check(CLI::Range(1, 60000))
      ->capture_default_str();
  app.add_option("--learning-rate", flags.learning_rate, "Adam's alpha")->capture_default_str();
  app.add_option("--seed", flags.seed, "Of weights, dropout and order")->capture_default_str();
  app.add_option("--threads", flags.threads, "CPU threads, 0 for all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--context", flags.context, "Where to compute; the CPU where there is no GPU")
      ->check(CLI::IsMember({"cpu", "cuda", "opencl"}))
      ->capture_default_str();
  app.add_option("--data", flags.data, "Folder of the four IDX files")->capture_default_str();
  app.add_option("--output", flags.output, "Folder for parameters.h5 and checkpoint.h5")
      ->capture_default_str();
  app.add_option("--load", flags.load, "Checkpoint to go on from (its batch size and seed hold)");
  app.add_option("--max-steps", flags.max_steps, "Stop after so many steps, 0 for none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::signal(SIGINT, [](int) { g_interrupted = true; });
  std::signal(SIGTERM, [](int) { g_interrupted = true; });
  const absl::Status status = Training(flags).Run();
  if (!status.ok()) {
    std::fprintf(stderr, "train: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
