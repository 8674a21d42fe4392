// BudgetKeeper: keeps what the budget knows of its servers fresh, with sessions that are open anyway. One a fleet
// and shard; of all processes of a machine one asks a server at a time.
#pragma once

#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/runtime/timer.hpp>

#include <memory>
#include <vector>

namespace switchyard::inline v0::fleet {

class Route;

class BudgetKeeper {
 public:
  /// The endpoints outlive the keeper.
  explicit BudgetKeeper(std::vector<Endpoint*> endpoints);
  BudgetKeeper(const BudgetKeeper&) = delete;
  BudgetKeeper& operator=(const BudgetKeeper&) = delete;
  /// Looks under way end with Closed.
  ~BudgetKeeper();

 private:
  static void on_timer(void* keeper) noexcept;
  void look_around();

  struct Place {
    Endpoint* endpoint;
    std::shared_ptr<Route> route;
  };
  std::vector<Place> places_;
  runtime::Timer timer_{&BudgetKeeper::on_timer, this};
};

}  // namespace switchyard::inline v0::fleet
