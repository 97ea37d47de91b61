// SPDX-License-Identifier: Apache-2.0
//
// KernelCall: one call of one kernel with everything resolved: the kernel, its buffers as canonical
// views of arrays, its scalars. Made when a plan is made, run many times; running it looks nothing
// up and allocates nothing beyond the arrays' own memory.
#ifndef HALITE_CORE_KERNEL_CALL_H_
#define HALITE_CORE_KERNEL_CALL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "HalideRuntime.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "halite/core/execution_context.h"
#include "halite/core/kernel_table.h"
#include "halite/core/nd_array.h"

namespace halite {

// An array seen as a kernel sees it: dimensions innermost first (the reverse of Shape), any
// strides. Extents of 1 are added behind the last dimension as the kernel asks.
class Operand {
 public:
  // The dense view of the whole array. `array` must outlive the operand and its calls.
  explicit Operand(NdArray* array);
  Operand(NdArray* array, const Shape& shape);

  struct Dim {
    int64_t extent;
    int64_t stride;  // in elements
  };

  // The same elements with other dense extents, innermost first. REQUIRES: dense, same size.
  Operand View(absl::Span<const int64_t> extents) const;
  Operand View(std::initializer_list<int64_t> extents) const {
    return View(absl::MakeConstSpan(extents.begin(), extents.size()));
  }
  // Elements start, start + step, ... (`extent` of them) of dimension `d`.
  Operand Slice(int d, int64_t start, int64_t extent, int64_t step = 1) const;
  // Any other view: dimensions innermost first, and the first element's offset from this one's.
  Operand WithDims(absl::InlinedVector<Dim, 6> dims, int64_t offset = 0) const;

  // Adds to what is there (if the kernel has a flag accumulate_<name>) instead of overwriting.
  Operand Accumulate() const;
  bool may_accumulate() const { return accumulate_ || accumulate_at_run_ != nullptr; }

  NdArray* array() const { return array_; }
  const absl::InlinedVector<Dim, 6>& dims() const { return dims_; }
  int64_t offset() const { return offset_; }
  int64_t size() const;

 private:
  friend class KernelCall;
  friend class Lowering;

  NdArray* array_;
  int64_t offset_ = 0;
  absl::InlinedVector<Dim, 6> dims_;
  // The value of accumulate_<name>: a constant, or where it will stand at run time.
  bool accumulate_ = false;
  const bool* accumulate_at_run_ = nullptr;
  // A gradient pass reads data that an earlier pass must not have cleared.
  bool must_not_be_cleared_ = false;
};

// A scalar argument: a constant, converted to the kernel's type, or the address of a value of just
// that type which is read at each call.
using Scalar = std::variant<int64_t, double, bool, const void*>;

struct KernelArgument {
  KernelArgument(const char* name, Operand operand) : name(name), operand(std::move(operand)) {}
  KernelArgument(const char* name, int value) : name(name), scalar(int64_t{value}) {}
  KernelArgument(const char* name, int64_t value) : name(name), scalar(value) {}
  KernelArgument(const char* name, double value) : name(name), scalar(value) {}
  KernelArgument(const char* name, float value) : name(name), scalar(double{value}) {}
  KernelArgument(const char* name, bool value) : name(name), scalar(value) {}
  KernelArgument(const char* name, const void* address) : name(name), scalar(address) {}

  std::string name;
  std::optional<Operand> operand;
  Scalar scalar = int64_t{0};
};

class KernelCall {
 public:
  // Binds `arguments` to the kernel's by name. Arguments that the kernel does not declare are left
  // out (a gradient kernel declares only what its formula reads); a declared one that is not given
  // is an INTERNAL error.
  static absl::StatusOr<std::unique_ptr<KernelCall>> Make(
      const Kernel& kernel, absl::Span<const KernelArgument> arguments);

  // Runs it on the context's device. Errors carry the kernel's name and its buffers' shapes.
  absl::Status Run(ExecutionContext& context);

  const Kernel& kernel() const { return *kernel_; }
  // The arrays that the kernel reads (updated ones among them), and those it writes.
  std::vector<const NdArray*> reads() const;
  std::vector<const NdArray*> writes() const;

 private:
  static constexpr int kMaxRank = 6;

  struct BufferArgument {
    Access access() const;

    NdArray* array;
    int64_t offset;  // in elements, from the array's first
    bool is_output;
    bool accumulates;                // constant value of accumulate_<name>
    const bool* accumulates_at_run;  // or where it stands
    bool must_not_be_cleared;
    bool is_part;  // does not cover the whole array
    halide_buffer_t buffer;
    halide_dimension_t dims[kMaxRank];
  };

  KernelCall() = default;
  absl::Status Bind(const halide_filter_argument_t& declared,
                    absl::Span<const KernelArgument> arguments, int position);
  absl::Status RunOnGpu(ExecutionContext& context);
  absl::Status Failure(const ExecutionContext& context, int code) const;
  absl::Status ClearedError(const BufferArgument& argument) const;

  const Kernel* kernel_ = nullptr;
  void* user_context_ = nullptr;
  std::vector<BufferArgument> buffers_;
  std::vector<int64_t> scalars_;  // 8 bytes each, in the kernel's type
  std::vector<void*> args_;
};

}  // namespace halite

#endif  // HALITE_CORE_KERNEL_CALL_H_
