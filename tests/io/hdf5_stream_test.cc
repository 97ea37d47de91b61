// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "halite/io/bytes.h"

namespace halite::hdf5 {
namespace {

using ::testing::HasSubstr;
using Work = std::function<void(const ChildOutput& output)>;

constexpr uint64_t kCpuSeconds = 20;

// A file of 100 bytes: 0, 1, 2 ...
InputFile File() {
  const std::string path = ::testing::TempDir() + "/stream";
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < 100; ++i) file.put(static_cast<char>(i));
  file.close();
  return *InputFile::Open(path);
}

absl::StatusOr<std::vector<Hdf5Entry>> Receive(const Work& work) {
  const InputFile file = File();
  absl::StatusOr<ChildProcess> child = ChildProcess::Start(kCpuSeconds, work);
  if (!child.ok()) return child.status();
  return ReceiveEntries(*child, file);
}

absl::StatusOr<std::vector<Hdf5Entry>> ReceiveBytes(const std::vector<uint8_t>& bytes) {
  return Receive([&](const ChildOutput& output) { output.Write(bytes); });
}

void SendSample(const ChildOutput& output) {
  Hdf5Entry group, array;
  group.attributes = {{"i", int32_t{-1}}, {"l", int64_t{INT64_MIN}}, {"d", -0.5}, {"t", "text"}};
  SendEntry(group, nullptr, output);
  array.path = "a/b";
  ArrayType type;
  type.dtype = DType::kUint8;
  type.shape = {2, 2};
  SendEntry(array, &type, output);
  output.Write(std::vector<uint8_t>{9, 8, 7, 6});
  type.offset = 96;
  SendEntry(array, &type, output);
  type.shape = {3, 0};
  SendEntry(array, &type, output);
  SendStatus(absl::OkStatus(), output);
}

// All bytes that the work writes.
std::vector<uint8_t> Capture(const Work& work) {
  absl::StatusOr<ChildProcess> child = ChildProcess::Start(kCpuSeconds, work);
  std::vector<uint8_t> bytes;
  for (uint8_t byte; child->Read(absl::MakeSpan(&byte, 1)).ok();) bytes.push_back(byte);
  return bytes;
}

TEST(Hdf5Stream, WhatIsSentIsReceived) {
  const auto entries = Receive(SendSample);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 4);
  const std::map<std::string, Hdf5Attribute> attributes = {
      {"i", int32_t{-1}}, {"l", int64_t{INT64_MIN}}, {"d", -0.5}, {"t", std::string("text")}};
  EXPECT_EQ(entries->at(0).attributes, attributes);
  EXPECT_EQ(entries->at(1).path, "a/b");
  EXPECT_EQ(entries->at(1).array->shape(), Shape({2, 2}));
  EXPECT_EQ(entries->at(1).array->ToVector<int>().value(), (std::vector<int>{9, 8, 7, 6}));
  EXPECT_EQ(entries->at(2).array->ToVector<int>().value(), (std::vector<int>{96, 97, 98, 99}));
  EXPECT_EQ(entries->at(3).array->shape(), Shape({3, 0}));
  const auto status = Receive([](const ChildOutput& output) {
                        SendStatus(absl::UnimplementedError("why"), output);
                      }).status();
  EXPECT_EQ(status, absl::UnimplementedError("why"));
}

TEST(Hdf5Stream, AChildThatEndsIsAnError) {
  const absl::Status status = Receive([](const ChildOutput& output) {
                                Hdf5Entry entry;
                                entry.path = "a";
                                SendEntry(entry, nullptr, output);
                                std::abort();
                              }).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(),
            "libhdf5, after 'a': the process crashed (Aborted): the file is damaged");
  const std::vector<uint8_t> good = Capture(SendSample);
  ASSERT_TRUE(ReceiveBytes(good).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    const std::vector<uint8_t> bytes(good.begin(), good.begin() + static_cast<int64_t>(size));
    EXPECT_EQ(ReceiveBytes(bytes).status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST(Hdf5Stream, ImpossibleAnswersAreErrors) {
  const auto frame = [](uint64_t kind, uint64_t length, const ByteWriter& body) {
    ByteWriter out;
    out.Unsigned(kind, 1);
    out.Unsigned(length, 8);
    out.Bytes(body.bytes());
    return ReceiveBytes(out.bytes()).status().ToString();
  };
  const std::string impossible = "sent what cannot be";
  ByteWriter text, code, array;
  text.Text("garbage garbage garbage");
  EXPECT_THAT(frame(0, 5, text), HasSubstr(impossible));
  EXPECT_THAT(frame(2, UINT64_MAX, text), HasSubstr(impossible));
  EXPECT_THAT(frame(2, uint64_t{1} << 40, text), HasSubstr(impossible));
  EXPECT_THAT(frame(2, text.bytes().size(), text), HasSubstr(impossible));
  code.Unsigned(77, 4);
  EXPECT_THAT(frame(1, 4, code), HasSubstr(impossible));
  EXPECT_THAT(frame(1, 2, code), HasSubstr(impossible));
  const auto send_array = [&](uint64_t dtype, uint64_t offset, std::vector<uint64_t> extents) {
    ByteWriter body;
    body.Unsigned(0, 8);  // no name, no attributes
    body.Unsigned(dtype, 1);
    body.Unsigned(offset, 8);
    for (uint64_t extent : extents) body.Unsigned(extent, 8);
    return frame(2, body.bytes().size(), body);
  };
  EXPECT_THAT(send_array(5, 0, {1}), HasSubstr(impossible));
  EXPECT_THAT(send_array(0, 0, {UINT64_MAX}), HasSubstr(impossible));
  EXPECT_THAT(send_array(1, 0, {uint64_t{1} << 30}), HasSubstr(impossible));  // 8 GiB
  EXPECT_THAT(send_array(0, 97, {1}), HasSubstr("4 bytes at 97 of a file of 100"));
  EXPECT_THAT(send_array(0, UINT64_MAX - 1, {1}), HasSubstr("of a file of 100"));
}

TEST(Hdf5Stream, RandomAnswersNeverCrash) {
  const std::vector<uint8_t> good = Capture(SendSample);
  std::mt19937 random(313);
  for (int round = 0; round < 600; ++round) {
    std::vector<uint8_t> bytes = good;
    if (round % 5 == 0) {
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random() % 3);
    }
    for (int flips = 1 << random() % 4; flips > 0; --flips) {
      const uint8_t values[] = {0, 255, static_cast<uint8_t>(random())};
      bytes[random() % bytes.size()] = values[random() % 3];
    }
    const auto entries = ReceiveBytes(bytes);
    if (entries.ok()) {
      EXPECT_LE(entries->size(), 4);
    }
  }
}

}  // namespace
}  // namespace halite::hdf5
