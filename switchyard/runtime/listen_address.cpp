#include <switchyard/runtime/listen_address.hpp>

#include <charconv>
#include <cstdint>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

namespace switchyard::inline v0::runtime {
namespace {

bool has_ipv6() noexcept {
  const int probe = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  ::close(probe);
  return true;
}

}  // namespace

Result<std::vector<SocketAddress>> parse_listen_address(std::string_view text, std::string_view example) {
  const auto malformed = [&] {
    return Error(ErrorKind::Config, "'" + std::string(text) + "' is no address to listen on")
        .with_hint("write it as " + std::string(example));
  };
  const std::size_t colon = text.rfind(':');
  std::string_view host = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const std::string_view digits = colon == std::string_view::npos ? text : text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return malformed();
  std::vector<SocketAddress> out;
  if (host == "*") {
    out.push_back(*SocketAddress::ip("0.0.0.0", port));
    if (has_ipv6()) out.push_back(*SocketAddress::ip("::", port));
    return out;
  }
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  Result<SocketAddress> address = SocketAddress::ip(host, port);
  if (!address.ok()) return malformed();
  out.push_back(*address);
  return out;
}

}  // namespace switchyard::inline v0::runtime
