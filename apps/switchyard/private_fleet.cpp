#include "private_fleet.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <thread>
#include <utility>

namespace switchyard::cli {

namespace {

using embedded::PrivateCluster;
using embedded::PrivateServer;
using embedded::quote_identifier;
using embedded::quote_literal;

/// Beside the pools: psql, doctor, replication, the server's reserve.
constexpr std::uint32_t kSpareSessions = 30;
constexpr std::uint32_t kFewestSessions = 100;
constexpr Duration kSeedTimeout = std::chrono::minutes(5);

using SeedOf = std::function<Result<std::optional<Seed>>(const std::string&)>;

Result<bool> exists(PrivateServer& server, const std::string& query, const std::string& database) {
  auto count = server.query_value(query, database);
  if (!count.ok()) return count.error();
  return *count != "0";
}

Result<void> make_role(PrivateServer& server, const std::string& role) {
  auto found = exists(server, "SELECT count(*) FROM pg_roles WHERE rolname = " + quote_literal(role), "postgres");
  if (!found.ok()) return found.error();
  if (*found) return {};
  return server.create_role(role);
}

Result<void> run(PrivateServer& server, const std::string& sql, const std::string& database) {
  auto done = server.execute(sql, database, kSeedTimeout);
  if (!done.ok()) return done.error();
  return {};
}

/// Line and column of a server error's position.
std::string position_in(const std::string& sql, const Error& error, std::size_t before) {
  if (error.server() == nullptr || error.server()->position.empty()) return {};
  const std::size_t at = std::strtoull(error.server()->position.c_str(), nullptr, 10);
  // Positions count characters: step over the bytes that continue one.
  std::size_t line = 1, characters = 0;
  for (std::size_t i = 0; i < sql.size() && before + characters + 1 < at; ++i) {
    if ((static_cast<unsigned char>(sql[i]) & 0xC0) != 0x80) ++characters;
    if (sql[i] == '\n') ++line;
  }
  return ":" + std::to_string(line);
}

/// Everything a seed makes belongs to the database's own role, in its own schema.
Result<void> apply_seed(PrivateServer& server, const PrivateDatabase& database, const Seed& seed) {
  std::string prologue = "SET ROLE " + quote_identifier(database.owner) + "; ";
  if (!database.schema.empty()) prologue += "SET search_path TO " + quote_identifier(database.schema) + "; ";
  const auto done = run(server, prologue + seed.sql, database.dbname);
  if (done.ok()) return {};
  return done.error().with_context(seed.place + position_in(seed.sql, done.error(), prologue.size()));
}

/// A database of its own for the role, or a schema of its own in a shared one.
Result<bool> make_database(PrivateServer& server, const PrivateDatabase& database) {
  SY_TRY(make_role(server, database.owner));
  auto found = exists(server, "SELECT count(*) FROM pg_database WHERE datname = " + quote_literal(database.dbname),
                      "postgres");
  if (!found.ok()) return found.error();
  const bool own = database.schema.empty();
  bool fresh = !*found;
  if (!*found) {
    embedded::DatabaseOptions options;
    if (own) options.owner = database.owner;
    SY_TRY(server.create_database(database.dbname, options));
    if (!own) {
      // Schemas keep their roles apart: nothing is everybody's.
      SY_TRY(run(server,
                 "REVOKE ALL ON DATABASE " + quote_identifier(database.dbname) +
                     " FROM PUBLIC; "
                     "REVOKE ALL ON SCHEMA public FROM PUBLIC",
                 database.dbname));
    }
  }
  if (!own) {
    auto schema =
        exists(server, "SELECT count(*) FROM pg_namespace WHERE nspname = " + quote_literal(database.schema),
               database.dbname);
    if (!schema.ok()) return schema.error();
    fresh = !*schema;
    SY_TRY(run(server,
               "GRANT CONNECT, TEMPORARY ON DATABASE " + quote_identifier(database.dbname) + " TO " +
                   quote_identifier(database.owner),
               database.dbname));
    if (!*schema) {
      // The role's own search_path as well: psql shall see what the application sees.
      SY_TRY(run(server,
                 "CREATE SCHEMA " + quote_identifier(database.schema) + " AUTHORIZATION " +
                     quote_identifier(database.owner) + "; ALTER ROLE " + quote_identifier(database.owner) +
                     " IN DATABASE " + quote_identifier(database.dbname) + " SET search_path TO " +
                     quote_identifier(database.schema),
                 database.dbname));
    }
  }
  if (!database.write_user.empty() && database.write_user != database.owner) {
    SY_TRY(make_role(server, database.write_user));
    SY_TRY(run(server, "GRANT " + quote_identifier(database.owner) + " TO " + quote_identifier(database.write_user),
               "postgres"));
  }
  return fresh;
}

Result<void> fill(PrivateServer& server, const PrivateDatabase& database, const SeedOf& seed_of) {
  auto fresh = make_database(server, database);
  if (!fresh.ok()) return fresh.error().with_database(database.name);
  if (!*fresh || !seed_of) return {};
  auto seed = seed_of(database.name);
  if (!seed.ok()) return seed.error();
  if (!*seed) return {};
  const auto done = apply_seed(server, database, **seed);
  if (done.ok()) return {};
  // The next start finds nothing half done.
  static_cast<void>(
      database.schema.empty()
          ? server.drop_database(database.dbname)
          : run(server, "DROP SCHEMA " + quote_identifier(database.schema) + " CASCADE", database.dbname));
  return done;
}

struct Started {
  std::unique_ptr<PrivateCluster> cluster;
  std::vector<Relocation> relocations;
};

std::string dsn_of(const PrivateServer& server, const PrivateDatabase& database) {
  embedded::ServerEndpoint endpoint = server.endpoint(database.dbname);
  endpoint.user = database.owner;
  return endpoint.uri();
}

Result<Started> start_cluster(const PrivateClusterPlan& plan, const PrivateFleetOptions& options) {
  embedded::ClusterOptions cluster_options;
  cluster_options.name = plan.name;
  if (!options.persist.empty()) {
    cluster_options.folder = (std::filesystem::path(options.persist) / plan.name).string();
    cluster_options.durable = true;
  }
  cluster_options.settings["max_connections"] =
      std::to_string(std::max(plan.sessions + kSpareSessions, kFewestSessions));
  auto cluster = PrivateCluster::start(std::move(cluster_options));
  if (!cluster.ok()) return cluster.error();
  PrivateServer& primary = (*cluster)->primary();
  options.progress(plan.name + ": server started");

  Started started;
  for (const PrivateDatabase& database : plan.databases) {
    SY_TRY(fill(primary, database, options.seed));
    started.relocations.push_back({database.name, "", dsn_of(primary, database), "private server " + plan.name});
  }
  for (const PrivateReplica& replica : plan.replicas) {
    auto server = (*cluster)->add_replica(replica.server);
    if (!server.ok()) return server.error();
    SY_TRY((*server)->catch_up(primary));
    const auto database = std::ranges::find(plan.databases, replica.database, &PrivateDatabase::name);
    started.relocations.push_back({replica.database, replica.replica, dsn_of(**server, *database),
                                   "private server " + plan.name + ", streaming replica"});
    options.progress(plan.name + ": replica " + replica.replica + " streams");
  }
  started.cluster = std::move(*cluster);
  return started;
}

}  // namespace

Result<std::unique_ptr<PrivateFleet>> PrivateFleet::start(std::vector<PrivateClusterPlan> plans,
                                                          PrivateFleetOptions options) {
  std::unique_ptr<PrivateFleet> fleet(new PrivateFleet(std::move(plans)));
  const std::size_t count = fleet->plans_.size();
  std::vector<std::optional<Result<Started>>> results(count);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] { results[i].emplace(start_cluster(fleet->plans_[i], options)); });
    }
  }
  std::set<std::string> problems;
  std::optional<Error> first;
  for (std::optional<Result<Started>>& result : results) {
    if (!result->ok()) {
      if (!first) first = result->error();
      problems.insert(std::string(result->error().message()));
      continue;
    }
    Started started = std::move(**result);
    if (fleet->server_version_.empty()) {
      if (auto version = started.cluster->primary().query_value("SHOW server_version"); version.ok()) {
        fleet->server_version_ = version->substr(0, version->find(' '));
      }
    }
    fleet->clusters_.push_back(std::move(started.cluster));
    std::ranges::move(started.relocations, std::back_inserter(fleet->relocations_));
  }
  if (problems.size() > 1) {
    std::string all;
    for (const std::string& problem : problems) all += (all.empty() ? "" : "; ") + problem;
    return Error(first->kind(), all).with_hint(std::string(first->hint()));
  }
  if (first) return *first;
  return fleet;
}

void PrivateFleet::stop() {
  std::vector<std::jthread> threads;
  for (const auto& cluster : clusters_) {
    threads.emplace_back([&cluster] { static_cast<void>(cluster->stop()); });
  }
}

PrivateFleet::~PrivateFleet() = default;

}  // namespace switchyard::cli
