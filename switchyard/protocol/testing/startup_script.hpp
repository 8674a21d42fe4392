// A scripted startup, without any I/O: what the machine sends, asks for and answers.
//
//   StartupScript script(options);
//   script.start(StartupAction::wait).sends(...).server(authentication(0) + ready(), StartupAction::ready);
//   script.run();
//
// run() plays it in one piece, byte by byte and split at every byte, with the same result; then closes the
// connection at every byte and damages every byte: whatever happens, the machine must not crash, and a failure has
// an error.
#pragma once

#include <switchyard/protocol/startup.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::protocol::testing {

class StartupScript {
 public:
  /// Sees the machine after each event of a playing that must go as written.
  using Check = std::function<void(const StartupMachine&)>;
  /// Makes the server's bytes of what the client has sent last.
  using Server = std::function<std::string(std::string_view)>;

  explicit StartupScript(StartupOptions options) : options_(std::move(options)) {}

  StartupScript& start(StartupAction expected) {
    return add(expected, [](StartupMachine& m, Play&, std::size_t) { return m.start(); });
  }
  StartupScript& server(std::string bytes, StartupAction expected) {
    return server([bytes](std::string_view) { return bytes; }, expected);
  }
  StartupScript& server(Server bytes, StartupAction expected) {
    return add(expected, [bytes](StartupMachine& m, Play& play, std::size_t) {
      std::string message = bytes(play.sent);
      return play.feed(m, std::move(message));
    });
  }
  StartupScript& tls_started(TlsEndpoint endpoint, StartupAction expected) {
    return add(expected, [endpoint](StartupMachine& m, Play&, std::size_t) { return m.on_tls_started(endpoint); });
  }
  StartupScript& tls_failed(StartupAction expected) {
    return add(expected, [](StartupMachine& m, Play&, std::size_t) {
      return m.on_tls_failed(Error(ErrorKind::Unavailable, "handshake failed", ErrorStage::connecting));
    });
  }
  StartupScript& password(std::string password, StartupAction expected) {
    return add(expected,
               [password](StartupMachine& m, Play&, std::size_t) { return m.on_password(Secret(password)); });
  }
  /// What the last event made the machine send is exactly this.
  StartupScript& sends(std::string bytes) {
    events_.back().sends = std::move(bytes);
    return *this;
  }
  StartupScript& check(Check check) {
    events_.back().check = std::move(check);
    return *this;
  }
  /// The error after StartupAction::fail.
  StartupScript& error(ErrorKind kind, std::string text) {
    return check([kind, text](const StartupMachine& machine) {
      ASSERT_NE(machine.error(), nullptr);
      EXPECT_EQ(machine.error()->message(), text);
      EXPECT_EQ(machine.error()->kind(), kind);
      EXPECT_EQ(machine.error()->stage(), ErrorStage::connecting);
    });
  }

  void run() const {
    play({});
    play({.piece = 1});
    const std::size_t bytes = server_bytes();
    ASSERT_GT(events_.size(), 0U);
    for (std::size_t split = 1; split < bytes && !::testing::Test::HasFailure(); ++split) play({.split = split});
    for (std::size_t end = 0; end <= bytes && !::testing::Test::HasFailure(); ++end) play({.close_at = end});
    for (std::size_t at = 0; at < bytes && !::testing::Test::HasFailure(); ++at) {
      for (const int value : {0x00, 0x01, 0x7f, 0xff, int{'E'}, int{'R'}, int{'Z'}}) {
        play({.damage_at = at, .damage = static_cast<char>(value)});
      }
    }
  }

 private:
  static constexpr std::size_t kNever = static_cast<std::size_t>(-1);
  struct How {
    std::size_t piece = kNever;
    std::size_t split = kNever;
    std::size_t close_at = kNever;
    std::size_t damage_at = kNever;
    char damage = 0;
    bool as_written() const { return close_at == kNever && damage_at == kNever; }
  };
  struct Play {
    How how;
    std::string sent;  ///< by the last event
    base::ReadBuffer in;
    SessionEvents events;
    std::size_t fed = 0;
    bool closed = false;

    StartupAction feed(StartupMachine& machine, std::string bytes) {
      if (how.damage_at >= fed && how.damage_at < fed + bytes.size()) bytes[how.damage_at - fed] = how.damage;
      if (how.close_at != kNever && how.close_at <= fed + bytes.size()) {
        bytes.resize(how.close_at - std::min(how.close_at, fed));
        closed = true;
      }
      StartupAction action = StartupAction::wait;
      std::string_view rest = bytes;
      while (!rest.empty() && action == StartupAction::wait) {
        std::size_t size = std::min(how.piece, rest.size());
        if (how.split > fed && how.split < fed + size) size = how.split - fed;
        std::memcpy(in.prepare(size), rest.data(), size);
        in.commit(size);
        rest.remove_prefix(size);
        fed += size;
        action = machine.on_bytes(in, events);
      }
      fed += rest.size();
      if (closed) return machine.on_closed(Error(ErrorKind::Unavailable, "connection closed"));
      return action;
    }
  };
  struct Event {
    StartupAction expected;
    std::function<StartupAction(StartupMachine&, Play&, std::size_t)> run;
    std::optional<std::string> sends;
    Check check;
  };

  StartupScript& add(StartupAction expected,
                     std::function<StartupAction(StartupMachine&, Play&, std::size_t)> run) {
    events_.push_back({expected, std::move(run), std::nullopt, {}});
    return *this;
  }
  std::size_t server_bytes() const {
    Play counted;
    base::WriteBuffer out;
    StartupMachine machine(options_, out, [] { return std::string("clientnonce"); });
    replay(machine, out, counted);
    return counted.fed;
  }
  void play(How how) const {
    Play play;
    play.how = how;
    base::WriteBuffer out;
    StartupMachine machine(options_, out, [] { return std::string("clientnonce"); });
    replay(machine, out, play);
  }
  void replay(StartupMachine& machine, base::WriteBuffer& out, Play& play) const {
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const Event& event = events_[i];
      const StartupAction action = event.run(machine, play, i);
      play.sent = std::string(out.view());
      out.clear();
      if (action == StartupAction::fail) EXPECT_NE(machine.error(), nullptr);
      if (action == StartupAction::reconnect) play.in.clear();
      if (play.closed) {
        EXPECT_EQ(action, StartupAction::fail);
        return;
      }
      if (!play.how.as_written()) {
        if (action != event.expected) return;
        continue;
      }
      ASSERT_EQ(static_cast<int>(action), static_cast<int>(event.expected))
          << "event " << i << ": " << (machine.error() != nullptr ? machine.error()->what() : "no error");
      if (event.sends) EXPECT_EQ(play.sent, *event.sends) << "event " << i;
      if (event.check) event.check(machine);
    }
  }

  StartupOptions options_;
  std::vector<Event> events_;
};

}  // namespace switchyard::inline v0::protocol::testing
