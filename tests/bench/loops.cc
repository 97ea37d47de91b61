// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/loops.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "halite/core/execution_context.h"
#include "halite/core/thread_pool.h"

namespace halite::bench {
namespace {

using Ints = std::vector<int64_t>;

const Shape kSmall = {2000};
const Shape kOdd = {1000003};            // whole neither in vectors nor in tasks
const Shape kLarge = {64, 128, 28, 28};  // 25.7 MB

// Elements from which a second thread pays.
constexpr int64_t kWorthThreads = 16384;

void Elements(int64_t n, const std::function<void(int64_t, int64_t)>& f) {
  if (n < kWorthThreads) return f(0, n);
  Threads(n, f);
}

// y = f(x), dx += g(x, y, dy).
template <typename F, typename G>
void AddUnary(std::vector<LoopCase>& cases, const std::string& function, F f, G g) {
  for (const Shape& shape : {kSmall, kOdd, kLarge}) {
    cases.push_back({{function, {shape}},
                     [=](const Arrays& a) {
                       const float* x = a.x[0];
                       float* y = a.y[0];
                       Elements(Size(shape), [=](int64_t begin, int64_t end) {
                         for (int64_t i = begin; i < end; ++i) y[i] = f(x[i]);
                       });
                     },
                     [=](const Arrays& a) {
                       const float *x = a.x[0], *y = a.y[0], *dy = a.dy[0];
                       float* dx = a.dx[0];
                       Elements(Size(shape), [=](int64_t begin, int64_t end) {
                         for (int64_t i = begin; i < end; ++i) dx[i] += g(x[i], y[i], dy[i]);
                       });
                     }});
  }
}

// y = f(a, b), da += ga(a, b, y, dy), db += gb(a, b, y, dy).
template <typename F, typename Ga, typename Gb>
void AddBinary(std::vector<LoopCase>& cases, const std::string& function, F f, Ga ga, Gb gb) {
  cases.push_back({{function, {kLarge, kLarge}},
                   [=](const Arrays& a) {
                     const float *x0 = a.x[0], *x1 = a.x[1];
                     float* y = a.y[0];
                     Elements(Size(kLarge), [=](int64_t begin, int64_t end) {
                       for (int64_t i = begin; i < end; ++i) y[i] = f(x0[i], x1[i]);
                     });
                   },
                   [=](const Arrays& a) {
                     const float *x0 = a.x[0], *x1 = a.x[1], *y = a.y[0], *dy = a.dy[0];
                     float *dx0 = a.dx[0], *dx1 = a.dx[1];
                     if (!dx0) return;
                     Elements(Size(kLarge), [=](int64_t begin, int64_t end) {
                       for (int64_t i = begin; i < end; ++i) {
                         dx0[i] += ga(x0[i], x1[i], y[i], dy[i]);
                         if (dx1) dx1[i] += gb(x0[i], x1[i], y[i], dy[i]);
                       }
                     });
                   }});
}

void AddPointwise(std::vector<LoopCase>& cases) {
  using F = float;
  AddUnary(
      cases, "identity", [](F x) { return x; }, [](F, F, F dy) { return dy; });
  AddUnary(
      cases, "relu", [](F x) { return x > 0 ? x : 0; },
      [](F x, F, F dy) { return x > 0 ? dy : 0; });
  AddUnary(
      cases, "leaky_relu", [](F x) { return x > 0 ? x : 0.1f * x; },
      [](F x, F, F dy) { return x > 0 ? dy : 0.1f * dy; });
  AddUnary(
      cases, "abs", [](F x) { return std::abs(x); }, [](F x, F, F dy) { return x > 0 ? dy : -dy; });
  AddUnary(
      cases, "exp", [](F x) { return std::exp(x); }, [](F, F y, F dy) { return y * dy; });
  AddUnary(
      cases, "log", [](F x) { return std::log(x); }, [](F x, F, F dy) { return dy / x; });
  AddUnary(
      cases, "sigmoid", [](F x) { return 1 / (1 + std::exp(-x)); },
      [](F, F y, F dy) { return y * (1 - y) * dy; });
  AddUnary(
      cases, "tanh", [](F x) { return std::tanh(x); },
      [](F, F y, F dy) { return (1 - y * y) * dy; });
  AddUnary(
      cases, "swish", [](F x) { return x / (1 + std::exp(-x)); },
      [](F x, F y, F dy) {
        const F s = 1 / (1 + std::exp(-x));
        return (y + s * (1 - y)) * dy;
      });
  AddUnary(
      cases, "elu", [](F x) { return x >= 0 ? x : std::exp(x) - 1; },
      [](F x, F, F dy) { return x >= 0 ? dy : std::exp(x) * dy; });
  AddUnary(
      cases, "add_scalar", [](F x) { return x + 1; }, [](F, F, F dy) { return dy; });
  AddUnary(
      cases, "mul_scalar", [](F x) { return x * 1; }, [](F, F, F dy) { return dy * 1; });
  AddBinary(
      cases, "add2", [](F a, F b) { return a + b; }, [](F, F, F, F dy) { return dy; },
      [](F, F, F, F dy) { return dy; });
  AddBinary(
      cases, "mul2", [](F a, F b) { return a * b; }, [](F, F b, F, F dy) { return dy * b; },
      [](F a, F, F, F dy) { return dy * a; });
  AddBinary(
      cases, "div2", [](F a, F b) { return a / b; }, [](F, F b, F, F dy) { return dy / b; },
      [](F a, F b, F, F dy) { return -dy * a / (b * b); });
  AddBinary(
      cases, "maximum2", [](F a, F b) { return a > b ? a : b; },
      [](F a, F b, F, F dy) { return a >= b ? dy : 0; },
      [](F a, F b, F, F dy) { return a >= b ? 0 : dy; });
  AddBinary(
      cases, "pow2", [](F a, F b) { return std::pow(a, b); },
      [](F a, F b, F y, F dy) { return dy * b * y / a; },
      [](F a, F, F y, F dy) { return dy * std::log(a) * y; });
  AddBinary(
      cases, "squared_error", [](F a, F b) { return (a - b) * (a - b); },
      [](F a, F b, F, F dy) { return 2 * dy * (a - b); },
      [](F a, F b, F, F dy) { return 2 * dy * (b - a); });
  AddBinary(
      cases, "sigmoid_cross_entropy",
      [](F a, F t) { return std::max(a, 0.f) - a * t + std::log1p(std::exp(-std::abs(a))); },
      [](F a, F t, F, F dy) { return dy * (1 / (1 + std::exp(-a)) - t); },
      [](F, F, F, F) { return 0.f; });
  AddBinary(
      cases, "greater", [](F a, F b) { return a > b ? 1.f : 0.f; }, [](F, F, F, F) { return 0.f; },
      [](F, F, F, F) { return 0.f; });
}

// x + bias[channel] over (batch, channel, place).
void AddBroadcast(std::vector<LoopCase>& cases) {
  for (const Shape& shape : {kLarge, Shape{64, 16, 12, 12}}) {
    const int64_t c = shape[1], rows = shape[0] * c, p = shape[2] * shape[3];
    cases.push_back({{"add2", {shape, {1, c, 1, 1}}},
                     [=](const Arrays& a) {
                       Threads(rows, [=, &a](int64_t begin, int64_t end) {
                         for (int64_t r = begin; r < end; ++r) {
                           for (int64_t i = r * p; i < (r + 1) * p; ++i) {
                             a.y[0][i] = a.x[0][i] + a.x[1][r % c];
                           }
                         }
                       });
                     },
                     [=](const Arrays& a) {
                       Threads(c, [=, &a](int64_t begin, int64_t end) {
                         for (int64_t k = begin; k < end; ++k) {
                           float sum = 0;
                           for (int64_t r = k; r < rows; r += c) {
                             const float* dy = a.dy[0] + r * p;
                             float* dx = a.dx[0] + r * p;
#pragma omp simd reduction(+ : sum)
                             for (int64_t i = 0; i < p; ++i) {
                               dx[i] += dy[i];
                               sum += dy[i];
                             }
                           }
                           a.dx[1][k] += sum;
                         }
                       });
                     }});
  }
}

// Over the middle of (outer, axis, inner): f(sum over the axis).
void AddReduction(std::vector<LoopCase>& cases, const std::string& function, const Shape& shape,
                  const Ints& axes, int64_t outer, int64_t axis, int64_t inner) {
  const bool is_max = function == "max";
  const float scale = function == "mean" ? 1.f / static_cast<float>(axis) : 1;
  const auto forward = [=](const Arrays& a) {
    const float* x = a.x[0];
    if (inner > 1) {
      Elements(outer * inner, [=, &a](int64_t begin, int64_t end) {
        for (int64_t o = begin / inner; o * inner < end; ++o) {
          const int64_t from = std::max(begin - o * inner, int64_t{0});
          const int64_t to = std::min(end - o * inner, inner);
          float* y = a.y[0] + o * inner;
          std::fill(y + from, y + to, is_max ? -std::numeric_limits<float>::infinity() : 0);
          for (int64_t k = 0; k < axis; ++k) {
            const float* row = x + (o * axis + k) * inner;
            if (is_max) {
              for (int64_t i = from; i < to; ++i) y[i] = std::max(y[i], row[i]);
            } else {
              for (int64_t i = from; i < to; ++i) y[i] += row[i];
            }
          }
          for (int64_t i = from; i < to; ++i) y[i] *= scale;
        }
      });
      return;
    }
    // One sum: parts of it side by side.
    const int64_t parts = outer > 1 ? 1 : 2;
    std::vector<float> partial(outer * parts);
    Elements(outer * parts, [=, &partial](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        const float* row = x + o * (axis / parts);
        float value = is_max ? row[0] : 0;
        if (is_max) {
#pragma omp simd reduction(max : value)
          for (int64_t k = 0; k < axis / parts; ++k) value = std::max(value, row[k]);
        } else {
#pragma omp simd reduction(+ : value)
          for (int64_t k = 0; k < axis / parts; ++k) value += row[k];
        }
        partial[o] = value * scale;
      }
    });
    for (int64_t o = 0; o < outer; ++o) {
      a.y[0][o] = partial[o * parts];
      if (parts == 2) {
        a.y[0][o] = is_max ? std::max(partial[0], partial[1]) : partial[0] + partial[1];
      }
    }
  };
  const auto backward = [=](const Arrays& a) {
    Elements(outer * axis, [=, &a](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const float* dy = a.dy[0] + r / axis * inner;
        float* dx = a.dx[0] + r * inner;
        for (int64_t i = 0; i < inner; ++i) dx[i] += dy[i] * scale;
      }
    });
  };
  std::vector<std::pair<std::string, OptionValue>> options;
  if (!axes.empty()) options = {{"axes", axes}};
  cases.push_back({{function, {shape}, options}, forward, is_max ? Loop() : Loop(backward)});
}

void AddReductions(std::vector<LoopCase>& cases) {
  for (const char* function : {"sum", "mean", "max"}) {
    AddReduction(cases, function, {64, 10}, {}, 1, 640, 1);
    AddReduction(cases, function, kLarge, {}, 1, Size(kLarge), 1);
    AddReduction(cases, function, {4096, 1024}, {1}, 4096, 1024, 1);
    AddReduction(cases, function, {4096, 1024}, {0}, 1, 4096, 1024);
    AddReduction(cases, function, {64, 128, 784}, {1}, 64, 128, 784);
  }
}

// (planes, side, side) with a square window.
void AddPooling(std::vector<LoopCase>& cases, const Shape& shape, int64_t kernel, int64_t stride,
                int64_t pad) {
  const int64_t planes = shape[0] * shape[1], in = shape[2],
                out = (in + 2 * pad - kernel) / stride + 1;
  const std::vector<std::pair<std::string, OptionValue>> options = {
      {"kernel", Ints{kernel, kernel}}, {"stride", Ints{stride, stride}}, {"pad", Ints{pad, pad}}};
  for (const bool is_max : {true, false}) {
    const auto forward = [=](const Arrays& a) {
      Threads(planes, [=, &a](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          const float* x = a.x[0] + p * in * in;
          for (int64_t oy = 0; oy < out; ++oy) {
            float* y = a.y[0] + (p * out + oy) * out;
            for (int64_t ox = 0; ox < out; ++ox) {
              const int64_t y0 = std::max(oy * stride - pad, int64_t{0});
              const int64_t y1 = std::min(oy * stride - pad + kernel, in);
              const int64_t x0 = std::max(ox * stride - pad, int64_t{0});
              const int64_t x1 = std::min(ox * stride - pad + kernel, in);
              float value = is_max ? -std::numeric_limits<float>::infinity() : 0;
              for (int64_t iy = y0; iy < y1; ++iy) {
                for (int64_t ix = x0; ix < x1; ++ix) {
                  value = is_max ? std::max(value, x[iy * in + ix]) : value + x[iy * in + ix];
                }
              }
              y[ox] = is_max ? value : value / static_cast<float>(kernel * kernel);
            }
          }
        }
      });
    };
    const auto backward = [=](const Arrays& a) {
      Threads(planes, [=, &a](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          const float* x = a.x[0] + p * in * in;
          float* dx = a.dx[0] + p * in * in;
          for (int64_t oy = 0; oy < out; ++oy) {
            for (int64_t ox = 0; ox < out; ++ox) {
              const float dy = a.dy[0][(p * out + oy) * out + ox];
              const int64_t y0 = std::max(oy * stride - pad, int64_t{0});
              const int64_t y1 = std::min(oy * stride - pad + kernel, in);
              const int64_t x0 = std::max(ox * stride - pad, int64_t{0});
              const int64_t x1 = std::min(ox * stride - pad + kernel, in);
              int64_t best = y0 * in + x0;
              for (int64_t iy = y0; iy < y1; ++iy) {
                for (int64_t ix = x0; ix < x1; ++ix) {
                  if (!is_max) {
                    dx[iy * in + ix] += dy / static_cast<float>(kernel * kernel);
                  } else if (x[iy * in + ix] > x[best]) {
                    best = iy * in + ix;
                  }
                }
              }
              if (is_max) dx[best] += dy;
            }
          }
        }
      });
    };
    cases.push_back(
        {{is_max ? "max_pooling" : "average_pooling", {shape}, options}, forward, backward});
  }
}

void AddBatchNormalization(std::vector<LoopCase>& cases, const Shape& shape) {
  const int64_t n = shape[0], c = shape[1], p = shape[2] * shape[3];
  const Shape own = {1, c, 1, 1};
  const auto statistics = [=](const Arrays& a, int64_t k) {
    float sum = 0, squares = 0;
    for (int64_t b = 0; b < n; ++b) {
      const float* x = a.x[0] + (b * c + k) * p;
#pragma omp simd reduction(+ : sum, squares)
      for (int64_t i = 0; i < p; ++i) {
        sum += x[i];
        squares += x[i] * x[i];
      }
    }
    const float mean = sum / static_cast<float>(n * p);
    const float variance = squares / static_cast<float>(n * p) - mean * mean;
    return std::pair(mean, 1 / std::sqrt(variance + 1e-5f));
  };
  cases.push_back(
      {{"batch_normalization", {shape, own, own, own, own}},
       [=](const Arrays& a) {
         Threads(c, [=, &a](int64_t begin, int64_t end) {
           for (int64_t k = begin; k < end; ++k) {
             const auto [mean, deviation] = statistics(a, k);
             const float scale = a.x[2][k] * deviation, shift = a.x[1][k] - mean * scale;
             for (int64_t b = 0; b < n; ++b) {
               const float* x = a.x[0] + (b * c + k) * p;
               float* y = a.y[0] + (b * c + k) * p;
               for (int64_t i = 0; i < p; ++i) y[i] = x[i] * scale + shift;
             }
           }
         });
       },
       [=](const Arrays& a) {
         Threads(c, [=, &a](int64_t begin, int64_t end) {
           for (int64_t k = begin; k < end; ++k) {
             const auto [mean, deviation] = statistics(a, k);
             const float m = mean, d = deviation;
             float sum = 0, dot = 0;
             for (int64_t b = 0; b < n; ++b) {
               const float *x = a.x[0] + (b * c + k) * p, *dy = a.dy[0] + (b * c + k) * p;
#pragma omp simd reduction(+ : sum, dot)
               for (int64_t i = 0; i < p; ++i) {
                 sum += dy[i];
                 dot += dy[i] * (x[i] - m) * d;
               }
             }
             a.dx[1][k] += sum;
             a.dx[2][k] += dot;
             const float s = a.x[2][k] * d, np = static_cast<float>(n * p);
             for (int64_t b = 0; b < n; ++b) {
               const float *x = a.x[0] + (b * c + k) * p, *dy = a.dy[0] + (b * c + k) * p;
               float* dx = a.dx[0] + (b * c + k) * p;
               for (int64_t i = 0; i < p; ++i) {
                 dx[i] += s * (dy[i] - sum / np - (x[i] - m) * d * dot / np);
               }
             }
           }
         });
       }});
}

void AddSoftmax(std::vector<LoopCase>& cases, int64_t rows, int64_t n) {
  const auto power = [n](const float* x, float* y) {
    float peak = x[0], sum = 0;
#pragma omp simd reduction(max : peak)
    for (int64_t i = 0; i < n; ++i) peak = std::max(peak, x[i]);
    for (int64_t i = 0; i < n; ++i) y[i] = std::exp(x[i] - peak);
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; ++i) sum += y[i];
    return std::pair(peak, sum);
  };
  cases.push_back({{"softmax", {{rows, n}}},
                   [=](const Arrays& a) {
                     Threads(rows, [=, &a](int64_t begin, int64_t end) {
                       for (int64_t r = begin; r < end; ++r) {
                         float* y = a.y[0] + r * n;
                         const float scale = 1 / power(a.x[0] + r * n, y).second;
                         for (int64_t i = 0; i < n; ++i) y[i] *= scale;
                       }
                     });
                   },
                   [=](const Arrays& a) {
                     Threads(rows, [=, &a](int64_t begin, int64_t end) {
                       for (int64_t r = begin; r < end; ++r) {
                         const float *y = a.y[0] + r * n, *dy = a.dy[0] + r * n;
                         float dot = 0;
#pragma omp simd reduction(+ : dot)
                         for (int64_t i = 0; i < n; ++i) dot += y[i] * dy[i];
                         for (int64_t i = 0; i < n; ++i) a.dx[0][r * n + i] += y[i] * (dy[i] - dot);
                       }
                     });
                   }});
  cases.push_back(
      {{.function = "softmax_cross_entropy", .shapes = {{rows, n}, {rows, 1}}, .index_bound = n},
       [=](const Arrays& a) {
         Threads(rows, [=, &a](int64_t begin, int64_t end) {
           std::vector<float> buffer(n);
           for (int64_t r = begin; r < end; ++r) {
             const auto [peak, sum] = power(a.x[0] + r * n, buffer.data());
             const int64_t label = static_cast<int64_t>(a.x[1][r]);
             a.y[0][r] = std::log(sum) + peak - a.x[0][r * n + label];
           }
         });
       },
       [=](const Arrays& a) {
         Threads(rows, [=, &a](int64_t begin, int64_t end) {
           std::vector<float> buffer(n);
           for (int64_t r = begin; r < end; ++r) {
             const float scale = a.dy[0][r] / power(a.x[0] + r * n, buffer.data()).second;
             float* dx = a.dx[0] + r * n;
             for (int64_t i = 0; i < n; ++i) dx[i] += buffer[i] * scale;
             dx[static_cast<int64_t>(a.x[1][r])] -= a.dy[0][r];
           }
         });
       }});
}

void AddMoves(std::vector<LoopCase>& cases) {
  cases.push_back({{"transpose", {{2048, 2048}}, {{"axes", Ints{1, 0}}}}, [](const Arrays& a) {
                     constexpr int64_t kSide = 2048, kTile = 16;
                     Threads(kSide / kTile, [&a](int64_t begin, int64_t end) {
                       for (int64_t i0 = begin * kTile; i0 < end * kTile; i0 += kTile) {
                         for (int64_t j0 = 0; j0 < kSide; j0 += kTile) {
                           for (int64_t i = i0; i < i0 + kTile; ++i) {
                             for (int64_t j = j0; j < j0 + kTile; ++j) {
                               a.y[0][i * kSide + j] = a.x[0][j * kSide + i];
                             }
                           }
                         }
                       }
                     });
                   }});
  cases.push_back({{"transpose", {kLarge}, {{"axes", Ints{0, 2, 3, 1}}}}, [](const Arrays& a) {
                     const int64_t c = kLarge[1], p = kLarge[2] * kLarge[3];
                     Threads(kLarge[0], [=, &a](int64_t begin, int64_t end) {
                       for (int64_t b = begin; b < end; ++b) {
                         const float* x = a.x[0] + b * c * p;
                         float* y = a.y[0] + b * c * p;
                         for (int64_t i = 0; i < p; ++i) {
                           for (int64_t k = 0; k < c; ++k) y[i * c + k] = x[k * p + i];
                         }
                       }
                     });
                   }});
  cases.push_back({{"concatenate", {kLarge, kLarge}, {{"axis", int64_t{1}}}}, [](const Arrays& a) {
                     const int64_t row = Size(kLarge) / kLarge[0];
                     Threads(kLarge[0], [=, &a](int64_t begin, int64_t end) {
                       for (int64_t b = begin; b < end; ++b) {
                         std::copy_n(a.x[0] + b * row, row, a.y[0] + 2 * b * row);
                         std::copy_n(a.x[1] + b * row, row, a.y[0] + (2 * b + 1) * row);
                       }
                     });
                   }});
  cases.push_back(
      {{"slice", {kLarge}, {{"start", Ints{1, 1}}, {"stop", Ints{27, 27}}}}, [](const Arrays& a) {
         Threads(kLarge[0] * kLarge[1], [&a](int64_t begin, int64_t end) {
           for (int64_t p = begin; p < end; ++p) {
             for (int64_t i = 0; i < 26; ++i) {
               std::copy_n(a.x[0] + (p * 28 + i + 1) * 28 + 1, 26, a.y[0] + (p * 26 + i) * 26);
             }
           }
         });
       }});
  cases.push_back(
      EmbedLoops({.function = "embed", .shapes = {{64, 128}, {10000, 256}}, .index_bound = 10000}));
  cases.push_back({{.function = "one_hot",
                    .shapes = {{8192, 1}},
                    .options = {{"shape", Ints{256}}},
                    .index_bound = 256},
                   [](const Arrays& a) {
                     Threads(8192, [&a](int64_t begin, int64_t end) {
                       std::fill(a.y[0] + begin * 256, a.y[0] + end * 256, 0.f);
                       for (int64_t t = begin; t < end; ++t) {
                         a.y[0][t * 256 + static_cast<int64_t>(a.x[0][t])] = 1;
                       }
                     });
                   }});
  cases.push_back(
      {{.function = "top_n_error", .shapes = {{128, 1000}, {128, 1}}, .index_bound = 1000},
       [](const Arrays& a) {
         Threads(128, [&a](int64_t begin, int64_t end) {
           for (int64_t r = begin; r < end; ++r) {
             const float* x = a.x[0] + r * 1000;
             const float own = x[static_cast<int64_t>(a.x[1][r])];
             int better = 0;
             for (int64_t i = 0; i < 1000; ++i) better += x[i] >= own;
             a.y[0][r] = better > 1 ? 1.f : 0.f;
           }
         });
       }});
}

}  // namespace

void Threads(int64_t n, const std::function<void(int64_t, int64_t)>& f) {
  const int threads = static_cast<int>(std::min<int64_t>(n, NumThreads()));
  struct Work {
    const std::function<void(int64_t, int64_t)>& f;
    int64_t n;
    int threads;
  } work{f, n, threads};
  ParallelFor(
      threads,
      [](void* context, int i, uint8_t*) {
        const Work& own = *static_cast<Work*>(context);
        own.f(own.n * i / own.threads, own.n * (i + 1) / own.threads);
        return 0;
      },
      &work, 0, threads, nullptr);
}

std::vector<LoopCase> MemoryBoundLoops() {
  std::vector<LoopCase> cases;
  AddPointwise(cases);
  AddBroadcast(cases);
  AddReductions(cases);
  AddPooling(cases, {64, 16, 24, 24}, 2, 2, 0);
  AddPooling(cases, kLarge, 2, 2, 0);
  AddPooling(cases, {16, 64, 112, 112}, 3, 2, 1);
  AddPooling(cases, {16, 512, 7, 7}, 7, 1, 0);
  AddBatchNormalization(cases, kLarge);
  AddBatchNormalization(cases, {16, 256, 7, 7});
  AddSoftmax(cases, 64, 10);
  AddSoftmax(cases, 128, 1000);
  AddSoftmax(cases, 4096, 1024);
  AddMoves(cases);
  return cases;
}

}  // namespace halite::bench
