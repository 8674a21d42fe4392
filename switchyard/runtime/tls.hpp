// TLS as PostgreSQL clients mean it: what sslmode, sslrootcert, sslcert and their relatives say (manual
// chapter 34.19). A context is made once from the settings and shared by all sessions of an endpoint.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace switchyard::inline v0::runtime {

struct TlsSettings {
  enum class Verify : std::uint8_t {
    none,   ///< sslmode allow, prefer, require: encrypted, anybody may answer
    chain,  ///< verify-ca: the certificate comes from a trusted authority
    full,   ///< verify-full: and names the host that was asked for
  };
  enum class ClientCertificate : std::uint8_t { disable, allow, require };  ///< sslcertmode

  Verify verify = Verify::none;
  std::string root_certificate;  ///< sslrootcert: a PEM file, "system", or empty (nobody is trusted)
  std::string crl_file;          ///< sslcrl
  std::string crl_directory;     ///< sslcrldir
  std::string certificate;       ///< sslcert: a PEM file with the client's chain, or empty
  std::string key;               ///< sslkey: PEM or DER; others must not be able to read it
  Secret key_password;           ///< sslpassword
  ClientCertificate client_certificate = ClientCertificate::allow;
  std::string min_version = "TLSv1.2";  ///< ssl_min_protocol_version; empty: the system's
  std::string max_version;              ///< ssl_max_protocol_version; empty: the system's
};

/// What the accepting side needs.
struct TlsServerSettings {
  std::string certificate;   ///< PEM file with the chain
  std::string key;           ///< PEM file
  std::string client_roots;  ///< PEM file; a client's certificate must be signed by it
  /// With client_roots: who shows no certificate is turned away.
  bool certificate_required = true;
  /// Clients may resume a session with a ticket that only this context can read: no certificates, no signatures.
  bool tickets = false;
  std::string min_version = "TLSv1.2";
  std::string max_version;
};

/// How one connection uses a context.
struct TlsOptions {
  enum class Alpn : std::uint8_t {
    offer,    ///< name "postgresql" in the handshake
    require,  ///< and fail if the server does not select it: direct TLS (sslnegotiation=direct)
    http,     ///< name "http/1.1" instead: the peer is a web server
  };
  std::string server_name;  ///< the host as the user wrote it: checked by Verify::full, named in messages
  bool send_sni = true;     ///< sslsni; never sent for IP addresses
  Alpn alpn = Alpn::offer;
  /// Accepting side: the peer began its handshake unasked (direct TLS), so what has been received belongs to it.
  bool begun = false;
};

/// A finished handshake.
struct TlsInfo {
  std::string version;  ///< "TLSv1.3"
  std::string cipher;
  int bits = 0;
  std::string alpn;  ///< empty if none was selected
  /// Accepting side: the common name of the client's certificate, whose chain has been checked; empty without one.
  std::string peer_common_name;
  bool has_peer_certificate = false;
  std::string peer_certificate_hash;  ///< of tls-server-end-point (RFC 5929), raw; empty if there is none
  std::string own_certificate_hash;   ///< accepting side: the same of the certificate that was shown
};

/// Immutable after creation; may be shared by shards.
class SWITCHYARD_API TlsContext {
 public:
  struct Native;

  /// Reads the files now. Errors of kind Config name the file and what is wrong with it.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> client(const TlsSettings& settings);
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> server(const TlsServerSettings& settings);
  explicit TlsContext(std::unique_ptr<Native> native) noexcept;
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] const Native& native() const noexcept { return *native_; }

 private:
  std::unique_ptr<Native> native_;
};

}  // namespace switchyard::inline v0::runtime
