#include <switchyard/gateway/client_text.hpp>

#include <switchyard/sql/facts_cache.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::gateway {
namespace {

/// Once its parse tree is known.
ClientText text_of(std::string_view sql, Backslash backslash = Backslash::plain,
                   std::vector<std::string> harmless = {}) {
  ClientText text = read_client_text(sql, backslash, harmless);
  for (int i = 0; i < 100 && !text.judged; ++i) {
    // Each statement of the text is looked at by itself, with its semicolon.
    (void)sql::FactsCache::of_process().analyse_now(sql);
    std::string_view rest = sql;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(';'), rest.size() - 1) + 1;
      (void)sql::FactsCache::of_process().analyse_now(rest.substr(0, end));
      rest.remove_prefix(end);
    }
    text = read_client_text(sql, backslash, harmless);
  }
  return text;
}

TEST(ClientTextTest, PlainStatementsLeaveNothing) {
  for (const char* sql :
       {"SELECT 1", "INSERT INTO t VALUES ($1, now())", "UPDATE t SET a = lower(b) WHERE c = 'x;y'",
        "WITH a AS (SELECT 1) SELECT * FROM a", "BEGIN", "COMMIT; BEGIN", "SHOW work_mem", "SAVEPOINT a",
        "FETCH ALL FROM c", "NOTIFY x, 'y'", "", ";;", "-- nothing", "SET LOCAL work_mem = '1MB'; SELECT 1",
        "SET TRANSACTION READ ONLY"}) {
    EXPECT_FALSE(any(text_of(sql).claims)) << sql << ": " << claim_text(text_of(sql).claims);
  }
}

TEST(ClientTextTest, WhatMayStayIsClaimed) {
  struct Case {
    const char* sql;
    Claim claim;
  };
  for (const Case& one : {
           Case{"CREATE TEMP TABLE t (id int)", Claim::temporary},
           Case{"SELECT 1 AS a INTO TEMPORARY t", Claim::temporary},
           Case{"SELECT pg_advisory_lock(1)", Claim::locks},
           Case{"SELECT pg_try_advisory_lock(1)", Claim::locks},
           Case{"DECLARE c CURSOR WITH HOLD FOR SELECT 1", Claim::cursors},
           Case{"BEGIN; LISTEN a; COMMIT", Claim::listens},
           Case{"PREPARE a AS SELECT 1", Claim::prepares},
           Case{"EXPLAIN EXECUTE a", Claim::prepares},
           Case{"SELECT my_function()", Claim::functions},
           Case{"DO $$ BEGIN NULL; END $$", Claim::functions},
           Case{"CALL p()", Claim::functions},
           Case{"SET app.tenant = 1", Claim::custom},
           Case{"SELECT set_config('app.tenant', '1', false)", Claim::custom},
           Case{"SELECT set_config(x, '1', false) FROM t", Claim::custom},
           Case{"SELECT currval('s')", Claim::sequences},
           Case{"SELECT LASTVAL()", Claim::sequences},
           Case{"LOAD 'x'", Claim::lasting},
           Case{"SELECT setseed(0)", Claim::lasting},
           Case{"SELEC 1", Claim::lasting},
           Case{"SELECT 'open", Claim::lasting},
           Case{"UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'", Claim::lasting},
           Case{"WITH a AS (SELECT 1) UPDATE pg_catalog.\"pg_settings\" SET setting = 'x'", Claim::lasting},
           Case{"SET U&\"\\0073earch_path\" = evil", Claim::lasting},
           Case{"SELECT U&\"set\\005fconfig\"('search_path', 'evil', false)", Claim::lasting},
           Case{"PREPARE p AS SELECT set_config('search_path', 'evil', false)", Claim::lasting},
       }) {
    EXPECT_TRUE(any(text_of(one.sql).claims & one.claim)) << one.sql;
  }
  EXPECT_TRUE(
      any(text_of("SELECT 'a\\'', set_config($$search_path$$, $$evil$$, false) --'", Backslash::escapes).claims &
          Claim::lasting));
  EXPECT_FALSE(any(text_of("SELECT my.f()", Backslash::plain, {"my.f"}).claims)) << "declared harmless";
}

TEST(ClientTextTest, SettingsAreNamed) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(text_of("SET work_mem = '1MB'").settings, Names{"work_mem"});
  EXPECT_EQ(text_of("set session TIME ZONE 'UTC'").settings, Names{"timezone"});
  EXPECT_EQ(text_of("SET NAMES 'utf8'").settings, Names{"client_encoding"});
  EXPECT_EQ(text_of("SET \"Search_Path\" TO a, b").settings, Names{"search_path"});
  EXPECT_EQ(text_of("SET ROLE x").settings, Names{"role"});
  EXPECT_EQ(text_of("SET SESSION AUTHORIZATION x").settings, (Names{"role", "session_authorization"}));
  EXPECT_EQ(text_of("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").settings.size(), 3U);
  EXPECT_EQ(text_of("SELECT 1; SELECT pg_catalog.set_config('work_mem', '1MB', true)").settings, Names{"work_mem"});
  EXPECT_EQ(text_of("RESET work_mem").resets, Names{"work_mem"});
  EXPECT_EQ(text_of("SET work_mem TO DEFAULT").resets, Names{"work_mem"});
  EXPECT_TRUE(text_of("RESET ALL").resets_all);
}

TEST(ClientTextTest, VerbsConcernOneStatementOnly) {
  EXPECT_EQ(text_of("deallocate prepare \"A b\"").verb, TextVerb::deallocate);
  EXPECT_EQ(text_of("deallocate prepare \"A b\"").name, "A b");
  EXPECT_EQ(text_of("DEALLOCATE ALL;").verb, TextVerb::deallocate_all);
  EXPECT_EQ(text_of("DISCARD ALL").verb, TextVerb::discard_all);
  EXPECT_EQ(text_of("DISCARD ALL; SELECT 1").verb, TextVerb::other);
  EXPECT_TRUE(text_of("SELECT 1; DISCARD ALL").forgets_statements);
  const ClientText execute = text_of("/* x */ EXECUTE Abc (1)");
  EXPECT_EQ(execute.verb, TextVerb::execute);
  EXPECT_EQ(execute.name, "abc");
  EXPECT_EQ(execute.name_at, 16U);
  EXPECT_EQ(execute.name_size, 3U);
}

}  // namespace
}  // namespace switchyard::gateway
