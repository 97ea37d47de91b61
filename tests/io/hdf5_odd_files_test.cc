// SPDX-License-Identifier: Apache-2.0
//
// ReadHdf5File on files that WriteHdf5File does not make: with links, of other types, damaged, made
// to do harm. libhdf5 writes them, in its oldest format, which has no checksums, so that damage is
// not found before it is believed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "halite/io/hdf5_file.h"
#include "halite/io/hdf5_library.h"

namespace halite {
namespace {

using hdf5::Id;
using ::testing::HasSubstr;

std::string TempPath(const std::string& name) { return ::testing::TempDir() + "/" + name; }

std::string Load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void Store(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<int64_t>(bytes.size()));
}

std::string Number(uint64_t value) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  return bytes;
}

// Replaces the first `from`, which must be there.
void Replace(std::string& bytes, const std::string& from, const std::string& to) {
  const size_t at = bytes.find(from);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, to.size(), to);
}

// A file that `write` fills.
template <typename Write>
std::string Make(const Write& write) {
  const std::string path = TempPath("odd.h5");
  const std::lock_guard<std::mutex> lock(hdf5::LibraryMutex());
  const Id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  EXPECT_TRUE(file.ok());
  write(file);
  return path;
}

hid_t Space(const std::vector<hsize_t>& extents) {
  return H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
}

// Adds a dataset of floats, all 1, or never written.
void AddFloats(hid_t file, const std::string& name, const std::vector<hsize_t>& extents,
               hid_t properties = H5P_DEFAULT, bool is_written = true) {
  const Id space(Space(extents));
  const Id dataset(
      H5Dcreate2(file, name.c_str(), H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  ASSERT_TRUE(dataset.ok());
  if (!is_written) return;
  const std::vector<float> ones(static_cast<size_t>(H5Sget_simple_extent_npoints(space)), 1);
  ASSERT_GE(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, ones.data()), 0);
}

void AddAttribute(hid_t object, const char* name, hid_t type, const void* value) {
  const Id space(H5Screate(H5S_SCALAR));
  const Id attribute(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
  ASSERT_GE(H5Awrite(attribute, type, value), 0);
}

hid_t VariableString() {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  return type;
}

hid_t Chunks(hsize_t rows, hsize_t columns) {
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t extents[] = {rows, columns};
  H5Pset_chunk(properties, 2, extents);
  H5Pset_shuffle(properties);
  H5Pset_deflate(properties, 6);
  return properties;
}

absl::Status StatusOf(const std::string& bytes) {
  const std::string path = TempPath("status_of.h5");
  Store(path, bytes);
  return ReadHdf5File(path).status();
}

// A file that nobody writes to: who opens it waits for ever.
std::string Trap() {
  const std::string path = TempPath("trap.so");
  unlink(path.c_str());
  EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
  return path;
}

void ExpectRefused(const std::string& path, const std::string& message) {
  const absl::Status status = ReadHdf5File(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path + ": " + message));
}

TEST(Hdf5OddFiles, LinksAreNotFollowed) {
  const std::string trap = Trap();
  ExpectRefused(Make([](hid_t file) {
                  AddFloats(file, "a", {1});
                  H5Lcreate_soft("/a", file, "link", H5P_DEFAULT, H5P_DEFAULT);
                }),
                "the soft link 'link' is not supported");
  ExpectRefused(Make([&](hid_t file) {
                  H5Lcreate_external(trap.c_str(), "/a", file, "link", H5P_DEFAULT, H5P_DEFAULT);
                }),
                "the external link 'link'");
  ExpectRefused(Make([](hid_t file) {
                  AddFloats(file, "a", {1});
                  H5Lcreate_hard(file, "a", file, "b", H5P_DEFAULT, H5P_DEFAULT);
                }),
                "b: a second name of the object");
  ExpectRefused(Make([](hid_t file) {
                  const Id group(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
                  H5Lcreate_hard(file, "/", group, "loop", H5P_DEFAULT, H5P_DEFAULT);
                }),
                "g/loop: a second name of the object");
}

TEST(Hdf5OddFiles, DataInOtherFilesIsNotRead) {
  const std::string trap = Trap();
  ExpectRefused(Make([&](hid_t file) {
                  const Id properties(H5Pcreate(H5P_DATASET_CREATE));
                  H5Pset_external(properties, trap.c_str(), 0, 16);
                  AddFloats(file, "e", {4}, properties, false);
                }),
                "e: data in other files is not supported");
  // How long this one is, is what its sources say.
  ExpectRefused(Make([&](hid_t file) {
                  const hsize_t none[] = {0}, four[] = {4}, unlimited[] = {H5S_UNLIMITED};
                  const Id properties(H5Pcreate(H5P_DATASET_CREATE));
                  const Id space(H5Screate_simple(1, four, unlimited));
                  const Id source(H5Screate_simple(1, four, unlimited));
                  for (hid_t each : {hid_t{space}, hid_t{source}}) {
                    H5Sselect_hyperslab(each, H5S_SELECT_SET, none, nullptr, unlimited, nullptr);
                  }
                  H5Pset_virtual(properties, space, trap.c_str(), "a", source);
                  const Id dataset(H5Dcreate2(file, "v", H5T_IEEE_F32LE, space, H5P_DEFAULT,
                                              properties, H5P_DEFAULT));
                  EXPECT_TRUE(dataset.ok());
                }),
                "v: data in other files is not supported");
}

TEST(Hdf5OddFiles, OtherTypesAreNamed) {
  const auto refuse = [](hid_t type, const std::string& message) {
    ExpectRefused(Make([&](hid_t file) {
                    const Id space(Space({2}));
                    const Id dataset(
                        H5Dcreate2(file, "t", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
                    EXPECT_TRUE(dataset.ok());
                  }),
                  message);
  };
  const Id compound(H5Tcreate(H5T_COMPOUND, 4)), text(VariableString());
  const hsize_t extents[] = {3};
  const Id array(H5Tarray_create2(H5T_NATIVE_INT, 1, extents));
  H5Tinsert(compound, "x", 0, H5T_NATIVE_FLOAT);
  refuse(compound, "t: element type: compound of 4 bytes is not supported");
  refuse(text, "t: element type: string");
  refuse(array, "t: element type: array of 12 bytes");
  refuse(H5T_NATIVE_LDOUBLE, "t: element type: float of 16 bytes");
  refuse(H5T_NATIVE_B8, "t: element type: bitfield");
  ExpectRefused(Make([](hid_t file) {
                  const Id type(H5Tcopy(H5T_NATIVE_INT));
                  H5Tcommit2(file, "type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
                }),
                "type: an object that is no group and no dataset");
}

TEST(Hdf5OddFiles, FiltersAreNotLoaded) {
  // Looking for the filter would open the trap.
  setenv("HDF5_PLUGIN_PATH", std::filesystem::path(Trap()).parent_path().c_str(), 1);
  ExpectRefused(Make([](hid_t file) {
                  const Id properties(Chunks(2, 2));
                  H5Pset_filter(properties, 32015, H5Z_FLAG_OPTIONAL, 0, nullptr);
                  AddFloats(file, "z", {4, 4}, properties, false);
                }),
                "z: the filter 32015 is not supported");
}

TEST(Hdf5OddFiles, AttributesOfOtherTypesAreSkipped) {
  const std::string path = Make([](hid_t file) {
    const Id variable(VariableString()), fixed(H5Tcopy(H5T_C_S1)), large(H5Tcopy(H5T_C_S1));
    const Id boolean(H5Tenum_create(H5T_NATIVE_INT8)), compound(H5Tcreate(H5T_COMPOUND, 4));
    H5Tset_size(fixed, 8);
    H5Tset_size(large, hdf5::kMaxTextBytes + 1);
    const int8_t values[] = {0, 1};
    H5Tenum_insert(boolean, "FALSE", values);
    H5Tenum_insert(boolean, "TRUE", values + 1);
    H5Tinsert(compound, "x", 0, H5T_NATIVE_FLOAT);
    const std::string long_text(hdf5::kMaxTextBytes + 1, 'x');
    const char *text = "some text", *missing = nullptr, *too_long = long_text.c_str();
    const uint64_t maximum = UINT64_MAX;
    const float number = 0.5;
    AddAttribute(file, "variable", variable, &text);
    AddAttribute(file, "missing", variable, &missing);
    AddAttribute(file, "too long", variable, &too_long);
    AddAttribute(file, "large", large, long_text.c_str());
    AddAttribute(file, "fixed", fixed, "abc\0efg");
    AddAttribute(file, "bool", boolean, values + 1);
    AddAttribute(file, "u64", H5T_NATIVE_UINT64, &maximum);
    AddAttribute(file, "f32", H5T_NATIVE_FLOAT, &number);
    AddAttribute(file, "compound", compound, &number);
    AddAttribute(file, "long double", H5T_NATIVE_LDOUBLE, long_text.c_str());
  });
  const auto entries = ReadHdf5File(path);
  ASSERT_TRUE(entries.ok()) << entries.status();
  const std::map<std::string, Hdf5Attribute> expected = {{"variable", std::string("some text")},
                                                         {"missing", std::string()},
                                                         {"fixed", std::string("abc")},
                                                         {"bool", int32_t{1}},
                                                         {"u64", int64_t{INT64_MAX}},
                                                         {"f32", 0.5}};
  EXPECT_EQ(entries->at(0).attributes, expected);
}

TEST(Hdf5OddFiles, ABlockOfOtherDataInFront) {
  const std::string path = TempPath("block.h5");
  {
    const std::lock_guard<std::mutex> lock(hdf5::LibraryMutex());
    const Id properties(H5Pcreate(H5P_FILE_CREATE));
    H5Pset_userblock(properties, 1024);
    const Id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, properties, H5P_DEFAULT));
    AddFloats(file, "x", {5, 7});
  }
  const auto entries = ReadHdf5File(path);
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_EQ(entries->at(1).array->ToVector<float>().value(), std::vector<float>(35, 1));
}

// With a sanitizer a fork is slow, and may wait for ever if there are threads (see ChildProcess).
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kThreads = 1, kDamaged = 150, kStep = 10;
#else
constexpr int kThreads = 2, kDamaged = 700, kStep = 1;
#endif

TEST(Hdf5OddFiles, EveryTruncationIsAnError) {
  const std::string good = Load(Make([](hid_t file) { AddFloats(file, "x", {10}); }));
  for (size_t size = 0; size < good.size(); size += kStep) {
    EXPECT_FALSE(StatusOf(good.substr(0, size)).ok()) << size;
  }
}

// Something of everything that libhdf5 writes.
std::string Sample(H5F_libver_t version) {
  const std::string path = TempPath("sample.h5");
  const std::lock_guard<std::mutex> lock(hdf5::LibraryMutex());
  const Id access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_libver_bounds(access, version, H5F_LIBVER_LATEST);
  const Id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access));
  const Id text(VariableString()), chunks(Chunks(7, 7));
  for (int i = 0; i < 20; ++i) {
    const std::string name = "g" + std::to_string(i % 3);
    if (i < 3) H5Idec_ref(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    AddFloats(file, name + "/W" + std::to_string(i), {3, 3});
  }
  AddFloats(file, "z", {20, 20}, chunks);
  const Id object(H5Oopen(file, "z", H5P_DEFAULT));
  for (int i = 0; i < 12; ++i) {
    const char* value = "some text";
    AddAttribute(object, ("i" + std::to_string(i)).c_str(), H5T_NATIVE_INT, &i);
    AddAttribute(object, ("text" + std::to_string(i)).c_str(), text, &value);
  }
  return path;
}

// Returns how often reading crashed.
int ReadDamaged(const std::string& good, uint32_t seed) {
  std::mt19937 random(seed);
  const std::string path = TempPath("damaged" + std::to_string(seed) + ".h5");
  int crashes = 0, errors = 0;
  for (int i = 0; i < kDamaged; ++i) {
    std::string bytes = good;
    for (int flips = 1 << random() % 5; flips > 0; --flips) {
      const uint8_t values[] = {0, 255, static_cast<uint8_t>(random())};
      bytes[random() % bytes.size()] = static_cast<char>(values[random() % 3]);
    }
    Store(path, bytes);
    const absl::Status status = ReadHdf5File(path).status();
    errors += !status.ok();
    crashes += status.message().find("crashed") != std::string::npos;
  }
  EXPECT_GT(errors, kDamaged / 10);
  return crashes;
}

TEST(Hdf5OddFiles, RandomDamageNeverCrashes) {
  for (const H5F_libver_t version : {H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST}) {
    const std::string good = Load(Sample(version));
    ASSERT_TRUE(StatusOf(good).ok());
    int crashes[kThreads] = {};
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { crashes[i] = ReadDamaged(good, i); });
    }
    for (std::thread& thread : threads) thread.join();
    std::cout << "libhdf5 crashed on " << std::accumulate(crashes, crashes + kThreads, 0) << " of "
              << kThreads * kDamaged << " damaged files" << std::endl;
  }
}

// Last, because a fork takes longer the more memory is in use.
TEST(Hdf5OddFiles, WhatCompressesWellIsRead) {
  const std::string path = Make([](hid_t file) {
    const Id properties(Chunks(500, 500));
    AddFloats(file, "x", {2000, 2000}, properties);
  });
  EXPECT_LT(std::filesystem::file_size(path), 100'000);
  const auto entries = ReadHdf5File(path);
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_EQ(entries->at(1).array->ToVector<float>().value()[3'999'999], 1);
}

TEST(Hdf5OddFiles, HostileSizesAreRefusedBeforeMemoryIsAllocated) {
  const std::string good = Load(Make([](hid_t file) { AddFloats(file, "W", {0x1234, 0x567}); }));
  ASSERT_TRUE(StatusOf(good).ok());
  const auto with_extents = [&](uint64_t rows, uint64_t columns) {
    std::string bytes = good;
    Replace(bytes, Number(0x1234) + Number(0x567), Number(rows) + Number(columns));
    return StatusOf(bytes);
  };
  // 2 GiB that the file does not hold; a product that overflows.
  const absl::Status huge = with_extents(1 << 20, 1 << 9);
  EXPECT_EQ(huge.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(huge.ToString(), HasSubstr("status_of.h5: W: "));
  EXPECT_THAT(with_extents(uint64_t{1} << 62, 16).ToString(), HasSubstr("W: "));
  // Parts that were never written: 16 MiB, together.
  const auto filled = [](hsize_t rows) {
    return ReadHdf5File(Make([&](hid_t file) {
             AddFloats(file, "a", {rows, 1024}, H5P_DEFAULT, false);
             const Id chunks(Chunks(128, 128));
             AddFloats(file, "b", {rows, 1024}, chunks, false);
           }))
        .status();
  };
  EXPECT_TRUE(filled(2048).ok());
  EXPECT_THAT(filled(2049).ToString(), HasSubstr("b: data: 0 stored bytes for 8392704"));
}

}  // namespace
}  // namespace halite
