#include <switchyard/values/wrappers.hpp>

#include <charconv>

namespace switchyard::inline v0 {

Result<Lsn> Lsn::parse(std::string_view text) {
  std::uint32_t high = 0, low = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, high, 16);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '/') {
    const auto second = std::from_chars(first.ptr + 1, end, low, 16);
    if (second.ec == std::errc() && second.ptr == end) return Lsn{std::uint64_t{high} << 32 | low};
  }
  constexpr std::size_t kShown = 64;
  return Error(ErrorKind::Mapping,
               "'" + std::string(text.substr(0, kShown)) + "' is not a pg_lsn such as 16/B374D848");
}

std::string Lsn::to_string() const {
  std::string out;
  const auto put = [&out](std::uint32_t half) {
    char text[8];
    const auto end = std::to_chars(text, text + sizeof(text), half, 16);
    for (const char* at = text; at != end.ptr; ++at) {
      out += *at >= 'a' ? static_cast<char>(*at - 'a' + 'A') : *at;
    }
  };
  put(static_cast<std::uint32_t>(value >> 32));
  out += '/';
  put(static_cast<std::uint32_t>(value));
  return out;
}

}  // namespace switchyard::inline v0
