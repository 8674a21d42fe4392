#include <switchyard/runtime/address.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace switchyard::inline v0::runtime {

SocketAddress::SocketAddress(const sockaddr* address, std::size_t length) noexcept
    : length_(static_cast<socklen_t>(std::min(length, sizeof(storage_)))) {
  std::memcpy(&storage_, address, length_);
}

namespace {

/// getaddrinfo without any lookup: it understands scopes ("%eth0") as well.
bool parse_ip(std::string_view literal, SocketAddress* out) noexcept {
  constexpr std::size_t kLongest = INET6_ADDRSTRLEN + IF_NAMESIZE;
  std::array<char, kLongest + 1> text{};
  if (literal.empty() || literal.size() > kLongest) return false;
  if (literal.find('\0') != std::string_view::npos) return false;
  std::copy(literal.begin(), literal.end(), text.begin());
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  in_addr v4{};
  if (literal.find(':') == std::string_view::npos && inet_pton(AF_INET, text.data(), &v4) != 1) return false;
  addrinfo* found = nullptr;
  if (getaddrinfo(text.data(), nullptr, &hints, &found) != 0) return false;
  if (out != nullptr) *out = SocketAddress(found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return true;
}

}  // namespace

bool is_ip_literal(std::string_view host) noexcept { return parse_ip(host, nullptr); }

Result<SocketAddress> SocketAddress::ip(std::string_view literal, std::uint16_t port) {
  SocketAddress address;
  if (!parse_ip(literal, &address)) {
    return Error(ErrorKind::Config, "\"" + std::string(literal) + "\" is not an IP address");
  }
  if (address.family() == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&address.storage_)->sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6*>(&address.storage_)->sin6_port = htons(port);
  }
  return address;
}

Result<SocketAddress> SocketAddress::unix_domain(std::string_view path) {
  sockaddr_un native{};
  constexpr std::size_t kLongest = sizeof(native.sun_path) - 1;
  if (path.size() > kLongest) {
    return Error(ErrorKind::Config, "Unix-domain socket path \"" + std::string(path) + "\" is too long (maximum " +
                                        std::to_string(kLongest) + " bytes)");
  }
  if (path.empty() || path.find('\0') != std::string_view::npos) {
    return Error(ErrorKind::Config, "a Unix-domain socket path is empty or holds a zero byte");
  }
  native.sun_family = AF_UNIX;
  std::memcpy(native.sun_path, path.data(), path.size());
  std::size_t length = offsetof(sockaddr_un, sun_path) + path.size();
  if (path.front() == '@') {
    native.sun_path[0] = '\0';  // abstract: the length delimits the name
  } else {
    ++length;
  }
  return SocketAddress(reinterpret_cast<const sockaddr*>(&native), length);
}

std::string SocketAddress::host() const {
  if (is_unix()) {
    const auto* native = reinterpret_cast<const sockaddr_un*>(&storage_);
    const std::size_t length = length_ - offsetof(sockaddr_un, sun_path);
    if (length == 0) return {};  // a socket without a name, such as the client's end
    if (native->sun_path[0] == '\0') return "@" + std::string(native->sun_path + 1, length - 1);
    return {native->sun_path, strnlen(native->sun_path, length)};
  }
  if (empty()) return {};
  std::array<char, NI_MAXHOST> text{};
  if (getnameinfo(data(), length_, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) return {};
  return text.data();
}

std::uint16_t SocketAddress::port() const noexcept {
  switch (family()) {
    case AF_INET: return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
    case AF_INET6: return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
    default: return 0;
  }
}

std::string SocketAddress::text() const {
  switch (family()) {
    case AF_INET: return host() + ":" + std::to_string(port());
    case AF_INET6: return "[" + host() + "]:" + std::to_string(port());
    default: return host();
  }
}

}  // namespace switchyard::inline v0::runtime
