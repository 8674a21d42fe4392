// Statements and transactions that touch tables of other databases.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace switchyard {
namespace {

using embedded::TestDatabase;

class OwnerGuardTest : public ::testing::Test {
 protected:
  template <class F>
  void with_fleet(const std::string& head, F body) {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n" + head + "[database.main]\ndsn = \"" +
                        main.endpoint().uri() + "\"\ntables = [\"orders\"]\n[database.reference]\ndsn = \"" +
                        reference.endpoint().uri() + "\"\ntables = [\"log\"]\n";
    shard.run_until_complete([](FleetConfig config, F test) -> Task<void> {
      auto fleet = Fleet::open(std::move(config)).value_or_throw();
      co_await test(*fleet, fleet->database("main").value_or_throw(),
                    fleet->database("reference").value_or_throw());
      co_await fleet->close();
    }(load_config(sources).value_or_throw(), std::move(body)));
  }

  /// Both tables are in both, so that nothing but the map can say no.
  TestDatabase main = TestDatabase::with("CREATE TABLE orders (n int); CREATE TABLE log (n int)");
  TestDatabase reference = TestDatabase::with("CREATE TABLE orders (n int); CREATE TABLE log (n int)");
  runtime::Shard shard;
};

constexpr const char* kDevelopment = "server_type = \"development\"\n";
constexpr const char* kOrder = "INSERT INTO orders VALUES ($1)";
constexpr const char* kLog = "INSERT INTO log VALUES ($1)";

/// What the work fails with.
Task<std::string> failure(Task<void> work) {
  const auto done = co_await as_result(std::move(work));
  co_return done.ok() ? std::string() : std::string(done.error().what());
}

TEST_F(OwnerGuardTest, AStatementAtTheWrongDatabaseFailsInDevelopmentAndTest) {
  for (const std::string type : {"development", "test"}) {
    with_fleet("server_type = \"" + type + "\"\n",
               [](Fleet& fleet, DatabaseHandle main_db, DatabaseHandle other) -> Task<void> {
                 co_await main_db.execute(kOrder, 1);
                 const auto wrong = co_await other.execute(kOrder, 1).result();
                 EXPECT_FALSE(wrong.ok());
                 EXPECT_EQ(wrong.error().kind(), ErrorKind::Usage);
                 EXPECT_NE(std::string(wrong.error().what()).find("'orders' belongs to 'main', not to 'reference'"),
                           std::string::npos)
                     << wrong.error().what();
                 const auto read = co_await other.read().query("SELECT * FROM orders").result();
                 EXPECT_FALSE(read.ok());
                 auto request = fleet.request();
                 const auto in_request =
                     co_await request.database("reference").value_or_throw().query("SELECT * FROM orders").result();
                 EXPECT_FALSE(in_request.ok());
                 const std::string inside = co_await failure(
                     other.transaction([](Transaction& tx) -> Task<void> { co_await tx.execute(kOrder, 1); }));
                 EXPECT_NE(inside.find("belongs to 'main'"), std::string::npos) << inside;
               });
  }
  EXPECT_EQ(reference.query_value("SELECT count(*) FROM orders"), "0");
}

TEST_F(OwnerGuardTest, InProductionNobodyLooksUnlessTheSettingSaysSo) {
  with_fleet("",
             [](Fleet&, DatabaseHandle, DatabaseHandle other) -> Task<void> { co_await other.execute(kOrder, 1); });
  with_fleet("owner_check = \"warn\"\n",
             [](Fleet&, DatabaseHandle, DatabaseHandle other) -> Task<void> { co_await other.execute(kOrder, 1); });
  EXPECT_EQ(reference.query_value("SELECT count(*) FROM orders"), "2");
  with_fleet("owner_check = \"fail\"\n", [](Fleet&, DatabaseHandle, DatabaseHandle other) -> Task<void> {
    EXPECT_FALSE((co_await other.execute(kOrder, 1).result()).ok());
  });
  with_fleet(std::string(kDevelopment) + "owner_check = \"off\"\n",
             [](Fleet&, DatabaseHandle, DatabaseHandle other) -> Task<void> { co_await other.execute(kOrder, 1); });
}

TEST_F(OwnerGuardTest, ATransactionInsideAnotherDatabasesTransactionMayNotWrite) {
  with_fleet(kDevelopment, [](Fleet& fleet, DatabaseHandle main_db, DatabaseHandle other) -> Task<void> {
    const std::string nested = co_await failure(main_db.transaction([&](Transaction& tx) -> Task<void> {
      co_await tx.execute(kOrder, 1);
      co_await tx.execute(kOrder, 2);
      co_await other.transaction([](Transaction& inner) -> Task<void> { co_await inner.execute(kLog, 1); });
    }));
    EXPECT_NE(nested.find("one transaction would write to two databases, 'main' and 'reference'"),
              std::string::npos)
        << nested;
    EXPECT_NE(nested.find("main: INSERT INTO orders VALUES ($1); reference: INSERT INTO log"), std::string::npos)
        << nested;
    EXPECT_NE(nested.find("saga"), std::string::npos) << nested;
    const std::string alone = co_await failure(main_db.transaction([&](Transaction& tx) -> Task<void> {
      co_await tx.execute(kOrder, 1);
      co_await other.execute(kLog, 1);
    }));
    EXPECT_NE(alone.find("two databases"), std::string::npos) << alone;
    Request request = fleet.request();
    const auto requested = [&](const char* name) { return request.database(name).value_or_throw(); };
    const std::string in_request =
        co_await failure(requested("main").transaction([&](Transaction& tx) -> Task<void> {
          co_await tx.execute(kOrder, 1);
          co_await sleep(std::chrono::milliseconds(1));
          co_await requested("reference").execute(kLog, 1);
        }));
    EXPECT_NE(in_request.find("two databases"), std::string::npos) << in_request;
  });
  EXPECT_EQ(main.query_value("SELECT count(*) FROM orders"), "0");
  EXPECT_EQ(reference.query_value("SELECT count(*) FROM log"), "0");
}

TEST_F(OwnerGuardTest, ReadingElsewhereAndWritingAfterwardsAreFine) {
  with_fleet(kDevelopment, [](Fleet& fleet, DatabaseHandle main_db, DatabaseHandle other) -> Task<void> {
    co_await main_db.transaction([&](Transaction& tx) -> Task<void> {
      co_await tx.execute(kOrder, 1);
      co_await other.query("SELECT * FROM log");
      co_await other.transaction(
          [](Transaction& inner) -> Task<void> { co_await inner.query("SELECT 1 FROM log"); });
      co_await tx.execute(kOrder, 2);
    });
    co_await other.execute(kLog, 1);
    Request request = fleet.request();
    for (const char* name : {"main", "reference"}) {
      co_await request.database(name).value_or_throw().transaction([&](Transaction& tx) -> Task<void> {
        co_await tx.execute(std::string_view(name) == "main" ? kOrder : kLog, 1);
      });
    }
  });
}

TEST_F(OwnerGuardTest, TransactionsThatHaveNothingToDoWithEachOtherDoNotMeet) {
  with_fleet(kDevelopment, [](Fleet&, DatabaseHandle main_db, DatabaseHandle other) -> Task<void> {
    const auto work = [](DatabaseHandle handle, const char* sql) -> Task<void> {
      for (int i = 0; i < 50; ++i) {
        co_await handle.transaction([&](Transaction& tx) -> Task<void> {
          co_await tx.execute(sql, i);
          co_await yield();
          co_await tx.execute(sql, i);
        });
      }
    };
    co_await all(work(main_db, kOrder), work(other, kLog), work(main_db, kOrder));
  });
  EXPECT_EQ(main.query_value("SELECT count(*) FROM orders"), "200");
}

TEST_F(OwnerGuardTest, TheRouteSaysWhoseTheTablesAre) {
  with_fleet(kDevelopment, [](Fleet& fleet, DatabaseHandle, DatabaseHandle) -> Task<void> {
    const auto right = co_await fleet.explain_route("main", {.sql = "SELECT * FROM orders"});
    EXPECT_EQ(right->owner, "orders belongs to main");
    const auto wrong = co_await fleet.explain_route("reference", {.sql = "SELECT * FROM orders"});
    EXPECT_NE(wrong->owner.find("'orders' belongs to 'main', not to 'reference'"), std::string::npos)
        << wrong->owner;
  });
}

}  // namespace
}  // namespace switchyard
