// SPDX-License-Identifier: Apache-2.0
//
// Functions that rearrange elements against direct index loops, on the CPU and on OpenCL, on arrays
// that begin anywhere. Gradients of a copy are scattered to where the elements came from.
#include "halite/ops/array.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>

#include "halite/core/context.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
using testing::ArrayOf;
using testing::CheckReferences;
using testing::InputOf;
using testing::kInfinity;
using testing::kNan;
using testing::Numbers;
using testing::References;
using testing::ValuesOf;

using Ints = std::vector<int64_t>;
using Variables = std::vector<Variable>;

// y[at] is element from(at) of the inputs, counted one after the other.
struct CopyCase {
  std::string name;
  std::vector<Shape> x;
  Shape y;
  std::function<Variable(const Variables&)> apply;
  std::function<int64_t(const Ints& at)> from;
};

int64_t Flat(const Shape& shape, const Ints& at) {
  int64_t flat = 0;
  for (size_t d = 0; d < shape.size(); ++d) flat = flat * shape[d] + at[d];
  return flat;
}

CopyCase ReshapeCase(const Shape& x, const Shape& asked, const Shape& y, bool inplace) {
  return {"reshape",
          {x},
          y,
          [=](const Variables& in) { return F::Reshape(in[0], asked, inplace); },
          [=](const Ints& at) { return Flat(y, at); }};
}

CopyCase TransposeCase(const Shape& x, const Ints& axes) {
  Shape y;
  for (int64_t axis : axes) y.push_back(x[axis]);
  return {"transpose " + ToString(axes),
          {x},
          y,
          [=](const Variables& in) { return F::Transpose(in[0], axes); },
          [=](const Ints& at) {
            Ints source(at.size());
            for (size_t d = 0; d < at.size(); ++d) source[axes[d]] = at[d];
            return Flat(x, source);
          }};
}

CopyCase ConcatenateCase(const std::vector<Shape>& x, int axis) {
  const size_t own = axis < 0 ? x[0].size() + axis : axis;
  Shape y = x[0];
  for (size_t i = 1; i < x.size(); ++i) y[own] += x[i][own];
  return {"concatenate " + std::to_string(axis), x, y,
          [=](const Variables& in) { return F::Concatenate(in, {axis}); },
          [=](Ints at) {
            int64_t begin = 0;
            size_t i = 0;
            for (; at[own] >= x[i][own]; ++i) {
              at[own] -= x[i][own];
              begin += Size(x[i]);
            }
            return begin + Flat(x[i], at);
          }};
}

// One output of split, or all of them brought together again along axis 0.
CopyCase SplitCase(const Shape& x, int axis, int64_t output) {
  const size_t own = axis < 0 ? x.size() + axis : axis;
  Shape y = x;
  y.erase(y.begin() + own);
  return {"split " + std::to_string(axis),
          {x},
          y,
          [=](const Variables& in) { return F::Split(in[0], {axis})[output]; },
          [=](Ints at) {
            at.insert(at.begin() + own, output);
            return Flat(x, at);
          }};
}

CopyCase SplitAndJoinCase(const Shape& x, int axis) {
  CopyCase test = SplitCase(x, axis, 0);
  const size_t own = axis < 0 ? x.size() + axis : axis;
  const int64_t rows = test.y[0];
  test.y[0] *= x[own];
  test.apply = [=](const Variables& in) { return F::Concatenate(F::Split(in[0], {axis}), {0}); };
  test.from = [=](Ints at) {
    const int64_t output = at[0] / rows;
    at[0] %= rows;
    at.insert(at.begin() + own, output);
    return Flat(x, at);
  };
  return test;
}

CopyCase SliceCase(const Shape& x, const SliceOptions& options) {
  std::vector<Ints> taken(x.size());
  Shape y;
  for (size_t d = 0; d < x.size(); ++d) {
    const auto entry = [&](const Ints& list, int64_t otherwise) {
      const size_t skipped = x.size() - list.size();
      return d < skipped ? otherwise : list[d - skipped];
    };
    const int64_t start = entry(options.start, 0), stop = entry(options.stop, x[d]);
    for (int64_t i = start < 0 ? start + x[d] : start; i < (stop < 0 ? stop + x[d] : stop);
         i += entry(options.step, 1)) {
      taken[d].push_back(i);
    }
    y.push_back(static_cast<int64_t>(taken[d].size()));
  }
  return {"slice " + ToString(options.start) + ToString(options.stop) + ToString(options.step),
          {x},
          y,
          [=](const Variables& in) { return F::Slice(in[0], options); },
          [=](Ints at) {
            for (size_t d = 0; d < at.size(); ++d) at[d] = taken[d][at[d]];
            return Flat(x, at);
          }};
}

std::vector<CopyCase> MakeCases() {
  std::vector<CopyCase> cases;
  for (bool inplace : {true, false}) {
    cases.push_back(ReshapeCase({4, 6}, {2, -1}, {2, 12}, inplace));
    cases.push_back(ReshapeCase({3, 5, 7}, {-1}, {105}, inplace));
    cases.push_back(ReshapeCase({6}, {1, 3, -1, 2, 1}, {1, 3, 1, 2, 1}, inplace));
    cases.push_back(ReshapeCase({}, {1, -1}, {1, 1}, inplace));
    cases.push_back(ReshapeCase({1, 1}, {}, {}, inplace));
    cases.push_back(ReshapeCase({700, 301}, {301, 700}, {301, 700}, inplace));
    cases.push_back(ReshapeCase({2, 0, 3}, {0, 6}, {0, 6}, inplace));
  }
  Ints axes = {0, 1, 2, 3};
  do {
    cases.push_back(TransposeCase({3, 5, 2, 7}, axes));
    cases.push_back(TransposeCase({2, 33, 1, 70}, axes));
  } while (std::next_permutation(axes.begin(), axes.end()));
  axes = {0, 1, 2};
  do {
    cases.push_back(TransposeCase({2, 67, 130}, axes));
  } while (std::next_permutation(axes.begin(), axes.end()));
  cases.push_back(TransposeCase({67, 130}, {1, 0}));
  cases.push_back(TransposeCase({300, 1}, {1, 0}));
  cases.push_back(TransposeCase({1}, {0}));
  cases.push_back(TransposeCase({}, {}));
  cases.push_back(TransposeCase({2, 3, 2, 3, 2, 1, 5}, {6, 3, 0, 5, 1, 4, 2}));
  cases.push_back(TransposeCase({2, 3, 2, 3, 2, 3, 5}, {6, 5, 4, 3, 2, 1, 0}));
  for (int axis = -3; axis < 3; ++axis) {
    std::vector<Shape> parts(4, {3, 5, 7});
    const int own = axis < 0 ? axis + 3 : axis;
    parts[1][own] = 1;
    parts[2][own] = 0;
    parts[3][own] = 40;
    cases.push_back(ConcatenateCase(parts, axis));
  }
  // Rows of 256 elements and more are copied by memcpy.
  cases.push_back(ConcatenateCase({{3, 300}, {3, 255}, {3, 256}, {3, 1}}, 1));
  cases.push_back(ConcatenateCase({{2, 300}, {1, 300}}, 0));
  cases.push_back(ConcatenateCase({{70000}, {1}, {40001}}, 0));
  cases.push_back(ConcatenateCase({{2, 257, 3, 2}, {2, 3, 3, 2}}, 1));
  cases.push_back(ConcatenateCase({{1}}, -1));
  cases.push_back(ConcatenateCase({{2, 2, 3, 1, 2, 3, 2}, {2, 2, 3, 4, 2, 3, 2}}, 3));
  for (const Shape& shape : {Shape{3, 4, 5}, {1, 40, 1}, {4, 2, 300}}) {
    for (int axis = -3; axis < 3; ++axis) {
      cases.push_back(SplitAndJoinCase(shape, axis));
      cases.push_back(SplitCase(shape, axis, 0));
      cases.push_back(SplitCase(shape, axis, shape[axis < 0 ? axis + 3 : axis] - 1));
    }
  }
  cases.push_back(SplitCase({3}, 0, 1));
  for (const SliceOptions& options :
       std::initializer_list<SliceOptions>{{},
                                           {{1}, {}, {}},
                                           {{}, {-1}, {2}},
                                           {{-2, 1, 3}, {-1, -1, -2}, {1, 2, 3}},
                                           {{0, 0, 5}, {3, 4, 9}, {2, 3, 1}},
                                           {{1, 0}, {2, 9}, {1, 100}},
                                           {{2}, {2}, {}},
                                           {{3, 0, 0}, {3, 4, 9}, {}},
                                           {{0, 1, 2}, {3, 2, 3}, {1, 1, 1}}}) {
    cases.push_back(SliceCase({3, 4, 9}, options));
  }
  cases.push_back(SliceCase({5, 700}, {{1, 3}, {4, 690}, {}}));
  cases.push_back(SliceCase({5, 700}, {{0, 5}, {5, 700}, {2, 1}}));
  cases.push_back(SliceCase({67, 130}, {{1, 1}, {66, 129}, {3, 2}}));
  cases.push_back(SliceCase({1}, {}));
  cases.push_back(
      SliceCase({2, 3, 2, 3, 2, 3, 5}, {{1, 1, 1, 1, 1, 1, 1}, {}, {1, 2, 1, 2, 1, 2, 2}}));
  return cases;
}

template <typename T>
void Check(const CopyCase& test, bool shifted) {
  SCOPED_TRACE(test.name + " of " + ToString(test.x[0]) + (shifted ? " shifted" : ""));
  std::vector<double> all;
  References reference{test.y, {}, Numbers(Size(test.y), 2), {}};
  Variables inputs;
  for (const Shape& shape : test.x) {
    std::vector<double> x = Numbers(Size(shape), 3 + inputs.size());
    for (size_t i = 0; i < x.size(); i += 5) x[i] = i % 2 == 0 ? kNan : -kInfinity;
    all.insert(all.end(), x.begin(), x.end());
    inputs.push_back(InputOf<T>(shape, x, true, shifted));
  }
  for (size_t i = 0; i < reference.dy.size(); i += 7) reference.dy[i] = kNan;
  std::vector<double> gradients(all.size(), 0);
  Ints at(test.y.size(), 0);
  for (size_t i = 0; i < reference.dy.size(); ++i) {
    const int64_t from = test.from(at);
    reference.y.push_back(all[from]);
    gradients[from] += reference.dy[i];
    for (size_t d = at.size(); d-- > 0 && ++at[d] == test.y[d];) at[d] = 0;
  }
  auto begin = gradients.begin();
  for (const Variable& x : inputs) {
    reference.dx.emplace_back(begin, begin + x.size());
    begin += x.size();
  }
  CheckReferences<T>(inputs, test.apply(inputs), reference, 0);
}

TEST(Array, MatchesIndexLoops) {
  for (const CopyCase& test : MakeCases()) {
    for (bool shifted : {false, true}) {
      ASSERT_NO_FATAL_FAILURE(Check<float>(test, shifted));
      ASSERT_NO_FATAL_FAILURE(Check<double>(test, shifted));
    }
  }
}

TEST(Array, OpenclMatchesIndexLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  for (const CopyCase& test : MakeCases()) {
    for (bool shifted : {false, true}) ASSERT_NO_FATAL_FAILURE(Check<float>(test, shifted));
  }
}

TEST(Array, ReshapeInPlaceSharesMemory) {
  const Variable x(ArrayOf<float>({6}, Numbers(6)));
  for (bool inplace : {true, false}) {
    const Variable y = F::Reshape(x, {2, 3}, inplace);
    ASSERT_TRUE(y.Forward().ok());
    EXPECT_EQ(y.data().SharesMemoryWith(x.data()), inplace);
  }
}

TEST(Array, AnInputGivenTwiceGetsBothGradients) {
  const Variable x({2, 300}, true);
  const Variable y = F::Concatenate<Variable>({x, x}, {0});
  ASSERT_TRUE(y.Forward().ok());
  BackwardOptions options;
  const std::vector<double> dy = Numbers(1200);
  options.grad_array = ArrayOf<float>({4, 300}, dy);
  ASSERT_TRUE(y.Backward(options).ok());
  const auto dx = ValuesOf<float>(x.grad());
  for (size_t i = 0; i < dx.size(); ++i) ASSERT_FLOAT_EQ(dx[i], dy[i] + dy[i + 600]);
}

TEST(Array, ErrorsSayWhatIsNeeded) {
  const auto message = [](const Variable& y) { return std::string(y.status().message()); };
  const Variable x({4, 6});
  EXPECT_EQ(message(F::Reshape(x, {5, -1})), "reshape: x [4,6] as [5,-1]: equal sizes needed");
  EXPECT_EQ(message(F::Reshape(x, {-1, -1})), "reshape: x [4,6] as [-1,-1]: equal sizes needed");
  EXPECT_EQ(message(F::Transpose(x, {0, 0})),
            "transpose: x [4,6] and axes [0,0]: a permutation of the axes of x needed");
  EXPECT_EQ(message(F::Concatenate<Variable>({x, Variable({4, 5})}, {0})),
            "concatenate: x [4,6] and x [4,5]: equal extents but on axis 0 needed");
  EXPECT_EQ(message(F::Split(x, {2})[0]), "split: axis 2 of x [4,6]: an axis in [-2, 2) needed");
  EXPECT_EQ(message(F::Concatenate<Variable>({x}, {-3})),
            "concatenate: axis -3 of x [4,6]: an axis in [-2, 2) needed");
  EXPECT_EQ(message(F::Slice(x, {{5}, {3}, {}})),
            "slice: x [4,6], start [5], stop [3], step []: 0 <= start <= stop <= 6 and step >= 1 "
            "on axis 1 needed");
  EXPECT_EQ(message(F::Transpose(Variable(NdArray(Shape{2, 3}, DType::kInt32)), {1, 0})),
            "transpose: x of type i32: type f32 or f64 needed");
}

}  // namespace
}  // namespace halite
