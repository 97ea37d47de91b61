// SPDX-License-Identifier: Apache-2.0
#include "halite/io/hdf5_format.h"

#include <algorithm>

namespace halite::hdf5 {
namespace {

uint32_t Rotate(uint32_t x, int bits) { return x << bits | x >> (32 - bits); }

}  // namespace

uint32_t Checksum(absl::Span<const uint8_t> bytes) {
  uint32_t a = 0xDEADBEEF + static_cast<uint32_t>(bytes.size());
  uint32_t b = a, c = a;
  const auto add = [&](absl::Span<const uint8_t> block) {
    uint32_t words[3] = {0, 0, 0};
    for (size_t i = 0; i < block.size(); ++i) words[i / 4] |= uint32_t{block[i]} << (8 * (i % 4));
    a += words[0];
    b += words[1];
    c += words[2];
  };
  for (; bytes.size() > 12; bytes.remove_prefix(12)) {
    add(bytes.first(12));
    a = (a - c) ^ Rotate(c, 4), c += b;
    b = (b - a) ^ Rotate(a, 6), a += c;
    c = (c - b) ^ Rotate(b, 8), b += a;
    a = (a - c) ^ Rotate(c, 16), c += b;
    b = (b - a) ^ Rotate(a, 19), a += c;
    c = (c - b) ^ Rotate(b, 4), b += a;
  }
  if (bytes.empty()) return c;
  add(bytes);
  c = (c ^ b) - Rotate(b, 14);
  a = (a ^ c) - Rotate(c, 11);
  b = (b ^ a) - Rotate(a, 25);
  c = (c ^ b) - Rotate(b, 16);
  a = (a ^ c) - Rotate(c, 4);
  b = (b ^ a) - Rotate(a, 14);
  c = (c ^ b) - Rotate(b, 24);
  return c;
}

uint32_t Fletcher32(absl::Span<const uint8_t> bytes) {
  // Sums of big-endian 16-bit words modulo 65535, where 0 and 65535 are two forms of zero.
  const auto fold = [](uint32_t x) { return (x & 0xFFFF) + (x >> 16); };
  uint32_t sum1 = 0, sum2 = 0;
  for (size_t words = bytes.size() / 2, i = 0; i < words;) {
    // 360 words cannot overflow 32 bits.
    for (const size_t end = std::min(words, i + 360); i < end; ++i) {
      sum1 += uint32_t{bytes[2 * i]} << 8 | bytes[2 * i + 1];
      sum2 += sum1;
    }
    sum1 = fold(sum1);
    sum2 = fold(sum2);
  }
  if (bytes.size() % 2 != 0) {
    sum1 += uint32_t{bytes.back()} << 8;
    sum2 += sum1;
    sum1 = fold(sum1);
    sum2 = fold(sum2);
  }
  return fold(sum2) << 16 | fold(sum1);
}

}  // namespace halite::hdf5
