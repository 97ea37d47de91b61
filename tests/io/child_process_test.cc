// SPDX-License-Identifier: Apache-2.0
#include "halite/io/child_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace halite {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kCpuSeconds = 20;

void Ignore(const ChildOutput&) {}

absl::StatusOr<ChildProcess> Start(const std::function<void(const ChildOutput& output)>& work,
                                   uint64_t cpu_seconds = kCpuSeconds) {
  return ChildProcess::Start(cpu_seconds, work);
}

// The status of reading a byte from a child that writes none.
absl::Status StatusOf(const std::function<void(const ChildOutput& output)>& work,
                      uint64_t cpu_seconds = kCpuSeconds) {
  absl::StatusOr<ChildProcess> child = Start(work, cpu_seconds);
  if (!child.ok()) return child.status();
  uint8_t byte;
  return child->Read(absl::MakeSpan(&byte, 1));
}

std::vector<uint8_t> Pattern(size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * i >> 3);
  return bytes;
}

// No child is left, running or not waited for.
void ExpectNoChild() {
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(ChildProcess, MoreThanThePipeHoldsComesThrough) {
  const std::vector<uint8_t> expected = Pattern(5'000'001);
  absl::StatusOr<ChildProcess> child = Start([&](const ChildOutput& output) {
    output.Write(absl::MakeConstSpan(expected).first(7));
    output.Write(absl::MakeConstSpan(expected).subspan(7));
  });
  ASSERT_TRUE(child.ok()) << child.status();
  std::vector<uint8_t> bytes(expected.size());
  ASSERT_TRUE(child->Read(absl::MakeSpan(bytes).first(3'000'000)).ok());
  ASSERT_TRUE(child->Read(absl::MakeSpan(bytes).subspan(3'000'000)).ok());
  EXPECT_EQ(bytes, expected);
  EXPECT_EQ(child->Read(absl::MakeSpan(bytes)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(child->Read(absl::MakeSpan(bytes)).code(), absl::StatusCode::kDataLoss);
  ExpectNoChild();
}

TEST(ChildProcess, AnEndWithoutAnAnswerIsAnErrorThatSaysHow) {
  const absl::Status aborted = StatusOf([](const ChildOutput&) { std::abort(); });
  EXPECT_EQ(aborted.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(aborted.ToString(), HasSubstr("crashed (Aborted)"));
  const absl::Status segmentation = StatusOf([](const ChildOutput&) {
    void* nowhere = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile int*>(nowhere) = 1;
  });
  EXPECT_EQ(segmentation.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(segmentation.ToString(), HasSubstr("crashed (Segmentation fault)"));
  const absl::Status early = StatusOf(Ignore);
  EXPECT_EQ(early.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(early.ToString(), HasSubstr("ended early, with status 0"));
  EXPECT_THAT(StatusOf([](const ChildOutput&) { _exit(7); }).ToString(), HasSubstr("status 7"));
  EXPECT_EQ(StatusOf([](const ChildOutput&) { kill(getpid(), SIGKILL); }).code(),
            absl::StatusCode::kAborted);
  ExpectNoChild();
}

TEST(ChildProcess, AnEndlessLoopEnds) {
  const absl::Status status = StatusOf(
      [](const ChildOutput&) {
        for (std::atomic<int> i = 0;; ++i) {
        }
      },
      1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.ToString(), HasSubstr("processor time"));
}

TEST(ChildProcess, AChildThatWaitsWithoutEndIsGivenUp) {
  EXPECT_EQ(StatusOf([](const ChildOutput&) { sleep(1000); }).code(),
            absl::StatusCode::kUnavailable);
  ExpectNoChild();
}

TEST(ChildProcess, AChildThatNobodyReadsOrThatWaitsIsKilled) {
  const auto begin = std::chrono::steady_clock::now();
  {
    const std::vector<uint8_t> bytes = Pattern(1 << 20);
    absl::StatusOr<ChildProcess> child = Start([&](const ChildOutput& output) {
      for (;;) output.Write(bytes);
    });
    ASSERT_TRUE(child.ok());
    uint8_t byte;
    EXPECT_TRUE(child->Read(absl::MakeSpan(&byte, 1)).ok());
    const absl::StatusOr<ChildProcess> waits = Start([](const ChildOutput&) { sleep(1000); });
    ASSERT_TRUE(waits.ok());
    const ChildProcess moved = *std::move(child);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
  ExpectNoChild();
}

TEST(ChildProcess, APipeWithoutAReaderEndsTheChild) {
  const absl::Status status = StatusOf([](const ChildOutput&) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    close(ends[0]);
    ChildOutput(ends[1]).Write(Pattern(1));  // EPIPE, and no SIGPIPE
  });
  EXPECT_THAT(status.ToString(), HasSubstr("with status 1"));
}

TEST(ChildProcess, ItsOnlyFileIsThePipe) {
  int files[2];
  ASSERT_EQ(pipe(files), 0);
  absl::StatusOr<ChildProcess> child = Start([](const ChildOutput& output) {
    uint8_t open = 0;
    for (int descriptor = 3; descriptor < 1000; ++descriptor) {
      open += fcntl(descriptor, F_GETFD) >= 0;
    }
    output.Write(absl::MakeConstSpan(&open, 1));
  });
  ASSERT_TRUE(child.ok());
  uint8_t open;
  ASSERT_TRUE(child->Read(absl::MakeSpan(&open, 1)).ok());
  EXPECT_EQ(open, 1);
  close(files[0]);
  close(files[1]);
}

TEST(ChildProcess, MemoryIsLimited) {
  absl::StatusOr<ChildProcess> child = Start([](const ChildOutput& output) {
    constexpr size_t kBlock = size_t{1} << 20;
    LimitMemory(64 * kBlock);
    uint8_t blocks = 0;
    while (blocks < 200 && mmap(nullptr, kBlock, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
      ++blocks;
    }
    output.Write(absl::MakeConstSpan(&blocks, 1));
  });
  ASSERT_TRUE(child.ok());
  uint8_t blocks;
  ASSERT_TRUE(child->Read(absl::MakeSpan(&blocks, 1)).ok());
  EXPECT_GE(blocks, 60);
  EXPECT_LE(blocks, 64);
}

void HandleBadly(int) { _exit(99); }
void HandleNothing(int) {}

TEST(ChildProcess, TheProgramsSignalHandlersDoNotRunInTheChild) {
  const std::vector<int> signals = {SIGSEGV, SIGABRT, SIGTERM, SIGINT, SIGUSR1};
  for (int number : signals) signal(number, HandleBadly);
  EXPECT_THAT(StatusOf([](const ChildOutput&) { std::abort(); }).ToString(), HasSubstr("Aborted"));
  EXPECT_THAT(StatusOf([](const ChildOutput&) { raise(SIGSEGV); }).ToString(),
              HasSubstr("Segmentation"));
  // What ends or interrupts the program is not for the child to answer.
  EXPECT_THAT(StatusOf([](const ChildOutput&) {
                for (int number : {SIGTERM, SIGINT, SIGUSR1, SIGPIPE}) raise(number);
                _exit(5);
              }).ToString(),
              HasSubstr("status 5"));
  for (int number : signals) signal(number, SIG_DFL);
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGTERM), 0);
}

TEST(ChildProcess, AProgramThatIgnoresItsChildrenGetsAnErrorToo) {
  signal(SIGCHLD, SIG_IGN);
  const absl::Status status = StatusOf([](const ChildOutput&) { std::abort(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.ToString(), HasSubstr("ended early"));
  EXPECT_TRUE(Start([](const ChildOutput&) { sleep(1000); }).ok());
  EXPECT_TRUE(Start(Ignore).ok());
  signal(SIGCHLD, SIG_DFL);
  ExpectNoChild();
}

TEST(ChildProcess, InterruptedCallsGoOn) {
  struct sigaction action = {}, before;
  action.sa_handler = HandleNothing;  // without SA_RESTART
  sigaction(SIGALRM, &action, &before);
  const struct itimerval often = {{0, 500}, {0, 500}}, never = {};
  setitimer(ITIMER_REAL, &often, nullptr);
  const std::vector<uint8_t> expected = Pattern(1 << 20);
  for (int round = 0; round < 5; ++round) {
    absl::StatusOr<ChildProcess> child = Start([&](const ChildOutput& output) {
      usleep(20000);
      output.Write(expected);
      usleep(20000);
    });
    ASSERT_TRUE(child.ok()) << child.status();
    std::vector<uint8_t> bytes(expected.size());
    EXPECT_TRUE(child->Read(absl::MakeSpan(bytes)).ok());
    EXPECT_EQ(bytes, expected);
    EXPECT_THAT(child->Read(absl::MakeSpan(bytes)).ToString(), HasSubstr("status 0"));
  }
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
}

TEST(ChildProcess, ManyThreadsHaveManyChildren) {
  const std::vector<uint8_t> expected = Pattern(300'000);
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 15; ++round) {
        absl::StatusOr<ChildProcess> child =
            Start([&](const ChildOutput& output) { output.Write(expected); });
        ASSERT_TRUE(child.ok()) << child.status();
        std::vector<uint8_t> bytes(expected.size());
        ASSERT_TRUE(child->Read(absl::MakeSpan(bytes)).ok());
        EXPECT_EQ(bytes, expected);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ExpectNoChild();
}

}  // namespace
}  // namespace halite
