#include <switchyard/gateway/transaction_start.hpp>

#include <gtest/gtest.h>

namespace switchyard::gateway {
namespace {

using Access = TransactionStart::Access;

Access access(std::string_view sql) { return read_transaction_start(sql, Backslash::plain).access; }

TEST(TransactionStart, TheModesOfBeginAreRead) {
  for (const char* sql : {"BEGIN READ ONLY", "begin read only;", "START TRANSACTION READ ONLY",
                          "BEGIN WORK ISOLATION LEVEL REPEATABLE READ, READ ONLY", "/* a */ BEGIN -- b\n READ ONLY",
                          "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY NOT DEFERRABLE",
                          "BEGIN TRANSACTION READ ONLY, DEFERRABLE", ";;BEGIN READ WRITE, READ ONLY"}) {
    EXPECT_EQ(access(sql), Access::read_only) << sql;
  }
  for (const char* sql :
       {"BEGIN", "START TRANSACTION", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN; SELECT 1"}) {
    EXPECT_EQ(access(sql), Access::session) << sql;
  }
  for (const char* sql : {"BEGIN READ WRITE", "BEGIN READ ONLY READ WRITE", "BEGIN SOMETHING"}) {
    EXPECT_EQ(access(sql), Access::read_write) << sql;
  }
  for (const char* sql : {"", "SELECT 'BEGIN READ ONLY'", "START", "COMMIT; BEGIN READ ONLY", "'BEGIN READ ONLY",
                          "BEGIN READ ONLY; SELECT '"}) {
    EXPECT_EQ(access(sql), Access::none) << sql;
  }
}

TEST(TransactionStart, WhatFollowsInTheSameTextCounts) {
  EXPECT_EQ(access("BEGIN READ ONLY; SELECT 1; COMMIT"), Access::read_only);
  EXPECT_EQ(access("BEGIN READ ONLY; SELECT 1; ROLLBACK TO s; SELECT 2; END;"), Access::read_only);
  EXPECT_EQ(access("BEGIN READ ONLY; SELECT 1; COMMIT; INSERT INTO t VALUES (1)"), Access::none)
      << "that is not in it any more";
  EXPECT_EQ(access("BEGIN READ ONLY; ROLLBACK WORK; SELECT 1"), Access::none);
  EXPECT_EQ(access("BEGIN READ ONLY; COMMIT AND CHAIN; SELECT 1"), Access::read_only);
  EXPECT_EQ(access("BEGIN; SET TRANSACTION READ ONLY; SELECT 1"), Access::read_only);
  EXPECT_EQ(access("BEGIN READ ONLY; SET TRANSACTION READ WRITE; SELECT 1"), Access::read_write);
}

TEST(TransactionStart, WhatFollowsTheEndOfATransactionIsFound) {
  const auto rest = [](std::string_view sql) -> std::string_view {
    const auto at = end_of_transaction(sql, Backslash::plain);
    return at ? sql.substr(*at) : "none";
  };
  for (const char* sql : {"COMMIT", "rollback;", "END WORK ; -- so", "ABORT TRANSACTION", "SELECT 1; COMMIT;;",
                          "COMMIT AND NO CHAIN", "PREPARE TRANSACTION 'x'"}) {
    EXPECT_EQ(rest(sql), "") << sql;
  }
  for (const char* sql :
       {"", "SELECT 1", "SELECT 'COMMIT'; SELECT 2", "ROLLBACK TO s", "ROLLBACK WORK TO SAVEPOINT s",
        "COMMIT AND CHAIN", "PREPARE p AS SELECT 1", "COMMIT PREPARED 'x'", "SELECT '; COMMIT"}) {
    EXPECT_EQ(rest(sql), "none") << sql;
  }
  EXPECT_EQ(rest("COMMIT; INSERT INTO t VALUES (1)"), "INSERT INTO t VALUES (1)");
  EXPECT_EQ(rest("SELECT ';'; COMMIT; /* a */ BEGIN; COMMIT; SELECT 2"), "BEGIN; COMMIT; SELECT 2");
  EXPECT_EQ(rest("COMMIT; SELECT 'unfinished"), "SELECT 'unfinished") << "the server says what is wrong with it";
}

TEST(TransactionStart, SerializableIsSeen) {
  const auto start = [](std::string_view sql) { return read_transaction_start(sql, Backslash::plain); };
  EXPECT_TRUE(start("BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY").serializable);
  EXPECT_TRUE(start("BEGIN READ ONLY; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").serializable);
  EXPECT_FALSE(start("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").serializable);
  EXPECT_TRUE(start("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").other_isolation);
  EXPECT_FALSE(start("BEGIN READ ONLY").other_isolation);
}

}  // namespace
}  // namespace switchyard::gateway
