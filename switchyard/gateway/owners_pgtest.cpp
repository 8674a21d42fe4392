// Clients of the gateway at a database that does not own the tables they name.
#include <switchyard/embedded/test_cluster.hpp>

#include <tests/support/gateway_door.hpp>
#include <tests/support/libpq.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <string>

namespace switchyard::gateway {
namespace {

using embedded::TestDatabase;
using switchyard::testing::Door;
using switchyard::testing::PqSession;

class GatewayOwnersTest : public ::testing::Test {
 protected:
  static constexpr const char* kTables = "CREATE TABLE orders (n int); CREATE TABLE log (n int)";
  TestDatabase database = TestDatabase::with(kTables);
  TestDatabase other = TestDatabase::with(kTables);
  std::string more() const {
    return "tables = [\"orders\"]\n[database.reference]\ndsn = \"" + other.endpoint().uri() +
           "\"\ntables = [\"log\"]\n";
  }
};

TEST_F(GatewayOwnersTest, AStatementAtTheWrongDatabaseIsAnErrorLikeAnyOther) {
  Door door(database, {.more = more(), .fleet = "owner_check = \"fail\"\n"});
  PqSession session(door.local());
  ASSERT_TRUE(session.connected()) << session.error();
  for (int i = 0; i < 2; ++i) {
    const auto simple = session.execute("SELECT * FROM log");
    EXPECT_EQ(simple.sqlstate(), "42P01");
    EXPECT_NE(simple.error().find("'log' belongs to 'reference', not to 'main'"), std::string::npos)
        << simple.error();
    const auto bound = session.query("INSERT INTO log VALUES ($1)", {{"1"}});
    EXPECT_EQ(bound.sqlstate(), "42P01");
    EXPECT_NE(bound.error().find("belongs to 'reference'"), std::string::npos) << bound.error();
    EXPECT_TRUE(session.query("INSERT INTO orders VALUES ($1)", {{"1"}}).ok());
    EXPECT_EQ(session.value("SELECT count(*) FROM orders"), std::to_string(i + 1));
  }
  PqSession right(door.local("reference"));
  ASSERT_TRUE(right.connected()) << right.error();
  EXPECT_TRUE(right.execute("INSERT INTO log VALUES (1)").ok());
}

TEST_F(GatewayOwnersTest, InATransactionItEndsTheTransaction) {
  Door door(database, {.more = more(), .fleet = "owner_check = \"fail\"\n"});
  PqSession session(door.local());
  ASSERT_TRUE(session.connected()) << session.error();
  EXPECT_TRUE(session.execute("BEGIN").ok());
  EXPECT_TRUE(session.execute("INSERT INTO orders VALUES (1)").ok());
  EXPECT_EQ(session.execute("DELETE FROM log").sqlstate(), "42P01");
  EXPECT_EQ(session.execute("SELECT 1").sqlstate(), "25P02");
  EXPECT_TRUE(session.execute("ROLLBACK").ok());
  EXPECT_EQ(session.value("SELECT count(*) FROM orders"), "0");
}

TEST_F(GatewayOwnersTest, WithoutTheCheckNobodyLooks) {
  Door door(database, {.more = more()});
  PqSession session(door.local());
  ASSERT_TRUE(session.connected()) << session.error();
  EXPECT_EQ(session.value("SELECT count(*) FROM log"), "0");
}

}  // namespace
}  // namespace switchyard::gateway
