#include <switchyard/move/beginning.hpp>

#include <switchyard/move/capture.hpp>
#include <switchyard/move/copying.hpp>
#include <switchyard/move/fence.hpp>
#include <switchyard/move/former_home.hpp>
#include <switchyard/move/refusal.hpp>
#include <switchyard/move/schema_rest.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <random>
#include <string>
#include <vector>

namespace switchyard::inline v0::move {
namespace {

std::string random_tag() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string tag;
  std::random_device random;
  for (int i = 0; i < 8; ++i) tag += kDigits[random() % kDigits.size()];
  return tag;
}

Task<std::vector<std::string>> chosen(Run& run, Transaction& tx) {
  std::vector<std::string> tables = run.options.tables;
  if (!run.options.schema.empty()) tables = co_await tables_of_schema(tx, run.options.schema);
  const DatabaseConfig& to = *run.fleet.config().find(run.to);
  if (tables.empty() && run.options.schema.empty()) {
    for (const std::string& one : *to.tables) {
      const bool there = co_await tx.query_value<bool>("SELECT to_regclass($1) IS NOT NULL", one);
      if (there) tables.push_back(one);
    }
  }
  if (tables.empty()) {
    throw cant("there are no tables to move from '" + run.from + "'",
               "name them, or list them in database." + run.to + ".tables");
  }
  // What goes to a database that this one stands in for goes there as a whole: afterwards nobody looks here.
  if (run.options.stands_in) {
    for (const std::string& one : *to.tables) {
      const bool left = co_await tx.query_value<bool>(
          "SELECT to_regclass($1) IS NOT NULL AND NOT EXISTS (SELECT FROM unnest($2::text[]) t WHERE"
          " to_regclass(t) = to_regclass($1))",
          one, tables);
      if (left) {
        throw cant(
            "'" + one + "' belongs to '" + run.to + "' as well and would be left behind in '" + run.from + "'",
            "move all of them at once: leave the names away");
      }
    }
  }
  co_return tables;
}

/// They are made again when the rows are there.
Task<void> drop_foreign_keys(Run& run, Transaction& tx) {
  for (const std::string& statement : co_await tx.query<std::string>(
           "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint"
           " WHERE contype = 'f' AND conparentid = 0 AND conrelid IN (SELECT to_regclass(n) FROM "
           "unnest($1::text[]) n)",
           run.plan().names())) {
    co_await tx.script(statement);
  }
}

/// True: the tables are there already, empty and of the same shape.
Task<bool> compare_existing(Run& run, Transaction& tx) {
  std::size_t found = 0;
  const std::vector<std::string> shapes = co_await read_shapes(tx, run.plan());
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const TablePlan& table = run.plan().tables[i];
    const std::string& shape = shapes[i];
    if (shape.empty()) continue;
    ++found;
    if (shape != table.shape) {
      throw cant(table.shown() + " is in '" + run.to + "' with other columns (" + shape + ") than in '" + run.from +
                     "' (" + table.shape + ")",
                 "make them equal, or drop the empty one: the move makes it");
    }
    const bool rows = co_await tx.query_value<bool>("SELECT EXISTS (SELECT FROM " + table.qualified() + ")");
    if (rows) {
      throw cant(table.shown() + " holds rows in '" + run.to + "' already",
                 "look whose they are; the move only fills an empty table");
    }
  }
  if (found != 0 && found != run.plan().tables.size()) {
    throw cant("some of the tables are in '" + run.to + "' already, and some are not",
               "make all of them there, or none");
  }
  co_return found != 0;
}

/// Types and functions may be there; the rest must not.
Task<void> make_missing(Transaction& tx, const std::vector<std::string>& statements) {
  for (const std::string& statement : statements) {
    const bool shared = statement.starts_with("CREATE TYPE") || statement.starts_with("CREATE DOMAIN");
    if (!shared) {
      co_await tx.script(statement);
      continue;
    }
    const auto made = co_await as_result(in_savepoint(tx, statement));
    if (!made.ok() && made.error().sqlstate() != "42710") throw made.error();
  }
}

}  // namespace

Task<void> begin(Run& run) {
  SourceRecord fresh;
  fresh.plan.name = run.name();
  fresh.plan.tag = random_tag();
  fresh.plan.from = run.from;
  fresh.plan.to = run.to;
  fresh.plan.from_place = run.place_of(run.from);
  fresh.plan.to_place = run.place_of(run.to);
  std::vector<std::string> extensions;
  co_await run.source().transaction([&](Transaction& tx) -> Task<void> {
    const auto tables = co_await chosen(run, tx);
    const std::string& schema = run.options.schema;
    if (!schema.empty()) co_await require_closed(tx, schema);
    fresh.plan.tables = co_await read_tables(tx, tables, schema.empty() ? "" : quote_name(schema));
    if (schema.empty()) co_return;
    extensions = co_await extensions_of_schema(tx, schema);
    for (SequencePlan& sequence : co_await free_sequences(tx, schema)) {
      fresh.plan.tables.front().sequences.push_back(std::move(sequence));
    }
    fresh.plan.dependents = co_await dependents_of_schema(tx, schema);
  });
  co_await run.target().transaction([&](Transaction& tx) -> Task<void> {
    const bool may = co_await tx.query_value<bool>(
        "SELECT has_database_privilege(current_database(), 'CREATE') AND NOT pg_is_in_recovery()");
    if (!may) {
      throw cant("the login at '" + run.to + "' may not make schemas and tables there",
                 "GRANT CREATE ON DATABASE ... TO its role, or connect to the primary");
    }
    for (const std::string& missing : co_await tx.query<std::string>(
             "SELECT n FROM unnest($1::text[]) n WHERE n NOT IN (SELECT extname FROM pg_extension)", extensions)) {
      throw cant("the schema uses the extension " + missing + ", which is not in '" + run.to + "'",
                 "CREATE EXTENSION " + quote_name(missing) + " there first, in the same schema");
    }
  });
  co_await run.with_short_locks(run.source(), [&](Transaction& tx) -> Task<void> {
    co_await run_all(tx, record_ddl());
    co_await insert_source(tx, fresh);
    co_await run_all(tx, capture_statements(fresh.plan));
  });
  run.record = co_await read_source(run.source(), run.name());
  run.step("captured");
}

Task<void> make_structure(Run& run) {
  const Structure structure = co_await structure_of(run);
  co_await run.with_short_locks(run.target(), [&](Transaction& tx) -> Task<void> {
    co_await run_all(tx, record_ddl());
    co_await clear_former_home(run, tx);
    const bool there = co_await compare_existing(run, tx);
    if (!there) {
      co_await tx.script("SET LOCAL check_function_bodies = off");
      (void)co_await make_in_passes(tx, structure.first);
      co_await make_missing(tx, structure.before_copy);
    }
    // Nothing that was logged is older than the log.
    co_await insert_target(tx, run.plan(), !there);
    co_await run_all(tx, fence_functions(run.plan(), not_yet(run.plan())));
    co_await run_all(tx, writes_fence(run.plan()));
    if (there) {
      co_await run_all(tx, triggers_off(run.plan()));
      co_await drop_foreign_keys(run, tx);
    }
  });
  run.copy = co_await read_target(run.target(), run.plan().tag);
  run.step("structure");
}

}  // namespace switchyard::inline v0::move
