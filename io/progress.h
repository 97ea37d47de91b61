// SPDX-License-Identifier: Apache-2.0
//
// ProgressBar: one line that tells how far a long piece of work is, how fast it goes and how long
// it will take. On a terminal the line is rewritten in place; elsewhere it is printed at every
// tenth.
#ifndef HALITE_IO_PROGRESS_H_
#define HALITE_IO_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace halite {

class ProgressBar {
 public:
  // `total` items, called `unit` ("images"); `title` stands in front ("epoch 2/5").
  ProgressBar(std::string title, int64_t total, std::string unit);

  // `done` items are finished; `note` is shown behind the bar ("loss 0.41"). Cheap: prints at most
  // ten times a second.
  void Update(int64_t done, absl::string_view note);
  // Prints the last state and ends the line.
  void Finish(absl::string_view note);

  double items_per_second() const;

 private:
  using Clock = std::chrono::steady_clock;

  void Print(absl::string_view note, bool last);

  const std::string title_;
  const int64_t total_;
  const std::string unit_;
  const bool is_terminal_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point printed_at_;
  int printed_tenths_ = -1;
  int64_t first_ = -1;  // items that were done at the first Update
  int64_t done_ = 0;
};

}  // namespace halite

#endif  // HALITE_IO_PROGRESS_H_
