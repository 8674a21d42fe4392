// Real PostgreSQL servers for databases that have none configured, for as long as this process lives.
#pragma once

#include "private_plan.hpp"
#include "running_fleet.hpp"
#include "seeds.hpp"

#include <switchyard/base/result.hpp>
#include <switchyard/embedded/private_cluster.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::cli {

struct PrivateFleetOptions {
  std::string persist;  ///< folder for the data; empty: temporary
  /// SQL for a database that is made now.
  std::function<Result<std::optional<Seed>>(const std::string& database)> seed;
  /// Called from several threads with what was just done: "main: server started".
  std::function<void(const std::string&)> progress;
};

class PrivateFleet {
 public:
  /// Starts all clusters side by side; blocks. Several errors become one.
  [[nodiscard]] static Result<std::unique_ptr<PrivateFleet>> start(std::vector<PrivateClusterPlan> plans,
                                                                   PrivateFleetOptions options);
  ~PrivateFleet();

  /// How the databases are reached.
  [[nodiscard]] const std::vector<Relocation>& relocations() const noexcept { return relocations_; }
  [[nodiscard]] const std::vector<PrivateClusterPlan>& plans() const noexcept { return plans_; }
  /// "15.20", of the first cluster; empty if there is none.
  [[nodiscard]] const std::string& server_version() const noexcept { return server_version_; }
  /// Ends the servers in order; blocks.
  void stop();

 private:
  explicit PrivateFleet(std::vector<PrivateClusterPlan> plans) : plans_(std::move(plans)) {}

  std::vector<PrivateClusterPlan> plans_;
  std::vector<std::unique_ptr<embedded::PrivateCluster>> clusters_;
  std::vector<Relocation> relocations_;
  std::string server_version_;
};

}  // namespace switchyard::cli
