// What scripts say about who owns which table.
#include <switchyard/schema/owner_claims.hpp>
#include <switchyard/sql/facts_text.hpp>

#include <gtest/gtest.h>

namespace switchyard::schema {
namespace {

std::string claimed(std::initializer_list<std::string_view> scripts) {
  std::vector<fleet::OwnerClaim> claims;
  for (const std::string_view script : scripts) add_owner_claims("main", "V1.sql", script, claims);
  std::string out;
  for (const auto& one : claims) out += (out.empty() ? "" : " ") + sql::to_string(one.table);
  return out;
}

TEST(OwnerClaims, AScriptClaimsWhatItMakes) {
  EXPECT_EQ(
      claimed({"CREATE TABLE users (id int REFERENCES other);\ncreate table if not exists App.Orders (id int);",
               "CREATE UNLOGGED TABLE fast(); CREATE OR REPLACE VIEW v AS SELECT 1;"
               "CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT 1; CREATE TABLE \"Big One\" (a int)"}),
      "users app.orders fast v m \"Big One\"");
}

TEST(OwnerClaims, TemporaryTablesFunctionsAndPlaceholdersClaimNothing) {
  EXPECT_EQ(claimed({"CREATE TEMP TABLE a (); CREATE TABLE ${schema}.b (); CREATE INDEX i ON c (a);"
                     "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ CREATE TABLE d () $$; SELECT 1"}),
            "");
}

TEST(OwnerClaims, LaterScriptsDropAndRename) {
  EXPECT_EQ(
      claimed({"CREATE TABLE a (); CREATE TABLE b (); CREATE TABLE c (); CREATE TABLE d ();",
               "DROP TABLE IF EXISTS a, b CASCADE; ALTER TABLE ONLY c RENAME TO e; ALTER TABLE d SET SCHEMA app"}),
      "e app.d");
  EXPECT_EQ(claimed({"CREATE TABLE a ();", "ALTER TABLE a RENAME COLUMN b TO c"}), "a");
}

TEST(OwnerClaims, TheLineIsNamed) {
  std::vector<fleet::OwnerClaim> claims;
  add_owner_claims("main", "migrations/main/V1__a.sql", "-- first\n\nCREATE TABLE a ();", claims);
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_EQ(claims[0].where, "migrations/main/V1__a.sql:3");
}

}  // namespace
}  // namespace switchyard::schema
