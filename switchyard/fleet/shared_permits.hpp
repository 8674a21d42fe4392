// What the fleets of one process share: how many sessions each database may have, over all shards, and the account
// of each in the budget of its server; and the breakers.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/pool/permits.hpp>
#include <switchyard/resilience/shared_breakers.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

class BudgetRegistry;

/// Hands the same counter, and the same breakers, to every shard that asks for the same name. Any thread.
class SWITCHYARD_API SharedPermits {
 public:
  /// Counted in the machine's BudgetRegistry, opened with the first counter.
  SharedPermits();
  /// Counted in a registry of one's own; null: `max` is the only limit.
  explicit SharedPermits(std::shared_ptr<BudgetRegistry> registry);
  ~SharedPermits();
  SharedPermits(const SharedPermits&) = delete;
  SharedPermits& operator=(const SharedPermits&) = delete;

  /// What the counters of `fleet` have in common; before the first get().
  void set_fleet(const FleetConfig& fleet);

  /// For sessions of `endpoint`, at most `max` of them. `primary`: they count in fleet.connection_budget.
  [[nodiscard]] std::shared_ptr<pool::PermitCounter> get(std::string_view name, std::uint32_t max,
                                                         const EndpointConfig& endpoint, bool primary);
  [[nodiscard]] resilience::SharedBreakers& breakers() noexcept { return breakers_; }

 private:
  std::mutex mutex_;
  bool open_registry_;
  std::shared_ptr<BudgetRegistry> registry_;
  bool fleet_known_ = false;
  std::string fleet_;
  std::int32_t fleet_limit_ = -1;
  std::vector<std::string> application_names_;
  std::map<std::string, std::shared_ptr<pool::PermitCounter>> counters_;
  resilience::SharedBreakers breakers_;
};

}  // namespace switchyard::inline v0::fleet
