// Migration files as values: names, versions, checksums, placeholders, heads, configurations.
#include <switchyard/scripts/checksum.hpp>
#include <switchyard/scripts/file_name.hpp>
#include <switchyard/scripts/placeholders.hpp>
#include <switchyard/scripts/script_config.hpp>
#include <switchyard/scripts/script_header.hpp>
#include <switchyard/scripts/statement_kind.hpp>
#include <switchyard/scripts/text_encoding.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace scripts;
using ::testing::HasSubstr;

/// "versioned 1.2 'add status'", or the error.
std::string read(std::string_view name) {
  const auto file = parse_file_name(name);
  if (!file.ok()) return std::string("error: ") + std::string(file.error().message());
  if (!*file) return "other";
  constexpr std::string_view kKinds[] = {"versioned", "repeatable", "baseline", "undo", "callback", "numbered"};
  std::string text(kKinds[static_cast<int>((*file)->kind)]);
  if (!(*file)->prefix.empty()) text += " " + (*file)->prefix;
  if ((*file)->version) text += " " + (*file)->version->text();
  return text + " '" + (*file)->description + "'";
}

TEST(FileName, IsReadAsFlywayReadsIt) {
  const std::pair<std::string_view, std::string_view> table[] = {
      {"V1__create_products_table.sql", "versioned 1 'create products table'"},
      {"V2_1__add_status.sql", "versioned 2.1 'add status'"},
      {"V2.1.0__a.SQL", "versioned 2.1.0 'a'"},
      {"V20240101123456789012345678901234567890__big.sql",
       "versioned 20240101123456789012345678901234567890 'big'"},
      {"V007__a__b.sql", "versioned 007 'a  b'"},
      {"V1.sql", "versioned 1 ''"},
      {"R__views.sql", "repeatable 'views'"},
      {"B7__everything.sql", "baseline 7 'everything'"},
      {"U2_1__undo.sql", "undo 2.1 'undo'"},
      {"afterMigrate.sql", "callback afterMigrate ''"},
      {"beforeEachMigrate__set_role.sql", "callback beforeEachMigrate 'set role'"},
      {"afterMigrateError.sql", "callback afterMigrateError ''"},
      {"ref_006_new_reference_table.sql", "numbered ref 006 'new reference table'"},
      {"V1__a.sql.conf", "other"},
      {"readme.md", "other"},
      {"V1__a.java", "other"},
      {"V1_a.sql", "error: V1_a.sql: '1_a' is no version"},
      {"V1..2__a.sql", "error: V1..2__a.sql: '1..2' is no version"},
      {"V__a.sql", "error: V__a.sql: the version is missing"},
      {"R1__a.sql", "error: R1__a.sql: a repeatable migration has no version"},
      {"schema.sql", "error: schema.sql: no migration by its name"},
      {"afterMigrat.sql", "error: afterMigrat.sql: no migration and no callback"},
      {"V_1__a.sql", "error: V_1__a.sql: no migration by its name"},
      {"ref_006.sql", "error: ref_006.sql: no migration by its name"},
      {".sql", "error: .sql: no migration by its name"},
  };
  for (const auto& [name, expected] : table) EXPECT_EQ(read(name), expected) << name;
}

TEST(FileName, IsMadeFromWords) {
  EXPECT_EQ(description_for_file("Create products table!"), "create_products_table");
  EXPECT_EQ(description_for_file("  a--b "), "a_b");
  EXPECT_EQ(description_for_file("!"), "");
}

TEST(MigrationVersion, ComparesNumbersAndNotTexts) {
  const auto version = [](std::string_view text) { return MigrationVersion::parse(text).value_or_throw(); };
  const char* ordered[] = {"0", "0.1", "1", "1.0.1", "1.2", "1.10", "2", "10", "20240101", "99999999999999999999"};
  for (std::size_t i = 0; i + 1 < std::size(ordered); ++i) {
    EXPECT_LT(version(ordered[i]), version(ordered[i + 1])) << ordered[i];
    EXPECT_GT(version(ordered[i + 1]), version(ordered[i])) << ordered[i];
  }
  for (const char* same : {"1", "1.0", "01", "1_0_0", "1.0.00"}) EXPECT_EQ(version(same), version("1")) << same;
  EXPECT_EQ(version("2_1").text(), "2.1");
  EXPECT_EQ(version("00"), version("0"));
  for (const char* wrong : {"", ".", "1.", ".1", "1..2", "a", "1a", "-1", "1 "}) {
    EXPECT_FALSE(MigrationVersion::parse(wrong).ok()) << wrong;
  }
  EXPECT_FALSE(MigrationVersion::parse(std::string(51, '1')).ok());
  EXPECT_TRUE(MigrationVersion::parse(std::string(50, '1')).ok());
}

TEST(Checksum, IsFlywaysWhateverEndsTheLines) {
  EXPECT_EQ(flyway_checksum("SELECT 1;"), 78787420);
  EXPECT_EQ(flyway_checksum("CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n"), -956080171);
  EXPECT_EQ(flyway_checksum("CREATE TABLE a (id int);\r\nCREATE TABLE b (id int);"), -956080171);
  EXPECT_EQ(flyway_checksum(""), 0);
  EXPECT_EQ(flyway_checksum("a\rb\n"), -1635563411);
  EXPECT_EQ(flyway_checksum("\xEF\xBB\xBFSELECT 1;"), 78787420);
  EXPECT_NE(flyway_checksum("\xEF\xBB\xBF\xEF\xBB\xBFSELECT 1;"), 78787420);
  EXPECT_NE(flyway_checksum("SELECT 1; "), 78787420);
}

TEST(TextEncoding, GivesUtf8) {
  EXPECT_EQ(decode("gr\xC3\xBC\xC3\x9F").value_or_throw(), "grüß");
  EXPECT_EQ(decode("gr\xFC\xDF", "ISO-8859-1").value_or_throw(), "grüß");
  EXPECT_EQ(decode("\x80 5", "windows-1252").value_or_throw(), "€ 5");
  EXPECT_EQ(decode(std::string_view("\xFF\xFE"
                                    "a\0\xFC\0",
                                    6),
                   "UTF-16")
                .value_or_throw(),
            "aü");
  EXPECT_EQ(decode(std::string_view("\x3D\xD8\x00\xDE", 4), "utf-16le").value_or_throw(), "😀");
  EXPECT_THAT(std::string(decode("a\nb\xFC").error().message()), HasSubstr("line 2"));
  for (const char* wrong : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3", "\x80"}) {
    EXPECT_FALSE(decode(wrong).ok());
  }
  EXPECT_FALSE(decode("\xC3\xBC", "US-ASCII").ok());
  EXPECT_FALSE(decode("a", "KOI8-R").ok());
}

TEST(Placeholders, AreReplacedEverywhereAndInAnyCase) {
  const Placeholders values{{"schema", "commerce"}, {"flyway:user", "${schema}"}};
  EXPECT_EQ(replace_placeholders("-- ${schema}\n'${SCHEMA}' $$ ${flyway:user} $$", values).value_or_throw(),
            "-- commerce\n'commerce' $$ ${schema} $$");
  EXPECT_EQ(replace_placeholders("$ {schema} $schema", values).value_or_throw(), "$ {schema} $schema");
  const auto open = replace_placeholders("\n$ {schema} ${open", values);
  ASSERT_FALSE(open.ok());
  EXPECT_EQ(open.error().message(), "line 2: a placeholder begins with ${ and has no } behind it");
  const auto missing = replace_placeholders("a\n${schem}", values);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message(), "line 2: no value for the placeholder ${schem}");
  EXPECT_EQ(missing.error().hint(), "did you mean 'schema'?");
}

TEST(Placeholders, HaveTheMarksThatAreWanted) {
  const Placeholders values{{"schema", "commerce"}};
  EXPECT_EQ(replace_placeholders("#[schema]# ${schema} # [", values, {"#[", "]#"}).value_or_throw(),
            "commerce ${schema} # [");
  EXPECT_EQ(replace_placeholders("__schema__", values, {"__", "__"}).value_or_throw(), "commerce");
  const auto missing = replace_placeholders("@x@", values, {"@", "@"});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message(), "line 1: no value for the placeholder @x@");
}

TEST(StatementKind, NamesThePartitionThatIsDetached) {
  const char* sql = "ALTER TABLE IF EXISTS ONLY sales.orders DETACH PARTITION \"odd name\" CONCURRENTLY";
  EXPECT_EQ(detached_partition(sql), "\"odd name\"");
  // Unquoted, in upper case: the server folds it.
  EXPECT_EQ(altered_table("alter table IF EXISTS orders_2 DETACH PARTITION a"), "ORDERS_2");
  EXPECT_EQ(detached_partition("ALTER TABLE t ADD x int"), "");
}

TEST(ScriptHeader, SaysWhatTheCommentAtTheHeadSays) {
  const ScriptHeader header = read_header(
      "-- database/pg/migrations/ref_006_new_reference_table.sql\n-- Target: wellwon_reference\n\n"
      "-- =====\n-- Table: dc_new_reference\n-- purpose: Offices: all of them\n-- Data Source: Kontur API\n"
      "-- Update Frequency: Weekly\r\n-- switchyard: statement_timeout=10min quiet\n"
      "CREATE TABLE a ();\n-- Target: late\n");
  EXPECT_EQ(header.target, "wellwon_reference");
  EXPECT_EQ(header.table, "dc_new_reference");
  EXPECT_EQ(header.purpose, "Offices: all of them");
  EXPECT_EQ(header.data_source, "Kontur API");
  EXPECT_EQ(header.update_frequency, "Weekly");
  EXPECT_EQ(header.settings.at("statement_timeout"), "10min");
  EXPECT_EQ(header.settings.at("quiet"), "true");
  EXPECT_EQ(read_header("SELECT 1;\n-- Target: a").target, "");
}

TEST(ScriptConfig, KnowsFlywaysKeys) {
  const auto config =
      parse_script_config("# how\nexecuteInTransaction=false\r\nencoding = ISO-8859-1\n").value_or_throw();
  EXPECT_EQ(config.execute_in_transaction, false);
  EXPECT_EQ(config.encoding, "ISO-8859-1");
  EXPECT_FALSE(config.placeholder_replacement.has_value());
  const auto wrong = parse_script_config("\nexecuteInTransction=false");
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().what(), HasSubstr("line 2"));
  EXPECT_THAT(wrong.error().what(), HasSubstr("executeInTransaction"));
  EXPECT_FALSE(parse_script_config("executeInTransaction=no").ok());
}

}  // namespace
}  // namespace switchyard
