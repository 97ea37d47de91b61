// SPDX-License-Identifier: Apache-2.0
//
// ChildProcess: a function that runs in a forked copy of this process and answers through a pipe.
//
// Why: libhdf5 walks wild pointers on some damaged files, and no check in front of it can foresee
// where. In a process of its own such a crash, an endless loop or a corrupted heap ends that
// process alone, and is a status here. The child has the program's memory as it was, by copy on
// write, so nothing is started and nothing has to be found on the disk; but only the thread that
// forked lives in it, and locks that others held stay locked. So `work` may call malloc (glibc
// makes it safe) and what it knows to be free of locks; it must not start threads, log, or touch a
// GPU.
#ifndef HALITE_IO_CHILD_PROCESS_H_
#define HALITE_IO_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace halite {

// The child's end of the pipe.
class ChildOutput {
 public:
  explicit ChildOutput(int descriptor) : descriptor_(descriptor) {}
  // Blocks while the pipe is full; ends the process once nobody reads any more.
  void Write(absl::Span<const uint8_t> bytes) const;

 private:
  int descriptor_;
};

// For the child: from now on it can allocate about this much more, and then no memory at all.
void LimitMemory(uint64_t bytes);

class ChildProcess {
 public:
  // Forks. The child runs `work`, for at most `cpu_seconds` of processor time, and ends. It has no
  // files open but 0 to 2 and the pipe, leaves no core dump, runs no signal handlers and no atexit
  // functions of the program, and dies with the thread that forked.
  static absl::StatusOr<ChildProcess> Start(
      uint64_t cpu_seconds, const std::function<void(const ChildOutput& output)>& work);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  // Kills the child if it still runs, and waits for its end.
  ~ChildProcess();

  // Fills `bytes` with what the child writes next. If it ended before that, the error says how:
  // DATA_LOSS after a crash, RESOURCE_EXHAUSTED at the end of its time, ABORTED if it was killed.
  // UNAVAILABLE if it has neither written nor worked for 5 s: it may wait for a lock that a thread
  // held as we forked (the sanitizers' malloc has some in GCC 12), and another child may not.
  absl::Status Read(absl::Span<uint8_t> bytes);

 private:
  ChildProcess(pid_t process, int descriptor) : process_(process), descriptor_(descriptor) {}
  absl::Status WaitForBytes() const;
  absl::Status WaitForEnd();

  pid_t process_;   // -1 once waited for
  int descriptor_;  // of the pipe; -1 once moved away
};

}  // namespace halite

#endif  // HALITE_IO_CHILD_PROCESS_H_
