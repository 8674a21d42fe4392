// uuid: sixteen bytes (manual chapter 8.12).
#pragma once

#include <switchyard/base/result.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  /// "6ba7b810-9dad-11d1-80b4-00c04fd430c8", also without hyphens, in braces, in capitals.
  [[nodiscard]] SWITCHYARD_API static Result<Uuid> parse(std::string_view text);
  /// Lower case with hyphens.
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;
  SWITCHYARD_API void append_to(std::string& out) const;

  auto operator<=>(const Uuid&) const noexcept = default;
};

}  // namespace switchyard::inline v0

template <>
struct std::hash<switchyard::Uuid> {
  std::size_t operator()(const switchyard::Uuid& id) const noexcept {
    // The bytes are random or a clock and a node: fold them, mix once.
    std::uint64_t halves[2];
    std::memcpy(halves, id.bytes.data(), sizeof(halves));
    return static_cast<std::size_t>((halves[0] ^ (halves[1] + 0x9E3779B97F4A7C15ULL)) * 0xBF58476D1CE4E5B9ULL);
  }
};
