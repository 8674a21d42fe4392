#include <switchyard/runtime/tls_filter.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/tls_native.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <sys/socket.h>

namespace switchyard::inline v0::runtime {
namespace {

constexpr std::size_t kRecord = 16 * 1024;  // the most a TLS record carries
constexpr std::string_view kAlpn("\x0apostgresql", 11);
constexpr std::string_view kHttpAlpn("\x08http/1.1", 9);

struct SslDeleter {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
struct X509Deleter {
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
struct NamesDeleter {
  void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};
using Certificate = std::unique_ptr<X509, X509Deleter>;

// ---- a BIO over the two buffers: OpenSSL reads and writes them without a copy in between

struct Ends {
  base::ReadBuffer in;
  base::WriteBuffer out;
};

int bio_read(BIO* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  base::ReadBuffer& in = static_cast<Ends*>(BIO_get_data(bio))->in;
  const std::size_t n = std::min(in.size(), static_cast<std::size_t>(std::max(size, 0)));
  if (n == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(to, in.readable().data(), n);
  in.consume(n);
  return static_cast<int>(n);
}

int bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  base::WriteBuffer& out = static_cast<Ends*>(BIO_get_data(bio))->out;
  out.put(ByteView(from, static_cast<std::size_t>(size)));
  return out.failed() ? -1 : size;
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* buffer_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "switchyard buffers");
    if (made != nullptr) {
      BIO_meth_set_read(made, &bio_read);
      BIO_meth_set_write(made, &bio_write);
      BIO_meth_set_ctrl(made, &bio_control);
    }
    return made;
  }();
  return method;
}

// ---- texts

std::string name_text(const X509_NAME* name) {
  BIO* memory = BIO_new(BIO_s_mem());
  if (memory == nullptr) return {};
  X509_NAME_print_ex(memory, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string out(text, static_cast<std::size_t>(std::max(size, 0L)));
  BIO_free(memory);
  return out;
}

std::string time_text(const ASN1_TIME* time) {
  BIO* memory = BIO_new(BIO_s_mem());
  if (memory == nullptr) return {};
  ASN1_TIME_print(memory, time);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string out(text, static_cast<std::size_t>(std::max(size, 0L)));
  BIO_free(memory);
  return out;
}

/// A name the certificate is good for.
struct CertificateName {
  enum class Kind : std::uint8_t { dns, ip, common };
  Kind kind;
  std::string text;
};

std::string text_of(const ASN1_STRING* value) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<std::size_t>(ASN1_STRING_length(value))};
}

/// The alternative names, then the common name.
std::vector<CertificateName> names_of(X509* certificate) {
  std::vector<CertificateName> names;
  const std::unique_ptr<GENERAL_NAMES, NamesDeleter> alternatives(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; alternatives != nullptr && i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) {
      names.push_back({CertificateName::Kind::dns, text_of(name->d.dNSName)});
    } else if (name->type == GEN_IPADD) {
      const std::string raw = text_of(name->d.iPAddress);
      std::array<char, INET6_ADDRSTRLEN> text{};
      if (raw.size() != 4 && raw.size() != 16) continue;
      if (inet_ntop(raw.size() == 4 ? AF_INET : AF_INET6, raw.data(), text.data(), text.size()) != nullptr) {
        names.push_back({CertificateName::Kind::ip, text.data()});
      }
    }
  }
  const X509_NAME* subject = X509_get_subject_name(certificate);
  if (const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1); at >= 0) {
    names.push_back(
        {CertificateName::Kind::common, text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)))});
  }
  return names;
}

/// A leading "*." stands for exactly one label. A name with a zero byte inside matches nothing: it was made to be
/// read differently by different programs.
bool matches(std::string_view pattern, std::string_view host) noexcept {
  if (pattern.find('\0') != std::string_view::npos) return false;
  if (base::equal_ignoring_case(pattern, host)) return true;
  if (!pattern.starts_with("*.")) return false;
  const std::size_t dot = host.find('.');
  return dot != std::string_view::npos && dot > 0 && base::equal_ignoring_case(pattern.substr(1), host.substr(dot));
}

/// The same address in another spelling is the same ("::1" and "0:0:0:0:0:0:0:1").
bool same_ip(const std::string& a, const std::string& b) {
  const Result<SocketAddress> left = SocketAddress::ip(a, 0);
  const Result<SocketAddress> right = SocketAddress::ip(b, 0);
  return left.ok() && right.ok() && *left == *right;
}

/// libpq's rule: the alternative names decide; the common name counts only where there is none of the host's kind.
/// Names that were looked at and do not match end up in `seen`.
bool names_host(X509* certificate, const std::string& host, std::vector<std::string>& seen) {
  using Kind = CertificateName::Kind;
  const Kind host_kind = is_ip_literal(host) ? Kind::ip : Kind::dns;
  bool check_common = true;
  for (const CertificateName& name : names_of(certificate)) {
    if (name.kind == host_kind) check_common = false;
    if (name.kind == Kind::common && !check_common) continue;
    const bool same = name.kind == Kind::ip ? same_ip(name.text, host) : matches(name.text, host);
    if (same) return true;
    seen.push_back(name.text);
  }
  return false;
}

/// The last common name, as PostgreSQL takes it; empty if there is none, or one that hides something behind a zero.
std::string common_name_of(X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  int last = -1;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) last = at;
  if (last < 0) return {};
  const ASN1_STRING* data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last));
  unsigned char* text = nullptr;
  const int length = ASN1_STRING_to_UTF8(&text, data);
  if (length < 0) return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length));
  OPENSSL_free(text);
  return name.find('\0') == std::string::npos ? name : std::string();
}

/// RFC 5929, tls-server-end-point: the hash of the certificate with the hash of its signature, SHA-256 in place of
/// MD5 and SHA-1. Empty where that is undefined (Ed25519).
std::string end_point_hash(X509* certificate) {
  int digest = NID_undef;
  if (X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr) != 1) return {};
  if (digest == NID_md5 || digest == NID_sha1) digest = NID_sha256;
  const EVP_MD* algorithm = EVP_get_digestbynid(digest);
  if (algorithm == nullptr) return {};
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  if (X509_digest(certificate, algorithm, hash.data(), &size) != 1) return {};
  return {reinterpret_cast<const char*>(hash.data()), size};
}

bool is_version_problem(int reason) noexcept {
  switch (reason) {
    case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_UNKNOWN_SSL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_WRONG_VERSION_NUMBER: return true;
    default: return false;
  }
}

/// What the verification found first.
struct Rejection {
  int code = X509_V_OK;
  std::string subject;
  std::string issuer;
  std::string not_before;
  std::string not_after;
};

}  // namespace

struct TlsFilter::Impl {
  Impl(std::shared_ptr<const TlsContext> c, TlsOptions o) : context(std::move(c)), options(std::move(o)) {}

  std::shared_ptr<const TlsContext> context;
  TlsOptions options;
  Ends ends;
  std::unique_ptr<SSL, SslDeleter> ssl;
  TlsInfo info;
  std::optional<Rejection> rejection;
  bool certificate_requested = false;
  bool established = false;

  [[nodiscard]] const TlsContext::Native& native() const noexcept { return context->native(); }

  static int ssl_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
  }

  static int on_verify(int ok, X509_STORE_CTX* store) {
    if (ok == 1) return 1;
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* me = static_cast<Impl*>(SSL_get_ex_data(ssl, ssl_index()));
    if (me != nullptr && !me->rejection) {
      Rejection& why = me->rejection.emplace();
      why.code = X509_STORE_CTX_get_error(store);
      if (X509* certificate = X509_STORE_CTX_get_current_cert(store)) {
        why.subject = name_text(X509_get_subject_name(certificate));
        why.issuer = name_text(X509_get_issuer_name(certificate));
        why.not_before = time_text(X509_get0_notBefore(certificate));
        why.not_after = time_text(X509_get0_notAfter(certificate));
      }
    }
    return 0;
  }

  static int on_certificate_requested(SSL* /*ssl*/, void* context) {
    static_cast<Impl*>(context)->certificate_requested = true;
    return 1;  // go on with the certificate of the context, if any
  }

  [[nodiscard]] std::string whose() const {
    if (native().server) return "client certificate";
    return options.server_name.empty() ? "server certificate"
                                       : "server certificate for \"" + options.server_name + "\"";
  }

  [[nodiscard]] Error untrusted() const {
    const Rejection& why = *rejection;
    std::string text = whose();
    std::string hint;
    switch (why.code) {
      case X509_V_ERR_CERT_HAS_EXPIRED: text += " has expired on " + why.not_after; break;
      case X509_V_ERR_CERT_NOT_YET_VALID: text += " is not valid before " + why.not_before; break;
      case X509_V_ERR_CERT_REVOKED: text += " has been revoked"; break;
      case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
      case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
      case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        text += " was not issued by a trusted authority: ";
        text += X509_verify_cert_error_string(why.code);
        if (!native().server) hint = "sslrootcert must hold the certificate of the authority that issued it";
        break;
      default: text += " is not accepted: "; text += X509_verify_cert_error_string(why.code);
    }
    if (!why.subject.empty()) text += " (subject " + why.subject + ", issuer " + why.issuer + ")";
    Error error(ErrorKind::Config, "certificate verify failed: " + text, ErrorStage::connecting);
    return (hint.empty() ? error : error.with_hint(hint)).with_session_lost();
  }

  /// From OpenSSL's queue.
  [[nodiscard]] Error ssl_error() {
    if (ends.out.failed()) {
      ERR_clear_error();
      return Error(ErrorKind::Unavailable, "no memory for TLS", ErrorStage::connecting).with_session_lost();
    }
    if (rejection) {
      ERR_clear_error();
      return untrusted();
    }
    const int reason = ERR_GET_REASON(ERR_peek_error());
    Error error =
        Error(ErrorKind::Unavailable, "SSL error: " + take_ssl_error(), ErrorStage::connecting).with_session_lost();
    if (!is_version_problem(reason)) return error;
    const std::string low = native().min_version.empty() ? "TLSv1" : native().min_version;
    const std::string high = native().max_version.empty() ? "TLSv1.3" : native().max_version;
    return error.with_hint("this may indicate that the peer does not support any TLS version between " + low +
                           " and " + high);
  }

  [[nodiscard]] Result<void> check_peer() {
    const Certificate certificate(SSL_get1_peer_certificate(ssl.get()));
    if (native().server) {
      if (X509* own = SSL_get_certificate(ssl.get())) info.own_certificate_hash = end_point_hash(own);
      if (certificate != nullptr && native().check_chain) {
        info.has_peer_certificate = true;
        info.peer_common_name = common_name_of(certificate.get());
      }
      return {};
    }
    if (certificate == nullptr) {
      return Error(ErrorKind::Unavailable, "the server presented no certificate", ErrorStage::connecting);
    }
    info.peer_certificate_hash = end_point_hash(certificate.get());
    if (native().check_host) SY_TRY(check_host(certificate.get()));
    if (native().certificate_required && !certificate_requested) {
      return Error(ErrorKind::Config, "server did not request an SSL certificate", ErrorStage::connecting)
          .with_hint("sslcertmode=require is set");
    }
    if (native().certificate_required && SSL_get_certificate(ssl.get()) == nullptr) {
      return Error(ErrorKind::Config, "server accepted connection without a valid SSL certificate",
                   ErrorStage::connecting)
          .with_hint("sslcertmode=require is set, but there is no sslcert");
    }
    return {};
  }

  [[nodiscard]] Result<void> check_host(X509* certificate) const {
    if (options.server_name.empty()) {
      return Error(ErrorKind::Config, "host name must be specified for a verified SSL connection",
                   ErrorStage::connecting);
    }
    std::vector<std::string> names;
    if (names_host(certificate, options.server_name, names)) return {};
    std::string text = "server certificate";
    if (names.empty()) {
      text += " without a name";
    } else {
      text += " for \"" + names.front() + "\"";
      if (names.size() == 2) text += " (and 1 other name)";
      if (names.size() > 2) text += " (and " + std::to_string(names.size() - 1) + " other names)";
    }
    text += " does not match host name \"" + options.server_name + "\"";
    return Error(ErrorKind::Config, std::move(text), ErrorStage::connecting).with_session_lost();
  }

  void describe() {
    info.version = SSL_get_version(ssl.get());
    info.cipher = SSL_get_cipher_name(ssl.get());
    info.bits = SSL_get_cipher_bits(ssl.get(), nullptr);
    const unsigned char* alpn = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl.get(), &alpn, &size);
    if (alpn != nullptr) info.alpn.assign(reinterpret_cast<const char*>(alpn), size);
  }
};

TlsFilter::TlsFilter(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
TlsFilter::~TlsFilter() = default;

Result<std::unique_ptr<TlsFilter>> TlsFilter::create(std::shared_ptr<const TlsContext> context,
                                                     TlsOptions options) {
  auto impl = std::make_unique<Impl>(std::move(context), std::move(options));
  const auto failed = [] {
    return Error(ErrorKind::Unavailable, "could not establish SSL connection: " + take_ssl_error(),
                 ErrorStage::connecting);
  };
  ERR_clear_error();
  const TlsContext::Native& native = impl->native();
  impl->ssl.reset(SSL_new(native.context.get()));
  SSL* ssl = impl->ssl.get();
  BIO_METHOD* method = buffer_method();
  BIO* bio = ssl == nullptr || method == nullptr ? nullptr : BIO_new(method);
  if (bio == nullptr) return failed();
  BIO_set_data(bio, &impl->ends);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_ex_data(ssl, Impl::ssl_index(), impl.get());

  const int verify = !native.check_chain ? SSL_VERIFY_NONE
                     : native.server && native.certificate_required
                         ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                         : SSL_VERIFY_PEER;
  SSL_set_verify(ssl, verify, native.check_chain ? &Impl::on_verify : nullptr);
  if (native.server) {
    SSL_set_accept_state(ssl);
    return std::unique_ptr<TlsFilter>(new TlsFilter(std::move(impl)));
  }
  SSL_set_cert_cb(ssl, &Impl::on_certificate_requested, impl.get());
  const std::string& host = impl->options.server_name;
  if (impl->options.send_sni && !host.empty() && !is_ip_literal(host) && host.front() != '/' &&
      host.front() != '@') {
    if (SSL_set_tlsext_host_name(ssl, host.c_str()) != 1) return failed();
  }
  const std::string_view alpn = impl->options.alpn == TlsOptions::Alpn::http ? kHttpAlpn : kAlpn;
  if (SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size())) != 0) {
    return failed();
  }
  SSL_set_connect_state(ssl);
  return std::unique_ptr<TlsFilter>(new TlsFilter(std::move(impl)));
}

base::ReadBuffer& TlsFilter::cipher_in() noexcept { return impl_->ends.in; }
base::WriteBuffer& TlsFilter::cipher_out() noexcept { return impl_->ends.out; }
bool TlsFilter::established() const noexcept { return impl_->established; }
const TlsInfo& TlsFilter::info() const noexcept { return impl_->info; }

Result<bool> TlsFilter::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(impl_->ssl.get());
  if (done != 1) {
    if (SSL_get_error(impl_->ssl.get(), done) == SSL_ERROR_WANT_READ) return false;
    return impl_->ssl_error();
  }
  impl_->describe();
  if (Result<void> checked = impl_->check_peer(); !checked.ok()) return checked.error();
  if (!impl_->native().server && impl_->options.alpn == TlsOptions::Alpn::require && impl_->info.alpn.empty()) {
    return Error(ErrorKind::Unavailable,
                 "direct SSL connection was established without ALPN protocol negotiation extension",
                 ErrorStage::connecting)
        .with_session_lost();
  }
  impl_->established = true;
  return true;
}

Result<TlsFilter::ReadState> TlsFilter::read(base::ReadBuffer& plain) {
  SSL* ssl = impl_->ssl.get();
  for (;;) {
    char* at = plain.prepare(kRecord);
    if (at == nullptr) {
      return Error(ErrorKind::Unavailable, "no memory for the buffers of a connection", ErrorStage::sent)
          .with_session_lost();
    }
    ERR_clear_error();
    std::size_t n = 0;
    const int ok = SSL_read_ex(ssl, at, plain.writable(), &n);
    if (ok == 1) {
      plain.commit(n);
      continue;
    }
    switch (SSL_get_error(ssl, ok)) {
      case SSL_ERROR_WANT_READ: return ReadState::open;
      case SSL_ERROR_ZERO_RETURN: return ReadState::closed;
      default: return impl_->ssl_error().with_stage(ErrorStage::sent);
    }
  }
}

Result<void> TlsFilter::write(base::WriteBuffer& plain, std::size_t limit) {
  SSL* ssl = impl_->ssl.get();
  while (!plain.empty() && impl_->ends.out.size() < limit) {
    ERR_clear_error();
    std::size_t n = 0;
    if (SSL_write_ex(ssl, plain.view().data(), plain.size(), &n) != 1) {
      return impl_->ssl_error().with_stage(ErrorStage::sent);
    }
    plain.consume_front(n);
  }
  return {};
}

void TlsFilter::shutdown() noexcept {
  ERR_clear_error();
  if (impl_->established) SSL_shutdown(impl_->ssl.get());
  ERR_clear_error();
}

}  // namespace switchyard::inline v0::runtime
