#include <switchyard/config/explain.hpp>
#include <switchyard/config/key_table.hpp>
#include <switchyard/config/load_fixture.hpp>
#include <switchyard/config/settings.hpp>

#include <gtest/gtest.h>

#include <set>

namespace switchyard {
namespace {

using testing_config::Load;

const ExplainRow* row(const Explanation& explanation, std::string_view key) {
  for (const ExplainRow& r : explanation.rows) {
    if (r.key == key) return &r;
  }
  ADD_FAILURE() << "no row " << key;
  return nullptr;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

FleetConfig wellwon() {
  Load load;
  load.file(
          "[fleet]\napplication = \"wellwon\"\nworkers = 4\n[database.main]\npool = { max = 90 }\n"
          "password = \"hunter2\"\n[database.reference]\nserver = \"s\"\n[server.s]\nhost = \"h\"\n"
          "password = \"hunter2\"\noptions = { sslpassword = \"hunter2\", sslmode = \"require\" }\n"
          "[vault]\ntoken = \"hunter2\"\n")
      .env({{"POSTGRES_DSN", "postgresql://wellwon:hunter2@localhost/wellwon"},
            {"PG_POOL_MAX_SIZE", "100"},
            {"PG_REFERENCE_POOL_MAX_SIZE", "50"},
            {"ORDERS_DATABASE_URL", "postgresql://u:hunter2@h/orders"}})
      .dotenv("POSTGRES_DSN=postgresql://wellwon:hunter2@dotenv/wellwon\n");
  return load.ok();
}

TEST(Explain, NamesOriginProfileAndWhatIsHidden) {
  const Explanation explanation = explain(wellwon());
  const ExplainRow* max = row(explanation, "database.main.pool.max");
  ASSERT_NE(max, nullptr);
  EXPECT_EQ(max->value, "100");
  EXPECT_EQ(max->origin, "environment PG_POOL_MAX_SIZE");
  ASSERT_EQ(max->shadowed.size(), 1u);
  EXPECT_EQ(max->shadowed[0].value, "90");
  EXPECT_EQ(max->shadowed[0].place, "fleet.toml:5:16");
  EXPECT_EQ(row(explanation, "database.main.pool.min")->origin, "default (profile wellwon)");
  EXPECT_EQ(row(explanation, "database.reference.pool.max")->origin, "environment PG_REFERENCE_POOL_MAX_SIZE");
  EXPECT_EQ(row(explanation, "database.main")->value, "postgresql://wellwon:********@localhost/wellwon");
  EXPECT_EQ(row(explanation, "database.main.dsn")->value, "\"postgresql://wellwon:********@localhost/wellwon\"");
  EXPECT_EQ(row(explanation, "server.s.options.sslmode")->value, "\"require\"");
}

TEST(Explain, NoSecretIsShownAnywhere) {
  const Explanation explanation = explain(wellwon());
  EXPECT_FALSE(contains(to_text(explanation), "hunter2")) << to_text(explanation);
  EXPECT_FALSE(contains(to_json(explanation), "hunter2"));
  EXPECT_EQ(row(explanation, "vault.token")->value, "********");
}

TEST(Explain, PrintsTheFormulaUndeclaredVariablesAndUnusedKeys) {
  const std::string text = to_text(explain(wellwon()));
  EXPECT_TRUE(contains(text, "4 workers x (main 100 + reference 50) = 600 connections; max_connections >= 650"))
      << text;
  EXPECT_TRUE(contains(text, "ORDERS_DATABASE_URL"));
  EXPECT_TRUE(contains(text, "Keys without effect in this version:\n  vault.token\n"));
}

TEST(Explain, SaysWhatAnUnconfiguredDatabaseMeans) {
  const Explanation parafort = explain(Load().env({{"DATABASE_URL", "postgresql://h/d"}}).ok());
  EXPECT_EQ(row(parafort, "database.analytics")->note, "not configured: main takes over");
  const Explanation nothing = explain(Load().ok());
  EXPECT_EQ(row(nothing, "database.reference")->note,
            "DSN not configured for database 'reference'. Set POSTGRES_REFERENCE_DSN in environment.");
}

TEST(Explain, LeavesDefaultsOutOnRequest) {
  const Explanation explanation = explain(wellwon());
  EXPECT_FALSE(contains(to_text(explanation, false), "database.main.pool.min"));
  EXPECT_TRUE(contains(to_text(explanation, false), "database.main.pool.max"));
  EXPECT_TRUE(contains(to_text(explanation, true), "database.main.pool.min"));
}

TEST(Explain, JsonHoldsTheSame) {
  const std::string json = to_json(explain(wellwon()));
  EXPECT_TRUE(contains(json,
                       "{\"key\":\"database.main.pool.max\",\"value\":\"100\",\"origin\":\"environment "
                       "PG_POOL_MAX_SIZE\",\"default\":false,\"shadowed\":[{\"value\":\"90\",\"origin\":"
                       "\"fleet.toml:5:16\"}],\"note\":\"\"}"))
      << json;
  EXPECT_TRUE(contains(json, "\"recommendedMaxConnections\":650"));
  EXPECT_TRUE(contains(json, "\"undeclaredVariables\":[\"ORDERS_DATABASE_URL\"]"));
}

/// Every key of the table is a setting, and every setting has a key.
TEST(Settings, AndTheKeyTableAreTheSame) {
  FleetConfig fleet;
  fleet.channels["x"];
  fleet.gateway.databases["x"];
  fleet.gateway.users["x"];
  DatabaseConfig database;
  database.name = "x";
  database.primary.options["host"];
  database.migrations.placeholders["x"];
  ReplicaConfig replica;
  replica.name = "x";
  replica.endpoint.options["host"];
  database.replicas.push_back(replica);
  fleet.databases.push_back(database);
  ServerConfig server;
  server.name = "x";
  server.endpoint.options["host"];
  fleet.servers.push_back(server);
  std::set<std::string> settings;
  auto collect = [&](const std::string& path, auto&) { settings.insert(config::generic_path(path)); };
  config::visit_everything(fleet, collect);
  std::set<std::string> keys;
  for (const config::KeySpec& key : config::key_specs()) keys.insert(std::string(key.path));
  keys.erase("database.*.replica.*.name");  // names the table; not a setting
  EXPECT_EQ(settings, keys);
}

}  // namespace
}  // namespace switchyard
