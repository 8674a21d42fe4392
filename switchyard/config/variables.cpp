#include <switchyard/config/variables.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/config/name_rule.hpp>

#include <array>

namespace switchyard::inline v0::config {
namespace {

/// REFERENCE -> reference; empty if it can't be a database's name.
std::string logical_name(std::string_view upper) {
  std::string out;
  for (char c : upper) {
    if (base::is_lower(c)) return {};
    out += base::to_lower(c);
  }
  return is_plain_name(out) ? out : std::string();
}

/// The middle of PREFIX...SUFFIX; nothing if it does not fit.
std::optional<std::string_view> between(std::string_view name, std::string_view prefix, std::string_view suffix) {
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix)) {
    return std::nullopt;
  }
  return name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
}

struct Suffix {
  std::string_view text;
  Variable::Kind kind;
};

// The longer ones first: _POOL_COMMAND_TIMEOUT_SEC ends in _COMMAND_TIMEOUT_SEC.
constexpr std::array kPoolSuffixes{
    Suffix{"POOL_MIN_SIZE", Variable::Kind::pool_min},
    Suffix{"POOL_MAX_SIZE", Variable::Kind::pool_max},
    Suffix{"POOL_TIMEOUT_SEC", Variable::Kind::acquire_timeout},
    Suffix{"POOL_COMMAND_TIMEOUT_SEC", Variable::Kind::command_timeout},
    Suffix{"COMMAND_TIMEOUT_SEC", Variable::Kind::command_timeout},
};

std::optional<Variable> classify_plain(std::string_view name) {
  Variable out;
  if (name == "POSTGRES_DSN") {
    out.database = "main";
    return out;
  }
  if (name == "DATABASE_URL") {
    out.database = "main";
    out.profile = Profile::parafort;
    return out;
  }
  if (name == "READ_REPLICA_DATABASE_URL") {
    out.kind = Variable::Kind::replica_dsn;
    out.database = "main";
    out.profile = Profile::parafort;
    return out;
  }
  if (const auto middle = between(name, "POSTGRES_", "_DSN")) {
    const std::string whole = logical_name(*middle);
    const NameParts parts = parse_database_name(whole);
    if (!is_declarable_name(parts.database)) return std::nullopt;
    out.kind = parts.read_view ? Variable::Kind::replica_dsn : Variable::Kind::dsn;
    out.database = std::string(parts.database);
    out.purpose = std::string(parts.purpose);
    return out;
  }
  if (const auto middle = between(name, "", "_DATABASE_URL")) {
    out.database = logical_name(*middle);
    out.profile = Profile::parafort;
    if (!is_declarable_name(out.database)) return std::nullopt;
    return out;
  }
  for (const Suffix& suffix : kPoolSuffixes) {
    out.kind = suffix.kind;
    if (name == "PG_" + std::string(suffix.text)) {
      out.database = "main";
      return out;
    }
    if (const auto middle = between(name, "PG_", "_" + std::string(suffix.text))) {
      out.database = logical_name(*middle);
      if (is_declarable_name(out.database)) return out;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Variable> classify_variable(std::string_view name) {
  constexpr std::string_view kFile = "_FILE";
  if (auto plain = classify_plain(name)) return plain;
  if (!name.ends_with(kFile)) return std::nullopt;
  auto out = classify_plain(name.substr(0, name.size() - kFile.size()));
  if (!out || (out->kind != Variable::Kind::dsn && out->kind != Variable::Kind::replica_dsn)) return std::nullopt;
  out->from_file = true;
  return out;
}

std::vector<std::string> spellings(Variable::Kind kind, std::string_view database) {
  const std::string name = variable_part(database);
  const bool main = database == "main";
  std::vector<std::string> out;
  const auto pool = [&](std::string_view suffix) {
    if (main) out.push_back("PG_" + std::string(suffix));
    out.push_back("PG_" + name + "_" + std::string(suffix));
  };
  switch (kind) {
    case Variable::Kind::dsn:
      if (main)
        out = {"POSTGRES_DSN", "POSTGRES_MAIN_DSN", "DATABASE_URL", "MAIN_DATABASE_URL"};
      else
        out = {"POSTGRES_" + name + "_DSN", name + "_DATABASE_URL"};
      break;
    case Variable::Kind::replica_dsn:
      out.push_back("POSTGRES_" + name + "_REPLICA_DSN");
      if (main) out.emplace_back("READ_REPLICA_DATABASE_URL");
      break;
    case Variable::Kind::pool_min: pool("POOL_MIN_SIZE"); break;
    case Variable::Kind::pool_max: pool("POOL_MAX_SIZE"); break;
    case Variable::Kind::acquire_timeout: pool("POOL_TIMEOUT_SEC"); break;
    case Variable::Kind::command_timeout:
      pool("COMMAND_TIMEOUT_SEC");
      pool("POOL_COMMAND_TIMEOUT_SEC");
      break;
  }
  return out;
}

std::optional<std::string> swapped_variable(std::string_view name) {
  constexpr std::string_view kPrefix = "POSTGRES_DSN_";
  if (name == "POSTGRES_REPLICA_DSN") return "POSTGRES_MAIN_REPLICA_DSN";
  if (!name.starts_with(kPrefix) || name == "POSTGRES_DSN_FILE") return std::nullopt;
  const std::string_view rest = name.substr(kPrefix.size());
  if (rest == "MAIN") return "POSTGRES_DSN";
  if (logical_name(rest).empty()) return std::nullopt;
  return "POSTGRES_" + std::string(rest) + "_DSN";
}

bool resembles_variable(std::string_view name) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  if (name.starts_with("PG_")) return has("POOL") || has("TIMEOUT");
  if (name.starts_with("POSTGRES_")) return has("DSN") || has("POOL");
  return false;
}

}  // namespace switchyard::inline v0::config
