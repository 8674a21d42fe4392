// Where a socket is: an IP address and port, or a Unix-domain path.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace switchyard::inline v0::runtime {

class SWITCHYARD_API SocketAddress {
 public:
  /// No address.
  SocketAddress() noexcept = default;
  /// A copy of what the system gave, at most sizeof(sockaddr_storage) bytes.
  SocketAddress(const sockaddr* address, std::size_t length) noexcept;

  /// "192.0.2.1", "::1" or "fe80::1%eth0". An error of kind Config for anything else, names included.
  [[nodiscard]] static Result<SocketAddress> ip(std::string_view literal, std::uint16_t port);
  /// A path, or an abstract name that begins with '@'. An error of kind Config if it is longer than the system's
  /// 107 bytes.
  [[nodiscard]] static Result<SocketAddress> unix_domain(std::string_view path);

  [[nodiscard]] bool empty() const noexcept { return length_ == 0; }
  [[nodiscard]] bool is_unix() const noexcept { return length_ != 0 && storage_.ss_family == AF_UNIX; }
  [[nodiscard]] int family() const noexcept { return length_ == 0 ? AF_UNSPEC : storage_.ss_family; }
  /// The IP address as text, or the path ('@name' if abstract).
  [[nodiscard]] std::string host() const;
  /// 0 for Unix-domain addresses.
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// "127.0.0.1:5432", "[::1]:5432" or "/tmp/.s.PGSQL.5432".
  [[nodiscard]] std::string text() const;

  [[nodiscard]] const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const noexcept { return length_; }
  friend bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept {
    return a.length_ == b.length_ && std::memcmp(&a.storage_, &b.storage_, a.length_) == 0;
  }

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

/// True for an IPv4 or IPv6 address written as text, which needs no name lookup.
[[nodiscard]] SWITCHYARD_API bool is_ip_literal(std::string_view host) noexcept;

}  // namespace switchyard::inline v0::runtime
