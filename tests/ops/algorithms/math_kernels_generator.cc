// SPDX-License-Identifier: Apache-2.0
//
// Kernels of math_test: one function of ops/algorithms/math.h over a vector.
//   math_unary  x[n]        -> y[n] = function(x)
//   math_pow    x[n], e[n]  -> y[n] = x^e
#include "Halide.h"
#include "halite/ops/algorithms/math.h"

namespace halite {
namespace {

using Halide::Expr;
using Halide::GeneratorParam;
using Halide::Type;
using Halide::Var;

template <typename Derived>
class MathGenerator : public Halide::Generator<Derived> {
 public:
  GeneratorParam<Type> dtype{"dtype", Halide::Float(32)};

 protected:
  template <typename Output>
  void Vectorize(Output& y, Var i) {
    const Halide::TailStrategy guard = Halide::TailStrategy::GuardWithIf;
    if (this->get_target().has_gpu_feature()) {
      Var block, thread;
      y.gpu_tile(i, block, thread, 256, guard);
    } else {
      y.vectorize(i, this->get_target().natural_vector_size(Type(dtype)), guard);
    }
  }
};

enum class Function { kExp, kLog, kTanh, kErf, kSigmoid, kSoftplus, kSin, kCos };

class MathUnary : public MathGenerator<MathUnary> {
 public:
  GeneratorParam<Function> function{"function",
                                    Function::kExp,
                                    {{"exp", Function::kExp},
                                     {"log", Function::kLog},
                                     {"tanh", Function::kTanh},
                                     {"erf", Function::kErf},
                                     {"sigmoid", Function::kSigmoid},
                                     {"softplus", Function::kSoftplus},
                                     {"sin", Function::kSin},
                                     {"cos", Function::kCos}}};
  Halide::GeneratorInput<Halide::Buffer<>> x{"x", 1};
  Halide::GeneratorOutput<Halide::Buffer<>> y{"y", 1};

  void configure() {
    x.set_type(dtype);
    y.set_type(dtype);
  }
  void generate() {
    x.dim(0).set_min(0);
    y.dim(0).set_min(0);
    y(i) = Evaluate(x(i));
    Vectorize(y, i);
  }

 private:
  Expr Evaluate(const Expr& v) {
    switch (Function(function)) {
      case Function::kExp:
        return math::Exp(v);
      case Function::kLog:
        return math::Log(v);
      case Function::kTanh:
        return math::Tanh(v);
      case Function::kErf:
        return math::Erf(v);
      case Function::kSigmoid:
        return math::Sigmoid(v);
      case Function::kSoftplus:
        return math::Softplus(v);
      case Function::kSin:
        return math::Sin(v);
      case Function::kCos:
        return math::Cos(v);
    }
    return Expr();
  }
  Var i{"i"};
};

class MathPow : public MathGenerator<MathPow> {
 public:
  Halide::GeneratorInput<Halide::Buffer<>> x{"x", 1};
  Halide::GeneratorInput<Halide::Buffer<>> e{"e", 1};
  Halide::GeneratorOutput<Halide::Buffer<>> y{"y", 1};

  void configure() {
    x.set_type(dtype);
    e.set_type(dtype);
    y.set_type(dtype);
  }
  void generate() {
    x.dim(0).set_min(0);
    e.dim(0).set_min(0);
    y.dim(0).set_min(0);
    y(i) = math::Pow(x(i), e(i));
    Vectorize(y, i);
  }

 private:
  Var i{"i"};
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::MathUnary, math_unary)
HALIDE_REGISTER_GENERATOR(halite::MathPow, math_pow)
