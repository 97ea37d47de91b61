// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace halite {
namespace {

using ::testing::HasSubstr;

std::string TempPath(const std::string& name) { return ::testing::TempDir() + "/" + name; }

std::string Load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void Store(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<int64_t>(bytes.size()));
}

template <typename T>
Hdf5Entry Dataset(const std::string& path, const Shape& shape, const std::vector<T>& values) {
  Hdf5Entry entry;
  entry.path = path;
  entry.array = NdArray::From<T>(shape, values);
  return entry;
}

// A file with something of everything.
std::vector<Hdf5Entry> Sample() {
  std::vector<Hdf5Entry> entries;
  Hdf5Entry root;
  root.attributes["text"] = std::string("grün");
  root.attributes["nothing"] = std::string();
  root.attributes["rate"] = 0.1;
  entries.push_back(root);
  entries.push_back(Dataset<float>("conv1/W", {2, 3}, {1, -2, 3, NAN, INFINITY, 1e-40f}));
  entries.back().attributes["need_grad"] = int32_t{1};
  entries.back().attributes["index"] = int64_t{1} << 40;
  entries.push_back(Dataset<double>("conv1/b", {1}, {0.1}));
  entries.push_back(Dataset<int32_t>("i32", {2}, {-1, std::numeric_limits<int32_t>::min()}));
  entries.push_back(Dataset<int64_t>("a/b/c/i64", {}, {std::numeric_limits<int64_t>::min()}));
  entries.push_back(Dataset<uint8_t>("u8", {3}, {0, 127, 255}));
  entries.push_back(Dataset<float>("empty", {3, 0}, {}));
  Hdf5Entry group;
  group.path = "group";
  group.attributes["x"] = int32_t{-7};
  entries.push_back(group);
  return entries;
}

const Hdf5Entry* Find(const std::vector<Hdf5Entry>& entries, const std::string& path) {
  for (const Hdf5Entry& entry : entries) {
    if (entry.path == path) return &entry;
  }
  return nullptr;
}

absl::Status StatusOf(const std::string& bytes) {
  const std::string path = TempPath("status_of.h5");
  Store(path, bytes);
  return ReadHdf5File(path).status();
}

std::string SampleBytes() {
  const std::string path = TempPath("sample.h5");
  EXPECT_TRUE(WriteHdf5File(path, Sample()).ok());
  return Load(path);
}

TEST(Hdf5File, WhatIsWrittenIsRead) {
  const std::string path = TempPath("round_trip.h5");
  const std::vector<Hdf5Entry> written = Sample();
  ASSERT_TRUE(WriteHdf5File(path, written).ok());
  const auto read = ReadHdf5File(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), written.size() + 4);  // conv1, a, a/b, a/b/c
  for (const Hdf5Entry& entry : written) {
    SCOPED_TRACE(entry.path);
    const Hdf5Entry* found = Find(*read, entry.path);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->attributes, entry.attributes);
    ASSERT_EQ(found->array.has_value(), entry.array.has_value());
    if (!entry.array.has_value()) continue;
    EXPECT_EQ(found->array->shape(), entry.array->shape());
    EXPECT_EQ(found->array->dtype(), entry.array->dtype());
    VisitDType(entry.array->dtype(), [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      const auto a = found->array->Read<T>().value(), b = entry.array->Read<T>().value();
      for (size_t i = 0; i < b.size(); ++i) {
        EXPECT_TRUE(a[i] == b[i] || (a[i] != a[i] && b[i] != b[i])) << i;
      }
    });
  }
  EXPECT_EQ(Find(*read, "conv1/W")->Integer("need_grad"), 1);
  EXPECT_EQ(Find(*read, "")->Integer("rate"), std::nullopt);
}

TEST(Hdf5File, GroupsOfManyMembersAndLongNames) {
  std::vector<Hdf5Entry> entries;
  for (int i = 0; i < 3000; ++i) {
    entries.push_back(
        Dataset<float>("g/" + std::to_string(i) + std::string(40, 'x'), {1}, {1.f * i}));
  }
  entries.push_back(Dataset<float>(std::string(30000, 'n'), {1}, {1}));
  const std::string path = TempPath("many.h5");
  ASSERT_TRUE(WriteHdf5File(path, entries).ok());
  const auto read = ReadHdf5File(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), entries.size() + 2);
  EXPECT_EQ((*read)[2 + 1234].array->ToVector<float>().value()[0], 1234);
}

TEST(Hdf5File, BadListsAreErrorsAndLeaveTheOldFile) {
  const std::string path = TempPath("bad_list.h5");
  ASSERT_TRUE(WriteHdf5File(path, Sample()).ok());
  const std::string before = Load(path);
  const auto error = [&](std::vector<Hdf5Entry> entries) {
    const absl::Status status = WriteHdf5File(path, entries);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
    return std::string(status.message());
  };
  const auto dataset = [](const std::string& name) { return Dataset<float>(name, {1}, {1}); };
  EXPECT_THAT(error({dataset("a"), dataset("a")}), HasSubstr("given twice"));
  EXPECT_THAT(error({dataset("a"), dataset("a/b")}), HasSubstr("an array and a group"));
  EXPECT_THAT(error({dataset("a/b"), dataset("a")}), HasSubstr("an array and a group"));
  error({dataset("")});
  error({dataset("a//b")});
  error({dataset("../a")});
  error({dataset(std::string("a\0b", 3))});
  std::string deep = "d";
  for (int i = 0; i < 40; ++i) deep += "/d";
  error({dataset(deep)});
  Hdf5Entry broken;
  broken.path = "x";
  broken.array = NdArray(absl::InternalError("lost"));
  EXPECT_THAT(error({broken}), HasSubstr("lost"));
  Hdf5Entry verbose;
  verbose.attributes["text"] = std::string(40000, 'x');
  error({verbose});
  EXPECT_EQ(Load(path), before);
}

TEST(Hdf5File, NoTemporaryFileIsLeftAndOnlyFilesAreReplaced) {
  const std::string folder = TempPath("folder");
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder + "/sub");
  ASSERT_TRUE(WriteHdf5File(folder + "/x.h5", Sample()).ok());
  ASSERT_TRUE(WriteHdf5File(folder + "/x.h5", Sample()).ok());
  EXPECT_EQ(WriteHdf5File(folder + "/sub", Sample()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteHdf5File("/dev/null", Sample()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteHdf5File(folder + "/no/x.h5", Sample()).code(), absl::StatusCode::kNotFound);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files += entry.is_regular_file();
  }
  EXPECT_EQ(files, 1);
}

TEST(Hdf5File, WhatIsNoFileIsAnError) {
  EXPECT_EQ(ReadHdf5File(TempPath("absent.h5")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadHdf5File(::testing::TempDir()).status().code(), absl::StatusCode::kInvalidArgument);
  const std::string pipe = TempPath("pipe.h5");
  unlink(pipe.c_str());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(ReadHdf5File(pipe).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(StatusOf("").ToString(), HasSubstr("not an HDF5 file"));
  EXPECT_THAT(StatusOf(std::string(5000, 'x')).ToString(), HasSubstr("not an HDF5 file"));
}

TEST(Hdf5File, EveryTruncationIsAnError) {
  const std::string good = SampleBytes();
  for (size_t size = 0; size < good.size(); size += size < 100 ? 1 : 19) {
    const absl::Status status = StatusOf(good.substr(0, size));
    EXPECT_FALSE(status.ok()) << size;
    EXPECT_THAT(std::string(status.message()), HasSubstr("status_of.h5"));
  }
}

TEST(Hdf5File, TheSameEntriesGiveTheSameBytes) {
  const std::string before = SampleBytes();
  sleep(1);
  EXPECT_EQ(SampleBytes(), before);
}

TEST(Hdf5File, AFullDiskIsAnErrorAndLeavesTheOldFile) {
  const std::string folder = TempPath("full");
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/x.h5";
  ASSERT_TRUE(WriteHdf5File(path, Sample()).ok());
  const std::string before = Load(path);
  struct rlimit unlimited, limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
  signal(SIGXFSZ, SIG_IGN);
  for (rlim_t bytes : {0, 100, 4096, 300'000}) {
    limit = {bytes, unlimited.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const absl::Status status =
        WriteHdf5File(path, {Dataset<float>("a", {100'000}, std::vector<float>(100'000))});
    EXPECT_THAT(status.ToString(), HasSubstr("File too large"));
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
  EXPECT_EQ(Load(path), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  EXPECT_TRUE(WriteHdf5File(path, Sample()).ok());
}

// Threads write files of different layout under one name; every reader finds one of them whole.
TEST(Hdf5File, ManyThreadsReadAndWrite) {
  const std::string path = TempPath("shared.h5");
  const auto write = [&](int arrays) {
    std::vector<Hdf5Entry> entries;
    for (int i = 0; i < arrays; ++i) {
      const int64_t size = 1000 * arrays;
      entries.push_back(
          Dataset<int32_t>("a" + std::to_string(i), {size}, std::vector<int32_t>(size, arrays)));
    }
    return WriteHdf5File(path, entries);
  };
  ASSERT_TRUE(write(1).ok());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 25; ++round) {
        if (thread % 2 == 0) {
          EXPECT_TRUE(write(1 + (thread + round) % 7).ok());
          continue;
        }
        const auto entries = ReadHdf5File(path);
        ASSERT_TRUE(entries.ok()) << entries.status();
        for (const Hdf5Entry& entry : *entries) {
          if (!entry.array.has_value()) continue;
          const auto values = entry.array->Read<int32_t>();
          ASSERT_TRUE(values.ok());
          for (int32_t value : *values) {
            ASSERT_EQ(value, static_cast<int32_t>(entries->size()) - 1);
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace halite
