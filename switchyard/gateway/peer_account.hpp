// Who is at the other end of a client's socket. Internal to the room.
#pragma once

#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/stream.hpp>

#include <string>

namespace switchyard::inline v0::gateway {

struct PeerAccount {
  bool local = false;  ///< a Unix-domain socket
  bool own = false;    ///< the account that this process runs under
  std::string name;    ///< of the account; empty if it has none or is not known
};

[[nodiscard]] PeerAccount peer_account(const runtime::Stream& stream);
/// This side's address; empty if the socket is closed.
[[nodiscard]] runtime::SocketAddress own_address(const runtime::Stream& stream) noexcept;

}  // namespace switchyard::inline v0::gateway
