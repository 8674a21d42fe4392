// Backups of real servers: made, proven, brought back; and what is never taken for one.
#include <switchyard/backup/backup_file.hpp>
#include <switchyard/backup/backup_state.hpp>
#include <switchyard/backup/make_backup.hpp>
#include <switchyard/backup/restore.hpp>
#include <switchyard/backup/verify.hpp>
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tests/support/temp_folder.hpp>

#include <fcntl.h>

#include <unistd.h>

#include <filesystem>
#include <thread>

namespace switchyard {
namespace {

using namespace backup;
using embedded::TestDatabase;
using switchyard::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSchema =
    "CREATE TYPE mood AS ENUM ('a', 'b');"
    "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood NOT NULL DEFAULT 'a', "
    "at timestamptz DEFAULT now(), price float8, data bytea, note text);"
    "CREATE TABLE lines (order_id bigint REFERENCES orders, x int) PARTITION BY LIST (x);"
    "CREATE TABLE lines_1 PARTITION OF lines FOR VALUES IN (1);"
    "INSERT INTO orders (price, data, note) SELECT i / 3.0, decode(md5(i::text), 'hex'), 'ä' || i FROM "
    "generate_series(1, 1000) i;"
    "INSERT INTO lines SELECT id, 1 FROM orders;"
    "CREATE SCHEMA sales; CREATE TABLE sales.offers (x int); INSERT INTO sales.offers VALUES (1), (2);"
    "CREATE VIEW totals AS SELECT count(*) FROM orders; CREATE MATERIALIZED VIEW sums AS SELECT sum(price) FROM "
    "orders;"
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT lo_create(0);";

FleetConfig fleet_of(const std::vector<std::pair<std::string, std::string>>& databases,
                     const std::string& more = "") {
  Sources sources;
  sources.file = "test.toml";
  std::string text = "[fleet]\napplication = \"test\"\n" + more;
  for (const auto& [name, dsn] : databases) text += "[database." + name + "]\ndsn = \"" + dsn + "\"\n";
  sources.file_text = text;
  return load_config(sources).value_or_throw();
}

struct Ground {
  TempFolder folder;
  Repository repository = Repository::open(folder.file("backups")).value_or_throw();
  AgeIdentity identity = new_identity().value_or_throw();

  BackupOptions encrypted() const {
    BackupOptions options;
    options.recipients = {identity.recipient().value_or_throw()};
    return options;
  }
};

std::string quoted(const std::vector<std::string>& lines) { return ::testing::PrintToString(lines); }

TEST(Backup, IsProvenByRestoringItAndBroughtBackBesideItsDatabase) {
  const Ground setup;
  TestDatabase database;
  database.execute(kSchema);
  const FleetConfig fleet = fleet_of({{"main", database.endpoint().uri()}});
  const auto made =
      make_backup(fleet, setup.repository, {{"main", ""}}, setup.encrypted(), {}, {}).value_or_throw();
  EXPECT_EQ(made.manifest.parts.front().tables, 3U);
  EXPECT_EQ(made.manifest.globals.size(), 1U);
  const std::string file = setup.folder.read("backups/" + made.id + "/main.dump.age");
  EXPECT_TRUE(file.starts_with("age-encryption.org/v1\n"));

  database.execute("INSERT INTO orders (note) VALUES ('later')");
  const Proof proof = verify_backup(made, {.identities = {setup.identity}}, {}, {}).value_or_throw();
  ASSERT_EQ(proof.parts.size(), 1U);
  EXPECT_TRUE(proof.ok()) << quoted(proof.parts.front().differences);
  EXPECT_EQ(proof.parts.front().rows, 2002U);
  EXPECT_TRUE(proof.parts.front().checksums);

  const std::string beside = database.name() + "_back";
  RestoreOptions options{.identities = {setup.identity}, .into = beside};
  const auto restored = restore_database(fleet, made, "main", options, {}, {}).value_or_throw();
  EXPECT_TRUE(restored.created);
  EXPECT_THAT(restored.differences, IsEmpty());
  EXPECT_EQ(database.server().query_value("SELECT count(*) FROM orders", beside).value_or_throw(), "1000");
  static_cast<void>(database.server().drop_database(beside));
}

TEST(Backup, OverwritesNothingThatNobodyConfirmed) {
  const Ground setup;
  TestDatabase database;
  database.execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1)");
  const FleetConfig fleet = fleet_of({{"main", database.endpoint().uri()}});
  const auto made = make_backup(fleet, setup.repository, {{"main", ""}}, {}, {}, {}).value_or_throw();
  database.execute("UPDATE t SET x = 2");
  const auto refused = restore_database(fleet, made, "main", {}, {}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.error().what()), HasSubstr("--confirm=main"));
  EXPECT_EQ(database.query_value("SELECT x FROM t"), "2");
  ASSERT_TRUE(restore_database(fleet, made, "main", {.overwrite = true}, {}, {}).ok());
  EXPECT_EQ(database.query_value("SELECT x FROM t"), "1");

  // What depends on a table that would be replaced keeps all as it is.
  database.execute("UPDATE t SET x = 3; CREATE VIEW v AS SELECT x FROM t");
  const auto kept = restore_database(fleet, made, "main", {.overwrite = true}, {}, {});
  ASSERT_FALSE(kept.ok());
  EXPECT_THAT(std::string(kept.error().what()), HasSubstr("nothing was changed"));
  EXPECT_EQ(database.query_value("SELECT x FROM v"), "3");
}

TEST(Backup, OfASchemaIsMadeAndBroughtBackAsItsOwnRole) {
  const Ground setup;
  TestDatabase database;
  const std::string role = database.name() + "_user";
  database.execute("CREATE ROLE " + role + " LOGIN; CREATE SCHEMA commerce_schema AUTHORIZATION " + role +
                   "; SET ROLE " + role +
                   "; CREATE TABLE commerce_schema.products (id int PRIMARY KEY); INSERT INTO "
                   "commerce_schema.products VALUES (1), (2); RESET ROLE; CREATE TABLE public.others (x int)");
  auto endpoint = database.endpoint();
  endpoint.user = role;
  const FleetConfig fleet = fleet_of({{"commerce", endpoint.uri()}});
  const auto made =
      make_backup(fleet, setup.repository, {{"commerce", "commerce_schema"}}, {}, {}, {}).value_or_throw();
  EXPECT_EQ(made.manifest.parts.front().role, role);
  EXPECT_FALSE(made.manifest.globals.front().passwords);
  const Proof proof = verify_backup(made, {}, {}, {}).value_or_throw();
  EXPECT_TRUE(proof.ok()) << quoted(proof.parts.front().differences);

  // The owner of a schema may not make one.
  database.execute("DROP TABLE commerce_schema.products");
  const auto restored = restore_database(fleet, made, "commerce", {}, {}, {}).value_or_throw();
  EXPECT_THAT(restored.differences, IsEmpty());
  EXPECT_EQ(database.query_value("SELECT count(*) FROM commerce_schema.products"), "2");
  database.execute("DROP OWNED BY " + role + "; DROP ROLE " + role);
}

TEST(Backup, ThatWasDamagedIsNotProvenAndNotRestored) {
  const Ground setup;
  TestDatabase database;
  database.execute("CREATE TABLE t AS SELECT generate_series(1, 100) AS x");
  const FleetConfig fleet = fleet_of({{"main", database.endpoint().uri()}});
  const auto made =
      make_backup(fleet, setup.repository, {{"main", ""}}, setup.encrypted(), {}, {}).value_or_throw();

  const auto wrong_key = verify_backup(made, {.identities = {new_identity().value_or_throw()}}, {}, {});
  ASSERT_FALSE(wrong_key.ok());
  EXPECT_THAT(std::string(wrong_key.error().message()), HasSubstr("wrong key"));
  EXPECT_THAT(std::string(verify_backup(made, {}, {}, {}).error().message()), HasSubstr("encrypted"));

  const std::string path = (made.folder / "main.dump.age").string();
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::pwrite(file, "x", 1, 400), 1);
  ::close(file);
  const Proof proof = verify_backup(made, {.identities = {setup.identity}}, {}, {}).value_or_throw();
  EXPECT_FALSE(proof.ok());
  EXPECT_THAT(proof.parts.front().differences.front(), HasSubstr("SHA-256"));
  const auto restored =
      restore_database(fleet, made, "main", {.identities = {setup.identity}, .overwrite = true}, {}, {});
  EXPECT_FALSE(restored.ok());
}

TEST(Backup, WhoseTablesDifferIsNotProven) {
  const Ground setup;
  TestDatabase database;
  database.execute("CREATE TABLE t AS SELECT generate_series(1, 100) AS x");
  const FleetConfig fleet = fleet_of({{"main", database.endpoint().uri()}});
  auto made = make_backup(fleet, setup.repository, {{"main", ""}}, {}, {}, {}).value_or_throw();
  // As if the dump had lost a row on its way.
  auto text = read_whole(made.folder / "main.fingerprint", {}).value_or_throw();
  auto fingerprint = parse_fingerprint(text).value_or_throw();
  fingerprint.tables.at("public.t").rows = 101;
  std::filesystem::remove(made.folder / "main.fingerprint");
  auto writer = BackupFileWriter::create(made.folder, "main.fingerprint", {}).value_or_throw();
  writer.write(to_json(fingerprint)).value_or_throw();
  made.manifest.parts.front().fingerprint = writer.finish().value_or_throw();
  const Proof proof = verify_backup(made, {}, {}, {}).value_or_throw();
  EXPECT_THAT(proof.parts.front().differences, ElementsAre("table public.t has 100 rows instead of 101"));
}

TEST(Backup, HoldsTheDatabasesThatCouldBeReached) {
  const Ground setup;
  TestDatabase one;
  one.execute("CREATE TABLE t (x int)");
  const FleetConfig fleet =
      fleet_of({{"main", one.endpoint().uri()}, {"reference", "postgresql://nobody@127.0.0.1:1/none"}},
               "[backup]\nrepository = \"" + setup.repository.folder().string() + "\"\n");
  const auto made =
      make_backup(fleet, setup.repository, {{"reference", ""}, {"main", ""}}, {}, {}, {}).value_or_throw();
  ASSERT_EQ(made.manifest.failed.size(), 1U);
  EXPECT_EQ(made.manifest.failed.front().database, "reference");
  EXPECT_EQ(made.manifest.parts.front().database, "main");
  EXPECT_FALSE(make_backup(fleet, setup.repository, {{"reference", ""}}, {}, {}, {}).ok());
  EXPECT_EQ(setup.repository.list().size(), 1U);

  const auto status = read_backup_status(fleet);
  EXPECT_EQ(status.at("main").last, made.id);
  EXPECT_EQ(status.at("main").proven, "");
  EXPECT_EQ(status.at("reference").last, "");
}

TEST(Backup, ThatIsStoppedLeavesNothing) {
  const Ground setup;
  TestDatabase database;
  database.execute("CREATE TABLE t (x int)");
  const FleetConfig fleet = fleet_of({{"main", database.endpoint().uri()}});
  // pg_dump waits for this table until somebody ends it.
  std::jthread holder([&] {
    static_cast<void>(
        database.server().execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60); ROLLBACK",
                                  database.name(), std::chrono::seconds(90)));
  });
  while (database.query_value("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND "
                              "relation = 't'::regclass") == "0") {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::stop_source stop;
  std::jthread stopper([&] {
    while (database.query_value("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0") {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    stop.request_stop();
  });
  const auto made = make_backup(fleet, setup.repository, {{"main", ""}}, {}, {}, stop.get_token());
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind(), ErrorKind::Cancelled);
  EXPECT_TRUE(std::filesystem::is_empty(setup.repository.folder()));
  database.execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> "
      "pg_backend_pid()");
}

}  // namespace
}  // namespace switchyard
