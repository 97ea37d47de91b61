// SPDX-License-Identifier: Apache-2.0
#include "halite/io/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace halite {
namespace {

using ::testing::HasSubstr;

std::string Header(int type, const std::vector<uint32_t>& extents) {
  std::string bytes = {0, 0, static_cast<char>(type), static_cast<char>(extents.size())};
  for (uint32_t extent : extents) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift);
  }
  return bytes;
}

std::string Gzip(const std::string& bytes) {
  const std::string path = ::testing::TempDir() + "/gzip";
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

absl::StatusOr<NdArray> Read(const std::string& bytes) {
  const std::string path = ::testing::TempDir() + "/file.idx";
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<int64_t>(bytes.size()));
  return ReadIdx(path);
}

TEST(Idx, ReadsEveryTypePlainAndCompressed) {
  struct Case {
    int type;
    std::string bytes;
    DType dtype;
    std::vector<double> values;
  };
  const std::vector<Case> cases = {
      {0x08, "\x01\xFF", DType::kUint8, {1, 255}},
      {0x09, "\x01\xFF", DType::kInt32, {1, -1}},
      {0x0B, std::string("\x01\x02\xFF\xFE", 4), DType::kInt32, {258, -2}},
      {0x0C, std::string("\0\1\0\0\x80\0\0\0", 8), DType::kInt32, {65536, -2147483648.0}},
      {0x0D, std::string("\x3F\x80\0\0\xC0\x20\0\0", 8), DType::kFloat32, {1, -2.5}},
      {0x0E,
       std::string("\x3F\xF0\0\0\0\0\0\0\xC0\x04\0\0\0\0\0\0", 16),
       DType::kFloat64,
       {1, -2.5}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.type);
    const std::string bytes = Header(c.type, {2, 1}) + c.bytes;
    for (const std::string& file : {bytes, Gzip(bytes)}) {
      const auto array = Read(file);
      ASSERT_TRUE(array.ok()) << array.status();
      EXPECT_EQ(array->shape(), (Shape{2, 1}));
      EXPECT_EQ(array->dtype(), c.dtype);
      EXPECT_EQ(array->ToVector<double>().value(), c.values);
    }
  }
}

TEST(Idx, ScalarsAndEmptyArrays) {
  EXPECT_EQ(Read(Header(8, {}) + "x")->size(), 1);
  EXPECT_EQ(Read(Header(8, {0, 28, 28}))->shape(), (Shape{0, 28, 28}));
}

TEST(Idx, WrongSizesAreErrors) {
  const std::string good = Header(8, {3, 2}) + "abcdef";
  ASSERT_TRUE(Read(good).ok());
  for (const std::string& file : {good, Gzip(good)}) {
    for (size_t size = 0; size < file.size(); ++size) {
      const absl::Status status = Read(file.substr(0, size)).status();
      EXPECT_FALSE(status.ok()) << size;
      EXPECT_THAT(std::string(status.message()), HasSubstr("file.idx"));
    }
  }
  EXPECT_THAT(Read(good + "g").status().ToString(), HasSubstr("bytes behind the last element"));
  EXPECT_THAT(Read(Gzip(good + "g")).status().ToString(), HasSubstr("behind the last element"));
}

TEST(Idx, HostileHeadersAreRefusedBeforeMemoryIsAllocated) {
  for (const std::string& header :
       {Header(8, {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}), Header(8, {0x7FFFFFFF}),
        Header(14, {0x10000000}), Header(8, std::vector<uint32_t>(255, 0xFFFFFFFF))}) {
    EXPECT_THAT(Read(header + "abc").status().ToString(), HasSubstr("that the file can hold"));
    EXPECT_FALSE(Read(Gzip(header + "abc")).ok());
  }
  EXPECT_THAT(Read(Header(7, {1}) + "a").status().ToString(), HasSubstr("not an IDX file"));
  EXPECT_FALSE(Read("PK\3\4 no idx").ok());
  EXPECT_FALSE(ReadIdx(::testing::TempDir()).ok());
  EXPECT_FALSE(ReadIdx(::testing::TempDir() + "/absent").ok());
}

TEST(Idx, RandomDamageNeverCrashes) {
  const std::string good = Gzip(Header(0x0B, {10, 5}) + std::string(100, 'x'));
  std::mt19937 random(313);
  for (int i = 0; i < 500; ++i) {
    std::string bytes = good;
    bytes[random() % bytes.size()] = static_cast<char>(random());
    (void)Read(bytes);
  }
}

TEST(Idx, FashionMnist) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  if (FILE* file = std::fopen((folder + "t10k-labels-idx1-ubyte.gz").c_str(), "rb")) {
    std::fclose(file);
  } else {
    GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
  }
  const auto images = ReadIdx(folder + "t10k-images-idx3-ubyte.gz");
  const auto labels = ReadIdx(folder + "t10k-labels-idx1-ubyte.gz");
  ASSERT_TRUE(images.ok()) << images.status();
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ(images->shape(), (Shape{10000, 28, 28}));
  std::vector<int> counts(10);
  const std::vector<int> values = labels->ToVector<int>().value();
  for (int label : values) ++counts.at(static_cast<size_t>(label));
  EXPECT_EQ(counts, std::vector<int>(10, 1000));
}

}  // namespace
}  // namespace halite
