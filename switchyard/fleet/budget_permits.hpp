// BudgetPermits: what a pool's permits ask beyond the pool's own maximum: an account in the budget of the machine.
#pragma once

#include <switchyard/fleet/budget_registry.hpp>
#include <switchyard/pool/permits.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::inline v0::fleet {

/// Where the sessions of a pool go, and for whom.
struct BudgetTerms {
  std::string address;  ///< as written: "localhost:5432"
  std::string role;
  std::string database;
  std::string fleet;              ///< the same in all processes of the fleet
  std::int32_t fleet_limit = -1;  ///< connection_budget, where it counts
  /// application_name of the fleet's sessions, by which those of other machines are known.
  std::vector<std::string> application_names;
};

class BudgetPermits final : public pool::PermitSource, private BudgetRegistry::Listener {
 public:
  /// `counter` owns this object.
  BudgetPermits(std::shared_ptr<BudgetRegistry> registry, BudgetTerms terms, pool::PermitCounter& counter);
  ~BudgetPermits() override;
  BudgetPermits(const BudgetPermits&) = delete;
  BudgetPermits& operator=(const BudgetPermits&) = delete;

  // pool::PermitSource
  [[nodiscard]] bool claim(pool::PermitPurpose purpose) noexcept override;
  void give_back() noexcept override;
  void set_wanting(bool wanting) noexcept override;
  [[nodiscard]] bool take_owed() noexcept override;
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string advice() const override;

  [[nodiscard]] BudgetRegistry& registry() const noexcept { return *registry_; }
  [[nodiscard]] BudgetIndex account() const noexcept override { return account_; }
  [[nodiscard]] const BudgetTerms& terms() const noexcept { return terms_; }

 private:
  void on_news(std::int32_t owed, bool may_claim) noexcept override;

  static constexpr std::uint64_t kNotRefused = ~std::uint64_t{0};

  std::shared_ptr<BudgetRegistry> registry_;
  BudgetTerms terms_;
  pool::PermitCounter& counter_;
  BudgetIndex account_;
  /// BudgetRegistry::changes() when a caller's claim was last refused: until it changes the answer is the same.
  std::atomic<std::uint64_t> refused_at_{kNotRefused};
};

}  // namespace switchyard::inline v0::fleet
