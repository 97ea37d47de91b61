// SPDX-License-Identifier: Apache-2.0
#include "halite/io/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_format.h"

namespace halite {
namespace {

constexpr int kBarWidth = 24;
constexpr auto kPrintInterval = std::chrono::milliseconds(100);

std::string Duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  return whole < 3600 ? absl::StrFormat("%d:%02d", whole / 60, whole % 60)
                      : absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

ProgressBar::ProgressBar(std::string title, int64_t total, std::string unit)
    : title_(std::move(title)),
      total_(std::max<int64_t>(total, 1)),
      unit_(std::move(unit)),
      is_terminal_(isatty(STDOUT_FILENO) != 0) {}

double ProgressBar::items_per_second() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  return seconds > 0 ? static_cast<double>(done_ - std::max<int64_t>(first_, 0)) / seconds : 0;
}

void ProgressBar::Update(int64_t done, absl::string_view note) {
  if (first_ < 0) first_ = done;
  done_ = done;
  const auto now = Clock::now();
  const int tenths = static_cast<int>(10 * done_ / total_);
  if (is_terminal_ ? now - printed_at_ < kPrintInterval : tenths == printed_tenths_) return;
  printed_at_ = now;
  printed_tenths_ = tenths;
  Print(note, /*last=*/false);
}

void ProgressBar::Finish(absl::string_view note) { Print(note, /*last=*/true); }

void ProgressBar::Print(absl::string_view note, bool last) {
  const double part = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  const int filled = static_cast<int>(part * kBarWidth);
  const double rate = items_per_second();
  std::string line =
      absl::StrFormat("%s [%s%s] %3.0f %%  %s  %.0f %s/s", title_, std::string(filled, '='),
                      std::string(kBarWidth - filled, ' '), 100 * part, note, rate, unit_);
  if (!last && rate > 0) {
    line += absl::StrFormat("  %s left", Duration(static_cast<double>(total_ - done_) / rate));
  }
  if (is_terminal_) {
    std::printf("\r%s\x1b[K%s", line.c_str(), last ? "\n" : "");
  } else {
    std::printf("%s\n", line.c_str());
  }
  std::fflush(stdout);
}

}  // namespace halite
