// SPDX-License-Identifier: Apache-2.0
//
// The CPU stage of the kernel copy_rows: y[i0, i1, i2, i3] := x, both contiguous along i0, by
// memcpy in tasks of some 128 KB.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "HalideRuntime.h"

namespace {

constexpr int64_t kTaskBytes = 128 * 1024;

// Rows are cut into pieces of at most kTaskBytes; a task copies `pieces_per_task` of them.
struct RowCopy {
  const halide_buffer_t &x, &y;
  int64_t row_bytes, piece_bytes, pieces_per_row, pieces_per_task, pieces;

  RowCopy(const halide_buffer_t& x_in, const halide_buffer_t& y_in)
      : x(x_in),
        y(y_in),
        row_bytes(int64_t{y.dim[0].extent} * y.type.bytes()),
        piece_bytes(std::clamp<int64_t>(row_bytes, 1, kTaskBytes)),
        pieces_per_row((row_bytes + piece_bytes - 1) / piece_bytes),
        pieces_per_task(kTaskBytes / piece_bytes),
        pieces(pieces_per_row) {
    for (int d = 1; d < y.dimensions; ++d) pieces *= y.dim[d].extent;
  }
  int tasks() const { return static_cast<int>((pieces + pieces_per_task - 1) / pieces_per_task); }

  void Run(int task) const {
    const int64_t end = std::min((task + 1) * pieces_per_task, pieces);
    for (int64_t piece = task * pieces_per_task; piece < end; ++piece) {
      const int64_t begin = piece % pieces_per_row * piece_bytes;
      int64_t row = piece / pieces_per_row, from = 0, to = 0;
      for (int d = 1; d < y.dimensions; ++d) {
        const int64_t i = row % y.dim[d].extent;
        row /= y.dim[d].extent;
        from += i * x.dim[d].stride;
        to += i * y.dim[d].stride;
      }
      std::memcpy(y.host + to * y.type.bytes() + begin, x.host + from * y.type.bytes() + begin,
                  std::min(piece_bytes, row_bytes - begin));
    }
  }
};

int RunTask(void*, int task, uint8_t* closure) {
  reinterpret_cast<const RowCopy*>(closure)->Run(task);
  return 0;
}

}  // namespace

extern "C" int halite_copy_rows(void* user_context, halide_buffer_t* x, halide_buffer_t* y) {
  if (x->is_bounds_query()) {
    std::copy_n(y->dim, y->dimensions, x->dim);
    return 0;
  }
  if (y->is_bounds_query()) return 0;
  RowCopy copy(*x, *y);
  return halide_do_par_for(user_context, RunTask, 0, copy.tasks(),
                           reinterpret_cast<uint8_t*>(&copy));
}
