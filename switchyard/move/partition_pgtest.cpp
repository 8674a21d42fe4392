// Partitioned tables on their way, with all their partitions.
#include <switchyard/move/mover.hpp>

#include <tests/support/libpq.hpp>
#include <tests/support/move_ground.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>

namespace switchyard::move {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::PqSession;

/// Two levels, a default, one partition whose columns are in another order, one whose name sorts before its
/// table's, in a schema of its own.
constexpr const char* kMeasures = R"(
CREATE SCHEMA archive;
CREATE TABLE sensors (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE measures (id bigint GENERATED ALWAYS AS IDENTITY, sensor int NOT NULL REFERENCES sensors, at date NOT NULL,
  value double precision NOT NULL CHECK (value >= 0), note text DEFAULT 'none', seen int NOT NULL DEFAULT 0, PRIMARY KEY (id, at, sensor))
  PARTITION BY RANGE (at);
CREATE TABLE measures_2024 PARTITION OF measures FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE archive.a_2023 (note text, at date NOT NULL, gone int,
  value double precision NOT NULL CONSTRAINT measures_value_check CHECK (value >= 0),
  sensor int NOT NULL, seen int NOT NULL DEFAULT 0, id bigint NOT NULL);
ALTER TABLE archive.a_2023 DROP COLUMN gone;
ALTER TABLE measures ATTACH PARTITION archive.a_2023 FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE measures_2025 PARTITION OF measures FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (sensor);
CREATE TABLE measures_2025_1 PARTITION OF measures_2025 FOR VALUES IN (1, 2);
CREATE TABLE measures_2025_x PARTITION OF measures_2025 DEFAULT;
CREATE TABLE measures_rest PARTITION OF measures DEFAULT;
CREATE INDEX measures_by_sensor ON measures (sensor, at DESC);
CREATE INDEX only_2024 ON measures_2024 (note);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := NEW.seen + 1; RETURN NEW; END $$;
CREATE TRIGGER looks BEFORE INSERT OR UPDATE ON measures FOR EACH ROW EXECUTE FUNCTION look();
CREATE TABLE alarms (id serial PRIMARY KEY, measure bigint NOT NULL, at date NOT NULL, sensor int NOT NULL,
  FOREIGN KEY (measure, at, sensor) REFERENCES measures ON DELETE CASCADE);
INSERT INTO sensors SELECT n, 'sensor ' || n FROM generate_series(1, 5) n;
INSERT INTO measures (sensor, at, value) SELECT 1 + n % 5, date '2022-06-01' + n * 3, n FROM generate_series(1, 500) n;
INSERT INTO alarms (measure, at, sensor) SELECT id, at, sensor FROM measures WHERE id % 7 = 0;
)";

class PartitionTest : public ::testing::Test, protected testing::MoveGround {
 protected:
  PartitionTest() : MoveGround(kMeasures) { options.tables = {"measures", "alarms", "sensors"}; }

  static std::string sums(TestDatabase& db) {
    return db.query_value(
        "SELECT string_agg(t || ' ' || n || ' ' || s, ', ' ORDER BY t) FROM (SELECT tableoid::regclass::text AS t,"
        " count(*) AS n, sum(hashtextextended(ROW(id, sensor, at, value, note, seen)::text, 0)) AS s"
        " FROM measures GROUP BY 1) x");
  }
  static void expect_moved(TestDatabase& db, const std::string& where) {
    PqSession session(db.endpoint().keywords());
    for (const char* sql :
         {"SELECT * FROM measures", "SELECT * FROM measures_2024", "SELECT * FROM archive.a_2023",
          "SELECT 1 FROM measures_2025_x", "INSERT INTO measures (sensor, at, value) VALUES (1, '2024-05-05', 1)",
          "INSERT INTO measures_2024 (id, sensor, at, value) OVERRIDING SYSTEM VALUE VALUES (99999, 1, "
          "'2024-05-05', 1)",
          "DELETE FROM measures_2025", "UPDATE measures SET value = 1 WHERE at = '2024-05-05'",
          "SELECT * FROM alarms"}) {
      const auto result = session.execute(sql);
      EXPECT_EQ(result.sqlstate(), "SYMOV") << sql << ": " << result.error();
      EXPECT_NE(result.error().find(where), std::string::npos) << sql << ": " << result.error();
      EXPECT_EQ(result.error().find("a_2023,"), std::string::npos)
          << "partitions are not listed: " << result.error();
    }
  }
  /// What a partitioned table does, and its foreign keys and triggers.
  static void expect_works(TestDatabase& db) {
    PqSession session(db.endpoint().keywords());
    EXPECT_EQ(session.value("BEGIN; INSERT INTO measures (sensor, at, value) VALUES (3, '2025-05-05', 1) RETURNING"
                            " tableoid::regclass || ' ' || seen"),
              "measures_2025_x 1");
    EXPECT_EQ(session.value("UPDATE measures SET at = '2023-05-05' WHERE at = '2025-05-05' AND sensor = 3 RETURNING"
                            " tableoid::regclass"),
              "archive.a_2023")
        << "a row moves between partitions";
    EXPECT_EQ(
        session.value("WITH d AS (DELETE FROM measures WHERE id % 7 = 0 RETURNING 1) SELECT count(*) > 50 FROM d"),
        "t");
    EXPECT_EQ(session.value("SELECT count(*) FROM alarms"), "0");
    EXPECT_FALSE(session.execute("INSERT INTO measures (sensor, at, value) VALUES (77, '2024-05-05', 1)").ok());
    session.execute("ROLLBACK");
    EXPECT_EQ(db.query_value("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
  }
};

/// Writes through the partitioned table, and to partitions, until it is told where they are.
class PartitionWriter {
 public:
  PartitionWriter(const TestDatabase& first, const TestDatabase& second)
      : places_{first.endpoint().keywords(), second.endpoint().keywords()}, thread_([this] { work(); }) {}
  PartitionWriter(const PartitionWriter&) = delete;
  PartitionWriter& operator=(const PartitionWriter&) = delete;
  ~PartitionWriter() { finish(); }
  void finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  void wait_for(std::size_t more) {
    const std::size_t until = acknowledged + more;
    while (acknowledged < until && !failed) std::this_thread::sleep_for(1ms);
  }
  void audit(TestDatabase& db) {
    finish();
    EXPECT_EQ(problem_, "");
    EXPECT_EQ(db.query_value("SELECT count(*) || ' ' || count(DISTINCT note) FROM measures WHERE note LIKE 'w%'"),
              std::to_string(acknowledged) + " " + std::to_string(acknowledged));
    EXPECT_EQ(
        db.query_value("SELECT count(*) FROM measures WHERE note LIKE 'w%' AND (value <> 2 OR at <> '2025-03-03')"),
        "0")
        << "each was written to two partitions";
  }
  std::atomic<std::size_t> acknowledged = 0;
  std::atomic<bool> failed = false;

 private:
  void work() {
    auto session = std::make_unique<PqSession>(places_[0]);
    for (int i = 0; !stop_; ++i) {
      const std::string key = "w" + std::to_string(i);
      const auto done = session->execute("BEGIN; INSERT INTO measures (sensor, at, value, note) VALUES (" +
                                         std::to_string(1 + i % 5) + ", date '2022-12-01' + " +
                                         std::to_string(i % 700) + ", 1, '" + key +
                                         "'); UPDATE measures SET value = 2, at = '2025-03-03'"
                                         " WHERE note = '" +
                                         key + "'; COMMIT");
      if (done.ok()) {
        ++acknowledged;
        continue;
      }
      session->execute("ROLLBACK");
      if (done.sqlstate() == "SYMOV") {
        place_ = 1 - place_;
        session = std::make_unique<PqSession>(places_[place_]);
        std::this_thread::sleep_for(2ms);
      } else if (done.sqlstate() != "42P01" && done.sqlstate() != "40P01") {
        problem_ = done.error();
        failed = true;
        return;
      }
    }
  }

  std::string places_[2];
  int place_ = 0;
  std::atomic<bool> stop_ = false;
  std::string problem_;
  std::thread thread_;
};

TEST_F(PartitionTest, ATableGoesWithAllItsPartitions) {
  const auto before = image("main", "");
  const std::string rows = sums(main);
  const MoveReport report = run();
  EXPECT_EQ(report.phase, Phase::switched);
  EXPECT_EQ(report.tables.size(), 7U) << "what holds rows";
  expect_same(before, image("other", ""));
  EXPECT_EQ(sums(other), rows);
  expect_works(other);
  EXPECT_EQ(
      other.query_value("INSERT INTO measures (sensor, at, value) VALUES (1, '2024-05-05', 1) RETURNING id > 500"),
      "t");
  expect_moved(main, "alarms, measures, sensors: moved to the database 'other'");
}

TEST_F(PartitionTest, WhatIsWrittenMeanwhileArrivesOnceAndComesBack) {
  PartitionWriter writer(main, other);
  options.batch = 100;
  options.on_step = [&](std::string_view step) {
    if (step == "copied" || step == "indexed") writer.wait_for(5);
  };
  EXPECT_EQ(run().phase, Phase::switched);
  writer.wait_for(20);
  EXPECT_EQ(run(&Mover::rollback).phase, Phase::returned);
  writer.wait_for(20);
  writer.audit(main);
  options.on_step = nullptr;
  expect_works(main);
  expect_moved(other, "back at the database 'main'");
  run(&Mover::confirm);
  EXPECT_EQ(other.query_value("SELECT to_regclass('measures') IS NULL AND to_regclass('archive.a_2023') IS NULL"),
            "t");
  EXPECT_EQ(run().phase, Phase::switched) << "and it may go again";
}

TEST_F(PartitionTest, TruncatedPartitionsAreEmptyInTheCopy) {
  options.on_step = [&](std::string_view step) {
    if (step != "indexed") return;
    main.execute("TRUNCATE measures_2025_x; TRUNCATE alarms");
    main.execute("DELETE FROM measures WHERE at < '2023-01-01'");
  };
  main.execute("ALTER TABLE alarms DROP CONSTRAINT alarms_measure_at_sensor_fkey");
  EXPECT_EQ(run().phase, Phase::switched);
  EXPECT_EQ(
      other.query_value("SELECT (SELECT count(*) FROM measures_2025_x) + (SELECT count(*) FROM measures_rest)"),
      other.query_value("SELECT count(*) FROM measures WHERE at >= '2026-01-01'"));
}

TEST_F(PartitionTest, PartitionsThatComeOrGoMeanwhileStopTheMove) {
  options.stop_before_switch = true;
  EXPECT_EQ(run().phase, Phase::verified);
  options.stop_before_switch = false;
  main.execute("CREATE TABLE measures_2030 PARTITION OF measures FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')");
  EXPECT_NE(failure().find("during the move the columns or partitions of measures were changed"), std::string::npos)
      << failure();
  run(&Mover::abort);
  EXPECT_EQ(run().phase, Phase::switched);
  other.execute("ALTER TABLE measures DETACH PARTITION measures_2030");
  EXPECT_NE(failure(&Mover::rollback).find("since the switch the columns or partitions of measures were changed"),
            std::string::npos)
      << failure(&Mover::rollback);
  other.execute(
      "ALTER TABLE measures ATTACH PARTITION measures_2030 FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')");
  EXPECT_EQ(run(&Mover::rollback).phase, Phase::returned);
}

TEST_F(PartitionTest, APartitionAloneIsRefusedAndOneThatIsThereIsFilled) {
  options.tables = {"measures_2024"};
  EXPECT_NE(failure().find("measures_2024 is a partition of measures"), std::string::npos) << failure();
  options.tables = {"measures", "alarms", "sensors"};
  const std::string all = kMeasures;
  other.execute(all.substr(0, all.find("INSERT INTO sensors")));
  const std::string rows = sums(main);
  EXPECT_EQ(run().phase, Phase::switched);
  EXPECT_EQ(sums(other), rows);
  expect_works(other);
}

TEST_F(PartitionTest, ConfirmedItMayComeHome) {
  const auto before = image("main", "");
  run();
  run(&Mover::confirm);
  std::swap(from, to);
  EXPECT_EQ(run().phase, Phase::switched);
  run(&Mover::confirm);
  expect_works(main);
  expect_moved(other, "moved to the database 'main'");
  EXPECT_EQ(main.query_value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'switchyard\\_%'"), "0");
}

}  // namespace
}  // namespace switchyard::move
