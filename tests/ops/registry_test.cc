// SPDX-License-Identifier: Apache-2.0
//
// Second lists agree with the first: every function of the registry has its kernels, a gradient
// check, a benchmark and a documented declaration, and the lists name no function that is not
// there.
#include "halite/ops/registry.h"

#include <gtest/gtest.h>
#include <algorithm>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "halite/core/kernel_table.h"
#include "halite/tests/ops/gradient_cases.h"
#include "tests/bench/cases.h"

namespace halite {
namespace {

#ifdef HALITE_WITHOUT_CUDA
constexpr bool kWithCuda = false;
#else
constexpr bool kWithCuda = true;
#endif

// Functions without data inputs give float32 alone.
bool HasFloat64(const FunctionDef& def) {
  for (const InputDef& input : def.inputs) {
    if (input.kind == InputKind::kData) return true;
  }
  return false;
}

const std::set<std::string> kNotInNnabla = {"lstm_gates"};

TEST(RegistryTest, PrintsTheFunctionTable) {
  for (const FunctionDef* def : AllFunctions().functions()) {
    std::string text = absl::StrCat(def->name, "(");
    for (const InputDef& input : def->inputs) {
      absl::StrAppend(&text, &input == &def->inputs[0] ? "" : ", ", input.name,
                      input.optional ? " = none" : "", def->variadic ? "..." : "");
    }
    const auto options = def->options.MakeDefaults();
    for (const std::string& name : def->options.names()) {
      absl::StrAppend(&text, "; ", name, " = ", DebugString(def->options.Get(options.get(), name)));
    }
    std::printf("%s)  nnabla %s, ONNX %s, kernels %s\n", text.c_str(), def->nnabla_name.c_str(),
                def->onnx_name.c_str(), absl::StrJoin(def->kernels, " ").c_str());
    EXPECT_EQ(*AllFunctions().Find(def->name), def);
    if (kNotInNnabla.count(def->name)) continue;
    EXPECT_FALSE(def->nnabla_name.empty()) << def->name;
    EXPECT_EQ(*AllFunctions().FindByNnablaName(def->nnabla_name), def);
  }
  EXPECT_GE(AllFunctions().functions().size(), 45u);
  EXPECT_EQ(AllFunctions().Find("no_such").status().code(), absl::StatusCode::kNotFound);
}

TEST(RegistryTest, EveryFunctionHasItsKernels) {
  for (const FunctionDef* def : AllFunctions().functions()) {
    std::vector<std::string> kernels = def->kernels;
    kernels.insert(kernels.end(), def->gradient_kernels.begin(), def->gradient_kernels.end());
    EXPECT_FALSE(def->kernels.empty()) << def->name;
    EXPECT_EQ(def->gradient == Gradient::kDefined && !def->inputs.empty(),
              !def->gradient_kernels.empty())
        << def->name;
    for (const std::string& kernel : kernels) {
      EXPECT_NE(FindKernel(kernel + "_f32_cpu"), nullptr) << def->name << ": " << kernel;
      const std::vector<std::string> for_cpu_alone = {"convolution_patches_dx", "few_channels_",
                                                      "narrow_", "strided_", "winograd_"};
      const bool is_for_cpu_alone =
          std::any_of(for_cpu_alone.begin(), for_cpu_alone.end(),
                      [&](const std::string& form) { return absl::StartsWith(kernel, form); });
      EXPECT_EQ(FindKernel(kernel + "_f32_cuda") != nullptr, kWithCuda && !is_for_cpu_alone)
          << def->name << ": " << kernel;
      if (HasFloat64(*def)) {
        EXPECT_NE(FindKernel(kernel + "_f64_cpu"), nullptr) << def->name << ": " << kernel;
      }
    }
  }
}

TEST(RegistryTest, EveryKernelBelongsToAFunction) {
  std::set<std::string> known = {"fill"};
  for (const FunctionDef* def : AllFunctions().functions()) {
    known.insert(def->kernels.begin(), def->kernels.end());
    known.insert(def->gradient_kernels.begin(), def->gradient_kernels.end());
  }
  for (const std::string& name : KernelNames()) {
    const std::string op = name.substr(0, name.rfind('_', name.rfind('_') - 1));
    EXPECT_TRUE(known.count(op)) << name;
  }
}

TEST(RegistryTest, EveryFunctionHasAGradientCheckAndABenchmark) {
  std::set<std::string> checked, timed, names;
  for (const auto& test : testing::GradientCases()) checked.insert(test.function);
  for (const auto& test : bench::Cases()) timed.insert(test.function);
  for (const FunctionDef* def : AllFunctions().functions()) {
    names.insert(def->name);
    // Without a gradient there is only Forward to check, which the case does too.
    EXPECT_TRUE(checked.count(def->name) || def->gradient == Gradient::kNone) << def->name;
    EXPECT_TRUE(timed.count(def->name)) << def->name;
  }
  for (const std::string& name : checked) EXPECT_TRUE(names.count(name)) << name;
  for (const std::string& name : timed) EXPECT_TRUE(names.count(name)) << name;
}

// "top_n_error" -> "TopNError"
std::string DeclaredName(const std::string& name) {
  std::string result;
  for (const absl::string_view word : absl::StrSplit(name, '_')) {
    absl::StrAppend(&result, absl::AsciiStrToUpper(word.substr(0, 1)), word.substr(1));
  }
  return result;
}

// Names of functions that ops/*.h declares below a comment, with or without a template line.
std::set<std::string> DocumentedNames() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("ops")) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    bool documented = false;
    for (std::string line; std::getline(file, line);) {
      const std::vector<std::string> words = absl::StrSplit(line.substr(0, line.find('(')), ' ');
      if (documented && line.find('(') != std::string::npos) names.insert(words.back());
      documented =
          absl::StartsWith(line, "//") || (documented && absl::StartsWith(line, "template"));
    }
  }
  return names;
}

TEST(RegistryTest, EveryFunctionHasADocumentedDeclaration) {
  const std::set<std::string> documented = DocumentedNames();
  for (const FunctionDef* def : AllFunctions().functions()) {
    EXPECT_TRUE(documented.count(DeclaredName(def->name)))
        << "ops/*.h declare no " << DeclaredName(def->name) << " below a comment";
  }
  EXPECT_FALSE(documented.count("Activation"));  // declared without a comment
}

TEST(RegistryTest, TheReadmeListsEveryFunction) {
  std::ifstream file("README.md");
  const std::string readme(std::istreambuf_iterator<char>(file), {});
  for (const FunctionDef* def : AllFunctions().functions()) {
    EXPECT_NE(readme.find(absl::StrCat("`", def->name, "`")), std::string::npos) << def->name;
  }
}

}  // namespace
}  // namespace halite
