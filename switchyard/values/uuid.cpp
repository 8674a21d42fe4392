#include <switchyard/values/uuid.hpp>

#include <switchyard/values/hex.hpp>

namespace switchyard::inline v0 {

Result<Uuid> Uuid::parse(std::string_view text) {
  std::string_view rest = text;
  if (rest.size() >= 2 && rest.front() == '{' && rest.back() == '}') rest = rest.substr(1, rest.size() - 2);
  Uuid out;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    // As uuid_in: a hyphen may follow every group of four digits.
    if (rest[i] == '-' && digits % 4 == 0 && digits > 0 && digits < 32 && rest[i - 1] != '-') continue;
    const int value = values::hex_value(rest[i]);
    if (value < 0 || digits == 32) {
      digits = 0;
      break;
    }
    std::uint8_t& byte = out.bytes[digits / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
    ++digits;
  }
  if (digits != 32) {
    constexpr std::size_t kShown = 64;
    return Error(ErrorKind::Mapping, "'" + std::string(text.substr(0, kShown)) + "' is not a UUID");
  }
  return out;
}

void Uuid::append_to(std::string& out) const {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    values::append_hex_byte(out, bytes[i]);
  }
}

std::string Uuid::to_string() const {
  std::string out;
  out.reserve(36);
  append_to(out);
  return out;
}

}  // namespace switchyard::inline v0
