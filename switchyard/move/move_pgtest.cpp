// Live tables on their way from one real database to another.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/move/mover.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/libpq.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace switchyard::move {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::PqSession;

constexpr const char* kTables = R"(
CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE TABLE visitors (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, state mood NOT NULL
  DEFAULT 'calm', seen timestamptz NOT NULL DEFAULT now(), born date, weight double precision, raw bytea, moods mood[],
  doc jsonb, twice int GENERATED ALWAYS AS (length(name) * 2) STORED);
CREATE TABLE visits (id serial PRIMARY KEY, visitor bigint NOT NULL REFERENCES visitors ON DELETE CASCADE,
  note text, touched int NOT NULL DEFAULT 0);
CREATE INDEX visits_by_visitor ON visits (visitor);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON visits FOR EACH ROW EXECUTE FUNCTION touch();
COMMENT ON TABLE visits IS 'who came';
INSERT INTO visitors (name, born, weight, raw, moods, doc) SELECT 'visitor ' || n, date '2001-02-03' + n, n / 3.0,
  '\x00ff'::bytea, '{calm,cross}', '{"a": [1, 2]}' FROM generate_series(1, 500) n;
INSERT INTO visits (visitor, note) SELECT n, E'tab\tand "quotes" \\ ' || n FROM generate_series(1, 500) n;
)";

/// Two databases, and what a move between them is told.
struct Ground {
  Ground() { options.tables = {"visitors", "visits"}; }

  Sources sources() const {
    Sources out;
    out.file = "test.toml";
    out.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + main.endpoint().uri() +
                    "\"\n[database.analytics]\ndsn = \"" + analytics.endpoint().uri() + "\"\n" + more;
    return out;
  }

  /// One run of a program that moves.
  template <class F>
  void with_mover(F body) {
    runtime::Shard shard;
    const FleetConfig fleet = load_config(sources()).value_or_throw();
    shard.run_until_complete(
        [](FleetConfig config, std::string from, std::string to, MoveOptions with, F work) -> Task<void> {
          auto open = Fleet::open(std::move(config)).value_or_throw();
          Mover mover(*open, from, to, std::move(with));
          std::exception_ptr failure;
          try {
            co_await work(mover);
          } catch (...) {
            failure = std::current_exception();
          }
          co_await open->close(1s);
          if (failure) std::rethrow_exception(failure);
        }(move_config(fleet, from, to).value_or_throw(), from, to, options, std::move(body)));
  }
  MoveReport run(Task<MoveReport> (Mover::*verb)() = &Mover::run) {
    MoveReport report;
    with_mover([&](Mover& mover) -> Task<void> { report = co_await (mover.*verb)(); });
    return report;
  }
  /// What a run fails with.
  std::string failure(Task<MoveReport> (Mover::*verb)() = &Mover::run) {
    try {
      run(verb);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  static std::string sums(TestDatabase& db) {
    return db.query_value("SELECT count(*) || ' ' || sum(hashtextextended(v::text, 0)) FROM visitors v") + " / " +
           db.query_value("SELECT count(*) || ' ' || sum(hashtextextended(v::text, 0)) FROM visits v");
  }
  static void expect_moved(TestDatabase& db, const char* where) {
    PqSession session(db.endpoint().keywords());
    for (const char* sql :
         {"SELECT * FROM visits", "SELECT 1 FROM visitors WHERE false", "DELETE FROM visits",
          "INSERT INTO visits (visitor) VALUES (1)", "UPDATE visitors SET name = name",
          "INSERT INTO visitors (name) VALUES ('x') ON CONFLICT (name) DO UPDATE SET name = 'y'"}) {
      const auto result = session.execute(sql);
      EXPECT_EQ(result.sqlstate(), "SYMOV") << sql << ": " << result.error();
      EXPECT_NE(result.error().find(where), std::string::npos) << sql << ": " << result.error();
    }
    EXPECT_FALSE(session.execute("TRUNCATE visits").ok());
  }

  /// The other way round.
  void turn() { std::swap(from, to); }

  std::string more;
  std::string from = "main", to = "analytics";
  MoveOptions options;
  TestDatabase main = TestDatabase::with(kTables);
  TestDatabase analytics;
};

class MoveTest : public ::testing::Test, protected Ground {};

TEST_F(MoveTest, TablesAreElsewhereAfterwardsWithEverythingThatBelongsToThem) {
  const std::string before = sums(main);
  const MoveReport report = run();
  EXPECT_EQ(report.phase, Phase::switched);
  ASSERT_EQ(report.tables.size(), 2U);
  EXPECT_TRUE(report.tables[0].verified);
  EXPECT_EQ(report.tables[0].rows, 500U);
  EXPECT_LT(report.pause, 1s);
  EXPECT_EQ(sums(analytics), before);
  expect_moved(main, "moved to the database 'analytics'");
  EXPECT_EQ(
      analytics.query_value("INSERT INTO visitors (name) VALUES ('new') RETURNING id || ' ' || twice || state"),
      "501 6calm");
  EXPECT_EQ(analytics.query_value("INSERT INTO visits (visitor) VALUES (501) RETURNING id"), "501");
  EXPECT_EQ(analytics.query_value("UPDATE visits SET note = 'x' WHERE id = 501 RETURNING touched"), "1");
  EXPECT_EQ(analytics.query_value("SELECT obj_description('visits'::regclass)"), "who came");
  EXPECT_EQ(analytics.query_value("SELECT count(*) FROM pg_indexes WHERE indexname = 'visits_by_visitor'"), "1");
  EXPECT_THROW(analytics.execute("INSERT INTO visits (visitor) VALUES (9999)"), Error);
  EXPECT_EQ(
      analytics.query_value("WITH d AS (DELETE FROM visitors WHERE id = 1 RETURNING 1) SELECT count(*) FROM d"),
      "1");
  EXPECT_EQ(analytics.query_value("SELECT count(*) FROM visits WHERE visitor = 1"), "0");
  EXPECT_EQ(run().phase, Phase::switched) << "once more changes nothing";
}

/// Writes until it is told where the tables are, and goes on there.
struct Writer {
  Writer(const TestDatabase& first, const TestDatabase& second, int number) : number_(number) {
    places_[0] = first.endpoint().keywords();
    places_[1] = second.endpoint().keywords();
    thread_ = std::thread([this] { work(); });
  }
  ~Writer() { finish(); }
  void finish() {
    stop = true;
    if (thread_.joinable()) thread_.join();
  }
  void work() {
    std::unique_ptr<PqSession> session = std::make_unique<PqSession>(places_[0]);
    for (int i = 0; !stop; ++i) {
      const std::string key = "w" + std::to_string(number_) + "-" + std::to_string(i);
      const std::string sql =
          "SET datestyle = 'SQL, DMY'; BEGIN; INSERT INTO visitors (name, born, weight) VALUES ('" + key +
          "', '25/12/1999', 0.1 + " + std::to_string(i) +
          "); INSERT INTO visits (visitor, note) SELECT "
          "id, '" +
          key + "' FROM visitors WHERE name = '" + key +
          "'; UPDATE visits SET note = note || '!' "
          "WHERE note = '" +
          key + "'; DELETE FROM visits WHERE note = 'w" + std::to_string(number_) + "-" + std::to_string(i - 3) +
          "!'; COMMIT";
      const auto begun = Clock::now();
      const auto done = session->execute(sql);
      if (done.ok()) {
        acknowledged.insert(key);
        longest = std::max<Duration>(longest, Clock::now() - begun);
        continue;
      }
      session->execute("ROLLBACK");
      if (done.sqlstate() == "SYMOV") {
        place_ = 1 - place_;
        session = std::make_unique<PqSession>(places_[place_]);
        std::this_thread::sleep_for(2ms);
      } else if (done.sqlstate() != "42P01" && done.sqlstate() != "40P01") {
        problem = done.error();
        return;
      }
    }
  }
  void audit(TestDatabase& db) {
    finish();
    EXPECT_EQ(problem, "");
    PqSession session(db.endpoint().keywords());
    std::string keys;
    for (const std::string& key : acknowledged) keys += (keys.empty() ? "('" : ",('") + key + "')";
    if (keys.empty()) return;
    EXPECT_EQ(session.value("SELECT count(*) FROM (VALUES " + keys +
                            ") k(key) WHERE 1 <> (SELECT count(*) FROM visitors "
                            "WHERE name = key)"),
              "0");
    EXPECT_EQ(session.value("SELECT count(*) FROM visitors WHERE name LIKE 'w" + std::to_string(number_) + "-%'"),
              std::to_string(acknowledged.size()));
    EXPECT_EQ(session.value("SELECT count(*) FROM visitors WHERE name LIKE 'w%' AND born <> date '1999-12-25'"),
              "0");
  }
  std::atomic<bool> stop = false;
  std::set<std::string> acknowledged;
  std::string problem;
  Duration longest{};

 private:
  int number_;
  int place_ = 0;
  std::string places_[2];
  std::thread thread_;
};

TEST_F(MoveTest, WhatIsWrittenMeanwhileArrivesOnce) {
  Writer first(main, analytics, 1);
  Writer second(main, analytics, 2);
  const MoveReport report = run();
  EXPECT_EQ(report.phase, Phase::switched);
  EXPECT_TRUE(report.tables.at(0).verified);
  std::this_thread::sleep_for(100ms);
  first.audit(analytics);
  second.audit(analytics);
  EXPECT_EQ(analytics.query_value(
                "SELECT count(*) FROM visits v WHERE NOT EXISTS (SELECT FROM visitors WHERE id = visitor)"),
            "0");
}

/// A run that ends without a word behind the n-th step. True: there was no n-th step.
template <class F>
bool ends_behind(MoveOptions& options, int n, F run) {
  struct Gone {};
  int steps = 0;
  options.on_step = [&](std::string_view) {
    if (++steps == n) throw Gone();
  };
  try {
    run();
  } catch (const Gone&) {
    options.on_step = nullptr;
    return false;
  }
  options.on_step = nullptr;
  return true;
}

/// Some steps on 15, others on 18.
int first_step(TestDatabase& db) {
  return db.query_value("SELECT current_setting('server_version_num')::int / 10000 % 2") == "1" ? 1 : 2;
}

TEST_F(MoveTest, TheNextRunGoesOnWhereverTheLastOneEnded) {
  for (int n = first_step(main);; n += 3) {
    Ground ground;
    ground.options.batch = 50;
    bool whole = false;
    {
      Writer writer(ground.main, ground.analytics, 1);
      whole = ends_behind(ground.options, n, [&] { ground.run(); });
      const MoveReport report = ground.run();
      EXPECT_EQ(report.phase, Phase::switched) << "behind step " << n;
      std::this_thread::sleep_for(20ms);
      writer.audit(ground.analytics);
    }
    Ground::expect_moved(ground.main, "moved to the database 'analytics'");
    if (whole || HasFailure() || n > 40) break;
  }
}

TEST_F(MoveTest, TheWayBackBringsWhatWasWrittenSince) {
  run();
  {
    Writer writer(analytics, main, 3);
    std::this_thread::sleep_for(50ms);
    const MoveReport followed = run(&Mover::follow);
    EXPECT_EQ(followed.phase, Phase::switched);
    const MoveReport report = run(&Mover::rollback);
    EXPECT_EQ(report.phase, Phase::returned);
    std::this_thread::sleep_for(50ms);
    writer.audit(main);
  }
  expect_moved(analytics, "back at the database 'main'");
  EXPECT_EQ(main.query_value("UPDATE visits SET touched = 0 WHERE id = 400 RETURNING touched"), "1")
      << "its trigger is back";
  EXPECT_EQ(run(&Mover::confirm).phase, Phase::returned);
  EXPECT_EQ(analytics.query_value("SELECT to_regclass('visits') IS NULL"), "t");
  EXPECT_EQ(analytics.query_value("SELECT count(*) FROM pg_class WHERE relname ~ '^move_[0-9a-f]{8}_'"), "0");
  EXPECT_EQ(main.query_value("SELECT count(*) FROM pg_proc WHERE proname ~ '^move_[0-9a-f]{8}_'"), "0");
  EXPECT_EQ(run().phase, Phase::switched) << "and it may be moved again";
}

TEST_F(MoveTest, TheWayBackIsResumedAsWell) {
  for (int n = first_step(main);; n += 2) {
    Ground ground;
    ground.run();
    bool whole = false;
    {
      Writer writer(ground.analytics, ground.main, 1);
      std::this_thread::sleep_for(20ms);
      whole = ends_behind(ground.options, n, [&] { ground.run(&Mover::rollback); });
      EXPECT_EQ(ground.run(&Mover::rollback).phase, Phase::returned) << "behind step " << n;
      std::this_thread::sleep_for(20ms);
      writer.audit(ground.main);
    }
    Ground::expect_moved(ground.analytics, "back at the database 'main'");
    if (whole || HasFailure() || n > 20) break;
  }
}

TEST_F(MoveTest, ConfirmedTheOldCopyIsEmptyAndItsPlaceStillSaysWhere) {
  run();
  const MoveReport report = run(&Mover::confirm);
  EXPECT_EQ(report.phase, Phase::confirmed);
  expect_moved(main, "moved to the database 'analytics'");
  const std::string counts = main.query_value(
      "SELECT string_agg(format('SELECT count(*) AS n FROM %I.%I', schemaname, tablename), ' UNION ALL ') "
      "FROM pg_tables WHERE schemaname LIKE 'switchyard\\_%'");
  EXPECT_EQ(main.query_value("SELECT sum(n) FROM (" + counts + ") x"), "0");
  EXPECT_EQ(analytics.query_value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'switchyard%'"), "0");
  EXPECT_NE(failure(&Mover::rollback).find("there is no move"), std::string::npos);
}

TEST_F(MoveTest, ConfirmedTablesMayComeBackAndGoAgain) {
  for (int round = 0; round < 2; ++round) {
    run();
    run(&Mover::confirm);
    analytics.execute("INSERT INTO visitors (name) VALUES ('round " + std::to_string(round) + "')");
    const std::string before = sums(analytics);
    turn();
    EXPECT_EQ(run().phase, Phase::switched);
    EXPECT_EQ(sums(main), before);
    expect_moved(analytics, "moved to the database 'main'");
    main.execute("UPDATE visits SET note = 'home' WHERE id = 3");
    run(&Mover::confirm);
    EXPECT_EQ(main.query_value("SELECT count(*) FROM pg_proc WHERE proname ~ '^move_[0-9a-f]{8}_'"), "0")
        << "of the move away nothing is left";
    EXPECT_EQ(main.query_value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'switchyard\\_%'"), "0");
    EXPECT_EQ(main.query_value("SELECT count(*) FROM switchyard.moves"), "0");
    turn();
  }
}

TEST_F(MoveTest, AWayHomeThatIsGivenUpLeavesWhatRefused) {
  run();
  run(&Mover::confirm);
  turn();
  options.stop_before_switch = true;
  EXPECT_EQ(run().phase, Phase::verified);
  run(&Mover::abort);
  expect_moved(main, "moved to the database 'analytics'");
  options.stop_before_switch = false;
  EXPECT_EQ(run().phase, Phase::switched);
  EXPECT_EQ(run(&Mover::rollback).phase, Phase::returned);
  expect_moved(main, "back at the database 'analytics'");
  run(&Mover::confirm);
  expect_moved(main, "moved to the database 'analytics'");
  EXPECT_EQ(analytics.query_value("SELECT count(*) FROM visits"), "500");
  EXPECT_EQ(run().phase, Phase::switched);
}

TEST_F(MoveTest, OneOfTheTablesMayComeBackAlone) {
  run();
  run(&Mover::confirm);
  analytics.execute("ALTER TABLE visits DROP CONSTRAINT visits_visitor_fkey");
  turn();
  options.tables = {"visits"};
  EXPECT_EQ(run().phase, Phase::switched);
  run(&Mover::confirm);
  EXPECT_EQ(main.query_value("SELECT count(*) FROM visits"), "500");
  PqSession session(main.endpoint().keywords());
  EXPECT_EQ(session.execute("SELECT * FROM visitors").sqlstate(), "SYMOV");
}

TEST_F(MoveTest, WhatWasWrittenWhileBothSidesWereOpenIsBroughtOverOnce) {
  const auto dies_at = [&](const std::string& where, auto verb) {
    options.batch = 1;
    options.on_step = [&](std::string_view step) {
      if (step == where) throw std::runtime_error("gone");
    };
    EXPECT_THROW(run(verb), std::runtime_error);
    options.on_step = nullptr;
  };
  dies_at("opened", &Mover::run);
  analytics.execute("INSERT INTO visitors (name) VALUES ('too early'); INSERT INTO visits (visitor) VALUES (501)");
  dies_at("repeated", &Mover::run);
  EXPECT_EQ(main.query_value("SELECT count(*) FROM visitors WHERE name = 'too early'"), "1");
  EXPECT_EQ(run().phase, Phase::switched);
  dies_at("reopened", &Mover::rollback);
  main.execute("INSERT INTO visitors (name) VALUES ('early again'), ('and again')");
  dies_at("repeated", &Mover::rollback);
  EXPECT_EQ(run(&Mover::rollback).phase, Phase::returned);
  EXPECT_EQ(main.query_value("SELECT count(*) FROM visitors WHERE name ~ 'early|again'"), "3");
  EXPECT_EQ(main.query_value("SELECT count(*) FROM visits"), "501");
}

TEST_F(MoveTest, TooLittleRoomIsSaidBeforeAnythingIsCopied) {
  options.free_space = [](const std::string& folder) {
    EXPECT_TRUE(folder.starts_with('/')) << folder;
    return std::optional<std::uint64_t>(1000);
  };
  const std::string said = failure();
  EXPECT_NE(said.find("'analytics' has 1 MB free in /"), std::string::npos) << said;
  EXPECT_EQ(analytics.query_value("SELECT count(*) FROM switchyard.move_tables WHERE snapshot IS NOT NULL"), "0");
  options.free_space = [](const std::string&) { return std::optional<std::uint64_t>(); };
  const MoveReport report = run();
  EXPECT_EQ(report.phase, Phase::switched);
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_NE(report.notes[0].find("can't be seen from here"), std::string::npos) << report.notes[0];
}

TEST_F(MoveTest, AbortedNothingIsLeft) {
  options.stop_before_switch = true;
  const MoveReport report = run();
  EXPECT_EQ(report.phase, Phase::verified);
  EXPECT_THROW(analytics.execute("INSERT INTO visitors (name) VALUES ('too early')"), Error);
  main.execute("INSERT INTO visitors (name) VALUES ('goes on')");
  run(&Mover::abort);
  EXPECT_EQ(analytics.query_value("SELECT to_regclass('visitors') IS NULL"), "t");
  EXPECT_EQ(main.query_value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'switchyard%'"), "0");
  EXPECT_EQ(main.query_value("SELECT count(*) FROM switchyard.moves"), "0");
  main.execute("UPDATE visits SET note = 'still here'");
  options.stop_before_switch = false;
  EXPECT_EQ(run().phase, Phase::switched);
}

TEST_F(MoveTest, WhatCantBeMovedIsSaidBeforeAnythingIsDone) {
  const struct {
    std::string setup;
    std::vector<std::string> tables;
    std::string says;
  } kCases[] = {
      {"CREATE TABLE bare (a int)", {"bare"}, "has no primary key"},
      {"", {"visits"}, "foreign key"},
      {"", {"vistors"}, "there is no table vistors"},
      {"CREATE VIEW v AS SELECT * FROM visits", {"visitors", "visits"}, "the view v reads visits"},
      {"DROP VIEW v; CREATE TABLE parent (a int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (a)) INHERITS "
       "(parent)",
       {"child"},
       "neither a plain nor a partitioned table"},
      {"ALTER TABLE visits ENABLE ROW LEVEL SECURITY", {"visitors", "visits"}, "row security"},
  };
  for (const auto& one : kCases) {
    if (!one.setup.empty()) main.execute(one.setup);
    options.tables = one.tables;
    EXPECT_NE(failure().find(one.says), std::string::npos) << one.says << ": " << failure();
    EXPECT_EQ(main.query_value("SELECT to_regclass('switchyard.moves') IS NULL"), "t");
  }
  main.execute("ALTER TABLE visits DISABLE ROW LEVEL SECURITY");
  options.tables = {"visitors", "visits"};
  analytics.execute("CREATE TABLE visitors (id int PRIMARY KEY)");
  EXPECT_NE(failure().find("with other columns"), std::string::npos) << failure();
  options.tables.clear();
}

TEST_F(MoveTest, EmptyTablesThatAreThereAlreadyAreFilled) {
  analytics.execute(std::string(kTables).substr(0, std::string(kTables).find("INSERT INTO visitors")));
  const std::string before = sums(main);
  EXPECT_EQ(run().phase, Phase::switched);
  EXPECT_EQ(sums(analytics), before);
  EXPECT_THROW(analytics.execute("INSERT INTO visits (visitor) VALUES (9999)"), Error);
  EXPECT_EQ(analytics.query_value("UPDATE visits SET note = 'x' WHERE id = 5 RETURNING touched"), "1");
}

TEST_F(MoveTest, ADifferenceStopsTheSwitch) {
  options.on_step = [&](std::string_view step) {
    if (step != "indexed") return;
    analytics.execute(
        "SELECT set_config('switchyard.move_apply', tag, false) FROM switchyard.moves;"
        "UPDATE visits SET note = 'wrong' WHERE id = 77");
  };
  EXPECT_NE(failure().find("visits and its copy differ: 500 rows here, 500 there, 1 of 64 parts unequal"),
            std::string::npos)
      << failure();
  main.execute("UPDATE visits SET note = 'goes on' WHERE id = 1");
}

TEST_F(MoveTest, AWriterThatHoldsItsTransactionOpenIsWaitedForWithoutBlockingOthers) {
  options.stop_before_switch = true;
  EXPECT_EQ(run().phase, Phase::verified);
  PqSession holder(main.endpoint().keywords());
  ASSERT_TRUE(holder.execute("BEGIN; UPDATE visits SET note = 'held' WHERE id = 1").ok());
  options.switch_patience = 1s;
  options.stop_before_switch = false;
  std::string said;
  std::thread mover([&] { said = failure(); });
  // Whoever queues behind the attempt goes on when it is given up.
  PqSession other(main.endpoint().keywords());
  std::this_thread::sleep_for(300ms);
  EXPECT_TRUE(other.execute("UPDATE visits SET note = 'others' WHERE id = 2").ok());
  mover.join();
  if (!said.empty()) EXPECT_NE(said.find("no gap"), std::string::npos) << said;
  ASSERT_TRUE(holder.execute("COMMIT").ok());
  options.switch_patience = 60s;
  EXPECT_EQ(run().phase, Phase::switched);
  EXPECT_EQ(analytics.query_value("SELECT note FROM visits WHERE id = 1"), "held");
}

TEST_F(MoveTest, AFleetThatRunsFollowsItsTablesWithoutAnError) {
  main.execute(
      "CREATE TABLE facts (n bigint PRIMARY KEY, v text); INSERT INTO facts SELECT n FROM generate_series(1, 100) "
      "n");
  more = "when_unconfigured = \"main\"\ntables = [\"facts\"]\n";
  options.tables.clear();
  options.stands_in = true;
  std::atomic<bool> stop = false;
  std::atomic<int> written = 1000;
  std::string problem;
  std::thread application([&] {
    runtime::Shard shard;
    shard.run_until_complete([](const Ground& test, std::atomic<bool>& ends, std::atomic<int>& count,
                                std::string& failed) -> Task<void> {
      auto fleet = Fleet::open(load_config(test.sources()).value_or_throw()).value_or_throw();
      DatabaseHandle handle = fleet->database("analytics").value_or_throw();
      while (!ends && failed.empty()) {
        const auto done = co_await handle.execute("INSERT INTO facts VALUES ($1)", std::int64_t{count}).result();
        if (done.ok()) {
          ++count;
        } else {
          failed = done.error().what();
        }
      }
      co_await fleet->close();
    }(*this, stop, written, problem));
  });
  while (written < 1050 && problem.empty()) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(run().phase, Phase::switched);
  const int before = written;
  while (written < before + 50 && problem.empty()) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(run(&Mover::rollback).phase, Phase::returned);
  const int between = written;
  while (written < between + 50 && problem.empty()) std::this_thread::sleep_for(1ms);
  stop = true;
  application.join();
  EXPECT_EQ(problem, "");
  EXPECT_EQ(main.query_value("SELECT count(*) FROM facts WHERE n >= 1000"), std::to_string(written - 1000));
}

TEST_F(MoveTest, TheMapKnowsWhoOwnsTablesThatCameHome) {
  more = "when_unconfigured = \"main\"\ntables = [\"visitors\", \"visits\"]\n";
  const auto owner = [&] {
    return main.query_value("SELECT owner FROM switchyard.ownership WHERE database = 'analytics'");
  };
  options.stands_in = true;
  run();
  run(&Mover::confirm);
  EXPECT_EQ(owner(), "analytics");
  turn();
  options.stands_in = false;
  options.goes_home = true;
  run();
  EXPECT_EQ(owner(), "main");
  run(&Mover::rollback);
  EXPECT_EQ(owner(), "analytics");
}

}  // namespace
}  // namespace switchyard::move
