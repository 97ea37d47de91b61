// SPDX-License-Identifier: Apache-2.0
//
// Schedule and kernel of top_n_error: x[inner, axis, outer], label[inner, outer], n -> y[inner,
// outer]. Bound by memory.
#include "halite/ops/algorithms/top_n_error.h"

#include "halite/schedules/axis.h"
#include "halite/schedules/op_generator.h"

namespace halite {
namespace {

using namespace Halide;

constexpr int kVectors = 4;
constexpr int kTile = 256;

void ScheduleCpu(TopNError& op, const AxisInput& in, int lanes) {
  const RowLoops row(op.y.specialize(in.is_rows), {op.o}, in.axis);
  const TileLoops tile(op.y, op.i, {}, {op.o}, in.inner, in.axis, kTile, lanes);
  ScheduleReduce(op.row_count, LoopLevel(op.y, row.row));
  ScheduleReduce(op.column_count, LoopLevel(op.y, tile.tile), kTile, lanes);
}

void ScheduleGpu(TopNError& op, const AxisInput& in) {
  const LoopLevel block(op.y, ScheduleSumOfRowGpu(op.y.specialize(in.is_rows), op.i, op.o));
  ScheduleReduceGpu(op.row_count, block);
  op.column_count.value.compute_at(LoopLevel(op.y, ScheduleColumnGpu(op.y, op.i, {}, op.o)));
}

class TopNErrorKernel : public OpGenerator<TopNErrorKernel> {
 public:
  Input<Buffer> x{"x", 3};
  Input<Buffer> label{"label", Int(32), 2};
  Input<int> n{"n"};
  Output<Buffer> y{"y", 2};

  void configure() { SetType(x, y); }
  void generate() {
    const AxisInput in = MakeAxisInput(x, dtype);
    ZeroMin(x, 3);
    SetSums(label, in);
    const bool is_gpu = get_target().has_gpu_feature();
    const int lanes = is_gpu ? kRowThreads : get_target().natural_vector_size(dtype);
    TopNError op(in, label, n, lanes, is_gpu ? 1 : kVectors);
    y = op.y;
    SetSums(y, in);
    is_gpu ? ScheduleGpu(op, in) : ScheduleCpu(op, in, lanes);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::TopNErrorKernel, top_n_error)
