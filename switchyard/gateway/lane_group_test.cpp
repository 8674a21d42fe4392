#include <switchyard/gateway/lane_group.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <switchyard/base/random.hpp>

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace switchyard::gateway {
namespace {

using protocol::Target;
using protocol::testing::encoded;
using Kind = LaneGroup::Kind;

std::string parse(std::string_view name, std::string_view sql) {
  static constexpr Oid kTypes[] = {23};
  return encoded(protocol::Parse{name, sql, std::span<const Oid>(kTypes)});
}
std::string bind(std::string_view name, std::string_view portal = {}) {
  protocol::Bind bind;
  bind.portal = portal;
  bind.statement = name;
  return encoded(bind);
}
std::string describe(Target target, std::string_view name) { return encoded(protocol::Describe{target, name}); }
std::string execute(std::string_view portal = {}, std::int32_t rows = 0) {
  return encoded(protocol::Execute{portal, rows});
}
std::string sync() { return encoded(protocol::Sync()); }

TEST(LaneGroupTest, ASimpleQueryIsOne) {
  const std::string bytes = encoded(protocol::Query{"SELECT 1"});
  const std::string more = bytes + "Q";
  const LaneGroup group = read_lane_group(more);
  EXPECT_EQ(group.kind, Kind::simple);
  EXPECT_EQ(group.sql, "SELECT 1");
  EXPECT_EQ(group.size, bytes.size());
}

TEST(LaneGroupTest, OneExecutionUpToASyncIsOne) {
  const std::string prepared = bind("s") + execute() + sync();
  const std::string two = prepared + prepared;
  LaneGroup group = read_lane_group(two);
  EXPECT_EQ(group.kind, Kind::extended);
  EXPECT_EQ(group.name, "s");
  EXPECT_EQ(group.size, prepared.size());
  EXPECT_TRUE(group.parse.empty());
  EXPECT_FALSE(group.describes_portal);

  const std::string all = parse("", "SELECT 1") + describe(Target::statement, "") + bind("") +
                          describe(Target::portal, "") + execute() + sync();
  group = read_lane_group(all);
  EXPECT_EQ(group.kind, Kind::extended);
  EXPECT_TRUE(group.name.empty());
  EXPECT_EQ(group.parse, std::string_view("SELECT 1\0\0\1\0\0\0\27", 15));
  EXPECT_EQ(group.bind, bind("").substr(5));
  EXPECT_TRUE(group.describes_statement);
  EXPECT_TRUE(group.describes_portal);
  for (std::size_t size = 0; size < all.size(); ++size) {
    EXPECT_EQ(read_lane_group(all.substr(0, size)).kind, Kind::none) << size;
  }
}

TEST(LaneGroupTest, EverythingElseTakesTheLongWay) {
  const std::map<std::string, std::string> cases{
      {"nothing", ""},
      {"a Sync alone", sync()},
      {"no Execute", bind("") + sync()},
      {"no Bind", parse("", "SELECT 1") + execute() + sync()},
      {"two executions", bind("") + execute() + bind("") + execute() + sync()},
      {"executed twice", bind("") + execute() + execute() + sync()},
      {"some of the rows", bind("") + execute("", 5) + sync()},
      {"a named portal", bind("", "p") + execute("p") + sync()},
      {"another portal", bind("") + execute("p") + sync()},
      {"another statement", parse("a", "SELECT 1") + bind("b") + execute() + sync()},
      {"another statement described", describe(Target::statement, "a") + bind("b") + execute() + sync()},
      {"another portal described", bind("") + describe(Target::portal, "p") + execute() + sync()},
      {"described too late", bind("") + execute() + describe(Target::portal, "") + sync()},
      {"a Flush", bind("") + execute() + "H" + std::string("\0\0\0\4", 4)},
      {"a Close", bind("") + execute() + encoded(protocol::Close{Target::statement, ""}) + sync()},
      {"a query inside", bind("") + encoded(protocol::Query{"SELECT 1"}) + sync()},
      {"a message that does not exist", "y" + std::string("\0\0\0\4", 4)},
      {"a text without an end", "Q" + std::string("\0\0\0\5x", 5)},
      {"two texts", "Q" + std::string("\0\0\0\6\0\0", 6)},
  };
  for (const auto& [name, bytes] : cases) EXPECT_EQ(read_lane_group(bytes).kind, Kind::none) << name;
}

TEST(LaneGroupTest, AnyBytesAreReadWithinTheirBounds) {
  const std::string pieces[] = {parse("s", "SELECT 1"), bind("s"), describe(Target::portal, ""), execute(), sync()};
  Random random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    const std::size_t count = random.next() % 7;
    for (std::size_t i = 0; i < count; ++i) bytes += pieces[random.next() % std::size(pieces)];
    for (std::size_t i = random.next() % 4; i > 0 && !bytes.empty(); --i) {
      bytes[random.next() % bytes.size()] = static_cast<char>(random.next());
    }
    const LaneGroup group = read_lane_group(bytes);
    EXPECT_LE(group.size, bytes.size());
  }
}

}  // namespace
}  // namespace switchyard::gateway
