// Many clients on few sessions of a real server: each finds everything as if it had one for itself.
#include <tests/support/gateway_door.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/wait_until.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::Door;
using switchyard::testing::PqResult;
using switchyard::testing::PqSession;
using switchyard::testing::wait_until;

class MuxTest : public ::testing::Test {
 protected:
  static constexpr const char* kOne = "pool = { min = 0, max = 1, acquire_timeout = \"2s\" }\n";
  TestDatabase database = TestDatabase::with(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE SEQUENCE s; "
      "CREATE FUNCTION opaque() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$");
};

PqResult prepare(PqSession& session, const char* name, const char* sql) {
  return PqResult(PQprepare(session.handle(), name, sql, 0, nullptr));
}
PqResult run(PqSession& session, const char* name, std::vector<const char*> values = {}) {
  return PqResult(
      PQexecPrepared(session.handle(), name, static_cast<int>(values.size()), values.data(), nullptr, nullptr, 0));
}
PqResult next(PqSession& session) { return PqResult(PQgetResult(session.handle())); }

TEST_F(MuxTest, ManyClientsShareOneSession) {
  Door door(database, {.more = kOne});
  std::vector<std::unique_ptr<PqSession>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<PqSession>(door.local()));
    ASSERT_TRUE(clients.back()->connected()) << clients.back()->error();
  }
  std::set<std::string> pids;
  for (int round = 0; round < 3; ++round) {
    for (const auto& client : clients) pids.insert(client->value("SELECT pg_backend_pid()"));
  }
  EXPECT_EQ(pids.size(), 1U);
  // All at once: each has to wait for its turn.
  for (std::size_t i = 0; i < clients.size(); ++i) {
    ASSERT_EQ(PQsendQuery(clients[i]->handle(), ("BEGIN; SELECT " + std::to_string(i) + "; COMMIT").c_str()), 1);
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    std::vector<std::string> values;
    while (PGresult* result = PQgetResult(clients[i]->handle())) {
      if (PQresultStatus(result) == PGRES_TUPLES_OK) values.emplace_back(PQgetvalue(result, 0, 0));
      PQclear(result);
    }
    EXPECT_EQ(values, std::vector<std::string>{std::to_string(i)});
  }
}

TEST_F(MuxTest, ATransactionKeepsItsSessionAndOthersWait) {
  Door door(database, {.more = "pool = { min = 0, max = 1, acquire_timeout = \"1s\" }\n"});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(first.execute("BEGIN; INSERT INTO t VALUES (1, 'a')").ok());
  const PqResult refused = second.execute("SELECT 1");
  EXPECT_EQ(refused.sqlstate(), "53300") << refused.error();
  EXPECT_NE(refused.error().find("acquire_timeout"), std::string::npos) << refused.error();
  ASSERT_EQ(PQsendQuery(second.handle(), "SELECT count(*) FROM t"), 1);
  EXPECT_TRUE(first.execute("COMMIT").ok());
  EXPECT_EQ(next(second).value(0, 0), "1") << "the client is still there, and has its turn";
  while (PGresult* more = PQgetResult(second.handle())) PQclear(more);
}

TEST_F(MuxTest, PreparedStatementsBelongToTheirClients) {
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(prepare(first, "p", "SELECT 'first' || $1").ok());
  ASSERT_TRUE(prepare(second, "p", "SELECT 'second' || $1").ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run(first, "p", {"!"}).value(0, 0), "first!");
    EXPECT_EQ(run(second, "p", {"?"}).value(0, 0), "second?");
  }
  const PqResult twice = prepare(first, "p", "SELECT 3");
  EXPECT_EQ(twice.sqlstate(), "42P05");
  EXPECT_EQ(twice.error_field('M'), "prepared statement \"p\" already exists");
  const PqResult unknown = run(second, "q");
  EXPECT_EQ(unknown.sqlstate(), "26000");
  EXPECT_EQ(unknown.error_field('M'), "prepared statement \"q\" does not exist");
  EXPECT_EQ(run(first, "p", {"!"}).value(0, 0), "first!") << "the other one is as it was";
  const PqResult described(PQdescribePrepared(first.handle(), "p"));
  EXPECT_EQ(PQnparams(described.handle()), 1);
  // Each takes away its own.
  ASSERT_TRUE(first.execute("DEALLOCATE p").ok());
  EXPECT_EQ(run(first, "p", {"!"}).sqlstate(), "26000");
  EXPECT_EQ(run(second, "p", {"?"}).value(0, 0), "second?");
  ASSERT_TRUE(second.execute("DEALLOCATE ALL").ok());
  EXPECT_EQ(run(second, "p", {"?"}).sqlstate(), "26000");
  EXPECT_EQ(second.execute("DEALLOCATE p").sqlstate(), "26000");
}

TEST_F(MuxTest, WhatATriggerSetsIsItsClientsAlone) {
  database.execute(
      "CREATE FUNCTION sets() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); RETURN NEW; END $$;"
      "CREATE TRIGGER sets BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION sets()");
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  const std::string zone = second.value("SHOW TimeZone");
  ASSERT_TRUE(first.execute("INSERT INTO t VALUES (1, 'a')").ok());
  EXPECT_EQ(second.value("SHOW TimeZone"), zone);
  EXPECT_EQ(first.value("SHOW TimeZone"), "Asia/Tokyo") << "as with a session of its own";
  EXPECT_EQ(first.parameter_status("TimeZone"), "Asia/Tokyo");
  EXPECT_EQ(second.value("SHOW TimeZone"), zone);
  EXPECT_EQ(second.parameter_status("TimeZone"), zone);
}

TEST_F(MuxTest, WhoHasAskedForSequencesOnceIsNotAnsweredWithThoseOfOthers) {
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(first.execute("SELECT nextval('s')").ok());
  EXPECT_EQ(first.value("SELECT lastval()"), "1");
  ASSERT_TRUE(second.execute("SELECT nextval('s')").ok());
  ASSERT_TRUE(first.execute("BEGIN").ok());
  EXPECT_EQ(first.execute("SELECT lastval()").sqlstate(), "55000");
  ASSERT_TRUE(first.execute("ROLLBACK").ok());
}

TEST_F(MuxTest, TheSameTextIsPreparedOnceForAll) {
  Door door(database, {.more = kOne});
  std::vector<std::unique_ptr<PqSession>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<PqSession>(door.local()));
    ASSERT_TRUE(prepare(*clients.back(), ("p" + std::to_string(i)).c_str(), "SELECT 40 + $1::int").ok());
  }
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(run(*clients[i], ("p" + std::to_string(i)).c_str(), {"2"}).value(0, 0), "42");
  EXPECT_EQ(clients[0]->value("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT 40%'"),
            "1");
}

TEST_F(MuxTest, AClientIsShownTheStatementsThatItHasPrepared) {
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(prepare(first, "p", "SELECT 'first' || $1").ok());
  ASSERT_TRUE(prepare(second, "q", "SELECT 'second' || $1").ok());
  const char* const all =
      "SELECT string_agg(name || '=' || statement, ',' ORDER BY name) FROM pg_prepared_statements "
      "WHERE name NOT LIKE 'sy%'";
  EXPECT_EQ(first.value(all), "p=SELECT 'first' || $1");
  EXPECT_EQ(second.value(all), "q=SELECT 'second' || $1");
  EXPECT_EQ(run(first, "p", {"!"}).value(0, 0), "first!");
  ASSERT_TRUE(prepare(first, "s", "SELECT count(*) FROM pg_prepared_statements WHERE name NOT LIKE 'sy%'").ok());
  EXPECT_EQ(run(first, "s").value(0, 0), "2") << "itself among them";
  ASSERT_TRUE(first.execute("DEALLOCATE p").ok());
  EXPECT_EQ(run(first, "s").value(0, 0), "1");
  EXPECT_EQ(run(second, "q", {"?"}).value(0, 0), "second?");
  ASSERT_TRUE(prepare(first, "", "SELECT count(*) FROM pg_prepared_statements WHERE name NOT LIKE 'sy%'").ok());
  EXPECT_EQ(second.value("SELECT 1"), "1");
  EXPECT_EQ(run(first, "").value(0, 0), "1");
  EXPECT_EQ(first.execute("SELECT nothing FROM pg_prepared_statements").sqlstate(), "42703");
  EXPECT_EQ(run(first, "s").value(0, 0), "1");
}

TEST_F(MuxTest, ValuesOfSequencesAreThereAsLongAsNobodyElseHasUsedTheSession) {
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  EXPECT_EQ(first.value("SELECT nextval('s')"), "1");
  EXPECT_EQ(first.value("SELECT currval('s')"), "1");
  EXPECT_EQ(first.value("SELECT lastval()"), "1");
  EXPECT_EQ(door.status().holding, 0U);
  EXPECT_EQ(second.value("SELECT nextval('s')"), "2");
  EXPECT_EQ(first.execute("SELECT currval('s')").sqlstate(), "55000") << "never another client's value";
  EXPECT_EQ(first.value("SELECT nextval('s')"), "3");
  EXPECT_EQ(first.value("SELECT currval('s')"), "3");
  // Or it keeps its session.
  Door keeps(database,
             {.change = [](GatewaySettings& settings) { settings.config.sequences = SequenceMode::pin; }});
  PqSession pinned(keeps.local());
  EXPECT_EQ(pinned.value("SELECT nextval('s')"), "4");
  EXPECT_EQ(pinned.value("SELECT currval('s')"), "4");
  EXPECT_EQ(keeps.status().holding, 1U);
}

TEST_F(MuxTest, ErrorsInATransactionAreThoseOfTheServer) {
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(prepare(second, "known", "SELECT 1").ok());
  ASSERT_TRUE(first.execute("BEGIN").ok());
  EXPECT_EQ(first.execute("SELECT 1/0").sqlstate(), "22012");
  EXPECT_EQ(prepare(first, "known", "SELECT 1").sqlstate(), "25P02") << "also of a text that is prepared already";
  EXPECT_EQ(prepare(first, "other", "SELECT 2").sqlstate(), "25P02");
  EXPECT_EQ(first.execute("DEALLOCATE ALL").sqlstate(), "25P02");
  ASSERT_TRUE(first.execute("ROLLBACK").ok());
  EXPECT_EQ(run(first, "known").sqlstate(), "26000");
}

TEST_F(MuxTest, AStatementSurvivesTheFailureOfItsGroup) {
  Door door(database, {.more = kOne});
  PqSession session(door.local());
  ASSERT_EQ(PQenterPipelineMode(session.handle()), 1);
  ASSERT_EQ(PQsendPrepare(session.handle(), "kept", "SELECT 1", 0, nullptr), 1);
  ASSERT_EQ(PQsendQueryParams(session.handle(), "SELECT 1/0", 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
  ASSERT_EQ(PQsendPrepare(session.handle(), "skipped", "SELECT 2", 0, nullptr), 1);
  ASSERT_EQ(PQpipelineSync(session.handle()), 1);
  std::vector<ExecStatusType> seen;
  for (int i = 0; i < 7; ++i) {
    PGresult* result = PQgetResult(session.handle());
    if (result == nullptr) continue;
    seen.push_back(PQresultStatus(result));
    PQclear(result);
  }
  EXPECT_EQ(seen, (std::vector<ExecStatusType>{PGRES_COMMAND_OK, PGRES_FATAL_ERROR, PGRES_PIPELINE_ABORTED,
                                               PGRES_PIPELINE_SYNC}));
  ASSERT_EQ(PQexitPipelineMode(session.handle()), 1);
  EXPECT_EQ(run(session, "kept").value(0, 0), "1");
  EXPECT_EQ(run(session, "skipped").sqlstate(), "26000");
}

TEST_F(MuxTest, TheUnnamedStatementIsTheClientsOwn) {
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(prepare(first, "", "SELECT 'mine'").ok());
  ASSERT_TRUE(prepare(second, "", "SELECT 'yours'").ok());
  EXPECT_EQ(run(first, "").value(0, 0), "mine");
  EXPECT_EQ(run(second, "").value(0, 0), "yours");
  EXPECT_EQ(first.value("SELECT 1"), "1") << "a query takes it away";
  EXPECT_EQ(run(first, "").sqlstate(), "26000");
}

TEST_F(MuxTest, SettingsGoWithTheirClient) {
  Door door(database, {.more = kOne});
  PqSession first(door.local() + "application_name=one");
  PqSession second(door.local() + "application_name=two");
  ASSERT_TRUE(first.execute("SET work_mem = '7MB'").ok());
  EXPECT_EQ(second.value("SHOW work_mem"), "4MB");
  EXPECT_EQ(first.value("SHOW work_mem"), "7MB");
  EXPECT_EQ(first.value("SHOW application_name"), "one");
  EXPECT_EQ(second.value("SHOW application_name"), "two");
  // What a transaction does not keep is not kept.
  ASSERT_TRUE(first.execute("BEGIN; SET work_mem = '8MB'").ok());
  ASSERT_TRUE(first.execute("ROLLBACK").ok());
  EXPECT_EQ(second.value("SHOW work_mem"), "4MB");
  EXPECT_EQ(first.value("SHOW work_mem"), "7MB");
  ASSERT_TRUE(first.execute("BEGIN; SET LOCAL work_mem = '9MB'; COMMIT").ok());
  EXPECT_EQ(second.value("SHOW work_mem"), "4MB");
  EXPECT_EQ(first.value("SHOW work_mem"), "7MB");
  ASSERT_TRUE(
      first
          .execute("BEGIN; SAVEPOINT a; SET work_mem = '10MB'; ROLLBACK TO a; SET statement_timeout = 5000; "
                   "COMMIT")
          .ok());
  EXPECT_EQ(second.value("SHOW statement_timeout"), second.value("SHOW statement_timeout"));
  EXPECT_EQ(first.value("SHOW work_mem"), "7MB");
  EXPECT_EQ(first.value("SHOW statement_timeout"), "5s");
  EXPECT_EQ(first.value("SELECT set_config('work_mem', '11MB', false)"), "11MB");
  EXPECT_EQ(second.value("SHOW work_mem"), "4MB");
  EXPECT_EQ(first.value("SHOW work_mem"), "11MB");
  ASSERT_TRUE(first.execute("RESET ALL").ok());
  EXPECT_EQ(second.value("SHOW work_mem"), "4MB");
  EXPECT_EQ(first.value("SHOW work_mem"), "4MB");
  EXPECT_EQ(first.value("SHOW application_name"), "one") << "RESET goes back to the startup packet";
}

TEST_F(MuxTest, ReportedSettingsAreTheClientsOwn) {
  Door door(database, {.more = kOne});
  PqSession first(door.local() + "options='-c TimeZone=Europe/Berlin'");
  PqSession second(door.local());
  EXPECT_EQ(first.parameter_status("TimeZone"), "Europe/Berlin");
  ASSERT_TRUE(second.execute("SET TimeZone = 'Asia/Tokyo'").ok());
  EXPECT_EQ(second.parameter_status("TimeZone"), "Asia/Tokyo");
  EXPECT_EQ(first.value("SHOW TimeZone"), "Europe/Berlin");
  EXPECT_EQ(first.parameter_status("TimeZone"), "Europe/Berlin") << "what another has set is not told";
  EXPECT_EQ(second.value("SHOW TimeZone"), "Asia/Tokyo");
  ASSERT_TRUE(first.execute("SET TimeZone = 'UTC'").ok());
  EXPECT_EQ(first.parameter_status("TimeZone"), "UTC");
  ASSERT_TRUE(first.execute("RESET TimeZone").ok());
  EXPECT_EQ(first.parameter_status("TimeZone"), "Europe/Berlin");
  ASSERT_TRUE(first.execute("BEGIN; SET TimeZone = 'UTC'").ok());
  ASSERT_TRUE(first.execute("RESET TimeZone").ok());
  EXPECT_EQ(first.value("SHOW TimeZone"), "Europe/Berlin");
  ASSERT_TRUE(first.execute("COMMIT").ok());
  ASSERT_TRUE(second.execute("DISCARD ALL").ok());
  EXPECT_EQ(second.value("SHOW TimeZone"), second.parameter_status("TimeZone"));
  EXPECT_NE(second.parameter_status("TimeZone"), "Asia/Tokyo");
}

TEST_F(MuxTest, ARoleIsTakenAndLeft) {
  const std::string role = database.name() + "_role";
  database.execute("CREATE ROLE " + role);
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(first.execute("SET work_mem = '7MB'; SET ROLE " + role).ok());
  EXPECT_EQ(second.value("SELECT current_user"), "postgres");
  EXPECT_EQ(first.value("SELECT current_user"), role);
  EXPECT_EQ(second.value("SELECT current_user"), "postgres");
  ASSERT_TRUE(first.execute("RESET ROLE").ok());
  EXPECT_EQ(first.value("SELECT current_user"), "postgres");
  database.execute("DROP ROLE " + role);
}

TEST_F(MuxTest, WhatCantBeCarriedOverKeepsItsSession) {
  Door door(database, {.more = "pool = { min = 0, max = 2, acquire_timeout = \"2s\" }\n"});
  struct Case {
    const char* begin;
    const char* probe;
    const char* expected;
    const char* end;
  };
  const Case cases[] = {
      {"CREATE TEMP TABLE mine (id int); INSERT INTO mine VALUES (5)", "SELECT id FROM mine", "5",
       "DROP TABLE mine"},
      {"SELECT pg_advisory_lock(77)",
       "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND "
       "pid = pg_backend_pid()",
       "1", "SELECT pg_advisory_unlock(77)"},
      {"BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 8; COMMIT", "SELECT count(*) FROM pg_cursors", "1", "CLOSE c"},
      {"PREPARE one AS SELECT 9", "EXECUTE one", "9", "DEALLOCATE one"},
      {"SET app.tenant = 'x'", "SELECT current_setting('app.tenant')", "x", "DISCARD ALL"},
      {"SELECT opaque()", "SELECT 1", "1", "DISCARD ALL"},
  };
  for (const Case& one : cases) {
    PqSession holder(door.local());
    PqSession other(door.local());
    ASSERT_TRUE(holder.execute(one.begin).ok()) << one.begin;
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(holder.value(one.probe), one.expected) << one.begin;
      EXPECT_EQ(other.value("SELECT 1"), "1");
    }
    const std::string pid = holder.value("SELECT pg_backend_pid()");
    EXPECT_NE(other.value("SELECT pg_backend_pid()"), pid) << one.begin;
    ASSERT_TRUE(holder.execute(one.end).ok()) << one.end;
    EXPECT_TRUE(wait_until([&] { return door.status().holding == 0; })) << one.end;
  }
}

TEST_F(MuxTest, AClientThatUsesNothingDoesNotNoticeTheLossOfASession) {
  Door door(database, {.more = kOne});
  PqSession session(door.local());
  ASSERT_TRUE(prepare(session, "p", "SELECT 'still ' || $1").ok());
  ASSERT_TRUE(session.execute("SET work_mem = '7MB'").ok());
  for (int i = 0; i < 3; ++i) {
    const std::string pid = session.value("SELECT pg_backend_pid()");
    database.execute("SELECT pg_terminate_backend(" + pid + ")");
    ASSERT_TRUE(wait_until([&] { return door.status().sessions == 0; }));
    EXPECT_EQ(run(session, "p", {"here"}).value(0, 0), "still here");
    EXPECT_EQ(session.value("SHOW work_mem"), "7MB");
  }
}

TEST_F(MuxTest, ACancelNeverHitsTheNextUserOfASession) {
  Door door(database, {.more = kOne});
  PqSession sleeper(door.local());
  PqSession other(door.local());
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(PQsendQuery(sleeper.handle(), "SELECT pg_sleep(0.005)"), 1);
    ASSERT_EQ(PQsendQuery(other.handle(), "SELECT 42 FROM pg_sleep(0.02)"), 1);
    std::array<char, 256> text{};
    PGcancel* cancel = PQgetCancel(sleeper.handle());
    EXPECT_EQ(PQcancel(cancel, text.data(), text.size()), 1) << text.data();
    PQfreeCancel(cancel);
    EXPECT_EQ(next(other).value(0, 0), "42");
    while (PGresult* more = PQgetResult(other.handle())) PQclear(more);
    while (PGresult* more = PQgetResult(sleeper.handle())) PQclear(more);
  }
}

TEST_F(MuxTest, WhoWaitsForASessionMayBeCancelled) {
  Door door(database, {.more = "pool = { min = 0, max = 1, acquire_timeout = \"60s\" }\n"});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(first.execute("BEGIN").ok());
  ASSERT_EQ(PQsendQuery(second.handle(), "SELECT 1"), 1);
  ASSERT_TRUE(wait_until([&] { return door.status().waiting == 1; }));
  std::array<char, 256> text{};
  PGcancel* cancel = PQgetCancel(second.handle());
  EXPECT_EQ(PQcancel(cancel, text.data(), text.size()), 1) << text.data();
  PQfreeCancel(cancel);
  EXPECT_EQ(next(second).sqlstate(), "57014");
  while (PGresult* more = PQgetResult(second.handle())) PQclear(more);
  ASSERT_TRUE(first.execute("COMMIT").ok());
  EXPECT_EQ(second.value("SELECT 1"), "1");
}

TEST_F(MuxTest, ReadsOfManyClientsShareLanesAndEachGetsItsOwn) {
  database.execute("INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i");
  Door door(database);
  std::vector<std::unique_ptr<PqSession>> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(std::make_unique<PqSession>(door.local()));
    ASSERT_TRUE(prepare(*clients.back(), "get", "SELECT v FROM t WHERE id = $1").ok());
  }
  const auto ask = [&](std::size_t i, int round) {
    const std::string id = std::to_string((static_cast<int>(i) * 7 + round) % 100 + 1);
    const char* values[] = {id.c_str()};
    if (round % 3 == 0) {
      EXPECT_EQ(PQsendQuery(clients[i]->handle(), ("SELECT v FROM t WHERE id = " + id).c_str()), 1);
    } else if (round % 3 == 1) {
      EXPECT_EQ(PQsendQueryPrepared(clients[i]->handle(), "get", 1, values, nullptr, nullptr, 0), 1);
    } else {
      EXPECT_EQ(PQsendQueryParams(clients[i]->handle(), "SELECT v FROM t WHERE id = $1", 1, nullptr, values,
                                  nullptr, nullptr, 0),
                1);
    }
    return "v" + id;
  };
  const auto in_lanes = [&] {
    PqSession console(door.local("switchyard"));
    const PqResult lanes = console.execute("SHOW LANES");
    return lanes.rows() > 0 && lanes.value(0, PQfnumber(lanes.handle(), "kind")) == "lane";
  };
  int round = 0;
  ASSERT_TRUE(wait_until([&] {
    for (int more = 0; more < 60; ++more, ++round) {
      std::vector<std::string> expected;
      for (std::size_t i = 0; i < clients.size(); ++i) expected.push_back(ask(i, round));
      for (std::size_t i = 0; i < clients.size(); ++i) {
        EXPECT_EQ(next(*clients[i]).value(0, 0), expected[i]);
        while (PGresult* result = PQgetResult(clients[i]->handle())) PQclear(result);
      }
    }
    return in_lanes();
  }));
  // A write of a client is seen by its next read, wherever that runs.
  for (int i = 0; i < 20; ++i) {
    const std::string text = "new" + std::to_string(i);
    ASSERT_TRUE(clients[0]->execute("UPDATE t SET v = '" + text + "' WHERE id = 5").ok());
    EXPECT_EQ(run(*clients[0], "get", {"5"}).value(0, 0), text);
  }
  ASSERT_TRUE(clients[1]->execute("SET statement_timeout = '7s'").ok());
  EXPECT_EQ(run(*clients[1], "get", {"6"}).value(0, 0), "v6");
  ASSERT_TRUE(clients[2]->execute("BEGIN; UPDATE t SET v = 'mine' WHERE id = 7").ok());
  EXPECT_EQ(run(*clients[2], "get", {"7"}).value(0, 0), "mine") << "a transaction stays on its session";
  EXPECT_EQ(run(*clients[3], "get", {"7"}).value(0, 0), "v7");
  ASSERT_TRUE(clients[2]->execute("ROLLBACK").ok());
}

TEST_F(MuxTest, WhatAnExecutedStatementSetsIsItsClientsOwn) {
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(prepare(first, "evil", "SELECT set_config('search_path', 'evil', false)").ok());
  EXPECT_EQ(first.value("EXECUTE evil"), "evil");
  EXPECT_EQ(second.value("SHOW search_path"), "\"$user\", public");
  EXPECT_EQ(first.value("SHOW search_path"), "evil");
}

TEST_F(MuxTest, ExecuteFindsWhatParseHasMadeInBothProtocols) {
  Door door(database, {.more = kOne});
  PqSession first(door.local());
  PqSession second(door.local());
  ASSERT_TRUE(prepare(first, "p", "SELECT 40 + $1::int").ok());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(first.value("EXECUTE p(2)"), "42");
    EXPECT_EQ(first.query("EXECUTE p(3)").value(0, 0), "43");
    EXPECT_EQ(second.query("EXECUTE p(3)").sqlstate(), "26000") << "it is the other's";
  }
}

}  // namespace
}  // namespace switchyard::gateway
