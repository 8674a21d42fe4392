#include <switchyard/runtime/tls.hpp>

#include <switchyard/runtime/tls_native.hpp>

#include <openssl/err.h>
#include <openssl/x509.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace switchyard::inline v0::runtime {

std::string take_ssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no SSL error reported";
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  if (const char* reason = ERR_reason_error_string(code)) return reason;
  return "SSL error code " + std::to_string(code);
}

namespace {

Error config_error(std::string message) {
  return Error(ErrorKind::Config, std::move(message), ErrorStage::connecting);
}

std::string quoted(const std::string& path) { return "\"" + path + "\""; }

/// 0 for an empty name (no limit), -1 for an unknown one.
int version_number(std::string_view name) noexcept {
  constexpr std::array<std::pair<std::string_view, int>, 4> kVersions{{{"TLSv1", TLS1_VERSION},
                                                                       {"TLSv1.1", TLS1_1_VERSION},
                                                                       {"TLSv1.2", TLS1_2_VERSION},
                                                                       {"TLSv1.3", TLS1_3_VERSION}}};
  if (name.empty()) return 0;
  for (const auto& [known, number] : kVersions) {
    if (known.size() == name.size() && ::strncasecmp(known.data(), name.data(), name.size()) == 0) return number;
  }
  return -1;
}

Result<void> set_versions(SSL_CTX* context, const std::string& min, const std::string& max) {
  const int low = version_number(min);
  const int high = version_number(max);
  if (low < 0)
    return config_error("invalid minimum TLS version " + quoted(min))
        .with_hint("TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3");
  if (high < 0)
    return config_error("invalid maximum TLS version " + quoted(max))
        .with_hint("TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3");
  if (low != 0 && high != 0 && low > high) {
    return config_error("invalid TLS version range: " + min + " is newer than " + max);
  }
  if (SSL_CTX_set_min_proto_version(context, low) != 1 || SSL_CTX_set_max_proto_version(context, high) != 1) {
    return config_error("could not set the TLS version range: " + take_ssl_error());
  }
  return {};
}

/// Never asks at the terminal, as OpenSSL would by itself.
int give_password(char* buffer, int size, int /*writing*/, void* context) {
  const auto* password = static_cast<const Secret*>(context);
  if (password == nullptr || password->empty()) return 0;
  const std::string& text = password->reveal();
  if (text.size() > static_cast<std::size_t>(size)) return 0;
  std::memcpy(buffer, text.data(), text.size());
  return static_cast<int>(text.size());
}

/// Whose key it is decides who may read it (libpq's rule): only the owner, or for root's files the group as well.
Result<void> check_key_permissions(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return config_error("certificate present, but not private key file " + quoted(path));
    return config_error("could not stat private key file " + quoted(path) + ": " +
                        std::generic_category().message(errno));
  }
  if (!S_ISREG(status.st_mode)) return config_error("private key file " + quoted(path) + " is not a regular file");
  const mode_t forbidden = status.st_uid == 0 ? (S_IWGRP | S_IXGRP | S_IRWXO) : (S_IRWXG | S_IRWXO);
  if ((status.st_mode & forbidden) != 0) {
    return config_error(
               "private key file " + quoted(path) +
               " has group or world access; file must have permissions u=rw (0600) or less if owned by the "
               "current user, or permissions u=rw,g=r (0640) or less if owned by root")
        .with_hint("chmod 600 " + path);
  }
  return {};
}

Result<void> load_identity(SSL_CTX* context, const std::string& certificate, const std::string& key,
                           const Secret& password) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return config_error("could not read certificate file " + quoted(certificate) + ": " + take_ssl_error());
  }
  if (key.empty()) return config_error("certificate present, but not private key file");
  SY_TRY(check_key_permissions(key));
  SSL_CTX_set_default_passwd_cb(context, &give_password);
  SSL_CTX_set_default_passwd_cb_userdata(context, const_cast<Secret*>(&password));
  bool loaded = SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1;
  bool mismatch = false;
  std::string why;
  if (!loaded) {
    const unsigned long code = ERR_peek_error();
    mismatch = ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH;
    why = take_ssl_error();
    loaded = SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_ASN1) == 1;
    ERR_clear_error();
  }
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  if (mismatch || (loaded && SSL_CTX_check_private_key(context) != 1)) {
    ERR_clear_error();
    return config_error("certificate " + quoted(certificate) + " does not match private key file " + quoted(key));
  }
  if (!loaded) {
    const Error error = config_error("could not load private key file " + quoted(key) + ": " + why);
    return error.with_hint(password.empty() ? "if the key is encrypted, give sslpassword"
                                            : "is sslpassword right?");
  }
  return {};
}

/// Whether a chain will be checked is decided here: also without Verify::chain when the root file is there (libpq).
Result<bool> load_roots(SSL_CTX* context, const TlsSettings& settings) {
  const bool wanted = settings.verify != TlsSettings::Verify::none;
  const std::string& path = settings.root_certificate;
  ERR_clear_error();
  if (path == "system") {
    if (settings.verify != TlsSettings::Verify::full) {
      return config_error("weak sslmode may not be used with sslrootcert=system")
          .with_hint("use sslmode=verify-full");
    }
    if (SSL_CTX_set_default_verify_paths(context) != 1) {
      return config_error("could not load system root certificate paths: " + take_ssl_error());
    }
    return true;
  }
  if (!path.empty() && ::access(path.c_str(), F_OK) == 0) {
    if (SSL_CTX_load_verify_locations(context, path.c_str(), nullptr) != 1) {
      return config_error("could not read root certificate file " + quoted(path) + ": " + take_ssl_error());
    }
    return true;
  }
  if (!wanted) return false;
  return config_error(path.empty() ? std::string("no root certificate file is configured (sslrootcert)")
                                   : "root certificate file " + quoted(path) + " does not exist")
      .with_hint(
          "provide the file, use the system's trusted roots with sslrootcert=system, or change sslmode to disable "
          "server certificate verification");
}

Result<void> load_revocations(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.crl_file.empty() && settings.crl_directory.empty()) return {};
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  ERR_clear_error();
  if (!settings.crl_file.empty() && X509_STORE_load_locations(store, settings.crl_file.c_str(), nullptr) != 1) {
    return config_error("could not read certificate revocation list file " + quoted(settings.crl_file) + ": " +
                        take_ssl_error());
  }
  if (!settings.crl_directory.empty() &&
      X509_STORE_load_locations(store, nullptr, settings.crl_directory.c_str()) != 1) {
    return config_error("could not read certificate revocation list directory " + quoted(settings.crl_directory) +
                        ": " + take_ssl_error());
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return {};
}

std::unique_ptr<TlsContext::Native> new_native(const SSL_METHOD* method) {
  auto native = std::make_unique<TlsContext::Native>();
  native->context.reset(SSL_CTX_new(method));
  if (native->context == nullptr) return nullptr;
  // An idle session gives its record buffers back: 34 kB each otherwise.
  SSL_CTX_set_mode(native->context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(native->context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  return native;
}

/// The only protocol we speak; a client that names others only is refused.
int select_alpn(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                unsigned in_length, void* /*context*/) {
  static constexpr std::string_view kOurs("\x0apostgresql", 11);
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, reinterpret_cast<const unsigned char*>(kOurs.data()), kOurs.size(),
                            in, in_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

TlsContext::TlsContext(std::unique_ptr<Native> native) noexcept : native_(std::move(native)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsSettings& settings) {
  std::unique_ptr<Native> native = new_native(TLS_client_method());
  if (native == nullptr) return config_error("could not create SSL context: " + take_ssl_error());
  SSL_CTX* context = native->context.get();
  SY_TRY(set_versions(context, settings.min_version, settings.max_version));
  native->min_version = settings.min_version;
  native->max_version = settings.max_version;

  Result<bool> check = load_roots(context, settings);
  if (!check.ok()) return check.error();
  native->check_chain = *check;
  native->check_host = settings.verify == TlsSettings::Verify::full;
  if (native->check_chain) SY_TRY(load_revocations(context, settings));

  if (!settings.certificate.empty() && settings.client_certificate != TlsSettings::ClientCertificate::disable) {
    SY_TRY(load_identity(context, settings.certificate, settings.key, settings.key_password));
  }
  native->certificate_required = settings.client_certificate == TlsSettings::ClientCertificate::require;
  return std::make_shared<const TlsContext>(std::move(native));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsServerSettings& settings) {
  std::unique_ptr<Native> native = new_native(TLS_server_method());
  if (native == nullptr) return config_error("could not create SSL context: " + take_ssl_error());
  SSL_CTX* context = native->context.get();
  native->server = true;
  SY_TRY(set_versions(context, settings.min_version, settings.max_version));
  native->min_version = settings.min_version;
  native->max_version = settings.max_version;
  SY_TRY(load_identity(context, settings.certificate, settings.key, Secret()));
  if (!settings.client_roots.empty()) {
    if (SSL_CTX_load_verify_locations(context, settings.client_roots.c_str(), nullptr) != 1) {
      return config_error("could not read root certificate file " + quoted(settings.client_roots) + ": " +
                          take_ssl_error());
    }
    if (STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(settings.client_roots.c_str())) {
      SSL_CTX_set_client_CA_list(context, names);
    }
    native->check_chain = true;
    native->certificate_required = settings.certificate_required;
  }
  // What is resumed comes from tickets alone: nothing is remembered here. The keys of the tickets are the
  // context's.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (settings.tickets) {
    static constexpr std::string_view kPurpose = "postgresql";
    SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kPurpose.data()),
                                   static_cast<unsigned>(kPurpose.size()));
    SSL_CTX_set_num_tickets(context, 1);
  } else {
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  }
  SSL_CTX_set_alpn_select_cb(context, &select_alpn, nullptr);
  return std::make_shared<const TlsContext>(std::move(native));
}

}  // namespace switchyard::inline v0::runtime
