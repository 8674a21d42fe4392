#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/startup.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/session/startup_driver.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace switchyard::inline v0::session {
namespace {

/// Reconnects of one attempt: sslmode allow and prefer change the encryption once, protocol negotiation the version
/// once.
constexpr int kMaxReconnects = 3;

protocol::SslMode protocol_value(SslMode mode) noexcept {
  switch (mode) {
    case SslMode::disable: return protocol::SslMode::disable;
    case SslMode::allow: return protocol::SslMode::allow;
    case SslMode::prefer: return protocol::SslMode::prefer;
    case SslMode::require: return protocol::SslMode::require;
    case SslMode::verify_ca: return protocol::SslMode::verify_ca;
    case SslMode::verify_full: return protocol::SslMode::verify_full;
  }
  return protocol::SslMode::verify_full;
}

protocol::ChannelBinding protocol_value(ChannelBinding value) noexcept {
  switch (value) {
    case ChannelBinding::disable: return protocol::ChannelBinding::disable;
    case ChannelBinding::prefer: return protocol::ChannelBinding::prefer;
    case ChannelBinding::require: return protocol::ChannelBinding::require;
  }
  return protocol::ChannelBinding::require;
}

protocol::ProtocolVersion protocol_value(ProtocolVersion version) noexcept {
  return version == ProtocolVersion::v3_2 ? protocol::kProtocol32 : protocol::kProtocol30;
}

void add_parameter(std::vector<std::pair<std::string, std::string>>& parameters, std::string_view name,
                   std::string_view value) {
  const bool known = std::ranges::any_of(parameters, [&](const auto& p) { return p.first == name; });
  if (!known && !value.empty()) parameters.emplace_back(name, value);
}

/// 32 bytes in base64, as the configuration has checked.
protocol::crypto::Digest digest_of(const Secret& text) {
  protocol::crypto::Digest out{};
  const auto bytes = protocol::crypto::base64_decode(text.reveal());
  if (bytes && bytes->size() == out.size()) std::memcpy(out.data(), bytes->data(), out.size());
  return out;
}

Result<protocol::StartupOptions> startup_options(const ConnectPlan& plan, const HostSpec& host) {
  const ConnectionOptions& options = plan.options;
  protocol::StartupOptions out;
  out.user = options.user;
  out.database = options.dbname;
  if (!host.password.empty()) {
    out.password = host.password;
  } else if (!options.password.empty()) {
    out.password = options.password;
  }
  if (!options.scram_client_key.empty() && !options.scram_server_key.empty()) {
    out.scram_keys = {.client = digest_of(options.scram_client_key), .server = digest_of(options.scram_server_key)};
  }
  out.ssl_mode = protocol_value(options.sslmode);
  out.ssl_negotiation = options.sslnegotiation == SslNegotiation::direct ? protocol::SslNegotiation::direct
                                                                         : protocol::SslNegotiation::postgres;
  out.gss_enc_mode =
      options.gssencmode == GssEncMode::require ? protocol::GssEncMode::require : protocol::GssEncMode::disable;
  out.unix_socket = host.is_unix_socket();
  out.channel_binding = protocol_value(options.channel_binding);
  if (!options.require_auth.text.empty()) {
    auto required = protocol::RequiredAuth::parse(options.require_auth.text);
    if (!required.ok()) return required.error();
    out.require_auth = std::move(*required);
  }
  out.min_protocol_version = protocol_value(options.min_protocol_version);
  out.max_protocol_version = protocol_value(options.max_protocol_version);

  add_parameter(out.parameters, "application_name",
                options.application_name.empty() ? options.fallback_application_name : options.application_name);
  const bool own_encoding = options.client_encoding.empty() || options.client_encoding == "auto";
  add_parameter(out.parameters, "client_encoding", own_encoding ? "UTF8" : options.client_encoding);
  add_parameter(out.parameters, "options", options.options);
  add_parameter(out.parameters, "replication", options.replication);
  for (const auto& [name, value] : options.settings) add_parameter(out.parameters, name, value);
  for (const auto& [name, value] : plan.parameters) add_parameter(out.parameters, name, value);
  return out;
}

bool has_roots(const ConnectionOptions& options) noexcept {
  return options.sslrootcert == "system" ||
         (!options.sslrootcert.empty() && ::access(options.sslrootcert.c_str(), F_OK) == 0);
}

/// libpq's requirepeer: who runs the server behind a Unix socket.
Result<void> check_peer(const std::string& required, int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return Error(ErrorKind::Unavailable, "requirepeer: the credentials of the server process can't be read",
                 ErrorStage::connecting);
  }
  std::string buffer(16 << 10, '\0');
  passwd entry{};
  passwd* found = nullptr;
  ::getpwuid_r(peer.uid, &entry, buffer.data(), buffer.size(), &found);
  const std::string actual = found != nullptr ? found->pw_name : std::to_string(peer.uid);
  if (actual == required) return {};
  return Error(ErrorKind::Unavailable,
               "requirepeer specifies \"" + required + "\", but the server process runs as \"" + actual + "\"",
               ErrorStage::connecting);
}

/// Feeds what arrives to the machine (bytes are consumed where they are shown) and tells the coroutine that drives
/// it.
class Arrivals final : public runtime::Stream::Handler, private protocol::SessionEvents {
 public:
  explicit Arrivals(protocol::StartupMachine& machine) noexcept : machine_(machine) {}

  /// The machine's next action; nothing when the connection is closed or the deadline has passed.
  Task<std::optional<protocol::StartupAction>> next(TimePoint deadline) {
    timer_.arm(deadline);
    while (!action_ && !closed && !expired_) {
      event_.reset();
      co_await event_.wait();
    }
    timer_.disarm();
    co_return std::exchange(action_, std::nullopt);
  }
  std::optional<Error> closed;
  Parameter parameters;
  /// Bytes came while an action was to be carried out; they have to be shown again.
  bool left_bytes = false;

 private:
  void on_data(base::ReadBuffer& in) noexcept override {
    // An action that was not carried out yet comes first; the bytes are shown again afterwards.
    if (action_ && *action_ != protocol::StartupAction::wait) {
      left_bytes = true;
      return;
    }
    action_ = machine_.on_bytes(in, *this);
    event_.set();
  }
  void on_closed(const Error& error) noexcept override {
    closed = error;
    event_.set();
  }
  void on_parameter_status(std::string_view name, std::string_view value) noexcept override {
    parameters.insert_or_assign(std::string(name), std::string(value));
  }
  static void on_timer(void* self) noexcept {
    auto& arrivals = *static_cast<Arrivals*>(self);
    arrivals.expired_ = true;
    arrivals.event_.set();
  }

  protocol::StartupMachine& machine_;
  std::optional<protocol::StartupAction> action_;
  bool expired_ = false;
  runtime::AsyncEvent event_;
  runtime::Timer timer_{&Arrivals::on_timer, this};
};

Error at_host(const Error& error, const HostSpec& host) {
  if (error.message().starts_with("connection to server")) return error;
  const std::string where = host.is_unix_socket()
                                ? "connection to server on socket \"" + host.socket_path() + "\" failed"
                                : "connection to server at \"" + (host.host.empty() ? host.hostaddr : host.host) +
                                      "\", port " + std::to_string(host.port) + " failed";
  return error.with_context(where).with_stage(ErrorStage::connecting);
}

}  // namespace

Result<std::shared_ptr<const runtime::TlsContext>> tls_context(const ConnectionOptions& options,
                                                               const HostSpec& host) {
  if (options.sslmode == SslMode::disable || host.is_unix_socket()) {
    return std::shared_ptr<const runtime::TlsContext>();
  }
  using Verify = runtime::TlsSettings::Verify;
  using ClientCertificate = runtime::TlsSettings::ClientCertificate;
  runtime::TlsSettings settings;
  switch (options.sslmode) {
    case SslMode::verify_full: settings.verify = Verify::full; break;
    case SslMode::verify_ca: settings.verify = Verify::chain; break;
    // With a root certificate at hand "require" verifies the server's; a file that is missing is none (manual
    // chapter 34.19.1).
    case SslMode::require: settings.verify = has_roots(options) ? Verify::chain : Verify::none; break;
    default: settings.verify = Verify::none; break;
  }
  settings.root_certificate = settings.verify == Verify::none ? std::string() : options.sslrootcert;
  settings.crl_file = options.sslcrl;
  settings.crl_directory = options.sslcrldir;
  if (options.sslcertmode != SslCertMode::disable) {
    settings.certificate = options.sslcert;
    settings.key = options.sslkey;
    settings.key_password = options.sslpassword;
  }
  settings.client_certificate = options.sslcertmode == SslCertMode::disable   ? ClientCertificate::disable
                                : options.sslcertmode == SslCertMode::require ? ClientCertificate::require
                                                                              : ClientCertificate::allow;
  settings.min_version = to_string(options.ssl_min_protocol_version);
  settings.max_version = to_string(options.ssl_max_protocol_version);
  return runtime::TlsContext::client(settings);
}

runtime::TlsOptions tls_options(const ConnectionOptions& options, const HostSpec& host) {
  runtime::TlsOptions out;
  out.server_name = host.host.empty() ? host.hostaddr : host.host;
  out.send_sni = options.sslsni;
  out.alpn = options.sslnegotiation == SslNegotiation::direct ? runtime::TlsOptions::Alpn::require
                                                              : runtime::TlsOptions::Alpn::offer;
  return out;
}

runtime::ConnectOptions transport_options(const ConnectionOptions& options, const HostSpec& host) {
  runtime::ConnectOptions out;
  out.host = host.host;
  out.keepalives = options.keepalives;
  out.keepalives_idle = std::chrono::seconds(options.keepalives_idle.value_or(0));
  out.keepalives_interval = std::chrono::seconds(options.keepalives_interval.value_or(0));
  out.keepalives_count = options.keepalives_count.value_or(0);
  out.tcp_user_timeout = options.tcp_user_timeout;
  return out;
}

Task<Result<Established>> establish(std::shared_ptr<const ConnectPlan> plan, const HostSpec& host,
                                    runtime::SocketAddress address, TimePoint deadline) {
  auto options = startup_options(*plan, host);
  if (!options.ok()) co_return options.error();
  auto tls = tls_context(plan->options, host);
  if (!tls.ok()) co_return tls.error();

  base::WriteBuffer out;
  protocol::StartupMachine machine(std::move(*options), out);
  for (int attempt = 0; attempt <= kMaxReconnects; ++attempt) {
    auto connected = co_await runtime::Stream::connect(address, transport_options(plan->options, host), deadline);
    if (!connected.ok()) co_return connected.error();
    std::unique_ptr<runtime::Stream> stream = std::move(*connected);
    if (!plan->options.requirepeer.empty() && host.is_unix_socket()) {
      if (auto peer = check_peer(plan->options.requirepeer, stream->native_handle()); !peer.ok()) {
        co_return peer.error();
      }
    }
    Arrivals arrivals(machine);
    bool reading = false;
    protocol::StartupAction action = machine.start();
    for (;;) {
      stream->out().put(out.view());
      out.clear();
      if (!stream->out().empty()) stream->flush_now();
      if (action == protocol::StartupAction::wait) {
        if (!reading) {
          stream->start(&arrivals);
          reading = true;
        } else if (std::exchange(arrivals.left_bytes, false)) {
          stream->set_handler(&arrivals);  // shows them again
        }
        if (const auto next = co_await arrivals.next(deadline)) {
          action = *next;
        } else if (arrivals.closed) {
          action = machine.on_closed(*arrivals.closed);
        } else {
          action = machine.on_closed(Error(ErrorKind::Unavailable, "timeout expired", ErrorStage::connecting));
        }
      } else if (action == protocol::StartupAction::start_tls) {
        auto secured = co_await stream->start_tls(*tls, tls_options(plan->options, host), deadline);
        if (secured.ok()) {
          action = machine.on_tls_started(
              {.certificate_hash = stream->tls()->peer_certificate_hash, .alpn = stream->tls()->alpn});
        } else {
          action = machine.on_tls_failed(secured.error());
        }
      } else if (action == protocol::StartupAction::need_password) {
        action = machine.on_password(Secret());
      } else {
        break;
      }
    }
    if (action == protocol::StartupAction::fail) co_return at_host(*machine.error(), host);
    if (action == protocol::StartupAction::reconnect) {
      stream->close();
      out.clear();
      continue;
    }
    Established established;
    stream->set_handler(nullptr);
    established.stream = std::move(stream);
    established.key = machine.backend_key();
    established.parameters = std::move(arrivals.parameters);
    established.endpoint = host.display();
    established.address = address;
    established.host = host;
    co_return established;
  }
  co_return Error(ErrorKind::Protocol, "the server asked to reconnect again and again", ErrorStage::connecting);
}

}  // namespace switchyard::inline v0::session
