// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_dataset.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/bytes.h"
#include "halite/io/hdf5_chunks.h"
#include "halite/io/hdf5_datatype.h"
#include "halite/io/hdf5_format.h"

namespace halite::hdf5 {
namespace {

// Data that stands nowhere in the file reads as the fill value; it may take this much memory.
constexpr uint64_t kMaxFilledBytes = uint64_t{16} << 20;

// Where the data lie.
struct Layout {
  int layout_class = kCompact;
  absl::Span<const uint8_t> compact;
  uint64_t address = kUndefined;
  std::optional<ChunkTable> chunks;
};

absl::StatusOr<const Message*> Need(const Object& object, MessageType type,
                                    absl::string_view field) {
  const Message* message = object.Find(type);
  if (message == nullptr) return Damaged(field, "there is none");
  if ((message->flags & kSharedMessage) != 0) {
    return Unsupported(absl::StrCat(field, ": one that is stored under a name of its own"));
  }
  return message;
}

// Checks that the file holds `bytes` bytes of data.
absl::StatusOr<Layout> ParseLayout(Reader& reader, const Object& object, const Shape& shape,
                                   uint64_t element_bytes, uint64_t bytes) {
  HALITE_ASSIGN_OR_RETURN(const Message* message, Need(object, kDataLayout, "data layout"));
  if (object.Find(kExternalFiles) != nullptr) return Unsupported("data in other files");
  ByteReader fields(message->data);
  const int version = static_cast<int>(fields.Unsigned(1));
  Layout layout;
  layout.layout_class = static_cast<int>(fields.Unsigned(1));
  if (version < 3 || version > 4) return Unsupported(absl::StrCat("data layout ", version));
  uint64_t held = 0;
  if (layout.layout_class == kCompact) {
    layout.compact = fields.Bytes(fields.Unsigned(2));
    held = layout.compact.size();
  } else if (layout.layout_class == kContiguous) {
    layout.address = fields.Unsigned(8);
    held = layout.address == kUndefined ? kMaxFilledBytes : fields.Unsigned(8);
    if (layout.address != kUndefined && !reader.file().Holds(layout.address, bytes)) {
      return Damaged(
          "data", absl::StrCat(bytes, " bytes at ", layout.address, " of ", reader.file().size()));
    }
  } else if (layout.layout_class == kChunked) {
    HALITE_ASSIGN_OR_RETURN(layout.chunks,
                            ChunkTable::Parse(reader, version, fields, object.Find(kFilterPipeline),
                                              shape, element_bytes));
    held = layout.chunks->MaxBytes() + kMaxFilledBytes;
  } else {
    return Unsupported(absl::StrCat("data layout: class ", layout.layout_class));
  }
  if (!fields.ok()) return Damaged("data layout", "the message is cut");
  if (bytes > held) {
    return Damaged("data", absl::StrCat(held, " bytes for shape ", ToString(shape)));
  }
  return layout;
}

// The bytes of one element of the fill value, empty for zero.
absl::Span<const uint8_t> FillBytes(const Object& object, uint64_t element_bytes) {
  const Message* message = object.Find(kFillValue);
  if (message == nullptr || (message->flags & kSharedMessage) != 0) return {};
  ByteReader fields(message->data);
  const uint64_t version = fields.Unsigned(1);
  if (version == 3) {
    if ((fields.Unsigned(1) & 0x20) == 0) return {};
  } else {
    fields.Skip(2);  // times of allocation and writing
    if (fields.Unsigned(1) == 0) return {};
  }
  const auto value = fields.Bytes(fields.Unsigned(4));
  return value.size() == element_bytes ? value : absl::Span<const uint8_t>();
}

absl::Status ReadRaw(Reader& reader, const Object& object, const Layout& layout,
                     uint64_t element_bytes, absl::Span<uint8_t> raw) {
  if (layout.layout_class == kCompact) {
    std::memcpy(raw.data(), layout.compact.data(), raw.size());
    return absl::OkStatus();
  }
  if (layout.address != kUndefined) return reader.ReadInto(layout.address, raw, "data");
  std::fill(raw.begin(), raw.end(), 0);
  const auto fill = FillBytes(object, element_bytes);
  for (size_t i = 0; i < raw.size() && !fill.empty(); ++i) raw[i] = fill[i % element_bytes];
  return layout.chunks.has_value() ? layout.chunks->Read(reader, raw) : absl::OkStatus();
}

// One attribute message, split into its parts.
struct AttributeParts {
  std::string name;
  absl::Span<const uint8_t> datatype, dataspace, data;
  bool is_shared = false;
};

absl::StatusOr<AttributeParts> SplitAttribute(const Message& message) {
  ByteReader reader(message.data);
  const uint64_t version = reader.Unsigned(1);
  AttributeParts parts;
  parts.is_shared = version > 1 && (reader.Unsigned(1) & 0x03) != 0;
  if (version == 1) reader.Skip(1);
  const uint64_t name_bytes = reader.Unsigned(2), type_bytes = reader.Unsigned(2),
                 space_bytes = reader.Unsigned(2);
  if (version == 3) reader.Skip(1);  // character set
  // Version 1 pads each part to a multiple of 8.
  const auto padded = [&](uint64_t size) { return version == 1 ? (size + 7) / 8 * 8 : size; };
  const auto name = reader.Bytes(padded(name_bytes));
  parts.datatype = reader.Bytes(padded(type_bytes));
  parts.dataspace = reader.Bytes(padded(space_bytes));
  if (!reader.ok() || version < 1 || version > 3) {
    return Damaged("attribute", "the message is cut or of no version");
  }
  parts.data = reader.Bytes(reader.remaining());
  const absl::string_view text(reinterpret_cast<const char*>(name.data()), name.size());
  parts.name = std::string(text.substr(0, text.find('\0')));
  return parts;
}

}  // namespace

absl::StatusOr<NdArray> ReadDataset(Reader& reader, const Object& object) {
  HALITE_ASSIGN_OR_RETURN(const Message* type_message, Need(object, kDatatype, "element type"));
  HALITE_ASSIGN_OR_RETURN(const Message* space_message, Need(object, kDataspace, "shape"));
  HALITE_ASSIGN_OR_RETURN(const Datatype type, ParseDatatype(type_message->data));
  if (type.kind != Datatype::kInteger && type.kind != Datatype::kFloat) {
    return Unsupported("element type: one that is not an integer or binary floating point");
  }
  HALITE_ASSIGN_OR_RETURN(const Shape shape, ParseDataspace(space_message->data));
  NdArray array(shape, ToDType(type));
  if (!array.status().ok()) return Damaged("shape", array.status().message());
  if (array.size() == 0) return array;
  // CheckShape bounds the size far enough for a product with at most 8 bytes.
  const uint64_t bytes = static_cast<uint64_t>(array.size()) * type.size;
  HALITE_ASSIGN_OR_RETURN(const Layout layout,
                          ParseLayout(reader, object, shape, type.size, bytes));
  if (!IsNative(type)) {
    Bytes raw(bytes);
    HALITE_RETURN_IF_ERROR(ReadRaw(reader, object, layout, type.size, absl::MakeSpan(raw)));
    HALITE_RETURN_IF_ERROR(Convert(type, raw, array));
    return array;
  }
  HALITE_RETURN_IF_ERROR(VisitDType(array.dtype(), [&](auto* element) -> absl::Status {
    using T = std::remove_pointer_t<decltype(element)>;
    HALITE_ASSIGN_OR_RETURN(const absl::Span<T> elements, array.Write<T>());
    return ReadRaw(reader, object, layout, type.size,
                   absl::MakeSpan(reinterpret_cast<uint8_t*>(elements.data()), bytes));
  }));
  return array;
}

absl::StatusOr<std::map<std::string, Hdf5Attribute>> ReadAttributes(const Object& object) {
  std::map<std::string, Hdf5Attribute> attributes;
  for (const Message& message : object.messages()) {
    if (message.type == kAttributeInfo) {
      ByteReader fields(message.data);
      fields.Skip(1);                                        // version
      if ((fields.Unsigned(1) & 0x01) != 0) fields.Skip(2);  // creation order
      if (fields.Unsigned(8) != kUndefined && fields.ok()) {
        return Unsupported("the index that libver='latest' makes for many attributes");
      }
    }
    if (message.type != kAttribute || (message.flags & kSharedMessage) != 0) continue;
    HALITE_ASSIGN_OR_RETURN(const AttributeParts parts, SplitAttribute(message));
    if (parts.is_shared) continue;
    HALITE_ASSIGN_OR_RETURN(const Datatype type, ParseDatatype(parts.datatype));
    HALITE_ASSIGN_OR_RETURN(const Shape shape, ParseDataspace(parts.dataspace));
    if (Size(shape) != 1 || type.kind == Datatype::kOther) continue;
    if (parts.data.size() < type.size) {
      return Damaged(absl::StrCat("attribute ", parts.name), "its value is cut");
    }
    if (type.kind == Datatype::kInteger) {
      const int64_t value = ToInteger(type, parts.data.data());
      if (ToDType(type) == DType::kInt64) {
        attributes[parts.name] = value;
      } else {
        attributes[parts.name] = static_cast<int32_t>(value);
      }
    } else if (type.kind == Datatype::kFloat) {
      attributes[parts.name] = ToDouble(type, parts.data.data());
    } else {
      const absl::string_view text(reinterpret_cast<const char*>(parts.data.data()), type.size);
      attributes[parts.name] = std::string(text.substr(0, text.find('\0')));
    }
  }
  return attributes;
}

}  // namespace halite::hdf5
