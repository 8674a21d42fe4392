#include <switchyard/fleet/commit_marker.hpp>

#include <switchyard/config/name_rule.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace switchyard::inline v0 {

namespace {

constexpr std::size_t kParts = 7;
constexpr std::size_t kUuidLength = 36;

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_uuid(std::string_view text) {
  return text.size() == kUuidLength && text.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

template <class T>
bool read(std::string_view text, T& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string CommitMarker::to_string() const {
  return database + ':' + id + ':' + xid + ':' + system + ':' + std::to_string(timeline) + ':' +
         std::to_string(process) + ':' + std::to_string(written_at);
}

Result<CommitMarker> CommitMarker::parse(std::string_view text) {
  const Error malformed(ErrorKind::Config, "this is no commit marker");
  std::array<std::string_view, kParts> parts;
  for (std::size_t i = 0; i < kParts; ++i) {
    const std::size_t colon = text.find(':');
    if ((colon == std::string_view::npos) != (i + 1 == kParts)) return malformed;
    parts[i] = text.substr(0, colon);
    text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
  }
  CommitMarker marker;
  marker.database = parts[0];
  marker.id = parts[1];
  marker.xid = parts[2];
  marker.system = parts[3];
  const bool well_formed = is_usable_name(parts[0]) && is_uuid(parts[1]) && is_number(parts[2]) &&
                           is_number(parts[3]) && read(parts[4], marker.timeline) &&
                           read(parts[5], marker.process) && read(parts[6], marker.written_at);
  if (!well_formed) return malformed;
  return marker;
}

std::string_view to_string(CommitOutcome outcome) noexcept {
  switch (outcome) {
    case CommitOutcome::committed: return "committed";
    case CommitOutcome::rolled_back: return "rolled back";
    case CommitOutcome::unknown: return "unknown";
  }
  return "unknown";
}

namespace fleet {

MarkerFinding judge_marker(const CommitMarker& marker, const MarkerAnswer& answer) noexcept {
  if (answer.in_recovery) return MarkerFinding::not_primary;
  if (answer.system != marker.system) return MarkerFinding::unknown;
  if (answer.timeline < marker.timeline) return MarkerFinding::not_primary;
  if (answer.row) return MarkerFinding::committed;
  // On a later timeline the old transaction can't be under way: whoever has its number is another one.
  if (answer.timeline == marker.timeline && answer.under_way) return MarkerFinding::under_way;
  const auto kept = std::chrono::duration_cast<std::chrono::seconds>(CommitMarker::kept_for).count();
  if (answer.now - marker.written_at >= kept) return MarkerFinding::unknown;
  return MarkerFinding::rolled_back;
}

}  // namespace fleet

}  // namespace switchyard::inline v0
