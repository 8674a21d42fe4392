// A statement as a caller writes it: text, and options where they are needed.
#pragma once

#include <switchyard/base/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0 {

/// Whether a read may share a session with other callers' reads (pool/lane.hpp).
enum class LaneUse : std::uint8_t {
  automatic,  ///< where it is known to be safe
  leased,     ///< never: it has a session to itself
};

/// The first argument of every verb, where its text alone is not enough:
///
///     co_await db.query<User>("SELECT id, name FROM users WHERE id = $1", id);
///     co_await db.query<User>({.sql = "SELECT ...", .name = "users-by-id", .timeout = 200ms}, id);
struct Statement {
  /// One SQL statement with parameters $1, $2 ...; it is copied by the verb.
  std::string_view sql;
  /// Keys metrics and traces; empty = not named.
  std::string_view name = {};
  /// Limit for this statement; the smaller of it, the request's deadline and the database's limit applies.
  std::optional<Duration> timeout = {};
  /// Doing it twice does no harm: it may be retried when its outcome is unknown.
  bool idempotent = false;
  LaneUse lane = LaneUse::automatic;
};

}  // namespace switchyard::inline v0
