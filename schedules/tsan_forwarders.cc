// SPDX-License-Identifier: Apache-2.0
//
// Kernels compiled with Halide's target feature `tsan` call __tsan_memset and its like, which
// LLVM's run-time library has and GCC's libtsan has not. libtsan intercepts memset itself, which
// notes the bytes as written. Weak, because a program built by clang brings its own.
#include <cstddef>
#include <cstring>

extern "C" {

[[gnu::weak]] void* __tsan_memset(void* to, int value, size_t bytes) {
  return std::memset(to, value, bytes);
}

[[gnu::weak]] void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  return std::memcpy(to, from, bytes);
}

[[gnu::weak]] void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  return std::memmove(to, from, bytes);
}

}  // extern "C"
