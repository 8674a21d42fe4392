// SCRAM messages are attributes "x=value" separated by commas (RFC 5802 section 7).
#pragma once

#include <switchyard/protocol/scram.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol::scram {

/// Takes attribute `name` from the front of `rest`, with the comma behind it. Nothing if it is not there.
[[nodiscard]] inline std::optional<std::string_view> take(std::string_view& rest, char name) noexcept {
  if (rest.size() < 2 || rest[0] != name || rest[1] != '=') return std::nullopt;
  const std::size_t comma = rest.find(',');
  const std::string_view value = rest.substr(2, comma == std::string_view::npos ? comma : comma - 2);
  rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  return value;
}

/// Printable ASCII without commas, not empty.
[[nodiscard]] inline bool valid_nonce(std::string_view nonce) noexcept {
  for (const char c : nonce) {
    if (c < 0x21 || c > 0x7e || c == ',') return false;
  }
  return !nonce.empty();
}

/// From the source, or from OpenSSL.
[[nodiscard]] std::optional<std::string> make_nonce(const NonceSource& source);

}  // namespace switchyard::inline v0::protocol::scram
