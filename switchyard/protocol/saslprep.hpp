// SASLprep (RFC 4013): passwords that look alike become alike before SCRAM hashes them.
#pragma once

#include <switchyard/base/export.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol {

/// The prepared text, or nothing if it is not UTF-8, holds prohibited or unassigned characters (Unicode 3.2), mixes
/// directions, or nothing of it remains. Like PostgreSQL it leaves pure ASCII alone and looks for prohibited
/// characters before it normalizes.
[[nodiscard]] SWITCHYARD_API std::optional<std::string> saslprep(std::string_view text);

/// What PostgreSQL hashes: the prepared password, or its bytes as they are when preparation fails.
[[nodiscard]] SWITCHYARD_API std::string prepare_password(std::string_view password);

}  // namespace switchyard::inline v0::protocol
