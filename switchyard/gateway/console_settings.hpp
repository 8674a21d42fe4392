// Who may use the console, and what only the program around the gateway can do for it.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace switchyard::inline v0::gateway {

struct ConsoleSettings {
  /// Further names of the console as a dbname, beside "switchyard".
  std::vector<std::string> aliases;
  std::vector<std::string> admin_users;  ///< may do everything
  std::vector<std::string> stats_users;  ///< may look
  /// Whoever has logged in from this machine may do everything.
  bool trusts_loopback = false;
  /// The averages of SHOW STATS are of this long.
  Duration stats_period = std::chrono::seconds(60);
  /// Ends the program; called for SHUTDOWN, and when what SHUTDOWN waits for has come. Empty: SHUTDOWN is an error.
  std::function<void()> shutdown;
  /// Reads the configuration again with another value of a key that set_console_config() does not know, and uses
  /// it. Errors say what there is, or what is read at the start only. Empty: there is no such key.
  std::function<Result<void>(const std::string& key, const std::string& value)> set;
  /// Reads the configuration again. Empty: RELOAD is an error.
  std::function<Result<void>()> reload;
};

}  // namespace switchyard::inline v0::gateway
