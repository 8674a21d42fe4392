#include <switchyard/fleet/status_sum.hpp>

#include <gtest/gtest.h>

namespace switchyard::fleet {
namespace {

using namespace std::chrono_literals;

FleetStatus shard(std::uint32_t sessions, std::uint64_t statements) {
  EndpointStatus primary;
  primary.name = "primary";
  primary.pool = PoolStatus{.total = sessions, .longest_wait = 1ms * sessions, .max = 10};
  primary.operations = {.count = statements, .p99 = 1us * statements};
  primary.lane = LaneStatus{.statements = statements, .exits = {{"why", 1}}, .refusals = {}};
  DatabaseStatus database;
  database.name = "main";
  database.endpoints = {primary};
  FleetStatus status;
  status.databases = {database};
  return status;
}

TEST(StatusSum, CountsOfShardsAreAddedAndLimitsStay) {
  FleetStatus sum = shard(2, 10);
  add(sum, shard(3, 30));
  ASSERT_EQ(sum.databases.size(), 1U);
  const EndpointStatus& primary = sum.databases[0].endpoints.at(0);
  EXPECT_EQ(primary.pool->total, 5U);
  EXPECT_EQ(primary.pool->max, 10U);
  EXPECT_EQ(primary.pool->longest_wait, 3ms);
  EXPECT_EQ(primary.operations.count, 40U);
  EXPECT_EQ(primary.operations.p99, 30us);
  EXPECT_EQ(primary.lane->statements, 40U);
  ASSERT_EQ(primary.lane->exits.size(), 1U);
  EXPECT_EQ(primary.lane->exits[0].count, 2U);
}

TEST(StatusSum, WhatOnlyOneShardHasUsedIsThere) {
  FleetStatus sum = shard(2, 10);
  sum.databases[0].endpoints[0].pool.reset();
  sum.databases[0].endpoints[0].lane.reset();
  FleetStatus other = shard(3, 30);
  other.databases[0].endpoints.push_back({.role = EndpointRole::replica, .name = "api"});
  add(sum, other);
  EXPECT_EQ(sum.databases[0].endpoints[0].pool->total, 3U);
  EXPECT_EQ(sum.databases[0].endpoints[0].lane->statements, 30U);
  EXPECT_EQ(sum.databases[0].endpoints.at(1).name, "api");
}

TEST(StatusSum, DistributionsAreMerged) {
  EndpointStatistics one{.database = "main", .name = "primary"};
  one.reads.count = 1;
  one.reads.execution.add(3, 1);
  one.reads.statements.push_back({.name = "b", .execution = {}});
  EndpointStatistics two = one;
  two.reads.statements.insert(two.reads.statements.begin(), {.name = "a", .execution = {}});
  two.reads.statements[1].errors = 2;
  FleetStatistics sum{.endpoints = {one}, .traces = {.exported = 1}};
  add(sum, {.endpoints = {two}, .traces = {.exported = 2}});
  ASSERT_EQ(sum.endpoints.size(), 1U);
  EXPECT_EQ(sum.endpoints[0].reads.execution.count(), 2U);
  ASSERT_EQ(sum.endpoints[0].reads.statements.size(), 2U);
  EXPECT_EQ(sum.endpoints[0].reads.statements[0].name, "a");
  EXPECT_EQ(sum.endpoints[0].reads.statements[1].errors, 2U);
  EXPECT_EQ(sum.traces.exported, 3U);
}

}  // namespace
}  // namespace switchyard::fleet
