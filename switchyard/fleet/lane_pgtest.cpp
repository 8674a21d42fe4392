// Reads of many callers on few sessions, as an application has them: the verdict comes from the live catalogue.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using ::testing::HasSubstr;

inline constexpr Database<"main"> main_db;

class LaneTest : public ::testing::Test {
 protected:
  FleetConfig config(const std::string& more = "") {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + main.endpoint().uri() +
                        "\"\n" + more + "[database.reference]\ndsn = \"" + main.endpoint().uri() + "\"\n";
    return load_config(sources).value_or_throw();
  }
  template <class F>
  void run(FleetConfig with, F body) {
    shard.run_until_complete(with_timeout(
        [](FleetConfig configuration, F test) -> Task<void> {
          auto fleet = Fleet::open(std::move(configuration)).value_or_throw();
          co_await test(*fleet);
          co_await fleet->close();
        }(std::move(with), std::move(body)),
        180s));
  }

  static LaneStatus lane(Fleet& fleet) {
    const FleetStatus status = fleet.status();
    return status.databases.at(0).endpoints.at(0).lane.value_or(LaneStatus());
  }
  static std::uint64_t refused(Fleet& fleet, std::string_view why) {
    for (const auto& refusal : lane(fleet).refusals) {
      if (refusal.why == why) return refusal.count;
    }
    return 0;
  }
  /// Many callers ask the same at one time, until some of it was shared or `rounds` are over (without: 30 s, for a
  /// busy machine takes its time).
  static Task<std::uint64_t> ask(Fleet& fleet, std::string sql, std::optional<int> rounds = std::nullopt) {
    const std::uint64_t before = lane(fleet).statements;
    const TimePoint end = runtime::now() + 30s;
    for (int round = 0; lane(fleet).statements == before; ++round) {
      if (rounds ? round >= *rounds : runtime::now() >= end) break;
      std::vector<Task<void>> callers;
      for (int i = 0; i < 16; ++i) {
        callers.push_back([](Fleet& in, std::string text, int tag) -> Task<void> {
          EXPECT_EQ(co_await in[main_db].query_value<std::int32_t>(text, tag), tag);
        }(fleet, sql, i));
      }
      co_await all(std::move(callers));
      co_await sleep(2ms);
    }
    co_return lane(fleet).statements - before;
  }

  TestDatabase main = TestDatabase::with(
      "CREATE TABLE t (id int PRIMARY KEY, v int);"
      "INSERT INTO t SELECT n, n FROM generate_series(0, 99) n;"
      "CREATE FUNCTION sets(x int) RETURNS int LANGUAGE sql STABLE AS "
      "$$ SELECT x FROM set_config('my.tenant', x::text, false) $$;"
      "CREATE FUNCTION harmless(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x'");
  runtime::Shard shard;
};

constexpr char kRead[] = "SELECT v FROM t WHERE id = $1";

TEST_F(LaneTest, ReadsOfManyCallersShareSessionsWithoutBeingAsked) {
  run(config(), [](Fleet& fleet) -> Task<void> { EXPECT_GT(co_await ask(fleet, kRead), 0U); });
}

TEST_F(LaneTest, ADatabaseOrAStatementMayBeLeased) {
  run(config("lane = \"leased\"\n"), [](Fleet& fleet) -> Task<void> {
    EXPECT_EQ(co_await ask(fleet, kRead, 20), 0U);
    EXPECT_GT(refused(fleet, "leased: lane = \"leased\" for this database"), 0U);
  });
  run(config(), [](Fleet& fleet) -> Task<void> {
    EXPECT_GT(co_await ask(fleet, kRead), 0U);
    const std::uint64_t before = lane(fleet).statements;
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(co_await fleet[main_db].query_value<std::int32_t>({.sql = kRead, .lane = LaneUse::leased}, i), i);
    }
    EXPECT_EQ(lane(fleet).statements, before);
    EXPECT_EQ(refused(fleet, "leased: the statement asks for it"), 10U);
  });
}

TEST_F(LaneTest, FunctionsOfYoursAreLeasedUnlessYouSayThatTheyAreSafe) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    EXPECT_EQ(co_await ask(fleet, "SELECT sets(v) FROM t WHERE id = $1", 30), 0U);
    EXPECT_EQ(co_await ask(fleet, "SELECT harmless(v) FROM t WHERE id = $1", 30), 0U);
    EXPECT_GT(refused(fleet, "leased: the verdict on its text"), 0U);
    const auto why = co_await fleet.explain_route("main", {.sql = "SELECT sets(1)"}, 30s);
    EXPECT_THAT(why->lane, HasSubstr("sets()"));
  });
  run(config("lane_safe = [\"public.harmless\"]\n"), [](Fleet& fleet) -> Task<void> {
    EXPECT_GT(co_await ask(fleet, "SELECT harmless(v) FROM t WHERE id = $1"), 0U);
    EXPECT_EQ(co_await ask(fleet, "SELECT sets(v) FROM t WHERE id = $1", 30), 0U);
  });
}

TEST_F(LaneTest, AnEntryOfLaneSafeThatIsNoNameIsRefusedAtTheStart) {
  shard.run_until_complete([](FleetConfig with) -> Task<void> {
    const auto fleet = Fleet::open(std::move(with));
    EXPECT_FALSE(fleet.ok());
    if (!fleet.ok()) EXPECT_THAT(std::string(fleet.error().what()), HasSubstr("database.main.lane_safe"));
    co_return;
  }(config("lane_safe = [\"harmless\"]\n")));
}

TEST_F(LaneTest, WhatThisProcessChangesInTheCatalogueCountsAtOnce) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    EXPECT_GT(co_await ask(fleet, "SELECT abs(v) FROM t WHERE id = $1"), 0U);
    // A function of the same name, to be found first by those who look for it there.
    (void)co_await fleet[main_db].execute(
        "CREATE FUNCTION public.abs(x int) RETURNS int LANGUAGE sql STABLE AS "
        "$$ SELECT x FROM set_config('my.tenant', x::text, false) $$");
    EXPECT_EQ(co_await ask(fleet, "SELECT abs(v) FROM t WHERE id = $1", 30), 0U);
    co_await fleet[main_db].transaction(
        [](Transaction& tx) -> Task<void> { co_await tx.execute("DROP FUNCTION public.abs(int)"); });
    EXPECT_GT(co_await ask(fleet, "SELECT abs(v) FROM t WHERE id = $1"), 0U);
  });
}

TEST_F(LaneTest, AReaderSeesWhatItWroteBefore) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    EXPECT_GT(co_await ask(fleet, kRead), 0U);
    std::vector<Task<void>> callers;
    for (int i = 0; i < 50; ++i) {
      callers.push_back([](Fleet& in, int id) -> Task<void> {
        for (int n = 1; n <= 20; ++n) {
          co_await in[main_db].execute("UPDATE t SET v = $2 WHERE id = $1", id, 1000 * id + n);
          EXPECT_EQ(co_await in[main_db].query_value<std::int32_t>(kRead, id), 1000 * id + n);
        }
      }(fleet, i));
    }
    co_await all(std::move(callers));
    EXPECT_GT(lane(fleet).statements, 100U);
  });
}

TEST_F(LaneTest, InASmallPoolWritersAndTransactionsGetTheirSessions) {
  run(config("pool = { min = 0, max = 2 }\n"), [](Fleet& fleet) -> Task<void> {
    EXPECT_GT(co_await ask(fleet, kRead), 0U);
    std::vector<Task<void>> callers;
    for (int i = 0; i < 30; ++i) {
      callers.push_back([](Fleet& in, int id) -> Task<void> {
        for (int n = 0; n < 10; ++n) {
          co_await in[main_db].transaction(
              [&](Transaction& tx) -> Task<void> { co_await tx.execute("UPDATE t SET v = v WHERE id = $1", id); });
          (void)co_await in[main_db].query_value<std::int32_t>(kRead, id);
        }
      }(fleet, i));
    }
    co_await all(std::move(callers));
    EXPECT_EQ(lane(fleet).sessions, 1U);
  });
}

TEST_F(LaneTest, ADeadlineNamesItsLimit) {
  run(config(), [](Fleet& fleet) -> Task<void> {
    constexpr char kHeavy[] = "SELECT count(*)::int4 FROM generate_series(1, $1::int8) g";
    for (int round = 0; round < 100; ++round) {
      std::vector<Task<void>> callers;
      for (int i = 0; i < 8; ++i) {
        callers.push_back([](Fleet& in, const char* sql) -> Task<void> {
          (void)co_await in[main_db].query_value<std::int32_t>(sql, std::int64_t{1});
        }(fleet, kHeavy));
      }
      co_await all(std::move(callers));
      if (lane(fleet).statements > 0) break;
      co_await sleep(2ms);
    }
    const auto ask_in_vain = [&]() -> Task<Error> {
      const auto result = co_await fleet[main_db]
                              .query_value<std::int32_t>({.sql = kHeavy, .timeout = 50ms}, std::int64_t{50'000'000})
                              .result();
      EXPECT_FALSE(result.ok());
      co_return result.ok() ? Error(ErrorKind::Usage, "answered") : result.error();
    };
    const TimePoint end = runtime::now() + 30s;
    Error error = co_await ask_in_vain();
    // The server of a busy machine may take longer for the cancel request than it is given.
    while (error.kind() == ErrorKind::InDoubt && runtime::now() < end) error = co_await ask_in_vain();
    EXPECT_EQ(error.kind(), ErrorKind::Deadline);
    EXPECT_THAT(std::string(error.what()), HasSubstr("timeout"));
    EXPECT_EQ(co_await fleet[main_db].query_value<std::int32_t>(kRead, 5), 5);
  });
}

TEST_F(LaneTest, ANewSettingOfTheRoleIsSeenByNewSessions) {
  run(config(), [this](Fleet& fleet) -> Task<void> {
    EXPECT_GT(co_await ask(fleet, kRead), 0U);
    main.execute("ALTER DATABASE " + main.query_value("SELECT quote_ident(current_database())") +
                 " SET \"DateStyle\" = 'German, DMY'");
    const auto german = [&]() -> Task<bool> {
      std::vector<Task<void>> callers;
      bool every = true;
      const std::uint64_t before = lane(fleet).statements;
      for (int i = 0; i < 16; ++i) {
        callers.push_back([](Fleet& in, bool& all_german) -> Task<void> {
          const auto text = co_await in[main_db].query_value<std::string>("SELECT ('2026-11-21'::date)::text");
          if (text != "21.11.2026") all_german = false;
        }(fleet, every));
      }
      co_await all(std::move(callers));
      co_return every&& lane(fleet).statements > before;
    };
    bool seen = false;
    for (int i = 0; i < 600 && !seen; ++i) {
      seen = co_await german();
      co_await sleep(10ms);
    }
    // Leases keep what they logged in with until they are replaced; what is shared is of the new generation.
    EXPECT_TRUE(seen);
  });
}

}  // namespace
}  // namespace switchyard
