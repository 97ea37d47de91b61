// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_reader.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/bytes.h"
#include "halite/io/hdf5_format.h"

namespace halite::hdf5 {
namespace {

constexpr uint64_t kSymbolEntryBytes = 40;

bool StartsWith(const Bytes& bytes, absl::string_view letters) {
  return bytes.size() >= letters.size() &&
         std::memcmp(bytes.data(), letters.data(), letters.size()) == 0;
}

// Splits off the checksum behind a structure.
absl::StatusOr<absl::Span<const uint8_t>> Verify(const Bytes& bytes, absl::string_view field) {
  if (bytes.size() < 4) return Damaged(field, "no room for a checksum");
  const auto body = absl::MakeConstSpan(bytes).first(bytes.size() - 4);
  const uint64_t stored = ByteReader(absl::MakeConstSpan(bytes).last(4)).Unsigned(4);
  if (stored != Checksum(body)) return Damaged(field, "the checksum does not match");
  return body;
}

struct Block {
  uint64_t address = 0;
  uint64_t size = 0;
};

// Appends the messages in `bytes` of a version 1 or 2 header; continuations go to `blocks`.
absl::Status ParseMessages(absl::Span<const uint8_t> bytes, int version, bool creation_order,
                           std::vector<Message>& messages, std::vector<Block>& blocks) {
  ByteReader reader(bytes);
  const size_t head = version == 1 ? 8 : creation_order ? 6 : 4;
  while (reader.remaining() >= head) {
    Message message;
    message.type = static_cast<uint16_t>(reader.Unsigned(version == 1 ? 2 : 1));
    const uint64_t size = reader.Unsigned(2);
    message.flags = static_cast<uint8_t>(reader.Unsigned(1));
    reader.Skip(head - (version == 1 ? 5 : 4));
    const auto data = reader.Bytes(size);
    if (!reader.ok()) return Damaged("object header", "a message reaches behind its block");
    if (message.type == kContinuation) {
      ByteReader place(data);
      Block block;
      block.address = place.Unsigned(8);
      block.size = place.Unsigned(8);
      if (!place.ok()) return Damaged("object header", "a continuation is cut");
      blocks.push_back(block);
      continue;
    }
    message.data.assign(data.begin(), data.end());
    messages.push_back(std::move(message));
  }
  return absl::OkStatus();
}

absl::Status CheckName(absl::string_view name) {
  if (name.empty() || name == "." || name == ".." ||
      name.find_first_of(absl::string_view("/\0", 2)) != absl::string_view::npos) {
    return Damaged("link", absl::StrCat("'", absl::CEscape(name), "' is no name"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Member> ParseLink(const Message& message) {
  ByteReader reader(message.data);
  const uint64_t version = reader.Unsigned(1), flags = reader.Unsigned(1);
  const uint64_t type = (flags & 0x08) != 0 ? reader.Unsigned(1) : 0;
  if ((flags & 0x04) != 0) reader.Skip(8);  // creation order
  if ((flags & 0x10) != 0) reader.Skip(1);  // character set
  const auto name = reader.Bytes(reader.Unsigned(size_t{1} << (flags & 0x03)));
  if (!reader.ok() || version != 1) return Damaged("link", "the message is cut or of no version");
  Member member;
  member.name.assign(name.begin(), name.end());
  HALITE_RETURN_IF_ERROR(CheckName(member.name));
  if (type != 0) {
    return Unsupported(absl::StrCat(type == 1 ? "the soft" : "the external", " link '",
                                    absl::CEscape(member.name), "'"));
  }
  member.address = reader.Unsigned(8);
  if (!reader.ok()) return Damaged("link", "the address is cut");
  return member;
}

}  // namespace

absl::Status Damaged(absl::string_view field, absl::string_view found) {
  return absl::DataLossError(absl::StrCat(field, ": ", found, ": an undamaged file needed"));
}

absl::Status Unsupported(absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat(what, " is not supported"));
}

const Message* Object::Find(uint16_t type) const {
  for (const Message& message : messages_) {
    if (message.type == type) return &message;
  }
  return nullptr;
}

bool Object::IsDataset() const { return Find(kDataLayout) != nullptr; }

bool Object::IsGroup() const {
  return Find(kSymbolTable) != nullptr || Find(kLinkInfo) != nullptr || Find(kLink) != nullptr ||
         Find(kGroupInfo) != nullptr;
}

absl::Status Reader::Spend(uint64_t address, uint64_t size, absl::string_view field) {
  if (!file_.Holds(address, size)) {
    return Damaged(field, absl::StrCat(size, " bytes at ", address, " of ", file_.size()));
  }
  spent_ += size;
  if (spent_ / 4 > file_.size() + 65536) {
    return Damaged(field, "the file's parts overlap");
  }
  return absl::OkStatus();
}

absl::StatusOr<Bytes> Reader::Read(uint64_t address, uint64_t size, absl::string_view field) {
  HALITE_RETURN_IF_ERROR(Spend(address, size, field));
  Bytes bytes(size);
  HALITE_RETURN_IF_ERROR(file_.Read(address, absl::MakeSpan(bytes)));
  return bytes;
}

absl::Status Reader::ReadInto(uint64_t address, absl::Span<uint8_t> bytes,
                              absl::string_view field) {
  HALITE_RETURN_IF_ERROR(Spend(address, bytes.size(), field));
  return file_.Read(address, bytes);
}

absl::Status Reader::Visit(uint64_t address, absl::string_view field) {
  if (visited_.insert(address).second) return absl::OkStatus();
  return Damaged(field, absl::StrCat("a second use of the part at ", address));
}

uint64_t Reader::Available(uint64_t address, uint64_t limit) const {
  return address >= file_.size() ? 0 : std::min(limit, file_.size() - address);
}

absl::StatusOr<uint64_t> Reader::ReadSuperblock() {
  constexpr uint64_t kMaxBytes = 96;  // version 0 takes 96, version 1 100, versions 2 and 3 48
  HALITE_ASSIGN_OR_RETURN(const Bytes bytes, Read(0, Available(0, kMaxBytes + 4), "superblock"));
  ByteReader reader(bytes);
  const auto signature = reader.Bytes(sizeof(kSignature));
  if (!reader.ok() || std::memcmp(signature.data(), kSignature, sizeof(kSignature)) != 0) {
    return absl::InvalidArgumentError("not an HDF5 file: one needed");
  }
  const uint64_t version = reader.Unsigned(1);
  if (version > 3) return Unsupported(absl::StrCat("superblock version ", version));
  if (version < 2) reader.Skip(4);  // versions of other parts
  const uint64_t offset_bytes = reader.Unsigned(1), length_bytes = reader.Unsigned(1);
  if (reader.ok() && (offset_bytes != 8 || length_bytes != 8)) {
    return Unsupported(
        absl::StrCat("superblock: a file with addresses of ", offset_bytes, " bytes"));
  }
  uint64_t base = 0, end = 0, root = 0;
  if (version < 2) {
    reader.Skip(version == 0 ? 9 : 13);  // sizes of tree nodes, flags
    base = reader.Unsigned(8);
    reader.Skip(8);  // free space
    end = reader.Unsigned(8);
    reader.Skip(16);  // driver information, link name
    root = reader.Unsigned(8);
  } else {
    reader.Skip(1);  // flags
    base = reader.Unsigned(8);
    reader.Skip(8);  // extension
    end = reader.Unsigned(8);
    root = reader.Unsigned(8);
    const size_t body = reader.position();
    const uint64_t checksum = reader.Unsigned(4);
    if (reader.ok() && checksum != Checksum(absl::MakeConstSpan(bytes).first(body))) {
      return Damaged("superblock", "the checksum does not match");
    }
  }
  if (!reader.ok()) return Damaged("superblock", "the file is cut");
  if (base != 0) return Unsupported("superblock: a block of other data in front");
  if (end > file_.size()) {
    return Damaged("superblock",
                   absl::StrCat("the file has ", file_.size(), " bytes and had ", end));
  }
  return root;
}

absl::StatusOr<Object> Reader::ReadObject(uint64_t address) {
  if (!visited_.insert(address).second) {
    return Unsupported(absl::StrCat("a second name of the object at ", address));
  }
  std::vector<Message> messages;
  HALITE_ASSIGN_OR_RETURN(const Bytes start, Read(address, Available(address, 4), "object header"));
  if (StartsWith(start, "OHDR")) {
    HALITE_RETURN_IF_ERROR(ReadHeader2(address, messages));
  } else {
    HALITE_RETURN_IF_ERROR(ReadHeader1(address, messages));
  }
  return Object(std::move(messages));
}

absl::Status Reader::ReadHeader1(uint64_t address, std::vector<Message>& messages) {
  constexpr uint64_t kPrefixBytes = 16;
  HALITE_ASSIGN_OR_RETURN(const Bytes prefix, Read(address, kPrefixBytes, "object header"));
  ByteReader reader(prefix);
  const uint64_t version = reader.Unsigned(1);
  reader.Skip(7);  // number of messages, number of names
  std::vector<Block> blocks = {{address + kPrefixBytes, reader.Unsigned(4)}};
  if (version != 1) return Damaged("object header", absl::StrCat("version ", version));
  while (!blocks.empty()) {
    const Block block = blocks.back();
    blocks.pop_back();
    HALITE_RETURN_IF_ERROR(Visit(block.address, "object header"));
    HALITE_ASSIGN_OR_RETURN(const Bytes bytes, Read(block.address, block.size, "object header"));
    HALITE_RETURN_IF_ERROR(ParseMessages(bytes, 1, false, messages, blocks));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadHeader2(uint64_t address, std::vector<Message>& messages) {
  constexpr uint64_t kMaxPrefixBytes = 34;
  HALITE_ASSIGN_OR_RETURN(const Bytes prefix,
                          Read(address, Available(address, kMaxPrefixBytes), "object header"));
  ByteReader reader(prefix);
  reader.Skip(4);  // OHDR
  const uint64_t version = reader.Unsigned(1), flags = reader.Unsigned(1);
  if ((flags & 0x20) != 0) reader.Skip(16);  // times
  if ((flags & 0x10) != 0) reader.Skip(4);   // limits of attribute storage
  const uint64_t size = reader.Unsigned(size_t{1} << (flags & 0x03));
  if (!reader.ok() || version != 2 || size > file_.size()) {
    return Damaged("object header", "the head is cut or of no version");
  }
  const bool creation_order = (flags & 0x04) != 0;
  std::vector<Block> blocks;
  HALITE_ASSIGN_OR_RETURN(const Bytes whole,
                          Read(address, reader.position() + size + 4, "object header"));
  HALITE_ASSIGN_OR_RETURN(const auto body, Verify(whole, "object header"));
  HALITE_RETURN_IF_ERROR(
      ParseMessages(body.subspan(reader.position()), 2, creation_order, messages, blocks));
  while (!blocks.empty()) {
    const Block block = blocks.back();
    blocks.pop_back();
    HALITE_RETURN_IF_ERROR(Visit(block.address, "object header"));
    HALITE_ASSIGN_OR_RETURN(const Bytes bytes, Read(block.address, block.size, "object header"));
    HALITE_ASSIGN_OR_RETURN(const auto part, Verify(bytes, "object header"));
    if (!StartsWith(bytes, "OCHK") || part.size() < 4) {
      return Damaged("object header", "no continuation where one should be");
    }
    HALITE_RETURN_IF_ERROR(ParseMessages(part.subspan(4), 2, creation_order, messages, blocks));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Member>> Reader::ReadMembers(const Object& group) {
  std::vector<Member> members;
  if (const Message* table = group.Find(kSymbolTable); table != nullptr) {
    HALITE_RETURN_IF_ERROR(ReadSymbolTable(*table, members));
    return members;
  }
  if (const Message* info = group.Find(kLinkInfo); info != nullptr) {
    ByteReader reader(info->data);
    reader.Skip(1);                                        // version
    if ((reader.Unsigned(1) & 0x01) != 0) reader.Skip(8);  // creation order
    if (reader.Unsigned(8) != kUndefined && reader.ok()) {
      return Unsupported("the index that libver='latest' makes for a group of many members");
    }
  }
  for (const Message& message : group.messages()) {
    if (message.type != kLink) continue;
    HALITE_ASSIGN_OR_RETURN(Member member, ParseLink(message));
    members.push_back(std::move(member));
  }
  return members;
}

absl::Status Reader::ReadSymbolTable(const Message& message, std::vector<Member>& members) {
  constexpr uint64_t kHeapBytes = 32;
  ByteReader reader(message.data);
  const uint64_t tree = reader.Unsigned(8), heap = reader.Unsigned(8);
  if (!reader.ok()) return Damaged("symbol table", "the message is cut");
  HALITE_RETURN_IF_ERROR(Visit(heap, "names"));
  HALITE_ASSIGN_OR_RETURN(const Bytes head, Read(heap, kHeapBytes, "names"));
  if (!StartsWith(head, "HEAP")) return Damaged("names", "no heap where one should be");
  ByteReader heap_reader(head);
  heap_reader.Skip(8);  // HEAP, version
  const uint64_t size = heap_reader.Unsigned(8);
  heap_reader.Skip(8);  // free list
  HALITE_ASSIGN_OR_RETURN(const Bytes names, Read(heap_reader.Unsigned(8), size, "names"));
  return ReadGroupTree(tree, -1, names, members);
}

absl::StatusOr<TreeHead> ReadTreeHead(Reader& reader, uint64_t address, int type, int level) {
  HALITE_RETURN_IF_ERROR(reader.Visit(address, "tree"));
  HALITE_ASSIGN_OR_RETURN(const Bytes bytes, reader.Read(address, kTreeHeadBytes, "tree"));
  if (!StartsWith(bytes, "TREE")) return Damaged("tree", "no node where one should be");
  ByteReader head_reader(bytes);
  head_reader.Skip(4);  // TREE
  TreeHead head;
  head.type = static_cast<int>(head_reader.Unsigned(1));
  head.level = static_cast<int>(head_reader.Unsigned(1));
  head.entries = head_reader.Unsigned(2);
  if (head.type != type || head.level > kMaxTreeLevel || (level >= 0 && head.level != level)) {
    return Damaged("tree", absl::StrCat("a node of type ", head.type, ", level ", head.level));
  }
  return head;
}

absl::Status Reader::ReadGroupTree(uint64_t address, int level, const Bytes& names,
                                   std::vector<Member>& members) {
  HALITE_ASSIGN_OR_RETURN(const TreeHead head, ReadTreeHead(*this, address, 0, level));
  // Keys (offsets of names) and addresses take turns.
  HALITE_ASSIGN_OR_RETURN(const Bytes bytes,
                          Read(address + kTreeHeadBytes, head.entries * 16, "tree"));
  ByteReader reader(bytes);
  for (uint64_t i = 0; i < head.entries; ++i) {
    reader.Skip(8);
    const uint64_t child = reader.Unsigned(8);
    HALITE_RETURN_IF_ERROR(head.level > 0 ? ReadGroupTree(child, head.level - 1, names, members)
                                          : ReadSymbols(child, names, members));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadSymbols(uint64_t address, const Bytes& names,
                                 std::vector<Member>& members) {
  HALITE_RETURN_IF_ERROR(Visit(address, "symbols"));
  HALITE_ASSIGN_OR_RETURN(const Bytes head, Read(address, 8, "symbols"));
  if (!StartsWith(head, "SNOD")) return Damaged("symbols", "no node where one should be");
  const uint64_t count = ByteReader(absl::MakeConstSpan(head).subspan(6)).Unsigned(2);
  HALITE_ASSIGN_OR_RETURN(const Bytes bytes,
                          Read(address + 8, count * kSymbolEntryBytes, "symbols"));
  ByteReader reader(bytes);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t offset = reader.Unsigned(8);
    Member member;
    member.address = reader.Unsigned(8);
    const uint64_t kind = reader.Unsigned(4);
    reader.Skip(20);
    if (offset >= names.size()) return Damaged("symbols", "a name lies outside the names");
    const auto begin = names.begin() + static_cast<int64_t>(offset);
    const auto end = std::find(begin, names.end(), 0);
    if (end == names.end()) return Damaged("symbols", "a name has no end");
    member.name.assign(begin, end);
    HALITE_RETURN_IF_ERROR(CheckName(member.name));
    if (kind == 2) {
      return Unsupported(absl::StrCat("the soft link '", absl::CEscape(member.name), "'"));
    }
    members.push_back(std::move(member));
  }
  return absl::OkStatus();
}

}  // namespace halite::hdf5
