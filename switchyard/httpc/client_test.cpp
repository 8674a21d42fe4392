#include <switchyard/httpc/client.hpp>

#include <switchyard/httpc/testing/scripted_server.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/runtime/tls_native.hpp>
#include <tests/support/tls_files.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::inline v0::httpc {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Server = ScriptedServer;

/// Runs the body on a shard, with a limit so that a mistake does not hang.
template <class Body>
void on_shard(Body body) {
  runtime::Shard shard;
  shard.run_until_complete(with_timeout(body(), 30s));
}

TEST(HttpClient, GetsADocument) {
  on_shard([]() -> Task<void> {
    Server server;
    server.replies.push_back({ok("{\"members\":[]}", "Content-Type: application/json\r\n")});
    Client client;
    auto answer = co_await client.get(server.url("/cluster?x=1"), {.headers = {{"X-Vault-Token", "t"}}});
    EXPECT_TRUE(answer.ok()) << answer.error().what();
    if (!answer.ok()) co_return;
    EXPECT_TRUE(answer->ok());
    EXPECT_EQ(answer->body, "{\"members\":[]}");
    EXPECT_EQ(answer->header("content-type"), "application/json");
    EXPECT_THAT(server.requests.at(0), StartsWith("GET /cluster?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
    EXPECT_THAT(server.requests.at(0), HasSubstr("\r\nX-Vault-Token: t\r\n"));
    EXPECT_THAT(server.requests.at(0), ::testing::Not(HasSubstr("Content-Length")));
  });
}

TEST(HttpClient, PostsABodyWithItsLength) {
  on_shard([]() -> Task<void> {
    Server server;
    server.replies.push_back({"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"});
    Client client;
    auto answer = co_await client.post(server.url("/v1/traces"), "application/json", "{\"a\":1}");
    EXPECT_TRUE(answer.ok() && answer->status == 202 && answer->body == "{}");
    EXPECT_THAT(server.requests.at(0), HasSubstr("\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"));
    EXPECT_THAT(server.requests.at(0), EndsWith("\r\n\r\n{\"a\":1}"));
  });
}

TEST(HttpClient, AnyStatusIsAnAnswer) {
  on_shard([]() -> Task<void> {
    Server server;
    server.replies.push_back({"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"});
    Client client;
    auto answer = co_await client.get(server.url("/primary"));
    EXPECT_TRUE(answer.ok() && answer->status == 503 && !answer->ok());
  });
}

TEST(HttpClient, KeepsOneConnectionPerServer) {
  on_shard([]() -> Task<void> {
    Server server;
    Client client;
    for (int i = 0; i < 3; ++i) {
      server.replies.push_back({ok("x")});
      EXPECT_TRUE((co_await client.get(server.url("/"))).ok());
    }
    EXPECT_EQ(server.connections, 1U);
    EXPECT_EQ(client.idle(), 1U);
    server.replies.push_back({ok("x")});
    server.replies.push_back({ok("x")});
    (void)co_await all(client.get(server.url("/1")), client.get(server.url("/2")));
    EXPECT_EQ(server.connections, 2U);
    EXPECT_EQ(client.idle(), 1U);
  });
}

TEST(HttpClient, DoesNotKeepAConnectionThatTheServerWillClose) {
  on_shard([]() -> Task<void> {
    Server server;
    Client client;
    server.replies.push_back({ok("x", "Connection: close\r\n")});
    EXPECT_TRUE((co_await client.get(server.url("/"))).ok());
    EXPECT_EQ(client.idle(), 0U);
    server.replies.push_back({ok("x") + "more than was asked for"});
    EXPECT_TRUE((co_await client.get(server.url("/"))).ok());
    EXPECT_EQ(client.idle(), 0U);
  });
}

TEST(HttpClient, ReplacesAKeptConnectionThatWasClosedWhenARepeatDoesNoHarm) {
  on_shard([]() -> Task<void> {
    Server server;
    Client client;
    server.replies.push_back({ok("first")});
    EXPECT_TRUE((co_await client.get(server.url("/"))).ok());
    server.replies.push_back({"", Reply::Then::close});
    server.replies.push_back({ok("second")});
    auto again = co_await client.get(server.url("/"));
    EXPECT_TRUE(again.ok() && again->body == "second");
    EXPECT_EQ(server.connections, 2U);

    server.replies.push_back({"", Reply::Then::close});
    server.replies.push_back({ok("never")});
    auto posted = co_await client.post(server.url("/"), "text/plain", "x");
    EXPECT_FALSE(posted.ok());
    if (posted.ok()) co_return;
    EXPECT_EQ(posted.error().kind(), ErrorKind::Unavailable);
    EXPECT_EQ(posted.error().stage(), ErrorStage::sent);
    EXPECT_EQ(server.replies.size(), 1U);
  });
}

TEST(HttpClient, NoticesThatAnIdleConnectionWasClosed) {
  on_shard([]() -> Task<void> {
    Server server;
    Client client;
    server.replies.push_back({ok("x")});
    EXPECT_TRUE((co_await client.get(server.url("/"))).ok());
    server.hang_up();
    while (client.idle() != 0) co_await sleep(1ms);
  });
}

TEST(HttpClient, ClosesAConnectionThatNobodyNeeds) {
  on_shard([]() -> Task<void> {
    Server server;
    Client client({.idle_timeout = 5ms});
    server.replies.push_back({ok("x")});
    EXPECT_TRUE((co_await client.get(server.url("/"))).ok());
    while (client.idle() != 0) co_await sleep(1ms);
  });
}

TEST(HttpClient, TheTimeLimitIsNamedByItsError) {
  on_shard([]() -> Task<void> {
    Server server;
    Client client;
    auto silent = co_await client.get(server.url("/slow?token=secret"), {.timeout = 20ms});
    EXPECT_FALSE(silent.ok());
    if (silent.ok()) co_return;
    EXPECT_EQ(silent.error().kind(), ErrorKind::Deadline);
    EXPECT_THAT(std::string(silent.error().message()), HasSubstr("/slow: timeout (20ms): no answer"));
    EXPECT_THAT(std::string(silent.error().message()), ::testing::Not(HasSubstr("secret")));
    server.replies.push_back({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"});
    auto half = co_await client.get(server.url("/"), {.timeout = 20ms});
    EXPECT_FALSE(half.ok());
    EXPECT_EQ(client.idle(), 0U);
  });
}

TEST(HttpClient, SaysWhatWasWrongWithTheAnswer) {
  on_shard([]() -> Task<void> {
    Server server;
    Client client;
    server.replies.push_back({ok(std::string(100, 'x'))});
    auto large = co_await client.get(server.url("/"), {.max_body_bytes = 99});
    EXPECT_TRUE(!large.ok() && large.error().kind() == ErrorKind::Protocol);
    EXPECT_THAT(std::string(large.error().message()), HasSubstr("max_body_bytes (99B)"));
    server.replies.push_back({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", Reply::Then::close});
    auto cut = co_await client.get(server.url("/"));
    EXPECT_TRUE(!cut.ok() && cut.error().kind() == ErrorKind::Unavailable);
    EXPECT_THAT(std::string(cut.error().message()), HasSubstr("in the middle of the answer"));
    EXPECT_EQ(client.idle(), 0U);
  });
}

TEST(HttpClient, SaysThatNobodyListens) {
  on_shard([]() -> Task<void> {
    auto listener = std::move(*runtime::Listener::open(*runtime::SocketAddress::ip("127.0.0.1", 0)));
    const std::string url = "http://" + listener->address().text() + "/x";
    listener->close();
    Client client;
    auto answer = co_await client.get(url);
    EXPECT_FALSE(answer.ok());
    if (answer.ok()) co_return;
    EXPECT_EQ(answer.error().kind(), ErrorKind::Unavailable);
    EXPECT_EQ(answer.error().stage(), ErrorStage::connecting);
    EXPECT_THAT(std::string(answer.error().message()), StartsWith("GET http://127.0.0.1:"));
  });
}

TEST(HttpClient, SendsNoHeaderThatWouldBeTwo) {
  const std::vector<Headers> malformed{
      {{"a", "x\r\nb: y"}}, {{"a b", "x"}}, {{"", "x"}}, {{"Content-Length", "3"}}};
  on_shard([&]() -> Task<void> {
    Client client;
    for (const Headers& headers : malformed) {
      CallOptions options;
      options.headers = headers;
      auto answer = co_await client.get("http://127.0.0.1:9/", std::move(options));
      EXPECT_TRUE(!answer.ok() && answer.error().kind() == ErrorKind::Config) << headers.front().first;
    }
  });
}

TEST(HttpClient, ADroppedRequestLeavesNothingBehind) {
  on_shard([]() -> Task<void> {
    Server server;
    Client client;
    auto raced = co_await any(client.get(server.url("/")), [](Server& asked) -> Task<void> {
      while (asked.requests.empty()) co_await sleep(1ms);
    }(server));
    EXPECT_EQ(raced.index(), 1U);
    EXPECT_EQ(client.idle(), 0U);
    server.replies.push_back({ok("x")});
    EXPECT_TRUE((co_await client.get(server.url("/"))).ok());
  });
}

/// As servers do that know HTTP/2 as well: refuses clients that offer neither.
int select_http(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                unsigned in_length, void* /*context*/) {
  constexpr std::string_view kHttp("\x08http/1.1", 9);
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_length, reinterpret_cast<const unsigned char*>(kHttp.data()),
                                          static_cast<unsigned>(kHttp.size()), in, in_length);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

TEST(HttpClient, SpeaksTlsToServersWhoseCertificateFits) {
  const switchyard::testing::TlsFiles files;
  const auto server_context =
      runtime::TlsContext::server({.certificate = files.server.certificate, .key = files.server.key});
  ASSERT_TRUE(server_context.ok()) << server_context.error().what();
  SSL_CTX_set_alpn_select_cb((*server_context)->native().context.get(), &select_http, nullptr);
  on_shard([&]() -> Task<void> {
    Server server(*server_context);
    server.replies.push_back({ok("hidden")});
    Client client({.tls = {.verify = runtime::TlsSettings::Verify::full, .root_certificate = files.ca}});
    auto answer = co_await client.get(server.url("/", "https", "localhost"));
    EXPECT_TRUE(answer.ok()) << answer.error().what();
    EXPECT_TRUE(answer.ok() && answer->body == "hidden");
    Client stranger;
    auto refused = co_await stranger.get(server.url("/", "https", "localhost"));
    EXPECT_FALSE(refused.ok());
    if (!refused.ok()) EXPECT_EQ(refused.error().kind(), ErrorKind::Config) << refused.error().what();
  });
}

}  // namespace
}  // namespace switchyard::inline v0::httpc
