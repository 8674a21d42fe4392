#include <switchyard/scripts/text_encoding.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::scripts {

namespace {

using Point = char32_t;

void put(std::string& out, Point c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

/// Length of the sequence that starts here; 0 when it is none (overlong, a surrogate, beyond U+10FFFF, cut).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                     (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return wrong ? 0 : length;
}

Error wrong_bytes(std::string_view bytes, std::size_t at, std::string_view encoding) {
  const auto line = 1 + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  return Error(ErrorKind::Config,
               "line " + std::to_string(line) + " holds bytes that are no " + std::string(encoding))
      .with_hint("convert the file, or name its encoding in its .conf: encoding=ISO-8859-1");
}

Result<std::string> utf8(std::string_view bytes, bool ascii) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = utf8_length(bytes.substr(at));
    if (length == 0 || (ascii && length > 1)) return wrong_bytes(bytes, at, ascii ? "US-ASCII" : "UTF-8");
    at += length;
  }
  return std::string(bytes);
}

// 0x80 to 0x9F of windows-1252; 0 is not assigned.
constexpr std::array<std::uint16_t, 32> kWindows1252{
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

Result<std::string> single_bytes(std::string_view bytes, bool windows) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    Point c = byte;
    if (windows && byte >= 0x80 && byte < 0xA0) {
      c = kWindows1252[byte - 0x80];
      if (c == 0) return wrong_bytes(bytes, at, "windows-1252");
    }
    put(out, c);
  }
  return out;
}

Result<std::string> utf16(std::string_view bytes, std::optional<bool> little) {
  const auto unit_at = [&](std::size_t at) -> Point {
    const auto a = static_cast<unsigned char>(bytes[at]), b = static_cast<unsigned char>(bytes[at + 1]);
    return *little ? static_cast<Point>(b << 8 | a) : static_cast<Point>(a << 8 | b);
  };
  std::size_t at = 0;
  if (!little) {
    little = bytes.starts_with("\xFF\xFE");
    if (*little || bytes.starts_with("\xFE\xFF")) at = 2;
  }
  std::string out;
  for (; at < bytes.size(); at += 2) {
    if (at + 1 >= bytes.size()) return wrong_bytes(bytes, at, "UTF-16");
    Point c = unit_at(at);
    if (c >= 0xD800 && c < 0xE000) {
      const bool pair =
          c < 0xDC00 && at + 3 < bytes.size() && unit_at(at + 2) >= 0xDC00 && unit_at(at + 2) < 0xE000;
      if (!pair) return wrong_bytes(bytes, at, "UTF-16");
      c = 0x10000 + ((c - 0xD800) << 10) + (unit_at(at + 2) - 0xDC00);
      at += 2;
    }
    put(out, c);
  }
  return out;
}

}  // namespace

Result<std::string> decode(std::string_view bytes, std::string_view encoding) {
  const std::string name = base::lowered(encoding);
  if (name.empty() || name == "utf-8" || name == "utf8") return utf8(bytes, false);
  if (name == "us-ascii" || name == "ascii") return utf8(bytes, true);
  if (name == "iso-8859-1" || name == "latin1") return single_bytes(bytes, false);
  if (name == "windows-1252" || name == "cp1252") return single_bytes(bytes, true);
  if (name == "utf-16") return utf16(bytes, std::nullopt);
  if (name == "utf-16le") return utf16(bytes, true);
  if (name == "utf-16be") return utf16(bytes, false);
  return Error(ErrorKind::Config, "the encoding '" + std::string(encoding) + "' is not known")
      .with_hint("UTF-8, US-ASCII, ISO-8859-1, windows-1252, UTF-16, UTF-16LE or UTF-16BE");
}

}  // namespace switchyard::inline v0::scripts
