#include <switchyard/values/inet.hpp>

#include <switchyard/values/hex.hpp>
#include <switchyard/values/text_scan.hpp>

#include <arpa/inet.h>

#include <charconv>

namespace switchyard::inline v0 {
namespace {

using values::append_int;

void append_v4(std::string& out, const std::uint8_t* bytes) {
  for (int i = 0; i < 4; ++i) {
    if (i != 0) out += '.';
    append_int(out, static_cast<unsigned>(bytes[i]));
  }
}

/// As the server writes it: the longest run of two or more zero words becomes "::", and addresses that carry an
/// IPv4 address end in its dotted form.
void append_v6(std::string& out, const std::array<std::uint8_t, 16>& bytes) {
  constexpr int kWords = 8;
  unsigned words[kWords];
  for (std::size_t i = 0; i < kWords; ++i) words[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  int best = -1, best_length = 1;
  for (int i = 0; i < kWords;) {
    int end = i;
    while (end < kWords && words[end] == 0) ++end;
    if (end - i > best_length) {
      best = i;
      best_length = end - i;
    }
    i = end + 1;
  }
  const bool carries_v4 = best == 0 && (best_length == 6 || (best_length == 7 && words[7] != 1) ||
                                        (best_length == 5 && words[5] == 0xFFFF));
  for (int i = 0; i < kWords; ++i) {
    if (best >= 0 && i >= best && i < best + best_length) {
      if (i == best) out += ':';
      continue;
    }
    if (i != 0) out += ':';
    if (i == 6 && carries_v4) {
      append_v4(out, bytes.data() + 12);
      return;
    }
    char text[8];
    const auto end = std::to_chars(text, text + sizeof(text), words[i], 16);
    out.append(text, static_cast<std::size_t>(end.ptr - text));
  }
  if (best >= 0 && best + best_length == kWords) out += ':';
}

Error malformed(std::string_view text, std::string_view type) {
  constexpr std::size_t kShown = 64;
  return Error(ErrorKind::Mapping, "'" + std::string(text.substr(0, kShown)) + "' is not a " + std::string(type));
}

}  // namespace

Result<Inet> Inet::parse(std::string_view text) {
  Inet out;
  const std::size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  if (inet_pton(AF_INET, host.c_str(), out.address.data()) == 1) {
    out.family = Family::v4;
  } else if (inet_pton(AF_INET6, host.c_str(), out.address.data()) == 1) {
    out.family = Family::v6;
  } else {
    return malformed(text, "network address");
  }
  if (host.find('\0') != std::string::npos) return malformed(text, "network address");
  const unsigned most = static_cast<unsigned>(out.size() * 8);
  unsigned prefix = most;
  if (slash != std::string_view::npos) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + slash + 1, end, prefix);
    if (parsed.ec != std::errc() || parsed.ptr != end || prefix > most) return malformed(text, "network address");
  }
  out.prefix = static_cast<std::uint8_t>(prefix);
  return out;
}

void Inet::append_to(std::string& out) const {
  if (family == Family::v4) {
    append_v4(out, address.data());
  } else {
    append_v6(out, address);
  }
  if (!is_network && prefix == size() * 8) return;
  out += '/';
  append_int(out, static_cast<unsigned>(prefix));
}

std::string Inet::to_string() const {
  std::string out;
  append_to(out);
  return out;
}

template <std::size_t kBytes>
Result<BasicMacAddress<kBytes>> BasicMacAddress<kBytes>::parse(std::string_view text) {
  BasicMacAddress out;
  std::size_t digits = 0;
  bool good = true;
  for (char c : text) {
    if ((c == ':' || c == '-' || c == '.') && digits > 0 && digits % 2 == 0) continue;
    const int value = values::hex_value(c);
    if (value < 0 || digits == kBytes * 2) {
      good = false;
      break;
    }
    std::uint8_t& byte = out.bytes[digits / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
    ++digits;
  }
  if (!good || digits != kBytes * 2) return malformed(text, "MAC address");
  return out;
}

template <std::size_t kBytes>
std::string BasicMacAddress<kBytes>::to_string() const {
  std::string out;
  for (std::size_t i = 0; i < kBytes; ++i) {
    if (i != 0) out += ':';
    values::append_hex_byte(out, bytes[i]);
  }
  return out;
}

template struct BasicMacAddress<6>;
template struct BasicMacAddress<8>;

}  // namespace switchyard::inline v0
