// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/side.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <system_error>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace halite::bench {
namespace {

constexpr size_t kMemoryBytes = size_t{1} << 36;  // of addresses; pages come when they are written
constexpr int kAnswerMilliseconds = 120'000;
constexpr int kBatches = 8;
constexpr const char* kClocks[] = {"wall", "cpu"};  // by Clock

void CheckSystem(bool is_good, const char* call) {
  if (is_good) return;
  std::perror(call);
  std::exit(1);
}

double Now(clockid_t clock) {
  struct timespec time = {};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double Seconds(const std::function<void()>& f, int times, clockid_t clock) {
  if (times > 1) f();
  const int batch = std::max(times / kBatches, 1);
  double least = std::numeric_limits<double>::infinity();
  for (int done = 0; done < times; done += batch) {
    const double start = Now(clock);
    for (int i = 0; i < batch; ++i) f();
    least = std::min(least, (Now(clock) - start) / batch);
  }
  return least;
}

std::string Answer(const std::string& question, const std::vector<Way>& ways, float* memory) {
  size_t way = 0;
  int times = 0;
  char clock[8];
  if (std::sscanf(question.c_str(), "run %zu %d %7s", &way, &times, clock) == 3 &&
      way < ways.size()) {
    const bool is_wall = absl::string_view(clock) == kClocks[0];
    return absl::StrFormat("%.9g", Seconds(ways[way].run, times,
                                           is_wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID));
  }
  if (std::sscanf(question.c_str(), "result %zu", &way) == 1 && way < ways.size()) {
    const auto& result = ways[way].result;
    const std::vector<float> values = result ? result() : std::vector<float>();
    std::copy(values.begin(), values.end(), memory);
    return absl::StrCat(values.size());
  }
  return absl::StrCat("error ", question, ": run WAY TIMES CLOCK or result WAY needed");
}

// Whether no thread of the process runs or wants to. (Clocks of processor time would do, were they
// not as coarse as the kernel's ticks.)
bool IsAsleep(pid_t process) {
  std::error_code error;
  for (const auto& thread :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", process, "/task"), error)) {
    std::ifstream file(thread.path() / "stat");  // 1234 (name) S ...
    std::string text;
    std::getline(file, text);
    const size_t end = text.rfind(") ");
    if (end != std::string::npos && text[end + 2] == 'R') return false;
  }
  return true;
}

// The life of a forked side: until nobody asks any more.
void Serve(int channel, float* memory, const std::function<std::vector<Way>()>& make) {
  const auto say = [channel](const std::string& line) {
    const std::string text = line + "\n";
    if (send(channel, text.data(), text.size(), MSG_NOSIGNAL) < 0) _exit(1);
  };
  std::FILE* questions = fdopen(channel, "r");
  const std::vector<Way> ways = make();
  say(absl::StrJoin(ways, " ",
                    [](std::string* out, const Way& way) { absl::StrAppend(out, way.name); }));
  for (char line[64]; std::fgets(line, sizeof(line), questions) != nullptr;) {
    say(Answer(line, ways, memory));
  }
}

}  // namespace

SharedMemory::SharedMemory() : descriptor_(memfd_create("halite_bench", 0)) {
  CheckSystem(descriptor_ >= 0 && ftruncate(descriptor_, kMemoryBytes) == 0, "memfd_create");
  void* address = mmap(nullptr, kMemoryBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                       descriptor_, 0);
  CheckSystem(address != MAP_FAILED, "mmap");
  values_ = static_cast<float*>(address);
}

Side::Side(std::string name, const SharedMemory& memory,
           const std::function<std::vector<Way>()>& make)
    : name_(std::move(name)) {
  Start([&](int channel) { Serve(channel, memory.values(), make); });
}

Side::Side(std::string name, const std::vector<std::string>& command) : name_(std::move(name)) {
  Start([&](int channel) {
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    dup2(channel, STDIN_FILENO);
    dup2(channel, STDOUT_FILENO);
    execvp(words[0], words.data());
    std::perror(words[0]);
  });
}

void Side::Start(const std::function<void(int)>& work) {
  int ends[2];
  CheckSystem(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  std::cout.flush();  // the child has a copy of what is not written yet
  std::fflush(nullptr);
  process_ = fork();
  CheckSystem(process_ >= 0, "fork");
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    work(ends[1]);
    _exit(1);
  }
  close(ends[1]);
  channel_ = ends[0];
}

Side::~Side() {
  if (!has_ended()) {
    kill(process_, SIGKILL);
    End().IgnoreError();
  }
}

// Waits for the end and says how it came.
absl::Status Side::End() {
  int status = 0;
  waitpid(process_, &status, 0);
  close(channel_);
  process_ = -1;
  return absl::AbortedError(WIFSIGNALED(status)
                                ? absl::StrCat(name_, ": killed: ", strsignal(WTERMSIG(status)))
                                : absl::StrCat(name_, ": ended: status ", WEXITSTATUS(status)));
}

absl::StatusOr<std::string> Side::Ask(const std::string& line) {
  if (has_ended()) return absl::AbortedError(absl::StrCat(name_, ": has ended"));
  const std::string question = line + "\n";
  if (!line.empty() && send(channel_, question.data(), question.size(), MSG_NOSIGNAL) < 0) {
    return End();
  }
  std::string answer;
  while (answer.empty() || answer.back() != '\n') {
    struct pollfd ready = {channel_, POLLIN, 0};
    if (poll(&ready, 1, kAnswerMilliseconds) == 0) {
      kill(process_, SIGKILL);
      End().IgnoreError();
      return absl::DeadlineExceededError(absl::StrCat(name_, ": no answer to: ", line));
    }
    char text[256];
    const ssize_t size = read(channel_, text, sizeof(text));
    if (size <= 0) return End();
    answer.append(text, static_cast<size_t>(size));
  }
  answer.pop_back();
  if (absl::StartsWith(answer, "error")) {
    return absl::InternalError(absl::StrCat(name_, ": ", answer));
  }
  WaitUntilIdle();
  return answer;
}

void Side::WaitUntilIdle() const {
  for (int look = 0; look < 10000 && !IsAsleep(process_); ++look) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

absl::StatusOr<double> Side::Seconds(size_t way, int times, Clock clock) {
  const absl::StatusOr<std::string> answer =
      Ask(absl::StrCat("run ", way, " ", times, " ", kClocks[static_cast<int>(clock)]));
  if (!answer.ok()) return answer.status();
  double seconds;
  if (absl::SimpleAtod(*answer, &seconds) && seconds > 0) return seconds;
  return absl::InternalError(absl::StrCat(name_, ": ", *answer, ": seconds needed"));
}

absl::StatusOr<absl::Span<const float>> Side::Result(size_t way, const SharedMemory& memory) {
  const absl::StatusOr<std::string> answer = Ask(absl::StrCat("result ", way));
  if (!answer.ok()) return answer.status();
  size_t size;
  if (absl::SimpleAtoi(*answer, &size) && size <= kMemoryBytes / sizeof(float)) {
    return absl::MakeConstSpan(memory.values(), size);
  }
  return absl::InternalError(absl::StrCat(name_, ": ", *answer, ": a number of values needed"));
}

}  // namespace halite::bench
