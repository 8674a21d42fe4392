#include "site.hpp"

#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>

#include <utility>

namespace soak {

namespace sy = switchyard;

std::string body_of(int id) { return "body of " + std::to_string(id); }

Site::Site(SiteOptions options) : options_(std::move(options)) {
  sy::embedded::ClusterOptions cluster = sy::embedded::test_options();
  cluster.name = "soak";
  cluster.settings["work_mem"] = kWorkMemory;
  cluster.settings["max_connections"] = "120";
  cluster.settings["deadlock_timeout"] = "200ms";
  // Replay and the readers of a standby may wait for each other; nobody else ends that.
  cluster.settings["max_standby_streaming_delay"] = "500ms";
  cluster_ = sy::embedded::PrivateCluster::start(std::move(cluster)).value_or_throw();
  primary_ = &cluster_->primary();
  primary_->create_role(kRole).value_or_throw();
  primary_->create_role(kOtherRole).value_or_throw();
  const std::string items = std::to_string(kItems);
  primary_
      ->execute(
          std::string("GRANT ") + kOtherRole + " TO " + kRole + "; CREATE SCHEMA shadow;" + "ALTER ROLE " + kRole +
          " SET search_path = shadow, public;" +
          "CREATE TABLE items (id int PRIMARY KEY, body text);"
          "INSERT INTO items SELECT i, 'body of ' || i FROM generate_series(1, " +
          items +
          ") i;"
          "CREATE TABLE altered (id int PRIMARY KEY, body text, amount int);"
          "INSERT INTO altered SELECT i, 'body of ' || i, i * 3 FROM generate_series(1, " +
          items +
          ") i;"
          "CREATE TABLE lockable (id int PRIMARY KEY, body text);"
          "INSERT INTO lockable SELECT i, 'body of ' || i FROM generate_series(1, " +
          items +
          ") i;"
          "CREATE TABLE places (id int PRIMARY KEY, body text);"
          "INSERT INTO places SELECT i, 'body of ' || i FROM generate_series(1, " +
          items +
          ") i;"
          "CREATE VIEW seen AS SELECT id, body, 1 AS version FROM items;"
          "CREATE TABLE counters (id int PRIMARY KEY, tag text, n bigint) WITH (fillfactor = 50);"
          "INSERT INTO counters SELECT i, '', 0 FROM generate_series(0, " +
          std::to_string(options_.callers) +
          ") i;"
          "CREATE TABLE pieces (tag text, part int, total int);"
          "CREATE FUNCTION notes(text) RETURNS text LANGUAGE sql AS $$SELECT set_config('soak.tag', $1, false)$$;"
          "CREATE FUNCTION prepares(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN EXECUTE "
          "format('PREPARE soak AS SELECT %L', $1); RETURN $1; END$$;"
          "GRANT USAGE ON SCHEMA shadow TO " +
          kRole + ", " + kOtherRole +
          ";"
          "GRANT ALL ON ALL TABLES IN SCHEMA public TO " +
          kRole + ", " + kOtherRole +
          ";"
          "GRANT TEMPORARY ON DATABASE postgres TO " +
          kRole +
          ";"
          "ALTER DEFAULT PRIVILEGES IN SCHEMA shadow GRANT SELECT ON TABLES TO " +
          kRole + ", " + kOtherRole)
      .value_or_throw();
  for (int i = 0; i < options_.replicas; ++i) {
    auto* replica = cluster_->add_replica("r" + std::to_string(i)).value_or_throw();
    replica->catch_up(*primary_).value_or_throw();
  }
  if (options_.replicas > 0) {
    primary_->set("synchronous_standby_names", std::to_string(options_.replicas) + " (*)").value_or_throw();
  }
}

sy::FleetConfig Site::config() const {
  const auto dsn = [](const sy::embedded::PrivateServer& server) {
    return "\"host=" + server.endpoint().host + " port=" + std::to_string(server.endpoint().port) +
           " dbname=postgres user=" + kRole + " connect_timeout=5\"\n";
  };
  std::string text = "[fleet]\napplication = \"soak\"\n";
  const auto add = [&](const std::string& name) {
    text += "[database." + name + "]\ncommand_timeout = \"60s\"\n" + options_.fleet_keys +
            "dsn = " + dsn(cluster_->primary()) + "[database." + name +
            ".pool]\nmin = 0\nmax = 16\nacquire_timeout = \"60s\"\n";
    for (const sy::embedded::PrivateServer* replica : cluster_->replicas()) {
      text += "[[database." + name + ".replica]]\nname = \"" + replica->name() +
              "\"\nmax_lag = \"1h\"\ndsn = " + dsn(*replica);
    }
  };
  add("main");
  if (options_.second) add(kSecondDatabase);
  sy::Sources sources;
  sources.file = "soak.toml";
  sources.file_text = text;
  return sy::load_config(sources).value_or_throw();
}

std::vector<sy::embedded::PrivateServer*> Site::servers() const {
  std::vector<sy::embedded::PrivateServer*> out = cluster_->replicas();
  out.push_back(&cluster_->primary());
  std::erase_if(out, [](const auto* server) { return !server->running(); });
  return out;
}

void Site::fail_over() {
  cluster_->primary().kill9();
  const auto replicas = cluster_->replicas();
  sy::embedded::PrivateServer& heir = *replicas.front();
  heir.promote().value_or_throw();
  // What it had from the old primary; nobody confirms its commits any more.
  heir.set("synchronous_standby_names", "").value_or_throw();
  for (auto* replica : replicas) {
    if (replica != &heir) replica->follow(heir).value_or_throw();
  }
  primary_ = &heir;
}

}  // namespace soak
