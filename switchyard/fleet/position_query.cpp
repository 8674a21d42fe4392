#include <switchyard/fleet/position_query.hpp>

#include <charconv>

namespace switchyard::inline v0::fleet {
namespace {

// On a session of the caller's, behind his statement: nothing here is looked up along his search_path.
constexpr std::string_view kPosition =
    "SELECT pg_catalog.concat(l, ' ', pg_catalog.pg_walfile_name(l)) FROM pg_catalog.pg_current_wal_insert_lsn() l";
constexpr std::string_view kPositionAndCluster =
    "SELECT pg_catalog.concat(l, ' ', pg_catalog.pg_walfile_name(l), ' ', s.system_identifier) "
    "FROM pg_catalog.pg_current_wal_insert_lsn() l, pg_catalog.pg_control_system() s";

/// A WAL file's name begins with its timeline, in hexadecimal.
constexpr std::size_t kTimelineDigits = 8;
constexpr std::size_t kFileName = 24;

template <class Number>
bool read_number(std::string_view text, Number& number, int base) noexcept {
  const char* const end = text.data() + text.size();
  const auto [stopped, problem] = std::from_chars(text.data(), end, number, base);
  return !text.empty() && problem == std::errc() && stopped == end;
}

/// Takes the word in front.
std::string_view next_word(std::string_view& text) noexcept {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

}  // namespace

std::string_view position_sql(PositionDetail detail) noexcept {
  return detail == PositionDetail::position ? kPosition : kPositionAndCluster;
}

std::optional<CausalToken> decode_position(std::string_view answer) {
  CausalToken out;
  const auto lsn = WalPosition::parse(next_word(answer));
  const std::string_view file = next_word(answer);
  if (!lsn || file.size() != kFileName || !read_number(file.substr(0, kTimelineDigits), out.timeline, 16)) {
    return std::nullopt;
  }
  if (!answer.empty() && !read_number(answer, out.system_identifier, 10)) return std::nullopt;
  out.lsn = *lsn;
  return out;
}

}  // namespace switchyard::inline v0::fleet
