#include <switchyard/backup/fingerprint.hpp>

#include <switchyard/backup/json_fields.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstdlib>
#include <optional>
#include <tuple>

namespace switchyard::inline v0::backup {

namespace {

namespace json = boost::json;

/// The history of migrations is part of a backup: no table's name is this long.
const std::string kNoTable(64, 'x');

/// Text of every value must not depend on who asks.
constexpr std::string_view kSettings =
    "SET LOCAL search_path = pg_catalog; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; "
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; "
    "SET LOCAL xmloption = 'content'; SET LOCAL row_security = off; SET LOCAL statement_timeout = 0; "
    "SET LOCAL idle_in_transaction_session_timeout = 0";

/// $1: the schema, or '' for all. What belongs to an extension is restored by it; a materialized view is made anew
/// by a restore, so its rows may rightly be others.
constexpr std::string_view kRelations =
    "SELECT format('%I.%I', n.nspname, c.relname), c.relkind::text FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'S') AND c.relpersistence <> 't' AND "
    "CASE WHEN $1 <> '' THEN n.nspname = $1 ELSE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' END "
    "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND "
    "d.deptype = 'e') ORDER BY 1";

std::string checksum_query(const std::string& table) {
  // ROW(x.*) and not x: a column may be called x.
  return "SELECT count(*)::int8, coalesce(sum(hashtextextended(ROW(x.*)::text COLLATE \"C\", 0)::numeric), "
         "0)::text "
         "FROM ONLY " +
         table + " x";
}

std::string count_query(const std::string& table) { return "SELECT count(*)::int8, ''::text FROM ONLY " + table; }

}  // namespace

std::uint64_t Fingerprint::rows() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [name, contents] : tables) sum += contents.rows;
  return sum;
}

Task<Fingerprint> read_fingerprint(Querier& querier, std::string schema, Contents contents) {
  co_await querier.script(kSettings);
  Fingerprint found;
  found.catalogue = co_await schema::read_catalogue(querier, schema, kNoTable, schema::Rights::compared);
  found.roles = co_await querier.query<std::string>(
      "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1");
  const auto relations = co_await querier.query<std::tuple<std::string, std::string>>(kRelations, schema);
  for (const auto& [name, kind] : relations) {
    if (kind == "S") {
      auto position = co_await querier.query_one<std::tuple<std::optional<std::int64_t>, bool>>(
          "SELECT pg_catalog.pg_sequence_last_value($1::regclass), "
          "(SELECT seqincrement > 0 FROM pg_catalog.pg_sequence WHERE seqrelid = $1::regclass)",
          name);
      const auto& [last, rising] = position;
      found.sequences[name] = {last ? std::to_string(*last) : std::string(), rising};
      continue;
    }
    const std::string sql = contents == Contents::summed ? checksum_query(name) : count_query(name);
    const auto [rows, checksum] = co_await querier.query_one<std::tuple<std::int64_t, std::string>>(sql);
    found.tables[name] = {static_cast<std::uint64_t>(rows), checksum};
  }
  if (schema.empty()) {
    found.large_objects = static_cast<std::uint64_t>(co_await querier.query_value<std::int64_t>(
        "SELECT count(*)::int8 FROM pg_catalog.pg_largeobject_metadata"));
  }
  co_return found;
}

Task<Fingerprint> read_in_snapshot(Querier& querier, std::string schema, Contents contents) {
  co_await querier.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  auto fingerprint = co_await read_fingerprint(querier, std::move(schema), contents);
  co_await querier.script("COMMIT");
  co_return fingerprint;
}

std::vector<std::string> differences(const Fingerprint& expected, const Fingerprint& found) {
  std::vector<std::string> lines;
  for (const schema::Drift& drift : schema::compare(expected.catalogue, found.catalogue)) {
    switch (drift.kind) {
      case schema::DriftKind::missing: lines.push_back(drift.object + " is missing"); break;
      case schema::DriftKind::unexpected: lines.push_back(drift.object + " should not be there"); break;
      case schema::DriftKind::different:
        lines.push_back(drift.object + " is '" + drift.found + "' instead of '" + drift.expected + "'");
        break;
    }
  }
  for (const auto& [name, contents] : expected.tables) {
    const auto at = found.tables.find(name);
    if (at == found.tables.end()) {
      if (contents.rows > 0)
        lines.push_back("table " + name + ": its " + std::to_string(contents.rows) + " rows are missing");
      continue;
    }
    if (at->second.rows != contents.rows) {
      lines.push_back("table " + name + " has " + std::to_string(at->second.rows) + " rows instead of " +
                      std::to_string(contents.rows));
    } else if (!contents.checksum.empty() && !at->second.checksum.empty() &&
               contents.checksum != at->second.checksum) {
      lines.push_back("table " + name + ": the contents of its " + std::to_string(contents.rows) + " rows differ");
    }
  }
  for (const auto& [name, position] : expected.sequences) {
    const auto at = found.sequences.find(name);
    if (at == found.sequences.end() || position.last.empty()) continue;
    const auto wanted = std::strtoll(position.last.c_str(), nullptr, 10);
    const auto has = std::strtoll(at->second.last.c_str(), nullptr, 10);
    const bool behind = at->second.last.empty() || (position.rising ? has < wanted : has > wanted);
    if (behind) {
      lines.push_back("sequence " + name + " is at " + (at->second.last.empty() ? "its start" : at->second.last) +
                      " instead of " + position.last);
    }
  }
  if (expected.large_objects != found.large_objects) {
    lines.push_back(std::to_string(found.large_objects) + " large objects instead of " +
                    std::to_string(expected.large_objects));
  }
  return lines;
}

std::string to_json(const Fingerprint& fingerprint) {
  json::object catalogue, tables, sequences;
  for (const auto& [object, definition] : fingerprint.catalogue) catalogue[object] = definition;
  for (const auto& [name, contents] : fingerprint.tables) {
    tables[name] = json::object{{"rows", contents.rows}, {"checksum", contents.checksum}};
  }
  for (const auto& [name, position] : fingerprint.sequences) {
    sequences[name] = json::object{{"last", position.last}, {"rising", position.rising}};
  }
  json::array roles;
  for (const std::string& role : fingerprint.roles) roles.push_back(json::value(role));
  return json::serialize(json::object{{"catalogue", std::move(catalogue)},
                                      {"tables", std::move(tables)},
                                      {"sequences", std::move(sequences)},
                                      {"roles", std::move(roles)},
                                      {"large_objects", fingerprint.large_objects}}) +
         '\n';
}

Result<Fingerprint> parse_fingerprint(std::string_view text) {
  boost::system::error_code wrong;
  const json::value document = json::parse(text, wrong);
  if (wrong || !document.is_object()) return Error(ErrorKind::Protocol, "the fingerprint is no JSON document");
  const json::object& object = document.get_object();
  Fingerprint fingerprint;
  for (const auto& member : object_in(object, "catalogue")) {
    if (const auto* definition = member.value().if_string()) {
      fingerprint.catalogue[std::string(member.key())] = std::string(definition->data(), definition->size());
    }
  }
  for (const auto& member : object_in(object, "tables")) {
    const json::object& contents = object_of(&member.value());
    fingerprint.tables[std::string(member.key())] = {number_in(contents, "rows"), text_in(contents, "checksum")};
  }
  for (const auto& member : object_in(object, "sequences")) {
    const json::object& position = object_of(&member.value());
    fingerprint.sequences[std::string(member.key())] = {text_in(position, "last"), flag_in(position, "rising")};
  }
  for (const json::value& one : array_in(object, "roles")) {
    if (const auto* role = one.if_string()) fingerprint.roles.emplace_back(role->data(), role->size());
  }
  fingerprint.large_objects = number_in(object, "large_objects");
  return fingerprint;
}

}  // namespace switchyard::inline v0::backup
