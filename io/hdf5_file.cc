// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_file.h"

#include <chrono>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/child_process.h"
#include "halite/io/file.h"
#include "halite/io/hdf5_library.h"
#include "halite/io/hdf5_stream.h"

namespace halite {
namespace {

// Inflate makes at most 1032 MiB of a MiB, in some 3 s.
uint64_t CpuSeconds(uint64_t file_bytes) { return 4 + 4 * (file_bytes >> 20); }

absl::StatusOr<ChildProcess> StartReading(const InputFile& file) {
  const std::lock_guard<std::mutex> lock(hdf5::LibraryMutex());
  return ChildProcess::Start(CpuSeconds(file.size()),
                             [&](const ChildOutput& output) { hdf5::SendFile(file, output); });
}

absl::StatusOr<std::vector<Hdf5Entry>> ReadOnce(const InputFile& file) {
  HALITE_ASSIGN_OR_RETURN(ChildProcess child, StartReading(file));
  return hdf5::ReceiveEntries(child, file);
}

}  // namespace

std::optional<int64_t> Hdf5Entry::Integer(const std::string& name) const {
  const auto found = attributes.find(name);
  if (found == attributes.end()) return std::nullopt;
  if (const auto* small = std::get_if<int32_t>(&found->second); small != nullptr) return *small;
  const auto* value = std::get_if<int64_t>(&found->second);
  return value == nullptr ? std::nullopt : std::optional<int64_t>(*value);
}

absl::StatusOr<std::vector<Hdf5Entry>> ReadHdf5File(const std::string& path) {
  // A file that others replace all the time may need many attempts.
  constexpr auto kPatience = std::chrono::seconds(20);
  const auto start = std::chrono::steady_clock::now();
  absl::Status status;
  do {
    HALITE_ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
    absl::StatusOr<std::vector<Hdf5Entry>> entries = ReadOnce(file);
    if (entries.ok()) return entries;
    status = entries.status();
    // Else it has been replaced while we opened it, or the child waits without end.
    if (!absl::IsUnavailable(status)) break;
  } while (std::chrono::steady_clock::now() - start < kPatience);
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace halite
