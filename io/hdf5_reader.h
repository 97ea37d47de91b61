// SPDX-License-Identifier: Apache-2.0
//
// Hdf5Reader: the structures of one HDF5 file: object headers with their messages, and the members
// of groups.
//
// No loop and no aliasing of a hostile file can cost more than the file is worth: each structure is
// read at most once, and all that is read together is at most a small multiple of the file's size.
#ifndef HALITE_IO_HDF5_READER_H_
#define HALITE_IO_HDF5_READER_H_

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "halite/io/file.h"

namespace halite::hdf5 {

using Bytes = std::vector<uint8_t>;

// "data layout: `found`": DATA_LOSS.
absl::Status Damaged(absl::string_view field, absl::string_view found);
// "`what` is not supported": UNIMPLEMENTED.
absl::Status Unsupported(absl::string_view what);

struct Message {
  uint16_t type = 0;
  uint8_t flags = 0;
  Bytes data;
};

// The messages of one object header.
class Object {
 public:
  explicit Object(std::vector<Message> messages) : messages_(std::move(messages)) {}

  const std::vector<Message>& messages() const { return messages_; }
  // The first message of the type, or null.
  const Message* Find(uint16_t type) const;
  bool IsDataset() const;
  bool IsGroup() const;

 private:
  std::vector<Message> messages_;
};

struct Member {
  std::string name;
  uint64_t address = 0;  // of its object header
};

class Reader {
 public:
  explicit Reader(InputFile file) : file_(std::move(file)) {}

  const InputFile& file() const { return file_; }

  // The address of the root group's object header.
  absl::StatusOr<uint64_t> ReadSuperblock();
  absl::StatusOr<Object> ReadObject(uint64_t address);
  absl::StatusOr<std::vector<Member>> ReadMembers(const Object& group);

  // The bytes of a structure, called `field` in messages. Memory is allocated once it is known that
  // the file holds them and that the budget allows them.
  absl::StatusOr<Bytes> Read(uint64_t address, uint64_t size, absl::string_view field);
  absl::Status ReadInto(uint64_t address, absl::Span<uint8_t> bytes, absl::string_view field);
  // An error if a structure at `address` was visited before.
  absl::Status Visit(uint64_t address, absl::string_view field);
  // The file's bytes from `address` on, at most `limit`.
  uint64_t Available(uint64_t address, uint64_t limit) const;

 private:
  absl::Status Spend(uint64_t address, uint64_t size, absl::string_view field);
  absl::Status ReadHeader1(uint64_t address, std::vector<Message>& messages);
  absl::Status ReadHeader2(uint64_t address, std::vector<Message>& messages);
  absl::Status ReadSymbolTable(const Message& message, std::vector<Member>& members);
  absl::Status ReadGroupTree(uint64_t address, int level, const Bytes& names,
                             std::vector<Member>& members);
  absl::Status ReadSymbols(uint64_t address, const Bytes& names, std::vector<Member>& members);

  InputFile file_;
  uint64_t spent_ = 0;
  std::unordered_set<uint64_t> visited_;
};

// The deepest B-tree that is followed; a tree of 32 children a node holds 2^40 entries.
inline constexpr int kMaxTreeLevel = 8;

// The head of a version 1 B-tree node, behind its 4 letters.
struct TreeHead {
  int type = 0;
  int level = 0;
  uint64_t entries = 0;
};
// Reads and checks it; `level` is what its parent says, -1 for the root.
absl::StatusOr<TreeHead> ReadTreeHead(Reader& reader, uint64_t address, int type, int level);
inline constexpr uint64_t kTreeHeadBytes = 24;

}  // namespace halite::hdf5

#endif  // HALITE_IO_HDF5_READER_H_
