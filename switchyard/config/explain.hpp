// `switchyard config explain`: every effective value, where it came from and what it hides. Secrets are masked.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0 {

struct ExplainRow {
  std::string key;     ///< "database.reference.pool.max"
  std::string value;   ///< as it would be written in the fleet file; secrets masked
  std::string origin;  ///< "environment PG_REFERENCE_POOL_MAX_SIZE", "fleet.toml:12:8", "default (profile wellwon)"
  bool is_default = false;
  std::vector<Shadowed> shadowed;
  std::string note;  ///< what the value means here, or empty
};

struct Explanation {
  std::vector<ExplainRow> rows;
  Sizing sizing;
  std::vector<std::string> undeclared_variables;
  std::vector<std::string> warnings;
  std::vector<std::string> unused_keys;
};

[[nodiscard]] SWITCHYARD_API Explanation explain(const FleetConfig& fleet);

/// Aligned text for people. `all` = with the rows that are defaults.
[[nodiscard]] SWITCHYARD_API std::string to_text(const Explanation& explanation, bool all = true);
/// {"settings":[{"key":...,"value":...,"origin":...,"default":...,"shadowed":[...],"note":...}],"sizing":{...},...}
[[nodiscard]] SWITCHYARD_API std::string to_json(const Explanation& explanation);

}  // namespace switchyard::inline v0
