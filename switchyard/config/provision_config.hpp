// What `switchyard provision` makes of a database on its server, and where passwords are kept. Part of FleetConfig.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/origin.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// Which statements of a database's roles the server writes to its log (log_statement).
enum class AuditLog : std::uint8_t { off, ddl, mod, all };

[[nodiscard]] SWITCHYARD_API std::string_view to_string(AuditLog value) noexcept;

/// [provision]: of the whole fleet.
struct ProvisionConfig {
  /// Folder with a file for each role that holds its password, beside the fleet file. A role without a password
  /// anywhere else has the one that is kept there.
  Setting<std::string> secrets = std::string("secrets");
  Setting<std::string> admin_user = std::string("postgres");  ///< who provisions; at the databases' own places
  Setting<Secret> admin_password;                             ///< empty = the password file, PGPASSWORD, or none
  Setting<std::string>
      monitor;  ///< role in pg_monitor; empty = none (with roles = "family": <application>_monitor)
  /// How long the gateway takes a password that `provision rotate` has replaced.
  Setting<Duration> password_grace = Duration(std::chrono::minutes(5));
};

/// [database.NAME.provision]
struct DatabaseProvision {
  Setting<std::string> owner;                    ///< of the schema; empty = as fleet.roles says
  Setting<std::string> readonly;                 ///< one more role that logs in and reads everything; empty = none
  Setting<std::uint32_t> connection_limit = 0u;  ///< of the database's role; 0 = from the size of its pools
  Setting<Duration> statement_timeout = Duration::zero();  ///< of its sessions; unset = command_timeout
  Setting<bool> temporary = false;      ///< temporary tables; unset = only where the database is nobody else's
  Setting<bool> large_objects = false;  ///< may make large objects
  Setting<bool> tls_only = false;       ///< unset = when sslmode asks for TLS
  Setting<AuditLog> audit_log = AuditLog::off;  ///< unset = all for a confidential database
};

}  // namespace switchyard::inline v0
