// Rotation: roles get new passwords while their clients work.
//
// For each role, whose password is in a file:
//   1. the new password is written to FILE.next                clients that are refused try it from now on
//   2. every server of the role is told its SCRAM verifier     open sessions stay; new ones need the new password
//   3. FILE becomes FILE.previous, FILE.next becomes FILE      replicas that lag still take the previous one
//
// At every moment one of the three files holds what the server takes, so clients that follow the rule of
// session/password_file.hpp (the library, and the gateway towards the servers) are refused by nobody. A run that
// was killed leaves FILE.next behind: the next run tells the servers the same again, and finishes.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/provision/provisioner.hpp>
#include <switchyard/runtime/task.hpp>

#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::provision {

struct RotationOptions {
  std::vector<std::string> roles;      ///< empty: all whose password is in a file
  std::vector<std::string> databases;  ///< logical names whose roles are meant; empty: all
  /// Also roles whose present password nobody here knows: those who use it are refused from then on.
  bool confirm = false;
  bool only_finish = false;  ///< what earlier runs have begun, and nothing else
  std::function<void(const std::string& text)> told;
};

struct RotationReport {
  std::string role, file;
  std::vector<std::string> servers;  ///< that have the new password
  bool finished_earlier = false;     ///< an earlier run had begun it
  std::optional<Error> error;
};

/// One report a role. Throws Config errors: unknown roles or databases, with "did you mean". Call on a shard.
[[nodiscard]] SWITCHYARD_API Task<std::vector<RotationReport>> rotate(FleetConfig fleet, RotationOptions options);

}  // namespace switchyard::inline v0::provision
