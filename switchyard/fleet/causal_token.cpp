#include <switchyard/config/name_rule.hpp>
#include <switchyard/fleet/causal_token.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace switchyard::inline v0 {
namespace {

constexpr std::string_view kPrimary = "primary";
/// Of foreign text in an error.
constexpr std::size_t kMostShown = 80;

std::string_view trimmed(std::string_view text) noexcept {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Printable, and not longer than an error should be.
std::string shown(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, kMostShown)) out += c >= ' ' && c <= '~' ? c : '?';
  return out + (text.size() > kMostShown ? "...'" : "'");
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) noexcept {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stopped, problem] = std::from_chars(text.data(), end, value);
  if (text.empty() || problem != std::errc() || stopped != end) return std::nullopt;
  return value;
}

Error malformed(std::string_view what, std::string_view problem) {
  return Error(ErrorKind::Usage, "malformed causal token " + shown(what) + ": " + std::string(problem))
      .with_hint(
          "expected main=<system identifier>/<timeline>/<LSN>, as in main=7301022340561832001/1/0/402A018, or "
          "main=primary");
}

Result<CausalTokens::Entry> parse_entry(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return malformed(text, "there is no '='");
  const std::string_view name = trimmed(text.substr(0, equals));
  const std::string_view value = trimmed(text.substr(equals + 1));
  if (!config::is_plain_name(name)) return malformed(text, "that is no database name");
  CausalTokens::Entry out;
  if (value == kPrimary) {
    out.primary_only = true;
  } else {
    auto token = parse_causal_position(value);
    if (!token.ok()) return malformed(text, token.error().message());
    if (std::ranges::count(value, '/') != 3) return malformed(text, "there is no system identifier");
    out.token = std::move(*token);
  }
  out.token.database = name;
  return out;
}

/// The further of two positions on one timeline; the later timeline otherwise, for what lay behind the fork on the
/// earlier one is gone.
bool further(const CausalToken& candidate, const CausalToken& known) noexcept {
  if (candidate.timeline != known.timeline && candidate.timeline != 0 && known.timeline != 0) {
    return candidate.timeline > known.timeline;
  }
  return candidate.lsn > known.lsn;
}

bool same_cluster(const CausalToken& a, const CausalToken& b) noexcept {
  return a.system_identifier == 0 || b.system_identifier == 0 || a.system_identifier == b.system_identifier;
}

}  // namespace

std::string to_string(const CausalToken& token) {
  return std::to_string(token.system_identifier) + "/" + std::to_string(token.timeline) + "/" +
         token.lsn.to_string();
}

Result<CausalToken> parse_causal_position(std::string_view text) {
  CausalToken out;
  std::string_view lsn = text;
  if (std::ranges::count(text, '/') == 3) {
    const std::size_t first = text.find('/');
    const std::size_t second = text.find('/', first + 1);
    const auto system = parse_number<std::uint64_t>(text.substr(0, first));
    const auto timeline = parse_number<std::uint32_t>(text.substr(first + 1, second - first - 1));
    if (!system) return Error(ErrorKind::Usage, shown(text.substr(0, first)) + " is no system identifier");
    if (!timeline) {
      return Error(ErrorKind::Usage, shown(text.substr(first + 1, second - first - 1)) + " is no timeline");
    }
    out.system_identifier = *system;
    out.timeline = *timeline;
    lsn = text.substr(second + 1);
  }
  const auto position = WalPosition::parse(lsn);
  if (!position) return Error(ErrorKind::Usage, shown(lsn) + " is no LSN").with_hint("an LSN looks like 0/402A018");
  out.lsn = *position;
  return out;
}

CausalTokens::Entry& CausalTokens::entry(std::string_view database) {
  for (Entry& entry : entries_) {
    if (entry.token.database == database) return entry;
  }
  Entry& made = entries_.emplace_back();
  made.token.database = database;
  return made;
}

void CausalTokens::raise(const CausalToken& token) {
  Entry& known = entry(token.database);
  if (!same_cluster(known.token, token) || further(token, known.token)) known.token = token;
  known.primary_only = false;
}

void CausalTokens::lost(std::string_view database) { entry(database).primary_only = true; }

Result<void> CausalTokens::accept(std::string_view header) {
  auto parsed = parse(header);
  if (!parsed.ok()) return parsed.error();
  std::size_t total = entries_.size();
  for (const Entry& told : *parsed) total += find(told.token.database) == nullptr ? 1 : 0;
  if (total > kMostTokens) {
    return Error(ErrorKind::Usage, "more than " + std::to_string(kMostTokens) + " databases have causal tokens");
  }
  for (const Entry& told : *parsed) {
    Entry& known = entry(told.token.database);
    if (told.primary_only || !same_cluster(known.token, told.token)) {
      known.primary_only = true;
    } else if (further(told.token, known.token)) {
      known.token = told.token;
    }
  }
  return {};
}

const CausalTokens::Entry* CausalTokens::find(std::string_view database) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.token.database == database) return &entry;
  }
  return nullptr;
}

std::string CausalTokens::header() const {
  std::string out;
  for (const Entry& entry : entries_) {
    if (!out.empty()) out += ", ";
    out += entry.token.database + "=" + (entry.primary_only ? std::string(kPrimary) : to_string(entry.token));
  }
  return out;
}

Result<std::vector<CausalTokens::Entry>> CausalTokens::parse(std::string_view header) {
  if (header.size() > kLongestMinLsnHeader) {
    return Error(ErrorKind::Usage, std::string(kMinLsnHeader) + " has " + std::to_string(header.size()) +
                                       " bytes; at most " + std::to_string(kLongestMinLsnHeader) + " are read");
  }
  std::vector<Entry> out;
  std::string_view rest = trimmed(header);
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    auto entry = parse_entry(trimmed(rest.substr(0, comma)));
    if (!entry.ok()) return entry.error();
    if (out.size() == kMostTokens) {
      return Error(ErrorKind::Usage,
                   std::string(kMinLsnHeader) + " names more than " + std::to_string(kMostTokens) + " databases");
    }
    out.push_back(std::move(*entry));
    if (comma == std::string_view::npos) break;
    rest = trimmed(rest.substr(comma + 1));
    if (rest.empty()) return malformed(header, "nothing follows the last ','");
  }
  return out;
}

}  // namespace switchyard::inline v0
