// Who holds the tables of a database that another one can stand in for: the database itself, or still main?
//
// With ANALYTICS_DATABASE_URL just set, the tables that the setting `tables` names may still live in main. Then
// main goes on serving `analytics` until they are moved; a main without them gives way at once. What was decided is
// remembered in `switchyard.ownership` of main, so that taking the variable away again is refused instead of
// writing to a main that no longer has the data. This is the rule; OwnershipChooser applies it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

struct OwnershipFacts {
  std::string database;
  std::string stand_in;  ///< "main"
  bool configured = false;
  std::string location;  ///< of the database itself, without credentials; empty if not configured
  /// What `switchyard.ownership` says; empty = nothing.
  std::string recorded_owner;
  std::string recorded_location;
  /// Tables of the database that exist in the stand-in and hold rows.
  std::vector<std::string> tables_left;
};

enum class OwnershipVerdict : std::uint8_t {
  own,       ///< the database serves itself
  stand_in,  ///< the stand-in goes on
  refuse,    ///< the data is where nobody can reach it
};

struct OwnershipDecision {
  OwnershipVerdict verdict = OwnershipVerdict::own;
  /// To be recorded; empty = the record stays.
  std::string record_owner;
  /// What status and health say and, for refuse, the error; empty = nothing to say.
  std::string note;
  /// What to do about it.
  std::string hint;
};

[[nodiscard]] OwnershipDecision decide_ownership(const OwnershipFacts& facts);

}  // namespace switchyard::inline v0::fleet
