#include <switchyard/config/name_rule.hpp>

#include <gtest/gtest.h>

namespace switchyard {
namespace {

static_assert(is_usable_name("main") && is_usable_name("main_replica") && is_usable_name("readReplica"));
static_assert(!is_usable_name("Main") && !is_usable_name("") && !is_usable_name("my-db"));

TEST(NameRule, ADatabaseIsALowerCaseWord) {
  for (const char* name : {"main", "reference", "a", "order_items", "db2", "a_", "replicas"}) {
    EXPECT_TRUE(is_declarable_name(name)) << name;
  }
  for (const char* name : {"", "Main", "2db", "_a", "my-db", "my db", "m\xC3\xA4in", "readReplica", "orderItems"}) {
    EXPECT_FALSE(is_declarable_name(name)) << name;
  }
}

TEST(NameRule, SixtyThreeBytesAreTheLimit) {
  EXPECT_TRUE(is_declarable_name(std::string(63, 'a')));
  EXPECT_FALSE(is_declarable_name(std::string(64, 'a')));
}

TEST(NameRule, NamesOfReadViewsCanNotBeDeclared) {
  for (const char* name : {"main_replica", "mainReplica", "read_replica", "main_replica_api", "replica", "read"}) {
    EXPECT_FALSE(is_declarable_name(name)) << name;
  }
}

TEST(NameRule, RoleNamesResolveToTheReadViewOfTheirDatabase) {
  const auto check = [](std::string_view name, std::string_view database, bool read_view,
                        std::string_view purpose) {
    const NameParts parts = parse_database_name(name);
    EXPECT_EQ(parts.database, database) << name;
    EXPECT_EQ(parts.read_view, read_view) << name;
    EXPECT_EQ(parts.purpose, purpose) << name;
  };
  check("main", "main", false, "");
  check("main_replica", "main", true, "");
  check("reference_replica", "reference", true, "");
  check("reference_replica_api", "reference", true, "api");
  check("readReplica", "main", true, "");
  check("mainReplica", "main", true, "");
  check("analyticsReplica", "analytics", true, "");
  check("order_items_replica", "order_items", true, "");
  check("Replica", "", false, "");
  check("mainreplica", "mainreplica", false, "");
}

TEST(NameRule, VariablesCarryTheNameInUpperCase) { EXPECT_EQ(variable_part("order_items"), "ORDER_ITEMS"); }

}  // namespace
}  // namespace switchyard
