// A client on its way from one process to the next: what it is in the eyes of PostgreSQL, between two transactions,
// without a session. Its socket travels beside it.
#pragma once

#include <switchyard/base/secret.hpp>
#include <switchyard/gateway/startup_settings.hpp>
#include <switchyard/protocol/scram_keys.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::gateway {

/// What ClientMachine has to know when it goes on elsewhere.
struct ClientMemory {
  struct Statement {
    std::string name;   ///< the client's; empty for the unnamed one
    std::string body;   ///< of Parse, behind the name
    Settings settings;  ///< under which it was read
    friend bool operator==(const Statement&, const Statement&) = default;
  };
  Settings startup;
  Settings settings;
  Settings parameters;
  Settings login_parameters;
  std::vector<Statement> statements;
  std::optional<Statement> unnamed;
  bool unnamed_interned = false;
  friend bool operator==(const ClientMemory&, const ClientMemory&) = default;
};

struct TravellingClient {
  std::uint32_t id = 0;  ///< the process id that it was told
  std::string secret;    ///< of its key for cancel requests
  std::string user;
  std::string database;  ///< a name for Fleet::database()
  std::string application_name;
  bool shares = false;     ///< lanes are for it
  bool looked_up = false;  ///< on the server, which is asked again from time to time
  /// What sessions of its own role log in with; unless that is the fleet's.
  struct Role {
    Secret password;
    std::optional<protocol::ScramKeys> keys;
    friend bool operator==(const Role& a, const Role& b) noexcept {
      return a.password.reveal() == b.password.reveal() && a.keys == b.keys;
    }
  };
  std::optional<Role> role;
  ClientMemory memory;
  std::string received;  ///< from it, and not looked at
  std::string unsent;    ///< to it
  friend bool operator==(const TravellingClient&, const TravellingClient&) = default;
};

}  // namespace switchyard::inline v0::gateway
