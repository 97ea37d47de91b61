// SPDX-License-Identifier: Apache-2.0
//
// SendFile: what a damaged file may crash.
#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/hdf5_library.h"
#include "halite/io/hdf5_stream.h"

namespace halite::hdf5 {
namespace {

absl::Status Damaged(absl::string_view field, absl::string_view found) {
  return absl::DataLossError(absl::StrCat(field, ": ", found, ": an undamaged file needed"));
}

absl::Status Unsupported(absl::string_view what) {
  return absl::UnimplementedError(absl::StrCat(what, " is not supported"));
}

// The element type that holds the values of the file's type.
absl::StatusOr<DType> ToDType(hid_t type) {
  static constexpr const char* kClasses[] = {"integer",  "float",           "time",     "string",
                                             "bitfield", "opaque",          "compound", "reference",
                                             "enum",     "variable-length", "array"};
  const H5T_class_t type_class = H5Tget_class(type);
  const size_t size = H5Tget_size(type);
  if (type_class == H5T_FLOAT && size <= 8) return size <= 4 ? DType::kFloat32 : DType::kFloat64;
  if ((type_class == H5T_INTEGER || type_class == H5T_ENUM) && size <= 8) {
    const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    if (size == 1 && !is_signed) return DType::kUint8;
    return size <= (is_signed ? 4 : 2) ? DType::kInt32 : DType::kInt64;
  }
  if (type_class < 0 || type_class >= std::size(kClasses)) return Damaged("element type", "none");
  return Unsupported(absl::StrCat("element type: ", kClasses[type_class], " of ", size, " bytes"));
}

absl::StatusOr<Shape> ReadShape(hid_t space) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) return Shape{0};
  hsize_t extents[H5S_MAX_RANK];
  const int rank = H5Sget_simple_extent_dims(space, extents, nullptr);
  if (rank < 0) return Damaged("shape", LastError());
  Shape shape;
  for (int d = 0; d < rank; ++d) {
    shape.push_back(
        static_cast<int64_t>(std::min<hsize_t>(extents[d], std::numeric_limits<int64_t>::max())));
  }
  if (const absl::Status status = CheckShape(shape); !status.ok()) {
    return Damaged("shape", status.message());
  }
  return shape;
}

// A scalar or string attribute; nothing for those of other types and shapes.
absl::StatusOr<std::optional<Hdf5Attribute>> ReadAttribute(hid_t object, const char* name) {
  const Id attribute(H5Aopen(object, name, H5P_DEFAULT));
  const Id type(H5Aget_type(attribute)), space(H5Aget_space(attribute));
  if (!type.ok() || !space.ok()) return Damaged("its head", LastError());
  if (H5Sget_simple_extent_npoints(space) != 1) return std::nullopt;
  if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    if (H5Aread(attribute, type, &text) < 0) return Damaged("its value", LastError());
    if (text == nullptr) return std::string();
    const std::unique_ptr<char, herr_t (*)(void*)> owner(text, H5free_memory);
    if (strnlen(text, kMaxTextBytes + 1) > kMaxTextBytes) return std::nullopt;
    return std::string(text);
  }
  if (H5Tget_class(type) == H5T_STRING) {
    if (H5Tget_size(type) > kMaxTextBytes) return std::nullopt;
    std::string text(H5Tget_size(type), '\0');
    if (H5Aread(attribute, type, text.data()) < 0) return Damaged("its value", LastError());
    return text.substr(0, text.find('\0'));
  }
  const absl::StatusOr<DType> dtype = ToDType(type);
  if (!dtype.ok()) return std::nullopt;
  const auto read = [&](auto value, hid_t memory) -> absl::StatusOr<std::optional<Hdf5Attribute>> {
    if (H5Aread(attribute, memory, &value) < 0) return Damaged("its value", LastError());
    return value;
  };
  if (IsFloat(*dtype)) return read(double{}, H5T_NATIVE_DOUBLE);
  if (*dtype == DType::kInt64) return read(int64_t{}, H5T_NATIVE_INT64);
  return read(int32_t{}, H5T_NATIVE_INT32);
}

class Reader {
 public:
  Reader(const InputFile& input, const ChildOutput& output)
      : input_(input),
        memory_bytes_((uint64_t{128} << 20) + 16 * input.size()),
        stored_left_(input.size()),
        text_left_(MaxTextBytes(input.size())),
        output_(output) {}

  void ReadFile() {
    LimitMemory(memory_bytes_);
    const absl::Status status = ReadRoot();
    if (status.ok() || entry_.path.empty()) return SendStatus(status, output_);
    const std::string text = absl::StrCat(absl::CEscape(entry_.path), ": ", status.message());
    SendStatus(absl::Status(status.code(), text), output_);
  }

 private:
  // What an iteration of the library calls back with; a status that is not OK ends it.
  struct Visit {
    Reader* reader;
    absl::Status status;
  };

  absl::Status ReadRoot();
  // The object and, if it is a group, all below it. On an error entry_.path is the object.
  absl::Status ReadObject(hid_t object);
  absl::Status ReadAttributes(hid_t object);
  absl::Status ReadMembers(hid_t group);
  absl::Status ReadMember(const char* name, const H5L_info_t& link);
  absl::Status ReadDataset(hid_t dataset);
  // Whether the file can hold `bytes` of elements, in chunks of `chunk_bytes`.
  absl::Status CheckSize(hid_t dataset, bool is_filtered, uint64_t bytes, uint64_t chunk_bytes);
  absl::Status SpendText(size_t bytes);

  const InputFile& input_;
  hid_t file_ = H5I_INVALID_HID;
  const uint64_t memory_bytes_;  // may be used besides an array
  uint64_t stored_left_;         // bytes of the file that no dataset has claimed
  uint64_t filled_left_ = kMaxFilledBytes;
  uint64_t text_left_;
  std::unordered_set<haddr_t> visited_;
  Hdf5Entry entry_;  // in work
  int depth_ = 0;    // its groups
  const ChildOutput& output_;
};

absl::Status Reader::ReadRoot() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);  // no filters from where HDF5_PLUGIN_PATH says
  const Id access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_fapl_sec2(access);
  H5Pset_file_locking(access, false, true);
  const char* path = input_.path().c_str();
  if (H5Fis_hdf5(path) == 0) return absl::InvalidArgumentError("not an HDF5 file: one needed");
  const Id file(H5Fopen(path, H5F_ACC_RDONLY, access));
  if (!file.ok()) return Damaged("superblock", LastError());
  void* descriptor;
  if (H5Fget_vfd_handle(file, access, &descriptor) < 0 ||
      !input_.IsSame(*static_cast<int*>(descriptor))) {
    return absl::UnavailableError("the file is being replaced");
  }
  file_ = file;
  const Id root(H5Oopen(file, "/", H5P_DEFAULT));
  if (!root.ok()) return Damaged("root group", LastError());
  return ReadObject(root);
}

absl::Status Reader::ReadObject(hid_t object) {
  H5O_info_t info;
  if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0) return Damaged("its head", LastError());
  if (!visited_.insert(info.addr).second) {
    return Unsupported(absl::StrCat("a second name of the object at ", info.addr));
  }
  if (depth_ > kMaxDepth) return Unsupported(absl::StrCat("a depth of ", depth_, " groups"));
  HALITE_RETURN_IF_ERROR(SpendText(entry_.path.size()));
  HALITE_RETURN_IF_ERROR(ReadAttributes(object));
  if (info.type == H5O_TYPE_DATASET) return ReadDataset(object);
  if (info.type != H5O_TYPE_GROUP) return Unsupported("an object that is no group and no dataset");
  SendEntry(entry_, nullptr, output_);
  return ReadMembers(object);
}

absl::Status Reader::SpendText(size_t bytes) {
  if (bytes > text_left_) return Damaged("names and attributes", "more than the file can hold");
  text_left_ -= bytes;
  return absl::OkStatus();
}

absl::Status Reader::ReadAttributes(hid_t object) {
  entry_.attributes.clear();
  Visit context{this, absl::OkStatus()};
  const auto visit = [](hid_t owner, const char* name, const H5A_info_t*, void* data) -> herr_t {
    auto& [reader, status] = *static_cast<Visit*>(data);
    auto value = ReadAttribute(owner, name);
    if (value.ok() && value->has_value()) {
      const auto* text = std::get_if<std::string>(&**value);
      status = reader->SpendText(strlen(name) + (text == nullptr ? 0 : text->size()));
      reader->entry_.attributes[name] = **std::move(value);
    } else if (!value.ok()) {
      status = absl::Status(value.status().code(), absl::StrCat("attribute ", absl::CEscape(name),
                                                                ": ", value.status().message()));
    }
    return status.ok() ? 0 : 1;
  };
  const herr_t result = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &context);
  if (result < 0) return Damaged("attributes", LastError());
  return context.status;
}

absl::Status Reader::ReadMembers(hid_t group) {
  Visit context{this, absl::OkStatus()};
  const auto visit = [](hid_t, const char* name, const H5L_info_t* link, void* data) -> herr_t {
    auto& [reader, status] = *static_cast<Visit*>(data);
    status = reader->ReadMember(name, *link);
    return status.ok() ? 0 : 1;
  };
  const Id properties(H5Gget_create_plist(group));
  unsigned order = 0;
  H5Pget_link_creation_order(properties, &order);
  const H5_index_t index =
      (order & H5P_CRT_ORDER_TRACKED) != 0 ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
  const herr_t result = H5Literate(group, index, H5_ITER_INC, nullptr, visit, &context);
  if (result < 0) return Damaged("members", LastError());
  return context.status;
}

absl::Status Reader::ReadMember(const char* name, const H5L_info_t& link) {
  const absl::string_view text(name);
  if (text.empty() || text == "." || text == ".." || text.find('/') != text.npos) {
    return Damaged("link", absl::StrCat("'", absl::CEscape(text), "' is no name"));
  }
  if (link.type != H5L_TYPE_HARD) {
    return Unsupported(absl::StrCat("the ", link.type == H5L_TYPE_SOFT ? "soft" : "external",
                                    " link '", absl::CEscape(text), "'"));
  }
  const size_t length = entry_.path.size();
  absl::StrAppend(&entry_.path, length == 0 ? "" : "/", text);
  // By its address: a name can be there twice, as a link of another kind too, which would be
  // followed.
  const Id object(H5Oopen_by_addr(file_, link.u.address));
  if (!object.ok()) return Damaged("its head", LastError());
  ++depth_;
  HALITE_RETURN_IF_ERROR(ReadObject(object));
  --depth_;
  entry_.path.resize(length);
  return absl::OkStatus();
}

absl::Status Reader::ReadDataset(hid_t dataset) {
  const Id properties(H5Dget_create_plist(dataset));
  if (!properties.ok()) return Damaged("its head", LastError());
  // Asked first: the shape of a virtual dataset is found by opening the files it is made of.
  if (H5Pget_layout(properties) == H5D_VIRTUAL || H5Pget_external_count(properties) != 0) {
    return Unsupported("data in other files");
  }
  const int filters = H5Pget_nfilters(properties);
  for (int i = 0; i < filters; ++i) {
    size_t values = 0;
    unsigned flags;
    const H5Z_filter_t filter = H5Pget_filter2(properties, static_cast<unsigned>(i), &flags,
                                               &values, nullptr, 0, nullptr, nullptr);
    if (H5Zfilter_avail(filter) <= 0) return Unsupported(absl::StrCat("the filter ", filter));
  }
  const Id type(H5Dget_type(dataset)), space(H5Dget_space(dataset));
  if (!type.ok() || !space.ok()) return Damaged("its head", LastError());
  ArrayType array;
  HALITE_ASSIGN_OR_RETURN(array.dtype, ToDType(type));
  HALITE_ASSIGN_OR_RETURN(array.shape, ReadShape(space));
  hsize_t chunk[H5S_MAX_RANK];
  const int chunk_rank = H5Pget_chunk(properties, H5S_MAX_RANK, chunk);  // negative: no chunks
  uint64_t bytes = H5Tget_size(type), chunk_bytes = bytes;
  for (int64_t extent : array.shape) bytes *= static_cast<uint64_t>(extent);
  for (int d = 0; d < chunk_rank; ++d) chunk_bytes *= chunk[d];
  HALITE_RETURN_IF_ERROR(CheckSize(dataset, filters > 0, bytes, chunk_bytes));
  const hid_t memory_type = NativeType(array.dtype);
  const haddr_t offset = H5Dget_offset(dataset);  // undefined but for contiguous data
  if (offset != HADDR_UNDEF && H5Tequal(type, memory_type) > 0) array.offset = offset;
  const auto elements = static_cast<size_t>(Size(array.shape));
  if (array.offset.has_value() || elements == 0) {
    SendEntry(entry_, &array, output_);
    return absl::OkStatus();
  }
  const size_t size = elements * static_cast<size_t>(SizeOf(array.dtype));
  const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(size);
  if (H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer.get()) < 0) {
    return Damaged("data", LastError());
  }
  SendEntry(entry_, &array, output_);
  output_.Write(absl::MakeConstSpan(buffer.get(), size));
  return absl::OkStatus();
}

// Memory is allocated, here and by libhdf5, only for what the file can hold. Trees that lead in a
// circle make libhdf5 allocate without end: that is what the limit of memory ends.
absl::Status Reader::CheckSize(hid_t dataset, bool is_filtered, uint64_t bytes,
                               uint64_t chunk_bytes) {
  const uint64_t stored = H5Dget_storage_size(dataset);
  if (stored > stored_left_) {
    return Damaged("data", absl::StrCat(stored, " bytes: more than the file can hold"));
  }
  stored_left_ -= stored;
  const uint64_t held = stored * (is_filtered ? kMaxDeflateRatio : 1);
  const uint64_t needed = stored > 0 ? std::max(bytes, chunk_bytes) : bytes;
  if (needed > held && needed - held > filled_left_) {
    return Damaged("data", absl::StrCat(stored, " stored bytes for ", bytes));
  }
  filled_left_ -= std::max(needed, held) - held;
  // The array, up to 4 times as large in our type, and a chunk as it is stored and as it was.
  LimitMemory(memory_bytes_ + 6 * needed);
  return absl::OkStatus();
}

}  // namespace

void SendFile(const InputFile& file, const ChildOutput& output) { Reader(file, output).ReadFile(); }

}  // namespace halite::hdf5
