// The options of a connection, as data: name, PG* variable, and whether the value is a secret.
#pragma once

#include <span>
#include <string_view>

namespace switchyard::inline v0::config {

enum class Exposure : bool { open, secret };

struct ConnectionKeywordSpec {
  std::string_view keyword;
  std::string_view variable;  ///< empty if there is none
  Exposure exposure = Exposure::open;
};

/// In libpq's order (PostgreSQL 18, manual chapter 32.1.2).
[[nodiscard]] std::span<const ConnectionKeywordSpec> connection_keyword_specs() noexcept;

}  // namespace switchyard::inline v0::config
