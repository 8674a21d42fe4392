#include <switchyard/base/random.hpp>
#include <switchyard/fleet/budget_connector.hpp>
#include <switchyard/fleet/budget_permits.hpp>
#include <switchyard/fleet/server_look.hpp>

#include <string_view>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

using session::Session;

constexpr std::string_view kTooManyConnections = "53300";

/// Which limit a refusal with 53300 is about: the server's sources say it by the function that found out.
BudgetKind kind_of(const Error& error) noexcept {
  const ServerFields* fields = error.server();
  if (fields == nullptr) return BudgetKind::server;
  if (fields->routine == "InitializeSessionUserId") return BudgetKind::role;
  if (fields->routine == "CheckMyDatabase") return BudgetKind::database;
  return BudgetKind::server;
}

/// One connection attempt, as the ledger counts it; ends with it, also when the pool drops the attempt.
class CountedAttempt {
 public:
  explicit CountedAttempt(BudgetPermits& permits) noexcept : permits_(permits) {
    permits.registry().with([&](BudgetLedger& ledger, BudgetTime) { ledger.connecting(permits.account(), 1); });
  }
  CountedAttempt(const CountedAttempt&) = delete;
  CountedAttempt& operator=(const CountedAttempt&) = delete;
  ~CountedAttempt() {
    permits_.registry().with([&](BudgetLedger& ledger, BudgetTime now) {
      ledger.connecting(permits_.account(), -1);
      if (!reached_) ledger.contact_failed(permits_.account(), now);
    });
  }
  /// The server has answered.
  void reached() noexcept { reached_ = true; }

 private:
  BudgetPermits& permits_;
  bool reached_ = false;
};

class BudgetConnector final : public pool::Connector {
 public:
  BudgetConnector(std::shared_ptr<pool::Connector> inner, std::shared_ptr<pool::PermitCounter> permits,
                  BudgetPermits& budget) noexcept
      : inner_(std::move(inner)), permits_(std::move(permits)), budget_(budget) {}

  Task<Result<std::unique_ptr<Session>>> open(TimePoint deadline) override {
    CountedAttempt attempt(budget_);
    Result<std::unique_ptr<Session>> opened = co_await inner_->open(deadline);
    if (!opened.ok()) {
      if (opened.error().sqlstate() == kTooManyConnections) note_refusal(opened.error());
      co_return opened;
    }
    const bool unknown = budget_.registry().with(
        [&](BudgetLedger& ledger, BudgetTime now) { return ledger.opened(budget_.account(), now); });
    if (!unknown) attempt.reached();
    if (unknown) co_await look(**opened, deadline, attempt);
    co_return opened;
  }

 private:
  void note_refusal(const Error& error) noexcept {
    const double jitter =
        Random(static_cast<std::uint64_t>(BudgetRegistry::now()) ^ (std::uint64_t{budget_.account()} << 32U))
            .unit();
    budget_.registry().with([&](BudgetLedger& ledger, BudgetTime now) {
      ledger.refused(budget_.account(), kind_of(error), jitter, now);
    });
  }

  /// A server that does not answer this goes uncounted; it is asked again with the next session.
  Task<void> look(Session& session, TimePoint deadline, CountedAttempt& attempt) {
    const BudgetLook begun = budget_.registry().with(
        [&](BudgetLedger& ledger, BudgetTime now) { return ledger.begin_look(budget_.account(), now); });
    const Result<ServerSight> sight = co_await look_at_server(session, deadline, budget_.terms().application_names);
    if (!sight.ok()) co_return;
    attempt.reached();
    budget_.registry().with([&](BudgetLedger& ledger, BudgetTime now) {
      ledger.end_look(budget_.account(), begun, *sight, budget_.terms().address, now);
    });
  }

  std::shared_ptr<pool::Connector> inner_;
  std::shared_ptr<pool::PermitCounter> permits_;  // owns budget_
  BudgetPermits& budget_;
};

}  // namespace

std::shared_ptr<pool::Connector> make_budget_connector(std::shared_ptr<pool::Connector> inner,
                                                       std::shared_ptr<pool::PermitCounter> permits) {
  auto* const budget = dynamic_cast<BudgetPermits*>(permits->source());
  if (budget == nullptr || budget->account() == kNoBudgetIndex) return inner;
  return std::make_shared<BudgetConnector>(std::move(inner), std::move(permits), *budget);
}

}  // namespace switchyard::inline v0::fleet
