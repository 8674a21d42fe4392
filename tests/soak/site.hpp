// The private cluster under the callers, and what its tables hold.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/embedded/private_cluster.hpp>

#include <memory>
#include <string>
#include <vector>

namespace soak {

inline constexpr const char* kRole = "soak_caller";
inline constexpr const char* kOtherRole = "soak_other";
inline constexpr int kItems = 500;
/// "main" under another name of the fleet, if SiteOptions asks for it.
inline constexpr const char* kSecondDatabase = "second";
/// What a session starts with; a lease changes it and nobody else may see that.
inline constexpr const char* kWorkMemory = "5MB";

/// The text of item `id`, here and in the table.
[[nodiscard]] std::string body_of(int id);

struct SiteOptions {
  int callers = 0;
  int replicas = 0;
  std::string fleet_keys;  ///< more lines for [database.main]
  bool second = false;     ///< the fleet knows kSecondDatabase as well
};

class Site {
 public:
  /// Throws Error.
  explicit Site(SiteOptions options);

  [[nodiscard]] switchyard::FleetConfig config() const;
  /// Where writes go now.
  [[nodiscard]] switchyard::embedded::PrivateServer& primary() const { return *primary_; }
  /// Every server that runs.
  [[nodiscard]] std::vector<switchyard::embedded::PrivateServer*> servers() const;
  /// Kills the primary for good; its first replica takes over and the others follow it. Nothing that was
  /// acknowledged is lost: every replica confirms every commit.
  void fail_over();
  [[nodiscard]] bool can_fail_over() const { return primary_ == &cluster_->primary() && options_.replicas > 0; }

 private:
  SiteOptions options_;
  std::unique_ptr<switchyard::embedded::PrivateCluster> cluster_;
  switchyard::embedded::PrivateServer* primary_ = nullptr;
};

}  // namespace soak
