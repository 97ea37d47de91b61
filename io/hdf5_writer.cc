// SPDX-License-Identifier: Apache-2.0
//
// WriteHdf5File. Order in the file: superblock, the data of all datasets (each at a multiple of 64
// bytes), then the object headers, members before their group, so that every address is known when
// it is written.
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "halite/core/status.h"
#include "halite/io/bytes.h"
#include "halite/io/file.h"
#include "halite/io/hdf5_file.h"
#include "halite/io/hdf5_format.h"

namespace halite {
namespace {

using hdf5::MessageType;

constexpr uint64_t kSuperblockBytes = 48;
constexpr uint64_t kAlignment = 64;
constexpr size_t kMaxTextBytes = size_t{32} << 10;
constexpr uint8_t kConstantMessage = 0x01;

uint64_t AlignUp(uint64_t address) { return (address + kAlignment - 1) / kAlignment * kAlignment; }

struct Node {
  std::string name;
  const Hdf5Entry* entry = nullptr;  // null for a group that is only a part of paths
  std::vector<std::unique_ptr<Node>> members;
  uint64_t data_address = hdf5::kUndefined;
};

// The bytes of an array on the host.
absl::StatusOr<absl::Span<const uint8_t>> BytesOf(const NdArray& array) {
  return VisitDType(array.dtype(), [&](auto* type) -> absl::StatusOr<absl::Span<const uint8_t>> {
    using T = std::remove_pointer_t<decltype(type)>;
    HALITE_ASSIGN_OR_RETURN(const absl::Span<const T> elements, array.Read<T>());
    return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(elements.data()),
                               elements.size() * sizeof(T));
  });
}

absl::Status PathError(absl::string_view path, absl::string_view found) {
  return absl::InvalidArgumentError(
      absl::StrCat(absl::CEscape(path), ": ", found, ": a path of names joined by '/' needed"));
}

// Puts the entry into the tree.
absl::Status Insert(const Hdf5Entry& entry, Node& root) {
  Node* node = &root;
  int depth = 0;
  if (!entry.path.empty()) {
    for (absl::string_view name : absl::StrSplit(entry.path, '/')) {
      if (name.empty() || name == "." || name == ".." || name.size() > kMaxTextBytes ||
          name.find('\0') != absl::string_view::npos) {
        return PathError(entry.path, "a part is empty, '.', '..' or too long");
      }
      if (++depth > hdf5::kMaxDepth) {
        return PathError(entry.path, absl::StrCat("more than ", hdf5::kMaxDepth, " parts"));
      }
      if (node->entry != nullptr && node->entry->array.has_value()) {
        return PathError(entry.path, "a part is an array and a group");
      }
      Node* next = nullptr;
      for (const auto& member : node->members) {
        if (member->name == name) next = member.get();
      }
      if (next == nullptr) {
        node->members.push_back(std::make_unique<Node>());
        next = node->members.back().get();
        next->name = std::string(name);
      }
      node = next;
    }
  }
  if (node->entry != nullptr) return PathError(entry.path, "given twice");
  if (entry.array.has_value() && (!node->members.empty() || node == &root)) {
    return PathError(entry.path, "an array and a group");
  }
  node->entry = &entry;
  return absl::OkStatus();
}

// Element types, as messages.
void WriteInteger(int size, bool is_signed, ByteWriter& out) {
  out.Unsigned(0x10 | hdf5::kFixedPoint, 1);
  out.Unsigned(is_signed ? 0x08 : 0x00, 3);
  out.Unsigned(static_cast<uint64_t>(size), 4);
  out.Unsigned(0, 2);  // bit offset
  out.Unsigned(static_cast<uint64_t>(size) * 8, 2);
}

void WriteFloat(int size, ByteWriter& out) {
  const bool is_double = size == 8;
  out.Unsigned(0x10 | hdf5::kFloatingPoint, 1);
  // The leading 1 is implied; the place of the sign.
  out.Unsigned(0x20 | (is_double ? 63 : 31) << 8, 3);
  out.Unsigned(static_cast<uint64_t>(size), 4);
  out.Unsigned(0, 2);                    // bit offset
  out.Unsigned(is_double ? 64 : 32, 2);  // precision
  out.Unsigned(is_double ? 52 : 23, 1);  // exponent: place, bits
  out.Unsigned(is_double ? 11 : 8, 1);
  out.Unsigned(0, 1);  // mantissa: place, bits
  out.Unsigned(is_double ? 52 : 23, 1);
  out.Unsigned(is_double ? 1023 : 127, 4);  // bias
}

void WriteDatatype(DType dtype, ByteWriter& out) {
  if (IsFloat(dtype)) {
    WriteFloat(SizeOf(dtype), out);
  } else {
    WriteInteger(SizeOf(dtype), dtype != DType::kUint8, out);
  }
}

void WriteDataspace(const Shape& shape, ByteWriter& out) {
  out.Unsigned(2, 1);  // version
  out.Unsigned(shape.size(), 1);
  out.Unsigned(0, 1);                      // no maximal extents
  out.Unsigned(shape.empty() ? 0 : 1, 1);  // scalar or simple
  for (int64_t extent : shape) out.Unsigned(static_cast<uint64_t>(extent), 8);
}

void WriteMessage(MessageType type, uint8_t flags, const ByteWriter& message, ByteWriter& out) {
  out.Unsigned(type, 1);
  out.Unsigned(message.bytes().size(), 2);
  out.Unsigned(flags, 1);
  out.Bytes(message.bytes());
}

absl::Status WriteAttribute(const std::string& name, const Hdf5Attribute& value, ByteWriter& out) {
  const std::string* text = std::get_if<std::string>(&value);
  if (name.empty() || name.size() > 255 || (text != nullptr && text->size() > kMaxTextBytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute ", absl::CEscape(name), ": the name or the text is too long: ",
                     "names of up to 255 and texts of up to 32768 bytes needed"));
  }
  ByteWriter datatype, dataspace;
  if (text != nullptr) {
    datatype.Unsigned(0x10 | hdf5::kString, 1);
    datatype.Unsigned(0x11, 3);  // padded with zeros, UTF-8
    datatype.Unsigned(std::max<size_t>(text->size(), 1), 4);
  } else if (std::holds_alternative<double>(value)) {
    WriteDatatype(DType::kFloat64, datatype);
  } else {
    WriteDatatype(std::holds_alternative<int32_t>(value) ? DType::kInt32 : DType::kInt64, datatype);
  }
  WriteDataspace({}, dataspace);
  ByteWriter message;
  message.Unsigned(3, 1);  // version
  message.Unsigned(0, 1);  // nothing is shared
  message.Unsigned(name.size() + 1, 2);
  message.Unsigned(datatype.bytes().size(), 2);
  message.Unsigned(dataspace.bytes().size(), 2);
  message.Unsigned(1, 1);  // the name is UTF-8
  message.Text(name);
  message.Unsigned(0, 1);
  message.Bytes(datatype.bytes());
  message.Bytes(dataspace.bytes());
  if (text != nullptr) {
    message.Text(*text);
    if (text->empty()) message.Unsigned(0, 1);
  } else if (const double* number = std::get_if<double>(&value); number != nullptr) {
    uint64_t bits;
    std::memcpy(&bits, number, sizeof(bits));
    message.Unsigned(bits, 8);
  } else if (const int32_t* small = std::get_if<int32_t>(&value); small != nullptr) {
    message.Unsigned(static_cast<uint32_t>(*small), 4);
  } else {
    message.Unsigned(static_cast<uint64_t>(std::get<int64_t>(value)), 8);
  }
  WriteMessage(hdf5::kAttribute, 0, message, out);
  return absl::OkStatus();
}

void WriteDatasetMessages(const NdArray& array, uint64_t address, ByteWriter& out) {
  ByteWriter dataspace, datatype, fill, layout;
  WriteDataspace(array.shape(), dataspace);
  WriteDatatype(array.dtype(), datatype);
  fill.Unsigned(3, 1);     // version
  fill.Unsigned(0x0A, 1);  // allocated late, written if set: zero
  layout.Unsigned(3, 1);   // version
  layout.Unsigned(hdf5::kContiguous, 1);
  layout.Unsigned(address, 8);
  layout.Unsigned(static_cast<uint64_t>(array.size()) * SizeOf(array.dtype()), 8);
  WriteMessage(hdf5::kDataspace, 0, dataspace, out);
  WriteMessage(hdf5::kDatatype, kConstantMessage, datatype, out);
  WriteMessage(hdf5::kFillValue, kConstantMessage, fill, out);
  WriteMessage(hdf5::kDataLayout, 0, layout, out);
}

void WriteLink(const std::string& name, uint64_t address, ByteWriter& out) {
  ByteWriter link;
  link.Unsigned(1, 1);     // version
  link.Unsigned(0x11, 1);  // the length takes 2 bytes, the character set is given
  link.Unsigned(1, 1);     // UTF-8
  link.Unsigned(name.size(), 2);
  link.Text(name);
  link.Unsigned(address, 8);
  WriteMessage(hdf5::kLink, 0, link, out);
}

// Appends the headers of the node and of all below it to `out`, which begins at `base`. Returns the
// node's address.
absl::StatusOr<uint64_t> WriteObject(const Node& node, uint64_t base, ByteWriter& out) {
  ByteWriter messages;
  if (node.entry != nullptr && node.entry->array.has_value()) {
    WriteDatasetMessages(*node.entry->array, node.data_address, messages);
  } else {
    ByteWriter link_info, group_info;
    link_info.Unsigned(0, 2);  // version, flags
    link_info.Unsigned(hdf5::kUndefined, 8);
    link_info.Unsigned(hdf5::kUndefined, 8);
    group_info.Unsigned(0, 2);  // version, flags
    WriteMessage(hdf5::kLinkInfo, 0, link_info, messages);
    WriteMessage(hdf5::kGroupInfo, kConstantMessage, group_info, messages);
    for (const auto& member : node.members) {
      HALITE_ASSIGN_OR_RETURN(const uint64_t address, WriteObject(*member, base, out));
      WriteLink(member->name, address, messages);
    }
  }
  if (node.entry != nullptr) {
    for (const auto& [name, value] : node.entry->attributes) {
      HALITE_RETURN_IF_ERROR(WriteAttribute(name, value, messages));
    }
  }
  ByteWriter header;
  header.Text("OHDR");
  header.Unsigned(2, 1);     // version
  header.Unsigned(0x02, 1);  // the size takes 4 bytes
  header.Unsigned(messages.bytes().size(), 4);
  header.Bytes(messages.bytes());
  header.Unsigned(hdf5::Checksum(header.bytes()), 4);
  const uint64_t address = base + out.bytes().size();
  out.Bytes(header.bytes());
  return address;
}

std::vector<uint8_t> Superblock(uint64_t root, uint64_t end) {
  ByteWriter out;
  out.Bytes(hdf5::kSignature);
  out.Unsigned(2, 1);                 // version
  out.Unsigned(8, 1);                 // bytes of an address
  out.Unsigned(8, 1);                 // bytes of a length
  out.Unsigned(0, 1);                 // flags
  out.Unsigned(0, 8);                 // base
  out.Unsigned(hdf5::kUndefined, 8);  // extension
  out.Unsigned(end, 8);
  out.Unsigned(root, 8);
  out.Unsigned(hdf5::Checksum(out.bytes()), 4);
  return out.bytes();
}

// Gives each dataset below the node its place, and lists them in the order of the file.
void PlaceData(Node& node, uint64_t& end, std::vector<const Node*>& datasets) {
  if (node.entry != nullptr && node.entry->array.has_value() && node.entry->array->size() > 0) {
    const NdArray& array = *node.entry->array;
    node.data_address = AlignUp(end);
    end = node.data_address + static_cast<uint64_t>(array.size()) * SizeOf(array.dtype());
    datasets.push_back(&node);
  }
  for (const auto& member : node.members) PlaceData(*member, end, datasets);
}

absl::Status WriteTree(Node& root, AtomicFile& file) {
  std::vector<const Node*> datasets;
  uint64_t end = kSuperblockBytes;
  PlaceData(root, end, datasets);
  const uint64_t base = AlignUp(end);
  ByteWriter headers;
  HALITE_ASSIGN_OR_RETURN(const uint64_t root_address, WriteObject(root, base, headers));

  const std::vector<uint8_t> zeros(kAlignment, 0);
  const auto pad = [&](uint64_t from, uint64_t to) {
    return file.Write(absl::MakeConstSpan(zeros).first(to - from));
  };
  HALITE_RETURN_IF_ERROR(file.Write(Superblock(root_address, base + headers.bytes().size())));
  uint64_t at = kSuperblockBytes;
  for (const Node* node : datasets) {
    HALITE_RETURN_IF_ERROR(pad(at, node->data_address));
    HALITE_ASSIGN_OR_RETURN(const auto bytes, BytesOf(*node->entry->array));
    HALITE_RETURN_IF_ERROR(file.Write(bytes));
    at = node->data_address + bytes.size();
  }
  HALITE_RETURN_IF_ERROR(pad(at, base));
  return file.Write(headers.bytes());
}

}  // namespace

absl::Status WriteHdf5File(const std::string& path, absl::Span<const Hdf5Entry> entries) {
  Node root;
  absl::Status status;
  for (const Hdf5Entry& entry : entries) {
    if (status.ok() && entry.array.has_value()) status = entry.array->status();
    if (status.ok()) status = Insert(entry, root);
  }
  if (!status.ok()) return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  HALITE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  if (status = WriteTree(root, file); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  }
  return file.Commit();
}

}  // namespace halite
