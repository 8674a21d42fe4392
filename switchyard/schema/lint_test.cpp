// What is said about scripts before they run.
#include <switchyard/schema/lint.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace schema;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAreArray;

std::vector<std::string> rules(std::string_view text, LintOptions options = {}) {
  std::set<std::string> known;
  std::vector<std::string> found;
  for (const LintFinding& one : judge_script(text, known, options).findings) {
    EXPECT_FALSE(one.safe.empty()) << one.rule;
    found.push_back(one.rule);
  }
  return found;
}

std::vector<std::string> locks(std::string_view text) {
  std::set<std::string> known;
  std::vector<std::string> found;
  for (const StatementPlan& one : judge_script(text, known).statements) {
    found.insert(found.end(), one.locks.begin(), one.locks.end());
  }
  return found;
}

TEST(Lint, NamesWhatHurtsThoseWhoUseATable) {
  const std::pair<std::string_view, std::vector<std::string>> table[] = {
      {"CREATE INDEX i ON t (a)", {"require-concurrent-index-creation"}},
      {"CREATE INDEX CONCURRENTLY i ON t (a)", {"ban-concurrent-index-creation-in-transaction"}},
      {"DROP INDEX i", {"require-concurrent-index-deletion"}},
      {"REINDEX TABLE t", {"require-concurrent-reindex"}},
      {"ALTER TABLE t ADD a text", {}},
      {"ALTER TABLE t ADD a text DEFAULT 'x'", {}},
      {"ALTER TABLE t ADD a timestamptz NOT NULL DEFAULT now()", {}},
      {"ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()", {"adding-field-with-default"}},
      {"ALTER TABLE t ADD a text NOT NULL", {"adding-required-field"}},
      {"ALTER TABLE t ADD a bigint GENERATED ALWAYS AS IDENTITY", {"adding-serial-primary-key-field"}},
      {"ALTER TABLE t ADD a bigint GENERATED ALWAYS AS (b + 1) STORED", {"adding-field-with-default"}},
      {"ALTER TABLE t ADD a bigint REFERENCES o", {"adding-foreign-key-constraint"}},
      {"ALTER TABLE t ADD a text UNIQUE", {"disallowed-unique-constraint"}},
      {"ALTER TABLE t ADD a text CHECK (a <> '')", {"constraint-missing-not-valid"}},
      {"ALTER TABLE t ALTER a SET NOT NULL", {"adding-not-nullable-field"}},
      {"ALTER TABLE t ALTER a TYPE bigint", {"changing-column-type"}},
      {"ALTER TABLE t ALTER a SET DEFAULT 1", {}},
      {"ALTER TABLE t ALTER a DROP NOT NULL", {"ban-drop-not-null"}},
      {"ALTER TABLE t DROP a", {"ban-drop-column"}},
      {"ALTER TABLE t RENAME a TO b", {"renaming-column"}},
      {"ALTER TABLE t RENAME TO u", {"renaming-table"}},
      {"ALTER SCHEMA s RENAME TO u", {"renaming-object"}},
      {"ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", {"constraint-missing-not-valid"}},
      {"ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", {}},
      {"ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES o",
       {"adding-foreign-key-constraint", "constraint-missing-not-valid"}},
      {"ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
       {"validating-in-same-transaction"}},
      {"ALTER TABLE t VALIDATE CONSTRAINT c", {}},
      {"ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)", {"disallowed-unique-constraint"}},
      {"ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i", {}},
      {"ALTER TABLE t ADD PRIMARY KEY (a)", {"adding-serial-primary-key-field"}},
      {"ALTER TABLE t ADD EXCLUDE USING gist (a WITH &&)", {"adding-exclusion-constraint"}},
      {"ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1)", {"require-concurrent-partition-attach"}},
      {"ALTER TABLE t DETACH PARTITION p", {"require-concurrent-partition-detach"}},
      {"ALTER TABLE t SET LOGGED", {"rewriting-table"}},
      {"DROP TABLE t", {"ban-drop-table"}},
      {"DROP DATABASE d", {"ban-drop-database"}},
      {"TRUNCATE t CASCADE", {"ban-truncate-cascade"}},
      {"UPDATE t SET a = 1", {"rewriting-table"}},
      {"ALTER TABLE t ADD a text; UPDATE t SET a = 'x' WHERE a IS NULL", {"backfill-in-schema-transaction"}},
      {"LOCK TABLE t", {"locking-table"}},
      {"VACUUM FULL t", {"rewriting-table"}},
      {"CLUSTER t USING i", {"rewriting-table"}},
      {"REFRESH MATERIALIZED VIEW v", {"require-concurrent-refresh"}},
      {"REFRESH MATERIALIZED VIEW CONCURRENTLY v", {}},
      {"CREATE DOMAIN d AS text CHECK (value <> '')", {"ban-create-domain-with-constraint"}},
      {"ALTER DOMAIN d ADD CHECK (value <> '')", {"ban-alter-domain-with-add-constraint"}},
      {"ALTER TYPE e ADD VALUE 'x'", {"enum-value-in-transaction", "require-enum-value-ordering"}},
      {"ALTER TYPE e ADD VALUE 'x' AFTER 'y'", {"enum-value-in-transaction"}},
      {"CREATE TABLE n (a char(3), b varchar(9), c int, d smallint, e serial, f timestamp, g json, h text)",
       {"ban-char-field", "prefer-text-field", "prefer-bigint-over-int", "prefer-bigint-over-smallint",
        "prefer-identity", "prefer-bigint-over-int", "prefer-timestamp-tz", "adding-json-column"}},
      {"ALTER TABLE t DROP CONSTRAINT c", {"ban-drop-constraint"}},
      {"ALTER TABLE t ALTER a DROP DEFAULT", {"ban-drop-default"}},
      {"ALTER TABLE t ALTER a SET DEFAULT 0", {}},
      {"ALTER TABLE t ALTER a TYPE varchar(20)", {"changing-column-type", "prefer-text-field"}},
      {"ALTER TABLE t SET SCHEMA s", {"ban-set-schema"}},
      {"ALTER TABLE t RENAME CONSTRAINT c TO d", {"renaming-object"}},
      {"ALTER VIEW v RENAME TO w", {"renaming-object"}},
      {"ALTER INDEX i RENAME TO j", {"renaming-object"}},
      {"ALTER TYPE e RENAME VALUE 'x' TO 'y'", {"renaming-object"}},
      {"DROP SCHEMA s CASCADE", {"ban-drop-schema"}},
      {"DROP VIEW v", {"ban-drop-view"}},
      {"DROP TYPE e", {"ban-drop-type"}},
      {"DROP FUNCTION f(int)", {"ban-drop-function"}},
      {"DROP PROCEDURE p(int)", {"ban-drop-function"}},
      {"DROP SEQUENCE s", {"ban-drop-sequence"}},
      {"ALTER TABLE t ALTER a DROP EXPRESSION", {"ban-drop-generated-expression"}},
      {"ALTER TABLE t ALTER a ADD GENERATED ALWAYS AS IDENTITY", {"ban-alter-identity"}},
      {"ALTER TABLE t ALTER a DROP IDENTITY", {"ban-alter-identity"}},
      {"CREATE TABLE n (a smallserial)", {"prefer-identity", "prefer-bigint-over-smallint"}},
      {"ALTER TABLE t ADD a bigint DEFAULT 1 + 2", {}},
      {"ALTER TABLE t ADD a timestamptz DEFAULT now() + interval '1 day'", {}},
      {"ALTER TABLE t ADD a double precision DEFAULT 1 + random()", {"adding-field-with-default"}},
      {"REINDEX SCHEMA s", {"require-concurrent-reindex"}},
      {"REINDEX (CONCURRENTLY) TABLE t", {}},
      {"BEGIN; SELECT 1; COMMIT", {"transaction-nesting", "transaction-nesting"}},
      {"SELECT FROM WHERE", {"not-parsed"}},
      {"SELECT 'a", {"not-parsed"}},
  };
  for (const auto& [sql, expected] : table) EXPECT_THAT(rules(sql), UnorderedElementsAreArray(expected)) << sql;
}

TEST(Lint, LeavesTablesAloneThatTheScriptMakes) {
  EXPECT_THAT(
      rules("CREATE TABLE t (a text); CREATE INDEX i ON t (a); ALTER TABLE t ADD CHECK (a <> ''); DROP TABLE t"),
      ElementsAre());
  std::set<std::string> known;
  static_cast<void>(judge_script("CREATE TABLE t (a text)", known));
  EXPECT_TRUE(judge_script("CREATE INDEX i ON t (a)", known).findings.empty());
}

TEST(Lint, IsSilencedByComments) {
  EXPECT_THAT(
      rules("-- squawk-ignore ban-drop-column, prefer-text-field\nALTER TABLE t DROP a;\nALTER TABLE t DROP b;"),
      ElementsAre("ban-drop-column"));
  EXPECT_THAT(rules("-- squawk-ignore\nALTER TABLE t DROP a;"), ElementsAre("ban-drop-column")) << "without a rule";
  EXPECT_THAT(rules("-- squawk-ignore-file\nALTER TABLE t DROP a, ALTER b TYPE text;"), ElementsAre());
  EXPECT_THAT(rules("/* squawk-ignore ban-drop-column */ ALTER TABLE t DROP a; ALTER TABLE t ALTER a TYPE text;"),
              ElementsAre("changing-column-type"));
  EXPECT_THAT(
      rules("SELECT 1;\nALTER TABLE t\n  -- squawk-ignore ban-drop-column\n  DROP a;\nALTER TABLE t DROP b;"),
      ElementsAre("ban-drop-column"));
  EXPECT_THAT(rules("-- squawk-ignore-file ban-drop-column\nSELECT 1;\nALTER TABLE t DROP a;"), ElementsAre());
  EXPECT_THAT(rules("-- squawk-ignore other-rule\nALTER TABLE t DROP a;"), ElementsAre("ban-drop-column"));
}

TEST(Lint, AsksForTimeoutsWhereNobodySetsThem) {
  LintOptions bare;
  bare.timeouts_are_set = false;
  EXPECT_THAT(rules("ALTER TABLE t ADD a text", bare), ElementsAre("require-lock-timeout"));
  EXPECT_THAT(rules("SET lock_timeout = '1s'; ALTER TABLE t ADD a text", bare), ElementsAre());
}

TEST(Lint, TellsTheLocks) {
  EXPECT_THAT(locks("ALTER TABLE s.t ADD a text, ADD b text"), ElementsAre("ACCESS EXCLUSIVE on s.t"));
  EXPECT_THAT(locks("CREATE INDEX CONCURRENTLY i ON t (a)"), ElementsAre("SHARE UPDATE EXCLUSIVE on t"));
  EXPECT_THAT(locks("CREATE TABLE n (a bigint REFERENCES o)"), ElementsAre("SHARE ROW EXCLUSIVE on o"));
  EXPECT_THAT(locks("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES o NOT VALID"),
              ElementsAre("SHARE ROW EXCLUSIVE on t", "SHARE ROW EXCLUSIVE on o"));
  EXPECT_THAT(locks("CREATE TRIGGER r BEFORE INSERT ON t EXECUTE FUNCTION f()"),
              ElementsAre("SHARE ROW EXCLUSIVE on t"));
  EXPECT_THAT(locks("SELECT 1"), ElementsAre());
}

TEST(Lint, KnowsEachRuleOnce) {
  std::set<std::string_view> names;
  for (const LintRule& rule : lint_rules()) EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
  EXPECT_GE(names.size(), 40U);
}

}  // namespace
}  // namespace switchyard
