// Audit: everything on a server that the plan does not have, and what is dangerous in itself.
//
// The rules, by name:
//   missing, beyond-plan        what `provision plan` shows: not there, or more than the fleet file says
//   database-grant-alone        a role has everything ON DATABASE and nothing in schema public: since PostgreSQL 15
//   that
//                               makes no table there
//   later-tables                a role reads tables of a schema, and not those that are made later
//   cannot-log-in               a role has privileges, can't log in, and nobody is a member of it
//   public-connect              PUBLIC connects: REVOKE ... FROM a role does not end that
//   object-in-public            something lies in schema public of a database whose services have schemas
//   cross-schema-key, -view, security-definer, foreign-trigger, column-grant, large-object, language, foreign-data,
//   extension, event-trigger, predefined-role, parameter, tablespace, foreign-schema
//   powerful-role, password, listen-address, hba, plain-text
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/provision/desired_server.hpp>
#include <switchyard/provision/plan.hpp>
#include <switchyard/provision/server_image.hpp>

#include <compare>
#include <string>
#include <vector>

namespace switchyard::inline v0::provision {

struct AuditFinding {
  std::string server, database;  ///< place; physical database, or empty
  std::string rule, object, text, fix;
  friend auto operator<=>(const AuditFinding&, const AuditFinding&) = default;
};

/// Sorted, each once. `plan` is make_plan() of the two.
[[nodiscard]] SWITCHYARD_API std::vector<AuditFinding> audit(const DesiredServer& desired, const ServerImage& image,
                                                             const Plan& plan);

}  // namespace switchyard::inline v0::provision
