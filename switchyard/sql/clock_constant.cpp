#include <switchyard/sql/clock_constant.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::sql {

namespace {

constexpr auto kWords = std::to_array<std::string_view>({"now", "today", "tomorrow", "yesterday"});

/// Whether `text` goes on with the word, whatever quotes stand between its letters.
bool goes_on_with(std::string_view word, std::string_view text) noexcept {
  std::size_t matched = 0;
  for (const char c : text) {
    if (c == '"' || c == '\\') continue;
    if (base::to_lower(c) != word[matched]) return false;
    if (++matched == word.size()) return true;
  }
  return false;
}

}  // namespace

bool may_be_clock_constant(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"' || text[at] == '\\') continue;
    if (std::ranges::any_of(kWords, [&](std::string_view word) { return goes_on_with(word, text.substr(at)); })) {
      return true;
    }
  }
  return false;
}

}  // namespace switchyard::inline v0::sql
