// A database that gets its own place while its tables are still in main.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace switchyard {
namespace {

using embedded::TestDatabase;

constexpr const char* kTable = "CREATE TABLE facts (n int)";

class OwnershipTest : public ::testing::Test {
 protected:
  /// A fleet whose `analytics` is at `dsn`, or nowhere.
  template <class F>
  void with_analytics_at(const std::string& dsn, F body) {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + main.endpoint().uri() +
                        "\"\n[database.reference]\ndsn = \"postgresql://nobody@127.0.0.1:1/none\"\n" +
                        "[database.analytics]\nwhen_unconfigured = \"main\"\ntables = [\"facts\"]\n" +
                        (dsn.empty() ? "" : "dsn = \"" + dsn + "\"\n");
    shard.run_until_complete([](FleetConfig config, F test) -> Task<void> {
      auto fleet = Fleet::open(std::move(config)).value_or_throw();
      co_await test(*fleet, fleet->database("analytics").value_or_throw());
      co_await fleet->close();
    }(load_config(sources).value_or_throw(), std::move(body)));
  }
  std::string owner() {
    return main.query_value("SELECT owner FROM switchyard.ownership WHERE database = 'analytics'");
  }

  TestDatabase main = TestDatabase::with(kTable);
  TestDatabase analytics = TestDatabase::with(kTable);
  runtime::Shard shard;
};

constexpr const char* kInsert = "INSERT INTO facts VALUES (1)";
constexpr const char* kCount = "SELECT count(*) FROM facts";

TEST_F(OwnershipTest, AnEmptyMainGivesWayAtOnceAndItIsRemembered) {
  with_analytics_at(analytics.endpoint().uri(), [](Fleet& fleet, DatabaseHandle handle) -> Task<void> {
    co_await handle.execute(kInsert);
    EXPECT_EQ(co_await handle.read().query_value<std::int64_t>(kCount), 1);
    EXPECT_TRUE(fleet.status().databases.back().note.empty());
  });
  EXPECT_EQ(analytics.query_value(kCount), "1");
  EXPECT_EQ(main.query_value(kCount), "0");
  EXPECT_EQ(owner(), "analytics");
}

TEST_F(OwnershipTest, TablesLeftInMainAreServedThereUntilTheyAreGone) {
  main.execute(kInsert);
  with_analytics_at(analytics.endpoint().uri(), [](Fleet& fleet, DatabaseHandle handle) -> Task<void> {
    co_await handle.execute(kInsert);
    co_await handle.transaction([](Transaction& tx) -> Task<void> { co_await tx.execute(kInsert); });
    EXPECT_EQ(co_await handle.read().query_value<std::int64_t>(kCount), 3);
    const DatabaseStatus status = fleet.status().databases.back();
    EXPECT_NE(status.note.find("facts"), std::string::npos) << status.note;
    EXPECT_EQ(status.hint, "switchyard move facts --from main --to analytics");
    EXPECT_EQ(status.stand_in, "main");
  });
  EXPECT_EQ(owner(), "main");
  EXPECT_EQ(main.query_value(kCount), "3");
  EXPECT_EQ(analytics.query_value(kCount), "0");
  main.execute("DROP TABLE facts");
  with_analytics_at(analytics.endpoint().uri(),
                    [](Fleet&, DatabaseHandle handle) -> Task<void> { co_await handle.execute(kInsert); });
  EXPECT_EQ(analytics.query_value(kCount), "1");
  EXPECT_EQ(owner(), "analytics");
}

TEST_F(OwnershipTest, TakingThePlaceAwayAgainIsRefusedWithTheWayBack) {
  with_analytics_at("", [](Fleet&, DatabaseHandle handle) -> Task<void> { co_await handle.execute(kInsert); });
  EXPECT_EQ(main.query_value(kCount), "1");
  main.execute("DELETE FROM facts");
  with_analytics_at(analytics.endpoint().uri(),
                    [](Fleet&, DatabaseHandle handle) -> Task<void> { co_await handle.execute(kInsert); });
  with_analytics_at("", [](Fleet& fleet, DatabaseHandle handle) -> Task<void> {
    for (int i = 0; i < 2; ++i) {
      const auto refused = co_await handle.execute(kInsert).result();
      EXPECT_EQ(refused.error().kind(), ErrorKind::Config) << refused.error().what();
      EXPECT_NE(std::string(refused.error().hint()).find("ANALYTICS_DATABASE_URL"), std::string::npos);
    }
    EXPECT_FALSE(fleet.status().databases.back().note.empty());
  });
  EXPECT_EQ(main.query_value(kCount), "0");
}

}  // namespace
}  // namespace switchyard
