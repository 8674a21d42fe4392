// What an error means: may the work run again, and did the endpoint fail? One function, used for every operation.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/resilience/retry_class.hpp>

#include <cstdint>
#include <string_view>

namespace switchyard::inline v0::resilience {

/// What the failed work could have left behind.
enum class Effects : std::uint8_t {
  none,         ///< it only read, or doing it twice is the same as once (declared idempotent)
  rolled_back,  ///< inside a transaction whose COMMIT was not sent: losing the session rolls it back
  committed,    ///< an autocommit write, or COMMIT: what was sent may have been applied
};

/// May the whole unit of work (the statement, or the transaction from its BEGIN) run again?
enum class Again : std::uint8_t {
  never,     ///< no: it would fail again, or the caller has to decide
  safe,      ///< yes: nothing happened, or nothing that matters
  in_doubt,  ///< unknown whether it was applied: a marker tells, or whoever asked
};

/// How long to wait before it runs again.
enum class Pause : std::uint8_t {
  none,        ///< at once: another endpoint or a fresh statement is what it needs
  contention,  ///< it met other work: a few milliseconds
  outage,      ///< the server refuses or can't be reached: longer
};

/// What a breaker counts.
enum class CallOutcome : std::uint8_t {
  answered,  ///< the endpoint did its part, whatever the statement's result
  failed,    ///< the endpoint did not: unreachable, lost, full, out of order
  ignored,   ///< says nothing about the endpoint: our own limits, the caller's mistake, never sent
};

struct Verdict {
  Again again = Again::never;
  Pause pause = Pause::none;
  CallOutcome outcome = CallOutcome::ignored;
  /// The endpoint is not the primary (any more): resolve before running again.
  bool re_resolve = false;
};

[[nodiscard]] SWITCHYARD_API std::string_view to_string(Effects value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(Again value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(CallOutcome value) noexcept;

/// `effects` counts only for what was sent: nothing queued or connecting can have left anything behind.
[[nodiscard]] SWITCHYARD_API Verdict classify(const Error& error, Effects effects = Effects::committed) noexcept;

}  // namespace switchyard::inline v0::resilience
