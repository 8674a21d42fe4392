// What the fleet file says should be on a server: a value, made from the configuration alone.
//
// With the documents' roles (fleet.roles = "documents") the role that a database logs in as owns its schema, or,
// where the physical database is nobody else's, its schema public. With roles = "family" there are four for each
// database X:
//
//   X_owner     owns the schema and everything in it; nobody logs in as it
//   X_migrator  logs in and acts as X_owner (ALTER ROLE ... SET role)
//   X_app       reads and writes rows; makes and changes nothing. The database's own role, if the fleet file names
//   one X_ro        reads
//
// Whoever is not named has nothing: PUBLIC neither connects nor looks.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::provision {

struct DesiredRole {
  std::string name;
  std::string purpose;  ///< "owns commerce_schema of chiro_erp": kept as the role's comment
  bool login = true;
  std::int32_t connection_limit = -1;  ///< -1: none
  std::vector<std::string> member_of;
  /// Of the fleet file, if it says one; else it is kept in provision.secrets.
  Secret password;
  std::string password_file;   ///< where it is kept, and rotated; empty: it can't be
  std::string password_place;  ///< why it can't be, for people: "environment COMMERCE_DB_PASSWORD"
  bool tls_only = false;
  std::vector<std::string> databases;  ///< logical names
};

struct DesiredSchema {
  std::string database;  ///< logical name
  std::string name;
  std::string owner;
  std::vector<std::string> writers;  ///< rows, not tables
  std::vector<std::string> readers;
};

/// A physical database.
struct DesiredDatabase {
  std::string name;
  bool shared = false;                                  ///< schemas keep several logical databases apart
  std::vector<std::string> connect, temporary, create;  ///< roles
  bool large_objects = false;
  std::vector<DesiredSchema> schemas;
  /// ALTER ROLE role IN DATABASE name SET: by role and name.
  std::map<std::pair<std::string, std::string>, std::string> settings;
};

struct SWITCHYARD_API DesiredServer {
  std::string application;
  std::string place;        ///< "localhost:5432"
  ConnectionOptions admin;  ///< who provisions; dbname is the one to begin with
  std::vector<DesiredRole> roles;
  std::vector<DesiredDatabase> databases;
  std::vector<std::string> problems;  ///< what can't be done as it is configured, and what to do

  [[nodiscard]] const DesiredRole* role(std::string_view name) const noexcept;
  [[nodiscard]] const DesiredDatabase* database(std::string_view name) const noexcept;
  /// Logical names, in order.
  [[nodiscard]] std::vector<std::string> logical() const;
};

/// All servers of the fleet, in the order of its databases. A database that another stands in for is where that one
/// is. Config errors: an admin_dsn that can't be read.
[[nodiscard]] SWITCHYARD_API Result<std::vector<DesiredServer>> desired_servers(const FleetConfig& fleet);

/// Who provisions the place of a database: its admin_dsn or its server's, else provision.admin_user there.
[[nodiscard]] SWITCHYARD_API Result<ConnectionOptions> administrator_of(const FleetConfig& fleet,
                                                                        const DatabaseConfig& database);

/// Names of settings that provisioning looks after; others that somebody has set are left alone.
[[nodiscard]] SWITCHYARD_API bool is_managed_setting(std::string_view name) noexcept;

}  // namespace switchyard::inline v0::provision
