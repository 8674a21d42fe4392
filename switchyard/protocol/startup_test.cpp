#include <switchyard/protocol/startup.hpp>

#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>
#include <switchyard/protocol/scram_server.hpp>
#include <switchyard/protocol/testing/startup_script.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace switchyard::inline v0::protocol {
namespace {

using namespace testing;  // NOLINT: scripts read better
using Action = StartupAction;

const std::string kPassword = "pencil";
const std::string kCertificateHash(32, 'h');

StartupOptions options(SslMode mode = SslMode::disable) {
  StartupOptions options;
  options.user = "ann";
  options.database = "shop";
  options.password = Secret(kPassword);
  options.ssl_mode = mode;
  return options;
}

std::string startup_message(ProtocolVersion version = kProtocol30) {
  return encoded(StartupMessage{version, {{"user", "ann"}, {"database", "shop"}}});
}
const std::string kSslRequest = encoded(SslRequest());
const std::string kEnd = parameter_status("server_version", "15.20") + backend_key(42, "key!") + ready();

/// Plays the server's part of SCRAM: what it says next depends on what the client said.
StartupScript& scram(StartupScript& script, Action last, bool plus = false, bool plus_offered = false,
                     std::string certificate_hash = kCertificateHash, std::uint32_t iterations = 16) {
  auto server = std::make_shared<std::optional<ScramServer>>();
  std::vector<std::string_view> mechanisms{"SCRAM-SHA-256"};
  if (plus_offered) mechanisms.insert(mechanisms.begin(), "SCRAM-SHA-256-PLUS");
  script.server(sasl(mechanisms), Action::wait);
  script.server(
      [=](std::string_view sent) {
        ScramServer::Options server_options;
        server_options.plus = plus;
        server_options.plus_offered = plus_offered;
        server_options.certificate_hash = certificate_hash;
        server_options.nonce = [] { return std::string("servernonce"); };
        server->emplace(ScramVerifier::make(Secret(kPassword), "saltsalt", iterations), server_options);
        if (sent.size() < 5) return error_response("28000", "FATAL", "nothing was sent");
        const auto message = SASLInitialResponse::decode(sent.substr(5));
        if (!message.ok() || !message->data ||
            message->mechanism != (plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256")) {
          return error_response("28000", "FATAL", "not the expected mechanism");
        }
        const auto answer = (*server)->start(*message->data);
        return answer.ok() ? authentication(Authentication::SASLContinue, *answer)
                           : error_response("28P01", "FATAL");
      },
      Action::wait);
  script.server(
      [=](std::string_view sent) {
        const auto answer = sent.size() < 5 ? Result<std::string>(Error(ErrorKind::Protocol, "nothing sent"))
                                            : (*server)->finish(sent.substr(5));
        if (!answer.ok()) return error_response("28P01", "FATAL", std::string(answer.error().message()));
        return authentication(Authentication::SASLFinal, *answer) + authentication(Authentication::Ok) + kEnd;
      },
      last);
  return script;
}

// ---- Plain startups -------------------------------------------------------------------------------------------

TEST(Startup, TrustLeadsStraightToReadyForQuery) {
  StartupScript(options())
      .start(Action::wait)
      .sends(startup_message())
      .server(authentication(0) + notice_response("welcome") + kEnd, Action::ready)
      .check([](const StartupMachine& machine) {
        EXPECT_EQ(machine.backend_key().process_id, 42);
        EXPECT_EQ(machine.backend_key().secret, "key!");
        EXPECT_EQ(machine.protocol_version(), kProtocol30);
        EXPECT_EQ(machine.transaction_status(), 'I');
        EXPECT_EQ(machine.authentication_method(), "trust");
        EXPECT_FALSE(machine.used_password());
        EXPECT_FALSE(machine.used_tls());
      })
      .run();
}

TEST(Startup, SettingsAreReportedAndBytesBehindReadyForQueryAreLeft) {
  struct Events final : SessionEvents {
    std::string seen;
    void on_parameter_status(std::string_view name, std::string_view value) noexcept override {
      seen += std::string(name) + "=" + std::string(value) + ";";
    }
  } events;
  base::WriteBuffer out;
  StartupMachine machine(options(), out);
  ASSERT_EQ(machine.start(), Action::wait);
  base::ReadBuffer in;
  const std::string bytes =
      authentication(0) + parameter_status("a", "1") + parameter_status("b", "2") + ready() + "A";
  std::memcpy(in.prepare(bytes.size()), bytes.data(), bytes.size());
  in.commit(bytes.size());
  ASSERT_EQ(machine.on_bytes(in, events), Action::ready);
  EXPECT_EQ(events.seen, "a=1;b=2;");
  EXPECT_EQ(in.readable(), "A");
}

TEST(Startup, FurtherParametersGoIntoTheStartupMessage) {
  auto with = options();
  with.database.clear();
  with.parameters = {{"application_name", "shop-main"}, {"options", "-c a=b"}};
  StartupScript(with)
      .start(Action::wait)
      .sends(encoded(
          StartupMessage{kProtocol30, {{"user", "ann"}, {"application_name", "shop-main"}, {"options", "-c a=b"}}}))
      .run();
}

TEST(Startup, OptionsThatCantWorkAreRefusedBeforeAnythingIsSent) {
  struct Case {
    std::function<void(StartupOptions&)> change;
    std::string text;
  };
  const std::string nul("a\0b", 3);
  const std::vector<Case> cases{
      {[](auto& o) { o.user.clear(); }, "no PostgreSQL user name specified"},
      {[&](auto& o) { o.user = nul; }, "the user name holds a zero byte"},
      {[&](auto& o) { o.database = nul; }, "the database name holds a zero byte"},
      {[&](auto& o) { o.parameters = {{"options", nul}}; }, "a startup parameter holds a zero byte"},
      {[&](auto& o) { o.parameters = {{nul, "x"}}; }, "a startup parameter holds a zero byte"},
      {[](auto& o) { o.parameters = {{"", "x"}}; }, "a startup parameter has no name"},
      {[](auto& o) { o.parameters = {{"options", std::string(10'000, 'x')}}; },
       "the startup parameters take more than the 10000 bytes that PostgreSQL accepts"},
      {[](auto& o) { o.gss_enc_mode = GssEncMode::require; },
       "gssencmode=require is not supported: there is no GSSAPI encryption in this build"},
      {[](auto& o) {
         o.ssl_mode = SslMode::prefer;
         o.ssl_negotiation = SslNegotiation::direct;
       },
       "weak sslmode \"prefer\" may not be used with sslnegotiation=direct (use \"require\", \"verify-ca\", or "
       "\"verify-full\")"},
      {[](auto& o) { o.min_protocol_version = kProtocol32; },
       "min_protocol_version is greater than max_protocol_version"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.text);
    auto changed = options();
    one.change(changed);
    StartupScript(changed).start(Action::fail).sends("").error(ErrorKind::Config, one.text).run();
  }
}

// ---- Encryption -----------------------------------------------------------------------------------------------

TEST(Startup, RequireRefusesAServerWithoutTls) {
  for (const SslMode mode : {SslMode::require, SslMode::verify_ca, SslMode::verify_full}) {
    StartupScript(options(mode))
        .start(Action::wait)
        .sends(kSslRequest)
        .server("N", Action::fail)
        .error(ErrorKind::Config,
               "server does not support SSL, but SSL was required (sslmode=" + std::string(to_string(mode)) + ")")
        .run();
  }
}

TEST(Startup, RequireContinuesUnderTls) {
  StartupScript(options(SslMode::require))
      .start(Action::wait)
      .sends(kSslRequest)
      .server("S", Action::start_tls)
      .sends("")
      .tls_started({}, Action::wait)
      .sends(startup_message())
      .server(authentication(0) + kEnd, Action::ready)
      .check([](const StartupMachine& machine) { EXPECT_TRUE(machine.used_tls()); })
      .run();
}

TEST(Startup, PreferTakesWhatTheServerHas) {
  StartupScript(options(SslMode::prefer))
      .start(Action::wait)
      .sends(kSslRequest)
      .server("N", Action::wait)
      .sends(startup_message())
      .server(authentication(0) + kEnd, Action::ready)
      .run();
}

TEST(Startup, PreferTriesAgainInTheClearWhenTlsFails) {
  StartupScript(options(SslMode::prefer))
      .start(Action::wait)
      .server("S", Action::start_tls)
      .tls_failed(Action::reconnect)
      .start(Action::wait)
      .sends(startup_message())
      .server(authentication(0) + kEnd, Action::ready)
      .check([](const StartupMachine& machine) { EXPECT_FALSE(machine.used_tls()); })
      .run();
  StartupScript(options(SslMode::require))
      .start(Action::wait)
      .server("S", Action::start_tls)
      .tls_failed(Action::fail)
      .error(ErrorKind::Unavailable, "handshake failed")
      .run();
}

TEST(Startup, PreferTriesAgainInTheClearWhenTheServerRefusesTheUserUnderTls) {
  StartupScript(options(SslMode::prefer))
      .start(Action::wait)
      .server("S", Action::start_tls)
      .tls_started({}, Action::wait)
      .server(error_response("28000", "FATAL", "no pg_hba.conf entry, SSL encryption"), Action::reconnect)
      .start(Action::wait)
      .sends(startup_message())
      .server(error_response("28000", "FATAL", "no pg_hba.conf entry, no encryption"), Action::fail)
      .check([](const StartupMachine& machine) {
        EXPECT_EQ(machine.error()->message(), "FATAL 28000: no pg_hba.conf entry, no encryption");
        EXPECT_EQ(machine.error()->hint(),
                  "the attempt with TLS failed before: FATAL 28000: no pg_hba.conf entry, SSL encryption");
        EXPECT_EQ(machine.error()->sqlstate(), "28000");
        EXPECT_FALSE(machine.error()->session_alive());
      })
      .run();
}

TEST(Startup, AllowTriesTlsWhenTheServerRefusesTheUserInTheClear) {
  StartupScript(options(SslMode::allow))
      .start(Action::wait)
      .sends(startup_message())
      .server(error_response("28000", "FATAL"), Action::reconnect)
      .start(Action::wait)
      .sends(kSslRequest)
      .server("S", Action::start_tls)
      .tls_started({}, Action::wait)
      .server(authentication(0) + kEnd, Action::ready)
      .run();
  // Without TLS there the first refusal is what matters.
  StartupScript(options(SslMode::allow))
      .start(Action::wait)
      .server(error_response("28000", "FATAL"), Action::reconnect)
      .start(Action::wait)
      .server("N", Action::fail)
      .error(ErrorKind::Server, "FATAL 28000: refused")
      .run();
}

TEST(Startup, ErrorsThatEncryptionCantCureAreNotTriedTwice) {
  for (const std::string state : {"53300", "57P03", "3D000"}) {
    StartupScript(options(SslMode::allow))
        .start(Action::wait)
        .server(error_response(state, "FATAL"), Action::fail)
        .error(ErrorKind::Server, "FATAL " + state + ": refused")
        .run();
  }
}

TEST(Startup, AfterAuthenticationThereIsNoSecondAttempt) {
  StartupScript(options(SslMode::allow))
      .start(Action::wait)
      .server(authentication(0) + error_response("28000", "FATAL"), Action::fail)
      .error(ErrorKind::Server, "FATAL 28000: refused")
      .run();
}

TEST(Startup, AUnixSocketHasNoTlsWhateverSslmodeSays) {
  auto with = options(SslMode::verify_full);
  with.unix_socket = true;
  StartupScript(with)
      .start(Action::wait)
      .sends(startup_message())
      .server(authentication(0) + kEnd, Action::ready)
      .run();
}

TEST(Startup, BytesBehindTheAnswerToSslRequestAreFatal) {
  base::WriteBuffer out;
  for (const std::string answer : {"Sx", "Nx"}) {
    StartupMachine machine(options(SslMode::prefer), out);
    ASSERT_EQ(machine.start(), Action::wait);
    base::ReadBuffer in;
    std::memcpy(in.prepare(2), answer.data(), 2);
    in.commit(2);
    SessionEvents events;
    EXPECT_EQ(machine.on_bytes(in, events), Action::fail);
    EXPECT_EQ(machine.error()->kind(), ErrorKind::Protocol);
  }
}

TEST(Startup, AnErrorInAnswerToSslRequestIsNeverShown) {
  base::WriteBuffer out;
  StartupMachine machine(options(SslMode::prefer), out);
  ASSERT_EQ(machine.start(), Action::wait);
  base::ReadBuffer in;
  const std::string bytes = error_response("28000", "FATAL", "visit evil.example.org");
  std::memcpy(in.prepare(bytes.size()), bytes.data(), bytes.size());
  in.commit(bytes.size());
  SessionEvents events;
  ASSERT_EQ(machine.on_bytes(in, events), Action::fail);
  EXPECT_EQ(machine.error()->message(), "server sent an error response during SSL exchange");
}

TEST(Startup, AnswersToSslRequestThatAreNoneAreNamed) {
  StartupScript(options(SslMode::prefer))
      .start(Action::wait)
      .server("H", Action::fail)
      .error(ErrorKind::Protocol, "received invalid response to SSL negotiation: 'H'")
      .run();
}

TEST(Startup, DirectTlsNeedsAlpn) {
  auto with = options(SslMode::require);
  with.ssl_negotiation = SslNegotiation::direct;
  StartupScript(with)
      .start(Action::start_tls)
      .sends("")
      .tls_started({.certificate_hash = {}, .alpn = "postgresql"}, Action::wait)
      .sends(startup_message())
      .server(authentication(0) + kEnd, Action::ready)
      .run();
  StartupScript(with)
      .start(Action::start_tls)
      .tls_started({}, Action::fail)
      .error(ErrorKind::Protocol,
             "direct SSL connection was established without ALPN protocol negotiation extension")
      .run();
}

// ---- Protocol versions ----------------------------------------------------------------------------------------

TEST(Startup, ProtocolThreeTwoHasLongKeys) {
  auto with = options();
  with.max_protocol_version = kProtocol32;
  const std::string key(32, 'k');
  StartupScript(with)
      .start(Action::wait)
      .sends(startup_message(kProtocol32))
      .server(authentication(0) + backend_key(42, key) + ready(), Action::ready)
      .check([&](const StartupMachine& machine) {
        EXPECT_EQ(machine.protocol_version(), kProtocol32);
        EXPECT_EQ(machine.backend_key().secret, key);
      })
      .run();
}

TEST(Startup, AnOlderServerNegotiatesDownToThreeZero) {
  auto with = options();
  with.max_protocol_version = kProtocol32;
  StartupScript(with)
      .start(Action::wait)
      .server(encoded(NegotiateProtocolVersion{kProtocol30, {}}) + authentication(0) + kEnd, Action::ready)
      .check([](const StartupMachine& machine) { EXPECT_EQ(machine.protocol_version(), kProtocol30); })
      .run();
  with.min_protocol_version = kProtocol32;
  StartupScript(with)
      .start(Action::wait)
      .server(encoded(NegotiateProtocolVersion{kProtocol30, {}}), Action::fail)
      .error(ErrorKind::Config,
             "server only supports protocol version 3.0, but min_protocol_version was set to 3.2")
      .run();
}

TEST(Startup, NegotiationsThatMakeNoSenseAreRefused) {
  auto with = options();
  with.max_protocol_version = kProtocol32;
  const std::string invalid = "received invalid protocol negotiation message: ";
  const auto refuses = [&](NegotiateProtocolVersion message, const std::string& text) {
    SCOPED_TRACE(text);
    StartupScript(with)
        .start(Action::wait)
        .server(encoded(message), Action::fail)
        .error(ErrorKind::Protocol, text)
        .run();
  };
  refuses({kProtocol32 + 1, {}}, invalid + "server requested downgrade to a higher-numbered version");
  refuses({2U << 16, {}}, invalid + "server requested downgrade to pre-3.0 version");
  refuses({kProtocol30 + 1, {}}, invalid + "server requested downgrade to non-existent version 3.1");
  refuses({kProtocol32, {}}, invalid + "server negotiated but asks for no changes");
  refuses({kProtocol30, {"_pq_.x"}}, invalid + "server reported an unsupported parameter that was not requested");
  StartupScript(with)
      .start(Action::wait)
      .server(
          encoded(NegotiateProtocolVersion{kProtocol30, {}}) + encoded(NegotiateProtocolVersion{kProtocol30, {}}),
          Action::fail)
      .error(ErrorKind::Protocol, "received duplicate protocol negotiation message")
      .run();
}

// ---- Authentication -------------------------------------------------------------------------------------------

TEST(Startup, ACleartextPasswordIsSent) {
  StartupScript(options())
      .start(Action::wait)
      .server(authentication(Authentication::CleartextPassword), Action::wait)
      .sends(encoded(PasswordMessage{kPassword}))
      .server(authentication(0) + kEnd, Action::ready)
      .check([](const StartupMachine& machine) {
        EXPECT_EQ(machine.authentication_method(), "password");
        EXPECT_TRUE(machine.used_password());
      })
      .run();
}

TEST(Startup, AnMd5PasswordIsHashedWithUserAndSalt) {
  // md5(md5("pencil" + "ann") + "salt"), computed with md5sum.
  const auto inner = crypto::md5_hex("pencilann");
  ASSERT_TRUE(inner);
  EXPECT_EQ(*inner, "28754acffc5400623f44a44d30b50393");
  StartupScript(options())
      .start(Action::wait)
      .server(authentication(Authentication::MD5Password, "salt"), Action::wait)
      .sends(encoded(PasswordMessage{"md5" + *crypto::md5_hex(*inner + "salt")}))
      .server(authentication(0) + kEnd, Action::ready)
      .run();
}

TEST(Startup, ScramProvesBothSides) {
  StartupScript script(options());
  script.start(Action::wait);
  scram(script, Action::ready).check([](const StartupMachine& machine) {
    EXPECT_EQ(machine.authentication_method(), "scram-sha-256");
  });
  script.run();
}

TEST(Startup, ScramBindsToTheTlsChannelWhenItCan) {
  for (const ChannelBinding binding : {ChannelBinding::prefer, ChannelBinding::require}) {
    auto with = options(SslMode::require);
    with.channel_binding = binding;
    StartupScript script(with);
    script.start(Action::wait)
        .server("S", Action::start_tls)
        .tls_started({.certificate_hash = kCertificateHash, .alpn = "postgresql"}, Action::wait);
    scram(script, Action::ready, true, true).check([](const StartupMachine& machine) {
      EXPECT_EQ(machine.authentication_method(), "scram-sha-256-plus");
    });
    script.run();
  }
}

TEST(Startup, ScramOverTheChannelOfSomebodyElseFails) {
  StartupScript script(options(SslMode::require));
  script.start(Action::wait)
      .server("S", Action::start_tls)
      .tls_started({.certificate_hash = kCertificateHash, .alpn = {}}, Action::wait);
  scram(script, Action::fail, true, true, "another certificate")
      .error(ErrorKind::Server, "FATAL 28P01: SCRAM channel binding check failed");
  script.run();
}

TEST(Startup, ScramUnderTlsWithoutAnOfferOfBindingSaysSo) {
  // The client says "y": a server that did offer it would notice the man in the middle.
  for (const ChannelBinding binding : {ChannelBinding::prefer, ChannelBinding::disable}) {
    auto with = options(SslMode::require);
    with.channel_binding = binding;
    const std::string flag = binding == ChannelBinding::prefer ? "y" : "n";
    StartupScript(with)
        .start(Action::wait)
        .server("S", Action::start_tls)
        .tls_started({.certificate_hash = kCertificateHash, .alpn = {}}, Action::wait)
        .server(sasl({"SCRAM-SHA-256"}), Action::wait)
        .sends(encoded(SASLInitialResponse{"SCRAM-SHA-256", flag + ",,n=,r=clientnonce"}))
        .run();
  }
}

TEST(Startup, ChannelBindingRequireAcceptsNothingElse) {
  struct Case {
    bool tls;
    std::string certificate_hash;
    std::string answer;
    std::string text;
  };
  const std::vector<Case> cases{
      {false, "", sasl({"SCRAM-SHA-256"}), "channel binding required, but SSL not in use"},
      {true, kCertificateHash, sasl({"SCRAM-SHA-256"}),
       "channel binding is required, but server did not offer an authentication method that supports channel "
       "binding"},
      {true, "", sasl({"SCRAM-SHA-256-PLUS"}),
       "channel binding is required, but the server's certificate has no hash to bind to"},
      {true, kCertificateHash, authentication(0),
       "channel binding required, but server authenticated client without channel binding"},
      {true, kCertificateHash, authentication(Authentication::MD5Password, "salt"),
       "channel binding required but not supported by server's authentication request"},
      {true, kCertificateHash, authentication(Authentication::CleartextPassword),
       "channel binding required but not supported by server's authentication request"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.text);
    auto with = options(one.tls ? SslMode::require : SslMode::disable);
    with.channel_binding = ChannelBinding::require;
    StartupScript script(with);
    script.start(Action::wait);
    if (one.tls) {
      script.server("S", Action::start_tls)
          .tls_started({.certificate_hash = one.certificate_hash, .alpn = {}}, Action::wait);
    }
    script.server(one.answer, Action::fail).error(ErrorKind::Config, one.text);
    script.run();
  }
}

TEST(Startup, PlusWithoutTlsIsALie) {
  StartupScript(options())
      .start(Action::wait)
      .server(sasl({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}), Action::fail)
      .error(ErrorKind::Protocol, "server offered SCRAM-SHA-256-PLUS authentication over a non-SSL connection")
      .run();
}

TEST(Startup, RequireAuthRefusesOtherMethods) {
  struct Case {
    std::string require;
    std::string answer;
    std::string text;  ///< empty: accepted
  };
  const std::string cleartext = authentication(Authentication::CleartextPassword);
  const std::string md5 = authentication(Authentication::MD5Password, "salt");
  const std::vector<Case> cases{
      {"scram-sha-256", cleartext, "server requested a cleartext password"},
      {"scram-sha-256", md5, "server requested a hashed password"},
      {"scram-sha-256", authentication(0), "server did not complete authentication"},
      {"scram-sha-256", authentication(Authentication::GSS), "server requested GSSAPI authentication"},
      {"scram-sha-256", authentication(Authentication::SSPI), "server requested SSPI authentication"},
      {"scram-sha-256", authentication(99), "server requested an unknown authentication type"},
      {"scram-sha-256", sasl({"SCRAM-SHA-256"}), ""},
      {"md5,password", sasl({"SCRAM-SHA-256"}), "server requested SASL authentication"},
      {"md5,password", md5, ""},
      {"!password", cleartext, "server requested a cleartext password"},
      {"!password", md5, ""},
      {"none", md5, "server requested a hashed password"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.require + ": " + one.text);
    auto with = options();
    const auto required = RequiredAuth::parse(one.require);
    ASSERT_TRUE(required.ok());
    with.require_auth = *required;
    StartupScript script(with);
    script.start(Action::wait).server(one.answer, one.text.empty() ? Action::wait : Action::fail);
    if (!one.text.empty()) {
      script.error(ErrorKind::Config,
                   "authentication method requirement \"" + one.require + "\" failed: " + one.text);
    }
    script.run();
  }
}

TEST(Startup, MethodsThatAreNotSupportedAreRefusedByName) {
  const auto refuses = [](std::string answer, const std::string& text) {
    StartupScript(options())
        .start(Action::wait)
        .server(std::move(answer), Action::fail)
        .error(ErrorKind::Config, text)
        .run();
  };
  refuses(authentication(Authentication::GSS), "GSSAPI authentication is not supported");
  refuses(authentication(Authentication::SSPI), "SSPI authentication is not supported");
  refuses(authentication(Authentication::KerberosV5), "Kerberos 5 authentication is not supported");
  refuses(authentication(Authentication::SCMCredential), "SCM credential authentication is not supported");
  refuses(authentication(99), "authentication method 99 is not supported");
  refuses(sasl({"OAUTHBEARER"}), "none of the server's SASL authentication mechanisms are supported");
}

TEST(Startup, AServerThatSkipsItsProofIsRefused) {
  // AuthenticationOk instead of SASLContinue, and instead of SASLFinal.
  StartupScript(options())
      .start(Action::wait)
      .server(sasl({"SCRAM-SHA-256"}), Action::wait)
      .server(authentication(0), Action::fail)
      .error(ErrorKind::Protocol, "server sent AuthenticationOk before it had proved that it knows the password")
      .run();
  const std::string challenge = "r=clientnonceX,s=c2FsdA==,i=16";
  StartupScript(options())
      .start(Action::wait)
      .server(sasl({"SCRAM-SHA-256"}), Action::wait)
      .server(authentication(Authentication::SASLContinue, challenge), Action::wait)
      .server(authentication(0), Action::fail)
      .error(ErrorKind::Protocol, "server sent AuthenticationOk before it had proved that it knows the password")
      .run();
  StartupScript(options())
      .start(Action::wait)
      .server(sasl({"SCRAM-SHA-256"}), Action::wait)
      .server(authentication(Authentication::SASLContinue, challenge), Action::wait)
      .server(authentication(Authentication::SASLFinal, "v=" + crypto::base64_encode(std::string(32, 'x'))),
              Action::fail)
      .error(ErrorKind::Protocol, "incorrect server signature: the server does not know the password")
      .run();
}

TEST(Startup, AuthenticationRequestsOutOfOrderAreRefused) {
  StartupScript(options())
      .start(Action::wait)
      .server(authentication(Authentication::SASLContinue, "x"), Action::fail)
      .error(ErrorKind::Protocol, "authentication request 11 while waiting for an authentication request")
      .run();
  StartupScript(options())
      .start(Action::wait)
      .server(authentication(Authentication::CleartextPassword), Action::wait)
      .server(authentication(Authentication::CleartextPassword), Action::fail)
      .error(ErrorKind::Protocol, "authentication request 3 while waiting for the answer to the password")
      .run();
  StartupScript(options())
      .start(Action::wait)
      .server(authentication(0) + authentication(0), Action::fail)
      .error(ErrorKind::Protocol, "unexpected message 'R' while waiting for ReadyForQuery")
      .run();
}

TEST(Startup, TooManyScramIterationsAreRefusedByName) {
  StartupScript(options())
      .start(Action::wait)
      .server(sasl({"SCRAM-SHA-256"}), Action::wait)
      .server(authentication(Authentication::SASLContinue, "r=clientnonceX,s=c2FsdA==,i=100001"), Action::fail)
      .check([](const StartupMachine& machine) {
        EXPECT_EQ(machine.error()->message(),
                  "the server asks for 100001 SCRAM iterations, scram_max_iterations is 100000");
      })
      .run();
}

// ---- Passwords ------------------------------------------------------------------------------------------------

TEST(Startup, APasswordIsAskedForOnlyWhenTheServerWantsOne) {
  auto with = options();
  with.password.reset();
  StartupScript(with)
      .start(Action::wait)
      .server(authentication(Authentication::CleartextPassword), Action::need_password)
      .sends("")
      .password("late", Action::wait)
      .sends(encoded(PasswordMessage{"late"}))
      .server(authentication(0) + kEnd, Action::ready)
      .run();
  StartupScript(with)
      .start(Action::wait)
      .server(authentication(Authentication::CleartextPassword), Action::need_password)
      .password("", Action::fail)
      .error(ErrorKind::Config, "no password supplied: the server asks for one")
      .run();
}

TEST(Startup, PasswordsNeverShowInErrors) {
  auto with = options();
  with.password = Secret(std::string("hunter2\0tail", 12));
  for (const auto& answer : {authentication(Authentication::CleartextPassword),
                             authentication(Authentication::MD5Password, "salt"), sasl({"SCRAM-SHA-256"})}) {
    StartupScript(with)
        .start(Action::wait)
        .server(answer, Action::fail)
        .error(ErrorKind::Config, "the password holds a zero byte")
        .run();
  }
}

// ---- Ends -----------------------------------------------------------------------------------------------------

TEST(Startup, AnErrorOfTheServerKeepsItsFields) {
  StartupScript(options())
      .start(Action::wait)
      .server(error_response("3D000", "FATAL", "database \"shop\" does not exist"), Action::fail)
      .error(ErrorKind::Server, "FATAL 3D000: database \"shop\" does not exist")
      .run();
}

TEST(Startup, SomethingThatIsNoPostgresqlServerIsNamed) {
  StartupScript(options())
      .start(Action::wait)
      .server("HTTP/1.1 400 Bad Request\r\n", Action::fail)
      .error(ErrorKind::Protocol, "expected authentication request from server, but received 'H'")
      .run();
}

TEST(Startup, OversizedMessagesOfAStrangerAreRefusedBeforeTheyAreBuffered) {
  StartupScript(options())
      .start(Action::wait)
      .server(std::string("R\0\1\0\0", 5), Action::fail)
      .error(ErrorKind::Protocol, "message 'R' of 65536 bytes is larger than the 2000 bytes allowed for this type")
      .run();
}

TEST(Startup, WhatAServerMustNotSayDuringStartupIsRefused) {
  const auto refuses = [](const std::string& bytes, const std::string& text) {
    SCOPED_TRACE(text);
    StartupScript(options()).start(Action::wait).server(bytes, Action::fail).error(ErrorKind::Protocol, text).run();
  };
  refuses(ready(), "unexpected message 'Z' while waiting for an authentication request");
  refuses(parameter_status("a", "b"), "unexpected message 'S' while waiting for an authentication request");
  refuses(authentication(0) + row_description({"a"}), "unknown message type 'T'");
  refuses(authentication(0) + backend_key(1, "abcd") + backend_key(1, "abcd"),
          "received a second BackendKeyData message");
  refuses(authentication(0) + backend_key(1, "abcdefgh"), "received a cancel key of 8 bytes, protocol 3.0 has 4");
}

TEST(Startup, SettingsOfAHostileServerAreBounded) {
  base::WriteBuffer out;
  StartupMachine machine(options(), out);
  ASSERT_EQ(machine.start(), Action::wait);
  base::ReadBuffer in;
  std::string bytes = authentication(0);
  for (std::size_t i = 0; i <= kMaxStartupParameters; ++i) bytes += parameter_status("a", "b");
  std::memcpy(in.prepare(bytes.size()), bytes.data(), bytes.size());
  in.commit(bytes.size());
  SessionEvents events;
  EXPECT_EQ(machine.on_bytes(in, events), Action::fail);
  EXPECT_EQ(machine.error()->message(), "more than 1000 ParameterStatus messages during startup");
}

TEST(Startup, AClosedConnectionSaysWhatWasWaitedFor) {
  base::WriteBuffer out;
  StartupMachine machine(options(), out);
  ASSERT_EQ(machine.start(), Action::wait);
  EXPECT_EQ(machine.on_closed(Error(ErrorKind::Unavailable, "server closed the connection")), Action::fail);
  EXPECT_EQ(machine.error()->message(),
            "while waiting for an authentication request: server closed the connection");
  EXPECT_TRUE(machine.error()->retryable());
}

// ---- Spellings of options --------------------------------------------------------------------------------------

TEST(StartupOptionsText, SpellingsAreThoseOfLibpq) {
  EXPECT_EQ(*parse_ssl_mode("verify-full"), SslMode::verify_full);
  EXPECT_EQ(*parse_ssl_negotiation("direct"), SslNegotiation::direct);
  EXPECT_EQ(*parse_gss_enc_mode("prefer"), GssEncMode::prefer);
  EXPECT_EQ(*parse_channel_binding("require"), ChannelBinding::require);
  EXPECT_EQ(*parse_protocol_version("max_protocol_version", "latest"), kProtocol32);
  EXPECT_EQ(
      parse_ssl_mode("strict").error().message(),
      "invalid sslmode value \"strict\": expected one of disable, allow, prefer, require, verify-ca, verify-full");
}

TEST(StartupOptionsText, RequireAuthIsAListOrNegations) {
  EXPECT_FALSE(RequiredAuth::parse("")->restricted());
  EXPECT_TRUE(RequiredAuth::parse("scram-sha-256,md5")->allows(RequiredAuth::md5));
  EXPECT_FALSE(RequiredAuth::parse("scram-sha-256,md5")->allows(RequiredAuth::none));
  EXPECT_TRUE(RequiredAuth::parse("!password,!md5")->allows(RequiredAuth::scram_sha_256));
  EXPECT_FALSE(RequiredAuth::parse("!password,!md5")->allows(RequiredAuth::password));
  for (const std::string_view bad : {"kerberos", "md5,!password", "!password,md5", "md5,md5", "md5,", ","}) {
    EXPECT_FALSE(RequiredAuth::parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace switchyard::inline v0::protocol
