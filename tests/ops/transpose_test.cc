// SPDX-License-Identifier: Apache-2.0
//
// Transposition against direct loops, exactly, on the CPU and on OpenCL: around the sizes of tiles
// (a cache line of elements), with strips beside them, on views that start anywhere.
#include <gtest/gtest.h>

#include <vector>

#include "halite/core/context.h"
#include "halite/ops/array.h"
#include "halite/tests/ops/reference_check.h"

namespace halite {
namespace {

namespace F = functions;
using testing::ArrayOf;
using testing::CheckReference;
using testing::kInfinity;
using testing::kNan;
using testing::Numbers;
using testing::Reference;

struct TransposeCase {
  Shape shape;
  std::vector<int64_t> axes;
};

const std::vector<TransposeCase>& Cases() {
  static const auto& cases = *new std::vector<TransposeCase>{
      {{1, 1}, {1, 0}},
      {{1, 37}, {1, 0}},
      {{3, 5}, {1, 0}},
      {{16, 16}, {1, 0}},
      {{8, 16}, {1, 0}},
      {{17, 15}, {1, 0}},
      {{15, 65}, {1, 0}},
      {{300, 33}, {1, 0}},
      {{129, 272}, {1, 0}},
      {{2, 3, 700}, {0, 2, 1}},
      {{2, 700, 3}, {0, 2, 1}},
      {{3, 18, 7, 7}, {0, 2, 3, 1}},
      {{2, 16, 5, 31}, {3, 0, 2, 1}},
      {{2, 3, 2, 17, 3, 20}, {5, 0, 4, 1, 3, 2}},
  };
  return cases;
}

// Where element `to` of the result (row-major) comes from.
int64_t Source(const TransposeCase& test, int64_t to) {
  const int rank = static_cast<int>(test.shape.size());
  std::vector<int64_t> index(rank);
  for (int d = rank - 1; d >= 0; --d) {
    const int64_t extent = test.shape[test.axes[d]];
    index[test.axes[d]] = to % extent;
    to /= extent;
  }
  int64_t from = 0;
  for (int d = 0; d < rank; ++d) from = from * test.shape[d] + index[d];
  return from;
}

// x of the shape of `test`, `skip` elements behind the start of its memory.
template <typename T>
NdArray Shifted(const TransposeCase& test, const std::vector<double>& x, int64_t skip) {
  std::vector<double> all(skip, kNan);
  all.insert(all.end(), x.begin(), x.end());
  const int64_t size = static_cast<int64_t>(x.size());
  return *ArrayOf<T>({skip + size}, all).Narrow(skip, size)->Reshape(test.shape);
}

template <typename T>
void Check(const TransposeCase& test) {
  SCOPED_TRACE(ToString(test.shape));
  const int64_t size = Size(test.shape);
  std::vector<double> x = Numbers(size);
  x[size / 2] = kNan;
  x[size - 1] = kInfinity;
  Reference reference{{}, std::vector<double>(size), Numbers(size, 2), std::vector<double>(size)};
  for (int64_t axis : test.axes) reference.shape.push_back(test.shape[axis]);
  for (int64_t i = 0; i < size; ++i) {
    reference.y[i] = x[Source(test, i)];
    reference.dx[Source(test, i)] = reference.dy[i];
  }
  for (int64_t skip : {0, 1}) {
    const Variable in(Shifted<T>(test, x, skip), true);
    CheckReference<T>(in, F::Transpose(in, test.axes), reference, 0);
  }
}

TEST(Transpose, MatchesDirectLoops) {
  for (const TransposeCase& test : Cases()) {
    ASSERT_NO_FATAL_FAILURE(Check<float>(test));
    ASSERT_NO_FATAL_FAILURE(Check<double>(test));
  }
}

TEST(Transpose, OpenclMatchesDirectLoops) {
  const auto context = Context::ByName("opencl");
  if (!context.ok()) GTEST_SKIP() << context.status();
  const ContextScope scope(*context);
  for (const TransposeCase& test : Cases()) ASSERT_NO_FATAL_FAILURE(Check<float>(test));
}

}  // namespace
}  // namespace halite
