// Verdicts on statements in a real catalogue: sql/testdata/verdicts/*.txt, in a database made by fixture.sql.
//
// With SWITCHYARD_WRITE_VERDICTS set, the verdicts are written into the files instead: for new cases; read what was
// written. Whether a statement shares is never taken from there: the name of its file says it.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/catalogue_reading.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/sql/allow_list.hpp>
#include <switchyard/sql/parser.hpp>
#include <switchyard/sql/verdict.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace switchyard {
namespace {

using embedded::TestDatabase;

const std::filesystem::path kFolder = SWITCHYARD_SOURCE_DIR "/switchyard/sql/testdata/verdicts";

std::string text_of_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TestDatabase fixture() {
  static const std::string sql = text_of_file(kFolder / "fixture.sql");
  return TestDatabase::with(sql);
}

/// The catalogue of a database, read as a tool reads it.
std::shared_ptr<const sql::CatalogueSnapshot> read(const TestDatabase& database, sql::SafeNames safe = {}) {
  Sources sources;
  sources.file = "test.toml";
  sources.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + database.endpoint().uri() +
                      "\"\n[database.reference]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n"
                      "[database.analytics]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n";
  runtime::Shard shard;
  return shard.run_until_complete(
      [](FleetConfig config, sql::SafeNames names) -> Task<std::shared_ptr<const sql::CatalogueSnapshot>> {
        auto fleet = Fleet::open(std::move(config)).value_or_throw();
        std::shared_ptr<const sql::CatalogueSnapshot> snapshot;
        {
          Lease lease = co_await fleet->database("main").value_or_throw().lease();
          Result<fleet::CatalogueReading> reading = co_await fleet::read_catalogue(lease, std::move(names));
          snapshot = std::move(reading).value_or_throw().snapshot;
        }
        co_await fleet->close();
        co_return snapshot;
      }(load_config(sources).value_or_throw(), std::move(safe)));
}

sql::Verdict judge(std::string_view statement, const sql::CatalogueSnapshot& catalogue) {
  return sql::judge(sql::Parser::of_process().analyse_now(statement), &catalogue);
}

std::string text_of(const sql::Verdict& verdict) {
  std::string out = verdict.may_share ? "shares" : "leased";
  if (verdict.may_share_sync) out += ", also a Sync";
  if (verdict.may_share && !verdict.may_intern) out += ", never interned";
  // The first reason of a statement that shares is always the same.
  for (std::size_t i = verdict.may_share ? 1 : 0; i < verdict.reasons.size(); ++i) out += "\n" + verdict.reasons[i];
  return out + "\n";
}

struct Case {
  std::string remarks, statement, expected;
  std::size_t line = 0;
};

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::vector<Case> cases;
  std::istringstream in(text_of_file(path));
  Case current;
  bool answer = false;
  std::size_t number = 0;
  const auto end = [&] {
    if (!current.statement.empty()) cases.push_back(std::move(current));
    if (current.statement.empty() && !current.remarks.empty()) return;
    current = {};
    answer = false;
  };
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with("##")) {
      current.remarks += line + "\n";
    } else if (line.empty()) {
      end();
    } else if (line == "----") {
      answer = true;
    } else {
      if (current.line == 0) current.line = number;
      (answer ? current.expected : current.statement) += line + "\n";
    }
  }
  end();
  return cases;
}

TEST(CatalogueVerdicts, AreThoseOfTheTables) {
  const TestDatabase database = fixture();
  const auto catalogue = read(database);
  ASSERT_EQ(catalogue->refusal(), "");
  const bool write = std::getenv("SWITCHYARD_WRITE_VERDICTS") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  std::set<std::filesystem::path> tables;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".txt") tables.insert(entry.path());
  }
  std::size_t count = 0;
  for (const std::filesystem::path& path : tables) {
    const bool shares = path.filename().string().starts_with("share");
    std::string written;
    for (const Case& entry : read_cases(path)) {
      ++count;
      const sql::Verdict verdict = judge(entry.statement, *catalogue);
      EXPECT_EQ(verdict.may_share, shares) << path.filename() << ":" << entry.line << "\n"
                                           << entry.statement << text_of(verdict);
      if (!write) {
        EXPECT_EQ(text_of(verdict), entry.expected) << path.filename() << ":" << entry.line << "\n"
                                                    << entry.statement;
      }
      written += entry.remarks + (entry.remarks.empty() ? "" : "\n") + entry.statement + "----\n" +
                 text_of(verdict) + "\n";
    }
    if (write) std::ofstream(path) << written;
  }
  EXPECT_GT(count, 300u);
}

// What runs for callers who share a session, tried on the server: a statement that may share has no transaction
// number, takes no advisory lock, calls no function that somebody made, changes no setting of the functions in the
// fixture and can run where only reads may.
TEST(CatalogueVerdicts, StatementsThatShareLeaveNothingBehind) {
  TestDatabase database = fixture();
  const std::string before = database.query_value("SELECT concat_ws(' ', last_value, is_called) FROM app.counter");
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (!entry.path().filename().string().starts_with("share")) continue;
    for (const Case& one : read_cases(entry.path())) {
      if (one.statement.find('$') != std::string::npos) continue;  // needs parameters
      const auto result = database.server().execute(
          "SET default_transaction_read_only = on; SET track_functions = 'all'; BEGIN; " + one.statement +
              "; SELECT concat_ws(' ', pg_current_xact_id_if_assigned()::text, "
              "(SELECT string_agg(funcname, ',') FROM pg_stat_xact_user_functions WHERE schemaname <> "
              "'pg_catalog'), "
              "(SELECT nullif(count(*), 0) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'), "
              "current_setting('app.x', true), current_setting('app.y', true), current_setting('app.z', true), "
              "current_setting('app.d', true), current_setting('app.c', true), current_setting('app.r', true), "
              "current_setting('app.i', true), current_setting('a.b', true)); COMMIT",
          database.name());
      // PostgreSQL 18 is built without libxml here.
      if (!result.ok() && std::string(result.error().message()).find("XML") != std::string::npos) continue;
      EXPECT_TRUE(result.ok()) << one.statement << (result.ok() ? "" : result.error().what());
      if (!result.ok()) continue;
      EXPECT_EQ(result->rows.at(0).at(0).value_or(""), "") << one.statement;
    }
  }
  EXPECT_EQ(database.query_value("SELECT concat_ws(' ', last_value, is_called) FROM app.counter"), before);
}

TEST(CatalogueVerdicts, AnUnloggedTableIsForThePrimaryOnly) {
  TestDatabase database = fixture();
  database.execute("CREATE VIEW over_scratch AS SELECT * FROM scratch");
  const auto catalogue = read(database);
  for (const char* statement : {"SELECT * FROM scratch", "SELECT * FROM over_scratch"}) {
    EXPECT_TRUE(judge(statement, *catalogue).may_share) << statement;
    EXPECT_FALSE(judge(statement, *catalogue).replica_safe) << statement;
  }
  EXPECT_TRUE(judge("SELECT * FROM customer", *catalogue).replica_safe);
  EXPECT_FALSE(judge("SELECT nextval('app.counter')", *catalogue).replica_safe);
}

TEST(CatalogueVerdicts, WhatTheOwnerDeclaresSafeShares) {
  const TestDatabase database = fixture();
  const auto plain = read(database);
  const auto declared =
      read(database, {.objects = {"app.harmless", "app.valid", "public.remote"}, .extensions = {}});
  for (const char* statement : {"SELECT app.harmless(1)", "SELECT * FROM checked_table", "SELECT * FROM remote"}) {
    EXPECT_FALSE(judge(statement, *plain).may_share) << statement;
    EXPECT_TRUE(judge(statement, *declared).may_share) << statement << text_of(judge(statement, *declared));
  }
  EXPECT_FALSE(judge("SELECT app.sneaky(1)", *declared).may_share);
}

// What extensions add to names of everybody concerns those who use their types: values of citext and hstore can't
// come out of statements that name no such type and read no such column.
TEST(CatalogueVerdicts, AnExtensionConcernsWhoUsesItsTypes) {
  TestDatabase database;
  if (database.query_value("SELECT count(*) FROM pg_available_extensions WHERE name IN ('citext', 'hstore')") !=
      "2") {
    GTEST_SKIP() << "needs the extensions citext and hstore";
  }
  database.execute(
      "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE TABLE plain (id int, name text, j jsonb, tags "
      "text[]);"
      "CREATE TABLE own (name citext, h hstore)");
  const auto catalogue = read(database);
  const auto declared = read(database, {.objects = {}, .extensions = {"citext", "hstore"}});
  for (const char* statement :
       {"SELECT max(name), replace(name, 'a', 'b'), strpos(name, $1) FROM plain WHERE name = 'x' AND name ~ 'y'",
        "SELECT id - 1, j - 'a', j ->> 'a', j || '{}', j ? 'a', tags || name, tags @> $1 FROM plain ORDER BY "
        "name"}) {
    EXPECT_TRUE(judge(statement, *catalogue).may_share) << text_of(judge(statement, *catalogue));
  }
  for (const char* statement : {"SELECT count(*) FROM own", "SELECT name FROM plain WHERE name = 'x'::citext",
                                "SELECT 'a=>1'::hstore -> 'a'", "SELECT citext(name) FROM plain",
                                "SELECT hstore('a', 'b')", "SELECT $1 -> tags FROM plain",
                                "SELECT $1 -> tags FROM plain", "SELECT p.citext FROM (SELECT 'a'::text) p (x)"}) {
    EXPECT_FALSE(judge(statement, *catalogue).may_share) << statement;
    EXPECT_TRUE(judge(statement, *declared).may_share) << text_of(judge(statement, *declared));
  }
}

TEST(AllowListOnServer, HasTheFunctionsOfThisVersion) {
  TestDatabase database;
  const auto rows = database.execute(
      "SELECT p.oid, p.proname, p.proargtypes, l.lanname, p.prosrc FROM pg_proc p JOIN pg_language l ON l.oid = "
      "p.prolang WHERE p.oid < 10000 AND p.pronamespace = 'pg_catalog'::regnamespace");
  std::set<std::uint32_t> listed;
  for (const sql::AllowedFunction& entry : sql::allowed_functions()) listed.insert(entry.oid);
  constexpr const char* kInternal = "2281";
  std::size_t found = 0;
  for (const auto& row : rows.rows) {
    const auto oid = static_cast<std::uint32_t>(std::stoul(*row[0]));
    // The inner functions of aggregates change between versions; only the server calls them.
    if (!listed.contains(oid) || row[2]->find(kInternal) != std::string::npos) continue;
    ++found;
    EXPECT_NE(sql::find_allowed(oid, sql::function_fingerprint(*row[1], *row[2], *row[3], *row[4])), nullptr)
        << *row[1] << "(" << *row[2] << ")";
  }
  constexpr std::size_t kOfAnotherVersion = 250;
  EXPECT_GT(found + kOfAnotherVersion, listed.size());
}

TEST(AllowListOnServer, NoFunctionLeavesAnythingBehindWhenItIsCalled) {
  TestDatabase database;
  std::string oids;
  for (const sql::AllowedFunction& entry : sql::allowed_functions()) {
    if ((entry.flags & sql::AllowedFunction::type_io) != 0) continue;  // no statement calls it
    oids += (oids.empty() ? "" : ",") + std::to_string(entry.oid);
  }
  std::string calls = text_of_file(kFolder.parent_path() / "allow_list_calls.sql");
  constexpr std::string_view kPlace = "{@oids@}";
  calls.replace(calls.find(kPlace), kPlace.size(), "{" + oids + "}");
  const auto result = database.execute(
      "BEGIN READ ONLY; " + calls +
      "; COMMIT; SELECT current_setting('test.bad'), current_setting('test.done')::int > 1500,"
      " (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM pg_cursors WHERE is_holdable) +"
      " (SELECT count(*) FROM pg_listening_channels()) + (SELECT count(*) FROM pg_locks WHERE locktype = "
      "'advisory'),"
      " (SELECT string_agg(name, ' ') FROM pg_settings WHERE source = 'session' AND name NOT IN"
      " ('transaction_read_only', 'transaction_isolation', 'transaction_deferrable'))");
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.rows[0][0].value_or(""), "");
  EXPECT_EQ(result.rows[0][1].value_or(""), "t") << "most calls should give an answer";
  EXPECT_EQ(result.rows[0][2].value_or(""), "0");
  EXPECT_EQ(result.rows[0][3].value_or(""), "");
}

// A superuser may replace a built-in function: the OID stays.
TEST(AllowListOnServer, AReplacedBuiltInFunctionIsLeased) {
  TestDatabase database;
  database.execute(
      "CREATE OR REPLACE FUNCTION pg_catalog.initcap(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS "
      "$$ SELECT set_config('a.b', $1, false) $$");
  const auto catalogue = read(database);
  EXPECT_FALSE(judge("SELECT initcap('x')", *catalogue).may_share);
  EXPECT_TRUE(judge("SELECT lower('x')", *catalogue).may_share);
}

// Casts, operator classes and encodings that any statement could meet.
TEST(CatalogueVerdicts, ADatabaseWithAnImplicitCastBetweenBuiltInTypesSharesNothing) {
  TestDatabase database;
  database.execute(
      "CREATE FUNCTION int_of(text) RETURNS int LANGUAGE sql AS $$ SELECT set_config('a.b', $1, false)::int $$;"
      "CREATE CAST (text AS int) WITH FUNCTION int_of(text) AS IMPLICIT");
  const sql::Verdict verdict = judge("SELECT 1", *read(database));
  EXPECT_FALSE(verdict.may_share);
  EXPECT_EQ(verdict.reasons.at(0), "any statement may use it: the cast from text to int4 calls public.int_of()");
}

TEST(CatalogueVerdicts, AnExplicitCastBetweenBuiltInTypesConcernsWhoCasts) {
  TestDatabase database;
  database.execute(
      "CREATE FUNCTION uuid_of(bigint) RETURNS uuid LANGUAGE sql AS $$ SELECT set_config('a.b', 'c', false)::uuid "
      "$$;"
      "CREATE CAST (bigint AS uuid) WITH FUNCTION uuid_of(bigint); CREATE DOMAIN key AS uuid");
  const auto catalogue = read(database);
  EXPECT_TRUE(judge("SELECT 1::bigint", *catalogue).may_share);
  for (const char* statement : {"SELECT 1::bigint::uuid", "SELECT CAST($1 AS uuid[])", "SELECT 1::bigint::key",
                                "SELECT uuid(1::bigint)", "SELECT (n).uuid FROM (SELECT 1::bigint) t (n)"}) {
    EXPECT_FALSE(judge(statement, *catalogue).may_share) << statement;
  }
}

TEST(CatalogueVerdicts, ADefaultOperatorClassOfABuiltInTypeConcernsEverybody) {
  TestDatabase database;
  database.execute(
      "CREATE FUNCTION compare(json, json) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
      "$$ BEGIN PERFORM set_config('a.b', 'c', false); RETURN 0; END $$;"
      "CREATE FUNCTION less(json, json) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT compare($1, $2) < 0 $$;"
      "CREATE OPERATOR < (LEFTARG = json, RIGHTARG = json, FUNCTION = less);"
      "CREATE OPERATOR CLASS json_order DEFAULT FOR TYPE json USING btree AS OPERATOR 1 <, FUNCTION 1 "
      "compare(json, json)");
  EXPECT_FALSE(judge("SELECT DISTINCT j FROM (SELECT json '1') t (j)", *read(database)).may_share);
}

}  // namespace
}  // namespace switchyard
