#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/test_cluster.hpp>

#include <gtest/gtest.h>

#include <filesystem>

namespace {

namespace fs = std::filesystem;
using namespace switchyard;
using namespace switchyard::embedded;

TEST(PrivateCluster, StartsAnswersAndLeavesNothingBehind) {
  std::string folder;
  pid_t pid = -1;
  {
    auto cluster = PrivateCluster::start(test_options());
    ASSERT_TRUE(cluster.ok()) << cluster.error().what();
    folder = (*cluster)->folder();
    pid = (*cluster)->primary().pid();
    auto answer = (*cluster)->primary().query_value("SELECT 41 + 1");
    ASSERT_TRUE(answer.ok()) << answer.error().what();
    EXPECT_EQ(*answer, "42");
    EXPECT_TRUE(fs::exists(folder));
  }
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_FALSE(fs::exists("/proc/" + std::to_string(pid)));
}

TEST(TestDatabase, IsClonedFromItsSetup) {
  TestDatabase one = TestDatabase::with("CREATE TABLE t (a int); INSERT INTO t VALUES (7)");
  TestDatabase two = TestDatabase::with("CREATE TABLE t (a int); INSERT INTO t VALUES (7)");
  one.execute("DELETE FROM t");
  EXPECT_EQ(one.query_value("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(two.query_value("SELECT a FROM t"), "7");
}

TEST(TestCluster, ReplicaFollowsThePrimary) {
  PrivateServer& replica = TestCluster::replica();
  TestDatabase db = TestDatabase::with("CREATE TABLE t (a int)");
  db.execute("INSERT INTO t VALUES (1)");
  auto caught_up = replica.catch_up(db.server());
  ASSERT_TRUE(caught_up.ok()) << caught_up.error().what();
  EXPECT_EQ(replica.query_value("SELECT count(*) FROM t", db.name()).value(), "1");
}

}  // namespace
