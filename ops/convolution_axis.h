// SPDX-License-Identifier: Apache-2.0
//
// One spatial axis of a convolution, and what a stride makes of its gradient to the input.
#ifndef HALITE_OPS_CONVOLUTION_AXIS_H_
#define HALITE_OPS_CONVOLUTION_AXIS_H_

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace halite {

// One spatial axis.
struct Axis {
  int64_t in = 1, taps = 1, out = 1;
  int64_t pad = 0, stride = 1, dilation = 1;
};

// The inputs i = phase + stride q of one axis meet the taps k = first + step j, through the outputs
//   o = (i + pad - k dilation) / stride = q + offset - j dilation,
// which is a convolution of stride 1. Phases with no tap get no gradient.
struct Phase {
  int64_t start = 0, inputs = 0;          // of dx: start, start + stride, ...
  int64_t first = 0, taps = 0, step = 1;  // of w
  int64_t offset = 0, dilation = 1;
};

inline std::vector<Phase> Phases(const Axis& axis) {
  std::vector<Phase> phases;
  for (int64_t start = 0; start < std::min(axis.stride, axis.in); ++start) {
    Phase phase;
    phase.start = start;
    phase.inputs = (axis.in - start + axis.stride - 1) / axis.stride;
    const int64_t divisor = std::gcd(axis.stride, axis.dilation);
    phase.step = axis.stride / divisor;
    phase.dilation = axis.dilation / divisor;
    const auto meets = [&](int64_t tap) {
      return (start + axis.pad - tap * axis.dilation) % axis.stride == 0;
    };
    while (phase.first < axis.taps && !meets(phase.first)) ++phase.first;
    if (phase.first < axis.taps) {
      phase.taps = (axis.taps - phase.first + phase.step - 1) / phase.step;
      phase.offset = (start + axis.pad - phase.first * axis.dilation) / axis.stride;
    }
    phases.push_back(phase);
  }
  return phases;
}

// Zeros before dy in the window of strided_convolution_dx, see StridedGradientAxis.
inline int64_t WindowPad(const Axis& axis) {
  const int64_t odd = axis.pad % 2;
  return (axis.taps - 1 + odd) / 2 - (axis.pad + odd) / 2;
}

}  // namespace halite

#endif  // HALITE_OPS_CONVOLUTION_AXIS_H_
