// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "tests/bench/loops.h"

namespace halite::bench {

LoopCase EmbedLoops(const Case& test) {
  const int64_t count = Size(test.shapes[0]), width = test.shapes[1][1];
  return {test,
          [=](const Arrays& a) {
            Threads(count, [=, &a](int64_t begin, int64_t end) {
              for (int64_t t = begin; t < end; ++t) {
                std::copy_n(a.x[1] + static_cast<int64_t>(a.x[0][t]) * width, width,
                            a.y[0] + t * width);
              }
            });
          },
          // Columns by thread: rows may be named twice.
          [=](const Arrays& a) {
            Threads(width, [=, &a](int64_t begin, int64_t end) {
              for (int64_t t = 0; t < count; ++t) {
                float* dw = a.dx[1] + static_cast<int64_t>(a.x[0][t]) * width;
                const float* dy = a.dy[0] + t * width;
                for (int64_t i = begin; i < end; ++i) dw[i] += dy[i];
              }
            });
          }};
}

// x: the gradient; y: the parameter and the states.
Loop UpdateLoop(const std::string& solver) {
  if (solver == "sgd") {
    return [](const Arrays& a) {
      const float* g = a.x[0];
      float* w = a.y[0];
      Threads(Size(a.y_shape), [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) w[i] -= 1e-3f * g[i];
      });
    };
  }
  if (solver == "momentum") {
    return [](const Arrays& a) {
      const float* g = a.x[0];
      float *w = a.y[0], *m = a.y[1];
      Threads(Size(a.y_shape), [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          m[i] = 0.9f * m[i] + 1e-3f * g[i];
          w[i] -= m[i];
        }
      });
    };
  }
  // Adam, at its first step for ever.
  const float rate = 1e-3f * std::sqrt(1 - 0.999f) / (1 - 0.9f);
  return [rate](const Arrays& a) {
    const float* g = a.x[0];
    float *w = a.y[0], *m = a.y[1], *v = a.y[2];
    Threads(Size(a.y_shape), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        m[i] = 0.9f * m[i] + 0.1f * g[i];
        v[i] = 0.999f * v[i] + 0.001f * g[i] * g[i];
        w[i] -= rate * m[i] / (std::sqrt(v[i]) + 1e-8f);
      }
    });
  };
}

}  // namespace halite::bench
