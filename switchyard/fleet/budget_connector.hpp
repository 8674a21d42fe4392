// Opens the sessions of a pool and tells the budget what it learns by that: the server's limits with the first
// session, and that the server was full.
#pragma once

#include <switchyard/pool/pool.hpp>

#include <memory>

namespace switchyard::inline v0::fleet {

/// Wraps `inner`. `permits` are the pool's; without a BudgetPermits as their source `inner` itself is returned.
[[nodiscard]] std::shared_ptr<pool::Connector> make_budget_connector(std::shared_ptr<pool::Connector> inner,
                                                                     std::shared_ptr<pool::PermitCounter> permits);

}  // namespace switchyard::inline v0::fleet
