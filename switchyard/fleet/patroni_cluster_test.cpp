#include <switchyard/fleet/patroni_cluster.hpp>

#include <gtest/gtest.h>

#include <string>

namespace switchyard::fleet {
namespace {

TEST(PatroniCluster, MembersHaveRolePlaceAndTimeline) {
  const auto members = parse_patroni_cluster(R"({"members": [
      {"name": "pg1", "role": "leader", "state": "running", "api_url": "http://10.0.0.1:8008/patroni",
       "host": "10.0.0.1", "port": 5433, "timeline": 3},
      {"name": "pg2", "role": "replica", "state": "streaming", "host": "10.0.0.2", "port": 5432, "timeline": 3,
       "lag": 0, "tags": {"nofailover": true, "list": [1, -2.5e3, null, "x"]}},
      {"name": "pg3", "role": "replica", "state": "stopped", "lag": "unknown"}
    ], "scope": "main", "pause": false})");
  ASSERT_TRUE(members.ok()) << members.error().what();
  ASSERT_EQ(members->size(), 2U) << "one has no place";
  EXPECT_TRUE((*members)[0].leads());
  EXPECT_EQ((*members)[0].host, "10.0.0.1");
  EXPECT_EQ((*members)[0].port, 5433);
  EXPECT_EQ((*members)[0].timeline, 3U);
  EXPECT_FALSE((*members)[1].leads());
  EXPECT_EQ((*members)[1].name, "pg2");
}

TEST(PatroniCluster, AnythingElseIsAProtocolError) {
  const std::string deep(1000, '[');
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("{}"), std::string("{\"members\": 1}"),
        std::string("{\"members\": [}"), std::string("{\"members\": [{\"name\": \"a}]}"),
        std::string("{\"members\": []} x"), "{\"a\": " + deep, std::string("{\"members\": [{\"host\" 1}]}")}) {
    EXPECT_EQ(parse_patroni_cluster(text).ok(), false) << text.substr(0, 40);
  }
}

}  // namespace
}  // namespace switchyard::fleet
