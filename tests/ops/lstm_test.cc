// SPDX-License-Identifier: Apache-2.0
//
// lstm_gates, lstm and their parametric functions against plain loops in double, on the CPU and on
// OpenCL. (The gradient of lstm is proved by central differences, see gradient_cases.cc.)
#include "halite/ops/lstm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "halite/core/context.h"
#include "halite/core/parameter_scope.h"
#include "halite/ops/parametric_functions.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
namespace PF = parametric_functions;
using testing::ArrayOf;
using testing::ExpectNear;
using testing::InputOf;
using testing::kInfinity;
using testing::kNan;
using testing::Numbers;
using testing::SigmoidOf;
using testing::ValuesOf;
using Doubles = std::vector<double>;

// One element of a cell.
struct Cell {
  double i, f, g, o, before, c, h;

  Cell(double in, double forget, double candidate, double out, double before_in)
      : i(SigmoidOf(in)),
        f(SigmoidOf(forget)),
        g(std::tanh(candidate)),
        o(SigmoidOf(out)),
        before(before_in),
        c(f * before + i * g),
        h(o * std::tanh(c)) {}

  // The derivative of h and of c by: i, f, g, o as they arrive, and the cell before.
  std::vector<double> OfC() const {
    return {i * (1 - i) * g, f * (1 - f) * before, i * (1 - g * g), 0, f};
  }
  std::vector<double> OfH() const {
    const double slope = o * (1 - std::tanh(c) * std::tanh(c));
    std::vector<double> d = OfC();
    for (double& v : d) v *= slope;
    d[3] = o * (1 - o) * std::tanh(c);
    return d;
  }
};

// ---- lstm_gates

// Where z has the gates i, f, g, o.
constexpr int kPlace[] = {0, 2, 3, 1};

template <typename T>
void CheckGates(const Shape& z_shape, const Shape& c_shape, bool shifted, double tolerance) {
  SCOPED_TRACE(ToString(z_shape));
  const int64_t state = c_shape.back(), n = Size(c_shape);
  Doubles z = Numbers(4 * n, 1);
  const Doubles c = Numbers(n, 2), dy = Numbers(n, 3);
  for (size_t i = 0; i < z.size(); ++i) z[i] *= i % 5 == 4 ? 40 : 2;  // to where gates saturate
  const auto at = [&](int64_t i, int gate) {
    return i / state * 4 * state + kPlace[gate] * state + i % state;
  };
  for (const bool through_h : {true, false}) {
    const Variable in = InputOf<T>(z_shape, z, true, shifted);
    const Variable cell = InputOf<T>(c_shape, c, true, shifted);
    const LstmState<Variable> y = F::LstmGates(in, cell);
    Doubles h(n), next(n), dz(4 * n), dc(n);
    for (int64_t i = 0; i < n; ++i) {
      const Cell one(z[at(i, 0)], z[at(i, 1)], z[at(i, 2)], z[at(i, 3)], c[i]);
      h[i] = one.h;
      next[i] = one.c;
      const Doubles slopes = through_h ? one.OfH() : one.OfC();
      for (int gate = 0; gate < 4; ++gate) dz[at(i, gate)] = dy[i] * slopes[gate];
      dc[i] = dy[i] * slopes[4];
    }
    testing::CheckReferences<T>({in, cell}, through_h ? y.h : y.c,
                                {c_shape, through_h ? h : next, dy, {dz, dc}}, tolerance);
  }
}

void CheckGatesOn(bool with_double) {
  for (const bool shifted : {false, true}) {
    for (const int64_t state : {1, 3, 16, 67}) {
      for (const int64_t batch : {1, 5}) {
        CheckGates<float>({batch, 4, state}, {batch, state}, shifted, 2e-6);
        CheckGates<float>({2, batch, 4 * state}, {2, batch, state}, shifted, 2e-6);
        if (with_double) CheckGates<double>({batch, 4, state}, {batch, state}, shifted, 1e-14);
      }
    }
  }
  CheckGates<float>({4, 1000}, {1000}, false, 2e-6);
}

TEST(LstmGates, MatchesPlainLoops) { CheckGatesOn(true); }

TEST(LstmGates, OpenclMatchesPlainLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  CheckGatesOn(false);
}

TEST(LstmGates, InfinityAndNan) {
  // Gates i, o, f, g of cells that: forget all, keep all, are NaN by each input.
  const std::vector<Doubles> cells = {
      {-kInfinity, kInfinity, -kInfinity, 1},
      {-kInfinity, kInfinity, kInfinity, kInfinity},
      {kInfinity, -kInfinity, kInfinity, 1},
      {kNan, 0, 0, 0},
      {0, kNan, 0, 0},
      {0, 0, kNan, 0},
      {0, 0, 0, kNan},
  };
  const double before = 0.25, both = before + std::tanh(1);
  const Doubles h = {0, std::tanh(before), 0, kNan, kNan, kNan, kNan};
  const Doubles c = {0, before, both, kNan, before / 2, kNan, kNan};
  for (size_t i = 0; i < cells.size(); ++i) {
    const LstmState<NdArray> y =
        F::LstmGates(ArrayOf<float>({1, 4, 1}, cells[i]), ArrayOf<float>({1, 1}, {before}));
    ExpectNear<float>(y.h, {h[i]}, 1e-6, "h");
    ExpectNear<float>(y.c, {c[i]}, 1e-6, "c");
  }
}

TEST(LstmGates, AnEmptyBatch) {
  const LstmState<NdArray> y = F::LstmGates(NdArray(Shape{0, 4, 3}), NdArray(Shape{0, 3}));
  ASSERT_TRUE(y.h.status().ok()) << y.h.status();
  EXPECT_EQ(y.h.shape(), Shape({0, 3}));
  EXPECT_EQ(y.c.shape(), Shape({0, 3}));
}

TEST(LstmGates, ErrorsSayWhatIsNeeded) {
  const LstmState<Variable> y = F::LstmGates(Variable({2, 3, 5}), Variable({2, 5}));
  EXPECT_EQ(y.h.status().message(),
            "lstm_gates: z [2,3,5] and c [2,5]: z [2,4,5] or [2,20] needed");
  EXPECT_EQ(y.c.status(), y.h.status());
}

// ---- lstm

struct Case {
  int64_t steps, batch, inputs, state, layers = 1, directions = 1;
  bool with_bias = true;
};

const std::vector<Case>& Cases() {
  static const auto& cases = *new std::vector<Case>{
      {1, 1, 1, 1},       {5, 3, 2, 3},
      {2, 3, 2, 3, 2, 2}, {4, 17, 33, 20, 1, 1, false},
      {3, 2, 5, 7, 3, 1}, {3, 1, 5, 4, 2, 2, false},
      {1, 2, 3, 4, 2, 2}, {6, 40, 9, 31, 1, 2},
  };
  return cases;
}

struct Sequence {
  explicit Sequence(const Case& test)
      : t(test),
        x(Numbers(t.steps * t.batch * t.inputs, 1)),
        h(Numbers(t.layers * t.directions * t.batch * t.state, 2)),
        c(Numbers(h.size(), 3)),
        bias(t.with_bias ? Numbers(t.layers * t.directions * 4 * t.state, 4) : Doubles()) {
    for (int64_t layer = 0; layer < t.layers; ++layer) {
      weights.push_back(
          Numbers(t.directions * 4 * t.state * (features(layer) + t.state), 5 + layer));
    }
  }

  int64_t features(int64_t layer) const { return layer == 0 ? t.inputs : t.directions * t.state; }
  Shape states() const { return {t.layers, t.directions, t.batch, t.state}; }
  // Computes y, and h and c after the last step.
  void Run() {
    y = x;
    for (int64_t layer = 0; layer < t.layers; ++layer) {
      Doubles next(t.steps * t.batch * t.directions * t.state);
      for (int64_t d = 0; d < t.directions; ++d) {
        for (int64_t count = 0; count < t.steps; ++count) {
          Step(layer, d, d == 0 ? count : t.steps - 1 - count, next);
        }
      }
      y = next;
    }
  }

  const Case t;
  Doubles x, h, c, bias, y;
  std::vector<Doubles> weights;

 private:
  void Step(int64_t layer, int64_t d, int64_t step, Doubles& next) {
    const int64_t features = this->features(layer), H = t.state, own = layer * t.directions + d;
    const Doubles before = h;
    for (int64_t b = 0; b < t.batch; ++b) {
      const double* input = &y[(step * t.batch + b) * features];
      const double* state = &before[(own * t.batch + b) * H];
      for (int64_t k = 0; k < H; ++k) {
        double z[4] = {};
        for (int gate = 0; gate < 4; ++gate) {
          if (t.with_bias) z[gate] = bias[(own * 4 + gate) * H + k];
          const double* w = &weights[layer][((d * 4 + gate) * H + k) * (features + H)];
          for (int64_t i = 0; i < features; ++i) z[gate] += w[i] * input[i];
          for (int64_t i = 0; i < H; ++i) z[gate] += w[features + i] * state[i];
        }
        const int64_t at = (own * t.batch + b) * H + k;
        const Cell cell(z[0], z[1], z[2], z[3], c[at]);
        h[at] = cell.h;
        c[at] = cell.c;
        next[((step * t.batch + b) * t.directions + d) * H + k] = cell.h;
      }
    }
  }
};

template <typename T>
void CheckLstm(const Case& test, double tolerance) {
  Sequence s(test);
  SCOPED_TRACE(ToString(s.states()) + " over " + std::to_string(test.steps));
  Variable weight, bias;
  if (test.layers > 1) {
    Doubles others;
    for (int64_t layer = 1; layer < test.layers; ++layer) {
      others.insert(others.end(), s.weights[layer].begin(), s.weights[layer].end());
    }
    weight = InputOf<T>(
        {test.layers - 1, test.directions, 4, test.state, s.features(1) + test.state}, others);
  }
  if (test.with_bias) bias = InputOf<T>({test.layers, test.directions, 4, test.state}, s.bias);
  LstmOptions options;
  options.num_layers = test.layers;
  options.bidirectional = test.directions == 2;
  const LstmResult<Variable> got =
      F::Lstm(InputOf<T>({test.steps, test.batch, test.inputs}, s.x), InputOf<T>(s.states(), s.h),
              InputOf<T>(s.states(), s.c),
              InputOf<T>({test.directions, 4, test.state, test.inputs + test.state}, s.weights[0]),
              weight, bias, options);
  ASSERT_TRUE(got.y.status().ok()) << got.y.status();
  EXPECT_EQ(got.y.shape(), Shape({test.steps, test.batch, test.directions * test.state}));
  EXPECT_EQ(got.h.shape(), s.states());
  const absl::Status status = got.y.Forward();
  ASSERT_TRUE(status.ok()) << status;
  s.Run();
  ExpectNear<T>(got.y.data(), s.y, tolerance, "y");
  ExpectNear<T>(got.h.data(), s.h, tolerance, "h");
  ExpectNear<T>(got.c.data(), s.c, tolerance, "c");
}

TEST(Lstm, MatchesPlainLoops) {
  for (const Case& test : Cases()) {
    CheckLstm<float>(test, 2e-5);
    CheckLstm<double>(test, 1e-12);
  }
}

TEST(Lstm, OpenclMatchesPlainLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  for (const Case& test : Cases()) CheckLstm<float>(test, 2e-5);
}

TEST(Lstm, NanStaysInItsRowOfTheBatch) {
  Sequence s({4, 5, 3, 9});
  s.x[(1 * 5 + 2) * 3] = kNan;  // of row 2 at step 1
  const NdArray none;
  const LstmResult<NdArray> got =
      F::Lstm(ArrayOf<float>({4, 5, 3}, s.x), ArrayOf<float>(s.states(), s.h),
              ArrayOf<float>(s.states(), s.c), ArrayOf<float>({1, 4, 9, 12}, s.weights[0]), none,
              ArrayOf<float>({1, 1, 4, 9}, s.bias));
  const auto y = ValuesOf<float>(got.y);
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t step = i / 45, row = i / 9 % 5;
    EXPECT_EQ(std::isnan(y[i]), row == 2 && step >= 1) << i;
  }
}

TEST(Lstm, ErrorsSayWhatIsNeeded) {
  const Variable x({3, 2, 5}), h({1, 1, 2, 4}), w({1, 4, 4, 9}), none;
  const auto error = [](const LstmResult<Variable>& y) {
    return std::string(y.c.status().message());
  };
  EXPECT_EQ(error(F::Lstm(x, h, Variable({1, 1, 2, 3}), w, none, none)),
            "lstm: x [3,2,5] and h [1,1,2,4] and c [1,1,2,3] and weight_l0 [1,4,4,9]: h and c "
            "[1,1,2,4], weight_l0 [1,4,4,9], bias [1,1,4,4] needed");
  LstmOptions options;
  options.dropout = 0.5;
  EXPECT_EQ(error(F::Lstm(x, h, h, w, none, none, options)),
            "lstm: num_layers 1 and dropout 0.5: num_layers of at least 1 and dropout 0 needed");
  EXPECT_NE(error(F::Lstm(Variable(Shape{0, 2, 5}), h, h, w, none, none)).find("T at least 1"),
            std::string::npos);
}

// ---- parametric functions

// A cell applied step by step is a layer whose weights stand the other way round.
TEST(Lstm, CellsMakeALayer) {
  const int64_t steps = 3, batch = 2, inputs = 5, state = 4, columns = inputs + state;
  const ParameterScope cells, layer;
  const Doubles start = Numbers(batch * state, 1), numbers = Numbers(steps * batch * inputs, 2);
  LstmState<Variable> now = {InputOf<double>({batch, state}, start, false),
                             InputOf<double>({batch, state}, start, false)};
  for (int64_t t = 0; t < steps; ++t) {
    const auto first = numbers.begin() + t * batch * inputs;
    const Doubles x(first, first + batch * inputs);
    now = PF::LstmCell(InputOf<double>({batch, inputs}, x), now.h, now.c, state, cells);
  }
  ASSERT_TRUE(now.h.status().ok()) << now.h.status();
  ASSERT_TRUE(now.h.Forward().ok());
  const Variable w = cells.Get("lstm/affine/W"), b = cells.Get("lstm/affine/b");
  EXPECT_EQ(w.shape(), Shape({columns, 4, state}));
  EXPECT_EQ(b.shape(), Shape({4, state}));
  EXPECT_EQ(cells.Parameters().size(), 2u);

  const auto values = ValuesOf<double>(w.data());
  Doubles turned(values.size());
  for (int gate = 0; gate < 4; ++gate) {
    for (int64_t k = 0; k < state; ++k) {
      for (int64_t i = 0; i < columns; ++i) {
        turned[(gate * state + k) * columns + i] = values[(i * 4 + kPlace[gate]) * state + k];
      }
    }
  }
  LstmLayerOptions options;
  options.w0_init = ValuesInitializer(ArrayOf<double>({1, 4, state, columns}, turned));
  const Variable h0 = InputOf<double>({1, 1, batch, state}, start, false);
  const LstmResult<Variable> y =
      PF::Lstm(InputOf<double>({steps, batch, inputs}, numbers), h0, h0, layer, options);
  ASSERT_TRUE(y.h.status().ok()) << y.h.status();
  ASSERT_TRUE(y.h.Forward().ok());
  EXPECT_EQ(layer.Get("lstm/bias").shape(), Shape({1, 1, 4, state}));
  ExpectNear<double>(y.h.data(), ValuesOf<double>(now.h.data()), 1e-14, "h");

  // Gradients too.
  ASSERT_TRUE(now.h.Backward().ok());
  ASSERT_TRUE(y.h.Backward().ok());
  const auto dw = ValuesOf<double>(w.grad());
  Doubles wanted(dw.size());
  for (int gate = 0; gate < 4; ++gate) {
    for (int64_t k = 0; k < state; ++k) {
      for (int64_t i = 0; i < columns; ++i) {
        wanted[(gate * state + k) * columns + i] = dw[(i * 4 + kPlace[gate]) * state + k];
      }
    }
  }
  ExpectNear<double>(layer.Get("lstm/weight_l0").grad(), wanted, 1e-13, "dW");
}

TEST(Lstm, LayersHaveTheirParameters) {
  const ParameterScope scope;
  LstmLayerOptions options;
  options.num_layers = 3;
  options.bidirectional = true;
  const Variable states({3, 2, 2, 4});
  const LstmResult<Variable> y = PF::Lstm(Variable({6, 2, 5}), states, states, scope, options);
  ASSERT_TRUE(y.y.status().ok()) << y.y.status();
  EXPECT_EQ(y.y.shape(), Shape({6, 2, 8}));
  EXPECT_EQ(scope.Get("lstm/weight_l0").shape(), Shape({2, 4, 4, 9}));
  EXPECT_EQ(scope.Get("lstm/weight").shape(), Shape({2, 2, 4, 4, 12}));
  // The limits of Glorot: sqrt(6 / (5 + 4)) for the inputs, sqrt(6 / (4 + 4)) for h.
  const auto w = ValuesOf<double>(scope.Get("lstm/weight_l0").data());
  double most[2] = {0, 0};
  for (size_t i = 0; i < w.size(); ++i) {
    double& largest = most[i % 9 < 5 ? 0 : 1];
    largest = std::max(largest, std::fabs(w[i]));
  }
  EXPECT_LE(most[0], std::sqrt(6. / 9));
  EXPECT_GT(most[0], 0.9 * std::sqrt(6. / 9));
  EXPECT_LE(most[1], std::sqrt(6. / 8));
  EXPECT_GT(most[1], 0.9 * std::sqrt(6. / 8));
}

}  // namespace
}  // namespace halite
