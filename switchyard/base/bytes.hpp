// Views of raw bytes. Wire data is `char` based so that it can be compared with text directly.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace switchyard::inline v0 {

/// Bytes somebody else owns. Not necessarily text.
using ByteView = std::string_view;

/// A PostgreSQL object identifier (manual chapter 8.19).
using Oid = std::uint32_t;

namespace base {

/// Reads a big-endian (network order) integer; `at` must have sizeof(T) bytes.
template <class T>
[[nodiscard]] inline T load_be(const char* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof(T));
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof(T) == 2) value = static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
    if constexpr (sizeof(T) == 4) value = static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
    if constexpr (sizeof(T) == 8) value = static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  }
  return value;
}

/// Writes a big-endian integer; `at` must have room for sizeof(T) bytes.
template <class T>
inline void store_be(char* at, T value) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof(T) == 2) value = static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
    if constexpr (sizeof(T) == 4) value = static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
    if constexpr (sizeof(T) == 8) value = static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  }
  std::memcpy(at, &value, sizeof(T));
}

}  // namespace base
}  // namespace switchyard::inline v0
