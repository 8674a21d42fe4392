// Certificates for tests of TLS, made on the spot: good ones and every kind of bad one.
#pragma once

#include <tests/support/temp_folder.hpp>

#include <memory>
#include <string>
#include <vector>

namespace switchyard::testing {

/// A certificate and its key, as PEM files (keys with mode 0600).
struct CertificateFiles {
  std::string certificate;
  std::string key;
};

/// How a certificate is made.
struct CertificateRequest {
  std::string common_name = "localhost";
  /// subjectAltName entries, as OpenSSL spells them: "DNS:localhost", "IP:127.0.0.1". Empty: none.
  std::vector<std::string> alternative_names = {"DNS:localhost", "IP:127.0.0.1"};
  /// Validity in days from now; both negative: expired, both positive: not yet valid.
  int from_days = -1;
  int to_days = 365;
  /// Encrypts the key file; empty: not encrypted.
  std::string key_password;
  /// Digest of the signature; tls-server-end-point channel binding depends on it (RFC 5929).
  std::string digest = "SHA256";
};

/// A certificate authority in memory, writing into a folder.
class TlsAuthority {
 public:
  TlsAuthority(const TempFolder& folder, const std::string& name);
  TlsAuthority(const TlsAuthority&) = delete;
  TlsAuthority& operator=(const TlsAuthority&) = delete;
  ~TlsAuthority();

  /// The authority's own certificate: what clients put into sslrootcert.
  [[nodiscard]] const std::string& certificate_file() const noexcept { return certificate_file_; }
  /// Signs a certificate and writes NAME.crt and NAME.key.
  CertificateFiles issue(const std::string& name, const CertificateRequest& request = {});
  /// Writes a revocation list (NAME.crl) that names these certificates, and returns its path.
  std::string revoke(const std::string& name, const std::vector<CertificateFiles>& revoked);

 private:
  struct Impl;
  std::string folder_;
  std::string certificate_file_;
  std::unique_ptr<Impl> impl_;
};

/// The usual set in one folder.
class TlsFiles {
 public:
  TlsFiles();

  [[nodiscard]] const TempFolder& folder() const noexcept { return folder_; }
  [[nodiscard]] TlsAuthority& authority() noexcept { return authority_; }
  [[nodiscard]] TlsAuthority& stranger() noexcept { return stranger_; }

 private:
  TempFolder folder_;
  TlsAuthority authority_;
  TlsAuthority stranger_;

 public:
  const std::string ca;                       ///< signs all of these
  const std::string other_ca;                 ///< signs only server_of_other_ca
  const CertificateFiles server;              ///< localhost, 127.0.0.1
  const CertificateFiles server_wrong_host;   ///< elsewhere.example
  const CertificateFiles server_expired;      ///< localhost, until yesterday
  const CertificateFiles server_not_yet;      ///< localhost, from tomorrow
  const CertificateFiles server_of_other_ca;  ///< localhost, by the other authority
  const CertificateFiles client;              ///< CN=postgres
  const CertificateFiles client_of_other_ca;  ///< CN=postgres, by the other authority
  const CertificateFiles client_encrypted;    ///< CN=postgres, the key's password is "secret"
  const std::string revoked_server;           ///< a CRL that revokes `server`
};

}  // namespace switchyard::testing
