// What a client's startup packet says about settings, as one text that gives them to a session. A server takes them
// at login; a session of the fleet has logged in before.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::gateway {

using Settings = std::vector<std::pair<std::string, std::string>>;

/// Settings of a StartupMessage, with `options` taken apart (-c name=value, --name=value; blanks and backslashes
/// after a backslash). Of settings that are given twice the last counts. Error of kind Config for other switches.
[[nodiscard]] SWITCHYARD_API Result<Settings> read_settings(
    std::span<const std::pair<std::string, std::string>> startup);

/// The value of a setting, or empty.
[[nodiscard]] SWITCHYARD_API std::string_view find_setting(const Settings& settings,
                                                           std::string_view name) noexcept;

}  // namespace switchyard::inline v0::gateway
