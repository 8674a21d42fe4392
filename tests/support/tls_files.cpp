#include <tests/support/tls_files.hpp>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <memory>
#include <stdexcept>

namespace switchyard::testing {

namespace {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using RevocationList = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

constexpr long kSecondsPerDay = 24L * 60 * 60;

void require(bool good, const char* what) {
  if (good) return;
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  throw std::runtime_error(std::string(what) + ": " + text);
}

Key make_key() {
  Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "EVP_EC_gen");
  return key;
}

void set_name(X509* certificate, const std::string& common_name) {
  X509_NAME* name = X509_get_subject_name(certificate);
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0) == 1,
          "X509_NAME_add_entry_by_txt");
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  require(extension != nullptr, "X509V3_EXT_conf_nid");
  require(X509_add_ext(certificate, extension.get(), -1) == 1, "X509_add_ext");
}

Certificate make_certificate(EVP_PKEY* key, const std::string& common_name, long serial, int from_days,
                             int to_days) {
  Certificate certificate(X509_new());
  require(certificate != nullptr, "X509_new");
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), from_days * kSecondsPerDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), to_days * kSecondsPerDay);
  X509_set_pubkey(certificate.get(), key);
  set_name(certificate.get(), common_name);
  return certificate;
}

File open_file(const std::string& path, mode_t mode) {
  File file(std::fopen(path.c_str(), "we"));
  if (file == nullptr) throw std::runtime_error("cannot write " + path);
  chmod(path.c_str(), mode);
  return file;
}

void write_certificate(const std::string& path, X509* certificate) {
  require(PEM_write_X509(open_file(path, 0644).get(), certificate) == 1, "PEM_write_X509");
}

void write_key(const std::string& path, EVP_PKEY* key, const std::string& password) {
  const EVP_CIPHER* cipher = password.empty() ? nullptr : EVP_aes_256_cbc();
  const std::string copy = password;
  require(
      PEM_write_PKCS8PrivateKey(open_file(path, 0600).get(), key, cipher, password.empty() ? nullptr : copy.c_str(),
                                static_cast<int>(copy.size()), nullptr, nullptr) == 1,
      "PEM_write_PKCS8PrivateKey");
}

}  // namespace

struct TlsAuthority::Impl {
  Key key;
  Certificate certificate;
  long next_serial = 2;
};

TlsAuthority::TlsAuthority(const TempFolder& folder, const std::string& name)
    : folder_(folder.path().string()),
      certificate_file_(folder.file(name + ".crt")),
      impl_(std::make_unique<Impl>()) {
  impl_->key = make_key();
  impl_->certificate = make_certificate(impl_->key.get(), "Test authority " + name, 1, -1, 3650);
  X509* own = impl_->certificate.get();
  X509_set_issuer_name(own, X509_get_subject_name(own));
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(own, own, NID_subject_key_identifier, "hash");
  require(X509_sign(own, impl_->key.get(), EVP_sha256()) > 0, "X509_sign");
  write_certificate(certificate_file_, own);
}

TlsAuthority::~TlsAuthority() = default;

CertificateFiles TlsAuthority::issue(const std::string& name, const CertificateRequest& request) {
  Key key = make_key();
  Certificate certificate =
      make_certificate(key.get(), request.common_name, impl_->next_serial++, request.from_days, request.to_days);
  X509* issuer = impl_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  std::string names;
  for (const std::string& entry : request.alternative_names) names += (names.empty() ? "" : ",") + entry;
  if (!names.empty()) add_extension(certificate.get(), issuer, NID_subject_alt_name, names);
  const EVP_MD* digest = EVP_get_digestbyname(request.digest.c_str());
  require(digest != nullptr, "EVP_get_digestbyname");
  require(X509_sign(certificate.get(), impl_->key.get(), digest) > 0, "X509_sign");

  CertificateFiles files{.certificate = folder_ + "/" + name + ".crt", .key = folder_ + "/" + name + ".key"};
  write_certificate(files.certificate, certificate.get());
  write_key(files.key, key.get(), request.key_password);
  return files;
}

std::string TlsAuthority::revoke(const std::string& name, const std::vector<CertificateFiles>& revoked) {
  RevocationList list(X509_CRL_new());
  require(list != nullptr, "X509_CRL_new");
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(impl_->certificate.get()));
  std::unique_ptr<ASN1_TIME, Freer<ASN1_TIME_free>> now(X509_gmtime_adj(nullptr, -kSecondsPerDay));
  std::unique_ptr<ASN1_TIME, Freer<ASN1_TIME_free>> next(X509_gmtime_adj(nullptr, 365 * kSecondsPerDay));
  X509_CRL_set1_lastUpdate(list.get(), now.get());
  X509_CRL_set1_nextUpdate(list.get(), next.get());
  for (const CertificateFiles& files : revoked) {
    File in(std::fopen(files.certificate.c_str(), "re"));
    if (in == nullptr) throw std::runtime_error("cannot read " + files.certificate);
    Certificate certificate(PEM_read_X509(in.get(), nullptr, nullptr, nullptr));
    require(certificate != nullptr, "PEM_read_X509");
    X509_REVOKED* entry = X509_REVOKED_new();
    require(entry != nullptr, "X509_REVOKED_new");
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.get()));
    X509_REVOKED_set_revocationDate(entry, now.get());
    require(X509_CRL_add0_revoked(list.get(), entry) == 1, "X509_CRL_add0_revoked");
  }
  X509_CRL_sort(list.get());
  require(X509_CRL_sign(list.get(), impl_->key.get(), EVP_sha256()) > 0, "X509_CRL_sign");
  const std::string path = folder_ + "/" + name + ".crl";
  require(PEM_write_X509_CRL(open_file(path, 0644).get(), list.get()) == 1, "PEM_write_X509_CRL");
  return path;
}

TlsFiles::TlsFiles()
    : authority_(folder_, "ca"),
      stranger_(folder_, "other_ca"),
      ca(authority_.certificate_file()),
      other_ca(stranger_.certificate_file()),
      server(authority_.issue("server")),
      server_wrong_host(authority_.issue("server_wrong_host", {.common_name = "elsewhere.example",
                                                               .alternative_names = {"DNS:elsewhere.example"}})),
      server_expired(authority_.issue("server_expired", {.from_days = -10, .to_days = -1})),
      server_not_yet(authority_.issue("server_not_yet", {.from_days = 1, .to_days = 10})),
      server_of_other_ca(stranger_.issue("server_of_other_ca")),
      client(authority_.issue("client", {.common_name = "postgres", .alternative_names = {}})),
      client_of_other_ca(
          stranger_.issue("client_of_other_ca", {.common_name = "postgres", .alternative_names = {}})),
      client_encrypted(authority_.issue(
          "client_encrypted", {.common_name = "postgres", .alternative_names = {}, .key_password = "secret"})),
      revoked_server(authority_.revoke("revoked_server", {server})) {}

}  // namespace switchyard::testing
