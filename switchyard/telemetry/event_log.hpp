// What happened lately: slow statements, exhausted pools, breakers that opened. Each event becomes a log line
// (log.hpp) and stays in a ring that /api/events and `switchyard events` show.
//
// Bounded on purpose: a database in trouble has thousands of slow statements a second, and writing them all would
// be trouble of its own. So of each kind and database only a few are put together; the next line says how many were
// left out, and counts() counts all.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/telemetry/log.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::telemetry {

/// A constant of the code: what can happen.
struct EventKind {
  std::string_view name;  ///< "slow_query": key of limits, counts and documents
  std::string_view room;  ///< who says it: "fleet", "pool"
  log::Level level = log::Level::warning;
};

inline constexpr EventKind kSlowQuery{"slow_query", "fleet"};
inline constexpr EventKind kSlowPool{"slow_pool", "fleet"};
inline constexpr EventKind kPoolExhaustion{"pool_exhaustion", "pool"};
inline constexpr EventKind kCircuitBreaker{"circuit_breaker", "fleet"};
/// Towards HALF_OPEN and CLOSED; the same events to whoever counts.
inline constexpr EventKind kCircuitBreakerBetter{"circuit_breaker", "fleet", log::Level::info};
inline constexpr EventKind kConnectFailed{"connect_failed", "pool"};
inline constexpr EventKind kLeakSuspected{"leak_suspected", "pool"};
/// What a shared session answered can't have been asked for, or its settings are not as they were.
inline constexpr EventKind kLaneAlarm{"lane_alarm", "pool", log::Level::error};
inline constexpr EventKind kTraceExportFailed{"trace_export_failed", "fleet"};

/// One that was kept.
struct KeptEvent {
  std::uint64_t sequence = 0;  ///< rises by one; a gap means that the ring has gone round
  std::chrono::system_clock::time_point at;
  log::Level level = log::Level::warning;
  std::string kind;
  std::string database;        ///< empty: of no single database
  std::string message;         ///< the line as logged
  std::uint64_t left_out = 0;  ///< of the same kind and database since the one before
  std::vector<std::pair<std::string, std::string>> fields;
};

struct EventCount {
  std::string kind;
  std::string database;
  std::uint64_t count = 0;     ///< all that happened
  std::uint64_t left_out = 0;  ///< of these, without a line of their own
};

struct EventLimits {
  std::size_t kept = 1000;                      ///< events in the ring
  unsigned burst = 10;                          ///< lines of one kind and database that may follow at once ...
  Duration interval = std::chrono::seconds(1);  ///< ... and then one in this time
};

/// Thread-safe. An event takes a lock: they are rare.
class SWITCHYARD_API EventLog {
 public:
  /// Kinds and databases that are told apart; events of further ones count as database "other".
  static constexpr std::size_t kMaxKeys = 1000;

  explicit EventLog(EventLimits limits = {});
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  /// From now on; what is kept stays, as far as it fits.
  void configure(EventLimits limits);

  /// Something happened at `now`. `make()` gives the line and is only called if there will be one; it must not
  /// throw and holds no parameter values, no secrets, no connection strings.
  template <std::invocable Make>
  void note(const EventKind& kind, std::string_view database, TimePoint now, Make&& make,
            std::initializer_list<log::Field> fields = {}) noexcept {
    if (const std::optional<std::uint64_t> left_out = admit(kind, database, now)) {
      const auto message = std::forward<Make>(make)();
      keep(kind, database, std::string_view(message), *left_out, fields);
    }
  }

  /// Those after `sequence`, oldest first, at most `most` (the latest of them).
  [[nodiscard]] std::vector<KeptEvent> since(std::uint64_t sequence, std::size_t most = kMaxKeys) const;
  /// Of the last event; 0 before the first.
  [[nodiscard]] std::uint64_t last_sequence() const noexcept;
  /// Sorted by kind and database.
  [[nodiscard]] std::vector<EventCount> counts() const;

 private:
  /// How many of its like were left out since the last line; nothing if this one is left out too.
  [[nodiscard]] std::optional<std::uint64_t> admit(const EventKind& kind, std::string_view database,
                                                   TimePoint now) noexcept;
  void keep(const EventKind& kind, std::string_view database, std::string_view message, std::uint64_t left_out,
            std::initializer_list<log::Field> fields) noexcept;

  struct State;
  std::unique_ptr<State> state_;
};

/// The one of the process, which all fleets and shards share.
[[nodiscard]] SWITCHYARD_API EventLog& events() noexcept;

}  // namespace switchyard::inline v0::telemetry
