// Sentences about databases that users meet and that are fixed to the letter.
#pragma once

#include <switchyard/base/export.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// "DSN not configured for database 'reference'. Set POSTGRES_REFERENCE_DSN in environment."
[[nodiscard]] SWITCHYARD_API std::string missing_dsn_message(std::string_view database, std::string_view variable);

/// "[STARTUP] Reference database pool initialized"
[[nodiscard]] SWITCHYARD_API std::string pool_initialized_message(std::string_view database);

}  // namespace switchyard::inline v0
