// SPDX-License-Identifier: Apache-2.0
#include "halite/core/variable.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "halite/core/apply.h"
#include "halite/ops/activations.h"

namespace halite {
namespace {

namespace F = functions;

TEST(Smoke, ReluForwardBackward) {
  Variable x(NdArray::From<float>({5}, std::vector<float>{-1, 0, 2, NAN, INFINITY}), true);
  Variable y = F::Relu(F::Identity(x));
  ASSERT_TRUE(y.Forward().ok()) << y.Forward();
  auto v = y.data().ToVector<float>().value();
  EXPECT_EQ(v[0], 0);
  EXPECT_EQ(v[2], 2);
  EXPECT_TRUE(std::isnan(v[3]));
  EXPECT_TRUE(std::isinf(v[4]));
  absl::Status s = y.Backward();
  ASSERT_TRUE(s.ok()) << s;
  auto g = x.grad().ToVector<float>().value();
  EXPECT_EQ(g[0], 0);
  EXPECT_EQ(g[2], 1);
}

}  // namespace
}  // namespace halite
