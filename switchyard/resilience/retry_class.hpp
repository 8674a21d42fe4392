// The resilience room: the rules by which work survives a database that is slow, full, restarting or gone. It
// decides, and does nothing itself: which failures may be tried again (retry_class, verdict), how often and when
// (backoff, retry_budget, retry_policy), whether an endpoint should be asked at all (breaker) and by how many at
// once (limiter). Every decision is a plain object that is told the time. No sockets, no timers, no coroutines
// here.
//
// This header: what an SQLSTATE alone says about running the work again. One table (retry_class.cpp), read from top
// to bottom, from code or class to what may be done; sqlstates.txt beside it lists every SQLSTATE of PostgreSQL's
// Appendix A with the answer expected of the table.
#pragma once

#include <switchyard/base/export.hpp>

#include <cstdint>
#include <string_view>

namespace switchyard::inline v0::resilience {

/// What may be done about a statement or transaction that the server answered with an error.
enum class RetryClass : std::uint8_t {
  never,             ///< the same work would fail again, or its failure is the caller's to judge
  retry,             ///< it lost against other work and was rolled back: again, after a short pause
  retry_later,       ///< the server takes no more just now; nothing happened: again, after a longer pause
  in_doubt_if_sent,  ///< once a COMMIT (or autocommit write) was sent, it may have been applied
  re_resolve,        ///< this is not the primary (any more): nothing happened, find the primary
  drop_statement,    ///< the prepared statement is not what it was: prepare again; nothing happened
};

/// What the answer says about the endpoint.
enum class ServerHealth : std::uint8_t {
  answers,        ///< the error is about the statement
  fails,          ///< the endpoint can't do its work
  fails_if_lost,  ///< only if the session ended with it
};

struct RetryRule {
  std::string_view sqlstate;  ///< five characters, or a class of two; the empty one matches everything
  RetryClass retry;
  ServerHealth health;
};

/// The first rule of the table that matches. Unknown and malformed codes get the last rule: never, answers.
[[nodiscard]] SWITCHYARD_API const RetryRule& retry_rule(std::string_view sqlstate) noexcept;

[[nodiscard]] SWITCHYARD_API std::string_view to_string(RetryClass value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(ServerHealth value) noexcept;

}  // namespace switchyard::inline v0::resilience
