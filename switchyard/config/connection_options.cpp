#include <switchyard/config/connection_options.hpp>

#include <algorithm>

namespace switchyard::inline v0 {

std::string_view to_string(SslMode value) noexcept {
  switch (value) {
    case SslMode::disable: return "disable";
    case SslMode::allow: return "allow";
    case SslMode::prefer: return "prefer";
    case SslMode::require: return "require";
    case SslMode::verify_ca: return "verify-ca";
    case SslMode::verify_full: return "verify-full";
  }
  return "";
}

std::string_view to_string(SslNegotiation value) noexcept {
  return value == SslNegotiation::direct ? "direct" : "postgres";
}

std::string_view to_string(SslCertMode value) noexcept {
  switch (value) {
    case SslCertMode::disable: return "disable";
    case SslCertMode::allow: return "allow";
    case SslCertMode::require: return "require";
  }
  return "";
}

std::string_view to_string(TlsVersion value) noexcept {
  switch (value) {
    case TlsVersion::unset: return "";
    case TlsVersion::tls1_0: return "TLSv1";
    case TlsVersion::tls1_1: return "TLSv1.1";
    case TlsVersion::tls1_2: return "TLSv1.2";
    case TlsVersion::tls1_3: return "TLSv1.3";
  }
  return "";
}

std::string_view to_string(GssEncMode value) noexcept {
  switch (value) {
    case GssEncMode::disable: return "disable";
    case GssEncMode::prefer: return "prefer";
    case GssEncMode::require: return "require";
  }
  return "";
}

std::string_view to_string(ChannelBinding value) noexcept {
  switch (value) {
    case ChannelBinding::disable: return "disable";
    case ChannelBinding::prefer: return "prefer";
    case ChannelBinding::require: return "require";
  }
  return "";
}

std::string_view to_string(TargetSessionAttrs value) noexcept {
  switch (value) {
    case TargetSessionAttrs::any: return "any";
    case TargetSessionAttrs::read_write: return "read-write";
    case TargetSessionAttrs::read_only: return "read-only";
    case TargetSessionAttrs::primary: return "primary";
    case TargetSessionAttrs::standby: return "standby";
    case TargetSessionAttrs::prefer_standby: return "prefer-standby";
  }
  return "";
}

std::string_view to_string(LoadBalanceHosts value) noexcept {
  return value == LoadBalanceHosts::random ? "random" : "disable";
}

std::string_view to_string(ProtocolVersion value) noexcept {
  return value == ProtocolVersion::v3_2 ? "3.2" : "3.0";
}

bool HostSpec::is_unix_socket() const noexcept {
  return hostaddr.empty() && !host.empty() && (host.front() == '/' || host.front() == '@');
}

std::string HostSpec::socket_path() const {
  return is_unix_socket() ? host + "/.s.PGSQL." + std::to_string(port) : std::string();
}

std::string HostSpec::display() const {
  const std::string& name = host.empty() ? hostaddr : host;
  const bool bracket = name.find(':') != std::string::npos && !is_unix_socket();
  return (bracket ? "[" + name + "]" : name) + ":" + std::to_string(port);
}

bool ConnectionOptions::was_given(std::string_view keyword) const noexcept {
  return std::find(given.begin(), given.end(), keyword) != given.end();
}

namespace {

/// Percent-encodes what would change the meaning of a URI.
std::string encoded(std::string_view text, std::string_view also_plain = {}) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos ||
                       also_plain.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

}  // namespace

std::string ConnectionOptions::display() const {
  std::string out = "postgresql://";
  if (!user.empty()) out += encoded(user);
  const bool has_password = !password.empty() || std::any_of(hosts.begin(), hosts.end(),
                                                             [](const HostSpec& h) { return !h.password.empty(); });
  if (has_password) out += ":" + std::string(Secret("x").masked());
  if (!user.empty() || has_password) out += '@';
  std::string sockets, socket_ports;
  bool first = true, odd_port = false;
  for (const HostSpec& host : hosts) {
    if (host.is_unix_socket()) {
      sockets += (sockets.empty() ? "" : ",") + encoded(host.host, "/@");
      socket_ports += (socket_ports.empty() ? "" : ",") + std::to_string(host.port);
      if (host.port != 5432) odd_port = true;
      continue;
    }
    if (!first) out += ',';
    first = false;
    const std::string& name = host.host.empty() ? host.hostaddr : host.host;
    out += name.find(':') != std::string::npos ? "[" + name + "]" : encoded(name);
    if (host.port != 5432) out += ":" + std::to_string(host.port);
  }
  if (!dbname.empty()) out += "/" + encoded(dbname);
  std::string parameters;
  const auto add = [&](std::string_view key, std::string_view value) {
    parameters += (parameters.empty() ? "?" : "&") + std::string(key) + "=" + std::string(value);
  };
  if (!sockets.empty()) add("host", sockets);
  if (odd_port) add("port", socket_ports);
  if (was_given("sslmode")) add("sslmode", to_string(sslmode));
  if (was_given("target_session_attrs")) add("target_session_attrs", to_string(target_session_attrs));
  for (const auto& [name, value] : settings) {
    if (name == "search_path") add("currentSchema", encoded(value, ",\""));
  }
  return out + parameters;
}

std::string ConnectionOptions::location() const {
  std::string out;
  for (const HostSpec& host : hosts) out += (out.empty() ? "" : ",") + host.display();
  return dbname.empty() ? out : out + "/" + dbname;
}

}  // namespace switchyard::inline v0
