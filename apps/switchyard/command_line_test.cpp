#include "options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::cli {
namespace {

using testing::HasSubstr;

std::variant<CommandLine, Answer> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "switchyard");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

template <class Options>
Options command(std::vector<const char*> words) {
  auto parsed = parse(std::move(words));
  if (auto* answer = std::get_if<Answer>(&parsed)) {
    ADD_FAILURE() << answer->text;
    return {};
  }
  return std::get<Options>(std::get<CommandLine>(parsed).command);
}

std::string refusal(std::vector<const char*> words) {
  auto parsed = parse(std::move(words));
  auto* answer = std::get_if<Answer>(&parsed);
  if (answer == nullptr) return "(accepted)";
  EXPECT_EQ(answer->code, ExitCode::usage);
  return answer->text;
}

TEST(CommandLine, TakesGlobalOptionsBeforeAndBehindTheCommand) {
  for (const auto& words : {std::vector<const char*>{"--config", "a.toml", "--set", "x.y=1", "status", "--json"},
                            std::vector<const char*>{"status", "--json", "--set", "x.y=1", "-c", "a.toml"}}) {
    auto parsed = parse(words);
    const auto& line = std::get<CommandLine>(parsed);
    EXPECT_TRUE(std::holds_alternative<StatusOptions>(line.command));
    EXPECT_EQ(line.global.config, "a.toml");
    EXPECT_TRUE(line.global.json);
    ASSERT_EQ(line.global.settings.size(), 1U);
    EXPECT_EQ(line.global.settings[0], (std::pair<std::string, std::string>("x.y", "1")));
  }
}

TEST(CommandLine, ReadsAQuery) {
  const auto query =
      command<QueryOptions>({"query", "--on", "reference", "--read", "--csv", "--timeout", "2s", "SELECT 1"});
  EXPECT_EQ(query.on, "reference");
  EXPECT_TRUE(query.read);
  EXPECT_EQ(query.format, RowFormat::csv);
  EXPECT_EQ(query.timeout, Duration(std::chrono::seconds(2)));
  EXPECT_EQ(query.sql, "SELECT 1");
  EXPECT_EQ(command<QueryOptions>({"query", "-"}).sql, "-");
  EXPECT_EQ(command<QueryOptions>({"query", "--json", "SELECT -1"}).format, RowFormat::json);
  EXPECT_EQ(command<QueryOptions>({"query", "--", "-- a comment\nSELECT 1"}).sql, "-- a comment\nSELECT 1");
}

TEST(CommandLine, HandsArgumentsBehindTheDashesToPsql) {
  const auto shell = command<ShellOptions>({"shell", "--on", "main", "--", "-c", "SELECT 1"});
  EXPECT_EQ(shell.on, "main");
  EXPECT_EQ(shell.arguments, (std::vector<std::string>{"-c", "SELECT 1"}));
}

TEST(CommandLine, ReadsUp) {
  const auto up = command<UpOptions>({"up", "-d", "--http", "auto", "--persist", "/data"});
  EXPECT_TRUE(up.detach);
  EXPECT_EQ(up.http, "auto");
  EXPECT_EQ(up.persist, "/data");
}

TEST(CommandLine, SuggestsWhatWasProbablyMeant) {
  EXPECT_THAT(refusal({"stauts"}), HasSubstr("did you mean 'status'?"));
  EXPECT_THAT(refusal({"up", "--detatch"}), HasSubstr("did you mean '--detach'?"));
  EXPECT_THAT(refusal({"status", "--confg=x"}), HasSubstr("did you mean '--config'?"));
  EXPECT_THAT(refusal({"help", "qurey"}), HasSubstr("did you mean 'query'?"));
}

TEST(CommandLine, RefusesWhatMakesNoSense) {
  EXPECT_THAT(refusal({"query"}), HasSubstr("what shall be run?"));
  EXPECT_THAT(refusal({"query", "SELECT", "1"}), HasSubstr("quote the statement"));
  EXPECT_THAT(refusal({"query", "--csv", "--json", "SELECT 1"}), HasSubstr("exclude each other"));
  EXPECT_THAT(refusal({"down", "--timeout", "soon"}), HasSubstr("'soon' is no duration"));
  EXPECT_THAT(refusal({"--set", "nonsense", "up"}), HasSubstr("no key=value"));
  EXPECT_THAT(refusal({"config"}), HasSubstr("switchyard config explain"));
  EXPECT_THAT(refusal({"query", "--on"}), HasSubstr("--on"));
}

TEST(CommandLine, ExplainsItself) {
  for (const auto& words :
       {std::vector<const char*>{}, std::vector<const char*>{"--help"}, std::vector<const char*>{"help"}}) {
    auto parsed = parse(words);
    const auto& answer = std::get<Answer>(parsed);
    EXPECT_EQ(answer.code, ExitCode::ok);
    EXPECT_THAT(answer.text, HasSubstr("switchyard up "));
  }
  for (const auto& words :
       {std::vector<const char*>{"query", "--help"}, std::vector<const char*>{"help", "query"}}) {
    EXPECT_THAT(std::get<Answer>(parse(words)).text, HasSubstr("switchyard query [--on DATABASE]"));
  }
  EXPECT_THAT(std::get<Answer>(parse({"config", "explain", "--help"})).text,
              HasSubstr("switchyard config explain"));
}

}  // namespace
}  // namespace switchyard::cli
