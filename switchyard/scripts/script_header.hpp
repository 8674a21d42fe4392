// What the comment at the head of a script says about it:
//
//     -- Target: wellwon_reference
//     -- Table: dc_new_reference
//     -- Purpose: ...          -- Data Source: ...          -- Update Frequency: ...
//     -- switchyard: statement_timeout=10min lock_timeout=5s
#pragma once

#include <switchyard/base/export.hpp>

#include <map>
#include <string>
#include <string_view>

namespace switchyard::inline v0::scripts {

struct ScriptHeader {
  std::string target;  ///< logical or physical name of the database; empty: not said
  std::string table, purpose, data_source, update_frequency;
  std::map<std::string, std::string> settings;  ///< of lines "-- switchyard:"
};

/// Reads the line comments before the first statement; keys in any case.
[[nodiscard]] SWITCHYARD_API ScriptHeader read_header(std::string_view text);

}  // namespace switchyard::inline v0::scripts
