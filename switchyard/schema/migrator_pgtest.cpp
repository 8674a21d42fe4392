// Migrations on real servers.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/schema/fleet_migration.hpp>
#include <switchyard/schema/migrator.hpp>

#include <tests/support/temp_folder.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace schema;
using embedded::TestDatabase;
using switchyard::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Migrations : public ::testing::Test {
 protected:
  FleetConfig config(const std::string& more = "") const {
    Sources sources;
    sources.file = folder.file("fleet.toml");
    sources.file_text =
        "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + database.endpoint().uri() + "\"\n" + more;
    return load_config(sources).value_or_throw();
  }
  void write(const std::string& name, const std::string& text) const {
    folder.write("migrations/main/" + name, text);
  }
  /// All targets; the report of the first.
  TargetReport up(MigrateOptions options = {}, StepSink sink = {}, const std::string& more = "") {
    options.longest_pause = std::chrono::milliseconds(300);
    const FleetConfig fleet = config(more);
    auto targets = find_targets(fleet).value_or_throw();
    runtime::Shard shard;
    return shard.run_until_complete(migrate_all(fleet, targets, options, 4, std::move(sink))).front();
  }
  template <class F>
  void with_migrator(F body) {
    const FleetConfig fleet = config();
    auto targets = find_targets(fleet).value_or_throw();
    runtime::Shard shard;
    shard.run_until_complete([](const FleetConfig& with, MigrationTarget& target, F test) -> Task<void> {
      auto opened = Fleet::open(config_for(with, "main")).value_or_throw();
      Migrator migrator(*opened, target, {});
      co_await test(migrator);
      co_await opened->close();
    }(fleet, targets.front(), std::move(body)));
  }
  std::string value(const std::string& sql) { return database.query_value(sql); }
  std::string history() {
    return value(
        "SELECT string_agg(concat_ws(' ', installed_rank, version, type, script, success), '; ' ORDER BY "
        "installed_rank) FROM flyway_schema_history");
  }
  static std::vector<std::string> scripts_of(const TargetReport& report) {
    std::vector<std::string> names;
    for (const AppliedScript& one : report.applied) names.push_back(one.script);
    return names;
  }
  static std::string error_of(const TargetReport& report) {
    return report.error ? report.error->what() : report.problems.empty() ? "" : report.problems.front();
  }

  TestDatabase database;
  TempFolder folder;
};

TEST_F(Migrations, AreAppliedOnceInOrder) {
  write("V2__b.sql", "INSERT INTO a VALUES (2);");
  write("V1__a.sql", "CREATE TABLE a (id int); COPY a FROM stdin;\n7\n8\n\\.\n");
  write("R__view.sql", "CREATE OR REPLACE VIEW v AS SELECT sum(id) AS s FROM a");
  const TargetReport first = up();
  EXPECT_EQ(error_of(first), "");
  EXPECT_THAT(scripts_of(first), ElementsAre("V1__a.sql", "V2__b.sql", "R__view.sql"));
  EXPECT_EQ(first.to, "2");
  EXPECT_EQ(value("SELECT s FROM v"), "17");
  EXPECT_EQ(history(), "1 1 SQL V1__a.sql t; 2 2 SQL V2__b.sql t; 3 SQL R__view.sql t");
  EXPECT_THAT(scripts_of(up()), ElementsAre());
  write("R__view.sql", "CREATE OR REPLACE VIEW v AS SELECT max(id)::bigint AS s FROM a");
  EXPECT_EQ(error_of(up()), "");
  EXPECT_EQ(history().substr(history().rfind(';') + 2), "4 SQL R__view.sql t");
}

TEST_F(Migrations, OfOneScriptAreAllOrNothing) {
  write("V1__a.sql", "CREATE TABLE a (id int);");
  write("V2__b.sql", "CREATE TABLE b (id int);\nINSERT INTO b\n  VALUES ('x');\n");
  const TargetReport report = up();
  EXPECT_THAT(error_of(report), HasSubstr("V2__b.sql:3"));
  EXPECT_EQ(report.failed_script, "V2__b.sql");
  EXPECT_EQ(value("SELECT to_regclass('b') IS NULL"), "t");
  EXPECT_EQ(history(), "1 1 SQL V1__a.sql t");
  write("V2__b.sql", "BEGIN; CREATE TABLE b (id int); COMMIT;");
  EXPECT_EQ(error_of(up()), "");
  write("V3__c.sql", "CREATE TABLE c (); COMMIT; CREATE TABLE d ();");
  EXPECT_THAT(error_of(up()), HasSubstr("executeInTransaction=false"));
  EXPECT_EQ(value("SELECT to_regclass('c') IS NULL"), "t");
  write("V3__c.sql", "BEGIN; CREATE TABLE c (); COMMIT; CREATE TABLE d ();");
  write("V3__c.sql.conf", "executeInTransaction=false");
  EXPECT_EQ(error_of(up()), "");
  EXPECT_EQ(history(), "1 1 SQL V1__a.sql t; 2 2 SQL V2__b.sql t; 3 3 SQL V3__c.sql t");
}

TEST_F(Migrations, FindAnInvalidIndexAndBuildItAgain) {
  write("V1__a.sql", "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1);");
  write("V2__index.sql",
        "CREATE TABLE once (id int);\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id);\nINSERT INTO "
        "once VALUES (1);\n");
  EXPECT_THAT(error_of(up()), HasSubstr("V2__index.sql:2"));
  EXPECT_EQ(value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass"), "f");
  EXPECT_EQ(value("SELECT execution_time FROM flyway_schema_history WHERE version = '2' AND NOT success"), "-2");
  EXPECT_THAT(error_of(up()), HasSubstr("V2__index.sql:2"));
  database.execute("DELETE FROM a WHERE ctid = (SELECT min(ctid) FROM a)");
  EXPECT_EQ(error_of(up()), "");
  EXPECT_EQ(value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass"), "t");
  EXPECT_EQ(value("SELECT count(*) FROM once"), "1");
  EXPECT_EQ(history(), "1 1 SQL V1__a.sql t; 2 2 SQL V2__index.sql t");
}

TEST_F(Migrations, GiveWayToThoseWhoHaveALockAndTryAgain) {
  database.execute("CREATE TABLE a (id int)");
  write("V1__a.sql", "ALTER TABLE a ADD b int;");
  const FleetConfig fleet = config();
  auto targets = find_targets(fleet).value_or_throw();
  runtime::Shard shard;
  shard.run_until_complete([](const FleetConfig& with, std::vector<MigrationTarget>& all_targets) -> Task<void> {
    auto opened = Fleet::open(config_for(with, "main")).value_or_throw();
    auto lease = std::make_unique<Lease>(co_await opened->database("main").value_or_throw().lease());
    co_await lease->script("BEGIN; SELECT * FROM a");
    MigrateOptions options;
    options.baseline_on_migrate = true;
    options.baseline_version = "0";
    options.lock_timeout = "50ms";
    options.longest_pause = std::chrono::milliseconds(50);
    int retries = 0;
    const auto reports = co_await migrate_all(with, all_targets, options, 1, [&](const MigrationStep& step) {
      if (step.kind == StepKind::retry && ++retries == 2) lease.reset();
    });
    EXPECT_EQ(error_of(reports.front()), "");
    EXPECT_GE(retries, 2);
    co_await opened->close();
  }(fleet, targets));
}

TEST_F(Migrations, WaitForARunThatHasTheLock) {
  write("V1__a.sql", "CREATE TABLE a (id int);");
  const FleetConfig fleet = config();
  auto targets = find_targets(fleet).value_or_throw();
  runtime::Shard shard;
  shard.run_until_complete([](const FleetConfig& with, std::vector<MigrationTarget>& all_targets) -> Task<void> {
    auto opened = Fleet::open(config_for(with, "main")).value_or_throw();
    auto lease = std::make_unique<Lease>(co_await opened->database("main").value_or_throw().lease());
    co_await lease->script("SELECT pg_advisory_lock(77433833903597)");
    std::string told;
    const auto reports = co_await migrate_all(with, all_targets, {}, 1, [&](const MigrationStep& step) {
      if (step.kind != StepKind::waits_for_run) return;
      told = step.text;
      lease.reset();
    });
    EXPECT_EQ(error_of(reports.front()), "");
    EXPECT_THAT(told, HasSubstr("test-main"));
    co_await opened->close();
  }(fleet, targets));
}

TEST_F(Migrations, SeeNothingOfWhatAnEarlierScriptHasSet) {
  database.execute("CREATE ROLE other_" + database.name());
  write("V1__a.sql", "SELECT pg_catalog.set_config('search_path', '', false); SET ROLE other_" + database.name() +
                         "; SET standard_conforming_strings = off;");
  write("V2__b.sql", "CREATE TABLE a (id text DEFAULT 'x\\y');");
  EXPECT_EQ(error_of(up()), "");
  EXPECT_EQ(value("SELECT relowner::regrole FROM pg_class WHERE oid = 'public.a'::regclass"), "postgres");
  database.execute("DROP ROLE other_" + database.name());
}

TEST_F(Migrations, ReplacePlaceholdersAndCallBack) {
  write("V1__a.sql",
        "CREATE TABLE ${table} (id int DEFAULT ${n}); COMMENT ON TABLE ${table} IS '${flyway:defaultSchema} "
        "${flyway:filename}';");
  write("beforeMigrate.sql", "CREATE TABLE IF NOT EXISTS calls (what text); INSERT INTO calls VALUES ('before')");
  write("afterEachMigrate.sql", "INSERT INTO calls VALUES ('each')");
  write("afterMigrate__b.sql", "INSERT INTO calls VALUES ('b')");
  write("afterMigrate__a.sql", "INSERT INTO calls VALUES ('a')");
  MigrateOptions options;
  EXPECT_THAT(error_of(up(options)), HasSubstr("no value for the placeholder ${table}"));
  options.placeholders = {{"TABLE", "t"}, {"n", "5"}};
  EXPECT_EQ(error_of(up(options)), "");
  EXPECT_EQ(value("SELECT obj_description('t'::regclass)"), "public V1__a.sql");
  EXPECT_EQ(value("SELECT string_agg(what, ' ') FROM calls"), "before each a b");
}

TEST_F(Migrations, TakePlaceholdersFromTheConfigurationAndCallBackAroundStatements) {
  write("V1__a.sql", "CREATE TABLE #[name]# (n int); INSERT INTO a VALUES (1);");
  write("beforeMigrate.sql", "CREATE TABLE IF NOT EXISTS calls (what text)");
  write("beforeEachMigrateStatement.sql", "INSERT INTO calls VALUES ('before')");
  write("afterEachMigrateStatement.sql", "INSERT INTO calls VALUES ('after')");
  write("afterEachMigrateStatementError.sql", "INSERT INTO calls VALUES ('error')");
  const std::string settings =
      "migrations = { placeholders = { name = \"a\" }, placeholder_prefix = \"#[\", placeholder_suffix = \"]#\" "
      "}\n";
  EXPECT_EQ(error_of(up({}, {}, settings)), "");
  EXPECT_EQ(value("SELECT string_agg(what, ' ') FROM calls"), "before after before after");
  write("V2__b.sql", "INSERT INTO a VALUES (2); INSERT INTO a VALUES ('x');");
  EXPECT_THAT(error_of(up({}, {}, settings)), HasSubstr("V2__b.sql"));
  EXPECT_EQ(value("SELECT string_agg(what, ' ') FROM calls"), "before after before after error");
  EXPECT_EQ(value("SELECT count(*) FROM a"), "1");
}

TEST_F(Migrations, CallBackInFlywaysOrder) {
  database.execute("CREATE SCHEMA log; CREATE TABLE log.calls (n serial, what text)");
  for (const char* event :
       {"createSchema", "beforeCreateSchema", "beforeValidate", "afterValidate", "beforeMigrate",
        "beforeEachMigrate", "afterEachMigrate", "afterVersioned", "beforeRepeatables", "afterMigrateApplied",
        "afterMigrate", "afterMigrateOperationFinish"}) {
    write(std::string(event) + ".sql", "INSERT INTO log.calls (what) VALUES ('" + std::string(event) + "')");
  }
  write("V1__a.sql", "SELECT 1");
  write("R__r.sql", "SELECT 1");
  EXPECT_EQ(error_of(up()), "");
  const std::string each = " beforeEachMigrate afterEachMigrate";
  const std::string begin = "beforeValidate afterValidate createSchema beforeCreateSchema beforeMigrate";
  const std::string calls = "SELECT string_agg(what, ' ' ORDER BY n) FROM log.calls";
  EXPECT_EQ(value(calls), begin + each + " afterVersioned beforeRepeatables" + each +
                              " afterMigrateApplied afterMigrate afterMigrateOperationFinish");
  database.execute("TRUNCATE log.calls");
  EXPECT_EQ(error_of(up()), "");
  EXPECT_EQ(value(calls), begin + " afterVersioned afterMigrate afterMigrateOperationFinish");
}

TEST_F(Migrations, AreNotBegunWhenAPlaceholderHasNoValue) {
  write("V1__a.sql", "CREATE TABLE a (n int)");
  write("V2__b.sql", "INSERT INTO a VALUES (1);\n-- ${nobody}");
  EXPECT_THAT(error_of(up()), HasSubstr("V2__b.sql: line 2: no value for the placeholder ${nobody}"));
  EXPECT_EQ(value("SELECT to_regclass('a') IS NULL"), "t");
  write("V2__b.sql", "INSERT INTO a VALUES (1); SELECT '${nobody';");
  EXPECT_THAT(error_of(up()), HasSubstr("V2__b.sql: line 1: a placeholder begins with ${"));
  write("V2__b.sql.conf", "placeholderReplacement=false");
  EXPECT_EQ(error_of(up()), "");
}

TEST_F(Migrations, FinishDetachingAPartitionThatIsPending) {
  write("V1__a.sql",
        "CREATE TABLE p (k int) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
        "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2)");
  ASSERT_EQ(error_of(up()), "");
  // What an interrupted one leaves.
  database.execute("UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'p1'::regclass");
  write("V2__b.sql",
        "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;\nALTER TABLE p DETACH PARTITION p2 CONCURRENTLY;");
  EXPECT_EQ(error_of(up()), "");
  EXPECT_EQ(value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'p'::regclass"), "0");
}

TEST_F(Migrations, GoInTheOrderThatTheConfigurationDeclares) {
  TestDatabase second;
  write("V1__a.sql", "SELECT pg_sleep(0.3); CREATE TABLE a ();");
  folder.write("migrations/reference/V1__r.sql", "CREATE TABLE r ();");
  const std::string other = "[database.reference]\ndsn = \"" + second.endpoint().uri() + "\"\n";
  std::vector<std::string> order;
  const auto sink = [&](const MigrationStep& step) {
    if (step.kind == StepKind::script_begins || step.kind == StepKind::script_done) order.push_back(step.database);
  };
  EXPECT_EQ(error_of(up({}, sink, "migrations.after = [\"reference\"]\n" + other)), "");
  EXPECT_THAT(order, ElementsAre("reference", "reference", "main", "main"));

  // When what goes first fails, the rest is not begun.
  write("V2__a.sql", "CREATE TABLE a2 ();");
  folder.write("migrations/reference/V2__r.sql", "SELECT 1/0;");
  EXPECT_THAT(error_of(up({}, {}, "migrations.after = [\"reference\"]\n" + other)), HasSubstr("reference"));
  EXPECT_EQ(value("SELECT to_regclass('a2') IS NULL"), "t");

  const auto circle =
      find_targets(config("migrations.after = [\"reference\"]\n" + other + "migrations.after = [\"main\"]\n"));
  ASSERT_FALSE(circle.ok());
  EXPECT_THAT(std::string(circle.error().what()), HasSubstr("wait for themselves"));
}

TEST_F(Migrations, OfARoleFamilyBelongToTheOwner) {
  const std::string owner = "main_owner", login = database.name() + "_migrator";
  database.execute(
      "DO $$ BEGIN CREATE ROLE main_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
      "CREATE ROLE " +
      login + " LOGIN NOINHERIT IN ROLE main_owner; GRANT CREATE ON SCHEMA public TO main_owner");
  write("V1__a.sql", "CREATE TABLE a (id int);");
  write("V2__index.sql", "CREATE INDEX CONCURRENTLY a_id ON a (id);");
  Sources sources;
  auto endpoint = database.endpoint();
  endpoint.user = login;
  sources.file = folder.file("fleet.toml");
  sources.file_text =
      "[fleet]\napplication = \"test\"\nroles = \"family\"\n[database.main]\ndsn = \"" + endpoint.uri() + "\"\n";
  const FleetConfig fleet = load_config(sources).value_or_throw();
  auto targets = find_targets(fleet).value_or_throw();
  runtime::Shard shard;
  const auto report = shard.run_until_complete(migrate_all(fleet, targets, {}, 1)).front();
  EXPECT_EQ(error_of(report), "");
  EXPECT_EQ(value("SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE relnamespace = "
                  "'public'::regnamespace"),
            owner);
  EXPECT_EQ(value("SELECT string_agg(DISTINCT installed_by, ' ') FROM flyway_schema_history"), login);
  database.execute("DROP OWNED BY " + login + "; DROP ROLE " + login + "; DROP OWNED BY main_owner");
}

TEST_F(Migrations, OfADatabaseWithTablesNeedABaseline) {
  database.execute("CREATE TABLE old (id int)");
  write("V1__old.sql", "CREATE TABLE old (id int);");
  write("V2__new.sql", "CREATE TABLE new (id int);");
  EXPECT_THAT(error_of(up()), HasSubstr("switchyard migrate baseline --on main"));
  EXPECT_EQ(value("SELECT to_regclass('flyway_schema_history') IS NULL"), "t");
  with_migrator([](Migrator& migrator) -> Task<void> {
    EXPECT_EQ((co_await migrator.baseline()).to, "1");
    EXPECT_THAT((co_await migrator.baseline()).notes, ElementsAre(HasSubstr("already")));
  });
  EXPECT_EQ(error_of(up()), "");
  EXPECT_EQ(history(), "1 1 BASELINE << Flyway Baseline >> t; 2 2 SQL V2__new.sql t");
}

TEST_F(Migrations, AreRefusedWhenAFileHasChangedUntilRepaired) {
  write("V1__a.sql", "CREATE TABLE a (id int);");
  EXPECT_EQ(error_of(up()), "");
  write("V1__a.sql", "CREATE TABLE a (id int); -- same");
  write("V2__b.sql", "CREATE TABLE b (id int);");
  EXPECT_THAT(error_of(up()), HasSubstr("has changed since it was applied"));
  EXPECT_EQ(value("SELECT to_regclass('b') IS NULL"), "t");
  with_migrator([](Migrator& migrator) -> Task<void> {
    EXPECT_THAT((co_await migrator.repair(false)).notes, ElementsAre(HasSubstr("V1__a.sql")));
    EXPECT_THAT((co_await migrator.repair(false)).notes, ElementsAre("nothing to repair"));
  });
  EXPECT_EQ(error_of(up()), "");
}

TEST_F(Migrations, MakeTheSchemaOfADatabase) {
  folder.write("migrations/commerce/V1__a.sql", "CREATE TABLE a (id int);");
  const std::string more =
      "[database.commerce]\ndsn = \"" + database.endpoint().uri() + "\"\nschema = \"commerce_schema\"\n";
  EXPECT_EQ(error_of(up({}, {}, more)), "");
  EXPECT_EQ(
      value("SELECT string_agg(concat_ws(' ', installed_rank, type, script), '; ' ORDER BY installed_rank) FROM "
            "commerce_schema.flyway_schema_history"),
      "0 SCHEMA \"commerce_schema\"; 1 SQL V1__a.sql");
  EXPECT_EQ(value("SELECT to_regclass('commerce_schema.a') IS NOT NULL"), "t");
}

TEST_F(Migrations, OfManySchemasAreLookedAtOverOneSession) {
  std::string more;
  for (const std::string name : {"one", "two", "three"}) {
    folder.write("migrations/" + name + "/V1__a.sql", "CREATE TABLE a (id int);");
    more += "[database." + name + "]\ndsn = \"" + database.endpoint().uri() + "\"\nschema = \"" + name + "\"\n";
  }
  EXPECT_EQ(error_of(up({}, {}, more)), "");
  folder.write("migrations/two/V2__b.sql", "CREATE TABLE b (id int);");
  const FleetConfig fleet = config(more);
  auto targets = find_targets(fleet).value_or_throw();
  runtime::Shard shard;
  const auto reports = shard.run_until_complete(migrate_all(fleet, targets, {}, 4));
  ASSERT_EQ(reports.size(), 3U);
  for (const TargetReport& report : reports) {
    EXPECT_EQ(error_of(report), "");
    EXPECT_EQ(report.schema, report.database);
    EXPECT_EQ(report.to, report.database == "two" ? "2" : "1");
    EXPECT_EQ(report.applied.size(), report.database == "two" ? 1U : 0U);
  }
}

TEST_F(Migrations, OfAStandInGoWhereTheDataIs) {
  folder.write("migrations/main/V1__a.sql", "CREATE TABLE a (id int);");
  folder.write("migrations/analytics/V1__b.sql", "CREATE TABLE b (id int);");
  EXPECT_EQ(error_of(up({}, {}, "[database.analytics]\nwhen_unconfigured = \"main\"\n")), "");
  EXPECT_EQ(value("SELECT count(*) FROM flyway_schema_history_analytics"), "1");
  EXPECT_EQ(value("SELECT count(*) FROM flyway_schema_history"), "1");
}

}  // namespace
}  // namespace switchyard
