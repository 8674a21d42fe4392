// Leases, and statements that change the session they run on: nobody else may notice.
#include "caller.hpp"
#include "site.hpp"

#include <switchyard/runtime/task_tools.hpp>

#include <array>
#include <string>
#include <tuple>

namespace soak {
namespace {

using namespace std::chrono_literals;

sy::Task<void> own_setting(Caller& me) {
  sy::Lease lease = co_await me.db().lease();
  co_await lease.query_value<std::string>("SELECT set_config('soak.tag', $1, false)", me.tag());
  co_await lease.script("SET work_mem = '77MB'");
  const auto [tag, memory] = co_await lease.query_one<std::tuple<std::string, std::string>>(
      "SELECT current_setting('soak.tag'), current_setting('work_mem')");
  me.require_tag(tag);
  me.require(memory == "77MB", "another setting than its own", memory);
}

/// The same without a lease: the statement runs on any session, which must be as new for the next.
sy::Task<void> setting_in_passing(Caller& me) {
  const auto tag = co_await me.db().query_value<std::string>("SELECT set_config('soak.tag', $1, false)", me.tag());
  me.require_tag(tag);
}

/// Functions of the database do what nobody sees.
sy::Task<void> function_that_sets(Caller& me) {
  me.require_tag(co_await me.db().query_value<std::string>("SELECT notes($1)", me.tag()));
}

sy::Task<void> function_that_prepares(Caller& me) {
  me.require_tag(co_await me.db().query_value<std::string>("SELECT prepares($1)", me.tag()));
}

sy::Task<void> statement_of_ones_own(Caller& me) {
  sy::Lease lease = co_await me.db().lease();
  co_await lease.script("PREPARE soak AS SELECT '" + me.tag() + "'::text");
  me.require_tag(co_await lease.query_value<std::string>("EXECUTE soak"));
}

sy::Task<void> own_role(Caller& me) {
  sy::Lease lease = co_await me.db().lease();
  co_await lease.script(std::string("SET ROLE ") + kOtherRole);
  const auto [tag, user] = co_await lease.query_one<std::tuple<std::string, std::string>>(
      "SELECT $1::text, current_user::text", me.tag());
  me.require_tag(tag);
  me.require(user == kOtherRole, "another role than its own", user);
}

/// A temporary table in front of one that everybody reads.
sy::Task<void> temporary_table(Caller& me) {
  sy::Lease lease = co_await me.db().lease();
  co_await lease.execute("CREATE TEMP TABLE items AS SELECT i AS id, $1::text AS body FROM generate_series(1, 3) i",
                         me.tag());
  const auto body = co_await lease.query_value<std::string>("SELECT body FROM items WHERE id = $1", 2);
  me.require_tag(body);
}

/// Left locked: the next holder gets it only if the session was reset.
sy::Task<void> advisory_lock(Caller& me) {
  sy::Lease lease = co_await me.db().lease();
  me.limit();
  const auto tag = co_await lease.query_value<std::string>(
      {.sql = "SELECT $1::text FROM pg_advisory_lock($2)", .timeout = 20s}, me.tag(), std::int64_t{me.below(64)});
  me.require_tag(tag);
  if (me.percent(50)) co_await sy::sleep(std::chrono::milliseconds(me.below(5)));
}

/// A transaction left open, in a state of the caller's making.
sy::Task<void> open_transaction(Caller& me) {
  sy::Lease lease = co_await me.db().lease();
  co_await lease.script("BEGIN");
  co_await lease.execute("INSERT INTO pieces VALUES ($1, 1, 2)", me.tag());
  if (me.percent(50)) (void)co_await lease.execute("SELECT 1 / 0").result();
}

constexpr std::array<Shape, 9> kShapes{{{"own setting", 6, own_setting},
                                        {"function that sets", 6, function_that_sets},
                                        {"function that prepares", 2, function_that_prepares},
                                        {"own prepared", 2, statement_of_ones_own},
                                        {"setting in passing", 6, setting_in_passing},
                                        {"own role", 4, own_role},
                                        {"temporary table", 3, temporary_table},
                                        {"advisory lock", 4, advisory_lock},
                                        {"open transaction", 6, open_transaction}}};

}  // namespace

std::span<const Shape> session_shapes() { return kShapes; }

}  // namespace soak
