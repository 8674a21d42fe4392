#include <switchyard/scripts/checksum.hpp>

#include <array>
#include <bit>

namespace switchyard::inline v0::scripts {

namespace {

// CRC-32 of ISO 3309, as gzip and java.util.zip use it: reflected, 0xEDB88320.
constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr auto kTable = make_table();

}  // namespace

std::int32_t flyway_checksum(std::string_view text) noexcept {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (crc >> 8);
  }
  return std::bit_cast<std::int32_t>(~crc);
}

}  // namespace switchyard::inline v0::scripts
