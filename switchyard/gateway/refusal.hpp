// Errors that the gateway itself tells its clients. Internal to the room.
#pragma once

#include <switchyard/base/error.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

// SQLSTATEs, as PostgreSQL calls them (errcodes.txt).
inline constexpr std::string_view kProtocolViolation = "08P01";
inline constexpr std::string_view kConnectionFailure = "08006";
inline constexpr std::string_view kInvalidAuthorization = "28000";
inline constexpr std::string_view kInvalidPassword = "28P01";
inline constexpr std::string_view kInvalidCatalogName = "3D000";
inline constexpr std::string_view kSyntaxError = "42601";
inline constexpr std::string_view kOutOfMemory = "53200";
inline constexpr std::string_view kTooManyConnections = "53300";
inline constexpr std::string_view kConfigurationLimit = "53400";
inline constexpr std::string_view kQueryCanceled = "57014";
inline constexpr std::string_view kAdminShutdown = "57P01";

/// Of severity FATAL.
[[nodiscard]] ServerFields fatal_fields(std::string_view sqlstate, std::string message, std::string detail = {});
/// The same as an Error.
[[nodiscard]] Error refusal(std::string_view sqlstate, std::string message, std::string detail = {});
/// What a client is told of an error of the fleet: the server's own words where there are some.
[[nodiscard]] ServerFields fields_of(const Error& error);

}  // namespace switchyard::inline v0::gateway
