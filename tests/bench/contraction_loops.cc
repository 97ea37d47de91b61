// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tests/bench/loops.h"

namespace halite::bench {
namespace {

using Ints = std::vector<int64_t>;

// c[m, n] += a[m, k] b[k, n], rows of c from `begin` to `end`.
void Product(const float* a, const float* b, float* c, int64_t begin, int64_t end, int64_t k,
             int64_t n) {
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t l = 0; l < k; ++l) {
      const float factor = a[i * k + l];
      for (int64_t j = 0; j < n; ++j) c[i * n + j] += factor * b[l * n + j];
    }
  }
}

LoopCase Affine(int64_t m, int64_t k, int64_t n) {
  return {{"affine", {{m, k}, {k, n}, {n}}, {}, 2. * m * k * n},
          [=](const Arrays& a) {
            // Few rows: the columns of one are shared instead.
            if (m == 1) {
              Threads(n, [=, &a](int64_t begin, int64_t end) {
                std::copy(a.x[2] + begin, a.x[2] + end, a.y[0] + begin);
                for (int64_t l = 0; l < k; ++l) {
                  const float factor = a.x[0][l];
                  for (int64_t j = begin; j < end; ++j) a.y[0][j] += factor * a.x[1][l * n + j];
                }
              });
              return;
            }
            Threads(m, [=, &a](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) std::copy_n(a.x[2], n, a.y[0] + i * n);
              Product(a.x[0], a.x[1], a.y[0], begin, end, k, n);
            });
          },
          [=](const Arrays& a) {
            Threads(m, [=, &a](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) {
                for (int64_t l = 0; l < k; ++l) {
                  float sum = 0;
#pragma omp simd reduction(+ : sum)
                  for (int64_t j = 0; j < n; ++j) sum += a.dy[0][i * n + j] * a.x[1][l * n + j];
                  a.dx[0][i * k + l] += sum;
                }
              }
            });
            Threads(k, [=, &a](int64_t begin, int64_t end) {
              for (int64_t i = 0; i < m; ++i) {
                for (int64_t l = begin; l < end; ++l) {
                  const float factor = a.x[0][i * k + l];
                  for (int64_t j = 0; j < n; ++j) a.dx[1][l * n + j] += factor * a.dy[0][i * n + j];
                }
              }
            });
            for (int64_t i = 0; i < m; ++i) {
              for (int64_t j = 0; j < n; ++j) a.dx[2][j] += a.dy[0][i * n + j];
            }
          }};
}

struct Geometry {
  int64_t n, c, in, o, k, stride, pad, group, out;

  // Outputs whose input for tap t lies in the image: [first, last).
  int64_t First(int64_t t) const { return std::max<int64_t>(0, (pad - t + stride - 1) / stride); }
  int64_t Last(int64_t t) const { return std::min(out, (in - 1 + pad - t) / stride + 1); }
};

// row(y, x, length): f over the taps of the planes (b, o), (b, c): x moves by `stride`.
template <typename F>
void Rows(const Geometry& g, int64_t ky, int64_t kx, F f) {
  const int64_t x0 = g.First(kx), length = g.Last(kx) - x0;
  for (int64_t oy = g.First(ky); oy < g.Last(ky); ++oy) {
    const int64_t iy = oy * g.stride - g.pad + ky, ix = x0 * g.stride - g.pad + kx;
    f(oy * g.out + x0, iy * g.in + ix, length);
  }
}

void Forward(const Geometry& g, const Arrays& a, int64_t b, int64_t o) {
  const int64_t cg = g.c / g.group, first = o / (g.o / g.group) * cg;
  float* y = a.y[0] + (b * g.o + o) * g.out * g.out;
  std::fill_n(y, g.out * g.out, a.x[2][o]);
  for (int64_t c = 0; c < cg; ++c) {
    const float* x = a.x[0] + (b * g.c + first + c) * g.in * g.in;
    for (int64_t ky = 0; ky < g.k; ++ky) {
      for (int64_t kx = 0; kx < g.k; ++kx) {
        const float w = a.x[1][((o * cg + c) * g.k + ky) * g.k + kx];
        Rows(g, ky, kx, [&](int64_t to, int64_t from, int64_t length) {
          if (g.stride == 1) {
            for (int64_t i = 0; i < length; ++i) y[to + i] += w * x[from + i];
          } else {
            for (int64_t i = 0; i < length; ++i) y[to + i] += w * x[from + i * g.stride];
          }
        });
      }
    }
  }
}

void BackwardData(const Geometry& g, const Arrays& a, int64_t b, int64_t c) {
  const int64_t cg = g.c / g.group, og = g.o / g.group, first = c / cg * og;
  float* dx = a.dx[0] + (b * g.c + c) * g.in * g.in;
  for (int64_t o = first; o < first + og; ++o) {
    const float* dy = a.dy[0] + (b * g.o + o) * g.out * g.out;
    for (int64_t ky = 0; ky < g.k; ++ky) {
      for (int64_t kx = 0; kx < g.k; ++kx) {
        const float w = a.x[1][((o * cg + c % cg) * g.k + ky) * g.k + kx];
        Rows(g, ky, kx, [&](int64_t to, int64_t from, int64_t length) {
          if (g.stride == 1) {
            for (int64_t i = 0; i < length; ++i) dx[from + i] += w * dy[to + i];
          } else {
            for (int64_t i = 0; i < length; ++i) dx[from + i * g.stride] += w * dy[to + i];
          }
        });
      }
    }
  }
}

void BackwardWeights(const Geometry& g, const Arrays& a, int64_t o) {
  const int64_t cg = g.c / g.group, first = o / (g.o / g.group) * cg;
  for (int64_t b = 0; b < g.n; ++b) {
    const float* dy = a.dy[0] + (b * g.o + o) * g.out * g.out;
    for (int64_t c = 0; c < cg; ++c) {
      const float* x = a.x[0] + (b * g.c + first + c) * g.in * g.in;
      for (int64_t ky = 0; ky < g.k; ++ky) {
        for (int64_t kx = 0; kx < g.k; ++kx) {
          float sum = 0;
          Rows(g, ky, kx, [&](int64_t to, int64_t from, int64_t length) {
            float row = 0;
            if (g.stride == 1) {
#pragma omp simd reduction(+ : row)
              for (int64_t i = 0; i < length; ++i) row += x[from + i] * dy[to + i];
            } else {
#pragma omp simd reduction(+ : row)
              for (int64_t i = 0; i < length; ++i) row += x[from + i * g.stride] * dy[to + i];
            }
            sum += row;
          });
          a.dx[1][((o * cg + c) * g.k + ky) * g.k + kx] += sum;
        }
      }
    }
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < g.out * g.out; ++i) sum += dy[i];
    a.dx[2][o] += sum;
  }
}

LoopCase Convolution(int64_t n, int64_t c, int64_t in, int64_t o, int64_t k, int64_t stride = 1,
                     int64_t pad = 0, int64_t group = 1) {
  const int64_t out = (in + 2 * pad - k) / stride + 1;
  const Geometry g{n, c, in, o, k, stride, pad, group, out};
  return {{"convolution",
           {{n, c, in, in}, {o, c / group, k, k}, {o}},
           {{"pad", Ints{pad, pad}}, {"stride", Ints{stride, stride}}, {"group", group}},
           2. * n * o * (c / group) * k * k * out * out},
          [=](const Arrays& a) {
            Threads(n * o, [=, &a](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) Forward(g, a, i / o, i % o);
            });
          },
          [=](const Arrays& a) {
            Threads(n * c, [=, &a](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) BackwardData(g, a, i / c, i % c);
            });
            Threads(o, [=, &a](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) BackwardWeights(g, a, i);
            });
          }};
}

}  // namespace

std::vector<LoopCase> ContractionLoops() {
  return {
      Affine(64, 784, 512),
      Affine(128, 784, 10),
      Affine(128, 10, 784),
      Affine(1, 1024, 1024),
      Affine(8, 8, 8),
      Affine(256, 256, 256),
      Affine(64, 2048, 1000),
      Convolution(64, 1, 28, 16, 5),
      Convolution(64, 16, 12, 16, 5),
      Convolution(128, 1, 28, 6, 5),
      Convolution(32, 3, 32, 16, 3, 1, 1),
      Convolution(1, 3, 224, 64, 7, 2, 3),
      Convolution(4, 64, 56, 64, 3, 1, 1),
      Convolution(4, 64, 56, 64, 1),
      Convolution(4, 64, 56, 256, 1),
      Convolution(2, 256, 56, 128, 1, 2),
      Convolution(4, 128, 28, 128, 3, 2, 1),
      Convolution(16, 256, 14, 256, 3, 1, 1),
      Convolution(16, 512, 7, 512, 1),
      Convolution(16, 512, 4, 512, 3, 1, 1),
      Convolution(8, 32, 112, 32, 3, 1, 1, 32),
      Convolution(8, 96, 112, 96, 3, 2, 1, 96),
      Convolution(16, 512, 14, 512, 3, 1, 1, 512),
      Convolution(4, 128, 28, 128, 3, 1, 1, 8),
      Convolution(1, 1, 5, 1, 3),
      Convolution(1, 8, 9, 8, 3, 1, 1),
  };
}

}  // namespace halite::bench
