// SPDX-License-Identifier: Apache-2.0
//
// Functions of one input against their formulas in double, on the CPU and on OpenCL: at 0, infinity
// and NaN and at both ends of the range.
#include "halite/ops/activations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "halite/core/context.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
using testing::ArrayOf;
using testing::CheckReferences;
using testing::GradientsOf;
using testing::InputOf;
using testing::MaxOf;
using testing::Numbers;
using testing::References;
using testing::SigmoidOf;
using testing::Specials;
using testing::ValuesOf;

using Values = std::vector<double>;

struct UnaryCase {
  const char* name;
  std::function<Variable(const Variable&)> apply;
  std::function<double(double x)> y;
  std::function<double(double x, double y, double dy)> dx;
};

UnaryCase LeakyReluCase(const LeakyReluOptions& options, double a) {
  return {"leaky_relu", [=](const Variable& x) { return F::LeakyRelu(x, options); },
          [=](double x) { return x > 0 ? x : a * x; },
          [=](double x, double, double dy) { return x > 0 ? dy : a * dy; }};
}

UnaryCase EluCase(const EluOptions& options, double a) {
  return {"elu", [=](const Variable& x) { return F::Elu(x, options); },
          [=](double x) { return x >= 0 ? x : a * (std::exp(x) - 1); },
          [=](double x, double, double dy) { return x >= 0 ? dy : dy * a * std::exp(x); }};
}

UnaryCase PowScalarCase(double v) {
  return {"pow_scalar", [=](const Variable& x) { return F::PowScalar(x, v); },
          [=](double x) { return std::pow(x, v); },
          [=](double x, double, double dy) { return v == 0 ? 0 : dy * v * std::pow(x, v - 1); }};
}

UnaryCase AddScalarCase(double v) {
  return {"add_scalar", [=](const Variable& x) { return F::AddScalar(x, v); },
          [=](double x) { return x + v; }, [](double, double, double dy) { return dy; }};
}

UnaryCase MulScalarCase(double v) {
  return {"mul_scalar", [=](const Variable& x) { return F::MulScalar(x, v); },
          [=](double x) { return x * v; }, [=](double, double, double dy) { return dy * v; }};
}

const std::vector<UnaryCase>& UnaryCases() {
  using V = Variable;
  static const auto& cases = *new std::vector<UnaryCase>{
      {"identity", [](const V& x) { return F::Identity(x); }, [](double x) { return x; },
       [](double, double, double dy) { return dy; }},
      {"relu", [](const V& x) { return F::Relu(x); }, [](double x) { return MaxOf(x, 0); },
       [](double, double y, double dy) { return y <= 0 ? 0 : dy; }},
      LeakyReluCase({}, 0.1),
      LeakyReluCase({-0.75}, -0.75),
      EluCase({}, 1),
      EluCase({0.75}, 0.75),
      {"sigmoid", [](const V& x) { return F::Sigmoid(x); }, SigmoidOf,
       [](double, double y, double dy) { return dy * y * (1 - y); }},
      {"swish", [](const V& x) { return F::Swish(x); },
       [](double x) { return x / (1 + std::exp(-x)); },
       [](double x, double y, double dy) { return dy * (SigmoidOf(x) + y * (1 - SigmoidOf(x))); }},
      {"tanh", [](const V& x) { return F::Tanh(x); }, [](double x) { return std::tanh(x); },
       [](double, double y, double dy) { return dy * (1 - y * y); }},
      {"exp", [](const V& x) { return F::Exp(x); }, [](double x) { return std::exp(x); },
       [](double, double y, double dy) { return dy * y; }},
      {"log", [](const V& x) { return F::Log(x); }, [](double x) { return std::log(x); },
       [](double x, double, double dy) { return dy / x; }},
      {"abs", [](const V& x) { return F::Abs(x); }, [](double x) { return std::fabs(x); },
       [](double x, double, double dy) { return x < 0 ? -dy : dy; }},
      AddScalarCase(1),
      AddScalarCase(-0.5),
      MulScalarCase(1),
      MulScalarCase(-1.5),
      MulScalarCase(0),
      PowScalarCase(1),
      PowScalarCase(2.5),
      PowScalarCase(-1.5),
      PowScalarCase(3),
      PowScalarCase(0),
  };
  return cases;
}

template <typename T>
void CheckUnary(const UnaryCase& test, const Shape& shape, const Values& x, double tolerance) {
  SCOPED_TRACE(std::string(test.name) + " of " + ToString(shape));
  References reference{shape, {}, GradientsOf({x}), {{}}};
  for (size_t i = 0; i < x.size(); ++i) {
    reference.y.push_back(test.y(x[i]));
    reference.dx[0].push_back(test.dx(x[i], reference.y[i], reference.dy[i]));
  }
  for (const bool need_grad : {true, false}) {
    const Variable input = InputOf<T>(shape, x, need_grad);
    ASSERT_NO_FATAL_FAILURE(CheckReferences<T>({input}, test.apply(input), reference, tolerance));
  }
}

template <typename T>
void CheckUnaries(double tolerance) {
  const Values& specials = Specials();
  for (const UnaryCase& test : UnaryCases()) {
    for (double x : specials) {
      ASSERT_NO_FATAL_FAILURE(CheckUnary<T>(test, {1}, {x}, tolerance)) << x;
    }
    for (const Shape& shape : {Shape{}, {7}, {3, 5, 7}, {1037}}) {
      Values x = Numbers(Size(shape));
      for (size_t i = 1; i < x.size(); i += 3) x[i] = specials[i / 3 % specials.size()];
      ASSERT_NO_FATAL_FAILURE(CheckUnary<T>(test, shape, x, tolerance));
    }
  }
}

TEST(Activations, MatchTheirFormulas) {
  ASSERT_NO_FATAL_FAILURE(CheckUnaries<float>(4e-6));
  ASSERT_NO_FATAL_FAILURE(CheckUnaries<double>(1e-14));
}

TEST(Activations, OpenclMatchesTheFormulas) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  ASSERT_NO_FATAL_FAILURE(CheckUnaries<float>(4e-6));
}

TEST(Activations, SignsOfZerosAreThoseOfTheFormulas) {
  const NdArray x = ArrayOf<float>({2}, {0, -0.0});
  const std::vector<std::pair<NdArray, Values>> cases = {{F::Identity(x), {0, 1}},
                                                         {F::Tanh(x), {0, 1}},
                                                         {F::Abs(x), {0, 0}},
                                                         {F::MulScalar(x, -2), {1, 0}}};
  for (const auto& [y, wanted] : cases) {
    const auto values = ValuesOf<float>(y);
    for (int i : {0, 1}) EXPECT_EQ(std::signbit(values[i]), wanted[i] == 1);
  }
}

// Those of nnabla.
TEST(Activations, DefaultOptions) {
  const std::vector<std::pair<std::string, Values>> wanted = {{"add_scalar", {1}},
                                                              {"elu", {1}},
                                                              {"leaky_relu", {0.1}},
                                                              {"mul_scalar", {1}},
                                                              {"pow_scalar", {1}}};
  for (const FunctionDef& def : ActivationFunctions()) {
    const auto options = def.options.MakeDefaults();
    Values defaults;
    for (const std::string& name : def.options.names()) {
      EXPECT_EQ(name, def.name == "elu" || def.name == "leaky_relu" ? "alpha" : "val");
      defaults.push_back(std::get<double>(def.options.Get(options.get(), name)));
    }
    const auto own = std::find_if(wanted.begin(), wanted.end(),
                                  [&](const auto& entry) { return entry.first == def.name; });
    EXPECT_EQ(defaults, own == wanted.end() ? Values() : own->second) << def.name;
  }
}

TEST(Activations, ErrorsSayWhatIsNeeded) {
  EXPECT_EQ(F::Relu(NdArray(Shape{2}, DType::kInt32)).status().message(),
            "relu: x of type i32: type f32 or f64 needed");
}

}  // namespace
}  // namespace halite
