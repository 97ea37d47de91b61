// SPDX-License-Identifier: Apache-2.0
//
// Tuning: the named integers that shape a schedule (tile sizes, unrolling, parallel grain). A
// schedule asks for each by name with its default; the build passes overrides as the generator
// parameter `tuning`, e.g. "mr:8,nr:32".
#ifndef HALITE_SCHEDULES_TUNING_H_
#define HALITE_SCHEDULES_TUNING_H_

#include <map>
#include <sstream>
#include <string>

namespace halite {

class Tuning {
 public:
  Tuning() = default;
  // `text`: comma-separated name:value pairs (a generator's command line refuses '=').
  explicit Tuning(const std::string& text) {
    std::istringstream pairs(text);
    for (std::string pair; std::getline(pairs, pair, ',');) {
      const size_t colon = pair.find(':');
      if (colon != std::string::npos) {
        values_[pair.substr(0, colon)] = std::stoi(pair.substr(colon + 1));
      }
    }
  }

  int operator()(const std::string& name, int default_value) const {
    const auto found = values_.find(name);
    return found == values_.end() ? default_value : found->second;
  }

 private:
  std::map<std::string, int> values_;
};

}  // namespace halite

#endif  // HALITE_SCHEDULES_TUNING_H_
