#include <switchyard/move/record.hpp>

#include <switchyard/base/error.hpp>

#include <array>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::move {
namespace {

constexpr std::array<std::string_view, 6> kPhases{"captured",  "verified", "switched",
                                                  "returning", "returned", "confirmed"};
constexpr std::array<std::string_view, 5> kCopyPhases{"structure", "indexed", "tied", "opened", "closed"};

template <class Enum, std::size_t N>
Enum parse(const std::array<std::string_view, N>& names, std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  throw Error(ErrorKind::Config, "switchyard.moves holds the unknown phase '" + std::string(text) + "'")
      .with_hint("a newer version of switchyard began this move: use that one");
}

constexpr std::string_view kSources =
    "SELECT name, tag, from_database, to_database, from_place, to_place, phase, done, window_end, seq,"
    " to_char(started_at, 'YYYY-MM-DD HH24:MI:SS'), to_char(changed_at, 'YYYY-MM-DD HH24:MI:SS'), dependents"
    " FROM switchyard.moves WHERE side = 'source' ORDER BY started_at";

using SourceRow =
    std::tuple<std::string, std::string, std::string, std::string, std::string, std::string, std::string,
               std::string, std::string, std::int64_t, std::string, std::string, std::vector<std::string>>;

/// Of a dependent, in the column `dependents`.
constexpr std::size_t kDependentFields = 5;

std::vector<std::string> fields_of(const std::vector<Dependent>& dependents) {
  std::vector<std::string> out;
  for (const Dependent& one : dependents) {
    for (const std::string& text :
         {std::string(1, static_cast<char>(one.kind)), one.schema, one.name, one.arguments, one.head}) {
      out.push_back(text);
    }
  }
  return out;
}

std::vector<Dependent> dependents_of(const std::vector<std::string>& fields) {
  std::vector<Dependent> out;
  for (std::size_t i = 0; i + kDependentFields <= fields.size(); i += kDependentFields) {
    out.push_back({static_cast<Dependent::Kind>(fields[i].front()), fields[i + 1], fields[i + 2], fields[i + 3],
                   fields[i + 4]});
  }
  return out;
}

Task<bool> has_tables(Querier& db) {
  co_return co_await db.query_value<bool>("SELECT to_regclass('switchyard.moves') IS NOT NULL");
}

Task<std::vector<TablePlan>> read_tables_of(Querier& db, const std::string& tag) {
  using Row = std::tuple<std::int32_t, std::string, std::string, std::vector<std::string>, std::vector<std::string>,
                         std::vector<std::string>, std::vector<std::string>, std::vector<std::string>, std::string,
                         std::int64_t, std::int64_t>;
  std::vector<TablePlan> tables;
  for (auto& [number, schema, name, columns, changed, key, sequences, triggers, shape, bytes, rows] :
       co_await db.query<Row>(
           "SELECT number, schema_name, table_name, columns, changed, key, sequences, triggers, shape, bytes, rows"
           " FROM switchyard.move_tables WHERE tag = $1 ORDER BY number",
           tag)) {
    TablePlan table;
    table.number = number;
    table.schema = schema;
    table.name = name;
    table.columns = columns;
    table.changed = changed;
    table.key = key;
    for (std::size_t i = 0; i + 3 < sequences.size(); i += 4) {
      table.sequences.push_back({sequences[i], sequences[i + 1], sequences[i + 2], sequences[i + 3] == "t"});
    }
    for (std::size_t i = 0; i + 1 < triggers.size(); i += 2)
      table.triggers.push_back({triggers[i], triggers[i + 1]});
    table.shape = shape;
    table.bytes = bytes;
    table.rows = rows;
    tables.push_back(std::move(table));
  }
  co_return tables;
}

Task<void> insert_tables(Transaction& tx, const MovePlan& plan) {
  for (const TablePlan& table : plan.tables) {
    std::vector<std::string> sequences;
    for (const SequencePlan& one : table.sequences) {
      for (const std::string& text : {one.schema, one.name, one.options, std::string(one.identity ? "t" : "f")}) {
        sequences.push_back(text);
      }
    }
    std::vector<std::string> triggers;
    for (const TriggerState& one : table.triggers) {
      triggers.push_back(one.name);
      triggers.push_back(one.enabled);
    }
    co_await tx.execute(
        "INSERT INTO switchyard.move_tables (tag, number, schema_name, table_name, columns, changed, key, "
        "sequences, "
        "triggers,"
        " shape, bytes, rows) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        plan.tag, table.number, table.schema, table.name, table.columns, table.changed, table.key, sequences,
        triggers, table.shape, table.bytes, table.rows);
  }
}

}  // namespace

std::string_view to_string(Phase phase) noexcept { return kPhases[static_cast<std::size_t>(phase)]; }
std::string_view to_string(CopyPhase phase) noexcept { return kCopyPhases[static_cast<std::size_t>(phase)]; }

const std::vector<std::string>& record_ddl() {
  static const std::vector<std::string> kDdl{
      "CREATE SCHEMA IF NOT EXISTS switchyard",
      "CREATE TABLE IF NOT EXISTS switchyard.moves (tag text PRIMARY KEY, side text NOT NULL, name text NOT NULL,"
      " from_database text NOT NULL, to_database text NOT NULL, from_place text NOT NULL, to_place text NOT NULL,"
      " phase text NOT NULL, made_tables boolean NOT NULL DEFAULT false, done text NOT NULL DEFAULT '',"
      " window_end text NOT NULL DEFAULT '', seq bigint NOT NULL DEFAULT 0,"
      " dependents text[] NOT NULL DEFAULT '{}',"
      " started_at timestamptz NOT NULL DEFAULT now(), changed_at timestamptz NOT NULL DEFAULT now(),"
      " UNIQUE (side, name))",
      "CREATE TABLE IF NOT EXISTS switchyard.move_tables (tag text, number int, schema_name text NOT NULL,"
      " table_name text NOT NULL, columns text[] NOT NULL, changed text[] NOT NULL, key text[] NOT NULL, sequences "
      "text[] NOT NULL,"
      " triggers text[] NOT NULL, shape text NOT NULL, bytes bigint NOT NULL, rows bigint NOT NULL,"
      " snapshot text, PRIMARY KEY (tag, number))"};
  return kDdl;
}

Task<std::vector<SourceRecord>> read_sources(Querier& db) {
  std::vector<SourceRecord> out;
  const bool there = co_await has_tables(db);
  if (!there) co_return out;
  for (const SourceRow& row : co_await db.query<SourceRow>(kSources)) {
    SourceRecord record;
    const auto& [name, tag, from, to, from_place, to_place, phase, done, window, seq, started, changed,
                 dependents] = row;
    record.plan.name = name;
    record.plan.tag = tag;
    record.plan.from = from;
    record.plan.to = to;
    record.plan.from_place = from_place;
    record.plan.to_place = to_place;
    record.plan.dependents = dependents_of(dependents);
    record.phase = parse<Phase>(kPhases, phase);
    record.back = {done, window, seq};
    record.started_at = started;
    record.changed_at = changed;
    record.plan.tables = co_await read_tables_of(db, tag);
    out.push_back(std::move(record));
  }
  co_return out;
}

Task<std::optional<SourceRecord>> read_source(Querier& db, std::string name) {
  for (SourceRecord& record : co_await read_sources(db)) {
    if (record.plan.name == name) co_return std::move(record);
  }
  co_return std::nullopt;
}

Task<std::optional<TargetRecord>> read_target(Querier& db, std::string tag) {
  const bool there = co_await has_tables(db);
  if (!there) co_return std::nullopt;
  const auto row = co_await db.query_optional<
      std::tuple<std::string, bool, std::string, std::string, std::int64_t>>(
      "SELECT phase, made_tables, done, window_end, seq FROM switchyard.moves WHERE tag = $1 AND side = 'target'",
      tag);
  if (!row) co_return std::nullopt;
  TargetRecord record;
  const auto& [phase, made, done, window, seq] = *row;
  record.phase = parse<CopyPhase>(kCopyPhases, phase);
  record.made_tables = made;
  record.position = {done, window, seq};
  for (const auto& [number, snapshot] : co_await db.query<std::tuple<std::int32_t, std::string>>(
           "SELECT number, snapshot FROM switchyard.move_tables WHERE tag = $1 AND snapshot IS NOT NULL", tag)) {
    record.copied[number] = snapshot;
  }
  co_return record;
}

Task<void> insert_source(Transaction& tx, const SourceRecord& record) {
  const MovePlan& plan = record.plan;
  co_await tx.execute(
      "INSERT INTO switchyard.moves (tag, side, name, from_database, to_database, from_place, to_place, phase,"
      " done, dependents) VALUES ($1, 'source', $2, $3, $4, $5, $6, $7, $8, $9)",
      plan.tag, plan.name, plan.from, plan.to, plan.from_place, plan.to_place, std::string(to_string(record.phase)),
      record.back.done, fields_of(plan.dependents));
  co_await insert_tables(tx, plan);
}

Task<void> set_phase(Querier& tx, const std::string& tag, Phase phase) {
  co_await tx.execute("UPDATE switchyard.moves SET phase = $2, changed_at = now() WHERE tag = $1", tag,
                      std::string(to_string(phase)));
}

Task<void> insert_target(Transaction& tx, const MovePlan& plan, bool made_tables) {
  co_await tx.execute(
      "INSERT INTO switchyard.moves (tag, side, name, from_database, to_database, from_place, to_place, phase,"
      " made_tables, done) VALUES ($1, 'target', $2, $3, $4, $5, $6, $7, $8, $9)",
      plan.tag, plan.name, plan.from, plan.to, plan.from_place, plan.to_place,
      std::string(to_string(CopyPhase::structure)), made_tables, Position().done);
  co_await insert_tables(tx, plan);
}

Task<void> set_phase(Querier& tx, const std::string& tag, CopyPhase phase) {
  co_await tx.execute("UPDATE switchyard.moves SET phase = $2, changed_at = now() WHERE tag = $1", tag,
                      std::string(to_string(phase)));
}

Task<void> set_copied(Querier& tx, const std::string& tag, std::int32_t table, const std::string& snapshot) {
  co_await tx.execute("UPDATE switchyard.move_tables SET snapshot = $3 WHERE tag = $1 AND number = $2", tag, table,
                      snapshot);
}

Task<void> set_position(Querier& tx, const std::string& tag, const Position& position) {
  co_await tx.execute(
      "UPDATE switchyard.moves SET done = $2, window_end = $3, seq = $4, changed_at = now() WHERE tag = $1", tag,
      position.done, position.window, position.seq);
}

Task<void> remove_records(Querier& tx, const std::string& tag) {
  co_await tx.execute("DELETE FROM switchyard.move_tables WHERE tag = $1", tag);
  co_await tx.execute("DELETE FROM switchyard.moves WHERE tag = $1", tag);
}

}  // namespace switchyard::inline v0::move
