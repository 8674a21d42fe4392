// What is in a database, compared with what should be.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/schema/catalogue_image.hpp>
#include <switchyard/schema/fleet_migration.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace schema;
using embedded::TestDatabase;

CatalogueImage image_of(const TestDatabase& database, Rights rights = Rights::left_out) {
  Sources sources;
  sources.file = "test.toml";
  sources.file_text =
      "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + database.endpoint().uri() + "\"\n";
  const FleetConfig config = load_config(sources).value_or_throw();
  runtime::Shard shard;
  return shard.run_until_complete([](const FleetConfig& with, Rights wanted) -> Task<CatalogueImage> {
    auto fleet = Fleet::open(config_for(with, "main")).value_or_throw();
    auto lease = co_await fleet->database("main").value_or_throw().lease();
    auto image = co_await read_catalogue(lease, "public", "flyway_schema_history", wanted);
    lease.release();
    co_await fleet->close();
    co_return image;
  }(config, rights));
}

TEST(Catalogue, ComparesOwnersAndGrantsWhenThatIsWanted) {
  TestDatabase one, other;
  for (TestDatabase* database : {&one, &other}) {
    database->execute(
        "CREATE TABLE t (id int); CREATE SEQUENCE s; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  }
  EXPECT_EQ(image_of(one, Rights::compared), image_of(other, Rights::compared));
  // The owner's own, written out, is what he has anyway.
  other.execute("GRANT ALL ON t TO CURRENT_USER");
  EXPECT_EQ(image_of(one, Rights::compared), image_of(other, Rights::compared));
  other.execute(
      "GRANT SELECT ON t TO PUBLIC; GRANT UPDATE (id) ON t TO pg_monitor; ALTER SEQUENCE s OWNER TO "
      "pg_database_owner; REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC");
  EXPECT_TRUE(compare(image_of(one), image_of(other)).empty());
  std::vector<std::string> objects;
  for (const Drift& drift : compare(image_of(one, Rights::compared), image_of(other, Rights::compared))) {
    objects.push_back(drift.object);
  }
  EXPECT_THAT(objects,
              ::testing::UnorderedElementsAre("grants on table public.t", "grants on column public.t.id",
                                              "owner of sequence public.s", "grants on function public.f()"));
}

TEST(Catalogue, OfEqualDatabasesIsEqual) {
  const char* ddl =
      "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN short AS text CHECK (length(value) < 9);"
      "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood NOT NULL DEFAULT 'a', s short, "
      "d bigint GENERATED ALWAYS AS (id + 1) STORED);"
      "CREATE TABLE p (k int NOT NULL) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
      "CREATE VIEW v AS SELECT id FROM t; CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';"
      "CREATE AGGREGATE total(bigint) (sfunc = int8pl, stype = bigint);"
      "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();"
      "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (id > 0);"
      "CREATE TABLE flyway_schema_history (a int)";
  TestDatabase one, other;
  one.execute(ddl);
  other.execute("CREATE TABLE gone (); DROP TABLE gone;");
  other.execute(ddl);
  const auto first = image_of(one);
  EXPECT_GE(first.size(), 15U);
  EXPECT_FALSE(first.contains("table public.flyway_schema_history"));
  EXPECT_TRUE(compare(first, image_of(other)).empty());
  other.execute(
      "ALTER TYPE mood ADD VALUE 'c'; DROP POLICY own ON t; ALTER TABLE t DISABLE TRIGGER r; "
      "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'; CREATE TABLE more ()");
  std::vector<std::string> objects;
  for (const Drift& one_drift : compare(first, image_of(other))) objects.push_back(one_drift.object);
  EXPECT_THAT(objects,
              ::testing::UnorderedElementsAre("enum public.mood", "policy public.t.own", "trigger public.t.r",
                                              "function public.f(a integer)", "table public.more"));
}

}  // namespace
}  // namespace switchyard
