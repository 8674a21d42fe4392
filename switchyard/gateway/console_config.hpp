// The settings of a gateway under the names that PgBouncer has for them: SHOW CONFIG and SET.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/gateway/settings.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

struct ConsoleConfigEntry {
  std::string_view key;
  std::string value;
  std::string default_value;
  bool changeable = false;  ///< by SET
};

/// In the order of the alphabet.
[[nodiscard]] SWITCHYARD_API std::vector<ConsoleConfigEntry> console_config(const GatewaySettings& settings);

/// Is it one of console_config()'s that may be set?
[[nodiscard]] SWITCHYARD_API bool is_console_config(std::string_view key) noexcept;

/// Errors are of kind Usage: an unknown key with "did you mean", one that is not changeable, a value that does not
/// fit.
[[nodiscard]] SWITCHYARD_API Result<void> set_console_config(GatewaySettings& settings, std::string_view key,
                                                             std::string_view value);

}  // namespace switchyard::inline v0::gateway
