#include <switchyard/backup/moment.hpp>

#include <array>
#include <cstdio>
#include <ctime>

namespace switchyard::inline v0::backup {

namespace {

std::string formatted(Moment moment, const char* format) {
  const std::time_t seconds = moment.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace

Moment now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

std::string text_of(Moment moment) { return formatted(moment, "%Y-%m-%dT%H:%M:%SZ"); }

std::string name_of(Moment moment) { return formatted(moment, "%Y%m%dT%H%M%SZ"); }

std::optional<Moment> parse_moment(std::string_view text) {
  std::tm parts{};
  int end = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                  &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &end) != 6 ||
      static_cast<std::size_t>(end) != text.size()) {
    return std::nullopt;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return Moment(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace switchyard::inline v0::backup
