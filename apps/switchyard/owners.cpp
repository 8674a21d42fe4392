// switchyard owners: which database each table belongs to.
#include "commands.hpp"
#include "fleet_choice.hpp"
#include "text_table.hpp"

#include <switchyard/base/suggest.hpp>
#include <switchyard/fleet/owner_guard.hpp>
#include <switchyard/http/json_writer.hpp>
#include <switchyard/sql/facts_text.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::cli {

namespace {

using fleet::OwnerMap;

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

void write_entry(http::JsonWriter& json, const OwnerMap::Entry& entry) {
  json.begin_object().member("table", sql::to_string(entry.table)).key("owners").begin_array();
  for (const std::string& owner : entry.owners) json.value(owner);
  json.end_array().key("claims").begin_array();
  for (const fleet::OwnerClaim& claim : entry.claims) {
    json.begin_object()
        .member("database", claim.database)
        .member("source", fleet::to_string(claim.source))
        .member("where", claim.where)
        .end_object();
  }
  json.end_array().member("contradiction", entry.contradiction).end_object();
}

std::string as_json(const std::vector<const OwnerMap::Entry*>& entries, OwnerCheck check) {
  http::JsonWriter json;
  json.begin_object().member("owner_check", to_string(check)).key("tables").begin_array();
  for (const OwnerMap::Entry* entry : entries) write_entry(json, *entry);
  json.end_array().end_object();
  return json.take() + "\n";
}

std::string as_text(const std::vector<const OwnerMap::Entry*>& entries, const Paint& paint) {
  TextTable table({{"table"}, {"belongs to"}, {"says"}});
  std::string problems;
  for (const OwnerMap::Entry* entry : entries) {
    const bool wrong = !entry->contradiction.empty();
    const std::string name = sql::to_string(entry->table);
    table.add({name,
               {joined(entry->owners), wrong ? Tone::warn : Tone::plain},
               {entry->claims.front().where + (entry->claims.size() > 1 ? ", ..." : ""), Tone::quiet}});
    if (wrong) problems += paint(Tone::warn, name) + "  " + entry->contradiction + "\n";
  }
  return table.text(paint) + (problems.empty() ? "" : "\n" + problems);
}

std::string explained(const OwnerMap::Entry& entry, const Paint& paint) {
  std::string out = paint(Tone::strong, sql::to_string(entry.table)) + " belongs to " + joined(entry.owners) + "\n";
  for (const fleet::OwnerClaim& claim : entry.claims) {
    out += "  " + claim.database + "  " + paint(Tone::quiet, std::string(fleet::to_string(claim.source)) + ", ") +
           claim.where + "\n";
  }
  if (!entry.contradiction.empty()) out += "  " + paint(Tone::warn, entry.contradiction) + "\n";
  return out;
}

}  // namespace

ExitCode run_owners(const GlobalOptions& global, const OwnersOptions& options, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  const OwnerMap map = fleet::owner_map_of(choice->config);
  std::vector<const OwnerMap::Entry*> entries;
  if (options.table.empty()) {
    for (const OwnerMap::Entry& entry : map.entries()) entries.push_back(&entry);
  } else {
    const sql::Name name = fleet::parse_table_name(options.table);
    for (const OwnerMap::Entry& entry : map.entries()) {
      const std::string schema = name.schema == "public" ? "" : name.schema;
      if (entry.table.name == name.name && (name.schema.empty() || entry.table.schema == schema)) {
        entries.push_back(&entry);
      }
    }
    if (entries.empty()) {
      std::vector<std::string> names;
      for (const OwnerMap::Entry& entry : map.entries()) names.push_back(sql::to_string(entry.table));
      const std::vector<std::string_view> views(names.begin(), names.end());
      const std::string close = did_you_mean(options.table, views);
      return fail(console,
                  Error(ErrorKind::Usage, "nobody claims the table '" + options.table + "'")
                      .with_hint(close.empty() ? "list it in database.NAME.tables, or make it in a migration "
                                                 "of its database"
                                               : close));
    }
  }
  if (global.json) {
    console.print(as_json(entries, choice->config.effective_owner_check()));
  } else if (!options.table.empty()) {
    for (const OwnerMap::Entry* entry : entries) console.print(explained(*entry, console.out()));
  } else if (entries.empty()) {
    console.note(
        "no table is claimed: list tables in database.NAME.tables, or put migrations into migrations/NAME");
  } else {
    console.print(as_text(entries, console.out()));
    const OwnerCheck check = choice->config.effective_owner_check();
    console.note(console.err()(Tone::quiet, check == OwnerCheck::off
                                                ? "statements are not checked against it (fleet.owner_check)"
                                                : "a statement at the wrong database: " +
                                                      std::string(to_string(check)) + " (fleet.owner_check)"));
  }
  const bool wrong =
      std::ranges::any_of(entries, [](const OwnerMap::Entry* entry) { return !entry->contradiction.empty(); });
  return wrong ? ExitCode::failed : ExitCode::ok;
}

}  // namespace switchyard::cli
