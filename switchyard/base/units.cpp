#include <switchyard/base/units.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace switchyard::inline v0 {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

constexpr std::array<Unit, 7> kTimeUnits{{{"d", 86'400'000'000'000},
                                          {"h", 3'600'000'000'000},
                                          {"m", 60'000'000'000},
                                          {"s", 1'000'000'000},
                                          {"ms", 1'000'000},
                                          {"us", 1'000},
                                          {"ns", 1}}};

Error bad_duration(std::string_view text, std::string_view why) {
  return Error(ErrorKind::Config, "'" + std::string(text) + "' is not a duration: " + std::string(why))
      .with_hint("write a number with a unit, such as 250ms, 30s, 5m, 1h30m or 2d");
}

std::size_t number_length(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && ((text[n] >= '0' && text[n] <= '9') || text[n] == '.')) ++n;
  return n;
}

/// Fixed-point parse so that 0.1 s is exactly 100 ms; false on overflow or a malformed number.
bool scaled(std::string_view number, std::int64_t unit, std::int64_t& out) {
  const std::size_t dot = number.find('.');
  const std::string_view whole = number.substr(0, dot);
  const std::string_view fraction = dot == std::string_view::npos ? std::string_view() : number.substr(dot + 1);
  if (whole.empty() && fraction.empty()) return false;
  if (fraction.find('.') != std::string_view::npos) return false;
  std::int64_t w = 0;
  if (!whole.empty()) {
    const auto [end, ec] = std::from_chars(whole.data(), whole.data() + whole.size(), w);
    if (ec != std::errc() || end != whole.data() + whole.size()) return false;
  }
  __int128 total = static_cast<__int128>(w) * unit;
  __int128 step = unit;
  for (char c : fraction) {
    step /= 10;
    total += step * (c - '0');
  }
  if (total > INT64_MAX) return false;
  out = static_cast<std::int64_t>(total);
  return true;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return bad_duration(text, "it is empty");
  if (text == "0") return Duration::zero();
  std::int64_t total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t digits = number_length(rest);
    if (digits == 0) return bad_duration(text, "a number was expected at '" + std::string(rest) + "'");
    std::size_t letters = digits;
    while (letters < rest.size() && number_length(rest.substr(letters, 1)) == 0) ++letters;
    const std::string_view unit = rest.substr(digits, letters - digits);
    if (unit.empty()) return bad_duration(text, "the unit is missing");
    const Unit* found = nullptr;
    for (const Unit& u : kTimeUnits) {
      if (u.name == unit) found = &u;
    }
    if (found == nullptr) return bad_duration(text, "unknown unit '" + std::string(unit) + "'");
    std::int64_t part = 0;
    if (!scaled(rest.substr(0, digits), found->nanoseconds, part) || __builtin_add_overflow(total, part, &total)) {
      return bad_duration(text, "the number is malformed or too large");
    }
    rest.remove_prefix(letters);
  }
  return Duration(total);
}

Result<Duration> parse_seconds(std::string_view text) {
  std::int64_t value = 0;
  if (text.empty() || number_length(text) != text.size() || !scaled(text, 1'000'000'000, value)) {
    return Error(ErrorKind::Config, "'" + std::string(text) + "' is not a number of seconds")
        .with_hint("write a plain number such as 30 or 2.5");
  }
  return Duration(value);
}

std::string format_duration(Duration value) {
  std::int64_t rest = value.count();
  if (rest == 0) return "0s";
  std::string out;
  if (rest < 0) {
    out = "-";
    rest = -rest;
  }
  for (const Unit& unit : kTimeUnits) {
    const std::int64_t n = rest / unit.nanoseconds;
    if (n == 0) continue;
    out += std::to_string(n);
    out += unit.name;
    rest %= unit.nanoseconds;
  }
  return out;
}

namespace {
constexpr std::array<std::pair<std::string_view, std::uint64_t>, 5> kSizeUnits{
    {{"TB", 1ULL << 40}, {"GB", 1ULL << 30}, {"MB", 1ULL << 20}, {"kB", 1ULL << 10}, {"B", 1}}};
}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Error(ErrorKind::Config, "'" + std::string(text) + "' is not a size: " + std::string(why))
        .with_hint("write bytes or a number with kB, MB, GB or TB, such as 256MB");
  };
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc()) return bad("a number was expected");
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.empty()) return number;
  for (const auto& [name, factor] : kSizeUnits) {
    if (name != unit) continue;
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(number, factor, &bytes)) return bad("it is too large");
    return bytes;
  }
  return bad("unknown unit '" + std::string(unit) + "'");
}

std::string format_size(std::uint64_t bytes) {
  for (const auto& [name, factor] : kSizeUnits) {
    if (bytes >= factor && bytes % factor == 0) return std::to_string(bytes / factor) + std::string(name);
  }
  return "0B";
}

}  // namespace switchyard::inline v0
