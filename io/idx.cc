// SPDX-License-Identifier: Apache-2.0
#include "halite/io/idx.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halite/core/status.h"
#include "halite/io/file.h"

namespace halite {
namespace {

constexpr uint64_t kMaxRatio = 1032;  // zlib's best

struct ElementType {
  DType dtype;
  int bytes;  // in the file
};

std::optional<ElementType> TypeOf(uint8_t code) {
  switch (code) {
    case 0x08:
      return ElementType{DType::kUint8, 1};
    case 0x09:
      return ElementType{DType::kInt32, 1};
    case 0x0B:
      return ElementType{DType::kInt32, 2};
    case 0x0C:
      return ElementType{DType::kInt32, 4};
    case 0x0D:
      return ElementType{DType::kFloat32, 4};
    case 0x0E:
      return ElementType{DType::kFloat64, 8};
    default:
      return std::nullopt;
  }
}

// A stream of the file's bytes, expanded if it is compressed.
class Stream {
 public:
  static absl::StatusOr<Stream> Open(const std::string& path) {
    HALITE_ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
    uint8_t magic[2] = {0, 0};
    if (file.size() >= 2) HALITE_RETURN_IF_ERROR(file.Read(0, absl::MakeSpan(magic)));
    Stream stream(path, file.size(), magic[0] == 0x1F && magic[1] == 0x8B);
    stream.file_.reset(gzopen(path.c_str(), "rb"));
    if (stream.file_ == nullptr) return absl::UnknownError(absl::StrCat(path, ": zlib: open"));
    gzbuffer(stream.file_.get(), 1 << 17);
    return stream;
  }

  const std::string& path() const { return path_; }
  // The most bytes that can come out of the file.
  uint64_t max_bytes() const { return size_ * (compressed_ ? kMaxRatio : 1); }

  // Fills `bytes`; `field` is what they are.
  absl::Status Read(absl::Span<uint8_t> bytes, absl::string_view field) {
    while (!bytes.empty()) {
      const unsigned wanted = static_cast<unsigned>(std::min<size_t>(bytes.size(), 1 << 30));
      const int count = gzread(file_.get(), bytes.data(), wanted);
      if (count <= 0) {
        return absl::DataLossError(
            absl::StrCat(path_, ": ", field, ": the file ends or is damaged"));
      }
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return absl::OkStatus();
  }

  // An error unless all has been read. Checks gzip's checksum on the way.
  absl::Status ReadEnd() {
    uint8_t byte;
    const int count = gzread(file_.get(), &byte, 1);
    if (count == 0 && gzclose(file_.release()) == Z_OK) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat(path_, count > 0 ? ": bytes behind the last element: none needed"
                                      : ": the compressed data are damaged"));
  }

 private:
  struct Close {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };

  Stream(std::string path, uint64_t size, bool compressed)
      : path_(std::move(path)), size_(size), compressed_(compressed) {}

  std::string path_;
  uint64_t size_;
  bool compressed_;
  std::unique_ptr<gzFile_s, Close> file_;
};

uint64_t LoadBigEndian(const uint8_t* bytes, int count) {
  uint64_t word = 0;
  for (int i = 0; i < count; ++i) word = word << 8 | bytes[i];
  return word;
}

template <typename T>
T Element(const uint8_t* bytes, int count) {
  const uint64_t word = LoadBigEndian(bytes, count);
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(static_cast<uint32_t>(word));
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<double>(word);
  } else if constexpr (std::is_same_v<T, uint8_t>) {
    return static_cast<uint8_t>(word);
  } else {
    const int unused = 64 - 8 * count;
    return static_cast<T>(static_cast<int64_t>(word << unused) >> unused);
  }
}

// Reads the elements in pieces: what is converted needs no second copy of the data.
absl::Status ReadElements(Stream& stream, const ElementType& type, NdArray& array) {
  constexpr int64_t kPiece = 1 << 16;
  return VisitDType(array.dtype(), [&](auto* element) -> absl::Status {
    using T = std::remove_pointer_t<decltype(element)>;
    HALITE_ASSIGN_OR_RETURN(absl::Span<T> elements, array.Write<T>());
    if constexpr (std::is_same_v<T, uint8_t>) return stream.Read(elements, "elements");
    std::vector<uint8_t> bytes;
    while (!elements.empty()) {
      const size_t count = std::min<size_t>(elements.size(), kPiece);
      bytes.resize(count * type.bytes);
      HALITE_RETURN_IF_ERROR(stream.Read(absl::MakeSpan(bytes), "elements"));
      for (size_t i = 0; i < count; ++i) {
        elements[i] = Element<T>(bytes.data() + i * type.bytes, type.bytes);
      }
      elements.remove_prefix(count);
    }
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<NdArray> ReadIdx(const std::string& path) {
  HALITE_ASSIGN_OR_RETURN(Stream stream, Stream::Open(path));
  uint8_t magic[4];
  HALITE_RETURN_IF_ERROR(stream.Read(absl::MakeSpan(magic), "header"));
  const std::optional<ElementType> type = TypeOf(magic[2]);
  if (magic[0] != 0 || magic[1] != 0 || !type.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not an IDX file: one needed"));
  }
  Shape shape;
  for (int d = 0; d < magic[3]; ++d) {
    uint8_t extent[4];
    HALITE_RETURN_IF_ERROR(stream.Read(absl::MakeSpan(extent), "header"));
    shape.push_back(static_cast<int64_t>(LoadBigEndian(extent, 4)));
  }
  NdArray array(shape, type->dtype);
  const uint64_t bytes = static_cast<uint64_t>(array.size()) * type->bytes;
  if (!array.status().ok() || bytes > stream.max_bytes()) {
    return absl::DataLossError(absl::StrCat(path, ": shape ", ToString(shape), ": ",
                                            "a shape that the file can hold needed"));
  }
  HALITE_RETURN_IF_ERROR(ReadElements(stream, *type, array));
  HALITE_RETURN_IF_ERROR(stream.ReadEnd());
  return array;
}

}  // namespace halite
