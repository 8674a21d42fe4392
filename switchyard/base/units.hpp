// Durations and sizes as people write them in configuration and on the command line.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// Parses "250ms", "30s", "5m", "1h30m", "2d", "1.5s" (units ns us ms s m h d). A bare number is refused with the
/// units listed, unless it is "0".
[[nodiscard]] SWITCHYARD_API Result<Duration> parse_duration(std::string_view text);

/// Parses a plain, non-negative decimal number of seconds, as environment variables such as PG_POOL_TIMEOUT_SEC
/// hold it ("30", "2.5").
[[nodiscard]] SWITCHYARD_API Result<Duration> parse_seconds(std::string_view text);

/// Shortest exact spelling: "30s", "1h30m", "250ms", "0s".
[[nodiscard]] SWITCHYARD_API std::string format_duration(Duration value);

/// Parses "256MB", "16kB", "1GB", "4096" (bytes). As in PostgreSQL the multiplier is 1024.
[[nodiscard]] SWITCHYARD_API Result<std::uint64_t> parse_size(std::string_view text);

/// "256MB", "16kB", "4096B": the largest unit that divides the value.
[[nodiscard]] SWITCHYARD_API std::string format_size(std::uint64_t bytes);

}  // namespace switchyard::inline v0
