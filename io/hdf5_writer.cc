// SPDX-License-Identifier: Apache-2.0
//
// WriteHdf5File. libhdf5 makes the file in memory and we put it on the disk, because version 1.10.8
// does not survive a full disk: it cannot close the file then, and crashes at the program's exit.
#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "halite/core/status.h"
#include "halite/io/file.h"
#include "halite/io/hdf5_file.h"
#include "halite/io/hdf5_library.h"

namespace halite {
namespace {

using hdf5::Id;

absl::Status PathError(absl::string_view path, absl::string_view found) {
  return absl::InvalidArgumentError(
      absl::StrCat(absl::CEscape(path), ": ", found, ": a path of names joined by '/' needed"));
}

absl::Status CheckAttributes(const Hdf5Entry& entry) {
  for (const auto& [name, value] : entry.attributes) {
    const auto* text = std::get_if<std::string>(&value);
    if (name.empty() || name.size() > 255 || name.find('\0') != name.npos ||
        (text != nullptr && text->size() > hdf5::kMaxTextBytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute ", absl::CEscape(name), ": the name or the text is too long: ",
                       "1 to 255 bytes without \\0 and up to 32768 bytes needed"));
    }
  }
  return absl::OkStatus();
}

// Finds out what the entries have in common before any is written.
class PathChecker {
 public:
  absl::Status Check(const Hdf5Entry& entry) {
    if (!given_.insert(entry.path).second) return PathError(entry.path, "given twice");
    if (entry.path.empty()) {
      return entry.array.has_value() ? PathError("", "an array and a group") : absl::OkStatus();
    }
    size_t end = 0;
    int depth = 0;
    for (absl::string_view name : absl::StrSplit(entry.path, '/')) {
      if (name.empty() || name == "." || name == ".." || name.size() > hdf5::kMaxTextBytes ||
          name.find('\0') != name.npos) {
        return PathError(entry.path, "a part is empty, '.', '..' or too long");
      }
      if (++depth > hdf5::kMaxDepth) {
        return PathError(entry.path, absl::StrCat("more than ", hdf5::kMaxDepth, " parts"));
      }
      end += name.size();
      const bool is_array = end == entry.path.size() && entry.array.has_value();
      const auto [known, is_new] = is_array_.emplace(entry.path.substr(0, end), is_array);
      if (known->second && !is_new) return PathError(entry.path, "a part is an array and a group");
      if (is_array && !is_new) return PathError(entry.path, "an array and a group");
      ++end;
    }
    return absl::OkStatus();
  }

 private:
  std::unordered_set<std::string> given_;
  std::unordered_map<std::string, bool> is_array_;  // all paths and the groups above them
};

absl::Status CheckEntries(absl::Span<const Hdf5Entry> entries) {
  PathChecker checker;
  for (const Hdf5Entry& entry : entries) {
    if (entry.array.has_value()) HALITE_RETURN_IF_ERROR(entry.array->status());
    HALITE_RETURN_IF_ERROR(checker.Check(entry));
    HALITE_RETURN_IF_ERROR(CheckAttributes(entry));
  }
  return absl::OkStatus();
}

absl::Status Failed(absl::string_view path) {
  return absl::InternalError(absl::StrCat(absl::CEscape(path), ": HDF5: ", hdf5::LastError()));
}

// The elements of an array on the host.
absl::StatusOr<const void*> ElementsOf(const NdArray& array) {
  return VisitDType(array.dtype(), [&](auto* type) -> absl::StatusOr<const void*> {
    using T = std::remove_pointer_t<decltype(type)>;
    HALITE_ASSIGN_OR_RETURN(const absl::Span<const T> elements, array.Read<T>());
    return elements.data();
  });
}

// A property list with ours of these properties that lists of its kind have: names are UTF-8,
// groups keep the order of their members, and nothing knows the time: the same entries give the
// same bytes.
hid_t Properties(hid_t kind) {
  const hid_t properties = H5Pcreate(kind);
  H5Pset_char_encoding(properties, H5T_CSET_UTF8);
  H5Pset_link_creation_order(properties, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_obj_track_times(properties, false);
  return properties;
}

// A file in memory, in the format of HDF5 1.8: its structures carry checksums.
hid_t CreateFile() {
  constexpr size_t kIncrement = 1 << 20;
  const Id access(H5Pcreate(H5P_FILE_ACCESS)), creation(Properties(H5P_FILE_CREATE));
  H5Pset_fapl_core(access, kIncrement, false);
  H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
  // A name that is no file: the library looks for it.
  return H5Fcreate("/dev/null/new", H5F_ACC_TRUNC, creation, access);
}

class Writer {
 public:
  absl::Status Write(absl::Span<const Hdf5Entry> entries, AtomicFile& to) {
    if (!file_.ok()) return Failed("");
    for (const Hdf5Entry& entry : entries) HALITE_RETURN_IF_ERROR(WriteEntry(entry));
    void** memory = nullptr;
    const bool is_whole = H5Fflush(file_, H5F_SCOPE_GLOBAL) >= 0;
    const ssize_t size = H5Fget_file_image(file_, nullptr, 0);
    if (!is_whole || size < 0 ||
        H5Fget_vfd_handle(file_, H5P_DEFAULT, reinterpret_cast<void**>(&memory)) < 0) {
      return Failed("");
    }
    return to.Write(
        absl::MakeConstSpan(static_cast<const uint8_t*>(*memory), static_cast<size_t>(size)));
  }

 private:
  absl::Status WriteEntry(const Hdf5Entry& entry) {
    const std::string& path = entry.path;
    for (size_t end = path.find('/'); end != path.npos; end = path.find('/', end + 1)) {
      HALITE_RETURN_IF_ERROR(MakeGroup(path.substr(0, end)));
    }
    if (entry.array.has_value()) return WriteDataset(entry, *entry.array);
    HALITE_RETURN_IF_ERROR(MakeGroup(path));
    const Id group(H5Gopen2(file_, path.empty() ? "/" : path.c_str(), H5P_DEFAULT));
    return group.ok() ? WriteAttributes(entry, group) : Failed(path);
  }

  absl::Status MakeGroup(const std::string& path) {
    if (path.empty() || !groups_.insert(path).second) return absl::OkStatus();
    const Id group(
        H5Gcreate2(file_, path.c_str(), link_properties_, group_properties_, H5P_DEFAULT));
    return group.ok() ? absl::OkStatus() : Failed(path);
  }

  absl::Status WriteDataset(const Hdf5Entry& entry, const NdArray& array) {
    HALITE_ASSIGN_OR_RETURN(const void* elements, ElementsOf(array));
    const hid_t type = hdf5::NativeType(array.dtype());
    const std::vector<hsize_t> extents(array.shape().begin(), array.shape().end());
    const Id space(extents.empty() ? H5Screate(H5S_SCALAR)
                                   : H5Screate_simple(array.rank(), extents.data(), nullptr));
    const Id dataset(H5Dcreate2(file_, entry.path.c_str(), type, space, link_properties_,
                                dataset_properties_, H5P_DEFAULT));
    if (!dataset.ok() || (array.size() > 0 &&
                          H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements) < 0)) {
      return Failed(entry.path);
    }
    return WriteAttributes(entry, dataset);
  }

  absl::Status WriteAttributes(const Hdf5Entry& entry, hid_t object) {
    const Id scalar(H5Screate(H5S_SCALAR)), text_type(H5Tcopy(H5T_C_S1));
    H5Tset_cset(text_type, H5T_CSET_UTF8);
    H5Tset_strpad(text_type, H5T_STR_NULLPAD);
    const hid_t types[] = {H5T_NATIVE_INT32, H5T_NATIVE_INT64, H5T_NATIVE_DOUBLE, text_type};
    for (const auto& [name, value] : entry.attributes) {
      const void* data = std::visit([](const auto& v) -> const void* { return &v; }, value);
      if (const auto* text = std::get_if<std::string>(&value); text != nullptr) {
        H5Tset_size(text_type, std::max<size_t>(text->size(), 1));
        data = text->c_str();
      }
      const hid_t type = types[value.index()];
      const Id attribute(
          H5Acreate2(object, name.c_str(), type, scalar, attribute_properties_, H5P_DEFAULT));
      if (!attribute.ok() || H5Awrite(attribute, type, data) < 0) {
        return Failed(absl::StrCat(entry.path, ": attribute ", name));
      }
    }
    return absl::OkStatus();
  }

  const Id file_{CreateFile()};
  const Id link_properties_{Properties(H5P_LINK_CREATE)};
  const Id attribute_properties_{Properties(H5P_ATTRIBUTE_CREATE)};
  const Id group_properties_{Properties(H5P_GROUP_CREATE)};
  const Id dataset_properties_{Properties(H5P_DATASET_CREATE)};
  std::unordered_set<std::string> groups_;
};

absl::Status WriteEntries(absl::Span<const Hdf5Entry> entries, AtomicFile& file) {
  const std::lock_guard<std::mutex> lock(hdf5::LibraryMutex());
  absl::Status status;
  H5E_BEGIN_TRY { status = Writer().Write(entries, file); }
  H5E_END_TRY
  return status;
}

}  // namespace

absl::Status WriteHdf5File(const std::string& path, absl::Span<const Hdf5Entry> entries) {
  const auto in_file = [&](const absl::Status& status) {
    return status.ok() ? status
                       : absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  };
  HALITE_RETURN_IF_ERROR(in_file(CheckEntries(entries)));
  HALITE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  HALITE_RETURN_IF_ERROR(in_file(WriteEntries(entries, file)));
  return file.Commit();
}

}  // namespace halite
