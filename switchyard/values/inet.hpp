// inet, cidr, macaddr and macaddr8: network addresses (manual chapter 8.9).
#pragma once

#include <switchyard/base/result.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// A host with its network (inet) or a network (cidr), IPv4 or IPv6.
struct Inet {
  enum class Family : std::uint8_t { v4 = 2, v6 = 3 };  // PGSQL_AF_INET, PGSQL_AF_INET6: as on the wire

  Family family = Family::v4;
  std::uint8_t prefix = 32;                ///< bits of the network: 0 to 32 or 128
  bool is_network = false;                 ///< came as cidr: its text shows the prefix always
  std::array<std::uint8_t, 16> address{};  ///< the first 4 or all 16 bytes

  [[nodiscard]] std::size_t size() const noexcept { return family == Family::v4 ? 4 : 16; }
  /// "192.168.1.5", "10.0.0.0/8", "2001:db8::1/64".
  [[nodiscard]] SWITCHYARD_API static Result<Inet> parse(std::string_view text);
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;
  SWITCHYARD_API void append_to(std::string& out) const;

  auto operator<=>(const Inet&) const noexcept = default;
};

/// macaddr (6 bytes) and macaddr8 (8 bytes).
template <std::size_t kBytes>
struct BasicMacAddress {
  std::array<std::uint8_t, kBytes> bytes{};

  /// "08:00:2b:01:02:03", also with '-' or nothing between the bytes.
  [[nodiscard]] SWITCHYARD_API static Result<BasicMacAddress> parse(std::string_view text);
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;

  auto operator<=>(const BasicMacAddress&) const noexcept = default;
};

using MacAddress = BasicMacAddress<6>;
using MacAddress8 = BasicMacAddress<8>;

extern template struct BasicMacAddress<6>;
extern template struct BasicMacAddress<8>;

}  // namespace switchyard::inline v0
