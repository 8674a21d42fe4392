// How commands find the fleet that an `up` of this user runs: a state file for each application, in
// $XDG_RUNTIME_DIR/switchyard or /tmp/switchyard-UID. The running process holds a lock on it, so that a file left
// by a killed one is known as such.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace switchyard::cli {

/// A private endpoint that takes the place of an unconfigured one. Its connection string holds no password.
struct Relocation {
  std::string database;
  std::string replica;  ///< empty: the primary
  std::string dsn;
  std::string place;  ///< shown as the origin: "private server"
};

struct RunningFleet {
  std::string application;
  pid_t pid = 0;
  std::string http;                  ///< "127.0.0.1:8420"; empty: no door
  std::vector<std::string> gateway;  ///< where PostgreSQL clients connect
  std::string config_file;           ///< absolute; empty: none
  std::string env_file;              ///< absolute; empty: ./.env of the folder it was started in
  std::string folder;                ///< where it was started
  bool demonstration = false;
  std::vector<std::pair<std::string, std::string>> settings;  ///< --set
  std::vector<Relocation> relocations;
  std::string log_file;  ///< of a detached one
};

[[nodiscard]] Result<void> apply(const std::vector<Relocation>& relocations, FleetConfig& fleet);

/// The claim of this process to run an application's fleet. Given up, and the file removed, at its end.
class FleetClaim {
 public:
  /// Unavailable when somebody runs it already: names pid and address.
  [[nodiscard]] static Result<FleetClaim> take(const std::string& application);
  FleetClaim(FleetClaim&& other) noexcept;
  FleetClaim& operator=(FleetClaim&&) = delete;
  ~FleetClaim();

  /// Makes the fleet known to other commands.
  [[nodiscard]] Result<void> publish(const RunningFleet& fleet);

 private:
  FleetClaim(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;
};

/// The fleets that run now and are ready, by application.
[[nodiscard]] std::vector<RunningFleet> running_fleets();
/// True while somebody holds the claim, ready or not.
[[nodiscard]] bool is_claimed(const std::string& application);
/// An application's name as the beginning of a file name.
[[nodiscard]] std::string file_stem(const std::string& application);
/// Where state files and logs go; made if absent (0700). Config error if somebody else owns it.
[[nodiscard]] Result<std::string> state_folder();

}  // namespace switchyard::cli
