// The watch over a catalogue, on a real server.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/catalogue_watch.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace switchyard::fleet {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;

/// Ends a failed test, decides none.
constexpr Duration kLongest = 20s;

class CatalogueWatchTest : public ::testing::Test {
 protected:
  CatalogueWatchTest() {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + database.endpoint().uri() +
                        "\"\n[database.main.pool]\nmin = 0\nmax = 2\n"
                        "[database.reference]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n"
                        "[database.analytics]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n";
    config = load_config(sources).value_or_throw();
    const runtime::Shard::Scope scope(shard);
    const DatabaseConfig& main = *config.find("main");
    endpoint = std::make_unique<Endpoint>(
        EndpointSettings{.database = "main", .role = EndpointRole::primary, .name = "primary"},
        main.primary.connection, main, main.pool, std::make_shared<pool::PermitCounter>(2));
    watch = std::make_unique<CatalogueWatch>(
        "main", [this] { return reachable ? endpoint.get() : nullptr; }, sql::SafeNames{});
  }
  ~CatalogueWatchTest() override {
    const runtime::Shard::Scope scope(shard);
    watch.reset();
    endpoint.reset();
  }
  /// Asks until `condition` holds.
  template <class Condition>
  void until(Condition condition) {
    shard.run_until_complete([](CatalogueWatchTest& self, Condition holds) -> Task<void> {
      const TimePoint limit = runtime::now() + kLongest;
      for (;;) {
        const sql::CatalogueSnapshot* snapshot = self.watch->snapshot();
        if (holds(snapshot)) co_return;
        if (runtime::now() > limit) {
          ADD_FAILURE() << "nothing came of it: " << self.watch->problem();
          co_return;
        }
        co_await sleep(5ms);
      }
    }(*this, std::move(condition)));
  }
  void until_read() {
    until([](const sql::CatalogueSnapshot* snapshot) { return snapshot != nullptr; });
  }
  void note_ddl() {
    const runtime::Shard::Scope scope(shard);
    watch->note_ddl();
  }
  /// Until the watch has noticed what was done, and read it.
  void until_epoch(std::uint64_t epoch) {
    until([this, epoch](const sql::CatalogueSnapshot* snapshot) {
      return snapshot != nullptr && watch->epoch() >= epoch;
    });
  }

  TestDatabase database;
  runtime::Shard shard;
  FleetConfig config;
  std::unique_ptr<Endpoint> endpoint;
  std::unique_ptr<CatalogueWatch> watch;
  bool reachable = true;
};

TEST_F(CatalogueWatchTest, ReadsWhenSomebodyAsks) {
  {
    const runtime::Shard::Scope scope(shard);
    EXPECT_EQ(endpoint->opened_pool(), nullptr);
    EXPECT_EQ(watch->snapshot(), nullptr);  // nobody waits
  }
  until_read();
  EXPECT_EQ(watch->epoch(), 1u);
  EXPECT_EQ(watch->generation(), 0u);
  EXPECT_EQ(watch->problem(), "");
  const runtime::Shard::Scope scope(shard);
  EXPECT_FALSE(watch->snapshot()->functions("lower").empty());
}

TEST_F(CatalogueWatchTest, NoticesEveryKindOfChange) {
  database.execute(
      "CREATE TABLE t (id int, name text); CREATE VIEW v AS SELECT 1 AS one; CREATE FUNCTION f() RETURNS int "
      "LANGUAGE "
      "sql AS 'SELECT 1'; CREATE DOMAIN d AS int; CREATE TYPE e AS ENUM ('a'); CREATE SCHEMA s");
  until_read();
  std::uint64_t epoch = watch->epoch();
  for (const char* change : {
           "CREATE TABLE t2 (id int)",
           "ALTER TABLE t ADD COLUMN extra int",
           "ALTER TABLE t ALTER COLUMN extra TYPE d",
           "CREATE OR REPLACE VIEW v AS SELECT pg_sleep(0) IS NULL AS two, 1 AS one",
           "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
           "CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)",
           "ALTER DOMAIN d ADD CHECK (VALUE > 0)",
           "ALTER TYPE e RENAME TO e2",
           "ALTER SCHEMA s RENAME TO s2",
           "CREATE CAST (e2 AS int) WITH INOUT",
           "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
           "CREATE POLICY p ON t USING (id > 0)",
           "ALTER POLICY p ON t USING (f() > 0)",
           "DROP POLICY p ON t",
           "CREATE FUNCTION g(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE INDEX ON t (g(id))",
           "CREATE TABLE child () INHERITS (t2)",
           "ALTER TABLE child NO INHERIT t2",
           "ALTER FUNCTION lower(text) SET work_mem = '1MB'",
       }) {
    if (std::string_view(change).starts_with("CREATE OR REPLACE VIEW")) database.execute("DROP VIEW v");
    database.execute(change);
    note_ddl();
    until_read();
    EXPECT_GT(watch->epoch(), epoch) << change;
    epoch = watch->epoch();
  }
  EXPECT_EQ(watch->generation(), 0u);
}

TEST_F(CatalogueWatchTest, NoticesAChangeThatNobodyTold) {
  until_read();
  database.execute("CREATE TABLE somewhere_else (id int)");
  until_epoch(2);
  const runtime::Shard::Scope scope(shard);
  EXPECT_FALSE(watch->snapshot()->relations("somewhere_else").empty());
}

TEST_F(CatalogueWatchTest, ABuiltInFunctionThatIsReplacedClearsNoLonger) {
  const auto clears = [this](std::string_view name) {
    const runtime::Shard::Scope scope(shard);
    for (const sql::CatalogueCallable& entry : watch->snapshot()->functions(name)) {
      if (!entry.clears) return false;
    }
    return true;
  };
  until_read();
  EXPECT_TRUE(clears("initcap"));
  database.execute(
      "CREATE OR REPLACE FUNCTION pg_catalog.initcap(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS 'SELECT "
      "$1'");
  until_epoch(2);
  EXPECT_FALSE(clears("initcap"));
  EXPECT_TRUE(clears("lower"));
}

TEST_F(CatalogueWatchTest, WhatIsNoChangeKeepsTheEpoch) {
  database.execute("CREATE TABLE t (id int PRIMARY KEY, name text)");
  until_read();
  for (const char* statement : {"INSERT INTO t SELECT i, 'x' FROM generate_series(1, 1000) i", "VACUUM ANALYZE t",
                                "CREATE TEMP TABLE passing (id int); DROP TABLE passing", "REINDEX INDEX t_pkey"}) {
    database.execute(statement);
    note_ddl();
    until_read();
    EXPECT_EQ(watch->epoch(), 1u) << statement;
  }
}

TEST_F(CatalogueWatchTest, SettingsOfRolesAndDatabasesAreAGenerationNotAnEpoch) {
  until_read();
  database.execute("ALTER DATABASE " + database.name() + " SET work_mem = '1MB'");
  note_ddl();
  until_read();
  EXPECT_EQ(watch->epoch(), 1u);
  EXPECT_EQ(watch->generation(), 1u);
}

TEST_F(CatalogueWatchTest, AfterDdlNothingIsKnownUntilItHasLooked) {
  until_read();
  note_ddl();
  {
    const runtime::Shard::Scope scope(shard);
    EXPECT_EQ(watch->snapshot(), nullptr);
  }
  until_read();
  EXPECT_EQ(watch->epoch(), 1u);
}

TEST_F(CatalogueWatchTest, WhatCannotBeSeenIsNotTrustedForLong) {
  until_read();
  reachable = false;
  until([&](const sql::CatalogueSnapshot* snapshot) {
    return snapshot == nullptr && watch->problem() == "no primary is known";
  });
  reachable = true;
  until_read();
  EXPECT_EQ(watch->epoch(), 1u);
  EXPECT_EQ(watch->problem(), "");
}

TEST_F(CatalogueWatchTest, ALostSessionIsNoHarm) {
  until_read();
  database.execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
      "pg_backend_pid()");
  note_ddl();
  until_read();
}

}  // namespace
}  // namespace switchyard::fleet
