// Bech32 (BIP 173) without its limit of 90 characters: how age writes its keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::backup {

/// `prefix` in lower case, '1', the bytes, a checksum of six characters. All lower case.
[[nodiscard]] std::string bech32_encode(std::string_view prefix, std::string_view bytes);

/// The bytes, if the text is Bech32 with this prefix (lower case), all in one case, and its checksum is right.
[[nodiscard]] std::optional<std::string> bech32_decode(std::string_view prefix, std::string_view text);

}  // namespace switchyard::inline v0::backup
