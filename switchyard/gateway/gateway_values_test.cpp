// The small parts of the gateway: users, names of databases, settings of a startup packet.
#include <switchyard/config/load.hpp>
#include <switchyard/gateway/database_name.hpp>
#include <switchyard/gateway/setting_sets.hpp>
#include <switchyard/gateway/startup_settings.hpp>
#include <switchyard/gateway/user_list.hpp>

#include <gtest/gtest.h>

namespace switchyard::gateway {
namespace {

using protocol::Md5Login;
using protocol::ScramLogin;

TEST(UserList, KeepsWhatPasswordsAreCheckedAgainst) {
  const Result<UserList> list = UserList::parse(
      "; users\n\"alice\" \"hunter2\"\n\n# more\n"
      "\"b\"\"ob\" \"md5900150983cd24fb0d6963f7d28e17f72\" ; the second\r\n",
      "userlist.txt");
  ASSERT_TRUE(list.ok()) << list.error().what();
  EXPECT_EQ(list->size(), 2U);
  EXPECT_TRUE(std::holds_alternative<ScramLogin>(list->login_of("alice")));
  EXPECT_TRUE(std::holds_alternative<Md5Login>(list->login_of("b\"ob")));
  const std::string verifier = std::get<ScramLogin>(list->login_of("alice")).verifier.text();
  const Result<UserList> again = UserList::parse("\"alice\" \"" + verifier + "\"", "x");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(std::get<ScramLogin>(again->login_of("alice")).verifier.text(), verifier);
}

TEST(UserList, WhoDoesNotExistLooksTheSameEachTimeAndLikeTheOthers) {
  const UserList list;
  const auto first = std::get<ScramLogin>(list.login_of("nobody")).verifier.text();
  EXPECT_EQ(std::get<ScramLogin>(list.login_of("nobody")).verifier.text(), first);
  EXPECT_NE(std::get<ScramLogin>(list.login_of("nobody2")).verifier.text(), first);
  EXPECT_NE(std::get<ScramLogin>(UserList().login_of("nobody")).verifier.text(), first);
}

TEST(UserList, WhoHasAnEmptySecretHasNone) {
  const Result<UserList> list = UserList::parse("\"alice\" \"\"\n\"bob\" \"x\"\n", "userlist.txt");
  ASSERT_TRUE(list.ok()) << list.error().what();
  EXPECT_EQ(list->size(), 1U);
}

TEST(UserList, ErrorsNameTheLineAndNeverTheSecret) {
  for (const char* text :
       {"\n\"alice\" hunter2", "\n\"alice\" \"hunter2", "\n\"\" \"hunter2\"", "\n\"alice\" \"hunter2\" hunter2",
        "\n\"alice\" \"SCRAM-SHA-256$hunter2\"", "\"alice\" \"x\"\n\"alice\" \"hunter2\""}) {
    const Result<UserList> list = UserList::parse(text, "userlist.txt");
    ASSERT_FALSE(list.ok()) << text;
    const std::string what = list.error().what();
    EXPECT_EQ(what.find("userlist.txt:2: "), 0U) << what;
    EXPECT_EQ(what.find("hunter2"), std::string::npos) << what;
  }
}

FleetConfig fleet() {
  Sources sources;
  sources.file = "test.toml";
  sources.file_text =
      "[fleet]\napplication = \"test\"\n"
      "[database.main]\ndsn = \"postgresql://wellwon@localhost/wellwon\"\n"
      "[database.reference]\ndsn = \"postgresql://wellwon@localhost/wellwon_reference\"\n"
      "[database.commerce]\ndsn = \"postgresql://commerce_user@localhost/erp\"\nschema = \"commerce_schema\"\n"
      "[database.crm]\ndsn = \"postgresql://crm_user@localhost/erp\"\nschema = \"crm_schema\"\n"
      "[database.stock]\ndsn = \"postgresql://crm_user@localhost/erp\"\nschema = \"stock_schema\"\n";
  return load_config(sources).value_or_throw();
}

std::string found(std::string_view dbname, std::string_view user = "", std::string_view search_path = "") {
  const FleetConfig config = fleet();
  const Result<ClientDatabase> database = find_database(config, dbname, user, search_path);
  return database.ok() ? database->name : std::string("error: ") + database.error().what();
}

TEST(DatabaseName, IsLogicalOrPhysical) {
  EXPECT_EQ(found("reference"), "reference");
  EXPECT_EQ(found("reference:read"), "reference_replica");
  EXPECT_EQ(found("reference_replica"), "reference_replica");
  EXPECT_EQ(found("wellwon_reference"), "reference");
  EXPECT_EQ(found("wellwon_reference:read"), "reference_replica");
  EXPECT_EQ(found("wellwon"), "main");
}

TEST(DatabaseName, OfSeveralTheSearchPathThenTheUserDecides) {
  EXPECT_EQ(found("erp", "crm_user", "stock_schema, public"), "stock");
  EXPECT_EQ(found("erp", "crm_user", "\"commerce_schema\""), "commerce");
  EXPECT_EQ(found("erp", "commerce_user"), "commerce");
  EXPECT_NE(found("erp", "crm_user").find("crm stock"), std::string::npos) << found("erp", "crm_user");
  EXPECT_NE(found("erp").find("commerce crm stock"), std::string::npos) << found("erp");
}

TEST(DatabaseName, AnUnknownNameGetsASuggestion) {
  EXPECT_NE(found("refrence").find("reference"), std::string::npos) << found("refrence");
}

TEST(StartupSettings, OptionsAreTakenApartAsTheServerDoes) {
  const Settings startup{
      {"search_path", "a, b"},
      {"options", "-c work_mem=8MB --enable-seqscan=off -csearch_path=c -c x.y=two\\ words\\\\"}};
  const Result<Settings> settings = read_settings(startup);
  ASSERT_TRUE(settings.ok()) << settings.error().what();
  EXPECT_EQ(find_setting(*settings, "work_mem"), "8MB");
  EXPECT_EQ(find_setting(*settings, "Enable_SeqScan"), "off");
  EXPECT_EQ(find_setting(*settings, "search_path"), "a, b");
  EXPECT_EQ(find_setting(*settings, "x.y"), "two words\\");
  EXPECT_EQ(find_setting(*settings, "missing"), "");
  EXPECT_EQ(settings->size(), 4U);
}

TEST(StartupSettings, OtherSwitchesAreRefused) {
  for (const char* options : {"-e", "-c", "-c nothing", "--=x", "--debug", "word"}) {
    EXPECT_FALSE(read_settings(Settings{{"options", options}}).ok()) << options;
  }
}

TEST(SettingSets, ValuesAreQuotedSoThatNothingGetsOut) {
  const auto settings = std::make_shared<const Settings>(Settings{{"application_name", "o'brien\\"}});
  EXPECT_EQ(change_text(nullptr, settings),
            "SELECT pg_catalog.set_config('application_name',  E'o''brien\\\\', false)");
}

}  // namespace
}  // namespace switchyard::gateway
