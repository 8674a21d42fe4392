#include <switchyard/http/listen.hpp>

#include <switchyard/http/port_owner.hpp>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

namespace switchyard::inline v0::http {

namespace {

/// next_free looks at this many ports.
constexpr unsigned kPortsTried = 100;

Error malformed(std::string_view address) {
  return Error(ErrorKind::Config, "'" + std::string(address) + "' is no address to listen on")
      .with_hint("write it as 127.0.0.1:8420, [::1]:8420 or :8420");
}

Result<runtime::SocketAddress> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const std::string_view digits = colon == std::string_view::npos ? text : text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return malformed(text);
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  auto address = runtime::SocketAddress::ip(host, port);
  if (!address.ok()) return malformed(text);
  return address;
}

bool is_taken(const Error& error) { return error.message().ends_with(std::strerror(EADDRINUSE)); }

Error taken(const runtime::SocketAddress& address) {
  std::string message = "the port " + address.text() + " is taken";
  if (const auto owner = find_port_owner(address.port())) {
    message += owner->pid == 0 ? " by a process of another user"
                               : " by pid " + std::to_string(owner->pid) + " (" + owner->command + ")";
  }
  return Error(ErrorKind::Unavailable, std::move(message));
}

}  // namespace

Result<std::unique_ptr<runtime::Listener>> listen(std::string_view text, PortChoice choice) {
  auto address = parse_address(text);
  if (!address.ok()) return address.error();
  auto listener = runtime::Listener::open(*address);
  if (listener.ok() || !is_taken(listener.error())) return listener;
  if (choice == PortChoice::exact) {
    return taken(*address).with_hint("stop it, choose another address, or let --http auto find a free port");
  }
  const std::string host = address->host();
  for (unsigned step = 1; step < kPortsTried && address->port() + step <= 65535; ++step) {
    auto next = runtime::SocketAddress::ip(host, static_cast<std::uint16_t>(address->port() + step));
    if (!next.ok()) return next.error();
    listener = runtime::Listener::open(*next);
    if (listener.ok() || !is_taken(listener.error())) return listener;
  }
  return taken(*address).with_hint("the next " + std::to_string(kPortsTried) + " ports are taken as well");
}

}  // namespace switchyard::inline v0::http
