// Provisioning: what the fleet file says is made true on the servers.
//
// The catalogues are the only state: each run looks, plans, and does what is left to do. What concerns one physical
// database is one transaction there, roles are one before, CREATE DATABASE stands alone; a password is in its file
// before the server hears of it. So a run that was killed anywhere is finished by the next one.
//
//   FleetConfig config = load_config(process_sources()).value_or_throw();
//   auto reports = co_await provision::apply(config, {});
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/provision/plan.hpp>
#include <switchyard/runtime/task.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::provision {

struct ProvisionOptions {
  bool confirm = false;  ///< also what drops, or takes away from somebody
  /// Logical names; empty: all. What is shared (roles, the physical database) is looked at for these alone.
  std::vector<std::string> databases;
  bool write_hba = false;  ///< put Plan::hba_lines into the server's pg_hba.conf, and reload it
  /// False where nobody asks for passwords: the private servers of `switchyard up`.
  bool passwords = true;
  std::function<void(const std::string& text)> told;  ///< progress; may be empty
};

struct ServerReport {
  std::string place;
  std::vector<std::string> databases;  ///< logical
  Plan plan;                           ///< what was to be done when it was looked at first
  std::vector<Step> done;
  std::vector<Step> held_back;              ///< for want of confirmation
  std::vector<std::string> password_files;  ///< written by this run
  bool hba_written = false;
  ServerImage image;  ///< as it was looked at last
  std::optional<Error> error;
};

/// Looks and changes nothing. A server that can't be looked at has an error in its report. Throws Config errors.
[[nodiscard]] SWITCHYARD_API Task<std::vector<ServerReport>> plan(FleetConfig fleet, ProvisionOptions options);
/// Does what the plan says, one server after the other. Call on a shard.
[[nodiscard]] SWITCHYARD_API Task<std::vector<ServerReport>> apply(FleetConfig fleet, ProvisionOptions options);

/// The servers as options.databases leaves them.
[[nodiscard]] SWITCHYARD_API Result<std::vector<DesiredServer>> chosen_servers(const FleetConfig& fleet,
                                                                               const ProvisionOptions& options);

}  // namespace switchyard::inline v0::provision
