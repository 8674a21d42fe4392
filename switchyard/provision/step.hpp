// One statement of a plan.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::provision {

/// Setting of a role in a database by which it is known when its statement log ends: 2026-01-31T23:59:59Z.
inline constexpr std::string_view kLoggingUntil = "switchyard.logging_until";

/// Phases run in this order; what is in one phase and database is one transaction.
enum class Phase : std::uint8_t {
  roles,      ///< in the database that the administrator begins with
  databases,  ///< CREATE DATABASE: outside of transactions
  contents,   ///< in the database itself
  retire,     ///< DROP ROLE, when nothing depends on it any more
};

enum class Effect : std::uint8_t {
  make,       ///< something that was not there
  change,     ///< an attribute, a setting
  grant,      ///< a privilege more
  take_away,  ///< a privilege less
  drop,       ///< something that was there
};

struct Step {
  Phase phase = Phase::roles;
  Effect effect = Effect::make;
  std::string role;      ///< that is changed, if one is: who does it has to administer it
  std::string database;  ///< physical, where it runs; empty: where the administrator begins
  std::string sql;
  std::string shown;  ///< the same without secrets; empty: `sql` itself
  std::string why;    ///< what it is for, or what is found there that the plan does not have
  /// Somebody may miss it: done only with --confirm.
  bool confirm = false;

  [[nodiscard]] const std::string& text() const noexcept { return shown.empty() ? sql : shown; }
};

}  // namespace switchyard::inline v0::provision
