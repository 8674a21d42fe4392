// Which private servers a fleet needs: a value, computed before anything is started.
//
//   - a database with a connection string needs none, nor does one whose stand-in has a connection string;
//   - databases of one [server.NAME] share one cluster, as they would share the real server;
//   - a database with replicas has a cluster of its own, since a replica copies a whole cluster;
//   - all others share one cluster, "shared": a server costs memory and starting time.
#pragma once

#include <switchyard/config/fleet_config.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::cli {

struct PrivateDatabase {
  std::string name;        ///< logical
  std::string dbname;      ///< physical
  std::string owner;       ///< role that sessions log in as
  std::string write_user;  ///< another role for writes, or empty
  std::string schema;      ///< its own schema, or empty
};

struct PrivateReplica {
  std::string server;    ///< name of the replica within the cluster
  std::string database;  ///< whose replica it is, logical
  std::string replica;   ///< its name there
};

struct PrivateClusterPlan {
  std::string name;
  std::vector<PrivateDatabase> databases;
  std::vector<PrivateReplica> replicas;
  std::uint32_t sessions = 0;  ///< that the pools of its databases may open at most
};

[[nodiscard]] std::vector<PrivateClusterPlan> plan_private_clusters(const FleetConfig& fleet);

}  // namespace switchyard::cli
