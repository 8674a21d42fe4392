#include <switchyard/fleet/wal_position.hpp>

#include <charconv>
#include <cstdio>

namespace switchyard::inline v0 {
namespace {

constexpr std::size_t kMostDigits = 8;  // of one half

std::optional<std::uint32_t> parse_half(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMostDigits) return std::nullopt;
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, problem] = std::from_chars(text.data(), end, value, 16);
  if (problem != std::errc() || stopped != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<WalPosition> WalPosition::parse(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto high = parse_half(text.substr(0, slash));
  const auto low = parse_half(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return WalPosition(static_cast<std::uint64_t>(*high) << 32 | *low);
}

std::string WalPosition::to_string() const {
  char text[2 * kMostDigits + 2];
  const int length =
      std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(value_ >> 32), static_cast<unsigned>(value_));
  return {text, static_cast<std::size_t>(length)};
}

namespace fleet {
namespace {
// access/xlog_internal.h: XLOG_BLCKSZ, SizeOfXLogShortPHD, SizeOfXLogLongPHD.
constexpr std::uint64_t kPageSize = 8192;
constexpr std::uint64_t kShortHeader = 24;
constexpr std::uint64_t kLongHeader = 40;
}  // namespace

WalPosition replayable_position(WalPosition insert, std::uint64_t segment_size) noexcept {
  const std::uint64_t in_page = insert.value() % kPageSize;
  const std::uint64_t page = insert.value() - in_page;
  const bool first_of_segment = segment_size != 0 && page % segment_size == 0;
  // A first page has room for nothing between the two lengths; on other pages 40 is a place like any other.
  const std::uint64_t header = first_of_segment ? kLongHeader : kShortHeader;
  return in_page == header ? WalPosition(page) : insert;
}

}  // namespace fleet

}  // namespace switchyard::inline v0
