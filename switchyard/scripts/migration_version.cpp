#include <switchyard/scripts/migration_version.hpp>

#include <algorithm>

namespace switchyard::inline v0::scripts {

namespace {

constexpr std::size_t kMaxVersion = 50;  // the width of the history's column

Error malformed(std::string_view text) {
  return Error(ErrorKind::Config, "'" + std::string(text.substr(0, 2 * kMaxVersion)) + "' is no version")
      .with_hint("digits, with single dots or underscores between them: 3, 2_1, 20240101.1");
}

/// "" for zero.
std::string_view without_leading_zeros(std::string_view digits) {
  const std::size_t first = digits.find_first_not_of('0');
  return first == std::string_view::npos ? std::string_view{} : digits.substr(first);
}

}  // namespace

Result<MigrationVersion> MigrationVersion::parse(std::string_view text) {
  if (text.empty()) return malformed(text);
  if (text.size() > kMaxVersion) {
    return Error(ErrorKind::Config, "a version is longer than the 50 characters that the history keeps");
  }
  MigrationVersion version;
  version.text_ = text;
  std::ranges::replace(version.text_, '_', '.');
  for (std::size_t at = 0; at <= version.text_.size();) {
    const std::size_t end = std::min(version.text_.find('.', at), version.text_.size());
    const std::string_view number = std::string_view(version.text_).substr(at, end - at);
    if (number.empty() || !std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; })) {
      return malformed(text);
    }
    version.numbers_.emplace_back(without_leading_zeros(number));
    at = end + 1;
  }
  while (!version.numbers_.empty() && version.numbers_.back().empty()) version.numbers_.pop_back();
  return version;
}

std::strong_ordering MigrationVersion::operator<=>(const MigrationVersion& other) const noexcept {
  const std::size_t common = std::min(numbers_.size(), other.numbers_.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (const auto longer = numbers_[i].size() <=> other.numbers_[i].size(); longer != 0) return longer;
    if (const int order = numbers_[i].compare(other.numbers_[i]); order != 0) return order <=> 0;
  }
  return numbers_.size() <=> other.numbers_.size();
}

}  // namespace switchyard::inline v0::scripts
