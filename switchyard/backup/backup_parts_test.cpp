// The smaller parts: which programs, which environment, what differs.
#include <switchyard/backup/client_environment.hpp>
#include <switchyard/backup/client_programs.hpp>
#include <switchyard/backup/client_run.hpp>
#include <switchyard/backup/fingerprint.hpp>
#include <switchyard/backup/manifest.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace switchyard {
namespace {

using namespace backup;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(ClientPrograms, AreOfTheServersVersionOrTheNextLaterOne) {
  const std::vector<ClientPrograms> installed{{"/18", 18, "18.6"}, {"/16", 16, "16.2"}, {"/15", 15, "15.20"}};
  EXPECT_EQ(choose_client_programs(installed, 15).value_or_throw().folder, "/15");
  EXPECT_EQ(choose_client_programs(installed, 17).value_or_throw().folder, "/18");
  EXPECT_EQ(choose_client_programs(installed, 14).value_or_throw().folder, "/15");
}

TEST(ClientPrograms, OlderThanTheServerAreRefusedWithTheFix) {
  const auto chosen = choose_client_programs({{"/usr/lib/postgresql/15/bin", 15, "15.20"}}, 18);
  ASSERT_FALSE(chosen.ok());
  EXPECT_THAT(std::string(chosen.error().message()), HasSubstr("the newest pg_dump here is 15.20"));
  EXPECT_THAT(std::string(chosen.error().hint()), HasSubstr("apt-get install postgresql-client-18"));
  EXPECT_THAT(std::string(choose_client_programs({}, 15).error().message()), HasSubstr("no pg_dump is installed"));
}

TEST(ClientEnvironment, CarriesTheConnectionAndNothingElseOfOurs) {
  ConnectionOptions options;
  options.hosts = {{.host = "db1", .port = 5433, .password = Secret("hunter2")}};
  options.dbname = "wellwon";
  options.user = "app";
  options.settings = {{"search_path", "a, b"}};
  EXPECT_THAT(libpq_variables(options, "x"), Contains(Pair("PGOPTIONS", "-c search_path=a,\\ b")));
  const auto environment = client_environment(options, "switchyard backup");
  EXPECT_THAT(environment, Contains("PGHOST=db1"));
  EXPECT_THAT(environment, Contains("PGPASSWORD=hunter2"));
  EXPECT_THAT(environment, Contains("PGAPPNAME=switchyard backup"));
  EXPECT_TRUE(std::ranges::none_of(environment, [](const std::string& one) { return one.ends_with("="); }));
}

TEST(ClientRun, GivesAProgramsWordsWhenItFails) {
  const embedded::LaunchSpec spec{.program = "/bin/sh",
                                  .arguments = {"-c", "echo data; echo 'sh: error: no such thing' >&2; exit 3"},
                                  .environment = {"PATH=/bin"}};
  std::string got;
  const auto ran = run_and_consume(spec,
                                   [&](std::string_view piece) -> Result<void> {
                                     got += piece;
                                     return {};
                                   },
                                   {});
  EXPECT_EQ(got, "data\n");
  ASSERT_FALSE(ran.ok());
  EXPECT_EQ(ran.error().message(), "sh failed (exit status 3): sh: error: no such thing");
}

TEST(ClientRun, FeedsAsMuchAsThereIs) {
  int pieces = 40;
  std::size_t fed = 0;
  const auto produce = [&](std::string& out) -> Result<void> {
    if (pieces-- > 0) out.append(100'000, 'x');
    fed += out.size();
    return {};
  };
  const embedded::LaunchSpec count{
      .program = "/bin/sh", .arguments = {"-c", "wc -c >&2"}, .environment = {"PATH=/bin:/usr/bin"}};
  const auto said = run_and_feed(count, produce, {}).value_or_throw();
  EXPECT_THAT(said, HasSubstr(std::to_string(fed)));
}

TEST(ClientRun, StopsAProgramThatDoesNothing) {
  std::stop_source stop;
  std::jthread later([&] { stop.request_stop(); });
  const embedded::LaunchSpec spec{
      .program = "/bin/sleep", .arguments = {"600"}, .environment = {"PATH=/bin:/usr/bin"}};
  const auto ran = run_and_consume(spec, [](std::string_view) -> Result<void> { return {}; }, stop.get_token());
  ASSERT_FALSE(ran.ok());
  EXPECT_EQ(ran.error().kind(), ErrorKind::Cancelled);
}

TEST(Fingerprint, TellsWhatDiffers) {
  Fingerprint expected;
  expected.catalogue = {{"table public.a", ""}, {"column public.a.id", "bigint NOT NULL"}};
  expected.tables = {{"public.a", {10, "77"}}, {"public.b", {2, "5"}}, {"public.c", {1, "1"}}};
  expected.sequences = {{"public.s", {"42", true}}, {"public.d", {"-3", false}}};
  Fingerprint found = expected;
  EXPECT_TRUE(differences(expected, found).empty());
  found.catalogue["column public.a.id"] = "integer";
  found.tables = {{"public.a", {9, "70"}}, {"public.b", {2, "6"}}};
  found.sequences = {{"public.s", {"41", true}}, {"public.d", {"-4", false}}};
  EXPECT_THAT(
      differences(expected, found),
      ElementsAre("column public.a.id is 'integer' instead of 'bigint NOT NULL'",
                  "table public.a has 9 rows instead of 10", "table public.b: the contents of its 2 rows differ",
                  "table public.c: its 1 rows are missing", "sequence public.s is at 41 instead of 42"));
}

TEST(Fingerprint, SurvivesItsDocument) {
  Fingerprint fingerprint;
  fingerprint.catalogue = {{"table public.\"odd \\ name\"", "x\ny"}};
  fingerprint.tables = {{"public.a", {10, "-77"}}};
  fingerprint.sequences = {{"public.s", {"42", true}}};
  fingerprint.roles = {"app"};
  fingerprint.large_objects = 3;
  const Fingerprint read = parse_fingerprint(to_json(fingerprint)).value_or_throw();
  EXPECT_EQ(read.catalogue, fingerprint.catalogue);
  EXPECT_TRUE(differences(fingerprint, read).empty());
  EXPECT_EQ(read.roles, fingerprint.roles);
  EXPECT_FALSE(parse_fingerprint("[]").ok());
}

TEST(Manifest, NamesNoFileOutsideOfItsFolder) {
  Manifest manifest;
  manifest.id = "20261118T103320Z";
  manifest.parts.push_back({.database = "main", .dump = {"main.dump", 1, "a"}, .fingerprint = {"main.f", 1, "b"}});
  EXPECT_EQ(parse_manifest(to_json(manifest)).value_or_throw().find("main")->dump.name, "main.dump");
  for (const char* name : {"../main.dump", "/etc/passwd", ".hidden", ""}) {
    manifest.parts.front().dump.name = name;
    EXPECT_FALSE(parse_manifest(to_json(manifest)).ok()) << name;
  }
  EXPECT_FALSE(parse_manifest("{\"format\": 2}").ok());
}

}  // namespace
}  // namespace switchyard
