#include <switchyard/config/migration_login.hpp>

#include <switchyard/config/text_file.hpp>

#include <string>
#include <utility>

namespace switchyard::inline v0 {

namespace {

void log_in_as(EndpointConfig& endpoint, const std::string& role, const Secret& password, const std::string& file) {
  if (!endpoint.is_configured) return;
  ConnectionOptions& connection = endpoint.connection;
  connection.user = role;
  connection.password = password;
  connection.password_file = file;
  for (HostSpec& host : connection.hosts) host.password = password;
  // Reading only is for the application's sessions.
  std::erase_if(connection.settings, [](const auto& one) { return one.first == "default_transaction_read_only"; });
}

}  // namespace

void log_in_to_migrate(const FleetConfig& fleet, DatabaseConfig& database) {
  if (*fleet.roles != RoleFamily::family) return;
  const std::string role = database.name + "_migrator";
  const std::string file = secret_file(fleet, role);
  auto contents = config::read_text_file(file);
  if (file.empty() || !contents.ok()) return;
  while (contents->ends_with('\n') || contents->ends_with('\r')) contents->pop_back();
  const Secret password(*std::move(contents));
  log_in_as(database.primary, role, password, file);
  log_in_as(database.write, role, password, file);
}

}  // namespace switchyard::inline v0
