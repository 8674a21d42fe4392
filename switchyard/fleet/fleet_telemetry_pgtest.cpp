// What a fleet on real servers tells of its operations.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/httpc/testing/scripted_server.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/event_log.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

inline constexpr Database<"main"> main_db;

/// Databases main (with `more` settings) and reference, which other tests of this program name.
std::string toml(const std::string& dsn, const std::string& more = "") {
  return "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + dsn + "\"\n" + more +
         "[database.reference]\ndsn = \"" + dsn + "\"\n";
}

class FleetTelemetryTest : public ::testing::Test {
 protected:
  /// `database` and `more` are TOML to add to the database and behind it.
  template <class F>
  void run(const std::string& database, const std::string& more, F body) {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = toml(main.endpoint().uri(), database) + more;
    shard.run_until_complete([](FleetConfig config, F test) -> Task<void> {
      auto fleet = Fleet::open(std::move(config)).value_or_throw();
      co_await test(*fleet);
      co_await fleet->close();
    }(load_config(sources).value_or_throw(), std::move(body)));
  }
  static std::vector<std::string> lines_since(std::uint64_t sequence) {
    std::vector<std::string> out;
    for (const auto& event : telemetry::events().since(sequence)) out.push_back(event.message);
    return out;
  }

  TestDatabase main = TestDatabase::with("CREATE TABLE t (id int PRIMARY KEY, v text)");
  runtime::Shard shard;
};

TEST_F(FleetTelemetryTest, ASlowStatementIsNotedWithoutItsValues) {
  run("slow_query = \"1ms\"\n", "", [](Fleet& fleet) -> Task<void> {
    const std::uint64_t before = telemetry::events().last_sequence();
    (void)co_await fleet[main_db].query("SELECT 'secret', pg_sleep(0.01) WHERE $1::text <> ''", "hidden");
    EXPECT_THAT(lines_since(before),
                Contains(MatchesRegex(
                    "\\[SLOW QUERY\\] main took [0-9]+ms: SELECT \\?, pg_sleep\\(\\?\\) WHERE \\$1::text <> \\?")));
    EXPECT_EQ(fleet.status().databases.front().endpoints.front().operations.slow, 1U);
  });
}

TEST_F(FleetTelemetryTest, CommentsSayWhoSentAStatementAndItStaysPrepared) {
  // One session: what it has prepared is asked of itself.
  run("sqlcommenter = true\nlane = \"leased\"\npool.max = 1\n", "", [](Fleet& fleet) -> Task<void> {
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(
          co_await fleet[main_db].query_value<std::string>(
              {.sql = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() AND $1", .name = "who"},
              true),
          "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() AND $1 "
          "/*action='who',application='test-main',db_driver='switchyard'*/");
    }
    EXPECT_EQ(co_await fleet[main_db].query_value<std::int64_t>(
                  "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%action=''who''%'"),
              1);
  });
}

TEST_F(FleetTelemetryTest, OperationsOfARequestBecomeSpansOfTheCallersTrace) {
  constexpr std::string_view kCaller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  std::string sent;
  shard.run_until_complete([](std::string dsn, std::string* out, std::string_view caller) -> Task<void> {
    httpc::ScriptedServer collector;
    collector.replies.push_back({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"});
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = toml(dsn) + "[telemetry]\nsample = 0.0\nexport_interval = \"1h\"\notlp_endpoint = \"" +
                        collector.url("") + "\"\n";
    auto fleet = Fleet::open(load_config(sources).value_or_throw()).value_or_throw();
    (void)co_await (*fleet)[main_db].query_value<int>("SELECT 1");  // no caller, and nothing is sampled here
    {
      Request request = fleet->request({.label = "create-declaration", .traceparent = caller});
      (void)co_await request[main_db]
          .query_value<int>({.sql = "SELECT 'secret'::text = $1", .name = "compare"}, "x")
          .result();
      (void)co_await request[main_db].execute("INSERT INTO t VALUES (1, 'a'), (1, 'b')").result();
      EXPECT_THAT(request.traceparent(), MatchesRegex("00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01"));
      EXPECT_THAT(request.traceparent(), Not(HasSubstr("00f067aa0ba902b7")));
    }
    co_await fleet->close();
    const telemetry::TraceNumbers numbers = fleet->statistics().traces;
    EXPECT_EQ(numbers.exported, 3U) << "two operations and the request";
    if (!collector.requests.empty()) *out = collector.requests.front();
  }(main.endpoint().uri(), &sent, kCaller));
  EXPECT_THAT(sent, HasSubstr("\"parentSpanId\":\"00f067aa0ba902b7\",\"name\":\"create-declaration\""));
  EXPECT_THAT(sent, HasSubstr("{\"key\":\"db.system.name\",\"value\":{\"stringValue\":\"postgresql\"}}"));
  EXPECT_THAT(sent, HasSubstr("{\"key\":\"switchyard.route\",\"value\":{\"stringValue\":\"primary"));
  EXPECT_THAT(sent, HasSubstr("{\"key\":\"db.response.status_code\",\"value\":{\"stringValue\":\"23505\"}}"));
  EXPECT_THAT(sent, Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace switchyard
