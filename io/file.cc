// SPDX-License-Identifier: Apache-2.0
#include "halite/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"

namespace halite {
namespace {

// The system moves at most 2 GiB a call.
constexpr size_t kMaxTransfer = size_t{1} << 30;

absl::Status SystemError(const std::string& path, absl::string_view action, int error) {
  const std::string text = absl::StrCat(path, ": ", action, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnknownError(text);
  }
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A rename is on the disk once the folder is. File systems that cannot flush a folder say EINVAL.
absl::Status FlushFolder(const std::string& path) {
  const std::string folder = FolderOf(path);
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return SystemError(folder, "open", errno);
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  return error == 0 || error == EINVAL ? absl::OkStatus() : SystemError(folder, "fsync", error);
}

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return SystemError(path, "open", errno);
  InputFile file(path, descriptor);
  struct stat info;
  if (fstat(descriptor, &info) != 0) return SystemError(path, "fstat", errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a regular file: one needed"));
  }
  file.size_ = static_cast<uint64_t>(info.st_size);
  file.device_ = info.st_dev;
  file.number_ = info.st_ino;
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(other.descriptor_),
      size_(other.size_),
      device_(other.device_),
      number_(other.number_) {
  other.descriptor_ = -1;
}

bool InputFile::IsSame(int descriptor) const {
  struct stat info;
  return fstat(descriptor, &info) == 0 && info.st_dev == device_ && info.st_ino == number_;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status InputFile::Read(uint64_t offset, absl::Span<uint8_t> bytes) const {
  if (!Holds(offset, bytes.size())) {
    return absl::DataLossError(absl::StrCat(path_, ": ", bytes.size(), " bytes at ", offset,
                                            " of a file of ", size_, ": a place inside needed"));
  }
  while (!bytes.empty()) {
    const ssize_t count = pread(descriptor_, bytes.data(), std::min(bytes.size(), kMaxTransfer),
                                static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(path_, "read", errno);
    if (count == 0) {
      return absl::DataLossError(absl::StrCat(path_, ": the file was cut while it was read"));
    }
    bytes.remove_prefix(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return absl::OkStatus();
}

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path) {
  static std::atomic<uint64_t> number{0};
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": exists and is not a regular file: a file's name needed"));
  }
  // Names that killed processes left behind are passed over.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const std::string temporary =
        absl::StrCat(path, ".tmp.", static_cast<int64_t>(getpid()), ".", number.fetch_add(1));
    const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0) return AtomicFile(path, temporary, descriptor);
    if (errno != EEXIST) return SystemError(temporary, "create", errno);
  }
  return absl::AlreadyExistsError(absl::StrCat(path, ": 1000 temporary files exist beside it"));
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(other.descriptor_) {
  other.descriptor_ = -1;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

absl::Status AtomicFile::Error(const char* action) const {
  return SystemError(temporary_, action, errno);
}

absl::Status AtomicFile::Write(absl::Span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor_, bytes.data(), std::min(bytes.size(), kMaxTransfer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error("write");
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit() {
  if (fsync(descriptor_) != 0) return Error("fsync");
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return Error("rename");
  const int closed = close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) return Error("close");
  return FlushFolder(path_);
}

}  // namespace halite
