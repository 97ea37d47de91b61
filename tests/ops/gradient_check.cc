// SPDX-License-Identifier: Apache-2.0
#include "halite/tests/ops/gradient_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "halite/core/apply.h"
#include "halite/core/random.h"
#include "halite/core/variable.h"

namespace halite::testing {
namespace {

using Values = std::vector<double>;

constexpr uint64_t kSeed = 12345;
constexpr int64_t kMaxChecked = 48;  // elements of one input that are perturbed

// A fresh array; `shifted`: one that begins one element behind an aligned address.
NdArray MakeArray(const Shape& shape, DType dtype, bool shifted) {
  if (!shifted) return NdArray(shape, dtype);
  return NdArray({Size(shape) + 1}, dtype).Narrow(1, Size(shape))->Reshape(shape).value();
}

void Write(NdArray& array, const Values& values) {
  ASSERT_TRUE(array.CopyFrom(NdArray::From(array.shape(), values)).ok());
}

Values Read(const NdArray& array) {
  auto values = array.ToVector<double>();
  EXPECT_TRUE(values.ok()) << values.status();
  return values.ok() ? *values : Values();
}

const InputDef& InputOf(const FunctionDef& def, size_t i) {
  return def.inputs[std::min(i, def.inputs.size() - 1)];
}

bool IsDifferentiable(const FunctionDef& def, size_t i) {
  return def.gradient != Gradient::kNone && InputOf(def, i).kind == InputKind::kData &&
         InputOf(def, i).differentiable;
}

// The function on one choice of shapes: its inputs, outputs, and random output weights.
class Graph {
 public:
  struct Options {
    DType dtype = DType::kFloat64;
    bool shifted = false;
    int without_grad = -1;    // an input that gets need_grad = false
    bool same_twice = false;  // input 1 is input 0
  };

  Graph(const FunctionDef& def, const GradientCase& test, const std::vector<Shape>& shapes,
        const Options& options)
      : def_(def), shapes_(shapes) {
    RandomGenerator random(kSeed);
    std::vector<Variable> inputs;
    for (size_t i = 0; i < shapes.size(); ++i) {
      inputs.push_back(MakeInput(test, i, options, random));
    }
    if (options.same_twice) inputs[1] = inputs[0];
    std::shared_ptr<void> own = def.options.MakeDefaults();
    for (const auto& [name, value] : test.options) {
      const absl::Status status = def.options.Set(own.get(), name, value);
      EXPECT_TRUE(status.ok()) << status;
    }
    inputs_ = inputs;
    outputs_ = ApplyAll(def, inputs, own);
    for (const Variable& output : outputs_) {
      if (!output.status().ok()) {
        ADD_FAILURE() << output.status();
        return;
      }
      Values weights(output.size());
      std::vector<float> drawn(output.size());
      random.Uniform(absl::MakeSpan(drawn), -1, 1);
      std::copy(drawn.begin(), drawn.end(), weights.begin());
      weights_.push_back(weights);
      if (options.shifted && !def.aliases_input) {
        EXPECT_TRUE(output.SetData(MakeArray(output.shape(), output.dtype(), true)).ok());
        EXPECT_TRUE(output.SetGrad(MakeArray(output.shape(), output.dtype(), true)).ok());
      }
    }
  }

  bool ok() const { return weights_.size() == outputs_.size(); }
  const std::vector<Variable>& inputs() const { return inputs_; }
  const std::vector<Variable>& outputs() const { return outputs_; }

  void Forward(const ForwardOptions& options = {}) {
    SetRandomSeed(kSeed);
    const absl::Status status = ForwardAll(outputs_, options);
    ASSERT_TRUE(status.ok()) << status;
  }

  // The weighted sum of all outputs.
  double Loss() {
    Forward();
    double loss = 0;
    for (size_t o = 0; o < outputs_.size(); ++o) {
      const Values y = Read(outputs_[o].data());
      for (size_t k = 0; k < y.size(); ++k) loss += y[k] * weights_[o][k];
    }
    return loss;
  }

  // Backward from every output, with the weights as gradients.
  void Backward(bool clear_buffer = false) {
    for (size_t o = 0; o < outputs_.size(); ++o) {
      BackwardOptions options;
      NdArray seed(outputs_[o].shape(), outputs_[o].dtype());
      Write(seed, weights_[o]);
      options.grad_array = seed;
      options.clear_buffer = clear_buffer && outputs_.size() == 1;
      const absl::Status status = outputs_[o].Backward(options);
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  // Forward, then gradients from zero.
  std::vector<Values> Gradients() {
    ZeroGrad();
    Forward();
    Backward();
    return ReadGradients();
  }

  void ZeroGrad() {
    for (const Variable& input : inputs_) input.grad().Zero();
  }

  std::vector<Values> ReadGradients() const {
    std::vector<Values> gradients;
    for (const Variable& input : inputs_) gradients.push_back(Read(input.grad()));
    return gradients;
  }

 private:
  Variable MakeInput(const GradientCase& test, size_t i, const Options& options,
                     RandomGenerator& random) {
    const bool is_index = InputOf(def_, i).kind == InputKind::kIndex;
    std::vector<float> drawn(Size(shapes_[i]));
    random.Uniform(absl::MakeSpan(drawn), 0, 1);
    Values values;
    for (float u : drawn) {
      double value = is_index ? std::floor(u * static_cast<double>(test.index_bound))
                              : test.low + (test.high - test.low) * u;
      for (double kink : test.kinks) {
        if (!is_index && std::abs(value - kink) < test.distance) value = kink + test.distance;
      }
      values.push_back(value);
    }
    const DType dtype = is_index ? DType::kInt32 : options.dtype;
    NdArray data = MakeArray(shapes_[i], dtype, options.shifted);
    Write(data, values);
    const bool need_grad = IsDifferentiable(def_, i) && options.without_grad != static_cast<int>(i);
    Variable input(data, need_grad);
    if (options.shifted) {
      EXPECT_TRUE(input.SetGrad(MakeArray(shapes_[i], dtype, true)).ok());
    }
    return input;
  }

  const FunctionDef& def_;
  const std::vector<Shape> shapes_;
  std::vector<Variable> inputs_;
  std::vector<Variable> outputs_;
  std::vector<Values> weights_;
};

void ExpectClose(const Values& actual, const Values& expected, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double scale = 1;
  for (double value : expected) scale = std::max(scale, std::abs(value));
  for (size_t k = 0; k < actual.size(); ++k) {
    const bool same_nan = std::isnan(actual[k]) && std::isnan(expected[k]);
    if (same_nan || actual[k] == expected[k]) continue;
    ASSERT_NEAR(actual[k], expected[k], tolerance * scale) << what << ", element " << k;
  }
}

void ExpectAllClose(const std::vector<Values>& actual, const std::vector<Values>& expected,
                    double tolerance, const std::string& what) {
  for (size_t i = 0; i < expected.size(); ++i) {
    ExpectClose(actual[i], expected[i], tolerance, absl::StrCat(what, ", input ", i));
  }
}

void CheckAgainstDifferences(Graph& graph, const FunctionDef& def, const GradientCase& test,
                             const std::vector<Values>& gradients) {
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    if (!IsDifferentiable(def, i)) continue;
    NdArray& x = graph.inputs()[i].data();
    const Values original = Read(x);
    const int64_t size = static_cast<int64_t>(original.size());
    const int64_t stride = std::max<int64_t>(1, size / kMaxChecked);
    Values numeric, analytic;
    for (int64_t k = 0; k < size; k += stride) {
      const double h = 1e-5 * std::max(1.0, std::abs(original[k]));
      Values moved = original;
      moved[k] = original[k] + h;
      Write(x, moved);
      const double above = graph.Loss();
      moved[k] = original[k] - h;
      Write(x, moved);
      const double below = graph.Loss();
      numeric.push_back((above - below) / (2 * h));
      analytic.push_back(gradients[i][k]);
    }
    Write(x, original);
    ExpectClose(analytic, numeric, test.tolerance, absl::StrCat("central differences, input ", i));
  }
}

void CheckAccumulation(Graph& graph, const FunctionDef& def, const std::vector<Values>& gradients) {
  graph.Gradients();
  graph.Backward();
  std::vector<Values> twice = gradients;
  for (Values& values : twice) {
    for (double& value : values) value *= 2;
  }
  ExpectAllClose(graph.ReadGradients(), twice, 1e-12, "two Backwards accumulate");
  // One input overwritten while the others are added to.
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!IsDifferentiable(def, i)) continue;
    graph.Gradients();
    graph.inputs()[i].grad().Zero();
    graph.Backward();
    std::vector<Values> expected = twice;
    expected[i] = gradients[i];
    ExpectAllClose(graph.ReadGradients(), expected, 1e-12, absl::StrCat("zeroed input ", i));
  }
  for (const Variable& input : graph.inputs()) {
    if (input.dtype() == DType::kInt32) continue;
    Write(input.grad(), Values(input.size(), std::numeric_limits<double>::quiet_NaN()));
  }
  ExpectAllClose(graph.Gradients(), gradients, 0, "NaN is overwritten");
}

// A variable given twice gets the sum of both gradients.
void CheckSameVariableTwice(const FunctionDef& def, const GradientCase& test,
                            const std::vector<Shape>& shapes) {
  if (shapes.size() < 2 || shapes[0] != shapes[1]) return;
  if (!IsDifferentiable(def, 0) || !IsDifferentiable(def, 1)) return;
  Graph apart(def, test, shapes, {});
  Graph same(def, test, shapes, {.same_twice = true});
  ASSERT_TRUE(apart.ok() && same.ok());
  Write(apart.inputs()[1].data(), Read(apart.inputs()[0].data()));
  const std::vector<Values> gradients = apart.Gradients();
  Values sum = gradients[0];
  for (size_t k = 0; k < sum.size(); ++k) sum[k] += gradients[1][k];
  ExpectClose(same.Gradients()[0], sum, 1e-12, "one variable for both inputs");
}

void CheckNeedGrad(const FunctionDef& def, const GradientCase& test,
                   const std::vector<Shape>& shapes, const std::vector<Values>& gradients) {
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (!IsDifferentiable(def, i)) continue;
    Graph graph(def, test, shapes, {.without_grad = static_cast<int>(i)});
    ASSERT_TRUE(graph.ok());
    graph.ZeroGrad();
    const Values untouched(Size(shapes[i]), 7);
    Write(graph.inputs()[i].grad(), untouched);
    graph.Forward();
    graph.Backward();
    std::vector<Values> expected = gradients;
    expected[i] = untouched;
    ExpectAllClose(graph.ReadGradients(), expected, 1e-12,
                   absl::StrCat("input ", i, " with need_grad = false"));
  }
}

void CheckShapes(const FunctionDef& def, const GradientCase& test,
                 const std::vector<Shape>& shapes) {
  Graph graph(def, test, shapes, {});
  ASSERT_TRUE(graph.ok());
  const std::vector<Values> gradients = graph.Gradients();
  CheckAgainstDifferences(graph, def, test, gradients);
  CheckAccumulation(graph, def, gradients);
  CheckNeedGrad(def, test, shapes, gradients);
  CheckSameVariableTwice(def, test, shapes);

  graph.ZeroGrad();
  ForwardOptions clearing;
  clearing.clear_no_need_grad = true;
  graph.Forward(clearing);
  graph.Backward(/*clear_buffer=*/true);
  ExpectAllClose(graph.ReadGradients(), gradients, 0, "clearing changes nothing");

  for (const bool shifted : {false, true}) {
    Graph floats(def, test, shapes, {.dtype = DType::kFloat32, .shifted = shifted});
    ASSERT_TRUE(floats.ok());
    ExpectAllClose(floats.Gradients(), gradients, test.float_tolerance,
                   shifted ? "float32, shifted by one element" : "float32 against float64");
  }
}

}  // namespace

void PrintTo(const GradientCase& test, std::ostream* out) {
  *out << test.function;
  for (const auto& [name, value] : test.options) *out << " " << name << "=" << DebugString(value);
}

void CheckGradients(const FunctionDef& def, const GradientCase& test) {
  for (const std::vector<Shape>& shapes : test.shapes) {
    std::string trace;
    for (const Shape& shape : shapes) absl::StrAppend(&trace, " ", ToString(shape));
    SCOPED_TRACE(absl::StrCat(def.name, trace));
    CheckShapes(def, test, shapes);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

void CheckAgainstCpu(const FunctionDef& def, const GradientCase& test, const Context& context) {
  for (const std::vector<Shape>& shapes : test.shapes) {
    std::string trace;
    for (const Shape& shape : shapes) absl::StrAppend(&trace, " ", ToString(shape));
    SCOPED_TRACE(absl::StrCat(def.name, trace));
    Graph cpu(def, test, shapes, {.dtype = DType::kFloat32});
    ASSERT_TRUE(cpu.ok());
    ContextScope scope(context);
    Graph other(def, test, shapes, {.dtype = DType::kFloat32});
    cpu.Forward();
    other.Forward();
    for (size_t o = 0; o < cpu.outputs().size(); ++o) {
      ExpectClose(Read(other.outputs()[o].data()), Read(cpu.outputs()[o].data()),
                  test.float_tolerance, absl::StrCat("output ", o));
    }
    if (def.gradient == Gradient::kNone) continue;
    const std::vector<Values> gradients = cpu.Gradients();
    ExpectAllClose(other.Gradients(), gradients, test.float_tolerance, "gradient");
    // The kernels for the gradients of some inputs alone.
    for (size_t i = 0; shapes.size() > 1 && i < shapes.size(); ++i) {
      if (!IsDifferentiable(def, i)) continue;
      Graph partial(def, test, shapes,
                    {.dtype = DType::kFloat32, .without_grad = static_cast<int>(i)});
      std::vector<Values> expected = gradients;
      expected[i].assign(expected[i].size(), 0);
      ExpectAllClose(partial.Gradients(), expected, test.float_tolerance,
                     absl::StrCat("gradient without that of input ", i));
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace halite::testing
