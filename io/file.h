// SPDX-License-Identifier: Apache-2.0
//
// Files as the readers and writers of io/ use them: reading at a place with every size checked, and
// writing that is atomic. Errors name the file.
#ifndef HALITE_IO_FILE_H_
#define HALITE_IO_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace halite {

// A regular file, open for reading.
class InputFile {
 public:
  // Errors: NOT_FOUND; INVALID_ARGUMENT for anything but a regular file.
  static absl::StatusOr<InputFile> Open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  // Whether `descriptor` is the same file, which `path` may no longer be.
  bool IsSame(int descriptor) const;
  // Whether `bytes` from `offset` on lie in the file.
  bool Holds(uint64_t offset, uint64_t bytes) const {
    return offset <= size_ && bytes <= size_ - offset;
  }

  // Fills `bytes` from the file. Errors: DATA_LOSS if it ends before.
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> bytes) const;

 private:
  InputFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
  uint64_t size_ = 0;
  uint64_t device_ = 0, number_ = 0;  // which file it is
};

// A file that takes the place of `path` at Commit and not before: it is written beside it, as
// "<path>.tmp.<process>.<number>", flushed to the disk, and renamed. Without Commit it is removed;
// a killed process leaves it behind.
class AtomicFile {
 public:
  // Errors: INVALID_ARGUMENT if `path` is a folder, a device or the like.
  static absl::StatusOr<AtomicFile> Create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  absl::Status Write(absl::Span<const uint8_t> bytes);
  absl::Status Commit();

 private:
  AtomicFile(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}
  absl::Status Error(const char* action) const;

  std::string path_;
  std::string temporary_;
  int descriptor_;  // -1 once committed
};

}  // namespace halite

#endif  // HALITE_IO_FILE_H_
