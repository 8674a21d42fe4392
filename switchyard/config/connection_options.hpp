// Everything a session must know to open one connection: the options of libpq up to PostgreSQL 18 as typed values,
// validated and completed (environment, service file, password file, defaults). Plain data.
//
// Options that libpq knows and this library does not act on (GSSAPI, OAuth) are kept as text, so that a connection
// string which psql takes is taken here and a later step can refuse what it can't do by name.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/base/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0 {

enum class SslMode : std::uint8_t { disable, allow, prefer, require, verify_ca, verify_full };
enum class SslNegotiation : std::uint8_t { postgres, direct };
enum class SslCertMode : std::uint8_t { disable, allow, require };
enum class TlsVersion : std::uint8_t { unset, tls1_0, tls1_1, tls1_2, tls1_3 };
enum class GssEncMode : std::uint8_t { disable, prefer, require };
enum class ChannelBinding : std::uint8_t { disable, prefer, require };
enum class TargetSessionAttrs : std::uint8_t { any, read_write, read_only, primary, standby, prefer_standby };
enum class LoadBalanceHosts : std::uint8_t { disable, random };
/// Of the wire protocol: 3.0, or 3.2 (PostgreSQL 18).
enum class ProtocolVersion : std::uint8_t { v3_0, v3_2 };

// libpq's spelling of a value ("verify-full", "read-write", "TLSv1.2", "3.2"); unset is "".
[[nodiscard]] SWITCHYARD_API std::string_view to_string(SslMode value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(SslNegotiation value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(SslCertMode value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(TlsVersion value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(GssEncMode value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(ChannelBinding value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(TargetSessionAttrs value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(LoadBalanceHosts value) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view to_string(ProtocolVersion value) noexcept;

/// require_auth: which authentication methods the server may ask for.
struct RequireAuth {
  enum Method : std::uint16_t {
    none = 1,  ///< the server may let the client in without asking
    password = 2,
    md5 = 4,
    gss = 8,
    sspi = 16,
    scram_sha_256 = 32,
    oauth = 64,
  };
  static constexpr std::uint16_t kAll = 127;
  std::uint16_t allowed = kAll;
  std::string text;  ///< as written, for messages; empty = unset
  [[nodiscard]] bool allows(Method method) const noexcept { return (allowed & method) != 0; }
};

/// One place to try. Exactly one of these is used at a time: hostaddr if given, else host.
struct SWITCHYARD_API HostSpec {
  std::string host;      ///< name, address or socket folder; the name that TLS verifies and .pgpass is looked up by
  std::string hostaddr;  ///< numeric address: no lookup is made then
  std::uint16_t port = 5432;
  Secret password;  ///< for this host: from the string, or from the password file

  /// A folder ("/var/run/postgresql") or an abstract socket ("@name"), and no hostaddr.
  [[nodiscard]] bool is_unix_socket() const noexcept;
  /// "<host>/.s.PGSQL.<port>"; empty for TCP.
  [[nodiscard]] std::string socket_path() const;
  /// For people: "db.example.com:5432", "[::1]:5432", "/var/run/postgresql:5432".
  [[nodiscard]] std::string display() const;
  friend bool operator==(const HostSpec&, const HostSpec&) = default;
};

struct SWITCHYARD_API ConnectionOptions {
  std::vector<HostSpec> hosts;  ///< in order of preference; at least one after parse_connection_string()
  std::string dbname;
  std::string user;
  Secret password;  ///< as given for all hosts; HostSpec::password is the one to use
  /// File that holds the password, read again for each session: it may change while clients work. With its
  /// neighbours FILE.next and FILE.previous it is a rotation that is under way (session/password_file.hpp).
  std::string password_file;

  // Session start.
  std::string application_name;  ///< empty = fallback_application_name
  std::string fallback_application_name;
  std::string client_encoding;  ///< empty or "auto" = the session chooses (UTF8)
  std::string options;          ///< command-line options for the server: "-c geqo=off"
  std::string replication;      ///< "database", "true", ...; empty = none
  /// Settings to send at session start in this order, beside `options`: search_path of ?currentSchema= and so on.
  std::vector<std::pair<std::string, std::string>> settings;

  // Transport.
  Duration connect_timeout = Duration::zero();  ///< per host; zero = none given
  bool keepalives = true;
  std::optional<std::int32_t> keepalives_idle;      ///< seconds
  std::optional<std::int32_t> keepalives_interval;  ///< seconds
  std::optional<std::int32_t> keepalives_count;
  Duration tcp_user_timeout = Duration::zero();  ///< zero = the system's
  std::string requirepeer;                       ///< user name that must own the server's Unix socket

  // TLS. Paths are empty when neither given nor found in ~/.postgresql.
  SslMode sslmode = SslMode::prefer;
  SslNegotiation sslnegotiation = SslNegotiation::postgres;
  SslCertMode sslcertmode = SslCertMode::allow;
  std::string sslcert, sslkey, sslrootcert, sslcrl, sslcrldir, sslkeylogfile;  ///< sslrootcert may be "system"
  Secret sslpassword;
  bool sslsni = true;
  TlsVersion ssl_min_protocol_version = TlsVersion::tls1_2;
  TlsVersion ssl_max_protocol_version = TlsVersion::unset;

  // Authentication.
  ChannelBinding channel_binding = ChannelBinding::prefer;
  RequireAuth require_auth;
  std::string passfile;                         ///< where passwords were looked for
  Secret scram_client_key, scram_server_key;    ///< base64, 32 bytes each, or empty
  GssEncMode gssencmode = GssEncMode::disable;  ///< GSSAPI is not spoken: "prefer" behaves as "disable"
  std::string krbsrvname, gsslib, gssdelegation;
  std::string oauth_issuer, oauth_client_id, oauth_scope;
  Secret oauth_client_secret;

  // Choice of host.
  TargetSessionAttrs target_session_attrs = TargetSessionAttrs::any;
  LoadBalanceHosts load_balance_hosts = LoadBalanceHosts::disable;

  // Wire protocol.
  ProtocolVersion min_protocol_version = ProtocolVersion::v3_0;
  ProtocolVersion max_protocol_version = ProtocolVersion::v3_0;

  std::string service;               ///< name of the service that supplied values, if any
  std::vector<std::string> ignored;  ///< JDBC-only parameters that were understood and have no meaning here

  /// Why something that was found is not used ("password file ... has group or world access"): add these to an
  /// authentication error.
  std::vector<std::string> warnings;

  /// Which options anybody gave (string, service file or variable), in libpq's names.
  std::vector<std::string> given;
  [[nodiscard]] bool was_given(std::string_view keyword) const noexcept;

  /// "postgresql://wellwon:********@localhost:5432/wellwon": the password is masked, whatever the spelling was.
  [[nodiscard]] std::string display() const;
  /// The endpoint without credentials, for logs and metrics: "localhost:5432/wellwon".
  [[nodiscard]] std::string location() const;
};

}  // namespace switchyard::inline v0
