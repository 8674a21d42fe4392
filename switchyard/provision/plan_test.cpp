// Plans, from text tables.
#include <switchyard/config/load.hpp>
#include <switchyard/provision/hba.hpp>
#include <switchyard/provision/plan.hpp>
#include <switchyard/provision/secret_store.hpp>

#include <tests/support/temp_folder.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <algorithm>
#include <fstream>
#include <sstream>

namespace switchyard::provision {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Case {
  int line = 0;
  std::string title;
  std::vector<std::vector<std::string>> changes;
  std::vector<std::string> expected;
};

std::vector<Case> read_cases() {
  std::ifstream file(std::string(SWITCHYARD_SOURCE_DIR) + "/switchyard/provision/testdata/plans.txt");
  std::vector<Case> cases;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("== ")) {
      cases.push_back({number, line.substr(3), {}, {}});
    } else if (line.starts_with("=> ")) {
      cases.back().expected.push_back(line.substr(3));
    } else {
      std::istringstream words(line);
      auto& change = cases.back().changes.emplace_back();
      for (std::string word; words >> word;) change.push_back(word);
    }
  }
  return cases;
}

DesiredServer desired_of(bool family, bool tls) {
  Sources sources;
  sources.file = "/nowhere/fleet.toml";
  std::string text = "[fleet]\napplication = \"erp\"\nroles = \"" + std::string(family ? "family" : "documents") +
                     "\"\n[server.erp]\nhost = \"db\"\ndbname = \"chiro_erp\"\n";
  if (tls) text += "options = { sslmode = \"require\" }\n";
  for (const char* name : {"core", "commerce", "finance"}) {
    text += "[database." + std::string(name) + "]\nserver = \"erp\"\nschema = \"" + name + "_schema\"\n";
    if (!family) text += "role = \"" + std::string(name) + "_user\"\n";
  }
  sources.file_text = text;
  auto servers = desired_servers(load_config(sources).value_or_throw()).value_or_throw();
  return servers.at(0);
}

/// A server on which everything has been done.
ServerImage provisioned(const DesiredServer& desired) {
  ServerImage image;
  image.version = 150000;
  image.current_user = "postgres";
  image.superuser = true;
  image.hba.emplace();
  RoleImage boss;
  boss.name = "postgres";
  boss.superuser = boss.login = true;
  image.roles.push_back(boss);
  for (const DesiredRole& role : desired.roles) {
    RoleImage one;
    one.name = role.name;
    one.login = role.login;
    one.connection_limit = role.connection_limit;
    one.comment = "switchyard erp: " + role.purpose;
    one.stored_password = Secret("SCRAM-SHA-256$fits");
    image.roles.push_back(one);
    for (const std::string& group : role.member_of) image.memberships.push_back({group, role.name, false});
  }
  for (const char* name : {"postgres", "template1"}) image.databases.push_back({name, "postgres", true, -1, {}});
  for (const DesiredDatabase& database : desired.databases) {
    DatabaseImage& one = image.databases.emplace_back();
    one.name = database.name;
    one.owner = "postgres";
    for (const std::string& role : database.connect) one.privileges.push_back({role, "CONNECT"});
    for (const auto& [key, value] : database.settings) {
      image.settings.push_back({key.first, database.name, key.second, value});
    }
    ContentImage& content = image.contents[database.name];
    content.database = database.name;
    content.anybody_makes_large_objects = false;
    content.schemas.push_back({"public", "pg_database_owner", "", {}, 0, false});
    for (const DesiredSchema& schema : database.schemas) {
      SchemaImage& there = content.schemas.emplace_back();
      there.name = schema.name;
      there.owner = schema.owner;
      content.defaults.push_back({schema.owner, "", 'f', {}});
      const auto give = [&](const std::vector<std::string>& roles, bool writer) {
        for (const std::string& role : roles) {
          there.privileges.push_back({role, "USAGE"});
          for (const std::string& maker : {schema.owner, std::string("postgres")}) {
            Privileges tables{{role, "SELECT"}}, sequences{{role, "SELECT"}};
            if (writer) {
              for (const char* right : {"INSERT", "UPDATE", "DELETE"}) tables.push_back({role, right});
              sequences.push_back({role, "USAGE"});
            }
            const auto add = [&](char type, const Privileges& privileges) {
              for (DefaultPrivilegeImage& one_default : content.defaults) {
                if (one_default.role != maker || one_default.schema != schema.name || one_default.type != type)
                  continue;
                one_default.privileges.insert(one_default.privileges.end(), privileges.begin(), privileges.end());
                return;
              }
              content.defaults.push_back({maker, schema.name, type, privileges});
            };
            add('r', tables);
            add('S', sequences);
            if (writer) add('f', {{role, "EXECUTE"}});
          }
        }
      };
      give(schema.writers, true);
      give(schema.readers, false);
    }
  }
  return image;
}

Privilege privilege(const std::string& grantee, const std::string& name) {
  return Privilege::parse(name + " " + (grantee == "-" ? "" : grantee));
}

void change(ServerImage& image, const std::vector<std::string>& words) {
  const std::string& what = words[0];
  ContentImage& content = image.contents["chiro_erp"];
  const auto schema = [&](const std::string& name) {
    return std::ranges::find(content.schemas, name, &SchemaImage::name);
  };
  const auto role = [&](const std::string& name) -> RoleImage& {
    const auto at = std::ranges::find(image.roles, name, &RoleImage::name);
    if (at != image.roles.end()) return *at;
    RoleImage fresh;
    fresh.name = name;
    fresh.login = true;
    return image.roles.emplace_back(fresh);
  };
  const auto rest = [&](std::size_t from) {
    std::string text;
    for (std::size_t i = from; i < words.size(); ++i) text += (text.empty() ? "" : " ") + words[i];
    return text;
  };
  if (what == "drop-role") {
    std::erase_if(image.roles, [&](const RoleImage& one) { return one.name == words[1]; });
  } else if (what == "role") {
    RoleImage& one = role(words[1]);
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (words[i] == "superuser") one.superuser = true;
      if (words[i] == "createrole") one.create_role = true;
      if (words[i] == "createdb") one.create_database = true;
      if (words[i] == "replication") one.replication = true;
      if (words[i] == "bypassrls") one.bypass_rls = true;
      if (words[i] == "nologin") one.login = false;
      if (words[i] == "noinherit") one.inherit = false;
      if (words[i] == "unlimited") one.connection_limit = -1;
    }
  } else if (what == "comment") {
    role(words[1]).comment = rest(2);
    role(words[1]).owned_objects = 1;
  } else if (what == "password") {
    role(words[1]).stored_password = Secret(words[2] == "-" ? "" : words[2]);
  } else if (what == "session") {
    image.sessions.push_back({words[1], words[2], "", false, std::stoi(words[3])});
  } else if (what == "member") {
    image.memberships.push_back({words[1], words[2], false});
  } else if (what == "grant-db") {
    std::ranges::find(image.databases, words[1], &DatabaseImage::name)
        ->privileges.push_back(privilege(words[2], words[3]));
  } else if (what == "own-db") {
    std::ranges::find(image.databases, words[1], &DatabaseImage::name)->owner = words[2];
  } else if (what == "setting") {
    std::erase_if(image.settings, [&](const SettingImage& one) {
      return one.role == words[1] && one.database == words[2] && one.name == words[3];
    });
    image.settings.push_back({words[1], words[2], words[3], words[4]});
  } else if (what == "own-schema") {
    schema(words[1])->owner = words[2];
  } else if (what == "drop-schema") {
    content.schemas.erase(schema(words[1]));
  } else if (what == "schema") {
    content.schemas.push_back({words[1], words[2], rest(3), {}, 0, false});
  } else if (what == "grant-schema") {
    schema(words[1])->privileges.push_back(privilege(words[2], words[3]));
  } else if (what == "extensions") {
    schema(words[1])->extensions = true;
  } else if (what == "object") {
    ObjectImage& one = content.objects.emplace_back();
    one.kind = words[1] == "table" ? ObjectKind::table : ObjectKind::routine;
    one.keyword = words[1] == "table" ? "TABLE" : "FUNCTION";
    one.schema = words[2].substr(0, words[2].find('.'));
    one.identity = words[2];
    one.owner = words[3];
  } else if (what == "grant-object") {
    std::ranges::find(content.objects, words[1], &ObjectImage::identity)
        ->privileges.push_back(privilege(words[2], words[3]));
  } else if (what == "no-defaults") {
    std::erase_if(content.defaults, [&](const auto& one) { return one.role == words[1] && one.schema.empty(); });
  } else if (what == "large-objects") {
    content.anybody_makes_large_objects = true;
  } else if (what == "hba") {
    image.hba->push_back({static_cast<std::int32_t>(image.hba->size() + 1),
                          words[1],
                          {words[2]},
                          {words[3]},
                          words[4],
                          words[5] == "-" ? "" : words[5],
                          words[6]});
  } else {
    ADD_FAILURE() << "plans.txt says " << what;
  }
}

TEST(Plan, SaysWhatIsLeftToDo) {
  const auto cases = read_cases();
  ASSERT_GT(cases.size(), 30U);
  for (const Case& one : cases) {
    const auto says = [&](const char* word) {
      return std::ranges::any_of(one.changes, [&](const auto& words) { return words[0] == word; });
    };
    const DesiredServer desired = desired_of(says("family"), says("tls"));
    ServerImage image = provisioned(desired);
    for (const auto& words : one.changes) {
      if (words[0] != "family" && words[0] != "tls") change(image, words);
    }
    PlanOptions options;
    options.now = "2026-06-01T00:00:00Z";
    options.verifier = [](const Secret&) { return "SCRAM-SHA-256$new"; };
    options.fits = [](const Secret& stored, const Secret&) { return stored.reveal() == "SCRAM-SHA-256$fits"; };
    if (says("password")) options.passwords.emplace("commerce_user", Secret("x"));
    const Plan plan = make_plan(desired, image, options);
    std::vector<std::string> lines;
    for (const Step& step : plan.steps) lines.push_back((step.confirm ? "! " : "") + step.text());
    for (const std::string& note : plan.notes) lines.push_back("note " + note.substr(0, note.find(':')));
    for (const std::string& line : plan.hba_lines) lines.push_back("hba " + line);
    EXPECT_EQ(lines, one.expected) << "plans.txt:" << one.line << " " << one.title;
  }
}

TEST(Plan, OfAnEmptyServerMakesRolesThenDatabasesThenSchemas) {
  const DesiredServer desired = desired_of(false, false);
  ServerImage image;
  image.version = 150000;
  image.current_user = "postgres";
  image.superuser = true;
  PlanOptions options;
  const Plan plan = make_plan(desired, image, options);
  std::vector<Phase> phases;
  for (const Step& step : plan.steps) {
    if (phases.empty() || phases.back() != step.phase) phases.push_back(step.phase);
    EXPECT_FALSE(step.confirm) << step.sql;
  }
  EXPECT_THAT(phases, ElementsAre(Phase::roles, Phase::databases, Phase::contents));
}

TEST(Plan, OfADatabaseThatLogsInAsTheAdministratorSaysSo) {
  Sources sources;
  sources.file = "fleet.toml";
  sources.file_text = "[database.main]\ndsn = \"postgresql://postgres@db/main\"\n";
  const auto servers = desired_servers(load_config(sources).value_or_throw()).value_or_throw();
  ASSERT_EQ(servers.size(), 1U);
  EXPECT_THAT(servers[0].problems, ElementsAre(HasSubstr("logs in as postgres, who provisions")));
}

TEST(Hba, TheLinesAreInFrontOnceAndGoAgain) {
  const std::string before = "# comment\nhost all all\t0.0.0.0/0 scram-sha-256\n";
  const std::string with = hba_with_block(before, "erp", {"hostnossl a b all reject"});
  EXPECT_EQ(with,
            "# switchyard erp: refused without TLS\nhostnossl a b all reject\n# switchyard erp: end\n" + before);
  EXPECT_EQ(hba_with_block(with, "erp", {"hostnossl a b all reject"}), with);
  EXPECT_EQ(hba_with_block(with, "erp", {}), before);
}

TEST(SecretStore, KeepsProposesAndAdopts) {
  const switchyard::testing::TempFolder folder;
  const std::string file = folder.file("secrets/commerce_user");
  EXPECT_FALSE(kept_password(file));
  keep_password(file, Secret("first")).value_or_throw();
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(folder.file("secrets").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  const Secret next = propose_password(file).value_or_throw();
  EXPECT_TRUE(is_proposed(file));
  EXPECT_EQ(propose_password(file).value_or_throw(), next);
  EXPECT_EQ(kept_password(file)->reveal(), "first");
  adopt_password(file).value_or_throw();
  EXPECT_FALSE(is_proposed(file));
  EXPECT_EQ(*kept_password(file), next);
  EXPECT_EQ(kept_password(file + ".previous")->reveal(), "first");
  EXPECT_EQ(make_password().value_or_throw().reveal().size(), 32U);
}

}  // namespace
}  // namespace switchyard::provision
