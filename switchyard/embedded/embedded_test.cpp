#include <switchyard/embedded/launcher.hpp>
#include <switchyard/embedded/postgres_binaries.hpp>
#include <switchyard/embedded/private_server.hpp>
#include <switchyard/embedded/server_endpoint.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/temp_folder.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using namespace switchyard;
using namespace switchyard::embedded;
using switchyard::testing::TempFolder;
using ::testing::HasSubstr;

std::string option(const switchyard::testing::PqParsed& parsed, std::string_view keyword) {
  for (const auto& each : parsed.options) {
    if (each.keyword == keyword) return each.value.value_or("");
  }
  return {};
}

TEST(ServerEndpoint, IsReadByLibpqWhateverItsNames) {
  ServerEndpoint endpoint{
      .host = "/tmp/a b'c", .port = 5433, .database = "d?&=%", .user = "u@:/ \\", .password = Secret("p w'")};
  for (const std::string& text : {endpoint.keywords(), endpoint.uri()}) {
    const auto parsed = switchyard::testing::pq_parse(text);
    EXPECT_EQ(parsed.error, "") << text;
    EXPECT_EQ(option(parsed, "host"), endpoint.host);
    EXPECT_EQ(option(parsed, "port"), "5433");
    EXPECT_EQ(option(parsed, "dbname"), endpoint.database);
    EXPECT_EQ(option(parsed, "user"), endpoint.user);
    EXPECT_EQ(option(parsed, "password"), endpoint.password.reveal());
  }
}

TEST(ServerEndpoint, HasATcpForm) {
  const ServerEndpoint endpoint{
      .host = "127.0.0.1", .port = 6000, .database = "main", .user = "postgres", .password = {}};
  EXPECT_EQ(endpoint.uri(), "postgresql://postgres@127.0.0.1:6000/main");
}

TEST(Quoting, KeepsQuotesAndBackslashesInside) {
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_literal("it's"), "'it''s'");
  EXPECT_EQ(quote_literal("a\\b"), "E'a\\\\b'");
}

LaunchSpec shell(std::string script) {
  return {.program = "/bin/sh", .arguments = {"-c", std::move(script)}, .environment = clean_environment("/")};
}

TEST(RunProgram, ReturnsWhatWasPrinted) {
  auto output = run_program(shell("echo out; echo err >&2"), Clock::now() + 20s);
  ASSERT_TRUE(output.ok()) << output.error().what();
  EXPECT_EQ(*output, "out\nerr\n");
}

TEST(RunProgram, PassesItsEnvironmentAndNoOther) {
  setenv("PGHOST", "elsewhere", 1);
  auto output = run_program(shell("echo [$PGHOST] $HOME"), Clock::now() + 20s);
  unsetenv("PGHOST");
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(*output, "[] /\n");
}

TEST(RunProgram, LeavesNoDescriptorOpenInTheChild) {
  TempFolder folder;
  FILE* file = std::fopen(folder.file("open").c_str(), "w");  // without close-on-exec
  auto output = run_program(shell("ls -l /proc/self/fd"), Clock::now() + 20s);
  std::fclose(file);
  ASSERT_TRUE(output.ok());
  EXPECT_THAT(*output, ::testing::Not(HasSubstr(folder.path().string())));
}

TEST(RunProgram, ReportsTheExitCodeWithTheOutput) {
  auto failed = run_program(shell("echo no good; exit 3"), Clock::now() + 20s);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().what(), HasSubstr("exit code 3"));
  EXPECT_THAT(failed.error().what(), HasSubstr("no good"));
}

TEST(RunProgram, KillsWhatTakesTooLong) {
  auto late = run_program(shell("echo started; exec sleep 600"), Clock::now() + 300ms);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind(), ErrorKind::Deadline);
}

TEST(RunProgram, NamesTheStepThatFailed) {
  auto missing = run_program({.program = "/nonexistent/program"}, Clock::now() + 20s);
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().what(), HasSubstr("cannot execute /nonexistent/program: No such file"));
  LaunchSpec elsewhere = shell("true");
  elsewhere.working_folder = "/nonexistent";
  auto nowhere = run_program(elsewhere, Clock::now() + 20s);
  ASSERT_FALSE(nowhere.ok());
  EXPECT_THAT(nowhere.error().what(), HasSubstr("cannot enter folder /nonexistent"));
}

#if !__has_feature(thread_sanitizer)  // it forbids threads after a fork
TEST(RunProgram, WorksInADaemonThatForkedFromAProcessThatUsedIt) {
  ASSERT_TRUE(run_program(shell("true"), Clock::now() + 20s).ok());
  const pid_t daemon = fork();
  if (daemon == 0) _exit(run_program(shell("true"), Clock::now() + 20s).ok() ? 42 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(daemon, &status, 0), daemon);
  EXPECT_EQ(WEXITSTATUS(status), 42);
}
#endif

/// Programs that say they are PostgreSQL.
std::string make_installation(const TempFolder& folder, const std::string& version, const std::string& ciphers) {
  const std::string script = "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'postgres (PostgreSQL) " + version +
                             "'; else printf 'a\\tb\\nssl_ciphers\\tsighup\\tgroup\\tSTRING\\t" + ciphers +
                             "\\t\\t\\n'; fi\n";
  for (const char* name : {"bin/postgres", "bin/initdb", "bin/pg_basebackup"}) {
    chmod(folder.write(name, script).c_str(), 0755);
  }
  return folder.file("bin");
}

TEST(PostgresBinaries, AreAskedForVersionAndTls) {
  TempFolder with;
  auto found =
      find_postgres({.folder = make_installation(with, "17.2 (Debian 17.2-1)", "HIGH:MEDIUM"), .major = 0});
  ASSERT_TRUE(found.ok()) << found.error().what();
  EXPECT_EQ(found->major, 17);
  EXPECT_EQ(found->version, "17.2 (Debian 17.2-1)");
  EXPECT_TRUE(found->has_tls);
  EXPECT_FALSE(found->has_stat_statements);
  TempFolder without;
  EXPECT_FALSE(find_postgres({.folder = make_installation(without, "18.1", "none"), .major = 0})->has_tls);
}

TEST(PostgresBinaries, OfTheEnvironmentVariableComeAlone) {
  TempFolder folder;
  setenv("SWITCHYARD_PG_BIN", make_installation(folder, "16.4", "none").c_str(), 1);
  const auto all = list_postgres();
  auto other = find_postgres({.folder = {}, .major = 14});
  unsetenv("SWITCHYARD_PG_BIN");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].major, 16);
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().what(), HasSubstr("PostgreSQL 14 server programs"));
  EXPECT_THAT(other.error().what(), HasSubstr("in SWITCHYARD_PG_BIN="));
}

TEST(PostgresBinaries, AreIncompleteWithoutInitdb) {
  TempFolder folder;
  const std::string bin = make_installation(folder, "16.4", "none");
  std::filesystem::remove(bin + "/initdb");
  EXPECT_FALSE(find_postgres({.folder = bin, .major = 0}).ok());
}

TEST(PostgresBinaries, TooOldAreLeftAside) {
  TempFolder folder;
  EXPECT_FALSE(find_postgres({.folder = make_installation(folder, "9.6.24", "none"), .major = 0}).ok());
}

}  // namespace
