// SPDX-License-Identifier: Apache-2.0
#include "halite/schedules/tuner/child.h"

#include <malloc.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace halite {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

void OnInterrupt(int) { g_interrupted = 1; }

// False at the end of the stream or at an error.
bool SendAll(int socket, const void* data, size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = send(socket, bytes, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    size -= n;
  }
  return true;
}

bool ReceiveAll(int socket, void* data, size_t size) {
  auto* bytes = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = recv(socket, bytes, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    size -= n;
  }
  return true;
}

struct ReplyHead {
  bool ok;
  uint32_t size;  // of the text behind it
};

// One line a parameter: name, default, value, candidates.
std::string ToText(const std::vector<Tuning::Parameter>& parameters) {
  std::string text;
  for (const auto& p : parameters) {
    absl::StrAppend(&text, p.name, " ", p.default_value, " ", p.value, " ",
                    absl::StrJoin(p.candidates, " "), "\n");
  }
  return text;
}

std::vector<Tuning::Parameter> ParseParameters(const std::string& text) {
  std::vector<Tuning::Parameter> parameters;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Tuning::Parameter p;
    words >> p.name >> p.default_value >> p.value;
    for (int candidate; words >> candidate;) p.candidates.push_back(candidate);
    parameters.push_back(p);
  }
  return parameters;
}

}  // namespace

void CatchInterrupt() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;  // no SA_RESTART: waiting ends
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool WasInterrupted() { return g_interrupted != 0; }

SharedMemory::SharedMemory() {
  void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("tune: mmap");
    std::exit(1);
  }
  memory_ = static_cast<char*>(memory);
}

SharedMemory::~SharedMemory() { munmap(memory_, kSize); }

struct Child::Request {
  enum Kind { kDescribe, kCompile, kPublish, kCompare, kRun } kind;
  size_t shape = 0;
  int runs = 0, threads = 0;
};

Child::Child(const TunedKernel& kernel, Candidate candidate,
             const std::vector<KernelArguments>& shapes, const SharedMemory& results,
             int time_limit_seconds)
    : time_limit_seconds_(time_limit_seconds) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    ended_ = absl::InternalError(absl::StrCat("socketpair: ", std::strerror(errno)));
    return;
  }
  std::fflush(nullptr);
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    std::signal(SIGINT, SIG_IGN);  // the parent ends the process
    std::signal(SIGTERM, SIG_DFL);
    close(sockets[0]);
    socket_ = sockets[1];
    Serve(kernel, candidate, shapes, results.get());
  }
  close(sockets[1]);
  socket_ = sockets[0];
  if (process_ < 0) End(absl::StrCat("fork: ", std::strerror(errno))).IgnoreError();
}

Child::~Child() { End("ended").IgnoreError(); }

absl::Status Child::End(const std::string& what) {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  if (socket_ >= 0) close(socket_);
  process_ = socket_ = -1;
  return ended_ = absl::AbortedError(what);
}

void Child::Serve(const TunedKernel& kernel, const Candidate& candidate,
                  const std::vector<KernelArguments>& shapes, char* results) {
  // Kernels take scratch memory again and again; Halite's pool keeps it, and so does this.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  std::unique_ptr<JitKernel> jit;
  for (Request request; ReceiveAll(socket_, &request, sizeof request);) {
    ReplyHead head = {true, 0};
    std::string text;
    try {
      if (jit == nullptr) jit = std::make_unique<JitKernel>(kernel, candidate, shapes);
      switch (request.kind) {
        case Request::kDescribe:
          text = ToText(jit->parameters());
          break;
        case Request::kCompile:
          jit->Compile();
          break;
        case Request::kPublish:
          jit->Publish(request.shape, results, SharedMemory::kSize);
          break;
        case Request::kCompare:
          mprotect(results, SharedMemory::kSize, PROT_READ);
          text = jit->Compare(request.shape, results);
          head.ok = text.empty();
          break;
        case Request::kRun:
          text = absl::StrCat(jit->Run(request.shape, request.runs, request.threads) * 1e9);
          break;
      }
    } catch (const Halide::Error& error) {  // not a std::exception
      head.ok = false;
      text = error.what();
    } catch (const std::exception& error) {
      head.ok = false;
      text = error.what();
    }
    head.size = static_cast<uint32_t>(text.size());
    if (!SendAll(socket_, &head, sizeof head) || !SendAll(socket_, text.data(), text.size())) break;
  }
  _exit(0);
}

absl::StatusOr<std::string> Child::Ask(const Request& request) {
  using Clock = std::chrono::steady_clock;
  if (process_ < 0) return ended_;
  SendAll(socket_, &request, sizeof request);
  const auto deadline = Clock::now() + std::chrono::seconds(time_limit_seconds_);
  for (bool is_there = false; !is_there;) {
    if (WasInterrupted()) return absl::CancelledError("interrupted");
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return End(absl::StrCat("hangs: no answer in ", time_limit_seconds_, " s"));
    }
    pollfd waiting = {socket_, POLLIN, 0};
    is_there = poll(&waiting, 1, static_cast<int>(left.count())) > 0;
  }
  ReplyHead head;
  std::string text;
  bool received = ReceiveAll(socket_, &head, sizeof head);
  if (received) {
    text.resize(head.size);
    received = ReceiveAll(socket_, text.data(), text.size());
  }
  if (!received) {
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    if (!WIFSIGNALED(status)) return End(absl::StrCat("exits with ", WEXITSTATUS(status)));
    return End(absl::StrCat("crashes: ", strsignal(WTERMSIG(status))));
  }
  if (!head.ok) {
    // The first line says it all.
    return absl::UnknownError(text.substr(0, text.find('\n', 1)));
  }
  return text;
}

absl::StatusOr<std::vector<Tuning::Parameter>> Child::Describe() {
  const auto text = Ask({Request::kDescribe});
  if (!text.ok()) return text.status();
  return ParseParameters(*text);
}

absl::Status Child::Compile() { return Ask({Request::kCompile}).status(); }

absl::Status Child::Publish(size_t shape) { return Ask({Request::kPublish, shape}).status(); }

absl::Status Child::Compare(size_t shape) {
  const absl::Status status = Ask({Request::kCompare, shape}).status();
  if (!absl::IsUnknown(status)) return status;
  return absl::UnknownError(absl::StrCat("wrong result: ", status.message()));
}

absl::StatusOr<double> Child::Run(size_t shape, int runs, int threads) {
  const auto text = Ask({Request::kRun, shape, runs, threads});
  if (!text.ok()) return text.status();
  double nanoseconds = 0;
  if (!absl::SimpleAtod(*text, &nanoseconds)) return absl::InternalError("no time");
  return nanoseconds * 1e-9;
}

}  // namespace halite
