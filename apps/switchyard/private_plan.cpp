#include "private_plan.hpp"

#include <algorithm>

#include <switchyard/base/ascii.hpp>

namespace switchyard::cli {

namespace {

constexpr std::size_t kLongestServerName = 40;

/// Lower case letters, digits and '_', a letter first: what replicas and roles may be called without quotes.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (base::is_upper(c)) {
      if (!out.empty() && out.back() != '_') out += '_';
      out += base::to_lower(c);
    } else {
      out += base::is_lower(c) || base::is_digit(c) ? c : '_';
    }
  }
  if (out.empty() || !base::is_lower(out[0])) out = "x" + out;
  return out.substr(0, kLongestServerName);
}

/// Nobody said where it is, and nobody real answers for it.
bool wants_private(const FleetConfig& fleet, const DatabaseConfig& database) {
  if (database.configured()) return false;
  if (!database.has_stand_in()) return true;
  const DatabaseConfig* stand_in = fleet.find(database.when_unconfigured.value);
  return stand_in == nullptr || !stand_in->configured();
}

const ServerConfig* server_of(const FleetConfig& fleet, const DatabaseConfig& database) {
  const auto at = std::ranges::find(fleet.servers, database.server.value, &ServerConfig::name);
  return at == fleet.servers.end() ? nullptr : &*at;
}

std::string first_of(std::initializer_list<std::string> candidates) {
  for (const std::string& one : candidates) {
    if (!one.empty()) return one;
  }
  return {};
}

PrivateDatabase describe(const FleetConfig& fleet, const DatabaseConfig& database) {
  const ServerConfig* server = server_of(fleet, database);
  PrivateDatabase out;
  out.name = database.name;
  out.dbname = first_of(
      {database.primary.dbname.value, server != nullptr ? server->endpoint.dbname.value : "", database.name});
  out.owner = first_of({database.primary.user.value, database.role.value,
                        server != nullptr ? server->endpoint.user.value : "", plain(fleet.application.value)});
  out.write_user = database.write.user.value;
  out.schema = database.schema.value;
  return out;
}

std::string cluster_name(const FleetConfig& fleet, const DatabaseConfig& database) {
  if (const ServerConfig* server = server_of(fleet, database)) return server->name;
  const bool replicated = std::ranges::any_of(
      database.replicas, [](const ReplicaConfig& replica) { return !replica.endpoint.configured(); });
  return replicated ? database.name : "shared";
}

std::string free_server_name(const PrivateClusterPlan& cluster, const std::string& wanted) {
  std::string name = plain(wanted);
  for (int number = 2; std::ranges::find(cluster.replicas, name, &PrivateReplica::server) != cluster.replicas.end();
       ++number) {
    name = plain(wanted) + std::to_string(number);
  }
  return name;
}

}  // namespace

std::vector<PrivateClusterPlan> plan_private_clusters(const FleetConfig& fleet) {
  std::vector<PrivateClusterPlan> clusters;
  for (const DatabaseConfig& database : fleet.databases) {
    if (!wants_private(fleet, database)) continue;
    const std::string name = cluster_name(fleet, database);
    auto cluster = std::ranges::find(clusters, name, &PrivateClusterPlan::name);
    if (cluster == clusters.end()) {
      clusters.push_back({name, {}, {}, 0});
      cluster = std::prev(clusters.end());
    }
    cluster->databases.push_back(describe(fleet, database));
    // Reads and writes may go through pools of their own.
    cluster->sessions += database.pool.max.value * (database.read_only.value ? 2 : 1);
    for (const ReplicaConfig& replica : database.replicas) {
      if (replica.endpoint.configured()) continue;
      cluster->replicas.push_back({free_server_name(*cluster, replica.name), database.name, replica.name});
      cluster->sessions = std::max(cluster->sessions, replica.pool.max.value);
    }
  }
  return clusters;
}

}  // namespace switchyard::cli
