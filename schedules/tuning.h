// SPDX-License-Identifier: Apache-2.0
//
// Tuning: the named integers that shape a schedule (tile sizes, unrolling, parallel grain, order of
// loops). A schedule asks for each by name, with its default and the values that are worth trying:
//   const int kc = tuning("kc", 512, {256, 1024});
// The build passes the values of the table of tunings (schedules/tunings.bzl) as the generator
// parameter `tuning`; the tuner (docs/tuning.md) finds them.
#ifndef HALITE_SCHEDULES_TUNING_H_
#define HALITE_SCHEDULES_TUNING_H_

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace halite {

class Tuning {
 public:
  // A number that a schedule asked for, and what it was given.
  struct Parameter {
    std::string name;
    int default_value, value;
    std::vector<int> candidates;  // beside the default; none: not to be tuned
  };

  Tuning() = default;
  // The numbers for the instruction set `set` out of `text`: entries set/name:value,name:value
  // separated by semicolons, e.g. "zen4/mr:8,kc:256;avx2/kc:128" (a generator's command line
  // refuses '=').
  Tuning(const std::string& text, const std::string& set) {
    std::istringstream entries(text);
    for (std::string entry; std::getline(entries, entry, ';');) {
      const size_t slash = entry.find('/');
      if (entry.substr(0, slash) != set || slash == std::string::npos) continue;
      std::istringstream pairs(entry.substr(slash + 1));
      for (std::string pair; std::getline(pairs, pair, ',');) {
        const size_t colon = pair.find(':');
        values_[pair.substr(0, colon)] = std::stoi(pair.substr(colon + 1));
      }
    }
  }

  // The number `name`. REQUIRES: any of `candidates` gives a right kernel, if perhaps a slow one.
  int operator()(const std::string& name, int default_value,
                 const std::vector<int>& candidates = {}) const {
    const auto found = values_.find(name);
    const int value = found == values_.end() ? default_value : found->second;
    if (Record() != nullptr) Record()->push_back({name, default_value, value, candidates});
    return value;
  }

  // Where every question is noted while this is not null: so the tuner learns what there is to
  // tune.
  static std::vector<Parameter>*& Record() {
    static std::vector<Parameter>* record = nullptr;
    return record;
  }

 private:
  std::map<std::string, int> values_;
};

}  // namespace halite

#endif  // HALITE_SCHEDULES_TUNING_H_
