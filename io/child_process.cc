// SPDX-License-Identifier: Apache-2.0
#include "halite/io/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "halite/core/status.h"

namespace halite {
namespace {

// What a process does to itself by a bug.
constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

absl::Status SystemError(absl::string_view action, int error) {
  return absl::ResourceExhaustedError(
      absl::StrCat("a process of its own: ", action, ": ", std::strerror(error)));
}

// The processor time of a child, 0 if it has ended.
int64_t CpuNanoseconds(pid_t process) {
  clockid_t clock;
  struct timespec time = {};
  if (clock_getcpuclockid(process, &clock) != 0) return 0;
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Lets the signals of a crash and of the time limit end the process. All others stay blocked, as
// they were across fork: the program's handlers must not run a second time in its copy, SIGPIPE
// becomes EPIPE, and ^C is the program's to answer, whose end ends the child.
void SetSignals() {
  sigset_t ending;
  sigemptyset(&ending);
  const auto let_end = [&](int signal_number) {
    signal(signal_number, SIG_DFL);
    sigaddset(&ending, signal_number);
  };
  for (int crash : kCrashes) let_end(crash);
  let_end(SIGXCPU);
  pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
}

[[noreturn]] void RunChild(pid_t parent, int descriptor, uint64_t cpu_seconds,
                           const std::function<void(const ChildOutput&)>& work) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it ended before the line above
  // Not dumpable: RLIMIT_CORE does not hold back a core_pattern that is a program.
  prctl(PR_SET_DUMPABLE, 0);
  SetSignals();
  // Another child's pipe, say, must not seem open because this process has it too.
  if (descriptor > 3) close_range(3, static_cast<unsigned>(descriptor) - 1, 0);
  close_range(static_cast<unsigned>(descriptor) + 1, UINT_MAX, 0);
  struct rlimit limit;
  if (getrlimit(RLIMIT_CPU, &limit) == 0) {
    limit.rlim_cur = std::min<rlim_t>(cpu_seconds, limit.rlim_max);
    setrlimit(RLIMIT_CPU, &limit);
  }
  work(ChildOutput(descriptor));
  _exit(0);
}

}  // namespace

void ChildOutput::Write(absl::Span<const uint8_t> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) _exit(1);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

void LimitMemory(uint64_t bytes) {
  // A sanitizer or a GPU's driver has reserved terabytes of addresses: only growth can be limited.
  char text[32] = {};
  const int statistics = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  const ssize_t count = read(statistics, text, sizeof(text) - 1);
  close(statistics);
  const uint64_t pages = std::strtoull(text, nullptr, 10);  // the first number: of the addresses
  struct rlimit limit;
  if (count <= 0 || getrlimit(RLIMIT_AS, &limit) != 0) return;
  const rlim_t most = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + bytes;
  limit.rlim_cur = std::min(most, limit.rlim_max);
  setrlimit(RLIMIT_AS, &limit);
}

absl::StatusOr<ChildProcess> ChildProcess::Start(
    uint64_t cpu_seconds, const std::function<void(const ChildOutput& output)>& work) {
  constexpr int kPipeBytes = 1 << 20;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("pipe", errno);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);  // fewer switches; refused, it stays at 64 KiB
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = getpid();
  const pid_t process = fork();
  const int error = errno;
  if (process == 0) RunChild(parent, ends[1], cpu_seconds, work);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  close(ends[1]);
  if (process > 0) return ChildProcess(process, ends[0]);
  close(ends[0]);
  return SystemError("fork", error);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : process_(other.process_), descriptor_(other.descriptor_) {
  other.process_ = -1;
  other.descriptor_ = -1;
}

ChildProcess::~ChildProcess() {
  if (descriptor_ >= 0) close(descriptor_);
  if (process_ < 0) return;
  // With SIGCHLD ignored an ended child's number is free for others: kill only what still is ours.
  int ended;
  pid_t found;
  do {
    found = waitpid(process_, &ended, WNOHANG);
  } while (found < 0 && errno == EINTR);
  if (found != 0) return;
  kill(process_, SIGKILL);
  WaitForEnd().IgnoreError();
}

absl::Status ChildProcess::WaitForEnd() {
  if (process_ < 0) return absl::DataLossError("the process has ended");
  int ended = 0;
  pid_t found;
  do {
    found = waitpid(process_, &ended, 0);
  } while (found < 0 && errno == EINTR);
  process_ = -1;
  // No child: the program ignores SIGCHLD or waits for any child, and so the reason is lost.
  if (found < 0) return absl::DataLossError("the process ended early");
  if (!WIFSIGNALED(ended)) {
    return absl::DataLossError(
        absl::StrCat("the process ended early, with status ", WEXITSTATUS(ended)));
  }
  const int reason = WTERMSIG(ended);
  if (std::count(std::begin(kCrashes), std::end(kCrashes), reason) > 0) {
    return absl::DataLossError(absl::StrCat("the process crashed (", strsignal(reason), ")"));
  }
  if (reason == SIGXCPU) {
    return absl::ResourceExhaustedError("the process used up its processor time");
  }
  return absl::AbortedError(absl::StrCat("the process was killed (", strsignal(reason), ")"));
}

absl::Status ChildProcess::WaitForBytes() const {
  constexpr int kTurns = 5, kTurnMilliseconds = 1000;
  constexpr int64_t kIdleNanoseconds = 5'000'000;  // a thread sanitizer's own thread takes some
  struct pollfd pipe = {descriptor_, POLLIN, 0};
  int idle = 0;
  for (int64_t before = -kIdleNanoseconds; idle < kTurns;) {
    const int ready = poll(&pipe, 1, kTurnMilliseconds);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return SystemError("poll", errno);
    const int64_t used = CpuNanoseconds(process_);
    idle = ready == 0 && used - before < kIdleNanoseconds ? idle + 1 : 0;
    before = used;
  }
  return absl::UnavailableError("the process waits without end");
}

absl::Status ChildProcess::Read(absl::Span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = read(descriptor_, bytes.data(), bytes.size());
    if (count == 0) return WaitForEnd();
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      HALITE_RETURN_IF_ERROR(WaitForBytes());
    } else if (errno != EINTR) {
      return SystemError("read", errno);
    }
  }
  return absl::OkStatus();
}

}  // namespace halite
