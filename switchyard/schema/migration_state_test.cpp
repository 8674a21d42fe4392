// Files and history side by side, and folders as targets.
#include <switchyard/config/load.hpp>
#include <switchyard/schema/history.hpp>
#include <switchyard/schema/migration_folder.hpp>
#include <switchyard/schema/migration_state.hpp>
#include <switchyard/schema/targets.hpp>

#include <tests/support/temp_folder.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace schema;
using switchyard::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Migration file(std::string_view name, std::int32_t checksum = 1) {
  Migration migration;
  migration.name = *scripts::parse_file_name(name).value_or_throw();
  migration.script = name;
  migration.checksum = checksum;
  return migration;
}

MigrationSet set_of(std::initializer_list<std::string_view> names) {
  std::vector<Migration> files;
  for (const std::string_view name : names) files.push_back(file(name));
  return arrange(std::move(files), {}).value_or_throw();
}

HistoryRow row(std::int32_t rank, std::string version, std::string description, std::string type = "SQL",
               bool success = true, std::optional<std::int32_t> checksum = 1) {
  HistoryRow one;
  one.installed_rank = rank;
  if (!version.empty()) one.version = version;
  one.description = std::move(description);
  one.type = std::move(type);
  one.success = success;
  one.checksum = checksum;
  return one;
}

std::vector<std::string> states(const MigrationSet& set, const std::vector<HistoryRow>& history,
                                const StateOptions& options = {}) {
  std::vector<std::string> found;
  for (const MigrationInfo& info : states_of(set, history, options)) {
    found.push_back((info.version().empty() ? info.description() : info.version()) + " " +
                    std::string(to_string(info.state)));
  }
  return found;
}

std::vector<std::string> order(const MigrationSet& set, const std::vector<HistoryRow>& history,
                               const StateOptions& options = {}) {
  const auto infos = states_of(set, history, options);
  std::vector<std::string> found;
  for (const MigrationInfo* info : runnable(infos)) found.push_back(info->script());
  return found;
}

TEST(MigrationState, RunsVersionsInOrderAndRepeatableOnesLast) {
  const auto set = set_of({"R__b.sql", "V10__a.sql", "V2__a.sql", "R__a.sql", "V2_1__a.sql", "U2__a.sql"});
  EXPECT_THAT(order(set, {}), ElementsAre("V2__a.sql", "V2_1__a.sql", "V10__a.sql", "R__a.sql", "R__b.sql"));
  StateOptions options;
  options.target = scripts::MigrationVersion::parse("2.1").value_or_throw();
  EXPECT_THAT(order(set, {}, options), ElementsAre("V2__a.sql", "V2_1__a.sql", "R__a.sql", "R__b.sql"));
}

TEST(MigrationState, IsWhatFlywayWouldSay) {
  const auto set = set_of({"V1__a.sql", "V2__b.sql", "V3__c.sql", "R__r.sql", "R__s.sql"});
  EXPECT_THAT(states(set, {row(1, "1", "a"), row(2, "", "r"), row(3, "3", "c"), row(4, "", "s", "SQL", true, 7)}),
              ElementsAre("1 Success", "r Success", "3 Success", "s Outdated", "2 Ignored"));
  StateOptions late;
  late.out_of_order = true;
  EXPECT_THAT(states(set, {row(1, "1", "a"), row(2, "3", "c"), row(3, "2", "b")}, late),
              ElementsAre("1 Success", "3 Success", "2 Out of Order", "r Pending", "s Pending"));
  EXPECT_THAT(states(set, {row(1, "2", "<< Flyway Baseline >>", "BASELINE", true, std::nullopt)}),
              ElementsAre("2 Baseline", "1 Below Baseline", "3 Pending", "r Pending", "s Pending"));
  EXPECT_THAT(
      states(set, {row(1, "1.5", "gone"), row(2, "4", "new"), row(3, "1", "a", "SQL", false)}),
      ElementsAre("1.5 Missing", "4 Future", "1 Failed", "2 Ignored", "3 Ignored", "r Pending", "s Pending"));
  EXPECT_THAT(states(set, {row(1, "", "r", "SQL", true, 5), row(2, "", "r")}),
              ElementsAre("r Superseded", "r Success", "1 Pending", "2 Pending", "3 Pending", "s Pending"));
  EXPECT_THAT(
      states(set, {row(1, "1", "a"), row(2, "1", "a", "DELETE")}),
      ElementsAre("1 Deleted", "1 Deleted", "1 Pending", "2 Pending", "3 Pending", "r Pending", "s Pending"));
}

TEST(MigrationState, StartsAtTheLastBaselineScriptOnAFreshDatabaseOnly) {
  const auto set = set_of({"V1__a.sql", "V2__b.sql", "B2__all.sql", "V3__c.sql", "B1__one.sql"});
  EXPECT_THAT(order(set, {}), ElementsAre("B2__all.sql", "V3__c.sql"));
  EXPECT_THAT(order(set, {row(0, "", "<< Flyway Schema Creation >>", "SCHEMA")}),
              ElementsAre("B2__all.sql", "V3__c.sql"));
  EXPECT_THAT(order(set, {row(1, "1", "a")}), ElementsAre("V2__b.sql", "V3__c.sql"));
  EXPECT_THAT(order(set, {row(1, "2", "all", "SQL_BASELINE")}), ElementsAre("V3__c.sql"));
}

TEST(MigrationState, GoesOnWithWhatIsUnfinished) {
  const auto set = set_of({"V1__a.sql", "V2__b.sql"});
  HistoryRow begun = row(1, "1", "a", "SQL", false);
  begun.execution_time = -3;
  EXPECT_EQ(begun.statements_done(), 2U);
  EXPECT_THAT(states(set, {begun}), ElementsAre("1 Unfinished", "2 Pending"));
  EXPECT_THAT(order(set, {begun}), ElementsAre("V1__a.sql", "V2__b.sql"));
}

TEST(MigrationState, ValidationNamesWhatDiffers) {
  const auto set = set_of({"V1__a.sql", "V2__b.sql", "V3__c.sql"});
  const auto problems = [&](const std::vector<HistoryRow>& history, bool all, StateOptions options = {}) {
    return problems_of(states_of(set, history, options), options, all);
  };
  EXPECT_THAT(problems({row(1, "1", "a")}, false), ElementsAre());
  EXPECT_THAT(problems({row(1, "1", "a")}, true), ElementsAre(HasSubstr("V2__b.sql"), HasSubstr("V3__c.sql")));
  EXPECT_THAT(problems({row(1, "1", "a", "SQL", true, 9)}, false), ElementsAre(HasSubstr("checksum 9, now 1")));
  EXPECT_THAT(problems({row(1, "1", "other")}, false), ElementsAre(HasSubstr("was applied as 'other'")));
  EXPECT_THAT(problems({row(1, "1", "a", "JDBC", true)}, false), ElementsAre(HasSubstr("JDBC")));
  EXPECT_THAT(problems({row(1, "1", "a", "SQL", false)}, false), ElementsAre(HasSubstr("failed")));
  EXPECT_THAT(problems({row(1, "1", "a"), row(2, "3", "c")}, false), ElementsAre(HasSubstr("--out-of-order")));
  StateOptions lenient;
  lenient.ignore_patterns = {"*:missing", "versioned:ignored"};
  EXPECT_THAT(problems({row(1, "1", "a"), row(2, "1.1", "x"), row(3, "3", "c")}, false, lenient), ElementsAre());
  EXPECT_THAT(problems({row(1, "9", "x")}, false, lenient), ElementsAre(HasSubstr("newer release")));
}

TEST(History, TakesFlywaysLockAndShape) {
  EXPECT_EQ(History("public", "flyway_schema_history").lock_key(), 77433833903597);
  EXPECT_THAT(History("s", "h").ddl(), HasSubstr("CREATE INDEX \"h_s_idx\" ON \"s\".\"h\" (\"success\")"));
}

TEST(Folder, RefusesTwoFilesOfOneVersion) {
  const auto same = arrange({file("V1__a.sql"), file("V1_0__b.sql")}, {});
  ASSERT_FALSE(same.ok());
  EXPECT_THAT(same.error().what(), HasSubstr("two migrations have the version 1"));
  EXPECT_FALSE(arrange({file("R__a.sql"), file("R__a.sql")}, {}).ok());
}

TEST(Folder, IsReadInItsEncodingButForFilesThatSayAnother) {
  const TempFolder folder;
  folder.write("V1__a.sql", "SELECT '\xE4'");
  folder.write("V2__b.sql", "SELECT '\xC3\xA4'");
  folder.write("V2__b.sql.conf", "encoding=UTF-8");
  std::vector<std::string> ignored;
  const auto files = read_folder(folder.path().string(), ignored, "ISO-8859-1").value_or_throw();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].text, "SELECT '\xC3\xA4'");
  EXPECT_EQ(files[0].checksum, files[1].checksum);
  EXPECT_THAT(read_folder(folder.path().string(), ignored).error().what(), HasSubstr("V1__a.sql"));
  EXPECT_THAT(read_folder(folder.path().string(), ignored, "EBCDIC").error().what(), HasSubstr("EBCDIC"));
}

TEST(Targets, AreFoundWhereTheDocumentsPutThem) {
  const TempFolder folder;
  folder.write("migrations/main/V1__a.sql", "SELECT 1;");
  folder.write("migrations/main/notes.sql", "-- nothing");
  folder.write("services/commerce/src/main/resources/db/migration/V1__create_products_table.sql", "SELECT 1;");
  folder.write("database/pg/migrations/ref_006_new_reference_table.sql",
               "-- Target: wellwon_reference\n-- Table: dc_new_reference\nSELECT 1;");
  Sources sources;
  sources.file = folder.file("fleet.toml");
  const std::string text =
      "[fleet]\napplication = \"wellwon\"\n[database.main]\ndsn = \"postgresql://h/wellwon\"\n"
      "[database.reference]\ndsn = \"postgresql://h/wellwon_reference\"\n"
      "[database.commerce]\ndsn = \"postgresql://h/erp\"\nschema = \"commerce_schema\"\n"
      "migrations = { locations = [\"classpath:db/migration\"] }\n";
  sources.file_text = text;
  const auto fleet = load_config(sources).value_or_throw();
  const auto targets = find_targets(fleet).value_or_throw();
  ASSERT_EQ(targets.size(), 3U);
  EXPECT_EQ(targets[0].database, "main");
  ASSERT_EQ(targets[0].set.versioned.size(), 1U);
  EXPECT_THAT(targets[0].set.ignored, ElementsAre(HasSubstr("notes.sql")));
  EXPECT_EQ(targets[1].database, "reference");
  EXPECT_EQ(targets[1].set.versioned.front().name.version->text(), "006");
  EXPECT_EQ(targets[1].set.versioned.front().header.table, "dc_new_reference");
  EXPECT_EQ(targets[2].schema, "commerce_schema");
  EXPECT_EQ(targets[2].set.versioned.front().script, "V1__create_products_table.sql");

  folder.write("database/pg/migrations/ref_007_x.sql", "SELECT 1;");
  EXPECT_THAT(find_targets(fleet).error().what(), HasSubstr("-- Target: main"));
  folder.write("database/pg/migrations/ref_007_x.sql", "-- Target: refrence\nSELECT 1;");
  EXPECT_THAT(find_targets(fleet).error().what(), HasSubstr("did you mean 'reference'?"));
  const TempFolder other;
  sources.file = other.file("fleet.toml");
  sources.file_text = "[fleet]\napplication = \"a\"\n[database.main]\nmigrations = { locations = [\"nowhere\"] }\n";
  EXPECT_THAT(find_targets(load_config(sources).value_or_throw()).error().what(), HasSubstr("nowhere"));
}

TEST(Targets, OfADatabaseThatAnotherStandsInForHaveAHistoryOfTheirOwn) {
  const TempFolder folder;
  folder.write("migrations/analytics/V1__a.sql", "SELECT 1;");
  Sources sources;
  sources.file = folder.file("fleet.toml");
  sources.file_text =
      "[fleet]\napplication = \"parafort\"\n[database.main]\ndsn = \"postgresql://h/p\"\n"
      "[database.analytics]\nwhen_unconfigured = \"main\"\n";
  const auto targets = find_targets(load_config(sources).value_or_throw()).value_or_throw();
  ASSERT_EQ(targets.size(), 1U);
  EXPECT_EQ(targets[0].runs_on, "main");
  EXPECT_EQ(targets[0].table, "flyway_schema_history_analytics");
}

}  // namespace
}  // namespace switchyard
