// SPDX-License-Identifier: Apache-2.0
#include "halite/core/kernel_call.h"

#include <algorithm>
#include <cstring>
#include <deque>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "halite/core/status.h"

namespace halite {
namespace {

constexpr absl::string_view kAccumulate = "accumulate_";

// The flag of a buffer: accumulate_dx for dx, accumulate_dx_1 for dx.1.
std::string FlagName(absl::string_view buffer) {
  return absl::StrCat(kAccumulate, absl::StrReplaceAll(buffer, {{".", "_"}}));
}

// Writes `value` to `slot` as a scalar of `type`; false if that is an integer type without it.
template <typename T>
bool StoreScalar(T value, halide_type_t type, int64_t* slot) {
  *slot = 0;
  if (type.code == halide_type_float) {
    if (type.bits == 32) {
      const float as_float = static_cast<float>(value);
      std::memcpy(slot, &as_float, sizeof(as_float));
    } else {
      const double as_double = static_cast<double>(value);
      std::memcpy(slot, &as_double, sizeof(as_double));
    }
    return true;
  }
  *slot = ConvertElement<int64_t>(value);  // little endian: the low bytes are the narrower integer
  const int bits = type.bits - (type.code == halide_type_int ? 1 : 0);
  if (bits >= 63) return true;
  const int64_t highest = (int64_t{1} << bits) - 1;
  return *slot <= highest && *slot >= (type.code == halide_type_int ? -highest - 1 : 0);
}

}  // namespace

Operand::Operand(NdArray* array) : Operand(array, array->shape()) {}

Operand::Operand(NdArray* array, const Shape& shape) : array_(array) {
  int64_t stride = 1;
  for (auto extent = shape.rbegin(); extent != shape.rend(); ++extent) {
    dims_.push_back({*extent, stride});
    stride *= *extent;
  }
}

int64_t Operand::size() const {
  int64_t size = 1;
  for (const Dim& dim : dims_) size *= dim.extent;
  return size;
}

Operand Operand::View(absl::Span<const int64_t> extents) const {
  HALITE_CHECK(Size(extents) == size(),
               absl::StrCat("view ", ToString(extents), " of as many elements as ", size()));
  Operand result = *this;
  result.dims_.clear();
  int64_t stride = 1;
  for (int64_t extent : extents) {
    result.dims_.push_back({extent, stride});
    stride *= extent;
  }
  return result;
}

Operand Operand::Slice(int d, int64_t start, int64_t extent, int64_t step) const {
  Operand result = *this;
  result.offset_ += start * dims_[d].stride;
  result.dims_[d] = {extent, dims_[d].stride * step};
  return result;
}

Operand Operand::WithDims(absl::InlinedVector<Dim, 6> dims, int64_t offset) const {
  Operand result = *this;
  result.dims_ = std::move(dims);
  result.offset_ += offset;
  return result;
}

Operand Operand::Accumulate() const {
  Operand result = *this;
  result.accumulate_ = true;
  result.accumulate_at_run_ = nullptr;
  return result;
}

absl::StatusOr<std::unique_ptr<KernelCall>> KernelCall::Make(
    const Kernel& kernel, absl::Span<const KernelArgument> arguments) {
  auto call = std::unique_ptr<KernelCall>(new KernelCall);
  const halide_filter_metadata_t& metadata = *kernel.metadata;
  call->kernel_ = &kernel;
  // No reallocation later: args_ points into these.
  call->buffers_.reserve(metadata.num_arguments);
  call->scalars_.resize(metadata.num_arguments);
  call->args_.resize(metadata.num_arguments);
  for (int i = 0; i < metadata.num_arguments; ++i) {
    HALITE_RETURN_IF_ERROR(call->Bind(metadata.arguments[i], arguments, i));
  }
  return call;
}

absl::Status KernelCall::Bind(const halide_filter_argument_t& declared,
                              absl::Span<const KernelArgument> arguments, int position) {
  const absl::string_view name = declared.name;
  if (name == "__user_context") {
    args_[position] = &user_context_;
    return absl::OkStatus();
  }
  const bool is_flag = absl::StartsWith(name, kAccumulate);
  const auto found =
      std::find_if(arguments.begin(), arguments.end(), [&](const KernelArgument& argument) {
        return is_flag ? FlagName(argument.name) == name : argument.name == name;
      });
  if (found == arguments.end()) {
    return absl::InternalError(
        absl::StrCat(kernel_->metadata->name, ": argument ", name, ": not bound"));
  }
  if (declared.kind == halide_argument_kind_input_scalar) {
    args_[position] = &scalars_[position];
    if (is_flag) {
      if (found->operand->accumulate_at_run_ != nullptr) {
        args_[position] = const_cast<bool*>(found->operand->accumulate_at_run_);
      } else {
        scalars_[position] = found->operand->accumulate_;
      }
    } else if (const auto* address = std::get_if<const void*>(&found->scalar)) {
      args_[position] = const_cast<void*>(*address);
    } else {
      return std::visit(
          [&](auto value) {
            if constexpr (!std::is_pointer_v<decltype(value)>) {
              if (!StoreScalar(value, declared.type, &scalars_[position])) {
                return absl::InvalidArgumentError(absl::StrCat(kernel_->metadata->name, ": ", name,
                                                               " = ", value, ": an integer of ",
                                                               declared.type.bits, " bits needed"));
              }
            }
            return absl::OkStatus();
          },
          found->scalar);
    }
    return absl::OkStatus();
  }
  HALITE_CHECK(found->operand.has_value(),
               absl::StrCat(kernel_->metadata->name, ": ", name, " is a buffer"));
  const Operand& operand = *found->operand;
  const halide_type_t type = HalideType(operand.array()->dtype());
  HALITE_CHECK(operand.dims().size() <= static_cast<size_t>(declared.dimensions) &&
                   declared.dimensions <= kMaxRank && declared.type == type,
               absl::StrCat(kernel_->metadata->name, ": ", name, " has rank ",
                            operand.dims().size(), " and type ", Name(operand.array()->dtype()),
                            ", declared rank ", declared.dimensions));
  BufferArgument& argument = buffers_.emplace_back();
  argument = {};
  argument.array = operand.array();
  argument.offset = operand.offset();
  argument.is_output = declared.kind == halide_argument_kind_output_buffer;
  argument.accumulates = operand.accumulate_;
  argument.accumulates_at_run = operand.accumulate_at_run_;
  argument.must_not_be_cleared = operand.must_not_be_cleared_;
  argument.is_part = operand.size() != operand.array()->size();
  argument.buffer.type = type;
  argument.buffer.dimensions = declared.dimensions;
  argument.buffer.dim = argument.dims;
  int64_t stride = 1;
  for (int d = 0; d < declared.dimensions; ++d) {
    const bool given = d < static_cast<int>(operand.dims().size());
    if (given) stride = operand.dims()[d].stride;
    argument.dims[d].min = 0;
    argument.dims[d].extent = static_cast<int32_t>(given ? operand.dims()[d].extent : 1);
    argument.dims[d].stride = static_cast<int32_t>(stride);
    stride *= argument.dims[d].extent;
  }
  args_[position] = &argument.buffer;
  return absl::OkStatus();
}

// A part that is written leaves the rest as it is, so the rest must be there: only the first write
// after a clear needs no reading.
Access KernelCall::BufferArgument::access() const {
  if (!is_output) return Access::kRead;
  const bool adds = accumulates_at_run != nullptr ? *accumulates_at_run : accumulates;
  return adds || (is_part && array->storage().has_value()) ? Access::kUpdate : Access::kWrite;
}

absl::Status KernelCall::Run(ExecutionContext& context) {
  user_context_ = &context;
  if (context.device() != Device::kCpu) return RunOnGpu(context);
  for (BufferArgument& argument : buffers_) {
    Storage& storage = argument.array->storage();
    if (argument.must_not_be_cleared && storage.cleared()) return ClearedError(argument);
    HALITE_RETURN_IF_ERROR(storage.Prepare(Device::kCpu, argument.access()));
    argument.buffer.host =
        reinterpret_cast<uint8_t*>(storage.host() + (argument.array->offset() + argument.offset) *
                                                        argument.buffer.type.bytes());
  }
  if (const int code = kernel_->argv(args_.data()); code != 0) return Failure(context, code);
  return absl::OkStatus();
}

namespace {

// The memory of a GPU from element `offset` of a storage on, as a one-dimensional buffer. OpenCL's
// kernels take only parts that begin at multiples of kOpenclAlignment, so others pass through a
// block of their own (OpenCL serves tests: its speed does not matter).
class DevicePart {
 public:
  DevicePart(ExecutionContext& context, const Storage& storage, int64_t offset)
      : context_(context),
        whole_dim_(0, static_cast<int32_t>(storage.elements()), 1),
        dim_(static_cast<int32_t>(offset), static_cast<int32_t>(storage.elements() - offset), 1) {
    whole_.type = HalideType(storage.dtype());
    whole_.dimensions = 1;
    whole_.dim = &whole_dim_;
    whole_.device = storage.device_handle();
    whole_.device_interface = HalideInterface(context.device());
    part_ = whole_;
    part_.dim = &dim_;
    if (offset == 0) return;
    part_.device = 0;
    part_.device_interface = nullptr;
    is_crop_ = halide_device_crop(&context_, &whole_, &part_) == 0;
    const int64_t byte = offset * SizeOf(storage.dtype());
    if (context.device() == Device::kOpencl && byte % kOpenclAlignment != 0) {
      copy_ = part_;
      copy_.device = 0;
      copy_.device_interface = nullptr;
      is_copied_ = is_crop_ && Copy(part_, copy_);
    }
  }
  ~DevicePart() {
    if (is_copied_) halide_device_free(&context_, &copy_);
    if (is_crop_) halide_device_release_crop(&context_, &part_);
  }
  DevicePart(const DevicePart&) = delete;
  DevicePart& operator=(const DevicePart&) = delete;

  bool ok() const { return part_.device != 0 && (copy_.dim == nullptr || is_copied_); }
  uint64_t handle() const { return is_copied_ ? copy_.device : part_.device; }
  // After the kernel has written the elements of `view`; others may be other arguments' by now.
  bool WriteBack(const halide_buffer_t& view) {
    if (!is_copied_) return true;
    for (halide_buffer_t* buffer : {&copy_, &part_}) {
      buffer->dimensions = view.dimensions;
      buffer->dim = view.dim;
    }
    return Copy(copy_, part_);
  }

 private:
  static constexpr int64_t kOpenclAlignment = 128;

  bool Copy(halide_buffer_t& from, halide_buffer_t& to) {
    from.set_device_dirty(true);
    const bool done =
        halide_buffer_copy(&context_, &from, HalideInterface(context_.device()), &to) == 0;
    from.flags = 0;
    to.flags = 0;
    return done;
  }

  ExecutionContext& context_;
  halide_dimension_t whole_dim_, dim_;
  halide_buffer_t whole_ = {}, part_ = {}, copy_ = {};
  bool is_crop_ = false, is_copied_ = false;
};

}  // namespace

absl::Status KernelCall::RunOnGpu(ExecutionContext& context) {
  for (BufferArgument& argument : buffers_) {
    Storage& storage = argument.array->storage();
    if (argument.must_not_be_cleared && storage.cleared()) return ClearedError(argument);
    HALITE_RETURN_IF_ERROR(storage.Prepare(context.device(), argument.access()));
  }
  std::deque<DevicePart> parts;
  for (BufferArgument& argument : buffers_) {
    const DevicePart& part = parts.emplace_back(context, argument.array->storage(),
                                                argument.array->offset() + argument.offset);
    if (!part.ok()) return Failure(context, -1);
    argument.buffer.host = nullptr;
    argument.buffer.device = part.handle();
    argument.buffer.device_interface = HalideInterface(context.device());
    argument.buffer.flags = 0;
  }
  int code = kernel_->argv(args_.data());
  for (size_t i = 0; i < buffers_.size(); ++i) {
    if (code == 0 && buffers_[i].is_output && !parts[i].WriteBack(buffers_[i].buffer)) {
      code = -1;
    }
    buffers_[i].buffer.device = 0;
    buffers_[i].buffer.device_interface = nullptr;
    buffers_[i].buffer.flags = 0;
  }
  return code == 0 ? absl::OkStatus() : Failure(context, code);
}

absl::Status KernelCall::Failure(const ExecutionContext& context, int code) const {
  std::string text = absl::StrCat(kernel_->metadata->name, ": ", context.error_text(), " (code ",
                                  code, "); arrays:");
  for (const BufferArgument& argument : buffers_) {
    absl::StrAppend(&text, " ", ToString(argument.array->shape()));
  }
  return code == halide_error_code_out_of_memory ? absl::ResourceExhaustedError(text)
                                                 : absl::InternalError(text);
}

absl::Status KernelCall::ClearedError(const BufferArgument& argument) const {
  return absl::FailedPreconditionError(absl::StrCat(
      kernel_->metadata->name, ": data ", ToString(argument.array->shape()),
      " that the gradient reads was cleared: run Forward again, without clear_buffer"));
}

std::vector<const NdArray*> KernelCall::reads() const {
  std::vector<const NdArray*> arrays;
  for (const BufferArgument& argument : buffers_) {
    if (!argument.is_output) arrays.push_back(argument.array);
  }
  return arrays;
}

std::vector<const NdArray*> KernelCall::writes() const {
  std::vector<const NdArray*> arrays;
  for (const BufferArgument& argument : buffers_) {
    if (argument.is_output) arrays.push_back(argument.array);
  }
  return arrays;
}

}  // namespace halite
