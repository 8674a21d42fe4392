#include <switchyard/base/random.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/listener.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace switchyard::runtime {
namespace {

using namespace std::chrono_literals;

TimePoint soon() { return deadline_after(now(), 10s); }

/// Keeps what arrives and tells when enough is there.
struct Recorder final : Stream::Handler {
  std::string received;
  std::size_t wanted = 0;
  bool consume = true;
  int data_calls = 0;
  int drained_calls = 0;
  std::optional<Error> closed;
  AsyncEvent changed;
  std::function<void()> on_each;

  void on_data(base::ReadBuffer& in) noexcept override {
    ++data_calls;
    if (consume) {
      received.append(in.readable());
      in.consume(in.size());
    }
    if (on_each) on_each();
    changed.notify();
  }
  void on_closed(const Error& error) noexcept override {
    EXPECT_FALSE(closed);
    closed = error;
    changed.notify();
  }
  void on_drained() noexcept override {
    ++drained_calls;
    changed.notify();
  }
  Task<void> until(std::function<bool()> condition) {
    while (!condition()) co_await changed.wait();
  }
  Task<void> bytes(std::size_t n) {
    while (received.size() < n) co_await changed.wait();
  }
  Task<void> end() {
    while (!closed) co_await changed.wait();
  }
};

/// A stream and the bare other end of its socket, which blocks.
struct Ends {
  std::unique_ptr<Stream> stream;
  int peer = -1;
  Ends() {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) std::abort();
    stream = std::move(*Stream::adopt(fds[0]));
    peer = fds[1];
  }
  ~Ends() { hang_up(); }
  void say(std::string_view text) const {
    ASSERT_EQ(::send(peer, text.data(), text.size(), 0), ssize_t(text.size()));
  }
  std::string hear(std::size_t most) const {
    std::string text(most, '\0');
    const ssize_t n = ::recv(peer, text.data(), most, 0);
    text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return text;
  }
  void hang_up() {
    if (peer >= 0) ::close(std::exchange(peer, -1));
  }
};

/// Runs the body on a shard, with a limit so that a mistake does not hang.
template <class Body>
void on_shard(Body body) {
  Shard shard;
  shard.run_until_complete(with_timeout(body(), 30s));
}

TEST(Stream, HandsOverWhatArrives) {
  on_shard([]() -> Task<void> {
    Ends ends;
    Recorder recorder;
    ends.stream->start(&recorder);
    ends.say("hello");
    co_await recorder.bytes(5);
    EXPECT_EQ(recorder.received, "hello");
  });
}

TEST(Stream, ManyIdleConnectionsKeepNoBuffers) {
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "memory is counted by the allocator of the C library";
#endif
  constexpr std::size_t kConnections = 1000;
  on_shard([]() -> Task<void> {
    std::vector<std::unique_ptr<Ends>> many(kConnections);
    std::vector<std::unique_ptr<Recorder>> recorders(kConnections);
    const std::size_t before = ::mallinfo2().uordblks;
    for (std::size_t i = 0; i < kConnections; ++i) {
      many[i] = std::make_unique<Ends>();
      recorders[i] = std::make_unique<Recorder>();
      many[i]->stream->set_frugal();
      many[i]->stream->start(recorders[i].get());
    }
    for (std::size_t i = 0; i < kConnections; ++i) {
      many[i]->say("question");
      co_await recorders[i]->bytes(8);
      many[i]->stream->out().put(std::string(5000, 'a'));
      many[i]->stream->flush_now();
      EXPECT_EQ(many[i]->hear(6000).size(), 5000U);
    }
    EXPECT_LT((::mallinfo2().uordblks - before) / kConnections, 2500U);
  });
}

TEST(Stream, WhatOneConnectionHasNotConsumedIsNotLentToAnother) {
  on_shard([]() -> Task<void> {
    Ends one;
    Ends other;
    Recorder kept;
    Recorder taken;
    kept.consume = false;
    one.stream->start(&kept);
    other.stream->start(&taken);
    one.say("mine");
    co_await kept.until([&] { return kept.data_calls == 1; });
    other.say("theirs, and longer");
    co_await taken.bytes(18);
    kept.consume = true;
    one.say(" alone");
    co_await kept.bytes(10);
    EXPECT_EQ(kept.received, "mine alone");
    EXPECT_EQ(taken.received, "theirs, and longer");
  });
}

TEST(Stream, MovesToAnotherShardWithWhatItHadNotConsumedAndNotSent) {
  StreamParcel parcel;
  std::array<int, 2> fds{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  on_shard([&]() -> Task<void> {
    auto stream = std::move(*Stream::adopt(fds[0]));
    Recorder recorder;
    recorder.consume = false;
    stream->start(&recorder);
    EXPECT_EQ(::send(fds[1], "early", 5, 0), 5);
    co_await recorder.until([&] { return recorder.data_calls == 1; });
    stream->out().put("unsent");
    parcel = stream->detach();
    EXPECT_FALSE(stream->is_open());
    EXPECT_FALSE(recorder.closed);
  });
  EXPECT_EQ(parcel.received(), "early");
  EXPECT_EQ(parcel.unsent(), "unsent");
  std::thread([&] {
    on_shard([&]() -> Task<void> {
      auto stream = std::move(*Stream::attach(std::move(parcel)));
      Recorder recorder;
      stream->start(&recorder);
      co_await recorder.bytes(5);
      EXPECT_EQ(::send(fds[1], " and late", 9, 0), 9);
      co_await recorder.bytes(14);
      EXPECT_EQ(recorder.received, "early and late");
      std::string heard(6, '\0');
      EXPECT_EQ(::recv(fds[1], heard.data(), heard.size(), MSG_WAITALL), 6);
      EXPECT_EQ(heard, "unsent");
    });
  }).join();
  ::close(fds[1]);
}

TEST(Stream, AParcelThatNobodyUnpacksClosesItsConnection) {
  Ends* left = nullptr;
  on_shard([&]() -> Task<void> {
    left = new Ends;
    (void)left->stream->detach();
    co_return;
  });
  EXPECT_EQ(left->hear(1), "");
  delete left;
}

TEST(Stream, WritesOnceATurnWhatManyAppended) {
  on_shard([]() -> Task<void> {
    Ends ends;
    Recorder recorder;
    ends.stream->start(&recorder);
    for (int i = 0; i < 10; ++i) {
      ends.stream->out().put("abc");
      ends.stream->flush_soon();
      EXPECT_EQ(ends.stream->unsent(), 3U * (i + 1));
    }
    co_await sleep(1ms);
    EXPECT_EQ(ends.stream->unsent(), 0U);
    EXPECT_EQ(ends.hear(100).size(), 30U);
  });
}

TEST(Stream, ShowsUnconsumedBytesAgainWithTheNextOnes) {
  on_shard([]() -> Task<void> {
    Ends ends;
    Recorder recorder;
    recorder.consume = false;
    ends.stream->start(&recorder);
    ends.say("ab");
    co_await recorder.until([&] { return recorder.data_calls == 1; });
    recorder.consume = true;
    ends.say("c");
    co_await recorder.bytes(3);
    EXPECT_EQ(recorder.received, "abc");
    EXPECT_EQ(recorder.data_calls, 2);
  });
}

TEST(Stream, TheEndOfThePeerComesAfterItsLastBytes) {
  on_shard([]() -> Task<void> {
    Ends ends;
    Recorder recorder;
    ends.stream->start(&recorder);
    ends.say("last words");
    ends.hang_up();
    co_await recorder.end();
    EXPECT_EQ(recorder.received, "last words");
    EXPECT_EQ(recorder.closed->kind(), ErrorKind::Unavailable);
    EXPECT_EQ(recorder.closed->message(), "server closed the connection unexpectedly");
    EXPECT_FALSE(recorder.closed->session_alive());
  });
}

TEST(Stream, AHalfClosedPeerStillReceives) {
  on_shard([]() -> Task<void> {
    Ends ends;
    Recorder recorder;
    ends.stream->start(&recorder);
    ::shutdown(ends.peer, SHUT_WR);
    co_await recorder.end();
    ends.stream->out().put("bye");
    ends.stream->flush_now();
    EXPECT_EQ(ends.hear(10), "bye");
  });
}

TEST(Stream, WritingToAPeerThatIsGoneTellsWhatItSaidBefore) {
  on_shard([]() -> Task<void> {
    Ends ends;
    Recorder recorder;
    ends.say("FATAL");
    ends.hang_up();
    ends.stream->out().put("query");
    ends.stream->flush_now();
    ends.stream->out().put("another");
    ends.stream->flush_now();
    EXPECT_EQ(ends.stream->unsent(), 0U);
    ends.stream->start(&recorder);
    co_await recorder.end();
    EXPECT_EQ(recorder.received, "FATAL");
    EXPECT_NE(recorder.closed->message().find("could not send data to server: Broken pipe"),
              std::string_view::npos);
  });
}

TEST(Stream, PausedItLeavesThePeerWaitingAndResumedItLosesNothing) {
  on_shard([]() -> Task<void> {
    Ends ends;
    Recorder recorder;
    recorder.on_each = [&] { ends.stream->pause_reading(); };
    ends.stream->start(&recorder);
    std::size_t written = 0;
    const std::string block(64 * 1024, 'x');
    for (;;) {  // until the socket is full
      const ssize_t n = ::send(ends.peer, block.data(), block.size(), MSG_DONTWAIT);
      if (n < 0) break;
      written += static_cast<std::size_t>(n);
      co_await sleep(1ms);
    }
    EXPECT_EQ(recorder.data_calls, 1);
    EXPECT_LT(recorder.received.size(), written);
    recorder.on_each = nullptr;
    ends.stream->resume_reading();
    co_await recorder.bytes(written);
    EXPECT_EQ(recorder.received.size(), written);
  });
}

TEST(Stream, PausedWithBytesLeftItShowsThemAgainWhenResumed) {
  on_shard([]() -> Task<void> {
    Ends ends;
    Recorder recorder;
    recorder.consume = false;
    recorder.on_each = [&] { ends.stream->pause_reading(); };
    ends.stream->start(&recorder);
    ends.say("abc");
    ends.hang_up();
    co_await recorder.until([&] { return recorder.data_calls == 1; });
    recorder.consume = true;
    recorder.on_each = nullptr;
    ends.stream->resume_reading();
    co_await recorder.end();
    EXPECT_EQ(recorder.received, "abc");
  });
}

TEST(Stream, ANewHandlerGetsTheBytesTheOldOneLeft) {
  on_shard([]() -> Task<void> {
    Ends ends;
    Recorder first;
    Recorder second;
    first.consume = false;
    first.on_each = [&] { ends.stream->set_handler(&second); };
    ends.stream->start(&first);
    ends.say("handed over");
    co_await second.bytes(11);
    EXPECT_EQ(second.received, "handed over");
    EXPECT_EQ(first.data_calls, 1);
    ends.stream->set_handler(nullptr);
    ends.say("later");
    co_await sleep(2ms);
    EXPECT_EQ(second.received, "handed over");
    ends.stream->set_handler(&first);
    first.consume = true;
    first.on_each = nullptr;
    co_await first.bytes(5);
    EXPECT_EQ(first.received, "later");
  });
}

TEST(Stream, MayBeDestroyedInItsOwnCallbacks) {
  on_shard([]() -> Task<void> {
    {
      Ends ends;
      Recorder recorder;
      recorder.on_each = [&] { ends.stream.reset(); };
      ends.stream->start(&recorder);
      ends.say("abc");
      co_await recorder.bytes(3);
      EXPECT_EQ(ends.hear(1), "");
    }
    struct Suicidal final : Stream::Handler {
      std::unique_ptr<Stream> stream;
      AsyncEvent gone;
      void on_data(base::ReadBuffer&) noexcept override {}
      void on_closed(const Error&) noexcept override {
        stream.reset();
        gone.set();
      }
    } handler;
    Ends ends;
    handler.stream = std::move(ends.stream);
    handler.stream->start(&handler);
    ends.hang_up();
    co_await handler.gone.wait();
  });
}

TEST(Stream, AFlushThatIsDueWhenTheStreamGoesIsForgotten) {
  on_shard([]() -> Task<void> {
    Ends ends;
    ends.stream->out().put("never sent");
    ends.stream->flush_soon();
    ends.stream.reset();
    co_await sleep(1ms);
    EXPECT_EQ(ends.hear(10), "");
  });
}

TEST(Stream, SurvivesItsShard) {
  std::unique_ptr<Stream> stream;
  Recorder recorder;
  {
    Shard shard;
    const Shard::Scope scope(shard);
    Ends ends;
    stream = std::move(ends.stream);
    stream->start(&recorder);
  }
  EXPECT_FALSE(stream->is_open());
  stream->out().put("nobody");
  stream->flush_now();
  stream->close();
}

/// Both ends as streams, over the kind of socket that is asked for.
struct Connected {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Stream> client;
  std::unique_ptr<Stream> server;
  static Task<Connected> over(SocketAddress address) {
    Connected both;
    auto listener = Listener::open(address);
    EXPECT_TRUE(listener.ok()) << listener.error().what();
    both.listener = std::move(*listener);
    auto [client, server] =
        co_await all(Stream::connect(both.listener->address(), {}, soon()), both.listener->accept());
    EXPECT_TRUE(client.ok()) << client.error().what();
    EXPECT_TRUE(server.ok()) << server.error().what();
    both.client = std::move(*client);
    both.server = std::move(*server);
    co_return both;
  }
};

SocketAddress loopback() { return *SocketAddress::ip("127.0.0.1", 0); }

TEST(Stream, CarriesBigTransfersBothWaysAtOnceWithoutLoss) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    Random random(7);
    std::string block;
    for (int i = 0; i < 1 << 20; ++i) block.push_back(static_cast<char>(random.next()));
    constexpr int kBlocks = 16;
    Recorder at_client;
    Recorder at_server;
    both.client->start(&at_client);
    both.server->start(&at_server);
    for (int i = 0; i < kBlocks; ++i) {
      both.client->out().put(block);
      both.server->out().put(block);
    }
    both.client->flush_soon();
    both.server->flush_now();
    EXPECT_GT(both.server->unsent(), 0U);
    co_await all(at_client.bytes(block.size() * kBlocks), at_server.bytes(block.size() * kBlocks));
    EXPECT_EQ(at_client.received, at_server.received);
    EXPECT_EQ(at_client.received.substr(block.size() * 3, block.size()), block);
    EXPECT_EQ(both.server->unsent(), 0U);
    co_await at_server.until([&] { return at_server.drained_calls == 1; });
  });
}

TEST(Stream, AResetByThePeerIsToldAsOne) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    Recorder recorder;
    both.client->start(&recorder);
    const linger at_once{1, 0};
    ::setsockopt(both.server->native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    both.server->close();
    co_await recorder.end();
    EXPECT_EQ(recorder.closed->message(), "could not receive data from server: Connection reset by peer");
  });
}

TEST(Stream, KnowsItsPeerAndSendsAtOnce) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    EXPECT_EQ(both.client->peer(), both.listener->address());
    EXPECT_FALSE(both.client->is_tls());
    for (const Stream* stream : {both.client.get(), both.server.get()}) {
      int on = 0;
      socklen_t size = sizeof(on);
      ::getsockopt(stream->native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, &size);
      EXPECT_NE(on, 0);
    }
  });
}

int low_water(const Stream& stream) {
  int value = 0;
  socklen_t size = sizeof(value);
  ::getsockopt(stream.native_handle(), SOL_SOCKET, SO_RCVLOWAT, &value, &size);
  return value;
}

TEST(Stream, ExpectedBytesWakeItOnceTheyAreAllThere) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    Recorder recorder;
    both.client->start(&recorder);
    both.client->expect(1000, 1h);
    EXPECT_EQ(low_water(*both.client), 1000);
    both.server->out().put(std::string(1000, 'x'));
    both.server->flush_now();
    co_await recorder.bytes(1000);
    EXPECT_EQ(low_water(*both.client), 1);
    both.server->out().put("y");
    both.server->flush_now();
    co_await recorder.bytes(1001);
  });
}

TEST(Stream, ExpectingTooMuchOnlyCostsThePatience) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    Recorder recorder;
    both.client->start(&recorder);
    both.client->expect(1000, 5ms);
    both.server->out().put("less");
    both.server->flush_now();
    co_await recorder.bytes(4);
    EXPECT_EQ(recorder.received, "less");
    co_await sleep(10ms);
    EXPECT_EQ(low_water(*both.client), 1);
  });
}

TEST(Stream, TheEndOfThePeerIsSeenWhateverIsExpected) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    Recorder recorder;
    both.client->start(&recorder);
    both.client->expect(1000, 1h);
    both.server->out().put("less");
    both.server->flush_now();
    both.server.reset();
    co_await recorder.end();
    EXPECT_EQ(recorder.received, "less");
  });
}

TEST(Stream, AnExpectationThatIsTakenBackChangesNothing) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    Recorder recorder;
    both.client->start(&recorder);
    both.client->expect(1000, 1h);
    both.server->out().put("less");
    both.server->flush_now();
    both.client->stop_expecting();
    co_await recorder.bytes(4);
    EXPECT_EQ(low_water(*both.client), 1);
  });
}

TEST(Stream, AnExpectationThatCameStaysUntilSomethingElseIsSent) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    Recorder recorder;
    recorder.on_each = [&] {
      if (recorder.received.size() % 1000 == 0) both.client->expected_came();
    };
    both.client->start(&recorder);
    for (std::size_t round = 1; round <= 3; ++round) {
      both.client->expect(1000, 1h);
      both.client->out().put("?");
      both.client->flush_now();
      EXPECT_EQ(low_water(*both.client), 1000);
      both.server->out().put(std::string(1000, 'x'));
      both.server->flush_now();
      co_await recorder.bytes(round * 1000);
      EXPECT_EQ(low_water(*both.client), 1000);
    }
    both.client->out().put("?");
    both.client->flush_now();
    EXPECT_EQ(low_water(*both.client), 1);
    both.server->out().put("y");
    both.server->flush_now();
    co_await recorder.bytes(3001);
  });
}

TEST(Stream, WithNothingToComeAnExpectationThatCameEndsWithItsPatience) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    Recorder recorder;
    recorder.on_each = [&] { both.client->expected_came(); };
    both.client->start(&recorder);
    both.client->expect(1000, 5ms);
    both.server->out().put(std::string(1000, 'x'));
    both.server->flush_now();
    co_await recorder.bytes(1000);
    both.server->out().put("unasked");
    both.server->flush_now();
    co_await recorder.bytes(1007);
    EXPECT_EQ(low_water(*both.client), 1);
  });
}

TEST(Stream, WhatLastsLongerThanExpectedIsNotKeptWaiting) {
  on_shard([]() -> Task<void> {
    Connected both = co_await Connected::over(loopback());
    Recorder recorder;
    both.client->start(&recorder);
    both.client->expect(1000, 1h);
    both.server->out().put(std::string(1000, 'x'));
    both.server->flush_now();
    co_await recorder.bytes(1000);
    both.server->out().put("more");
    both.server->flush_now();
    co_await recorder.bytes(1004);
  });
}

TEST(Stream, WhoConnectsAllTheTimeDoesNotKeepTheLoop) {
  on_shard([]() -> Task<void> {
    constexpr int kClients = 100;
    auto listener = std::move(*Listener::open(loopback()));
    std::vector<int> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      EXPECT_EQ(::connect(clients.back(), listener->address().data(), listener->address().size()), 0);
    }
    int accepted = 0;
    const auto accept = [&]() -> Task<void> {
      for (; accepted < kClients; ++accepted) (void)co_await listener->accept();
    };
    OwnedTask accepting;
    accepting.start(accept());
    while (accepted == 0) co_await yield();
    EXPECT_LT(accepted, kClients) << "others of the loop have had no turn";
    while (accepted < kClients) co_await sleep(1ms);
    for (const int fd : clients) ::close(fd);
  });
}

TEST(Stream, KeepalivesAndUserTimeoutReachTheSocket) {
  on_shard([]() -> Task<void> {
    auto listener = std::move(*Listener::open(loopback()));
    ConnectOptions options;
    options.keepalives_idle = 33s;
    options.keepalives_interval = 4s;
    options.keepalives_count = 5;
    options.tcp_user_timeout = 6500ms;
    auto stream = co_await Stream::connect(listener->address(), options, soon());
    EXPECT_TRUE(stream.ok());
    const auto get = [&](int level, int name) {
      int value = 0;
      socklen_t size = sizeof(value);
      ::getsockopt((*stream)->native_handle(), level, name, &value, &size);
      return value;
    };
    EXPECT_EQ(get(SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPIDLE), 33);
    EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPINTVL), 4);
    EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPCNT), 5);
    EXPECT_EQ(get(IPPROTO_TCP, TCP_USER_TIMEOUT), 6500);
  });
}

/// A port nobody listens on.
std::uint16_t closed_port() {
  auto listener = std::move(*Listener::open(loopback()));
  return listener->address().port();
}

TEST(Connect, ARefusalNamesThePlaceAndTheReason) {
  on_shard([]() -> Task<void> {
    const SocketAddress nobody = *SocketAddress::ip("127.0.0.1", closed_port());
    auto plain = co_await Stream::connect(nobody, {}, soon());
    EXPECT_FALSE(plain.ok());
    const std::string port = std::to_string(nobody.port());
    EXPECT_EQ(plain.error().message(),
              "connection to server at \"127.0.0.1\", port " + port + " failed: Connection refused");
    EXPECT_EQ(plain.error().kind(), ErrorKind::Unavailable);
    EXPECT_EQ(plain.error().stage(), ErrorStage::connecting);
    EXPECT_TRUE(plain.error().retryable());
    auto named = co_await Stream::connect(nobody, {.host = "localhost"}, soon());
    EXPECT_EQ(named.error().message(),
              "connection to server at \"localhost\" (127.0.0.1), port " + port + " failed: Connection refused");
  });
}

struct Folder {
  std::string path;
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "switchyard-runtime-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

TEST(Connect, UnixSocketsNameTheirPath) {
  const Folder folder;
  on_shard([&folder]() -> Task<void> {
    const std::string path = folder.path + "/.s.PGSQL.5432";
    auto missing = co_await Stream::connect(*SocketAddress::unix_domain(path), {}, soon());
    EXPECT_EQ(missing.error().message(),
              "connection to server on socket \"" + path + "\" failed: No such file or directory");
    auto long_path = SocketAddress::unix_domain(std::string(108, 'x'));
    EXPECT_FALSE(long_path.ok());
    EXPECT_NE(long_path.error().message().find("maximum 107 bytes"), std::string_view::npos);
  });
}

TEST(Connect, WorksOverPathsAndAbstractNames) {
  const Folder folder;
  on_shard([&folder]() -> Task<void> {
    for (const std::string& name : {folder.path + "/socket", "@" + folder.path}) {
      Connected both = co_await Connected::over(*SocketAddress::unix_domain(name));
      EXPECT_EQ(both.client->peer().host(), name);
      Recorder recorder;
      both.server->start(&recorder);
      both.client->out().put("hi");
      both.client->flush_now();
      co_await recorder.bytes(2);
      EXPECT_EQ(recorder.received, "hi");
    }
  });
}

TEST(Connect, AServerThatDoesNotAnswerEndsAtTheDeadline) {
  on_shard([]() -> Task<void> {
    // A queue of one that nobody empties: further connection requests are dropped by the system.
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SocketAddress address = loopback();
    EXPECT_EQ(::bind(fd, address.data(), address.size()), 0);
    EXPECT_EQ(::listen(fd, 0), 0);
    sockaddr_storage native{};
    socklen_t size = sizeof(native);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&native), &size);
    address = SocketAddress(reinterpret_cast<sockaddr*>(&native), size);
    std::vector<std::unique_ptr<Stream>> fill;
    std::optional<Error> error;
    while (!error && fill.size() < 8) {
      auto stream = co_await Stream::connect(address, {}, deadline_after(now(), 50ms));
      if (stream.ok()) {
        fill.push_back(std::move(*stream));
      } else {
        error = stream.error();
      }
    }
    ::close(fd);
    EXPECT_TRUE(error);
    EXPECT_EQ(error->message(), "connection to server at \"127.0.0.1\", port " + std::to_string(address.port()) +
                                    " failed: timeout expired");
  });
}

TEST(Connect, WaitsForAUnixServerWhoseQueueIsFull) {
  const Folder folder;
  on_shard([&folder]() -> Task<void> {
    auto opened = Listener::open(*SocketAddress::unix_domain(folder.path + "/s"), {.backlog = 0});
    EXPECT_TRUE(opened.ok());
    auto listener = std::move(*opened);
    auto first = co_await Stream::connect(listener->address(), {}, soon());
    EXPECT_TRUE(first.ok());
    auto late = co_await Stream::connect(listener->address(), {}, deadline_after(now(), 20ms));
    EXPECT_FALSE(late.ok());
    EXPECT_NE(late.error().message().find("timeout expired"), std::string_view::npos);
    const auto make_room = [](Listener& at) -> Task<void> {
      co_await sleep(5ms);
      EXPECT_TRUE((co_await at.accept()).ok());
    };
    auto [second, ignored] = co_await all(Stream::connect(listener->address(), {}, soon()), make_room(*listener));
    EXPECT_TRUE(second.ok());
  });
}

TEST(Connect, DroppedWhileItWaitsItLeavesNothingBehind) {
  on_shard([]() -> Task<void> {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SocketAddress address = loopback();
    EXPECT_EQ(::bind(fd, address.data(), address.size()), 0);
    EXPECT_EQ(::listen(fd, 0), 0);
    sockaddr_storage native{};
    socklen_t size = sizeof(native);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&native), &size);
    address = SocketAddress(reinterpret_cast<sockaddr*>(&native), size);
    for (int i = 0; i < 4; ++i) {
      co_await any(Stream::connect(address, {}, kNever), sleep(5ms));
    }
    ::close(fd);
  });
}

TEST(Listener, ReplacesAPathLeftBehindButNotOneInUse) {
  const Folder folder;
  on_shard([&folder]() -> Task<void> {
    const SocketAddress address = *SocketAddress::unix_domain(folder.path + "/s");
    const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(dead, address.data(), address.size()), 0);
    ::close(dead);
    auto first = Listener::open(address);
    EXPECT_TRUE(first.ok()) << first.error().what();
    auto second = Listener::open(address);
    EXPECT_FALSE(second.ok());
    EXPECT_EQ(second.error().message(), "could not listen on " + address.text() + ": Address already in use");
    first->reset();
    EXPECT_FALSE(std::filesystem::exists(address.host()));
    co_return;
  });
}

TEST(Listener, CloseEndsAWaitingAccept) {
  on_shard([]() -> Task<void> {
    auto listener = std::move(*Listener::open(loopback()));
    const auto close_later = [](Listener& at) -> Task<void> {
      co_await sleep(2ms);
      at.close();
    };
    auto [accepted, ignored] = co_await all(listener->accept(), close_later(*listener));
    EXPECT_FALSE(accepted.ok());
    EXPECT_EQ(accepted.error().kind(), ErrorKind::Closed);
  });
}

TEST(Address, ReadsAndWritesItsText) {
  EXPECT_EQ(SocketAddress::ip("127.0.0.1", 5432)->text(), "127.0.0.1:5432");
  EXPECT_EQ(SocketAddress::ip("::1", 5432)->text(), "[::1]:5432");
  EXPECT_EQ(SocketAddress::unix_domain("@abstract")->text(), "@abstract");
  for (const char* wrong : {"localhost", "127.1", "1.2.3.4.5", "", "12345", "::g"}) {
    EXPECT_FALSE(is_ip_literal(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace switchyard::runtime
