#include <switchyard/gateway/peer_account.hpp>

#include <array>

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace switchyard::inline v0::gateway {

PeerAccount peer_account(const runtime::Stream& stream) {
  PeerAccount out;
  ucred peer{};
  socklen_t size = sizeof(peer);
  int domain = 0;
  socklen_t domain_size = sizeof(domain);
  const int fd = stream.native_handle();
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) != 0 || domain != AF_UNIX) return out;
  out.local = true;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return out;
  out.own = peer.uid == ::geteuid();
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> text{};
  if (::getpwuid_r(peer.uid, &entry, text.data(), text.size(), &found) == 0 && found != nullptr) {
    out.name = found->pw_name;
  }
  return out;
}

runtime::SocketAddress own_address(const runtime::Stream& stream) noexcept {
  sockaddr_storage native{};
  socklen_t size = sizeof(native);
  if (::getsockname(stream.native_handle(), reinterpret_cast<sockaddr*>(&native), &size) != 0) return {};
  return {reinterpret_cast<const sockaddr*>(&native), size};
}

}  // namespace switchyard::inline v0::gateway
