#include <switchyard/fleet/budget_permits.hpp>

#include <utility>

namespace switchyard::inline v0::fleet {

BudgetPermits::BudgetPermits(std::shared_ptr<BudgetRegistry> registry, BudgetTerms terms,
                             pool::PermitCounter& counter)
    : registry_(std::move(registry)), terms_(std::move(terms)), counter_(counter) {
  account_ = registry_->with([&](BudgetLedger& ledger, BudgetTime now) {
    return ledger.open_account({.process = registry_->process(),
                                .address = terms_.address,
                                .role = terms_.role,
                                .database = terms_.database,
                                .fleet = terms_.fleet,
                                .fleet_limit = terms_.fleet_limit},
                               now);
  });
  if (account_ != kNoBudgetIndex) registry_->attach(*this);
}

BudgetPermits::~BudgetPermits() {
  if (account_ == kNoBudgetIndex) return;
  registry_->detach(*this);
  registry_->with([&](BudgetLedger& ledger, BudgetTime now) { ledger.close_account(account_, now); });
}

bool BudgetPermits::claim(pool::PermitPurpose purpose) noexcept {
  if (account_ == kNoBudgetIndex) return true;
  const std::uint64_t changes = registry_->changes();
  if (refused_at_.load(std::memory_order_relaxed) == changes) return false;
  const BudgetVerdict verdict =
      registry_->with([&](BudgetLedger& ledger, BudgetTime now) { return ledger.claim(account_, purpose, now); });
  const bool granted = verdict == BudgetVerdict::granted;
  if (!granted && purpose == pool::PermitPurpose::caller) refused_at_.store(changes, std::memory_order_relaxed);
  return granted;
}

void BudgetPermits::give_back() noexcept {
  if (account_ == kNoBudgetIndex) return;
  registry_->with([&](BudgetLedger& ledger, BudgetTime now) { ledger.give_back(account_, now); });
}

void BudgetPermits::set_wanting(bool wanting) noexcept {
  if (account_ == kNoBudgetIndex) return;
  registry_->with([&](BudgetLedger& ledger, BudgetTime now) { ledger.set_wanting(account_, wanting, now); });
}

bool BudgetPermits::take_owed() noexcept {
  if (account_ == kNoBudgetIndex) return false;
  return registry_->with([&](BudgetLedger& ledger, BudgetTime) { return ledger.take_owed(account_); });
}

std::string BudgetPermits::describe() const {
  return registry_->with([&](BudgetLedger& ledger, BudgetTime now) { return ledger.describe(account_, now); });
}

std::string BudgetPermits::advice() const {
  return registry_->with([&](BudgetLedger& ledger, BudgetTime now) { return ledger.advice(account_, now); });
}

void BudgetPermits::on_news(std::int32_t owed, bool may_claim) noexcept {
  counter_.set_owed(static_cast<std::uint32_t>(owed > 0 ? owed : 0));
  if (!may_claim) return;
  refused_at_.store(kNotRefused, std::memory_order_relaxed);
  counter_.look_again();
}

}  // namespace switchyard::inline v0::fleet
