// The console without a gateway: what is understood, and how it is answered.
#include <switchyard/gateway/console_config.hpp>
#include <switchyard/gateway/console_machine.hpp>
#include <switchyard/gateway/traffic.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/rows.hpp>
#include <switchyard/protocol/messages/session.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <gtest/gtest.h>

#include <random>

namespace switchyard::gateway {
namespace {

using namespace std::chrono_literals;
using namespace protocol;
using protocol::testing::encoded;

/// "verb argument value", or the error.
std::string parsed(std::string_view text) {
  const Result<ConsoleCommand> command = parse_console_command(text);
  if (!command.ok()) {
    return std::string(command.error().sqlstate()) + " " + std::string(command.error().server()->message);
  }
  return std::to_string(static_cast<int>(command->verb)) + "," + std::to_string(static_cast<int>(command->table)) +
         "," + command->argument + "," + command->value;
}
std::string expected(ConsoleVerb verb, ConsoleTable table = {}, const std::string& argument = "",
                     const std::string& value = "") {
  return std::to_string(static_cast<int>(verb)) + "," + std::to_string(static_cast<int>(table)) + "," + argument +
         "," + value;
}

TEST(ConsoleCommands, OneWordAndAnArgumentInAnyCase) {
  EXPECT_EQ(parsed("SHOW POOLS"), expected(ConsoleVerb::show, ConsoleTable::pools));
  EXPECT_EQ(parsed(" show\tpools ; "), expected(ConsoleVerb::show, ConsoleTable::pools));
  EXPECT_EQ(parsed("SELECT clients"), expected(ConsoleVerb::show, ConsoleTable::clients));
  EXPECT_EQ(parsed("pause"), expected(ConsoleVerb::pause));
  EXPECT_EQ(parsed("PAUSE main;"), expected(ConsoleVerb::pause, {}, "main"));
  EXPECT_EQ(parsed("RESUME \"my \"\"db\"\"\""), expected(ConsoleVerb::resume, {}, "my \"db\""));
  EXPECT_EQ(parsed("kill_client 17"), expected(ConsoleVerb::kill_client, {}, "17"));
  EXPECT_EQ(parsed("SHUTDOWN WAIT_FOR_CLIENTS"), expected(ConsoleVerb::shutdown, {}, "WAIT_FOR_CLIENTS"));
}

TEST(ConsoleCommands, SetTakesWordsNumbersAndQuotedTexts) {
  EXPECT_EQ(parsed("SET max_client_conn = 5"), expected(ConsoleVerb::set, {}, "max_client_conn", "5"));
  EXPECT_EQ(parsed("set a to 'it''s'"), expected(ConsoleVerb::set, {}, "a", "it's"));
  EXPECT_EQ(parsed("SET a=-1.5;"), expected(ConsoleVerb::set, {}, "a", "-1.5"));
  EXPECT_EQ(parsed("SET \"a\" = \"b c\""), expected(ConsoleVerb::set, {}, "a", "b c"));
}

TEST(ConsoleCommands, WhatDriversSayByThemselvesIsUnderstood) {
  EXPECT_EQ(parsed(""), expected(ConsoleVerb::empty));
  EXPECT_EQ(parsed("-- ping"), expected(ConsoleVerb::empty));
  EXPECT_EQ(parsed(" /* x */ ;"), expected(ConsoleVerb::empty));
  EXPECT_EQ(parsed("BEGIN"), expected(ConsoleVerb::begin));
  EXPECT_EQ(parsed("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"), expected(ConsoleVerb::begin));
  EXPECT_EQ(parsed("START TRANSACTION"), expected(ConsoleVerb::begin));
  EXPECT_EQ(parsed("ROLLBACK;"), expected(ConsoleVerb::rollback));
  EXPECT_EQ(parsed("SELECT 1"), expected(ConsoleVerb::ping));
  EXPECT_EQ(parsed("DISCARD ALL"), expected(ConsoleVerb::discard, {}, "DISCARD ALL"));
  EXPECT_EQ(parsed("SHOW TimeZone"), expected(ConsoleVerb::show, ConsoleTable::setting, "timezone"));
  EXPECT_EQ(parsed("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
            expected(ConsoleVerb::set, {}, "transaction_isolation"));
}

TEST(ConsoleCommands, AnythingElseIsAnErrorInPgBouncersWords) {
  for (const std::string text : {"SHOW", "SHOW nothing", "SHOW POOLS; SHOW POOLS", "SHOW POOLS x", "RELOAD x",
                                 "SHUTDOWN now", "SELECT 2", "PAUSE 'main'", "SET a", "SET a 1", "SET = 1",
                                 "SET a = 'x", "/* x", "PAUSE \"main", "\\d", "BEGIN; SHOW POOLS"}) {
    EXPECT_EQ(parsed(text), "08P01 invalid command '" + text + "', use SHOW HELP;");
  }
  EXPECT_EQ(parsed("PAUSE " + std::string(64, 'x')), "08P01 bad arguments");
  EXPECT_EQ(parsed("SET a = '" + std::string(513, 'x') + "'"), "08P01 bad arguments");
  EXPECT_EQ(parsed(std::string(1025, ' ')), "08P01 command is longer than 1024 bytes");
}

/// Answers as it is told.
struct Runner final : ConsoleRunner {
  std::optional<Result<ConsoleAnswer>> run(const ConsoleCommand& command, ConsoleMachine& asker) override {
    commands.push_back(command);
    if (later) {
      waiting = &asker;
      return std::nullopt;
    }
    ConsoleAnswer answer;
    answer.tag = command.verb == ConsoleVerb::show ? "SHOW" : "DONE";
    answer.table = command.table;
    if (command.table == ConsoleTable::help) answer.notice = "Console usage";
    if (command.table == ConsoleTable::lists) {
      for (int i = 0; i < 3; ++i) answer.add_row().add("list").add(i);
    }
    if (command.table == ConsoleTable::totals) answer.add_row().add("big").add(std::uint64_t{1'234'567'890'000});
    return answer;
  }
  void withdraw(ConsoleMachine& /*asker*/) noexcept override {
    waiting = nullptr;
    ++withdrawn;
  }
  std::vector<ConsoleCommand> commands;
  bool later = false;
  ConsoleMachine* waiting = nullptr;
  int withdrawn = 0;
};

struct Listener final : ConsoleMachine::Listener {
  void on_console_answered() noexcept override { ++answered; }
  int answered = 0;
};

/// A client: what it sends, and what it hears as a letter a message, errors and tags spelt out.
struct Client {
  explicit Client(ConsoleAccess access = ConsoleAccess::everything) : machine(runner, out, listener, access) {}
  std::string say(const std::string& bytes) {
    char* room = in.prepare(bytes.size());
    bytes.copy(room, bytes.size());
    in.commit(bytes.size());
    machine.on_bytes(in);
    return heard();
  }
  std::string query(std::string_view sql) { return say(encoded(Query{sql})); }
  std::string heard() {
    std::string text;
    base::ReadBuffer got;
    const ByteView bytes = out.view();
    for (std::size_t at = 0; at < bytes.size();) {
      const Frame frame = next_frame(bytes.substr(at), backend_limits());
      if (frame.status != FrameStatus::complete) return text + "?";
      if (!text.empty()) text += ' ';
      text += frame.type;
      if (frame.type == 'Z') text += frame.body;
      if (frame.type == 'C') text += "(" + std::string(CommandComplete::decode(frame.body)->tag) + ")";
      if (frame.type == 'E') text += "(" + decode_error_fields(frame.body)->sqlstate + ")";
      if (frame.type == 'D') last_row = std::string(frame.body);
      if (frame.type == 'T') last_columns = std::string(frame.body);
      at += frame.total;
    }
    out.clear();
    return text;
  }
  base::ReadBuffer in;
  base::WriteBuffer out;
  Runner runner;
  Listener listener;
  ConsoleMachine machine;
  std::string last_row, last_columns;
};

std::string extended(std::string_view sql, std::int32_t rows = 0) {
  return encoded(Parse{"", sql, {}}) + encoded(Bind{}) + encoded(Describe{Target::portal, ""}) +
         encoded(Execute{"", rows}) + encoded(Sync());
}

TEST(ConsoleMachineTest, SimpleQueriesAreAnswered) {
  Client client;
  EXPECT_EQ(client.query("SHOW LISTS"), "T D D D C(SHOW) ZI");
  EXPECT_EQ(client.query("SHOW HELP"), "N C(SHOW) ZI");
  EXPECT_EQ(client.query("RELOAD"), "C(DONE) ZI");
  EXPECT_EQ(client.query(""), "I ZI");
  EXPECT_EQ(client.query("SELECT 1"), "T D C(SELECT 1) ZI");
  EXPECT_EQ(client.query("SHOW timezone"), "T D C(SHOW) ZI");
  EXPECT_EQ(client.query("SET extra_float_digits = 3"), "C(SET) ZI");
  EXPECT_EQ(client.query("nonsense"), "E(08P01) ZI");
}

TEST(ConsoleMachineTest, ExtendedQueriesAreAnsweredAndAnErrorSkipsToSync) {
  Client client;
  EXPECT_EQ(client.say(extended("SHOW LISTS")), "1 2 T D D D C(SHOW) ZI");
  EXPECT_EQ(client.say(extended("RELOAD")), "1 2 n C(DONE) ZI");
  EXPECT_EQ(client.say(extended("")), "1 2 n I ZI");
  EXPECT_EQ(client.say(extended("SELECT 1")), "1 2 T D C(SELECT 1) ZI");
  EXPECT_EQ(client.say(extended("nonsense")), "E(08P01) ZI");
  EXPECT_EQ(client.runner.commands.size(), 2U);
  EXPECT_EQ(client.say(encoded(Bind{"", "missing", {}, 0, {}, {}}) + encoded(Execute()) + encoded(Sync())),
            "E(26000) ZI");
  EXPECT_EQ(client.say(encoded(Execute{"missing", 0}) + encoded(Sync())), "E(34000) ZI");
  EXPECT_EQ(client.say(encoded(Parse{"a", "SHOW LISTS", {}}) + encoded(Parse{"a", "RELOAD", {}}) + encoded(Sync())),
            "1 E(42P05) ZI");
  EXPECT_EQ(client.say(encoded(Describe{Target::statement, "a"}) + encoded(Close{Target::statement, "a"}) +
                       encoded(Describe{Target::statement, "a"}) + encoded(Sync())),
            "t T 3 E(26000) ZI");
}

TEST(ConsoleMachineTest, RowsComeInPortionsWhenAskedForSo) {
  Client client;
  const std::string begin = encoded(Parse{"", "SHOW LISTS", {}}) + encoded(Bind{});
  EXPECT_EQ(client.say(begin + encoded(Execute{"", 2}) + encoded(Execute{"", 2}) + encoded(Sync())),
            "1 2 D D s D C(SHOW) ZI");
  EXPECT_EQ(client.runner.commands.size(), 1U) << "a portal runs once";
}

TEST(ConsoleMachineTest, NumbersGoOutInBinaryWhenAskedForSo) {
  Client client;
  const std::int16_t binary[] = {1};
  EXPECT_EQ(client.say(encoded(Parse{"", "SHOW TOTALS", {}}) +
                       encoded(Bind{"", "", {}, 0, {}, FormatList(binary)}) + encoded(Execute()) + encoded(Sync())),
            "1 2 D C(SHOW) ZI");
  // numeric 1234567890000: digits 1, 2345, 6789, 0 of base 10000, the last left out; weight 3.
  const std::string number("\0\3\0\3\0\0\0\0\0\1\x09\x29\x1a\x85", 14);
  EXPECT_EQ(client.last_row, std::string("\0\2\0\0\0\3big\0\0\0\x0e", 13) + number);
}

TEST(ConsoleMachineTest, ATransactionIsPretendedAndFailsAsAtTheServer) {
  Client client;
  EXPECT_EQ(client.query("BEGIN"), "C(BEGIN) ZT");
  EXPECT_EQ(client.query("SHOW LISTS"), "T D D D C(SHOW) ZT");
  EXPECT_EQ(client.query("nonsense"), "E(08P01) ZE");
  EXPECT_EQ(client.query("SHOW LISTS"), "E(25P02) ZE");
  EXPECT_EQ(client.say(extended("SHOW LISTS")), "E(25P02) ZE");
  EXPECT_EQ(client.query("COMMIT"), "C(ROLLBACK) ZI");
}

TEST(ConsoleMachineTest, WhoMayOnlyLookChangesNothing) {
  Client client(ConsoleAccess::look);
  EXPECT_EQ(client.query("SHOW LISTS"), "T D D D C(SHOW) ZI");
  for (const char* text : {"PAUSE", "KILL main", "SET max_client_conn = 1", "SHOW FDS", "SHUTDOWN", "RELOAD"}) {
    EXPECT_EQ(client.query(text), "E(08P01) ZI") << text;
  }
  EXPECT_EQ(client.runner.commands.size(), 1U);
  EXPECT_EQ(client.query("SET timezone = 'UTC'"), "C(SET) ZI");
}

TEST(ConsoleMachineTest, WhatComesWhileACommandWaitsIsAnsweredBehindIt) {
  Client client;
  client.runner.later = true;
  EXPECT_EQ(client.say(encoded(Query{"PAUSE"}) + encoded(Query{"SHOW LISTS"})), "");
  EXPECT_TRUE(client.machine.waiting());
  client.runner.later = false;
  ConsoleAnswer answer;
  answer.tag = "PAUSE";
  client.machine.finish(std::move(answer));
  EXPECT_EQ(client.listener.answered, 1);
  EXPECT_EQ(client.heard(), "C(PAUSE) ZI");
  EXPECT_EQ(client.say(""), "T D D D C(SHOW) ZI");
}

TEST(ConsoleMachineTest, AWaitEndsByCancelAndWithItsClient) {
  auto client = std::make_unique<Client>();
  client->runner.later = true;
  EXPECT_EQ(client->say(extended("PAUSE")), "1 2 n");
  client->machine.cancel();
  EXPECT_EQ(client->runner.withdrawn, 1);
  EXPECT_EQ(client->heard(), "E(57014)");
  EXPECT_EQ(client->say(""), "ZI");
  {
    base::WriteBuffer out;
    ConsoleMachine machine(client->runner, out, client->listener, ConsoleAccess::everything);
    base::ReadBuffer in;
    const std::string bytes = encoded(Query{"PAUSE"});
    bytes.copy(in.prepare(bytes.size()), bytes.size());
    in.commit(bytes.size());
    machine.on_bytes(in);
    ASSERT_TRUE(machine.waiting());
  }
  EXPECT_EQ(client->runner.withdrawn, 2);
}

TEST(ConsoleMachineTest, NamesAreBounded) {
  Client client;
  std::string bytes;
  for (std::size_t i = 0; i <= ConsoleMachine::kMaxNamed; ++i) {
    bytes += encoded(Parse{"s" + std::to_string(i), "SHOW LISTS", {}});
  }
  EXPECT_TRUE(client.say(bytes + encoded(Sync())).ends_with("1 E(54000) ZI"));
  EXPECT_EQ(client.machine.prepared_statements(), ConsoleMachine::kMaxNamed);
}

TEST(ConsoleMachineTest, WhatIsNoMessageEndsTheConnection) {
  for (const std::string& bytes :
       {std::string("*\0\0\0\4", 5), std::string("Q\x7f\0\0\0", 5), std::string("Q\0\0\0\3", 5),
        encoded(FunctionCall()), std::string("Q\0\1\0\0", 5)}) {
    Client client;
    EXPECT_EQ(client.say(bytes), "E(08P01)") << bytes[0];
    EXPECT_TRUE(client.machine.closed());
  }
  Client client;
  EXPECT_EQ(client.say(encoded(Terminate())), "");
  EXPECT_TRUE(client.machine.closed());
}

// What a fuzzer would do, in few and always the same steps: whatever comes, each answer is a series of whole
// messages.
TEST(ConsoleMachineTest, NoStreamOfBytesBreaksIt) {
  std::mt19937 random(1);  // NOLINT: the same each time
  const std::string parts[] = {encoded(Query{"SHOW LISTS"}),
                               encoded(Query{"SET a = 'b'"}),
                               encoded(Parse{"a", "PAUSE main", {}}),
                               encoded(Parse{"", "SHOW TOTALS", {}}),
                               encoded(Bind{}),
                               encoded(Bind{"p", "a", {}, 0, {}, {}}),
                               encoded(Describe{Target::portal, "p"}),
                               encoded(Execute{"p", 1}),
                               encoded(Execute()),
                               encoded(Close{Target::statement, "a"}),
                               encoded(Flush()),
                               encoded(Sync()),
                               encoded(Query{"BEGIN"})};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (std::size_t i = random() % 8; i > 0; --i) bytes += parts[random() % std::size(parts)];
    for (std::size_t i = random() % 4; i > 0 && !bytes.empty(); --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    Client client(random() % 2 == 0 ? ConsoleAccess::look : ConsoleAccess::everything);
    client.runner.later = random() % 4 == 0;
    while (!bytes.empty()) {
      const std::size_t piece = 1 + random() % bytes.size();
      ASSERT_FALSE(client.say(bytes.substr(0, piece)).ends_with('?'));
      bytes.erase(0, piece);
      if (random() % 4 == 0) client.machine.cancel();
      ASSERT_FALSE(client.heard().ends_with('?'));
    }
  }
}

TEST(ConsoleConfig, ChangesWhatCanBeChangedAndSaysWhyNot) {
  GatewaySettings settings;
  EXPECT_TRUE(set_console_config(settings, "max_client_conn", "5").ok());
  EXPECT_EQ(settings.max_clients, 5U);
  EXPECT_TRUE(set_console_config(settings, "client_login_timeout", "1.5").ok());
  EXPECT_EQ(settings.login_timeout, 1500ms);
  EXPECT_TRUE(set_console_config(settings, "stats_users", "a, b").ok());
  EXPECT_EQ(settings.console.stats_users, (std::vector<std::string>{"a", "b"}));
  const auto error = [&](std::string_view key, std::string_view value) {
    const Result<void> done = set_console_config(settings, key, value);
    return done.ok() ? std::string() : std::string(done.error().message());
  };
  EXPECT_EQ(error("max_client_conn", "0"), "'0' is not a number of at least 1");
  EXPECT_EQ(error("listen_addr", "*"), "listen_addr cannot be changed while the gateway runs");
  EXPECT_EQ(error("max_client_con", "1"), "there is no setting 'max_client_con': did you mean 'max_client_conn'?");
  for (const ConsoleConfigEntry& entry : console_config(settings)) {
    if (entry.key == "client_login_timeout") EXPECT_EQ(entry.value + " " + entry.default_value, "1.5 60");
  }
}

TEST(TrafficBookTest, AveragesAreOfTheLastPeriodThatHasEnded) {
  TrafficBook book;
  const TimePoint start{1s};
  book.turn_page(start);
  Traffic& main = book.of("main");
  main.queries = 100;
  main.in_queries = 50ms;
  book.turn_page(start + 10s);
  main.queries = 500;
  const TrafficBook::Page& page = book.pages().at("main");
  const TrafficAverages rate = averages_of(page.newer, page.older, book.period());
  EXPECT_EQ(rate.queries, 10U);
  EXPECT_EQ(rate.query, 500us);
  EXPECT_EQ(rate.wait, Duration::zero());
  EXPECT_EQ(&book.of("main"), &main);
}

}  // namespace
}  // namespace switchyard::gateway
