// Who listens on a TCP port of this machine.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/runtime/address.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace switchyard::inline v0::http {

struct PortOwner {
  pid_t pid = 0;        ///< 0: the process belongs to somebody whose files we may not look at
  std::string command;  ///< its command line, cut to a line's length
};

/// Looks in /proc. Nothing when nobody listens there.
[[nodiscard]] SWITCHYARD_API std::optional<PortOwner> find_port_owner(std::uint16_t port);

/// "the port 127.0.0.1:8420 is taken by pid 17 (postgres ...)", as far as can be known.
[[nodiscard]] SWITCHYARD_API std::string taken_message(const runtime::SocketAddress& address);

}  // namespace switchyard::inline v0::http
