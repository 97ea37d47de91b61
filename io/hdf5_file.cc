// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_file.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/file.h"
#include "halite/io/hdf5_dataset.h"
#include "halite/io/hdf5_format.h"
#include "halite/io/hdf5_reader.h"

namespace halite {
namespace {

// Appends the object at `address` and, if it is a group, all below it. On an error `path` is the
// object that has it.
absl::Status Collect(hdf5::Reader& reader, uint64_t address, int depth, std::string& path,
                     std::vector<Hdf5Entry>& entries) {
  if (depth > hdf5::kMaxDepth)
    return hdf5::Unsupported(absl::StrCat("a depth of ", depth, " groups"));
  HALITE_ASSIGN_OR_RETURN(const hdf5::Object object, reader.ReadObject(address));
  Hdf5Entry entry;
  entry.path = path;
  HALITE_ASSIGN_OR_RETURN(entry.attributes, hdf5::ReadAttributes(object));
  if (object.IsDataset()) {
    HALITE_ASSIGN_OR_RETURN(entry.array, hdf5::ReadDataset(reader, object));
    entries.push_back(std::move(entry));
    return absl::OkStatus();
  }
  if (!object.IsGroup()) return hdf5::Unsupported("an object that is no group and no dataset");
  entries.push_back(std::move(entry));
  HALITE_ASSIGN_OR_RETURN(const std::vector<hdf5::Member> members, reader.ReadMembers(object));
  const size_t length = path.size();
  for (const hdf5::Member& member : members) {
    absl::StrAppend(&path, path.empty() ? "" : "/", member.name);
    HALITE_RETURN_IF_ERROR(Collect(reader, member.address, depth + 1, path, entries));
    path.resize(length);
  }
  return absl::OkStatus();
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
  HALITE_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  hdf5::Reader reader(std::move(file));
  std::vector<Hdf5Entry> entries;
  std::string object;
  const absl::Status status = [&]() -> absl::Status {
    HALITE_ASSIGN_OR_RETURN(const uint64_t root, reader.ReadSuperblock());
    return Collect(reader, root, 0, object, entries);
  }();
  if (status.ok()) return entries;
  return absl::Status(status.code(),
                      absl::StrCat(path, ": ", object.empty() ? "" : absl::CEscape(object) + ": ",
                                   status.message()));
}

}  // namespace halite
