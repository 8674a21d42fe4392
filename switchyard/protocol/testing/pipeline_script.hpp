// A scripted conversation with a Pipeline, without any I/O.
//
//   Script script;
//   script.client([](Play& p) { return p.pipeline.query("SELECT 1", p.group("q")); })
//       .sends(...)                       // exactly these bytes were written
//       .server(row_description({"a"}))   // fed to the machine
//       .calls({"q row_description a"});  // exactly these callbacks, in this order
//   script.run();
//
// run() plays it in one piece, byte by byte and split at every byte, each time with the same result; then closes
// the connection at every byte, cuts or lengthens every message, and damages every byte. Whatever happens, each
// submitted step must end exactly once, and nothing may be called after that.
#pragma once

#include <switchyard/protocol/pipeline.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::protocol::testing {

using Log = std::vector<std::string>;

/// Writes each callback as a line "NAME callback arguments" and counts the ends of steps.
class RecordingSink final : public ResponseSink {
 public:
  /// A group sink is for sync and query, whose only ends are on_ready and on_lost.
  RecordingSink(std::string name, bool group, Log& log) : name_(std::move(name)), group_(group), log_(log) {}

  int ends() const { return ends_; }
  /// Runs inside the next callback.
  void then(std::function<void()> action) { action_ = std::move(action); }

  void on_parse_complete() noexcept override { end("parse_complete"); }
  void on_bind_complete() noexcept override { end("bind_complete"); }
  void on_close_complete() noexcept override { end("close_complete"); }
  void on_parameter_description(std::span<const Oid> types) noexcept override {
    std::string text = "parameter_description";
    for (const Oid type : types) text += " " + std::to_string(type);
    note(text);
  }
  void on_row_description(std::shared_ptr<const RowDescription> description) noexcept override {
    std::string text = "row_description";
    for (const FieldDescription& field : description->fields()) text += " " + std::string(field.name);
    group_ ? note(text) : end(text);
  }
  void on_no_data() noexcept override { end("no_data"); }
  void on_row(RowView row) noexcept override {
    std::string text = "row";
    for (FieldCursor cursor = row.fields(); cursor.remaining() > 0;) {
      const FieldView field = cursor.next();
      text += field.is_null() ? " NULL" : " " + std::string(field.bytes());
    }
    if (row.count() == 0) (void)row.well_formed();
    note(text);
  }
  void on_command_complete(std::string_view tag) noexcept override {
    const std::string text = "command_complete " + std::string(tag);
    group_ ? note(text) : end(text);
  }
  void on_empty_query() noexcept override { group_ ? note("empty_query") : end("empty_query"); }
  void on_portal_suspended() noexcept override { end("portal_suspended"); }
  void on_copy_in(const CopyFormat& format) noexcept override { note("copy_in " + show(format)); }
  void on_copy_out(const CopyFormat& format) noexcept override { note("copy_out " + show(format)); }
  void on_copy_data(ByteView data) noexcept override { note("copy_data " + std::string(data)); }
  void on_copy_done() noexcept override { note("copy_done"); }
  void on_error(const ServerFields& fields) noexcept override {
    group_ ? note("error " + fields.sqlstate) : end("error " + fields.sqlstate);
  }
  void on_skipped() noexcept override { end("skipped"); }
  void on_ready(char status) noexcept override { end(std::string("ready ") + status); }
  void on_lost(const Error& error) noexcept override { end("lost " + std::string(to_string(error.kind()))); }

 private:
  static std::string show(const CopyFormat& format) {
    return std::string(format.binary ? "binary " : "text ") + std::to_string(format.columns.size());
  }
  void note(const std::string& text) {
    log_.push_back(name_ + " " + text);
    if (action_) std::exchange(action_, {})();
  }
  void end(const std::string& text) {
    ++ends_;
    note(text);
  }
  std::string name_;
  bool group_;
  Log& log_;
  int ends_ = 0;
  std::function<void()> action_;
};

class RecordingEvents final : public SessionEvents {
 public:
  explicit RecordingEvents(Log& log) : log_(log) {}
  void on_notice(const ServerFields& fields) noexcept override { log_.push_back("notice " + fields.message); }
  void on_parameter_status(std::string_view name, std::string_view value) noexcept override {
    log_.push_back("parameter_status " + std::string(name) + "=" + std::string(value));
  }
  void on_notification(std::int32_t pid, std::string_view channel, std::string_view payload) noexcept override {
    log_.push_back("notification " + std::to_string(pid) + " " + std::string(channel) + " " + std::string(payload));
  }
  void on_fatal(const ServerFields& fields) noexcept override { log_.push_back("fatal " + fields.sqlstate); }

 private:
  Log& log_;
};

/// One playing of a script.
struct Play {
  base::WriteBuffer out;
  base::ReadBuffer in;
  Log log;
  RecordingEvents events{log};
  std::map<std::string, std::unique_ptr<RecordingSink>> sinks;
  Pipeline pipeline{out};

  /// The sink of that name for steps other than sync and query.
  RecordingSink* step(const std::string& name) { return find(name, false); }
  /// The sink of that name for sync and query.
  RecordingSink* group(const std::string& name) { return find(name, true); }

  Pipeline::Outcome feed(std::string_view bytes) {
    if (char* at = in.prepare(bytes.size() + 1)) {
      if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
      in.commit(bytes.size());
    }
    return pipeline.on_bytes(in, events);
  }
  int ends() const {
    int sum = 0;
    for (const auto& [name, sink] : sinks) sum += sink->ends();
    return sum;
  }

 private:
  RecordingSink* find(const std::string& name, bool group) {
    auto& sink = sinks[name];
    if (!sink) sink = std::make_unique<RecordingSink>(name, group, log);
    return sink.get();
  }
};

class Script {
 public:
  using Client = std::function<Pipeline::Submitted(Play&)>;

  /// The client submits one step (or none, for flush and COPY data).
  Script& client(Client action) { return add({Kind::client, std::move(action), {}, {}, Pipeline::Outcome::ok}); }
  /// Everything written since the last sends() is this.
  Script& sends(std::string bytes) { return add({Kind::sends, {}, std::move(bytes), {}, Pipeline::Outcome::ok}); }
  Script& server(std::string bytes, Pipeline::Outcome outcome = Pipeline::Outcome::ok) {
    return add({Kind::server, {}, std::move(bytes), {}, outcome});
  }
  /// Everything called since the last calls() is this.
  Script& calls(Log lines) { return add({Kind::calls, {}, {}, std::move(lines), Pipeline::Outcome::ok}); }
  /// The error that ended the session.
  Script& ends_with(std::string text) { return add({Kind::error, {}, std::move(text), {}, Pipeline::Outcome::ok}); }

  /// Plays the script in every way.
  void run() const {
    play_expecting(kWhole);
    play_expecting(1);
    const std::size_t bytes = server_bytes();
    for (std::size_t split = 1; split < bytes && !::testing::Test::HasFailure(); ++split) play_split_at(split);
    for (std::size_t end = 0; end <= bytes && !::testing::Test::HasFailure(); ++end) play_closed_at(end);
    for (std::size_t at = 0; at < bytes && !::testing::Test::HasFailure(); ++at) {
      for (const unsigned char value : {0x00, 0x01, 0x7f, 0x80, 0xff, int{'E'}, int{'Z'}, int{'D'}}) {
        play_damaged(at, static_cast<char>(value));
      }
    }
    // A script that ends with a broken message already says what is wrong with it.
    for (const Event& event : events_) {
      if (event.outcome == Pipeline::Outcome::protocol_error) return;
    }
    play_resized(false);
    play_resized(true);
  }
  /// Plays it once, in one piece.
  void run_once() const { play_expecting(kWhole); }

 private:
  enum class Kind { client, sends, server, calls, error };
  struct Event {
    Kind kind;
    Client action;
    std::string bytes;
    Log lines;
    Pipeline::Outcome outcome;
  };
  static constexpr std::size_t kWhole = static_cast<std::size_t>(-1);

  Script& add(Event event) {
    events_.push_back(std::move(event));
    return *this;
  }
  std::size_t server_bytes() const {
    std::size_t sum = 0;
    for (const Event& event : events_) {
      if (event.kind == Kind::server) sum += event.bytes.size();
    }
    return sum;
  }

  void play_expecting(std::size_t piece) const {
    Play play;
    int submitted = 0;
    for (const Event& event : events_) check(play, event, piece, submitted);
    finish(play, submitted);
  }
  void play_split_at(std::size_t split) const {
    Play play;
    int submitted = 0;
    std::size_t before = 0;
    for (const Event& event : events_) {
      const bool here = event.kind == Kind::server && split > before && split < before + event.bytes.size();
      check(play, event, here ? split - before : kWhole, submitted, here);
      if (event.kind == Kind::server) before += event.bytes.size();
    }
    finish(play, submitted);
  }

  static void check(Play& play, const Event& event, std::size_t piece, int& submitted, bool only_once = false) {
    switch (event.kind) {
      case Kind::client: submit(play, event, submitted); break;
      case Kind::sends:
        EXPECT_EQ(play.out.view(), event.bytes) << "bytes sent";
        play.out.clear();
        break;
      case Kind::calls:
        EXPECT_EQ(play.log, event.lines) << "callbacks, with pieces of " << piece;
        play.log.clear();
        break;
      case Kind::error:
        ASSERT_NE(play.pipeline.error(), nullptr);
        EXPECT_EQ(play.pipeline.error()->message(), event.bytes);
        break;
      case Kind::server: {
        Pipeline::Outcome outcome = Pipeline::Outcome::ok;
        std::string_view rest = event.bytes;
        while (!rest.empty()) {
          const std::string_view part = rest.substr(0, piece);
          rest.remove_prefix(part.size());
          outcome = play.feed(part);
          if (only_once) piece = kWhole;
        }
        EXPECT_EQ(outcome, event.outcome)
            << "after " << event.bytes.size()
            << " bytes: " << (play.pipeline.error() != nullptr ? play.pipeline.error()->what() : "no error");
        break;
      }
    }
  }
  static void submit(Play& play, const Event& event, int& submitted) {
    const std::size_t before = play.pipeline.outstanding();
    (void)event.action(play);
    submitted += static_cast<int>(play.pipeline.outstanding() - before);
  }
  /// Whatever was played: the end of the connection ends every step, each exactly once.
  static void finish(Play& play, int submitted) {
    play.pipeline.on_closed(Error(ErrorKind::Closed, "closed by the script"));
    EXPECT_EQ(play.pipeline.outstanding(), 0U);
    EXPECT_EQ(play.ends(), submitted) << "each step ends exactly once";
    const std::size_t lines = play.log.size();
    (void)play.feed("Z\0\0\0\5I");
    EXPECT_EQ(play.log.size(), lines) << "nothing is called behind the end";
    EXPECT_NE(play.pipeline.sync(nullptr), Pipeline::Submitted::ok);
  }
  void play_closed_at(std::size_t end) const {
    play_changed(end, [](std::string&, std::size_t) {});
  }
  void play_damaged(std::size_t at, char value) const {
    play_changed(kWhole, [at, value](std::string& bytes, std::size_t before) {
      if (at >= before && at < before + bytes.size()) bytes[at - before] = value;
    });
  }
  /// Each message in turn is one byte shorter or longer than its type allows. CopyData may have any length.
  void play_resized(bool longer) const {
    std::size_t count = 0;
    for (const Event& event : events_) {
      if (event.kind == Kind::server) count += message_starts(event.bytes).size();
    }
    for (std::size_t which = 0; which < count; ++which) {
      std::size_t seen = 0;
      bool changed = false;
      const bool ended = play_changed(kWhole, [&](std::string& bytes, std::size_t) {
        const auto starts = message_starts(bytes);
        if (which >= seen && which < seen + starts.size()) {
          const std::size_t at = starts[which - seen];
          const auto length = base::load_be<std::uint32_t>(bytes.data() + at + 1);
          if (bytes[at] != 'd' && (longer || length > 4)) {
            changed = true;
            base::store_be(bytes.data() + at + 1, longer ? length + 1 : length - 1);
            longer ? void(bytes.insert(at + 1 + length, 1, '\0')) : void(bytes.erase(at + length, 1));
          }
        }
        seen += starts.size();
      });
      if (changed)
        EXPECT_TRUE(ended) << "message " << which << (longer ? " with a byte more" : " with a byte less");
    }
  }
  /// Plays without expectations; true if the session was ended by an error.
  template <class Change>
  bool play_changed(std::size_t end, Change&& change) const {
    Play play;
    int submitted = 0;
    std::size_t before = 0;
    for (const Event& event : events_) {
      if (event.kind == Kind::client) submit(play, event, submitted);
      if (event.kind != Kind::server) continue;
      std::string bytes = event.bytes;
      change(bytes, before);
      if (end != kWhole) bytes.resize(std::min(bytes.size(), end - std::min(end, before)));
      before += event.bytes.size();
      if (!bytes.empty()) (void)play.feed(bytes);
      if (end != kWhole && end <= before) break;
    }
    const bool ended = play.pipeline.error() != nullptr;
    finish(play, submitted);
    return ended;
  }

  std::vector<Event> events_;
};

}  // namespace switchyard::inline v0::protocol::testing
