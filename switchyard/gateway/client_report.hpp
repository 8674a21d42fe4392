// A client of the gateway at one moment, as the console shows it.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/runtime/address.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

enum class ClientActivity : std::uint8_t {
  login,    ///< has not shown who it is
  idle,     ///< asks for nothing
  active,   ///< has a session, or a statement of it is in a lane
  waiting,  ///< for a session
  cancelling,
  console,
};

struct ClientReport {
  std::uint32_t id = 0;
  ClientActivity activity = ClientActivity::login;
  std::string user;      ///< empty before login
  std::string database;  ///< the fleet's name; empty before login
  std::string route;     ///< where its statements go: "primary", "read view", "replica api"; empty before login
  std::string pin;       ///< why it keeps its session; empty: it does not
  std::string application_name;
  runtime::SocketAddress address;
  int socket = -1;
  std::string tls;  ///< protocol and cipher; empty without
  TimePoint connected{};
  TimePoint asked{};              ///< when it last sent something
  TimePoint waits_since{};        ///< with ClientActivity::waiting
  const void* session = nullptr;  ///< the one it has, as in SessionStatus; null = none
  std::int32_t server_pid = 0;    ///< the server that works for it, in a lane or as its own; 0 = none
  bool in_lane = false;
  std::size_t prepared_statements = 0;
  std::size_t unsent = 0;    ///< bytes that it has not taken
  std::size_t received = 0;  ///< bytes that have not been looked at
};

}  // namespace switchyard::inline v0::gateway
