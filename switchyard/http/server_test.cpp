#include <switchyard/http/server.hpp>

#include <switchyard/http/fake_source.hpp>
#include <switchyard/http/fleet_routes.hpp>
#include <switchyard/http/listen.hpp>
#include <switchyard/http/port_owner.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace switchyard::inline v0::http {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

/// A blocking client. Reading gives up after a long time, so that a failing test ends.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void finish_sending() const { ::shutdown(fd_, SHUT_WR); }
  /// Everything until the server closes.
  [[nodiscard]] std::string read_all() const {
    std::string all;
    std::array<char, 4096> buffer;
    for (;;) {
      const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (n <= 0) return all;
      all.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }
  /// Until what was read ends with this.
  [[nodiscard]] std::string read_until(std::string_view end) const {
    std::string all;
    char c = 0;
    while (!all.ends_with(end) && ::recv(fd_, &c, 1, 0) == 1) all += c;
    return all;
  }
  [[nodiscard]] bool connected() const { return connected_; }

 private:
  int fd_;
  bool connected_ = false;
};

std::string get(std::string_view target, std::string_view more = "Connection: close\r\n") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(more) + "\r\n";
}

std::string body_of(const std::string& response) {
  const std::size_t at = response.find("\r\n\r\n");
  return at == std::string::npos ? "(no body)" : response.substr(at + 4);
}

/// A server on its own shard, which runs while a client talks on another thread.
class HttpServerTest : public testing::Test {
 protected:
  /// Runs `talk(port)` against a server with these limits and this handler.
  template <class Talk>
  void serve(HttpHandler& handler, HttpLimits limits, Talk talk) {
    runtime::Shard shard;
    const runtime::Shard::Scope scope(shard);
    auto listener = listen("127.0.0.1:0", PortChoice::exact);
    ASSERT_TRUE(listener.ok()) << listener.error().what();
    const std::uint16_t port = (*listener)->address().port();
    HttpServer server(std::move(*listener), handler, limits);
    runtime::AsyncEvent done;
    std::thread client([&] {
      talk(port);
      shard.post([&] { done.set(); });
    });
    shard.run_until_complete(wait(done));
    client.join();
    shard.run_until_complete(server.close(5s));
  }
  template <class Talk>
  void serve_fleet(Talk talk, HttpLimits limits = {}) {
    const auto router = make_fleet_router(source_);
    serve(*router, limits, talk);
  }
  static Task<void> wait(runtime::AsyncEvent& event) { co_await event.wait(); }

  FakeSource source_ = parafort();
};

TEST_F(HttpServerTest, AnswersTheRoutes) {
  serve_fleet([&](std::uint16_t port) {
    const auto ask = [&](std::string_view target) {
      Client client(port);
      client.send(get(target));
      return client.read_all();
    };
    EXPECT_THAT(ask("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(body_of(ask("/livez")), "ok\n");
    EXPECT_EQ(body_of(ask("/readyz")), "ok\n");
    EXPECT_THAT(body_of(ask("/readyz?verbose")), HasSubstr("[ ]documents optional: connection refused\n"));
    EXPECT_THAT(ask("/health"), HasSubstr("Content-Type: application/health+json\r\n"));
    EXPECT_THAT(body_of(ask("/api/health/databases")), HasSubstr("\"readReplica\": false"));
    EXPECT_THAT(body_of(ask("/api/health/connections")), HasSubstr("\"waitingConnections\": 0"));
    EXPECT_THAT(body_of(ask("/api/fleet")), HasSubstr("\"application\": \"parafort\""));
    EXPECT_THAT(body_of(ask("/metrics")), HasSubstr("switchyard_up{"));
    source_.log->note(telemetry::kSlowQuery, "main", TimePoint(1h), [] { return std::string("a line"); });
    EXPECT_THAT(body_of(ask("/api/events")), HasSubstr("\"message\": \"a line\""));
    EXPECT_THAT(body_of(ask("/api/events?since=1")), HasSubstr("\"events\": []"));
    EXPECT_THAT(ask("/api/events?since=x"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(body_of(ask("/")), HasSubstr("<h1>parafort</h1>"));
  });
}

TEST_F(HttpServerTest, IsNotReadyWithoutARequiredDatabaseUnlessItIsExcluded) {
  source_.reports[0] = unhealthy("main", "connection refused", true);
  serve_fleet([&](std::uint16_t port) {
    const auto ask = [&](std::string_view target) {
      Client client(port);
      client.send(get(target));
      return client.read_all();
    };
    const std::string refused = ask("/readyz");
    EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(body_of(refused), HasSubstr("[-]main connection refused\n"));
    EXPECT_THAT(ask("/readyz?exclude=main"), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(ask("/readyz?exclude=mian&verbose"), HasSubstr("did you mean 'main'?"));
    EXPECT_THAT(ask("/health"), StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(ask("/api/health/databases"), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(ask("/livez"), StartsWith("HTTP/1.1 200 "));
  });
}

TEST_F(HttpServerTest, RefusesUnknownPathsAndOtherMethods) {
  serve_fleet([&](std::uint16_t port) {
    const auto ask = [&](std::string_view bytes) {
      Client client(port);
      client.send(bytes);
      return client.read_all();
    };
    const std::string missing = ask(get("/api/flet"));
    EXPECT_THAT(missing, StartsWith("HTTP/1.1 404 Not Found\r\n"));
    EXPECT_THAT(missing, HasSubstr("Content-Type: application/problem+json\r\n"));
    EXPECT_THAT(missing, HasSubstr("did you mean '/api/fleet'?"));
    EXPECT_THAT(missing, HasSubstr("\"trace_id\": \""));
    const std::string post =
        ask("POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
    EXPECT_THAT(post, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
    EXPECT_THAT(post, HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"));
    const std::string options = ask("OPTIONS /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(options, StartsWith("HTTP/1.1 204 No Content\r\n"));
    const std::string head = ask("HEAD /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("Content-Length: 3\r\n"));
    EXPECT_EQ(body_of(head), "");
  });
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrderOnOneConnection) {
  serve_fleet([&](std::uint16_t port) {
    Client client(port);
    std::string all;
    for (int i = 0; i < 50; ++i) all += get(i % 2 == 0 ? "/livez" : "/nowhere", "");
    client.send(all + get("/livez"));
    const std::string answers = client.read_all();
    std::vector<std::string> statuses;
    for (std::size_t at = answers.find("HTTP/1.1 "); at != std::string::npos;
         at = answers.find("HTTP/1.1 ", at + 1)) {
      statuses.push_back(answers.substr(at + 9, 3));
    }
    ASSERT_EQ(statuses.size(), 51U);
    for (std::size_t i = 0; i < statuses.size(); ++i) EXPECT_EQ(statuses[i], i % 2 == 0 ? "200" : "404") << i;
  });
}

TEST_F(HttpServerTest, AnswersAClientThatStoppedSending) {
  serve_fleet([&](std::uint16_t port) {
    Client client(port);
    client.send(get("/livez", ""));
    client.finish_sending();
    EXPECT_THAT(client.read_all(), EndsWith("\r\n\r\nok\n"));
  });
}

TEST_F(HttpServerTest, TellsOversizedAndMalformedRequestsWhyAndCloses) {
  HttpLimits limits;
  limits.header_bytes = 1024;
  limits.body_bytes = 100;
  serve_fleet(
      [&](std::uint16_t port) {
        const auto ask = [&](const std::string& bytes) {
          Client client(port);
          client.send(bytes);
          return client.read_all();
        };
        EXPECT_THAT(ask(get("/" + std::string(100'000, 'x'))), StartsWith("HTTP/1.1 431 "));
        EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x')),
                    StartsWith("HTTP/1.1 413 "));
        EXPECT_THAT(ask("what is this\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
      },
      limits);
}

TEST_F(HttpServerTest, SaysWhichTimeLimitASlowClientMissed) {
  HttpLimits limits;
  limits.header_timeout = 50ms;
  limits.body_timeout = 50ms;
  limits.idle_timeout = 50ms;
  serve_fleet(
      [&](std::uint16_t port) {
        Client half_a_head(port);
        half_a_head.send("GET /livez HTTP/1.1\r\nHo");
        EXPECT_THAT(half_a_head.read_all(), HasSubstr("header_timeout (50ms)"));
        Client half_a_body(port);
        half_a_body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
        EXPECT_THAT(half_a_body.read_all(), HasSubstr("body_timeout (50ms)"));
        Client silent(port);
        EXPECT_EQ(silent.read_all(), "");
        Client idle(port);
        idle.send(get("/livez", ""));
        EXPECT_THAT(idle.read_all(), EndsWith("\r\n\r\nok\n")) << "closed without a word";
      },
      limits);
}

TEST_F(HttpServerTest, ServesOthersWhileManySlowClientsHang) {
  serve_fleet([&](std::uint16_t port) {
    std::vector<std::unique_ptr<Client>> slow;
    for (int i = 0; i < 100; ++i) {
      slow.push_back(std::make_unique<Client>(port));
      slow.back()->send("GET /li");
    }
    Client client(port);
    client.send(get("/livez"));
    EXPECT_THAT(client.read_all(), EndsWith("ok\n"));
  });
}

TEST_F(HttpServerTest, RefusesMoreConnectionsThanTheLimitAndNamesIt) {
  HttpLimits limits;
  limits.max_connections = 2;
  serve_fleet(
      [&](std::uint16_t port) {
        Client one(port), two(port);
        one.send(get("/livez", ""));
        EXPECT_THAT(one.read_until("ok\n"), HasSubstr("200 OK"));
        two.send(get("/livez", ""));
        EXPECT_THAT(two.read_until("ok\n"), HasSubstr("200 OK"));
        Client three(port);
        const std::string answer = three.read_all();
        EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
        EXPECT_THAT(answer, HasSubstr("max_connections (2)"));
        EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
      },
      limits);
}

TEST_F(HttpServerTest, ContinuesForWhoeverAsksFirst) {
  serve_fleet([&](std::uint16_t port) {
    Client client(port);
    client.send("POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ab");
    EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
  });
}

class Misbehaving final : public HttpHandler {
 public:
  Task<HttpResponse> handle(const HttpRequest& request) override {
    if (request.path == "/hang") co_await never_.wait();
    if (request.path == "/large") co_return HttpResponse::text(200, std::string(8'000'000, 'x'));
    ServerFields fields;
    fields.severity = "ERROR";
    fields.sqlstate = "40001";
    fields.message = "could not serialize access";
    throw Error(std::move(fields), ErrorStage::sent).with_database("main").with_hint("try again");
  }

 private:
  runtime::AsyncEvent never_;
};

TEST_F(HttpServerTest, TurnsErrorsOfARouteIntoProblems) {
  Misbehaving handler;
  serve(handler, {}, [&](std::uint16_t port) {
    Client client(port);
    client.send(get(
        "/fail", "Connection: close\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
    const std::string answer = client.read_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    for (const char* expected : {"\"sqlstate\": \"40001\"", "\"database\": \"main\"", "\"retryable\": true",
                                 "\"hint\": \"try again\"", "\"trace_id\": \"0af7651916cd43dd8448eb211c80319c\""}) {
      EXPECT_THAT(answer, HasSubstr(expected));
    }
  });
}

TEST_F(HttpServerTest, GivesUpOnARouteThatHangs) {
  Misbehaving handler;
  HttpLimits limits;
  limits.handler_timeout = 50ms;
  serve(handler, limits, [&](std::uint16_t port) {
    Client client(port);
    client.send(get("/hang"));
    EXPECT_THAT(client.read_all(), HasSubstr("handler_timeout (50ms)"));
  });
}

TEST_F(HttpServerTest, SendsLargeAnswersWhole) {
  Misbehaving handler;
  serve(handler, {}, [&](std::uint16_t port) {
    Client client(port);
    client.send(get("/large"));
    EXPECT_EQ(body_of(client.read_all()).size(), 8'000'000U);
  });
}

TEST_F(HttpServerTest, ClosesOnWhoeverDoesNotTakeTheAnswer) {
  Misbehaving handler;
  HttpLimits limits;
  limits.send_timeout = 50ms;
  serve(handler, limits, [&](std::uint16_t port) {
    Client lazy(port);
    lazy.send(get("/large"));
    std::this_thread::sleep_for(200ms);  // reads nothing meanwhile; the answer is larger than what sockets hold
    EXPECT_LT(lazy.read_all().size(), 8'000'000U);
  });
}

TEST_F(HttpServerTest, DropsAHangingAnswerWhenItCloses) {
  Misbehaving handler;
  runtime::Shard shard;
  const runtime::Shard::Scope scope(shard);
  auto listener = listen("127.0.0.1:0", PortChoice::exact);
  ASSERT_TRUE(listener.ok());
  Client client((*listener)->address().port());
  client.send(get("/hang"));
  HttpServer server(std::move(*listener), handler, {});
  const auto until_it_hangs = [](HttpServer& at) -> Task<void> {
    while (at.requests() == 0) co_await sleep(1ms);
  };
  shard.run_until_complete(until_it_hangs(server));
  shard.run_until_complete(server.close(10ms));
  EXPECT_EQ(server.connections(), 0U);
  EXPECT_EQ(client.read_all(), "");
}

TEST(Listen, NamesWhoHasThePort) {
  runtime::Shard shard;
  const runtime::Shard::Scope scope(shard);
  auto first = listen("127.0.0.1:0", PortChoice::exact);
  ASSERT_TRUE(first.ok());
  const std::string address = (*first)->address().text();
  auto second = listen(address, PortChoice::exact);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().what(), HasSubstr("is taken by pid " + std::to_string(::getpid()) + " ("));
  auto next = listen(address, PortChoice::next_free);
  ASSERT_TRUE(next.ok()) << next.error().what();
  EXPECT_GT((*next)->address().port(), (*first)->address().port());
}

TEST(Listen, RefusesWhatIsNoAddress) {
  runtime::Shard shard;
  const runtime::Shard::Scope scope(shard);
  for (const char* wrong : {"nonsense", "127.0.0.1", "127.0.0.1:99999", "example.com:80", ":", "1.2.3.4:5x"}) {
    const auto listener = listen(wrong, PortChoice::exact);
    ASSERT_FALSE(listener.ok()) << wrong;
    EXPECT_EQ(listener.error().kind(), ErrorKind::Config) << wrong;
  }
}

TEST(PortOwner, IsNobodyForAFreePort) {
  std::uint16_t port = 0;
  {
    runtime::Shard shard;
    const runtime::Shard::Scope scope(shard);
    auto listener = listen("127.0.0.1:0", PortChoice::exact);
    ASSERT_TRUE(listener.ok());
    port = (*listener)->address().port();
    EXPECT_EQ(find_port_owner(port)->pid, ::getpid());
  }
  EXPECT_FALSE(find_port_owner(port).has_value());
}

}  // namespace
}  // namespace switchyard::inline v0::http
