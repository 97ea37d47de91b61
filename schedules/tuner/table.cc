// SPDX-License-Identifier: Apache-2.0
#include "halite/schedules/tuner/table.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace halite {

absl::StatusOr<TuningTable> TuningTable::Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return absl::NotFoundError(absl::StrCat("--table: ", path, ": a table of tunings needed"));
  }
  TuningTable table;
  table.path_ = path;
  bool is_head = true;
  for (std::string line; std::getline(file, line);) {
    if (is_head) {
      absl::StrAppend(&table.head_, line, "\n");
      is_head = !absl::EndsWith(line, " = [");
      continue;
    }
    if (line == "]") return table;
    // ("set", "kernel", "tuning", "note"),
    const std::vector<std::string> words = absl::StrSplit(line, '"');
    if (words.size() != 9) break;
    table.Set({words[1], words[3], words[5], words[7]});
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--table: ", path, ": a list NAME = [ of lines (set, kernel, tuning, note) needed"));
}

const TableEntry* TuningTable::Find(const std::string& set, const std::string& kernel) const {
  for (const TableEntry& entry : entries_) {
    if (entry.set == set && entry.kernel == kernel) return &entry;
  }
  return nullptr;
}

void TuningTable::Set(TableEntry entry) {
  std::erase_if(entries_, [&](const TableEntry& e) {
    return e.set == entry.set && e.kernel == entry.kernel;
  });
  if (entry.tuning.empty()) return;
  entries_.push_back(std::move(entry));
  std::sort(entries_.begin(), entries_.end(), [](const TableEntry& a, const TableEntry& b) {
    return std::tie(a.kernel, a.set) < std::tie(b.kernel, b.set);
  });
}

absl::Status TuningTable::Write() const {
  const std::string temporary = absl::StrCat(path_, ".tmp.", getpid());
  {
    std::ofstream file(temporary);
    file << head_;
    for (const TableEntry& e : entries_) {
      file << absl::StrCat("    (\"", e.set, "\", \"", e.kernel, "\", \"", e.tuning, "\", \"",
                           e.note, "\"),\n");
    }
    file << "]\n";
    file.close();
    if (!file) return absl::UnavailableError(absl::StrCat("--table: cannot write ", temporary));
  }
  if (std::rename(temporary.c_str(), path_.c_str()) != 0) {
    return absl::UnavailableError(absl::StrCat("--table: cannot replace ", path_));
  }
  return absl::OkStatus();
}

}  // namespace halite
