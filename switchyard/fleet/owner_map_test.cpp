// Which database a statement belongs to, and what a transaction may write.
#include <switchyard/config/load.hpp>
#include <switchyard/fleet/owner_map.hpp>
#include <switchyard/fleet/write_unit.hpp>
#include <switchyard/sql/parser.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace switchyard::fleet {
namespace {

FleetConfig config_of(const std::string& databases) {
  Sources sources;
  sources.file = "fleet.toml";
  sources.file_text = "[fleet]\napplication = \"test\"\n" + databases;
  return load_config(sources).value_or_throw();
}

constexpr const char* kTwo =
    "[database.main]\ndsn = \"postgresql://a/a\"\n[database.reference]\ndsn = \"postgresql://b/b\"\n";

OwnerClaim made(std::string database, std::string table) {
  return {parse_table_name(table), database, OwnerSource::migration, "migrations/" + database + "/V1__a.sql:1"};
}

OwnerMap::Verdict judged(const OwnerMap& map, std::string_view database, std::string_view sql) {
  return map.judge(database, sql::Parser::of_process().analyse_now(sql));
}

TEST(OwnerMap, AStatementAtTheWrongDatabaseIsToldTheRightOne) {
  const OwnerMap map(config_of(kTwo), {made("main", "users"), made("reference", "dc_customs")});
  EXPECT_TRUE(judged(map, "main", "SELECT * FROM users").ok());
  for (const char* sql : {"SELECT * FROM users", "INSERT INTO users VALUES (1)", "UPDATE public.users SET id = 1",
                          "SELECT 1 WHERE EXISTS (SELECT FROM Users)", "COPY users FROM STDIN"}) {
    const auto verdict = judged(map, "reference", sql);
    EXPECT_EQ(verdict.problem, std::string("'") +
                                   (std::string_view(sql).contains("public.") ? "public.users" : "users") +
                                   "' belongs to 'main', not to 'reference'")
        << sql;
    EXPECT_NE(verdict.hint.find("send the statement to 'main'"), std::string::npos) << verdict.hint;
    EXPECT_NE(verdict.hint.find("migrations/main/V1__a.sql:1"), std::string::npos) << verdict.hint;
  }
}

TEST(OwnerMap, AJoinAcrossTwoDatabasesIsForTheApplication) {
  const OwnerMap map(config_of(kTwo), {made("main", "users"), made("reference", "dc_customs")});
  const auto verdict = judged(map, "main", "SELECT * FROM users JOIN dc_customs ON true");
  EXPECT_EQ(verdict.problem, "'dc_customs' belongs to 'reference', not to 'main'");
  EXPECT_NE(verdict.hint.find("join in the application"), std::string::npos) << verdict.hint;
}

TEST(OwnerMap, WhatNobodyClaimsAndWhatIsTheServersMayBeUsedAnywhere) {
  const OwnerMap map(config_of(kTwo), {made("main", "users"), made("main", "outbox"), made("reference", "outbox")});
  for (const char* sql : {"SELECT 1", "SELECT * FROM nobody_knows", "SELECT * FROM pg_class", "SELECT now()",
                          "SELECT * FROM information_schema.tables", "SELECT * FROM switchyard.ownership",
                          "INSERT INTO outbox VALUES (1)", "WITH users AS (SELECT 1) SELECT * FROM users"}) {
    EXPECT_TRUE(judged(map, "reference", sql).ok()) << sql << judged(map, "reference", sql).problem;
  }
}

TEST(OwnerMap, TheFleetFileIsStrongerThanMigrationsAndTheContradictionIsNamed) {
  const OwnerMap map(config_of(std::string(kTwo) + "tables = [\"events\", \"app.Facts\"]\n"),
                     {made("main", "events"), made("main", "users")});
  EXPECT_TRUE(judged(map, "reference", "SELECT * FROM events").ok());
  EXPECT_FALSE(judged(map, "main", "SELECT * FROM events").ok());
  EXPECT_FALSE(judged(map, "main", "SELECT * FROM app.facts").ok());
  std::string contradiction;
  for (const auto& entry : map.entries()) contradiction += entry.contradiction;
  EXPECT_NE(contradiction.find("migrations/main/V1__a.sql:1 makes it for 'main'"), std::string::npos)
      << contradiction;
}

TEST(OwnerMap, TwoDatabasesOfTheFleetFileCantOwnOneTable) {
  const OwnerMap map(config_of("[database.main]\ndsn = \"postgresql://a/a\"\ntables = [\"t\"]\n"
                               "[database.reference]\ndsn = \"postgresql://b/b\"\ntables = [\"t\"]\n"),
                     {});
  ASSERT_EQ(map.entries().size(), 1u);
  EXPECT_EQ(map.entries()[0].contradiction,
            "the fleet file gives it to 'main' and 'reference': leave it with one of them");
}

TEST(OwnerMap, ASchemaOfADatabaseIsItsOwn) {
  const OwnerMap map(config_of("[database.commerce]\ndsn = \"postgresql://a/erp\"\nschema = \"commerce_schema\"\n"
                               "[database.finance]\ndsn = \"postgresql://a/erp\"\nschema = \"finance_schema\"\n"),
                     {made("finance", "invoices"), made("commerce", "orders"), made("finance", "notes"),
                      made("commerce", "notes")});
  EXPECT_TRUE(judged(map, "finance", "SELECT * FROM invoices").ok());
  EXPECT_TRUE(judged(map, "finance", "SELECT * FROM notes").ok());
  EXPECT_TRUE(judged(map, "finance", "SELECT * FROM finance_schema.anything").ok());
  EXPECT_EQ(judged(map, "commerce", "SELECT * FROM finance_schema.anything").problem,
            "'finance_schema.anything' belongs to 'finance', not to 'commerce'");
  EXPECT_EQ(judged(map, "commerce", "UPDATE invoices SET paid = true").problem,
            "'invoices' belongs to 'finance', not to 'commerce'");
}

TEST(OwnerMap, WritesAreWhatChangesRowsOrStructure) {
  const auto writes = [](const char* sql) { return writes_data(sql::Parser::of_process().analyse_now(sql)); };
  for (const char* sql : {"INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "DELETE FROM t", "TRUNCATE t",
                          "WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x", "CREATE TABLE t (a int)"}) {
    EXPECT_TRUE(writes(sql)) << sql;
  }
  for (const char* sql : {"SELECT * FROM t", "SELECT * FROM t FOR UPDATE", "SET a.b = 1", "BEGIN", "LISTEN x",
                          "INSERT INTO switchyard.commit_markers VALUES (1)", "not sql"}) {
    EXPECT_FALSE(writes(sql)) << sql;
  }
}

TEST(WriteUnit, TwoOpenTransactionsMayNotBothWrite) {
  WriteUnit unit;
  const auto main = unit.begin("main");
  EXPECT_FALSE(unit.write(main, "main", "INSERT INTO orders VALUES (?)"));
  EXPECT_FALSE(unit.write(main, "main", "UPDATE orders SET a = ?"));
  const auto other = unit.begin("reference");
  const auto conflict = unit.write(other, "reference", "INSERT INTO log VALUES (?)");
  ASSERT_TRUE(conflict);
  EXPECT_EQ(
      conflict->problem,
      "one transaction would write to two databases, 'main' and 'reference', which can't commit together; last "
      "statements: main: INSERT INTO orders VALUES (?); main: UPDATE orders SET a = ?; reference: INSERT INTO "
      "log VALUES (?)");
  EXPECT_NE(conflict->hint.find("saga"), std::string::npos);
}

TEST(WriteUnit, AStatementOnItsOwnInsideAnotherDatabasesTransactionCounts) {
  WriteUnit unit;
  const auto main = unit.begin("main");
  EXPECT_FALSE(unit.write(std::nullopt, "reference", "INSERT INTO log VALUES (?)"));
  EXPECT_TRUE(unit.write(main, "main", "INSERT INTO orders VALUES (?)"))
      << "it could not be rolled back with this one";
}

TEST(WriteUnit, OneAfterTheOtherAndManyOnOneDatabaseAreFine) {
  WriteUnit unit;
  const auto main = unit.begin("main");
  EXPECT_FALSE(unit.write(main, "main", "a"));
  EXPECT_FALSE(unit.write(std::nullopt, "main", "b"));
  unit.end(main);
  const auto other = unit.begin("reference");
  EXPECT_FALSE(unit.write(other, "reference", "c"));
  unit.end(other);
  EXPECT_FALSE(unit.write(std::nullopt, "main", "d"));
}

}  // namespace
}  // namespace switchyard::fleet
