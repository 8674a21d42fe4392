#include <switchyard/sql/allow_list.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace switchyard::sql {
namespace {

TEST(AllowList, IsSortedByOid) {
  EXPECT_TRUE(std::ranges::is_sorted(allowed_functions(), {}, &AllowedFunction::oid));
}

TEST(AllowList, HasOnlyOidsThatAreTheSameEverywhere) {
  constexpr std::uint32_t kFirstUnstable = 10'000;
  EXPECT_TRUE(
      std::ranges::all_of(allowed_functions(), [](const auto& entry) { return entry.oid < kFirstUnstable; }));
}

TEST(AllowList, FindsAFunctionByOidAndFingerprint) {
  constexpr std::uint32_t kLowerOfText = 870;
  const std::uint32_t fingerprint = function_fingerprint("lower", "25", "internal", "lower");
  const AllowedFunction* lower = find_allowed(kLowerOfText, fingerprint);
  ASSERT_NE(lower, nullptr);
  EXPECT_EQ(lower->flags, 0);
}

TEST(AllowList, DoesNotKnowAFunctionThatWasReplacedInPlace) {
  EXPECT_EQ(find_allowed(870, function_fingerprint("lower", "25", "sql", "SELECT set_config('a.b', $1, false)")),
            nullptr);
}

TEST(AllowList, SaysWhatDependsOnTheClock) {
  const AllowedFunction* now = find_allowed(1299, function_fingerprint("now", "", "internal", "now"));
  ASSERT_NE(now, nullptr);
  EXPECT_EQ(now->flags, AllowedFunction::clock);
}

TEST(AllowList, LetsTypesReadTheirValuesButNoStatementCallTheirFunctions) {
  const AllowedFunction* array_in =
      find_allowed(750, function_fingerprint("array_in", "2275 26 23", "internal", "array_in"));
  ASSERT_NE(array_in, nullptr);
  EXPECT_EQ(array_in->flags, AllowedFunction::type_io);
}

// One of each kind that leaves something behind or belongs to one session.
TEST(AllowList, LeavesOut) {
  for (const std::uint32_t oid : {
           2077u,  // current_setting(text)
           2078u,  // set_config
           2880u,  // pg_advisory_lock
           1574u,  // nextval
           2559u,  // lastval
           2943u,  // txid_current
           5059u,  // pg_current_xact_id
           2026u,  // pg_backend_pid
           2196u,  // inet_client_addr
           2626u,  // pg_sleep
           3036u,  // pg_notify
           957u,   // lo_creat
           2925u,  // cursor_to_xml
           2923u,  // table_to_xml
           2084u,  // pg_show_all_settings
           3689u,  // ts_stat
           1599u,  // setseed
           2096u,  // pg_terminate_backend
           2624u,  // pg_read_file
           3809u,  // pg_export_snapshot
           817u,   // current_query
       }) {
    const auto table = allowed_functions();
    const auto entry = std::ranges::lower_bound(table, oid, {}, &AllowedFunction::oid);
    EXPECT_TRUE(entry == table.end() || entry->oid != oid) << oid;
  }
}

}  // namespace
}  // namespace switchyard::sql
