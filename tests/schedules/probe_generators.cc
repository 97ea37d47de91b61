// SPDX-License-Identifier: Apache-2.0
//
// Kernels for the tests of the tuner, y[n] = 2 x[n] + offset, whose tunings are slow, wrong or
// deadly.
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "halite/schedules/op_generator.h"
#include "halite/schedules/parallel.h"

namespace halite {
namespace {

using namespace Halide;

// What a candidate does wrong.
enum Fault {
  kNone,
  kWrongElement,
  kNotANumber,
  kRefused,
  kCrash,
  kHang,
  kCrashInCall,
  kHangInCall,
};

[[noreturn]] void Wait() {
  for (;;) pause();
}

Expr CallFunction(const std::string& name) {
  return Internal::Call::make(Int(32), name, {}, Internal::Call::Extern);
}

class Probe : public OpGenerator<Probe> {
 public:
  GeneratorParam<bool> broken{"broken", false};  // has candidates with faults
  Input<Buffer> x{"x", 1};
  Output<Buffer> y{"y", 1};

  void configure() {
    x.set_type(dtype);
    y.set_type(dtype);
  }

  void generate() {
    const Tuning tuning = Numbers();
    // So often is each element computed: the work depends on it, not the result.
    const int repeat = tuning("repeat", 8, {32, 4});
    const int offset = tuning("offset", 0);
    const int fault = broken ? tuning("fault", kNone,
                                      {kWrongElement, kNotANumber, kRefused, kCrash, kHang,
                                       kCrashInCall, kHangInCall})
                             : kNone;
    if (fault == kCrash) std::abort();
    if (fault == kHang) Wait();
    ZeroMin(x, 1);
    const Expr n = x.dim(0).extent();
    y.dim(0).set_bounds(0, n);
    // Those with a fault do the least work: they would win.
    const RDom r(0, fault == kNone ? repeat : 1);
    const Var i("i");
    Func f("probe");
    Expr value = 2 * x(i) + offset;
    if (fault == kWrongElement) value += select(i == n - 1, 1.f, 0.f);
    if (fault == kNotANumber) value = select(i == n / 2, std::nanf(""), value);
    if (fault == kCrashInCall) value += cast(dtype, CallFunction("abort"));
    if (fault == kHangInCall) value += cast(dtype, CallFunction("pause"));
    f(i) = value;
    f(i) = max(f(i), value - abs(x(clamp(r, 0, n - 1))));
    y = f;
    if (get_target().has_gpu_feature()) {
      ScheduleRowsGpu(f, {i});
      ScheduleRowsGpu(f.update(), {i});
    }
    if (fault == kRefused) f.vectorize(Var("nowhere"), 8, kGuard);
  }
};

}  // namespace
}  // namespace halite

HALIDE_REGISTER_GENERATOR(halite::Probe, probing)
