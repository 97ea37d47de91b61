// SPDX-License-Identifier: Apache-2.0
//
// TuningTable: the .bzl file in which the tuner writes what it finds and which the build reads.
#ifndef HALITE_SCHEDULES_TUNER_TABLE_H_
#define HALITE_SCHEDULES_TUNER_TABLE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace halite {

struct TableEntry {
  std::string set, kernel;  // instruction set and kernel, one entry for each pair
  std::string tuning;       // "kc:256,mr:8"
  std::string note;         // how it was found
};

class TuningTable {
 public:
  static absl::StatusOr<TuningTable> Read(const std::string& path);

  // Null if there is none.
  const TableEntry* Find(const std::string& set, const std::string& kernel) const;
  // Adds or replaces an entry; one without numbers is only taken away.
  void Set(TableEntry entry);
  // Writes the file anew: what was there, or all of it, at any moment.
  absl::Status Write() const;

  const std::vector<TableEntry>& entries() const { return entries_; }

 private:
  std::string path_, head_;          // what stands before the entries
  std::vector<TableEntry> entries_;  // by kernel, then instruction set
};

}  // namespace halite

#endif  // HALITE_SCHEDULES_TUNER_TABLE_H_
