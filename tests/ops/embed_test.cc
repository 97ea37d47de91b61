// SPDX-License-Identifier: Apache-2.0
//
// embed and one_hot against direct loops, on the CPU and on OpenCL.
#include "halite/ops/embed.h"

#include <gtest/gtest.h>

#include <string>

#include "halite/core/context.h"
#include "halite/core/execution_context.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
using testing::ArrayOf;
using testing::CheckReference;
using testing::ExpectNear;
using testing::kNan;
using testing::Numbers;
using testing::Reference;
using testing::ValuesOf;

struct EmbedCase {
  Shape x0, w;
};

// Indices with repetitions, some of them out of range.
std::vector<int32_t> Indices(const EmbedCase& test) {
  std::vector<int32_t> indices(Size(test.x0));
  RandomGenerator generator(5);
  for (size_t j = 0; j < indices.size(); ++j) {
    indices[j] = static_cast<int32_t>(generator.Below(test.w[0]));
    if (j % 7 == 4) indices[j] = j % 2 ? -1 : -2000000000;
    if (j % 7 == 5) indices[j] = static_cast<int32_t>(j % 2 ? test.w[0] : 2000000000);
  }
  return indices;
}

template <typename T>
void Check(const EmbedCase& test, double tolerance) {
  SCOPED_TRACE(ToString(test.x0) + " of " + ToString(test.w));
  const std::vector<int32_t> indices = Indices(test);
  const std::vector<double> w = Numbers(Size(test.w));
  const size_t width = w.size() / test.w[0];
  Shape shape = test.x0;
  shape.insert(shape.end(), test.w.begin() + 1, test.w.end());
  Reference reference{shape, std::vector<double>(indices.size() * width, kNan),
                      Numbers(indices.size() * width, 2), std::vector<double>(w.size(), 0)};
  for (size_t j = 0; j < indices.size(); ++j) {
    if (indices[j] < 0 || indices[j] >= test.w[0]) continue;
    for (size_t c = 0; c < width; ++c) {
      reference.y[j * width + c] = w[indices[j] * width + c];
      reference.dx[indices[j] * width + c] += reference.dy[j * width + c];
    }
  }
  const Variable x0(NdArray::From<int32_t>(test.x0, indices));
  const Variable table(ArrayOf<T>(test.w, w), true);
  CheckReference<T>(table, F::Embed(x0, table), reference, tolerance);
}

const std::vector<EmbedCase>& Cases() {
  static const auto& cases = *new std::vector<EmbedCase>{
      {{1}, {1}},        {{}, {3, 5}},           {{20}, {7}},         {{4, 5}, {10, 33}},
      {{64}, {100, 64}}, {{2, 3, 4}, {5, 2, 3}}, {{500}, {30, 1000}}, {{3000}, {11, 17}},
  };
  return cases;
}

TEST(Embed, MatchesDirectLoops) {
  for (const EmbedCase& test : Cases()) {
    ASSERT_NO_FATAL_FAILURE(Check<float>(test, 1e-4));
    ASSERT_NO_FATAL_FAILURE(Check<double>(test, 1e-12));
  }
}

TEST(Embed, OpenclMatchesDirectLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  for (const EmbedCase& test : Cases()) ASSERT_NO_FATAL_FAILURE(Check<float>(test, 1e-4));
}

TEST(Embed, GradientsDoNotDependOnTheNumberOfThreads) {
  const int threads = NumThreads();
  const EmbedCase test{{3000}, {40, 500}};
  const Variable w(ArrayOf<float>(test.w, Numbers(Size(test.w))), true);
  const Variable y = F::Embed(Variable(NdArray::From<int32_t>(test.x0, Indices(test))), w);
  std::vector<float> first;
  for (int many : {1, 2, 3, 8}) {
    SetNumThreads(many);
    w.grad().Zero();
    ASSERT_TRUE(y.Forward().ok());
    BackwardOptions options;
    options.grad_array = ArrayOf<float>(y.shape(), Numbers(y.size(), 2));
    ASSERT_TRUE(y.Backward(options).ok());
    const auto dw = w.grad().ToVector<float>().value();
    if (first.empty()) first = dw;
    EXPECT_EQ(dw, first);
  }
  SetNumThreads(threads);
}

TEST(Embed, Empty) {
  const NdArray none(Shape{0}, DType::kInt32);
  EXPECT_EQ(F::Embed(none, NdArray(Shape{3, 4})).shape(), Shape({0, 4}));
  const NdArray two(Shape{2}, DType::kInt32);
  for (float v : ValuesOf<float>(F::Embed(two, NdArray(Shape{0, 4})))) {
    EXPECT_TRUE(std::isnan(v));
  }
  const Variable w({3, 4}, true);
  const Variable y = F::Embed(Variable(none), w);
  ASSERT_TRUE(y.Forward().ok());
  w.grad().Fill(kNan);
  w.grad().Zero();
  ASSERT_TRUE(y.Backward().ok());
  for (float v : ValuesOf<float>(w.grad())) EXPECT_EQ(v, 0);
}

void CheckOneHot(const Shape& x, const Shape& shape) {
  SCOPED_TRACE(ToString(x) + " shape " + ToString(shape));
  const size_t k = shape.size(), count = Size(x) / k, size = Size(shape);
  std::vector<int32_t> indices(Size(x));
  RandomGenerator generator(5);
  std::vector<double> wanted(count * size, 0);
  for (size_t j = 0; j < count; ++j) {
    int64_t flat = 0;
    bool is_valid = true;
    for (size_t d = 0; d < k; ++d) {
      int32_t& index = indices[j * k + d];
      // From -extent - 1 to extent: both ends are out of range.
      index = static_cast<int32_t>(generator.Below(2 * shape[d] + 2)) -
              static_cast<int32_t>(shape[d]) - 1;
      if (j % 4 == 1) index = 2147483647;
      if (j % 4 == 2) index = -2147483647 - 1;
      is_valid = is_valid && index >= -shape[d] && index < shape[d];
      flat = flat * shape[d] + (index < 0 ? index + shape[d] : index);
    }
    if (is_valid) wanted[j * size + flat] = 1;
  }
  const NdArray y = F::OneHot(NdArray::From<int32_t>(x, indices), {shape});
  ASSERT_TRUE(y.status().ok()) << y.status();
  Shape y_shape(x.begin(), x.end() - 1);
  y_shape.insert(y_shape.end(), shape.begin(), shape.end());
  EXPECT_EQ(y.shape(), y_shape);
  ExpectNear<float>(y, wanted, 0, "y");
}

void CheckOneHots() {
  ASSERT_NO_FATAL_FAILURE(CheckOneHot({1}, {1}));
  ASSERT_NO_FATAL_FAILURE(CheckOneHot({100, 1}, {10}));
  ASSERT_NO_FATAL_FAILURE(CheckOneHot({3, 5, 1}, {33}));
  ASSERT_NO_FATAL_FAILURE(CheckOneHot({100, 2}, {3, 4}));
  ASSERT_NO_FATAL_FAILURE(CheckOneHot({2, 30, 5}, {2, 1, 2, 3, 2}));
}

TEST(OneHot, MatchesDirectLoops) { CheckOneHots(); }

TEST(OneHot, OpenclMatchesDirectLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  CheckOneHots();
}

TEST(Embed, ErrorsSayWhatIsNeeded) {
  const auto message = [](const NdArray& y) { return std::string(y.status().message()); };
  const NdArray index(Shape{3, 2}, DType::kInt32);
  EXPECT_EQ(message(F::Embed(index, NdArray(Shape{}))),
            "embed: x0 [3,2] and w []: w [n, ...] needed");
  EXPECT_EQ(message(F::OneHot(index, {{4}})),
            "one_hot: x [3,2], shape [4]: x [..., k] and a shape of k extents needed");
  EXPECT_EQ(message(F::OneHot(index, {{1 << 20, 1 << 20}})),
            "one_hot: x [3,2], shape [1048576,1048576]: extents of at least 0, below 2^31 elements "
            "needed");
}

}  // namespace
}  // namespace halite
