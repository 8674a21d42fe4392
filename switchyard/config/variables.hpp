// Environment variables that mean something: which database they belong to and what they set. A database is asked
// about by its own name only, so no database can ever see another one's variables. Internal.
#pragma once

#include <switchyard/config/origin.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::config {

/// One variable, understood.
struct Variable {
  enum class Kind { dsn, replica_dsn, pool_min, pool_max, acquire_timeout, command_timeout };
  Kind kind = Kind::dsn;
  std::string database;                ///< logical name
  std::string purpose;                 ///< of a replica: "api"; empty for the plain one
  Profile profile = Profile::wellwon;  ///< the family its spelling belongs to
  bool from_file = false;              ///< the value is the path of a file (NAME_FILE)
};

/// What `name` means; nothing if it is no variable of ours.
[[nodiscard]] std::optional<Variable> classify_variable(std::string_view name);

/// All spellings for one thing of one database, the preferred first.
[[nodiscard]] std::vector<std::string> spellings(Variable::Kind kind, std::string_view database);

/// POSTGRES_DSN_MAIN -> POSTGRES_DSN, POSTGRES_DSN_REFERENCE -> POSTGRES_REFERENCE_DSN: the word order of another
/// document; nothing if the name is not of this form.
[[nodiscard]] std::optional<std::string> swapped_variable(std::string_view name);

/// Does it look as if it were meant for us: PG_..._POOL_..., PG_..._TIMEOUT..., POSTGRES_...DSN...?
[[nodiscard]] bool resembles_variable(std::string_view name);

}  // namespace switchyard::inline v0::config
