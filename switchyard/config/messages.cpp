#include <switchyard/config/messages.hpp>

namespace switchyard::inline v0 {

std::string missing_dsn_message(std::string_view database, std::string_view variable) {
  return "DSN not configured for database '" + std::string(database) + "'. Set " + std::string(variable) +
         " in environment.";
}

std::string pool_initialized_message(std::string_view database) {
  std::string name(database);
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return "[STARTUP] " + name + " database pool initialized";
}

}  // namespace switchyard::inline v0
