// Tables that follow as soon as their database is configured.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/move/on_configure.hpp>
#include <switchyard/runtime/shard.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>

namespace switchyard::move {
namespace {

using embedded::TestDatabase;

struct Place {
  TestDatabase main = TestDatabase::with(
      "CREATE TABLE facts (n int PRIMARY KEY); INSERT INTO facts SELECT generate_series(1, 100);"
      "CREATE TABLE others (n int PRIMARY KEY)");
  TestDatabase analytics;

  [[nodiscard]] FleetConfig fleet(const std::string& more) const {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + main.endpoint().uri() +
                        "\"\n[database.analytics]\ndsn = \"" + analytics.endpoint().uri() + "\"\n" + more;
    return load_config(sources).value_or_throw();
  }
};

constexpr const char* kAsked =
    "when_unconfigured = \"main\"\ntables = [\"facts\", \"others\", \"not_there\"]\nmove_on_configure = true\n";

std::optional<MoveReport> move_left(const FleetConfig& fleet, MoveOptions options = {}) {
  runtime::Shard shard;
  return shard.run_until_complete(move_what_is_left(fleet, {"main", "analytics"}, std::move(options)));
}

TEST(MoveOnConfigure, IsWhatTheConfigurationAsksFor) {
  const Place place;
  const auto asked = [&](const std::string& more) { return moves_on_configure(place.fleet(more)).size(); };
  EXPECT_EQ(asked(kAsked), 1U);
  EXPECT_EQ(asked("when_unconfigured = \"main\"\ntables = [\"facts\"]\n"), 0U) << "not wanted";
  EXPECT_EQ(asked("when_unconfigured = \"main\"\nmove_on_configure = true\n"), 0U) << "no tables";
  EXPECT_EQ(asked("tables = [\"facts\"]\nmove_on_configure = true\n"), 0U) << "nobody stands in";
}

TEST(MoveOnConfigure, MovesWhatIsLeftAndThenHasNothingToDo) {
  Place place;
  const FleetConfig fleet = place.fleet(kAsked);
  MoveOptions dies;
  dies.on_step = [](std::string_view step) {
    if (step == "copied") throw std::runtime_error("gone");
  };
  EXPECT_THROW((void)move_left(fleet, dies), std::runtime_error);
  const auto report = move_left(fleet);
  ASSERT_TRUE(report.has_value()) << "goes on with what was begun";
  EXPECT_EQ(report->phase, Phase::switched);
  EXPECT_EQ(place.analytics.query_value("SELECT count(*) FROM facts"), "100");
  EXPECT_EQ(place.main.query_value("SELECT owner FROM switchyard.ownership WHERE database = 'analytics'"),
            "analytics");
  EXPECT_FALSE(move_left(fleet).has_value());
}

TEST(MoveOnConfigure, LeavesEmptyTablesWhereTheyAre) {
  Place place;
  place.main.execute("TRUNCATE facts");
  EXPECT_FALSE(move_left(place.fleet(kAsked)).has_value());
  EXPECT_EQ(place.main.query_value("SELECT to_regclass('switchyard.moves') IS NULL"), "t");
}

}  // namespace
}  // namespace switchyard::move
