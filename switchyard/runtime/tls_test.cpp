#include <switchyard/base/random.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/listener.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/runtime/tls_filter.hpp>
#include <switchyard/runtime/tls_native.hpp>

#include <gtest/gtest.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace switchyard::runtime {
namespace {

using namespace std::chrono_literals;

constexpr long kDay = 24L * 3600;

/// Certificates made for these tests, in a folder that goes with them.
class Authority {
 public:
  struct Names {
    std::string common = "server";
    std::string alternatives;  // OpenSSL's syntax: "DNS:a,IP:127.0.0.1"
    long not_before = -kDay;
    long not_after = kDay;
    const char* digest = "SHA256";
  };

  explicit Authority(const std::string& name = "Test Authority") {
    std::string pattern = (std::filesystem::temp_directory_path() / "switchyard-tls-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    key_ = EVP_EC_gen("P-256");
    certificate_ = make(key_, {.common = name}, nullptr, nullptr, true);
    write_certificate(root(), certificate_);
  }
  ~Authority() {
    EVP_PKEY_free(key_);
    X509_free(certificate_);
    std::filesystem::remove_all(folder_);
  }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  [[nodiscard]] std::string root() const { return folder_ + "/root.crt"; }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_ + "/" + name; }

  /// Writes NAME.crt and NAME.key; the key is encrypted if there is a password.
  void issue(const std::string& name, const Names& names, const std::string& password = "") {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = make(key, names, certificate_, key_, false);
    write_certificate(file(name + ".crt"), certificate);
    FILE* out = std::fopen(file(name + ".key").c_str(), "w");
    PEM_write_PrivateKey(out, key, password.empty() ? nullptr : EVP_aes_128_cbc(),
                         reinterpret_cast<const unsigned char*>(password.empty() ? nullptr : password.data()),
                         static_cast<int>(password.size()), nullptr, nullptr);
    std::fclose(out);
    ::chmod(file(name + ".key").c_str(), 0600);
    EVP_PKEY_free(key);
    X509_free(certificate);
  }

  /// A revocation list that names the certificate in NAME.crt.
  void revoke(const std::string& name) {
    FILE* in = std::fopen(file(name + ".crt").c_str(), "r");
    X509* certificate = PEM_read_X509(in, nullptr, nullptr, nullptr);
    std::fclose(in);
    X509_CRL* list = X509_CRL_new();
    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(certificate_));
    ASN1_TIME* now = X509_gmtime_adj(nullptr, -60);
    ASN1_TIME* later = X509_gmtime_adj(nullptr, kDay);
    X509_CRL_set1_lastUpdate(list, now);
    X509_CRL_set1_nextUpdate(list, later);
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate));
    X509_REVOKED_set_revocationDate(entry, now);
    X509_CRL_add0_revoked(list, entry);
    X509_CRL_sign(list, key_, EVP_sha256());
    FILE* out = std::fopen(file("root.crl").c_str(), "w");
    PEM_write_X509_CRL(out, list);
    std::fclose(out);
    ASN1_TIME_free(now);
    ASN1_TIME_free(later);
    X509_CRL_free(list);
    X509_free(certificate);
  }

 private:
  static void write_certificate(const std::string& path, X509* certificate) {
    FILE* out = std::fopen(path.c_str(), "w");
    PEM_write_X509(out, certificate);
    std::fclose(out);
  }
  X509* make(EVP_PKEY* key, const Names& names, X509* issuer, EVP_PKEY* issuer_key, bool authority) {
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), names.not_before);
    X509_gmtime_adj(X509_getm_notAfter(certificate), names.not_after);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(names.common.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, issuer == nullptr ? subject : X509_get_subject_name(issuer));
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer == nullptr ? certificate : issuer, certificate, nullptr, nullptr, 0);
    const auto extend = [&](int nid, const std::string& value) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
      X509_add_ext(certificate, extension, -1);
      X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!names.alternatives.empty()) extend(NID_subject_alt_name, names.alternatives);
    EVP_PKEY* signer = issuer_key == nullptr ? key : issuer_key;
    X509_sign(certificate, signer, EVP_get_digestbyname(names.digest));
    return certificate;
  }

  std::string folder_;
  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
  long serial_ = 0;
};

std::string text_of(const Error& error) { return std::string(error.what()); }

/// Client and server filter with a wire in between that a test can cut into pieces.
struct Pair {
  std::unique_ptr<TlsFilter> client;
  std::unique_ptr<TlsFilter> server;
  std::optional<Error> client_error;
  std::optional<Error> server_error;

  Pair(const TlsSettings& settings, const TlsServerSettings& server_settings, TlsOptions options) {
    auto client_context = TlsContext::client(settings);
    auto server_context = TlsContext::server(server_settings);
    EXPECT_TRUE(client_context.ok()) << client_context.error().what();
    EXPECT_TRUE(server_context.ok()) << server_context.error().what();
    client = std::move(*TlsFilter::create(*client_context, std::move(options)));
    server = std::move(*TlsFilter::create(*server_context, {}));
  }

  static std::size_t carry(TlsFilter& from, TlsFilter& to, std::size_t most) {
    const std::size_t n = std::min(most, from.cipher_out().size());
    if (n == 0) return 0;
    std::memcpy(to.cipher_in().prepare(n), from.cipher_out().view().data(), n);
    to.cipher_in().commit(n);
    from.cipher_out().consume_front(n);
    return n;
  }

  /// Shakes hands with at most `piece` bytes at a time; true if both are done.
  bool shake(std::size_t piece) {
    const auto step = [](TlsFilter& side, std::optional<Error>& error) {
      if (error || side.established()) return;
      if (Result<bool> done = side.handshake(); !done.ok()) error = done.error();
    };
    do {
      step(*client, client_error);
      step(*server, server_error);
    } while (carry(*client, *server, piece) + carry(*server, *client, piece) != 0);
    // The client is done first; what the server objects to arrives afterwards.
    if (!client_error && client->established()) {
      base::ReadBuffer none;
      if (auto read = client->read(none); !read.ok()) client_error = read.error();
    }
    return client->established() && server->established() && !client_error && !server_error;
  }
};

class Tls : public testing::Test {
 protected:
  void SetUp() override {
    authority.issue("server", {.common = "ignored.example", .alternatives = "DNS:db.example,IP:127.0.0.1"});
  }
  [[nodiscard]] TlsServerSettings server(const std::string& name = "server") const {
    TlsServerSettings settings;
    settings.certificate = authority.file(name + ".crt");
    settings.key = authority.file(name + ".key");
    return settings;
  }
  [[nodiscard]] TlsSettings client(TlsSettings::Verify verify) const {
    TlsSettings settings;
    settings.verify = verify;
    if (verify != TlsSettings::Verify::none) settings.root_certificate = authority.root();
    return settings;
  }
  /// The error of a handshake with the certificate of that name, or empty.
  std::string shake(const std::string& certificate, TlsSettings::Verify verify, const std::string& host) {
    Pair pair(client(verify), server(certificate), {.server_name = host});
    pair.shake(SIZE_MAX);
    return pair.client_error ? text_of(*pair.client_error) : "";
  }
  Authority authority;
};

using Verify = TlsSettings::Verify;

TEST_F(Tls, CarriesBytesWhateverTheSizeOfThePieces) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, SIZE_MAX}) {
    Pair pair(client(Verify::full), server(), {.server_name = "db.example"});
    ASSERT_TRUE(pair.shake(piece)) << piece;
    Random random(piece);
    std::string text;
    for (int i = 0; i < 100'000; ++i) text.push_back(static_cast<char>(random.next()));
    base::WriteBuffer plain;
    base::ReadBuffer received;
    plain.put(text);
    while (!plain.empty() || !pair.client->cipher_out().empty()) {
      ASSERT_TRUE(pair.client->write(plain, 20'000).ok());
      EXPECT_LT(pair.client->cipher_out().size(), 40'000U);
      Pair::carry(*pair.client, *pair.server, std::max<std::size_t>(piece, 100));
      ASSERT_TRUE(pair.server->read(received).ok());
    }
    EXPECT_EQ(received.readable(), text);
    pair.client->shutdown();
    Pair::carry(*pair.client, *pair.server, SIZE_MAX);
    auto state = pair.server->read(received);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ(*state, TlsFilter::ReadState::closed);
  }
}

TEST_F(Tls, StallsUntilTheRestArrives) {
  Pair pair(client(Verify::full), server(), {.server_name = "db.example"});
  ASSERT_FALSE(*pair.client->handshake());
  const std::size_t hello = pair.client->cipher_out().size();
  Pair::carry(*pair.client, *pair.server, hello - 1);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(*pair.server->handshake());
  EXPECT_TRUE(pair.server->cipher_out().empty());
  EXPECT_TRUE(pair.shake(SIZE_MAX));
}

TEST_F(Tls, TellsVersionCipherProtocolAndTheHashForChannelBinding) {
  Pair pair(client(Verify::full), server(), {.server_name = "db.example"});
  ASSERT_TRUE(pair.shake(SIZE_MAX));
  const TlsInfo& info = pair.client->info();
  EXPECT_EQ(info.version, "TLSv1.3");
  EXPECT_FALSE(info.cipher.empty());
  EXPECT_GE(info.bits, 128);
  EXPECT_EQ(info.alpn, "postgresql");

  FILE* in = std::fopen(authority.file("server.crt").c_str(), "r");
  X509* certificate = PEM_read_X509(in, nullptr, nullptr, nullptr);
  std::fclose(in);
  std::array<unsigned char, 32> hash{};
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), hash.data(), &size);
  X509_free(certificate);
  EXPECT_EQ(info.peer_certificate_hash, std::string(hash.begin(), hash.end()));
}

TEST_F(Tls, TheHashIsThatOfTheSignature) {
  authority.issue("sha512", {.alternatives = "DNS:db.example", .digest = "SHA512"});
  Pair pair(client(Verify::full), server("sha512"), {.server_name = "db.example"});
  ASSERT_TRUE(pair.shake(SIZE_MAX));
  EXPECT_EQ(pair.client->info().peer_certificate_hash.size(), 64U);
}

TEST_F(Tls, WithoutVerificationAnybodyMayAnswer) { EXPECT_EQ(shake("server", Verify::none, "elsewhere"), ""); }

TEST_F(Tls, VerifyCaAcceptsAnyNameFromTheAuthority) { EXPECT_EQ(shake("server", Verify::chain, "elsewhere"), ""); }

TEST_F(Tls, VerifyFullChecksNamesAsLibpqDoes) {
  authority.issue("common", {.common = "only.common"});
  authority.issue("wild", {.common = "x", .alternatives = "DNS:*.example"});
  authority.issue("many", {.common = "x", .alternatives = "DNS:a.example,DNS:b.example,DNS:c.example"});
  authority.issue("ip", {.common = "127.0.0.9", .alternatives = "IP:127.0.0.1"});
  EXPECT_EQ(shake("server", Verify::full, "db.example"), "");
  EXPECT_EQ(shake("server", Verify::full, "DB.Example"), "");
  EXPECT_EQ(shake("server", Verify::full, "127.0.0.1"), "");
  EXPECT_EQ(shake("common", Verify::full, "only.common"), "");
  EXPECT_EQ(shake("wild", Verify::full, "a.example"), "");
  EXPECT_EQ(shake("many", Verify::full, "c.example"), "");
  EXPECT_EQ(shake("wild", Verify::full, ".example"),
            "server certificate for \"*.example\" does not match host name \".example\"");
  EXPECT_EQ(shake("wild", Verify::full, "a.b.example"),
            "server certificate for \"*.example\" does not match host name \"a.b.example\"");
  EXPECT_EQ(
      shake("server", Verify::full, "ignored.example"),
      "server certificate for \"db.example\" (and 1 other name) does not match host name \"ignored.example\"");
  EXPECT_EQ(shake("many", Verify::full, "d.example"),
            "server certificate for \"a.example\" (and 2 other names) does not match host name \"d.example\"");
  EXPECT_EQ(shake("ip", Verify::full, "127.0.0.9"),
            "server certificate for \"127.0.0.1\" does not match host name \"127.0.0.9\"");
  EXPECT_EQ(shake("server", Verify::full, ""), "host name must be specified for a verified SSL connection");
}

TEST_F(Tls, AnUnknownAuthorityIsNamed) {
  Authority other("Somebody Else");
  other.issue("server", {.alternatives = "DNS:db.example"});
  TlsServerSettings settings;
  settings.certificate = other.file("server.crt");
  settings.key = other.file("server.key");
  Pair pair(client(Verify::chain), settings, {.server_name = "db.example"});
  EXPECT_FALSE(pair.shake(SIZE_MAX));
  ASSERT_TRUE(pair.client_error);
  EXPECT_EQ(pair.client_error->kind(), ErrorKind::Config);
  EXPECT_NE(text_of(*pair.client_error).find("was not issued by a trusted authority"), std::string::npos);
  EXPECT_NE(text_of(*pair.client_error).find("issuer CN = Somebody Else"), std::string::npos);
  EXPECT_NE(text_of(*pair.client_error).find("sslrootcert"), std::string::npos);
  ASSERT_TRUE(pair.server_error);  // it was told why
  EXPECT_NE(text_of(*pair.server_error).find("alert"), std::string::npos);
}

TEST_F(Tls, ExpiredAndFutureAndRevokedCertificatesAreToldApart) {
  authority.issue("old", {.alternatives = "DNS:db.example", .not_before = -2 * kDay, .not_after = -kDay});
  authority.issue("new", {.alternatives = "DNS:db.example", .not_before = kDay, .not_after = 2 * kDay});
  authority.issue("revoked", {.alternatives = "DNS:db.example"});
  EXPECT_NE(shake("old", Verify::full, "db.example").find("has expired on"), std::string::npos);
  EXPECT_NE(shake("new", Verify::full, "db.example").find("is not valid before"), std::string::npos);
  authority.revoke("revoked");
  TlsSettings settings = client(Verify::full);
  settings.crl_file = authority.file("root.crl");
  {
    Pair pair(settings, server("revoked"), {.server_name = "db.example"});
    EXPECT_FALSE(pair.shake(SIZE_MAX));
    EXPECT_NE(text_of(*pair.client_error).find("has been revoked"), std::string::npos);
  }
  Pair good(settings, server(), {.server_name = "db.example"});
  EXPECT_TRUE(good.shake(SIZE_MAX));
}

TEST_F(Tls, ARootFileThatIsThereIsUsedEvenWithoutVerification) {
  Authority other;
  TlsSettings settings;
  settings.root_certificate = other.root();
  Pair pair(settings, server(), {.server_name = "db.example"});
  EXPECT_FALSE(pair.shake(SIZE_MAX));
  settings.root_certificate = authority.file("missing.crt");
  Pair unchecked(settings, server(), {.server_name = "db.example"});
  EXPECT_TRUE(unchecked.shake(SIZE_MAX));
}

TEST_F(Tls, ClientCertificatesAreCheckedByTheServer) {
  authority.issue("alice", {.common = "alice"});
  TlsServerSettings strict = server();
  strict.client_roots = authority.root();
  TlsSettings settings = client(Verify::full);
  {
    Pair pair(settings, strict, {.server_name = "db.example"});
    EXPECT_FALSE(pair.shake(SIZE_MAX));
    ASSERT_TRUE(pair.client_error);
    EXPECT_NE(text_of(*pair.client_error).find("certificate required"), std::string::npos)
        << pair.client_error->what();
  }
  settings.certificate = authority.file("alice.crt");
  settings.key = authority.file("alice.key");
  settings.client_certificate = TlsSettings::ClientCertificate::require;
  {
    Pair pair(settings, strict, {.server_name = "db.example"});
    EXPECT_TRUE(pair.shake(SIZE_MAX));
  }
  {
    Pair pair(settings, server(), {.server_name = "db.example"});
    EXPECT_FALSE(pair.shake(SIZE_MAX));
    EXPECT_EQ(pair.client_error->message(), "server did not request an SSL certificate");
  }
  settings.client_certificate = TlsSettings::ClientCertificate::disable;
  Pair pair(settings, strict, {.server_name = "db.example"});
  EXPECT_FALSE(pair.shake(SIZE_MAX));
}

TEST_F(Tls, VersionLimitsAreKeptAndNamed) {
  TlsSettings settings = client(Verify::full);
  settings.max_version = "TLSv1.2";
  {
    Pair pair(settings, server(), {.server_name = "db.example"});
    EXPECT_TRUE(pair.shake(SIZE_MAX));
    EXPECT_EQ(pair.client->info().version, "TLSv1.2");
  }
  TlsServerSettings modern = server();
  modern.min_version = "TLSv1.3";
  Pair pair(settings, modern, {.server_name = "db.example"});
  EXPECT_FALSE(pair.shake(SIZE_MAX));
  EXPECT_NE(text_of(*pair.client_error).find("between TLSv1.2 and TLSv1.2"), std::string::npos)
      << pair.client_error->what();
  settings.min_version = "TLSv1.3";
  EXPECT_NE(text_of(TlsContext::client(settings).error()).find("TLSv1.3 is newer than TLSv1.2"), std::string::npos);
  settings.min_version = "SSLv3";
  EXPECT_NE(text_of(TlsContext::client(settings).error()).find("\"SSLv3\""), std::string::npos);
}

TEST_F(Tls, WrongFilesAreNamedWhenTheContextIsMade) {
  authority.issue("alice", {.common = "alice"});
  authority.issue("locked", {.common = "locked"}, "sesame");
  const auto error = [this](auto change) {
    TlsSettings settings = client(Verify::full);
    settings.certificate = authority.file("alice.crt");
    settings.key = authority.file("alice.key");
    change(settings);
    auto context = TlsContext::client(settings);
    return context.ok() ? std::string() : text_of(context.error());
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_EQ(error([](TlsSettings&) {}), "");
  EXPECT_TRUE(
      has(error([&](TlsSettings& s) { s.root_certificate = authority.file("none"); }), "none\" does not exist"));
  EXPECT_TRUE(has(error([](TlsSettings& s) { s.root_certificate.clear(); }), "sslrootcert=system"));
  EXPECT_TRUE(has(error([&](TlsSettings& s) { s.root_certificate = authority.file("alice.key"); }),
                  "could not read root certificate file"));
  EXPECT_TRUE(has(error([](TlsSettings& s) {
                    s.root_certificate = "system";
                    s.verify = Verify::chain;
                  }),
                  "weak sslmode"));
  EXPECT_EQ(error([](TlsSettings& s) { s.root_certificate = "system"; }), "");
  EXPECT_TRUE(has(error([&](TlsSettings& s) { s.certificate = authority.file("none.crt"); }),
                  "could not read certificate file"));
  EXPECT_TRUE(has(error([&](TlsSettings& s) { s.key = authority.file("none.key"); }),
                  "certificate present, but not private key file"));
  EXPECT_TRUE(
      has(error([&](TlsSettings& s) { s.key = authority.file("server.key"); }), "does not match private key file"));
  EXPECT_TRUE(has(error([&](TlsSettings& s) { s.crl_file = authority.file("none.crl"); }),
                  "could not read certificate revocation list file"));
  const auto locked = [&](const char* password) {
    return error([&](TlsSettings& s) {
      s.certificate = authority.file("locked.crt");
      s.key = authority.file("locked.key");
      s.key_password = Secret(password);
    });
  };
  EXPECT_EQ(locked("sesame"), "");
  EXPECT_TRUE(has(locked("wrong"), "is sslpassword right?"));
  EXPECT_TRUE(has(locked(""), "give sslpassword"));
  EXPECT_FALSE(has(locked("wrong-secret"), "wrong-secret"));
}

TEST_F(Tls, AKeyThatOthersCanReadIsRefused) {
  authority.issue("alice", {.common = "alice"});
  TlsSettings settings = client(Verify::full);
  settings.certificate = authority.file("alice.crt");
  settings.key = authority.file("alice.key");
  const bool root = ::geteuid() == 0;
  for (const auto& [mode, fine] : {std::pair(0600U, true), std::pair(0400U, true), std::pair(0640U, root),
                                   std::pair(0644U, false), std::pair(0660U, false)}) {
    ::chmod(settings.key.c_str(), mode);
    auto context = TlsContext::client(settings);
    EXPECT_EQ(context.ok(), fine) << std::oct << mode;
    if (!context.ok()) {
      EXPECT_NE(text_of(context.error()).find("has group or world access"), std::string::npos);
      EXPECT_NE(text_of(context.error()).find("chmod 600"), std::string::npos);
    }
  }
  if (root) {  // a key of the current user, who is not root, may not be read by his group either
    ::chmod(settings.key.c_str(), 0640);
    ASSERT_EQ(::chown(settings.key.c_str(), 65534, 65534), 0);
    EXPECT_FALSE(TlsContext::client(settings).ok());
  }
}

TEST_F(Tls, DirectTlsInsistsOnTheProtocolsName) {
  const TlsOptions direct{.server_name = "db.example", .alpn = TlsOptions::Alpn::require};
  {
    Pair pair(client(Verify::full), server(), direct);
    EXPECT_TRUE(pair.shake(SIZE_MAX));
  }
  // A server that ignores the name, as any other TLS service would.
  Pair pair(client(Verify::full), server(), direct);
  auto context = TlsContext::server(server());
  ASSERT_TRUE(context.ok());
  SSL_CTX_set_alpn_select_cb((*context)->native().context.get(), nullptr, nullptr);
  pair.server = std::move(*TlsFilter::create(*context, {}));
  EXPECT_FALSE(pair.shake(SIZE_MAX));
  ASSERT_TRUE(pair.client_error);
  EXPECT_NE(text_of(*pair.client_error).find("without ALPN"), std::string::npos);
}

TEST_F(Tls, GarbageInsteadOfAHandshakeIsAnErrorNotAHang) {
  Pair pair(client(Verify::full), server(), {.server_name = "db.example"});
  ASSERT_FALSE(*pair.client->handshake());
  const std::string garbage = "HTTP/1.1 400 Bad Request\r\n\r\n";
  std::memcpy(pair.client->cipher_in().prepare(garbage.size()), garbage.data(), garbage.size());
  pair.client->cipher_in().commit(garbage.size());
  auto result = pair.client->handshake();
  ASSERT_FALSE(result.ok());
  EXPECT_NE(text_of(result.error()).find("SSL error: wrong version number"), std::string::npos);
}

// ---- over real sockets

struct Recorder final : Stream::Handler {
  std::string received;
  std::optional<Error> closed;
  AsyncEvent changed;
  void on_data(base::ReadBuffer& in) noexcept override {
    received.append(in.readable());
    in.consume(in.size());
    changed.notify();
  }
  void on_closed(const Error& error) noexcept override {
    closed = error;
    changed.notify();
  }
  Task<void> bytes(std::size_t n) {
    while (received.size() < n) co_await changed.wait();
  }
  Task<void> end() {
    while (!closed) co_await changed.wait();
  }
};

template <class Body>
void on_shard(Body body) {
  Shard shard;
  shard.run_until_complete(with_timeout(body(), 30s));
}

TimePoint soon() { return deadline_after(now(), 20s); }

struct Connected {
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
  Recorder at_client;
  Recorder at_server;
};

Task<void> connect(Connected& both) {
  auto listener = std::move(*Listener::open(*SocketAddress::ip("127.0.0.1", 0)));
  auto [client, server] = co_await all(Stream::connect(listener->address(), {}, soon()), listener->accept());
  both.client = std::move(*client);
  both.server = std::move(*server);
}

TEST_F(Tls, AStreamChangesToTlsAfterWordsInTheClear) {
  on_shard([this]() -> Task<void> {
    Connected both;
    co_await connect(both);
    both.client->start(&both.at_client);
    both.server->start(&both.at_server);
    both.client->out().put("SSLRequest");
    both.client->flush_soon();
    co_await both.at_server.bytes(10);
    both.server->out().put("S");
    both.server->flush_now();
    co_await both.at_client.bytes(1);
    auto [a, b] = co_await all(
        both.client->start_tls(*TlsContext::client(client(Verify::full)), {.server_name = "127.0.0.1"}, soon()),
        both.server->start_tls(*TlsContext::server(server()), {}, soon()));
    EXPECT_TRUE(a.ok()) << a.error().what();
    EXPECT_TRUE(b.ok()) << b.error().what();
    EXPECT_TRUE(both.client->is_tls());
    EXPECT_EQ(both.client->tls()->version, "TLSv1.3");
    std::string block(3'000'000, '\0');
    Random random(3);
    for (char& c : block) c = static_cast<char>(random.next());
    both.client->out().put(block);
    both.client->flush_soon();
    both.server->out().put(block);
    both.server->flush_soon();
    co_await all(both.at_server.bytes(10 + block.size()), both.at_client.bytes(1 + block.size()));
    EXPECT_TRUE(both.at_server.received == "SSLRequest" + block);
    EXPECT_TRUE(both.at_client.received == "S" + block);
    // After much came much less; the buffers that shrank meanwhile lose nothing.
    for (int i = 0; i < 500; ++i) {
      both.server->out().put("small");
      both.server->flush_soon();
      co_await both.at_client.bytes(1 + block.size() + 5 * (i + 1));
    }
    EXPECT_TRUE(both.at_client.received.ends_with("smallsmall"));
    both.client->close();
    co_await both.at_server.end();
    EXPECT_EQ(both.at_server.closed->message(), "server closed the connection unexpectedly");
  });
}

TEST_F(Tls, AnEncryptedStreamMovesWithItsKeys) {
  on_shard([this]() -> Task<void> {
    Connected both;
    co_await connect(both);
    auto [a, b] = co_await all(
        both.client->start_tls(*TlsContext::client(client(Verify::full)), {.server_name = "127.0.0.1"}, soon()),
        both.server->start_tls(*TlsContext::server(server()), {}, soon()));
    EXPECT_TRUE(a.ok() && b.ok());
    both.client->start(&both.at_client);
    both.server->start(&both.at_server);
    both.client->out().put("before");
    both.client->flush_soon();
    co_await both.at_server.bytes(6);
    StreamParcel parcel = both.server->detach();
    EXPECT_TRUE(parcel.is_tls());
    both.client->out().put(" after");
    both.client->flush_soon();
    both.server = std::move(*Stream::attach(std::move(parcel)));
    EXPECT_TRUE(both.server->is_tls());
    both.server->start(&both.at_server);
    co_await both.at_server.bytes(12);
    EXPECT_EQ(both.at_server.received, "before after");
    both.server->out().put("answer");
    both.server->flush_soon();
    co_await both.at_client.bytes(6);
    EXPECT_EQ(both.at_client.received, "answer");
  });
}

TEST_F(Tls, DirectTlsNeedsNoWordsBefore) {
  on_shard([this]() -> Task<void> {
    Connected both;
    co_await connect(both);
    auto [a, b] = co_await all(
        both.client->start_tls(*TlsContext::client(client(Verify::full)),
                               {.server_name = "127.0.0.1", .alpn = TlsOptions::Alpn::require}, soon()),
        both.server->start_tls(*TlsContext::server(server()), {}, soon()));
    EXPECT_TRUE(a.ok() && b.ok());
    both.client->start(&both.at_client);
    both.server->start(&both.at_server);
    both.client->out().put("hello");
    both.client->flush_soon();
    co_await both.at_server.bytes(5);
    EXPECT_EQ(both.at_server.received, "hello");
  });
}

TEST_F(Tls, BytesInTheClearBehindTheAnswerAreFatal) {
  on_shard([this]() -> Task<void> {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    auto stream = std::move(*Stream::adopt(fds[0]));
    struct TakesOne final : Stream::Handler {
      AsyncEvent taken;
      void on_data(base::ReadBuffer& in) noexcept override {
        if (!taken.is_set()) in.consume(1);
        taken.set();
      }
      void on_closed(const Error&) noexcept override {}
    } handler;
    stream->start(&handler);
    EXPECT_EQ(::send(fds[1], "Sinjected", 9, 0), 9);
    co_await handler.taken.wait();
    auto result = co_await stream->start_tls(*TlsContext::client(client(Verify::none)), {}, soon());
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.error().message(), "received unencrypted data after SSL response");
    EXPECT_FALSE(stream->is_open());
    ::close(fds[1]);
  });
}

TEST_F(Tls, APeerThatStallsInTheHandshakeEndsAtTheDeadline) {
  on_shard([this]() -> Task<void> {
    Connected both;
    co_await connect(both);
    auto result =
        co_await both.client->start_tls(*TlsContext::client(client(Verify::none)), {}, deadline_after(now(), 10ms));
    EXPECT_FALSE(result.ok());
    EXPECT_NE(result.error().message().find("timeout expired"), std::string_view::npos);
    EXPECT_FALSE(both.client->is_open());
  });
}

TEST_F(Tls, APeerThatHangsUpInTheHandshakeIsToldAsThat) {
  on_shard([this]() -> Task<void> {
    Connected both;
    co_await connect(both);
    const auto hang_up = [](Stream& server) -> Task<void> {
      co_await sleep(2ms);
      ::shutdown(server.native_handle(), SHUT_WR);
    };
    auto [result, ignored] = co_await all(
        both.client->start_tls(*TlsContext::client(client(Verify::none)), {}, soon()), hang_up(*both.server));
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.error().message(), "server closed the connection during the TLS handshake");
  });
}

TEST_F(Tls, AStreamMayGoWhileItShakesHands) {
  on_shard([this]() -> Task<void> {
    Connected both;
    co_await connect(both);
    const auto drop = [](Connected& at) -> Task<void> {
      co_await sleep(2ms);
      at.client.reset();
    };
    auto [result, ignored] =
        co_await all(both.client->start_tls(*TlsContext::client(client(Verify::none)), {}, soon()), drop(both));
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind(), ErrorKind::Closed);
    // And the other way round: the handshake is dropped, which closes the stream.
    co_await connect(both);
    co_await any(both.client->start_tls(*TlsContext::client(client(Verify::none)), {}, soon()), sleep(2ms));
    EXPECT_FALSE(both.client->is_open());
  });
}

TEST_F(Tls, AnUntrustedServerIsRefusedOverTheWire) {
  on_shard([this]() -> Task<void> {
    Connected both;
    co_await connect(both);
    auto [a, b] = co_await all(
        both.client->start_tls(*TlsContext::client(client(Verify::full)), {.server_name = "other.example"}, soon()),
        both.server->start_tls(*TlsContext::server(server()), {}, soon()));
    EXPECT_FALSE(a.ok());
    EXPECT_NE(text_of(a.error()).find("does not match host name \"other.example\""), std::string::npos);
  });
}

}  // namespace
}  // namespace switchyard::runtime
