// SPDX-License-Identifier: Apache-2.0
//
// Gradient checks: a GradientCase says which function on which shapes; CheckGradients proves its
// gradient against float64 central differences of a random weighting of its outputs, and the rules
// that every gradient obeys:
//   - float32 agrees with float64
//   - an input with need_grad = false keeps its gradient array, and the others do not notice
//   - gradients of roots accumulate over calls, and overwrite what was there (NaN too) after Zero()
//   - clearing what no gradient needs changes nothing
//   - arrays that start at any element give the same (every buffer shifted by one element)
#ifndef HALITE_TESTS_OPS_GRADIENT_CHECK_H_
#define HALITE_TESTS_OPS_GRADIENT_CHECK_H_

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "halite/core/context.h"
#include "halite/core/function_def.h"

namespace halite::testing {

struct GradientCase {
  using Options = std::vector<std::pair<std::string, OptionValue>>;

  // `shapes`: each entry has the shapes of all inputs. Include odd sizes, size 1, and sizes below
  // and above a vector.
  GradientCase(std::string function_in, std::vector<std::vector<Shape>> shapes_in,
               Options options_in = {})
      : function(std::move(function_in)),
        shapes(std::move(shapes_in)),
        options(std::move(options_in)) {}

  // Data inputs are uniform in [low, high) ...
  GradientCase&& In(double low_in, double high_in) && {
    low = low_in;
    high = high_in;
    return std::move(*this);
  }
  // ... and keep a distance from `kink`, where the function has no derivative.
  GradientCase&& AwayFrom(double kink) && {
    kinks.push_back(kink);
    return std::move(*this);
  }
  // Index inputs are uniform in [0, bound).
  GradientCase&& IndexBelow(int64_t bound) && {
    index_bound = bound;
    return std::move(*this);
  }
  // Other tolerances than the default; say why where it is called.
  GradientCase&& Within(double tolerance_in, double float_tolerance_in) && {
    tolerance = tolerance_in;
    float_tolerance = float_tolerance_in;
    return std::move(*this);
  }

  std::string function;
  std::vector<std::vector<Shape>> shapes;
  Options options;
  double low = -2;
  double high = 2;
  std::vector<double> kinks;
  double distance = 0.02;
  int64_t index_bound = 1;
  // Largest error, relative to the largest gradient (at least 1): float64 against central
  // differences, float32 against float64.
  double tolerance = 1e-6;
  double float_tolerance = 1e-4;
};

void PrintTo(const GradientCase& test, std::ostream* out);

// All checks on the CPU.
void CheckGradients(const FunctionDef& def, const GradientCase& test);

// Outputs and gradients in float32 on `context` agree with those on the CPU.
void CheckAgainstCpu(const FunctionDef& def, const GradientCase& test, const Context& context);

}  // namespace halite::testing

#endif  // HALITE_TESTS_OPS_GRADIENT_CHECK_H_
