#include <switchyard/resilience/retry_class.hpp>

namespace switchyard::inline v0::resilience {
namespace {

using enum RetryClass;
using enum ServerHealth;

// First match wins: codes before their class. What is not listed failed by its own fault.
// clang-format off
constexpr RetryRule kRules[] = {
    // code    may be done        the endpoint     PostgreSQL's name
    {"40001",  retry,             answers},        // serialization_failure
    {"40P01",  retry,             answers},        // deadlock_detected
    {"55P03",  retry,             answers},        // lock_not_available: NOWAIT or lock_timeout
    {"40003",  in_doubt_if_sent,  answers},        // statement_completion_unknown
    {"53300",  retry_later,       fails},          // too_many_connections
    {"53400",  retry_later,       answers},        // configuration_limit_exceeded: temp_file_limit and the like
    {"53",     never,             fails},          // disk_full, out_of_memory
    {"57P03",  retry_later,       fails},          // cannot_connect_now: starting up, shutting down
    {"57P01",  in_doubt_if_sent,  fails},          // admin_shutdown
    {"57P02",  in_doubt_if_sent,  fails},          // crash_shutdown
    {"57P04",  in_doubt_if_sent,  fails},          // database_dropped
    {"57P05",  in_doubt_if_sent,  answers},        // idle_session_timeout
    {"08",     in_doubt_if_sent,  fails_if_lost},  // connection_*; with a living session that of a foreign server
    {"25006",  re_resolve,        answers},        // read_only_sql_transaction: a standby, or a read route
    {"26000",  drop_statement,    answers},        // invalid_sql_statement_name: somebody deallocated it
    {"58",     never,             fails},          // system_error, io_error
    {"XX",     never,             fails_if_lost},  // internal_error: one table's matter unless the server falls
    {"",       never,             answers},
};
// clang-format on

}  // namespace

const RetryRule& retry_rule(std::string_view sqlstate) noexcept {
  const RetryRule* rule = kRules;
  while (!sqlstate.starts_with(rule->sqlstate)) ++rule;
  return *rule;
}

std::string_view to_string(RetryClass value) noexcept {
  switch (value) {
    case never: return "never";
    case retry: return "retry";
    case retry_later: return "retry_later";
    case in_doubt_if_sent: return "in_doubt_if_sent";
    case re_resolve: return "re_resolve";
    case drop_statement: return "drop_statement";
  }
  return "unknown";
}

std::string_view to_string(ServerHealth value) noexcept {
  switch (value) {
    case answers: return "answers";
    case fails: return "fails";
    case fails_if_lost: return "fails_if_lost";
  }
  return "unknown";
}

}  // namespace switchyard::inline v0::resilience
