#include <switchyard/values/render.hpp>

#include <cstdint>
#include <cstring>

namespace switchyard::inline v0 {

bool is_valid_utf8(std::string_view text) noexcept {
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto continues = [&](int i) { return (static_cast<std::uint8_t>(at[i]) & 0xC0) == 0x80; };
  while (at != end) {
    // Eight plain characters at a time: most text is.
    while (end - at >= 8) {
      std::uint64_t eight;
      std::memcpy(&eight, at, sizeof(eight));
      if ((eight & 0x8080808080808080ULL) != 0) break;
      at += 8;
    }
    if (at == end) break;
    const auto lead = static_cast<std::uint8_t>(*at);
    if (lead < 0x80) {
      ++at;
    } else if (lead >= 0xC2 && lead <= 0xDF) {
      if (end - at < 2 || !continues(1)) return false;
      at += 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      if (end - at < 3 || !continues(1) || !continues(2)) return false;
      const auto second = static_cast<std::uint8_t>(at[1]);
      if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return false;  // overlong, surrogates
      at += 3;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      if (end - at < 4 || !continues(1) || !continues(2) || !continues(3)) return false;
      const auto second = static_cast<std::uint8_t>(at[1]);
      if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return false;
      at += 4;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace switchyard::inline v0
