// SPDX-License-Identifier: Apache-2.0
//
// Schedules and kernels of random numbers, all over y[i].
//
//   rand:          low, high -> y, uniform in [low, high)
//   randn:         mu, sigma -> y, normal
//   dropout:       x, threshold, scale -> y = u 2^24 >= threshold ? x scale : 0
//   dropout_grad:  dy, threshold, scale -> dx
// with the scalars seed_low, seed_high, offset_low and offset_high, where the draw begins; rand and
// randn on GPUs also with `count`, the extent of y.
//
// 10^9 numbers a second on one core of a Zen 5, bound by the ten rounds of each block (a plain C++
// loop, -O3 -march=native: rand 0.44):
//             AVX-512  AVX2  SSE4.1
//   rand      2.7      1.1   0.68
//   randn     1.6      0.67  0.37
//   dropout   2.9      1.2   0.69
#include "halite/ops/algorithms/random.h"

#include "halite/ops/algorithms/accumulate.h"
#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using namespace Halide;

// Numbers that are made at a time and then used as contiguous vectors.
constexpr int kPiece = 256;

void ScheduleCpu(BlockNumbers& numbers, Stage stage, const Func& consumer, const VarOrRVar& i,
                 int lanes, int consumer_lanes) {
  const bool r = i.is_rvar;
  const VarOrRVar piece("piece", r), task("task", r), element("element", r);
  stage.split(i, piece, element, kPiece, kGuard)
      .vectorize(element, consumer_lanes, kGuard)
      .split(piece, task, piece, kGrain / kPiece, kGuard)
      .parallel(task);
  const Var vector("vector"), lane("lane");
  numbers.numbers.compute_at(LoopLevel(consumer, piece))
      .store_in(MemoryType::Stack)
      .bound_extent(numbers.b, kPiece / 4)
      .bound(numbers.w, 0, 4)
      .split(numbers.b, vector, lane, lanes, TailStrategy::RoundUp)
      .reorder(lane, numbers.w, vector)
      .unroll(numbers.w)
      .vectorize(lane);
  numbers.block.compute_at(numbers.numbers, vector)
      .bound_extent(numbers.b, lanes)
      .vectorize(numbers.b);
}

// A thread makes the numbers of one block and uses them.
void ScheduleGpu(BlockNumbers& numbers, Stage stage, const Func& consumer, const VarOrRVar& i) {
  const bool r = i.is_rvar;
  const VarOrRVar block("group", r), thread("member", r), word("element", r);
  stage.split(i, thread, word, 4, kGuard)
      .unroll(word)
      .split(thread, block, thread, 256, kGuard)
      .gpu_blocks(block)
      .gpu_threads(thread);
  const LoopLevel at(consumer, thread);
  numbers.numbers.compute_at(at)
      .store_in(MemoryType::Register)
      .bound(numbers.w, 0, 4)
      .bound_extent(numbers.b, 1)
      .unroll(numbers.w);
  numbers.block.compute_at(at).store_in(MemoryType::Register).bound_extent(numbers.b, 1);
}

template <typename Derived>
class RandomGenerator : public OpGenerator<Derived> {
 protected:
  void AddStream() {
    for (const char* name : {"seed_low", "seed_high", "offset_low", "offset_high"}) {
      scalars_.push_back(this->template add_input<uint32_t>(name));
    }
  }
  RandomStream Stream() const { return {*scalars_[0], *scalars_[1], *scalars_[2], *scalars_[3]}; }
  Type Word() const { return UInt(gpu() ? 32 : 64); }
  bool gpu() const { return this->get_target().has_gpu_feature(); }

  void ScheduleNumbers(BlockNumbers& numbers, Stage stage, const Func& consumer,
                       const VarOrRVar& i) {
    const Target target = this->get_target();
    if (gpu()) {
      ScheduleGpu(numbers, stage, consumer, i);
    } else {
      ScheduleCpu(numbers, stage, consumer, i, target.natural_vector_size(Float(32)),
                  target.natural_vector_size(Type(this->dtype)));
    }
  }

 private:
  std::vector<GeneratorInput<uint32_t>*> scalars_;
};

// rand and randn: y = a + scale number.
template <typename Derived>
class DrawGenerator : public RandomGenerator<Derived> {
 protected:
  // Only on a GPU: `count` elements, which is not negative, but no compiler knows.
  void AddCount() {
    if (this->gpu()) count_ = this->template add_input<int32_t>("count");
  }
  Func Draw(const BlockNumbers::Make& make, const Expr& a, const Expr& scale) {
    const Var i("i");
    BlockNumbers numbers(this->Stream(), this->Word(), make);
    Func f("draw");
    const Expr zero = this->gpu() ? cast<uint32_t>(*count_) >> 31 : Expr(uint32_t{0});
    f(i) = ScaledAndShifted(numbers.At(i), scale, a, zero);
    this->ScheduleNumbers(numbers, f, f, i);
    return f;
  }

 private:
  GeneratorInput<int32_t>* count_ = nullptr;
};

class Rand : public DrawGenerator<Rand> {
 public:
  Input<float> low{"low"}, high{"high"};
  Output<Buffer> y{"y", Float(32), 1};

  void configure() {
    AddStream();
    AddCount();
  }
  void generate() {
    y = Draw(UniformNumbers, low, math::internal::StrictSub(high, low));
    ZeroMin(y, 1);
  }
};

class Randn : public DrawGenerator<Randn> {
 public:
  Input<float> mu{"mu"}, sigma{"sigma"};
  Output<Buffer> y{"y", Float(32), 1};

  void configure() {
    AddStream();
    AddCount();
  }
  void generate() {
    y = Draw(NormalNumbers, mu, sigma);
    ZeroMin(y, 1);
  }
};

template <typename Derived>
class DropoutGenerator : public RandomGenerator<Derived> {
 protected:
  void AddScale() {
    threshold_ = this->template add_input<int32_t>("threshold");
    scale_ = this->template add_input<Expr>("scale", this->dtype);
  }
  Expr Kept(const BlockNumbers& numbers, const Expr& i, const Expr& x) const {
    return math::Select(numbers.At(i) >= *threshold_, x * *scale_, cast(x.type(), 0));
  }

 private:
  GeneratorInput<int32_t>* threshold_ = nullptr;
  GeneratorInput<Expr>* scale_ = nullptr;
};

class Dropout : public DropoutGenerator<Dropout> {
 public:
  Input<Buffer> x{"x", 1};
  Output<Buffer> y{"y", 1};

  void configure() {
    AddStream();
    AddScale();
    SetType(x, y);
  }
  void generate() {
    const Var i("i");
    BlockNumbers numbers(Stream(), Word(), IntegerNumbers);
    Func f("dropout");
    f(i) = Kept(numbers, i, x(i));
    ScheduleNumbers(numbers, f, f, i);
    y = f;
    ZeroMin(x, 1);
    ZeroMin(y, 1);
  }
};

class DropoutGrad : public DropoutGenerator<DropoutGrad> {
 public:
  Input<Buffer> dy{"dy", 1};
  Input<bool> accumulate_dx{"accumulate_dx"};
  Output<Buffer> dx{"dx", 1};

  void configure() {
    AddStream();
    AddScale();
    SetType(dy, dx);
  }
  void generate() {
    const Var i("i");
    BlockNumbers numbers(Stream(), Word(), IntegerNumbers);
    Func gradient("gradient");
    gradient(i) = Kept(numbers, i, dy(i));
    Accumulated out("dropout_grad", gradient, {dy.dim(0).extent()}, accumulate_dx);
    if (gpu()) ScheduleRowsGpu(out.dx, {out.vars[0]});
    ScheduleNumbers(numbers, out.dx.update(), out.dx, out.r.x);
    out.dx.update().specialize(!accumulate_dx);
    dx = out.dx;
    ZeroMin(dy, 1);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::Rand, rand)
HALIDE_REGISTER_GENERATOR(halite::Randn, randn)
HALIDE_REGISTER_GENERATOR(halite::Dropout, dropout)
HALIDE_REGISTER_GENERATOR(halite::DropoutGrad, dropout_grad)
