// An address of the web, taken apart: what to connect to and what to ask for there.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::httpc {

/// Addresses longer than this are refused.
inline constexpr std::size_t kMaxUrlBytes = 8 * 1024;

struct SWITCHYARD_API Url {
  bool tls = false;      ///< https
  std::string host;      ///< lower case, without the brackets of an IPv6 address
  std::uint16_t port{};  ///< 80 or 443 unless it says another
  std::string target;    ///< path and query as written, at least "/"; a fragment is left out

  /// Accepts http:// and https:// addresses. Errors of kind Config name what is wrong. Credentials inside an
  /// address are refused: they belong into a header, where they are not logged.
  [[nodiscard]] static Result<Url> parse(std::string_view text);

  /// What the Host header says: the port only when it is not the scheme's.
  [[nodiscard]] std::string authority() const;
  /// "https://db.example:8008": connections are kept by this.
  [[nodiscard]] std::string origin() const;
};

}  // namespace switchyard::inline v0::httpc
