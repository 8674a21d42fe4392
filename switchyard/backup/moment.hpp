// Moments in the names and documents of backups: UTC, to the second.
#pragma once

#include <switchyard/base/export.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::backup {

using Moment = std::chrono::sys_seconds;

[[nodiscard]] SWITCHYARD_API Moment now();
/// "2026-11-22T01:30:00Z"
[[nodiscard]] SWITCHYARD_API std::string text_of(Moment moment);
[[nodiscard]] SWITCHYARD_API std::optional<Moment> parse_moment(std::string_view text);
/// "20261122T013000Z", the beginning of a backup's name.
[[nodiscard]] std::string name_of(Moment moment);

}  // namespace switchyard::inline v0::backup
