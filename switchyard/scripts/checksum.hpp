// Flyway's checksum of a script: CRC-32 of its lines without their ends, so that it is the same on every system.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstdint>
#include <string_view>

namespace switchyard::inline v0::scripts {

/// Of a text in UTF-8. Lines end at \n, \r or \r\n; one U+FEFF at the start does not count.
[[nodiscard]] SWITCHYARD_API std::int32_t flyway_checksum(std::string_view text) noexcept;

}  // namespace switchyard::inline v0::scripts
