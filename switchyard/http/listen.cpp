#include <switchyard/http/listen.hpp>

#include <switchyard/http/port_owner.hpp>
#include <switchyard/runtime/listen_address.hpp>

#include <cerrno>
#include <cstring>
#include <string>

namespace switchyard::inline v0::http {

namespace {

/// next_free looks at this many ports.
constexpr unsigned kPortsTried = 100;

bool is_taken(const Error& error) { return error.message().ends_with(std::strerror(EADDRINUSE)); }

Error taken(const runtime::SocketAddress& address) { return Error(ErrorKind::Unavailable, taken_message(address)); }

}  // namespace

Result<std::unique_ptr<runtime::Listener>> listen(std::string_view text, PortChoice choice) {
  const auto addresses = runtime::parse_listen_address(text, "127.0.0.1:8420, [::1]:8420 or :8420");
  if (!addresses.ok()) return addresses.error();
  const runtime::SocketAddress* const address = &addresses->front();
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
