#include <switchyard/scripts/file_name.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/suggest.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard::inline v0::scripts {

namespace {

constexpr std::string_view kSeparator = "__";
constexpr std::string_view kSuffix = ".sql";

constexpr std::array<std::string_view, 26> kEvents{"createSchema",
                                                   "beforeCreateSchema",
                                                   "beforeMigrate",
                                                   "beforeEachMigrate",
                                                   "beforeEachMigrateStatement",
                                                   "afterEachMigrateStatement",
                                                   "afterEachMigrateStatementError",
                                                   "afterEachMigrate",
                                                   "afterEachMigrateError",
                                                   "afterMigrate",
                                                   "afterMigrateApplied",
                                                   "afterMigrateOperationFinish",
                                                   "afterVersioned",
                                                   "afterMigrateError",
                                                   "beforeRepeatables",
                                                   "beforeValidate",
                                                   "afterValidate",
                                                   "afterValidateError",
                                                   "beforeBaseline",
                                                   "afterBaseline",
                                                   "afterBaselineError",
                                                   "beforeRepair",
                                                   "afterRepair",
                                                   "afterRepairError",
                                                   "beforeInfo",
                                                   "afterInfo"};

bool ends_in_sql(std::string_view name) {
  return name.size() >= kSuffix.size() &&
         base::equal_ignoring_case(name.substr(name.size() - kSuffix.size()), kSuffix);
}

std::string spaced(std::string_view description) {
  std::string text(description);
  std::ranges::replace(text, '_', ' ');
  return text;
}

Error refused(std::string_view name, std::string why, std::string hint) {
  return Error(ErrorKind::Config, std::string(name) + ": " + std::move(why)).with_hint(std::move(hint));
}

struct Parts {
  std::string_view before, description;
  bool separated = false;
};

Parts split(std::string_view text) {
  const std::size_t at = text.find(kSeparator);
  if (at == std::string_view::npos) return {text, {}, false};
  return {text.substr(0, at), text.substr(at + kSeparator.size()), true};
}

/// "ref_006_new_reference_table": letters, digits, words.
std::optional<FileName> numbered(std::string_view stem) {
  const std::size_t first = stem.find('_');
  if (first == std::string_view::npos || first == 0 || first + 1 >= stem.size()) return std::nullopt;
  if (!std::ranges::all_of(stem.substr(0, first), base::is_letter)) return std::nullopt;
  // A version of Flyway's, written wrongly.
  if (first == 1 && std::string_view("VUBR").contains(stem.front())) return std::nullopt;
  std::string_view rest = stem.substr(first + 1);
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  if (digits == 0) return std::nullopt;
  const std::string_view words = rest.substr(digits);
  if (words.size() < 2 || words.front() != '_') return std::nullopt;
  auto version = MigrationVersion::parse(rest.substr(0, digits));
  if (!version.ok()) return std::nullopt;
  return FileName{FileKind::numbered, std::move(*version), spaced(words.substr(1)),
                  std::string(stem.substr(0, first))};
}

}  // namespace

std::span<const std::string_view> callback_events() noexcept { return kEvents; }

Result<std::optional<FileName>> parse_file_name(std::string_view name) {
  if (!ends_in_sql(name)) return std::optional<FileName>();
  const std::string_view stem = name.substr(0, name.size() - kSuffix.size());
  const Parts whole = split(stem);
  if (std::ranges::find(kEvents, whole.before) != kEvents.end()) {
    return std::optional(FileName{FileKind::callback, {}, spaced(whole.description), std::string(whole.before)});
  }
  constexpr std::array<std::pair<char, FileKind>, 4> kPrefixes{
      {{'V', FileKind::versioned}, {'U', FileKind::undo}, {'B', FileKind::baseline}, {'R', FileKind::repeatable}}};
  const auto* prefix =
      std::ranges::find(kPrefixes, stem.empty() ? '\0' : stem.front(), &std::pair<char, FileKind>::first);
  const bool prefixed = prefix != kPrefixes.end() &&
                        (stem.size() > 1 && (base::is_digit(stem[1]) || stem.substr(1).starts_with(kSeparator)));
  if (!prefixed) {
    if (auto found = numbered(stem)) return std::optional(std::move(*found));
    const std::string close = did_you_mean(whole.before, kEvents);
    if (!close.empty()) return refused(name, "no migration and no callback", close);
    return refused(name, "no migration by its name",
                   "V1__words.sql, R__words.sql, a callback such as afterMigrate.sql, or ref_001_words.sql");
  }
  const Parts parts = split(stem.substr(1));
  FileName file{prefix->second, {}, spaced(parts.description), {}};
  if (prefix->second == FileKind::repeatable) {
    if (!parts.before.empty()) {
      return refused(name, "a repeatable migration has no version", "write R__words.sql");
    }
    return std::optional(std::move(file));
  }
  if (parts.before.empty()) return refused(name, "the version is missing", "write V1__words.sql");
  auto version = MigrationVersion::parse(parts.before);
  if (!version.ok()) {
    const bool one = !parts.separated && parts.before.find_first_not_of("0123456789._") != std::string_view::npos;
    return refused(name, std::string(version.error().message()),
                   one ? "two underscores end the version: V1__words.sql" : std::string(version.error().hint()));
  }
  file.version = std::move(*version);
  return std::optional(std::move(file));
}

std::string description_for_file(std::string_view words) {
  std::string text;
  for (const char c : words) {
    if (base::is_letter(c) || base::is_digit(c) || (static_cast<unsigned char>(c) & 0x80) != 0) {
      text += base::to_lower(c);
    } else if (!text.empty() && text.back() != '_') {
      text += '_';
    }
  }
  while (!text.empty() && text.back() == '_') text.pop_back();
  return text;
}

}  // namespace switchyard::inline v0::scripts
