// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/side.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <thread>

#include "gtest/gtest.h"

namespace halite::bench {
namespace {

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(SideTest, RunsWaysAndHandsOverResults) {
  const SharedMemory memory;
  Side side("own", memory, [] {
    const auto count = std::make_shared<float>(0);
    return std::vector<Way>{{"first", nullptr, nullptr},
                            {"second", [count] { ++*count; },
                             [count] {
                               return std::vector<float>{*count, 7};
                             }}};
  });
  EXPECT_EQ(side.Ask("").value(), "first second");
  EXPECT_GT(side.Seconds(1, 1, Clock::kWall).value(), 0);
  EXPECT_GT(side.Seconds(1, 5, Clock::kWall).value(), 0);  // and one to warm up
  const absl::Span<const float> result = side.Result(1, memory).value();
  ASSERT_EQ(result.size(), 2);
  EXPECT_EQ(result[0], 7);
  EXPECT_EQ(result[1], 7);
  EXPECT_EQ(side.Result(0, memory).value().size(), 0);
}

TEST(SideTest, SleepsOnceItHasAnswered) {
  const SharedMemory memory;
  Side side("spinning", memory, [] {
    return std::vector<Way>{{"spin", [] {
                               std::thread([] {
                                 using std::chrono::steady_clock;
                                 const auto end =
                                     steady_clock::now() + std::chrono::milliseconds(200);
                                 while (steady_clock::now() < end) {
                                 }
                               }).detach();
                             }}};
  });
  ASSERT_TRUE(side.Ask("").ok());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_LT(side.Seconds(0, 1, Clock::kWall).value(), 0.1);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(190));
}

TEST(SideTest, DeathIsAnError) {
  const SharedMemory memory;
  Side exits("exits", memory, [] { return std::vector<Way>{{"w", [] { _exit(3); }}}; });
  ASSERT_TRUE(exits.Ask("").ok());
  EXPECT_EQ(Text(exits.Seconds(0, 1, Clock::kWall).status()), "exits: ended: status 3");
  EXPECT_EQ(Text(exits.Seconds(0, 1, Clock::kWall).status()), "exits: has ended");
  Side crashes("crashes", memory, []() -> std::vector<Way> {
    raise(SIGKILL);
    return {};
  });
  EXPECT_EQ(Text(crashes.Ask("").status()), "crashes: killed: Killed");
}

TEST(SideTest, SpeaksWithPrograms) {
  Side echo("echo", {"sh", "-c", "read line; echo \"got $line\""});
  EXPECT_EQ(echo.Ask("a line").value(), "got a line");
  EXPECT_EQ(Text(echo.Ask("another").status()), "echo: ended: status 0");
  Side missing("missing", {"/no/such/program"});
  EXPECT_EQ(Text(missing.Ask("").status()), "missing: ended: status 1");
}

TEST(SideTest, WrongAnswersAreErrors) {
  Side side("odd", {"sh", "-c", "while read line; do echo soon; done"});
  EXPECT_EQ(Text(side.Seconds(0, 1, Clock::kWall).status()), "odd: soon: seconds needed");
}

}  // namespace
}  // namespace halite::bench
