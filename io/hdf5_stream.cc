// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_stream.h"

#include <bit>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/bytes.h"

namespace halite::hdf5 {
namespace {

enum Frame : uint8_t { kStatus = 1, kEntry = 2 };
constexpr size_t kHeadBytes = 9;
constexpr uint64_t kElementsFollow = UINT64_MAX;  // in the place of an offset

absl::Status Garbled() {
  return absl::DataLossError("its reader sent what cannot be: the file is damaged");
}

void SendFrame(Frame frame, const ByteWriter& bytes, const ChildOutput& output) {
  ByteWriter head;
  head.Unsigned(frame, 1);
  head.Unsigned(bytes.bytes().size(), 8);
  output.Write(head.bytes());
  output.Write(bytes.bytes());
}

void PutText(absl::string_view text, ByteWriter& out) {
  out.Unsigned(text.size(), 4);
  out.Text(text);
}

std::string GetText(ByteReader& reader, uint64_t size) {
  const auto bytes = reader.Bytes(size);
  return std::string(bytes.begin(), bytes.end());
}

// A value is its place in the variant, and its text or 8 bytes.
void PutAttribute(const Hdf5Attribute& value, ByteWriter& out) {
  out.Unsigned(value.index(), 1);
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr) {
    PutText(*text, out);
  } else if (const auto* number = std::get_if<double>(&value); number != nullptr) {
    out.Unsigned(std::bit_cast<uint64_t>(*number), 8);
  } else if (const auto* small = std::get_if<int32_t>(&value); small != nullptr) {
    out.Unsigned(static_cast<uint64_t>(*small), 8);
  } else {
    out.Unsigned(static_cast<uint64_t>(std::get<int64_t>(value)), 8);
  }
}

absl::StatusOr<Hdf5Attribute> GetAttribute(ByteReader& reader) {
  const uint64_t type = reader.Unsigned(1);
  if (type == 3) return GetText(reader, reader.Unsigned(4));
  const uint64_t value = reader.Unsigned(8);
  if (type == 2) return std::bit_cast<double>(value);
  if (type == 1) return static_cast<int64_t>(value);
  if (type == 0) return static_cast<int32_t>(value);
  return Garbled();
}

absl::StatusOr<absl::Span<uint8_t>> BytesOf(NdArray& array) {
  return VisitDType(array.dtype(), [&](auto* type) -> absl::StatusOr<absl::Span<uint8_t>> {
    using T = std::remove_pointer_t<decltype(type)>;
    HALITE_ASSIGN_OR_RETURN(const absl::Span<T> elements, array.Write<T>());
    return absl::MakeSpan(reinterpret_cast<uint8_t*>(elements.data()), elements.size() * sizeof(T));
  });
}

class Receiver {
 public:
  Receiver(ChildProcess& child, const InputFile& file)
      : child_(child),
        file_(file),
        text_left_(2 * MaxTextBytes(file.size())),  // with the lengths in the frames
        // An element takes at most 4 times the bytes of the file's (i8 becomes i32).
        data_left_(4 * (kMaxDeflateRatio * file.size() + kMaxFilledBytes)) {}

  // Reads one frame. True until the status of a whole file.
  absl::StatusOr<bool> ReceiveFrame() {
    std::vector<uint8_t> bytes(kHeadBytes);
    HALITE_RETURN_IF_ERROR(Read(absl::MakeSpan(bytes)));
    ByteReader head(bytes);
    const uint64_t kind = head.Unsigned(1), length = head.Unsigned(8);
    if ((kind != kEntry && kind != kStatus) || length > text_left_) return Garbled();
    text_left_ -= length;
    bytes.resize(length);
    HALITE_RETURN_IF_ERROR(Read(absl::MakeSpan(bytes)));
    ByteReader reader(bytes);
    if (kind == kEntry) {
      HALITE_RETURN_IF_ERROR(ReceiveEntry(reader));
      return true;
    }
    const uint64_t code = reader.Unsigned(4);
    const std::string text = GetText(reader, reader.remaining());
    if (!reader.ok() || code > static_cast<uint64_t>(absl::StatusCode::kUnauthenticated)) {
      return Garbled();
    }
    HALITE_RETURN_IF_ERROR(absl::Status(static_cast<absl::StatusCode>(code), text));
    return false;
  }

  std::vector<Hdf5Entry>& entries() { return entries_; }

 private:
  absl::Status Read(absl::Span<uint8_t> bytes) {
    const absl::Status status = child_.Read(bytes);
    if (status.ok()) return status;
    const std::string last = entries_.empty() ? "" : absl::CEscape(entries_.back().path);
    return absl::Status(status.code(),
                        absl::StrCat("libhdf5, after '", last, "': ", status.message(),
                                     absl::IsDataLoss(status) ? ": the file is damaged" : ""));
  }

  absl::Status ReceiveEntry(ByteReader& reader) {
    Hdf5Entry entry;
    entry.path = GetText(reader, reader.Unsigned(4));
    for (uint64_t left = reader.Unsigned(4); left > 0 && reader.ok(); --left) {
      std::string name = GetText(reader, reader.Unsigned(4));
      HALITE_ASSIGN_OR_RETURN(entry.attributes[std::move(name)], GetAttribute(reader));
    }
    if (reader.remaining() > 0) {
      HALITE_ASSIGN_OR_RETURN(entry.array, ReceiveArray(reader));
    }
    if (!reader.ok()) return Garbled();
    entries_.push_back(std::move(entry));
    return absl::OkStatus();
  }

  absl::StatusOr<NdArray> ReceiveArray(ByteReader& reader) {
    const uint64_t dtype = reader.Unsigned(1), offset = reader.Unsigned(8);
    if (!reader.ok() || dtype > static_cast<uint64_t>(DType::kUint8)) return Garbled();
    Shape shape;
    while (reader.remaining() > 0) shape.push_back(static_cast<int64_t>(reader.Unsigned(8)));
    NdArray array(shape, static_cast<DType>(dtype));
    if (!reader.ok() || !array.status().ok()) return Garbled();
    if (array.size() == 0) return array;
    const uint64_t size =
        static_cast<uint64_t>(array.size()) * static_cast<uint64_t>(SizeOf(array.dtype()));
    if (size > data_left_) return Garbled();
    data_left_ -= size;
    HALITE_ASSIGN_OR_RETURN(const absl::Span<uint8_t> bytes, BytesOf(array));
    HALITE_RETURN_IF_ERROR(offset == kElementsFollow ? Read(bytes) : file_.Read(offset, bytes));
    return array;
  }

  ChildProcess& child_;
  const InputFile& file_;
  uint64_t text_left_, data_left_;
  std::vector<Hdf5Entry> entries_;
};

}  // namespace

void SendEntry(const Hdf5Entry& entry, const ArrayType* array, const ChildOutput& output) {
  ByteWriter out;
  PutText(entry.path, out);
  out.Unsigned(entry.attributes.size(), 4);
  for (const auto& [name, value] : entry.attributes) {
    PutText(name, out);
    PutAttribute(value, out);
  }
  if (array != nullptr) {
    out.Unsigned(static_cast<uint64_t>(array->dtype), 1);
    out.Unsigned(array->offset.value_or(kElementsFollow), 8);
    for (int64_t extent : array->shape) out.Unsigned(static_cast<uint64_t>(extent), 8);
  }
  SendFrame(kEntry, out, output);
}

void SendStatus(const absl::Status& status, const ChildOutput& output) {
  ByteWriter out;
  out.Unsigned(static_cast<uint64_t>(status.raw_code()), 4);
  out.Text(status.message());
  SendFrame(kStatus, out, output);
}

absl::StatusOr<std::vector<Hdf5Entry>> ReceiveEntries(ChildProcess& child, const InputFile& file) {
  Receiver receiver(child, file);
  for (;;) {
    HALITE_ASSIGN_OR_RETURN(const bool goes_on, receiver.ReceiveFrame());
    if (!goes_on) return std::move(receiver.entries());
  }
}

}  // namespace halite::hdf5
