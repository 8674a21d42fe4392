// The two sides of a connection's beginning, against each other and against bytes that no client should send.
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/messages/session.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>
#include <switchyard/protocol/server_startup.hpp>
#include <switchyard/protocol/startup.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace switchyard::protocol {
namespace {

using Action = ServerStartupAction;
constexpr std::size_t kNever = static_cast<std::size_t>(-1);

ScramVerifier verifier_of(const std::string& password) {
  return ScramVerifier::make(Secret(password), "0123456789abcdef", 2);
}
Md5Login md5_of(const std::string& password, const std::string& user) {
  return {Secret("md5" + *crypto::md5_hex(password + user))};
}

void append(base::ReadBuffer& to, std::string_view bytes) {
  std::memcpy(to.prepare(bytes.size() + 1), bytes.data(), bytes.size());
  to.commit(bytes.size());
}

struct Parameters final : SessionEvents {
  std::vector<std::pair<std::string, std::string>> seen;
  void on_parameter_status(std::string_view name, std::string_view value) noexcept override {
    seen.emplace_back(name, value);
  }
};

/// libpq's counterpart and the gateway's, with a wire between them that cuts and damages.
struct Meeting {
  StartupOptions client_options;
  bool offers_tls = false;
  LoginMethod method;
  std::size_t piece = kNever;
  std::size_t damage_at = kNever;  ///< a byte of the client
  char damage = 0;

  // Afterwards.
  bool client_ready = false;
  bool admitted = false;
  bool stuck = false;  ///< both wait
  std::string client_error;
  std::string server_error;
  std::string authentication;
  std::size_t client_bytes = 0;
  std::string client_stream;  ///< as it was before the damage
  BackendKey key;
  LoginRequest login;
  std::vector<std::pair<std::string, std::string>> parameters;

  void run() {
    base::WriteBuffer from_client;
    base::WriteBuffer from_server;
    base::ReadBuffer to_client;
    base::ReadBuffer to_server;
    Parameters events;
    StartupMachine client(client_options, from_client, [] { return std::string("clientnonce"); });
    ServerStartupMachine server({.tls = offers_tls, .random = [](std::size_t n) { return std::string(n, 'r'); }},
                                from_server);
    StartupAction client_action = client.start();
    Action server_action = Action::wait;
    bool tls_client = false;
    bool tls_server = false;
    for (int turn = 0; turn < 20'000; ++turn) {
      bool moved = false;
      if (server_action == Action::decide) {
        login = server.login();
        server_action = server.decide(method);
        moved = true;
      } else if (server_action == Action::admit) {
        static const std::vector<std::pair<std::string, std::string>> kSettings{{"server_version", "15.20"},
                                                                                {"client_encoding", "UTF8"}};
        server.admit(kSettings, {4711, std::string(server.cancel_key_size(), 'k')});
        admitted = true;
        server_action = Action::wait;
        moved = true;
      } else if (server_action == Action::start_tls) {
        tls_server = true;
      }
      if (client_action == StartupAction::start_tls) tls_client = true;
      if (tls_client && tls_server && to_client.size() == 0 && from_server.empty()) {
        EXPECT_EQ(to_server.size(), 0U) << "nothing is sent in the clear any more";
        tls_client = tls_server = false;
        const TlsEndpoint endpoint{.certificate_hash = "hash", .alpn = "postgresql"};
        client_action = client.on_tls_started(endpoint);
        server_action = server.on_tls_started(endpoint);
        moved = true;
      }
      // A piece each way.
      if (!from_server.empty()) {
        append(to_client, from_server.view());
        from_server.clear();
        if (client_action == StartupAction::wait) client_action = client.on_bytes(to_client, events);
        moved = true;
      }
      if (!from_client.empty() && server_action != Action::fail) {
        const std::size_t size = std::min(piece, from_client.size());
        std::string bytes(from_client.view().substr(0, size));
        from_client.consume_front(size);
        client_stream += bytes;
        if (damage_at >= client_bytes && damage_at < client_bytes + size) bytes[damage_at - client_bytes] = damage;
        client_bytes += size;
        append(to_server, bytes);
        if (server_action == Action::wait) server_action = server.on_bytes(to_server);
        moved = true;
      }
      if (client_action == StartupAction::ready || client_action == StartupAction::fail) break;
      if (server_action == Action::fail && from_server.empty()) {
        client_action = client.on_closed(Error(ErrorKind::Unavailable, "closed"));
        break;
      }
      if (server_action == Action::cancel) break;
      if (!moved) {
        stuck = true;
        break;
      }
    }
    client_ready = client_action == StartupAction::ready;
    if (client.error() != nullptr) client_error = client.error()->what();
    if (server.error() != nullptr) server_error = server.error()->sqlstate + " " + server.error()->message;
    if (client_ready) authentication = client.authentication_method();
    key = client.backend_key();
    parameters = events.seen;
  }
};

Meeting meeting(LoginMethod method, const std::string& password = "hunter2") {
  Meeting made;
  made.client_options.user = "alice";
  made.client_options.database = "reference";
  made.client_options.password = Secret(password);
  made.client_options.parameters = {{"application_name", "report"}};
  made.client_options.ssl_mode = SslMode::disable;
  made.method = std::move(method);
  return made;
}

TEST(ServerStartup, LetsInWhoIsTrusted) {
  Meeting met = meeting(TrustLogin());
  met.run();
  EXPECT_TRUE(met.client_ready) << met.client_error << met.server_error;
  EXPECT_EQ(met.login.user, "alice");
  EXPECT_EQ(met.login.database, "reference");
  ASSERT_EQ(met.login.settings.size(), 1U);
  EXPECT_EQ(met.login.settings[0].second, "report");
  EXPECT_EQ(met.key.process_id, 4711);
  EXPECT_EQ(met.key.secret, "kkkk");
  ASSERT_EQ(met.parameters.size(), 2U);
  EXPECT_EQ(met.parameters[1].second, "UTF8");
}

TEST(ServerStartup, SpeaksProtocol32WithLongCancelKeys) {
  Meeting met = meeting(TrustLogin());
  met.client_options.max_protocol_version = kProtocol32;
  met.run();
  EXPECT_TRUE(met.client_ready);
  EXPECT_EQ(met.key.secret.size(), 32U);
}

TEST(ServerStartup, AsksForProofOfThePassword) {
  for (const char* right : {"hunter2", "wrong"}) {
    Meeting scram = meeting(ScramLogin{verifier_of("hunter2")}, right);
    scram.run();
    Meeting md5 = meeting(md5_of("hunter2", "alice"), right);
    md5.run();
    const bool expected = std::string_view(right) == "hunter2";
    EXPECT_EQ(scram.client_ready, expected);
    EXPECT_EQ(md5.client_ready, expected);
    if (expected) {
      EXPECT_EQ(scram.authentication, "scram-sha-256");
      EXPECT_EQ(md5.authentication, "md5");
    } else {
      EXPECT_EQ(scram.server_error, "28P01 password authentication failed for user \"alice\"");
      EXPECT_EQ(md5.server_error, scram.server_error);
      EXPECT_NE(scram.client_error.find("password authentication failed"), std::string::npos) << scram.client_error;
    }
  }
}

TEST(ServerStartup, BindsScramToTheChannelWhereThereIsOne) {
  Meeting met = meeting(ScramLogin{verifier_of("hunter2")});
  met.client_options.ssl_mode = SslMode::require;
  met.offers_tls = true;
  met.run();
  EXPECT_TRUE(met.client_ready) << met.client_error << met.server_error;
  EXPECT_EQ(met.authentication, "scram-sha-256-plus");
}

TEST(ServerStartup, SaysThatThereIsNoTls) {
  Meeting required = meeting(TrustLogin());
  required.client_options.ssl_mode = SslMode::require;
  required.run();
  EXPECT_FALSE(required.client_ready);
  EXPECT_NE(required.client_error.find("SSL"), std::string::npos) << required.client_error;
  Meeting preferred = meeting(TrustLogin());
  preferred.client_options.ssl_mode = SslMode::prefer;
  preferred.run();
  EXPECT_TRUE(preferred.client_ready);
}

TEST(ServerStartup, DoesNotMindHowTheBytesAreCut) {
  for (const std::size_t piece : {1, 2, 3, 7}) {
    Meeting met = meeting(ScramLogin{verifier_of("hunter2")});
    met.client_options.ssl_mode = SslMode::require;
    met.offers_tls = true;
    met.piece = piece;
    met.run();
    EXPECT_TRUE(met.client_ready) << piece << met.client_error << met.server_error;
  }
}

TEST(ServerStartup, ADamagedByteNeverLetsSomebodyIn) {
  Meeting whole = meeting(ScramLogin{verifier_of("hunter2")});
  whole.run();
  ASSERT_TRUE(whole.client_ready);
  base::WriteBuffer packet;
  ASSERT_TRUE(encode(
      packet,
      StartupMessage{kProtocol30, {{"user", "alice"}, {"database", "reference"}, {"application_name", "report"}}}));
  for (std::size_t at = 0; at < whole.client_bytes; ++at) {
    for (const char value : {'\0', '\1', '\x7f', '\xff', 'p', 'X'}) {
      Meeting met = meeting(ScramLogin{verifier_of("hunter2")});
      met.damage_at = at;
      met.damage = value;
      met.run();
      if (whole.client_stream[at] == value) continue;
      // The packet says who wants what; all that follows is proof.
      if (at >= packet.size()) EXPECT_FALSE(met.admitted) << "byte " << at << " as " << int{value};
      if (met.admitted) EXPECT_TRUE(met.client_ready);
    }
  }
}

/// Bytes against the machine alone.
struct Raw {
  explicit Raw(bool tls = false)
      : machine({.tls = tls, .random = [](std::size_t n) { return std::string(n, 'r'); }}, out) {}
  Action feed(std::string_view bytes) {
    append(in, bytes);
    return machine.on_bytes(in);
  }
  std::string told() {
    const Frame frame = next_frame(out.view(), backend_limits());
    if (frame.type != 'E') return "nothing";
    const Result<ServerFields> fields = decode_error_fields(frame.body);
    return fields.ok() ? fields->severity + " " + fields->sqlstate + " " + fields->message : "malformed";
  }
  base::WriteBuffer out;
  base::ReadBuffer in;
  ServerStartupMachine machine;
};

template <class Packet>
std::string bytes_of(const Packet& packet) {
  return testing::encoded(packet);
}
std::string startup(std::vector<std::pair<std::string_view, std::string_view>> parameters,
                    std::uint32_t version = kProtocol30) {
  return bytes_of(StartupMessage{version, std::move(parameters)});
}

TEST(ServerStartup, BytesInFrontOfTheHandshakeAreFatal) {
  Raw raw(true);
  EXPECT_EQ(raw.feed(bytes_of(SslRequest()) + "X"), Action::fail);
  EXPECT_EQ(raw.told(), "FATAL 08P01 received unencrypted data after SSL request");
  Raw gss;
  EXPECT_EQ(gss.feed(bytes_of(GssEncRequest()) + startup({{"user", "a"}})), Action::fail);
  EXPECT_EQ(gss.told(), "FATAL 08P01 received unencrypted data after GSSAPI encryption request");
}

TEST(ServerStartup, EachKindOfEncryptionIsAskedForOnce) {
  Raw raw(true);
  EXPECT_EQ(raw.feed(bytes_of(GssEncRequest())), Action::wait);
  EXPECT_EQ(raw.out.view(), "N");
  raw.out.clear();
  EXPECT_EQ(raw.feed(bytes_of(SslRequest())), Action::start_tls);
  EXPECT_EQ(raw.out.view(), "S");
  raw.out.clear();
  EXPECT_EQ(raw.machine.on_tls_started({.certificate_hash = "", .alpn = ""}), Action::wait);
  EXPECT_EQ(raw.feed(bytes_of(SslRequest())), Action::fail);
  EXPECT_EQ(raw.told(), "FATAL 0A000 unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2");
}

TEST(ServerStartup, TlsMayComeWithoutARequestIfItNamesTheProtocol) {
  const std::string hello("\x16\x03\x01\x02\x00", 5);
  Raw raw(true);
  EXPECT_EQ(raw.feed(hello), Action::start_tls);
  EXPECT_TRUE(raw.machine.direct_tls());
  EXPECT_EQ(raw.in.size(), hello.size());
  EXPECT_TRUE(raw.out.empty());
  raw.in.clear();
  EXPECT_EQ(raw.machine.on_tls_started({.certificate_hash = "", .alpn = "postgresql"}), Action::wait);
  EXPECT_EQ(raw.feed(startup({{"user", "a"}})), Action::decide);

  Raw nameless(true);
  EXPECT_EQ(nameless.feed(hello), Action::start_tls);
  nameless.in.clear();
  EXPECT_EQ(nameless.machine.on_tls_started({}), Action::fail);
  Raw plain;
  EXPECT_EQ(plain.feed(hello), Action::fail);
  EXPECT_EQ(plain.told(), "nothing");
}

TEST(ServerStartup, NegotiatesWhatItDoesNotKnow) {
  Raw raw;
  EXPECT_EQ(raw.feed(startup({{"user", "a"}, {"_pq_.whim", "1"}, {"_pq_.other", "2"}}, 3U << 16 | 9999)),
            Action::decide);
  const Frame frame = next_frame(raw.out.view(), backend_limits());
  ASSERT_EQ(frame.type, 'v');
  const Result<NegotiateProtocolVersion> answer = NegotiateProtocolVersion::decode(frame.body);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->version, kProtocol32);
  EXPECT_EQ(answer->unsupported, (std::vector<std::string_view>{"_pq_.whim", "_pq_.other"}));
  EXPECT_TRUE(raw.machine.login().settings.empty());
  EXPECT_EQ(raw.machine.login().version, kProtocol32);
  EXPECT_EQ(raw.machine.login().database, "a");
}

TEST(ServerStartup, RefusesByName) {
  const struct {
    std::string bytes;
    std::string_view told;
  } cases[] = {
      {startup({{"database", "a"}}), "FATAL 28000 no PostgreSQL user name specified in startup packet"},
      {startup({{"user", "a"}, {"replication", "database"}}),
       "FATAL 0A000 replication connections are not served here"},
      {startup({}, 2U << 16), "FATAL 0A000 unsupported frontend protocol 2.0: server supports 3.0 to 3.2"},
      {startup({}, 4U << 16), "FATAL 0A000 unsupported frontend protocol 4.0: server supports 3.0 to 3.2"},
      {std::string("\0\0\0\x09\0\3\0\0x", 9), "FATAL 08P01 invalid startup packet"},
      {"GET / HTTP/1.1\r\n\r\n", "nothing"},
      {std::string("\0\0\0\4", 4), "nothing"},
      {std::string("\x7f\xff\xff\xff", 4), "nothing"},
  };
  for (const auto& one : cases) {
    Raw raw;
    EXPECT_EQ(raw.feed(one.bytes), Action::fail);
    EXPECT_EQ(raw.told(), one.told);
    EXPECT_NE(raw.machine.error(), nullptr);
    EXPECT_EQ(raw.feed("more"), Action::fail) << "and it stays so";
  }
}

TEST(ServerStartup, AReplicationThatIsOffIsNone) {
  Raw raw;
  EXPECT_EQ(raw.feed(startup({{"user", "a"}, {"replication", "off"}})), Action::decide);
}

TEST(ServerStartup, CancelRequestsCarryKeysOf4To256Bytes) {
  for (const std::size_t size : {4U, 32U, 256U}) {
    Raw raw;
    const std::string secret(size, 's');
    EXPECT_EQ(raw.feed(bytes_of(CancelRequest{7, secret})), Action::cancel);
    EXPECT_EQ(raw.machine.cancel_key().process_id, 7);
    EXPECT_EQ(raw.machine.cancel_key().secret, secret);
    EXPECT_TRUE(raw.out.empty());
  }
}

TEST(ServerStartup, APasswordIsExpectedAndNothingElse) {
  Raw raw;
  ASSERT_EQ(raw.feed(startup({{"user", "a"}})), Action::decide);
  ASSERT_EQ(raw.machine.decide(ScramLogin{verifier_of("x")}), Action::wait);
  raw.out.clear();
  EXPECT_EQ(raw.feed("Q"), Action::fail);
  EXPECT_EQ(raw.told(), "FATAL 08P01 expected password response, got message type 81");

  Raw large;
  ASSERT_EQ(large.feed(startup({{"user", "a"}})), Action::decide);
  ASSERT_EQ(large.machine.decide(md5_of("x", "a")), Action::wait);
  large.out.clear();
  EXPECT_EQ(large.feed(std::string("p\x00\x10\x00\x00", 5)), Action::fail);
  EXPECT_NE(large.told().find("65535"), std::string::npos) << large.told();
}

TEST(ServerStartup, TheTimeToLogInIsLimited) {
  Raw raw;
  ASSERT_EQ(raw.feed(startup({{"user", "a"}})), Action::decide);
  ASSERT_EQ(raw.machine.decide(ScramLogin{verifier_of("x")}), Action::wait);
  raw.out.clear();
  EXPECT_EQ(raw.machine.on_timeout(), Action::fail);
  EXPECT_EQ(raw.told(), "FATAL 57014 canceling authentication due to timeout");
}

TEST(ServerStartup, WhoeverDecidesMayRefuseAtEveryPoint) {
  ServerFields fields;
  fields.sqlstate = "3D000";
  fields.message = "no such database";
  Raw raw;
  ASSERT_EQ(raw.feed(startup({{"user", "a"}})), Action::decide);
  EXPECT_EQ(raw.machine.refuse(fields), Action::fail);
  EXPECT_EQ(raw.told(), "FATAL 3D000 no such database");
  Raw later;
  ASSERT_EQ(later.feed(startup({{"user", "a"}})), Action::decide);
  ASSERT_EQ(later.machine.decide(TrustLogin()), Action::admit);
  later.out.clear();
  EXPECT_EQ(later.machine.refuse(fields), Action::fail);
  EXPECT_EQ(later.told(), "FATAL 3D000 no such database");
}

TEST(ServerStartup, WhatTheClientSendsBehindItsStartupStaysForTheSession) {
  Raw raw;
  const std::string query = testing::encoded(Query{"SELECT 1"});
  ASSERT_EQ(raw.feed(startup({{"user", "a"}}) + query), Action::decide);
  ASSERT_EQ(raw.machine.decide(TrustLogin()), Action::admit);
  raw.machine.admit({}, {1, "abcd"});
  EXPECT_TRUE(raw.machine.done());
  EXPECT_EQ(raw.in.readable(), query);
}

}  // namespace
}  // namespace switchyard::protocol
