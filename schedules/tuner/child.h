// SPDX-License-Identifier: Apache-2.0
//
// Child: a process that holds one candidate and does what it is asked to, so that a candidate that
// crashes or hangs harms nobody. All candidates of a search share the memory in which the default
// tuning's results stand.
#ifndef HALITE_SCHEDULES_TUNER_CHILD_H_
#define HALITE_SCHEDULES_TUNER_CHILD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "halite/schedules/tuner/jit_kernel.h"

namespace halite {

// Memory that processes forked later share. The pages that nobody writes cost nothing.
class SharedMemory {
 public:
  static constexpr size_t kSize = size_t{1} << 30;

  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  char* get() const { return memory_; }

 private:
  char* memory_;
};

class Child {
 public:
  // Forks. REQUIRES: no thread was started; all arguments outlive the object.
  Child(const TunedKernel& kernel, Candidate candidate, const std::vector<KernelArguments>& shapes,
        const SharedMemory& results, int time_limit_seconds);
  // Ends the process.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Each returns what went wrong instead: an exception's text, the signal that ended the process,
  // or that it gave no answer in time. After an end of the process every call fails.
  absl::StatusOr<std::vector<Tuning::Parameter>> Describe();
  absl::Status Compile();
  absl::Status Publish(size_t shape);
  absl::Status Compare(size_t shape);
  absl::StatusOr<double> Run(size_t shape, int runs, int threads);

 private:
  struct Request;
  absl::StatusOr<std::string> Ask(const Request& request);
  [[noreturn]] void Serve(const TunedKernel& kernel, const Candidate& candidate,
                          const std::vector<KernelArguments>& shapes, char* results);
  absl::Status End(const std::string& what);

  const int time_limit_seconds_;
  int socket_ = -1;
  int process_ = -1;
  absl::Status ended_;  // why there is no process any more
};

// Ctrl-C: from then on children fail at once with CANCELLED.
void CatchInterrupt();
bool WasInterrupted();

}  // namespace halite

#endif  // HALITE_SCHEDULES_TUNER_CHILD_H_
