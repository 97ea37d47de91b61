// SPDX-License-Identifier: Apache-2.0
//
// Side: one side of a comparison, in a process of its own that works only while it is asked to.
// In one process the workers of two libraries disturb each other: after their work they spin for
// milliseconds on processors that the other's workers need.
//
// A side first answers a line with the names of its ways to do the work, then a line to each of:
//   run WAY TIMES CLOCK   seconds of one run by the "wall" or "cpu" clock, on the average of the
//                         fastest of eight batches, TIMES runs in all, to leave out what others on
//                         this machine take; more than one run are warmed up
//   result WAY            how many float32 of the last run's result it put into the shared memory
// or "error TEXT" instead of an answer.
#ifndef HALITE_TESTS_BENCH_SIDE_H_
#define HALITE_TESTS_BENCH_SIDE_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace halite::bench {

// A way to do the work of a case.
struct Way {
  std::string name;
  std::function<void()> run;
  // Of the last run; none: not to be compared.
  std::function<std::vector<float>()> result = nullptr;
};

// float32 that all sides see: a sparse file without a name.
class SharedMemory {
 public:
  SharedMemory();
  // Inherited by the sides.
  int descriptor() const { return descriptor_; }
  float* values() const { return values_; }

 private:
  int descriptor_;
  float* values_;
};

// Time that passes, or time of processors that a side uses: the same for one thread, but that
// others' work does not count.
enum class Clock { kWall, kCpu };

class Side {
 public:
  // A fork of this process, which makes its ways there. REQUIRES: no other thread runs here.
  Side(std::string name, const SharedMemory& memory, const std::function<std::vector<Way>()>& make);
  // A program, with its arguments, that speaks as above on its standard input and output.
  Side(std::string name, const std::vector<std::string>& command);
  // Ends the process.
  ~Side();
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  const std::string& name() const { return name_; }

  // Sends a line (none if it is empty) and waits for the answer; then until the process sleeps, its
  // workers included. An error if it says so, has ended or does not answer in two minutes; from the
  // latter two on every call is one.
  absl::StatusOr<std::string> Ask(const std::string& line);
  absl::StatusOr<double> Seconds(size_t way, int times, Clock clock);
  // In the shared memory, until the next result.
  absl::StatusOr<absl::Span<const float>> Result(size_t way, const SharedMemory& memory);
  bool has_ended() const { return process_ < 0; }

 private:
  void Start(const std::function<void(int channel)>& work);
  absl::Status End();
  void WaitUntilIdle() const;

  std::string name_;
  pid_t process_ = -1;
  int channel_ = -1;  // a socket
};

}  // namespace halite::bench

#endif  // HALITE_TESTS_BENCH_SIDE_H_
