// A client that has sessions for moments only can't tell that from one that has a session for itself: random
// conversations, pipelined and cut anywhere, with errors anywhere, are held with a small model of a server
// directly, and through the machine with two of them that take turns, and a third that only reads and is given
// transactions that begin with READ ONLY. Every answer must be the same.
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/session.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::gateway {
namespace {

using base::ReadBuffer;
using base::WriteBuffer;

/// One session of PostgreSQL, as far as names and transactions go.
class ModelServer {
 public:
  enum class Kind : std::uint8_t { primary, standby };
  explicit ModelServer(Kind kind = Kind::primary) : kind_(kind) {}

  void take(std::string_view bytes) {
    while (!bytes.empty()) {
      const protocol::Frame frame = protocol::next_frame(bytes, protocol::frontend_limits());
      ASSERT_EQ(frame.status, protocol::FrameStatus::complete);
      on_message(frame);
      bytes.remove_prefix(frame.total);
    }
  }
  std::string answers() { return std::exchange(answers_, {}); }
  std::size_t prepared() const { return statements_.size(); }

 private:
  void on_message(const protocol::Frame& frame) {
    if (skipping_ && frame.type != 'S') return;
    const std::string_view body = frame.body;
    const auto text = [&](std::size_t at) { return std::string(body.substr(at, body.find('\0', at) - at)); };
    switch (frame.type) {
      case 'Q': return on_query(text(0));
      case 'P': {
        const std::string name = text(0);
        const std::string sql = text(name.size() + 1);
        if (name.empty()) unnamed_.reset();
        if (sql == "SELECT fail") return error("42601");
        if (status_ == 'E' && !leaves(sql)) return error("25P02");
        if (name.empty()) {
          unnamed_ = sql;
        } else if (!statements_.emplace(name, sql).second) {
          return error("42P05");
        }
        return add(protocol::ParseComplete());
      }
      case 'B': {
        const std::string portal = text(0);
        const std::optional<std::string> sql = find(text(portal.size() + 1));
        if (!sql) return error("26000");
        if (status_ == 'E' && !leaves(*sql)) return error("25P02");
        portal_ = sql;
        return add(protocol::BindComplete());
      }
      case 'D':
        if (body.front() == 'S') {
          const std::optional<std::string> sql = find(text(1));
          if (!sql) return error("26000");
          if (status_ == 'E' && !leaves(*sql)) return error("25P02");
          add(protocol::ParameterDescription{});
        } else if (!portal_) {
          return error("34000");
        }
        return add(protocol::NoData());
      case 'E':
        if (!portal_) return error("34000");
        if (status_ == 'E' && !leaves(*portal_)) return error("25P02");
        if (*portal_ == "SELECT later") return error("22012");
        run(*portal_);
        return;
      case 'C': {
        const std::string name = text(1);
        if (body.front() == 'P') {
          portal_.reset();
        } else if (name.empty()) {
          unnamed_.reset();
        } else {
          statements_.erase(name);
        }
        return add(protocol::CloseComplete());
      }
      case 'S': skipping_ = false; return ready();
      default: return;
    }
  }

  void on_query(const std::string& text) {
    unnamed_.reset();
    if (!text.starts_with("DEALLOCATE")) portal_.reset();  // unlike PostgreSQL: answered where no portals are
    in_query_ = true;
    failed_ = false;
    for (std::size_t at = 0; at < text.size() && !failed_;) {
      const std::size_t end = std::min(text.find(';', at), text.size());
      const std::size_t begin = std::min(text.find_first_not_of(' ', at), end);
      if (begin != end) run_text(text.substr(begin, end - begin));
      at = end + 1;
    }
    in_query_ = false;
    ready();
  }

  void run_text(const std::string& sql) {
    if (sql == "SELECT fail") {
      error("42601");
    } else if (status_ == 'E' && !leaves(sql)) {
      error("25P02");
    } else if (sql.starts_with("DEALLOCATE ALL")) {
      statements_.clear();
      complete("DEALLOCATE ALL");
    } else if (sql.starts_with("DEALLOCATE ")) {
      if (statements_.erase(sql.substr(11)) == 0) {
        error("26000");
      } else {
        complete("DEALLOCATE");
      }
    } else if (sql == "DISCARD ALL") {
      if (status_ != 'I') {
        error("25001");
      } else {
        statements_.clear();
        complete("DISCARD ALL");
      }
    } else if (sql == "SELECT later") {
      error("22012");
    } else {
      run(sql);
    }
  }

  void run(const std::string& sql) {
    if (sql.starts_with("BEGIN")) {
      if (status_ == 'I') reads_only_ = sql == "BEGIN READ ONLY";
      status_ = 'T';
    }
    if (sql == "INSERT" && (kind_ == Kind::standby || (status_ == 'T' && reads_only_))) return error("25006");
    if (sql == "COMMIT" || sql == "ROLLBACK") {
      const bool rolled_back = status_ == 'E' || sql == "ROLLBACK";
      status_ = 'I';
      portal_.reset();
      return complete(rolled_back ? "ROLLBACK" : "COMMIT");
    }
    complete("DONE");
  }
  /// May be used in a transaction that has failed.
  static bool leaves(const std::string& sql) { return sql == "COMMIT" || sql == "ROLLBACK" || sql.empty(); }
  std::optional<std::string> find(const std::string& name) const {
    if (name.empty()) return unnamed_;
    const auto found = statements_.find(name);
    return found == statements_.end() ? std::nullopt : std::optional(found->second);
  }
  void error(std::string_view sqlstate) {
    ServerFields fields;
    fields.severity = fields.severity_localized = "ERROR";
    fields.sqlstate = sqlstate;
    fields.message = "no";
    WriteBuffer out;
    protocol::encode_error_response(out, fields);
    answers_ += out.view();
    if (status_ == 'T') status_ = 'E';
    if (!in_query_) skipping_ = true;
    failed_ = true;
  }
  void complete(std::string_view tag) { add(protocol::CommandComplete{tag}); }
  void ready() {
    if (status_ == 'I') portal_.reset();
    add(protocol::ReadyForQuery{status_});
  }
  template <class Message>
  void add(const Message& message) {
    WriteBuffer out;
    (void)encode(out, message);
    answers_ += out.view();
  }

  Kind kind_;
  bool reads_only_ = false;
  std::map<std::string, std::string> statements_;
  std::optional<std::string> unnamed_;
  std::optional<std::string> portal_;
  char status_ = 'I';
  bool skipping_ = false;
  bool in_query_ = false;
  bool failed_ = false;
  std::string answers_;
};

/// What a client sees, one word for each message.
std::vector<std::string> seen(std::string_view bytes) {
  std::vector<std::string> words;
  while (!bytes.empty()) {
    const protocol::Frame frame = protocol::next_frame(bytes, protocol::backend_limits());
    if (frame.status != protocol::FrameStatus::complete) {
      words.emplace_back("rubbish");
      return words;
    }
    std::string word(1, frame.type);
    if (frame.type == 'E') {
      const auto fields = protocol::decode_error_fields(frame.body);
      word += " " + (fields.ok() ? fields->sqlstate : std::string("malformed"));
    } else if (frame.type == 'Z' || frame.type == 'C') {
      word += " " + std::string(frame.body.substr(0, frame.body.find('\0')));
    }
    words.push_back(std::move(word));
    bytes.remove_prefix(frame.total);
  }
  return words;
}

class Conversation {
 public:
  explicit Conversation(unsigned seed) : random_(seed) {}

  /// The messages, each complete.
  std::vector<std::string> messages() {
    std::vector<std::string> all;
    const unsigned groups = pick(1, 8);
    for (unsigned i = 0; i < groups; ++i) {
      if (pick(0, 2) == 0) {
        all.push_back(encoded(protocol::Query{
            one_of({"SELECT 1", "SELECT fail", "BEGIN", "COMMIT", "ROLLBACK", "SELECT later", "DEALLOCATE a",
                    "DEALLOCATE ALL", "DISCARD ALL", "SELECT 2", "BEGIN READ ONLY", "INSERT", "INSERT", "COMMIT",
                    "COMMIT; INSERT", "SELECT 1; COMMIT; BEGIN READ ONLY; SELECT 2",
                    "BEGIN READ ONLY; SELECT 1; COMMIT; INSERT", "SELECT later; COMMIT; INSERT"})}));
        continue;
      }
      const unsigned count = pick(0, 7);
      for (unsigned j = 0; j < count; ++j) all.push_back(message());
      all.push_back(encoded(protocol::Sync()));
    }
    return all;
  }
  unsigned pick(unsigned from, unsigned to) { return std::uniform_int_distribution<unsigned>(from, to)(random_); }

 private:
  std::string_view one_of(std::initializer_list<std::string_view> list) {
    return *(list.begin() + pick(0, static_cast<unsigned>(list.size() - 1)));
  }
  std::string_view name() { return one_of({"a", "b", "", "a"}); }
  std::string message() {
    switch (pick(0, 6)) {
      case 0:
        return encoded(protocol::Parse{
            name(),
            one_of({"SELECT 1", "SELECT 2", "SELECT fail", "BEGIN", "BEGIN READ ONLY", "COMMIT", "INSERT"}),
            {}});
      case 1:
        return encoded(protocol::Parse{
            "",
            one_of({"SELECT 1", "SELECT fail", "COMMIT", "ROLLBACK", "SELECT later", "BEGIN READ ONLY", "INSERT"}),
            {}});
      case 2: {
        protocol::Bind bind;
        bind.statement = name();
        return encoded(bind);
      }
      case 3:
        return encoded(protocol::Describe{pick(0, 1) == 0 ? protocol::Target::statement : protocol::Target::portal,
                                          pick(0, 1) == 0 ? name() : ""});
      case 4: return encoded(protocol::Execute{"", 0});
      case 5: return encoded(protocol::Close{protocol::Target::statement, name()});
      default: return encoded(protocol::Flush());
    }
  }
  template <class Message>
  static std::string encoded(const Message& message) {
    WriteBuffer out;
    (void)encode(out, message);
    return std::string(out.view());
  }
  std::mt19937 random_;
};

void put(ReadBuffer& in, std::string_view bytes) {
  std::memcpy(in.prepare(bytes.size() + 1), bytes.data(), bytes.size());
  in.commit(bytes.size());
}

/// The client's machine between two sessions, one of which it has at a time.
class Gateway {
 public:
  Gateway()
      : machine({.interns = interns_, .sets = sets_, .harmless = {}, .max_prepared = 2}, client_out, 7, 1 << 20) {
    machine.begin(nullptr, nullptr);
  }

  /// Lets everything happen that can: messages, answers, sessions that come and go.
  void settle(Conversation& with) {
    for (int turn = 0; turn < 1000; ++turn) {
      machine.on_client(client_in);
      ASSERT_EQ(machine.state(), ClientMachine::State::running) << machine.error();
      if (machine.wants_session() && !machine.attached()) {
        const bool read = machine.begins_read(client_in.readable());
        at_ = read ? kStandby : with.pick(0, 1);
        reads += read ? 1 : 0;
        machine.attach(states_[at_], server_out_, 1,
                       read ? ClientMachine::Use::one_transaction : ClientMachine::Use::anything);
        continue;
      }
      if (!machine.attached()) return;
      servers_[at_].take(server_out_.view());
      server_out_.clear();
      const std::string answers = servers_[at_].answers();
      if (answers.empty()) {
        if (!machine.settled()) {
          // Only what the client has not finished can be open.
          ASSERT_FALSE(machine.held());
          return;
        }
        machine.settle();
        if (!server_out_.empty()) continue;
        const bool leaves = at_ == kStandby || (!machine.held() && with.pick(0, 1) == 0);
        if (machine.quiet() && leaves) {
          ASSERT_FALSE(any(machine.pins()));
          const bool held = machine.held();
          machine.detach();
          if (!held) return;
          continue;
        }
        if (!machine.held()) return;
        continue;
      }
      // In pieces.
      const std::size_t cut = with.pick(0, static_cast<unsigned>(answers.size()));
      put(server_in_, std::string_view(answers).substr(0, cut));
      machine.on_server(server_in_);
      put(server_in_, std::string_view(answers).substr(cut));
      machine.on_server(server_in_);
      ASSERT_EQ(machine.state(), ClientMachine::State::running) << machine.error();
      ASSERT_EQ(server_in_.size(), 0U);
    }
    FAIL() << "it does not come to an end";
  }

  WriteBuffer client_out;
  ReadBuffer client_in;
  int reads = 0;  ///< times that it was given the standby

 private:
  static constexpr unsigned kStandby = 2;
  Interns interns_{"sw_test_"};
  SettingSets sets_;
  std::array<SessionState, 3> states_;
  std::array<ModelServer, 3> servers_{ModelServer(), ModelServer(), ModelServer(ModelServer::Kind::standby)};
  WriteBuffer server_out_;
  ReadBuffer server_in_;
  unsigned at_ = 0;

 public:
  ClientMachine machine;
};

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

std::string shown(const std::vector<std::string>& messages) {
  std::string all;
  for (const std::string& message : messages) {
    all += all.empty() ? "" : " | ";
    for (const char c : message) {
      if (c >= ' ' && c <= '~') all += c;
    }
  }
  return all;
}

TEST(ClientMachineModelTest, AClientSeesWhatASessionOfItsOwnWouldSay) {
  int reads = 0;
  for (unsigned seed = 1; seed <= 4000; ++seed) {
    Conversation conversation(seed);
    const std::vector<std::string> messages = conversation.messages();
    ModelServer own;
    for (const std::string& message : messages) own.take(message);
    const std::string expected = own.answers();

    Gateway gateway;
    for (const std::string& message : messages) {
      put(gateway.client_in, message);
      // Sometimes the answers are waited for, sometimes the next message is there first.
      if (conversation.pick(0, 2) == 0) gateway.settle(conversation);
      if (::testing::Test::HasFatalFailure()) break;
    }
    gateway.settle(conversation);
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "seed " << seed << ": " << shown(messages);
    ASSERT_EQ(joined(seen(gateway.client_out.view())), joined(seen(expected)))
        << "seed " << seed << ": " << shown(messages);
    reads += gateway.reads;
  }
  EXPECT_GT(reads, 300);
}

}  // namespace
}  // namespace switchyard::gateway
