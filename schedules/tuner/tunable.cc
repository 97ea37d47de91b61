// SPDX-License-Identifier: Apache-2.0
#include "halite/schedules/tuner/tunable.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace halite {
namespace {

std::vector<const Tunable*>& Tunables() {
  static auto& tunables = *new std::vector<const Tunable*>;
  return tunables;
}

}  // namespace

int ShapeRow::Get(const std::string& column, int otherwise) const {
  const auto found = words_.find(column);
  int value;
  return found != words_.end() && absl::SimpleAtoi(found->second, &value) ? value : otherwise;
}

bool ShapeRow::flag(const std::string& column) const {
  const auto found = words_.find(column);
  return found != words_.end() && found->second == "true";
}

Tunable::Tunable(std::vector<std::string> generators, std::vector<std::string> shapes,
                 Arguments arguments)
    : generators_(std::move(generators)),
      shapes_(std::move(shapes)),
      arguments_(std::move(arguments)) {
  Tunables().push_back(this);
}

const Tunable* Tunable::Find(const std::string& generator) {
  for (const Tunable* tunable : Tunables()) {
    const auto& own = tunable->generators_;
    if (std::find(own.begin(), own.end(), generator) != own.end()) return tunable;
  }
  return nullptr;
}

std::vector<ShapeRow> ParseShapes(const std::vector<std::string>& lines, char separator) {
  std::vector<std::string> columns;
  std::vector<ShapeRow> rows;
  for (const std::string& line : lines) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> words = absl::StrSplit(line, separator);
    if (columns.empty()) {
      columns = words;
      continue;
    }
    std::map<std::string, std::string> row;
    for (size_t i = 0; i < std::min(columns.size(), words.size()); ++i) row[columns[i]] = words[i];
    rows.emplace_back(std::move(row));
  }
  return rows;
}

}  // namespace halite
