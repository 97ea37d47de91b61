// SPDX-License-Identifier: Apache-2.0
//
// main() of tests that run once for each instruction set: skips everything if the machine lacks the
// one that HALITE_ISA asks for.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "halite/core/instruction_set.h"

namespace {

class AskedInstructionSet : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* asked = std::getenv("HALITE_ISA");
    const std::string current(halite::Name(halite::CurrentInstructionSet()));
    if (asked != nullptr && current != asked) {
      GTEST_SKIP() << "this CPU has no " << asked << ", its best set is " << current;
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::AddGlobalTestEnvironment(new AskedInstructionSet);
  return RUN_ALL_TESTS();
}
