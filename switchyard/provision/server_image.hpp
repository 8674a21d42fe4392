// What is on a server: everything that provisioning and audit look at, as one value. Nothing here is a secret but
// the SCRAM verifiers of roles, which only a superuser can read.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/provision/privilege.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::provision {

struct RoleImage {
  std::string name;
  bool superuser = false, create_role = false, create_database = false, login = false, replication = false,
       bypass_rls = false, inherit = true;
  std::int32_t connection_limit = -1;
  std::string comment;
  /// pg_authid.rolpassword; empty: none. Nothing: it can't be read.
  std::optional<Secret> stored_password;
  std::int64_t owned_objects = 0;  ///< in all databases
  /// What the administrator may do with it. Since PostgreSQL 16 CREATEROLE alone changes only the roles it has
  /// made, and a member need not have its role's rights.
  bool administered = false;
  bool acted_as = false;
};

struct MembershipImage {
  std::string role, member;
  bool admin = false;
};

struct DatabaseImage {
  std::string name, owner;
  bool allows_connections = true;
  std::int64_t connection_limit = -1;
  Privileges privileges;  ///< of others than the owner, here and below
};

/// ALTER ROLE ... [IN DATABASE ...] SET, ALTER DATABASE ... SET. Empty: all roles, or all databases.
struct SettingImage {
  std::string role, database, name, value;
};

struct HbaRule {
  std::int32_t line = 0;
  std::string type;  ///< local, host, hostssl, hostnossl
  std::vector<std::string> databases, users;
  std::string address, netmask, method;
};

/// Somebody who is connected.
struct SessionImage {
  std::string role, database, address;  ///< address: empty for a Unix-domain socket
  bool tls = false;
  std::int64_t count = 0;
};

struct SchemaImage {
  std::string name, owner, comment;
  Privileges privileges;
  std::int64_t objects = 0;
  bool extensions = false;  ///< something here belongs to an extension
};

enum class ObjectKind : std::uint8_t { table, sequence, routine, type };

struct ObjectImage {
  ObjectKind kind = ObjectKind::table;
  std::string schema;
  std::string identity;  ///< as SQL writes it, with its schema: "s"."t", s.f(integer)
  std::string keyword;   ///< for ALTER: TABLE, VIEW, MATERIALIZED VIEW, SEQUENCE, ROUTINE, TYPE ...
  std::string owner;
  bool extension = false;  ///< belongs to an extension
  bool follows = false;    ///< its owner follows another object's: the sequence of a column
  bool security_definer = false;
  Privileges privileges;
};

/// ALTER DEFAULT PRIVILEGES.
struct DefaultPrivilegeImage {
  std::string role, schema;  ///< schema empty: everywhere in the database
  char type = 'r';           ///< as pg_default_acl.defaclobjtype: r S f T n
  Privileges privileges;
};

/// A fact for audit that needs no further thought: the catalogue query says all of it.
struct FactImage {
  std::string rule, object, text, fix;
};

/// What is in one physical database.
struct ContentImage {
  std::string database;
  std::vector<SchemaImage> schemas;
  std::vector<ObjectImage> objects;
  std::vector<DefaultPrivilegeImage> defaults;
  bool anybody_makes_large_objects = true;
  std::vector<FactImage> facts;
};

struct SWITCHYARD_API ServerImage {
  std::int32_t version = 0;  ///< server_version_num
  std::string current_user;
  bool superuser = false;
  std::vector<RoleImage> roles;
  std::vector<MembershipImage> memberships;
  std::vector<DatabaseImage> databases;
  std::vector<SettingImage> settings;
  std::vector<SessionImage> sessions;
  std::optional<std::vector<HbaRule>> hba;        ///< nothing: can't be read
  std::map<std::string, std::string> parameters;  ///< listen_addresses, ssl, password_encryption ...
  std::vector<FactImage> facts;
  std::map<std::string, ContentImage> contents;  ///< by physical database

  [[nodiscard]] const RoleImage* role(std::string_view name) const noexcept;
  [[nodiscard]] const DatabaseImage* database(std::string_view name) const noexcept;
  [[nodiscard]] std::optional<std::string> setting(std::string_view role, std::string_view database,
                                                   std::string_view name) const;
};

/// What CREATE DATABASE makes on this server, before anybody has changed it.
[[nodiscard]] SWITCHYARD_API ContentImage fresh_contents(std::string database, std::int32_t version);

}  // namespace switchyard::inline v0::provision
