// A schema with views and functions on its way to another database.
#include <switchyard/move/mover.hpp>
#include <switchyard/schema/catalogue_image.hpp>

#include <tests/support/libpq.hpp>
#include <tests/support/move_ground.hpp>

#include <gtest/gtest.h>

#include <string>

namespace switchyard::move {
namespace {

using namespace std::chrono_literals;
using embedded::TestDatabase;
using switchyard::testing::PqSession;

constexpr const char* kShop = R"(
CREATE SCHEMA shop;
CREATE TYPE shop.state AS ENUM ('open', 'paid');
CREATE TYPE shop.pair AS (a int, b text);
CREATE DOMAIN shop.amount AS numeric CHECK (VALUE >= 0);
CREATE SEQUENCE shop.bills START 1000;
CREATE FUNCTION shop.number() RETURNS text LANGUAGE sql AS $$ SELECT 'B' || nextval('shop.bills') $$;
CREATE TABLE shop.customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE shop.orders (id bigserial PRIMARY KEY, customer bigint NOT NULL REFERENCES shop.customers,
  number text NOT NULL DEFAULT shop.number(), state shop.state NOT NULL DEFAULT 'open', total shop.amount NOT NULL DEFAULT 0);
CREATE TABLE shop.events (id bigint, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2024 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.a_rest PARTITION OF shop.events DEFAULT;
CREATE VIEW shop.recent AS SELECT * FROM shop.events WHERE at > '2024-06-01';
INSERT INTO shop.events SELECT n, date '2024-01-01' + n * 10 FROM generate_series(1, 60) n;
CREATE VIEW shop.open_orders WITH (security_barrier = true) AS SELECT * FROM shop.orders WHERE state = 'open';
CREATE VIEW shop."Open Totals" AS SELECT c.name, sum(o.total) AS total FROM shop.open_orders o JOIN shop.customers c
  ON c.id = o.customer GROUP BY c.name;
CREATE VIEW shop.a_names AS SELECT o.id, c.name FROM shop.orders o JOIN shop.customers c ON c.id = o.customer;
CREATE MATERIALIZED VIEW shop.totals AS SELECT name, total FROM shop."Open Totals";
CREATE UNIQUE INDEX totals_by_name ON shop.totals (name);
CREATE FUNCTION shop.count_orders() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT count(*) FROM shop.orders $$;
CREATE FUNCTION shop.orders_of(who text DEFAULT 'a', OUT id bigint, OUT total numeric) RETURNS SETOF record LANGUAGE sql STABLE
  BEGIN ATOMIC SELECT o.id, o.total FROM shop.orders o JOIN shop.customers c ON c.id = o.customer WHERE c.name = who; END;
CREATE FUNCTION shop.label(o shop.orders) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT o.number $$;
CREATE PROCEDURE shop.pay(which bigint) LANGUAGE sql BEGIN ATOMIC UPDATE shop.orders SET state = 'paid' WHERE id = which; END;
CREATE VIEW shop.by_function AS SELECT id, total FROM shop.orders_of('a');
CREATE FUNCTION shop.rename() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  UPDATE shop.customers SET name = NEW.name WHERE name = OLD.name; RETURN NEW; END $$;
CREATE TRIGGER renames INSTEAD OF UPDATE ON shop.a_names FOR EACH ROW EXECUTE FUNCTION shop.rename();
COMMENT ON VIEW shop.open_orders IS 'not paid';
COMMENT ON FUNCTION shop.number() IS 'of a bill';
REVOKE EXECUTE ON FUNCTION shop.count_orders() FROM PUBLIC;
GRANT SELECT ON shop.open_orders TO pg_monitor;
GRANT USAGE ON SEQUENCE shop.bills TO pg_monitor;
GRANT USAGE ON SCHEMA shop TO pg_monitor;
INSERT INTO shop.customers (name) VALUES ('a'), ('b');
INSERT INTO shop.orders (customer, total) SELECT 1 + n % 2, n FROM generate_series(1, 100) n;
REFRESH MATERIALIZED VIEW shop.totals;
)";

class SplitTest : public ::testing::Test, protected testing::MoveGround {
 protected:
  SplitTest() : MoveGround(kShop) { options.schema = "shop"; }

  schema::CatalogueImage image(const std::string& database) { return MoveGround::image(database, "shop"); }
  static void expect_refused(TestDatabase& db, const std::string& where) {
    PqSession session(db.endpoint().keywords());
    for (const char* sql :
         {"SELECT * FROM shop.orders", "SELECT * FROM shop.open_orders", "SELECT * FROM shop.\"Open Totals\"",
          "SELECT * FROM shop.totals", "SELECT * FROM shop.recent", "SELECT * FROM shop.by_function",
          "SELECT * FROM shop.orders_of('a')", "SELECT shop.count_orders()", "CALL shop.pay(1)",
          "UPDATE shop.open_orders SET total = 1", "UPDATE shop.a_names SET name = 'z' WHERE id = 1"}) {
      const auto result = session.execute(sql);
      EXPECT_EQ(result.sqlstate(), "SYMOV") << sql << ": " << result.error();
      EXPECT_NE(result.error().find(where), std::string::npos) << sql << ": " << result.error();
    }
    EXPECT_FALSE(session.execute("REFRESH MATERIALIZED VIEW shop.totals").ok());
  }
  static void expect_works(TestDatabase& db) {
    EXPECT_EQ(db.query_value("SELECT shop.count_orders() FROM shop.orders o WHERE shop.label(o) = 'B1000'"), "100");
    EXPECT_EQ(db.query_value("SELECT count(*) FROM shop.orders_of('b')"), "50");
    EXPECT_EQ(db.query_value("SELECT sum(total) FROM shop.\"Open Totals\""),
              db.query_value("SELECT sum(total) FROM shop.totals"));
    PqSession session(db.endpoint().keywords());
    EXPECT_TRUE(session.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY shop.totals").ok());
    EXPECT_EQ(
        session.value("BEGIN; CALL shop.pay(1); UPDATE shop.a_names SET name = 'z' WHERE id = 1;"
                      "SELECT count(*) FROM shop.open_orders o JOIN shop.a_names n USING (id) WHERE n.name = 'z'"),
        "49");
    session.execute("ROLLBACK");
  }
};

TEST_F(SplitTest, ViewsAndFunctionsGoWithTheirTables) {
  const schema::CatalogueImage before = image("main");
  EXPECT_EQ(run().phase, Phase::switched);
  expect_same(before, image("other"));
  expect_works(other);
  EXPECT_EQ(other.query_value("SELECT shop.number()"), "B1100");
  expect_refused(main, "moved to the database 'other'");
  EXPECT_EQ(run().phase, Phase::switched) << "once more changes nothing";
}

TEST_F(SplitTest, TheWayBackBringsThemHome) {
  const schema::CatalogueImage before = image("main");
  run();
  other.execute("UPDATE shop.orders SET total = 7 WHERE id = 7");
  EXPECT_EQ(run(&Mover::rollback).phase, Phase::returned);
  expect_same(before, image("main"));
  expect_works(main);
  EXPECT_EQ(main.query_value("SELECT total FROM shop.open_orders WHERE id = 7"), "7");
  expect_refused(other, "back at the database 'main'");
  run(&Mover::confirm);
  EXPECT_EQ(other.query_value("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                              " WHERE nspname ~ '^(shop|switchyard_)' AND relkind <> 'S'"),
            other.query_value("SELECT count(*) FROM pg_class WHERE relname = 'pair' AND relkind = 'c'"));
  EXPECT_EQ(run().phase, Phase::switched) << "and it may go again";
  expect_works(other);
}

/// Runs that end without a word, each behind a later step, and the next one goes on.
TEST_F(SplitTest, TheNextRunGoesOnWhereverTheLastOneEnded) {
  struct Gone {};
  const schema::CatalogueImage before = image("main");
  const auto dies_behind = [&](int n, Verb verb) {
    int steps = 0;
    options.on_step = [&](std::string_view) {
      if (++steps == n) throw Gone();
    };
    bool died = false;
    try {
      run(verb);
    } catch (const Gone&) {
      died = true;
    }
    options.on_step = nullptr;
    return died;
  };
  bool forward = true, back = true;
  // Some on 15, others on 18.
  const int first =
      main.query_value("SELECT current_setting('server_version_num')::int / 10000 % 2") == "1" ? 1 : 2;
  for (int n = first; (forward || back) && n < 40 && !HasFailure(); n += 3) {
    forward = dies_behind(n, &Mover::run);
    EXPECT_EQ(run().phase, Phase::switched) << "behind step " << n;
    expect_works(other);
    expect_refused(main, "moved to the database 'other'");
    back = dies_behind(n, &Mover::rollback);
    EXPECT_EQ(run(&Mover::rollback).phase, Phase::returned) << "behind step " << n;
    expect_same(before, image("main"));
    expect_works(main);
    expect_refused(other, "back at the database 'main'");
    run(&Mover::confirm);
  }
}

TEST_F(SplitTest, AbortedTheTargetHasNoneOfThem) {
  const schema::CatalogueImage before = image("main");
  options.stop_before_switch = true;
  EXPECT_EQ(run().phase, Phase::verified);
  EXPECT_EQ(other.query_value("SELECT count(*) FROM shop.open_orders"), "100") << "it may be looked at";
  run(&Mover::abort);
  EXPECT_EQ(other.query_value("SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'v', 'm') AND relnamespace ="
                              " 'shop'::regnamespace"),
            "0");
  expect_same(before, image("main"));
  options.stop_before_switch = false;
  EXPECT_EQ(run().phase, Phase::switched);
  expect_works(other);
}

TEST_F(SplitTest, ConfirmedItMayComeHomeAndGoAgain) {
  const schema::CatalogueImage before = image("main");
  run();
  run(&Mover::confirm);
  expect_refused(main, "moved to the database 'other'");
  std::swap(from, to);
  EXPECT_EQ(run().phase, Phase::switched);
  expect_same(before, image("main"));
  expect_works(main);
  expect_refused(other, "moved to the database 'main'");
  run(&Mover::confirm);
  EXPECT_EQ(main.query_value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'switchyard\\_%'"), "0");
  std::swap(from, to);
  EXPECT_EQ(run().phase, Phase::switched);
  expect_works(other);
  expect_refused(main, "moved to the database 'other'");
}

TEST_F(SplitTest, AReaderOfAViewMakesTheSwitchWaitAndNobodyElse) {
  options.stop_before_switch = true;
  run();
  PqSession reader(main.endpoint().keywords());
  ASSERT_TRUE(reader.execute("BEGIN; SELECT count(*) FROM shop.\"Open Totals\"").ok());
  options.stop_before_switch = false;
  options.switch_patience = 1s;
  EXPECT_NE(failure().find("no gap"), std::string::npos);
  ASSERT_TRUE(reader.execute("SELECT count(*) FROM shop.open_orders; COMMIT").ok());
  options.switch_patience = 60s;
  EXPECT_EQ(run().phase, Phase::switched);
}

TEST_F(SplitTest, WhatTiesItToOthersIsSaidBeforeAnythingIsDone) {
  const struct {
    std::string setup, undo, says;
  } kCases[] = {
      {"CREATE TABLE public.rates (n int); CREATE VIEW shop.v AS SELECT o.id FROM shop.orders o, public.rates",
       "DROP VIEW shop.v", "the view shop.v refers to table public.rates"},
      {"CREATE VIEW public.v AS SELECT * FROM shop.\"Open Totals\"", "DROP VIEW public.v",
       "the view public.v refers to view shop.\"Open Totals\""},
      {"CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW shop.v AS SELECT public.f()",
       "DROP VIEW shop.v", "the view shop.v refers to function public.f()"},
      {"ALTER TABLE shop.orders ADD extra int DEFAULT public.f()", "ALTER TABLE shop.orders DROP extra",
       "the default of shop.orders refers to function public.f()"},
      {"CREATE FUNCTION shop.g() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.rates'",
       "DROP FUNCTION shop.g()", "the function shop.g() names public.rates"},
      {"CREATE FUNCTION shop.g() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM rates); "
       "END'",
       "DROP FUNCTION shop.g()", "the function shop.g() names public.rates"},
      {"CREATE FUNCTION shop.g() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM public.rates; END",
       "DROP FUNCTION shop.g()", "the function shop.g() refers to table public.rates"},
      {"CREATE FUNCTION public.g() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM shop.open_orders; "
       "END",
       "DROP FUNCTION public.g()", "the function public.g() refers to view shop.open_orders"},
      {"CREATE AGGREGATE shop.all_of (int) (SFUNC = int4pl, STYPE = int)", "DROP AGGREGATE shop.all_of (int)",
       "shop.all_of(integer) is not moved"},
      {"CREATE PUBLICATION p FOR TABLES IN SCHEMA shop", "DROP PUBLICATION p", "a part of the publication p"},
  };
  for (const auto& one : kCases) {
    main.execute(one.setup);
    const std::string said = failure();
    EXPECT_NE(said.find(one.says), std::string::npos) << one.says << ": " << said;
    EXPECT_EQ(main.query_value("SELECT to_regclass('switchyard.moves') IS NULL"), "t");
    main.execute(one.undo);
  }
  main.execute(
      "CREATE FUNCTION shop.g() RETURNS int LANGUAGE sql AS '/* of public.rates */ SELECT rates.total FROM (VALUES"
      " (1)) rates(total) -- from rates'");
  EXPECT_EQ(failure(), "");
}

}  // namespace
}  // namespace switchyard::move
