// A route: what operations of one kind on one database take. For each attempt of an operation it asks its chooser
// for an endpoint, gets a session from that endpoint's pool, sets the deadline, and keeps the numbers. Routes live
// as long as their fleet, so a stored operation can always find its own; those who may outlive it (leases,
// transactions, notifications) share the route, which refuses from then on.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/attempt.hpp>
#include <switchyard/fleet/chooser.hpp>
#include <switchyard/fleet/recorder.hpp>
#include <switchyard/fleet/retrier.hpp>
#include <switchyard/pool/pool.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/session/operation_state.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

class Endpoint;

/// What the operations of a database are limited by.
struct RouteLimits {
  Duration command_timeout{};  ///< zero = none
  Duration query_timeout{};    ///< of single statements; zero = none
  SlowLimits slow;
  /// What statements say in a comment about who sent them; empty: they have none.
  std::string comment_application = {};
  std::uint64_t max_result_bytes = session::kMaxResultBytes;
  Duration acquire_timeout{};  ///< zero = none
  /// Asks the breakers of the endpoints. Not so for a health check, which wants to know the truth.
  bool asks_breaker = true;
  /// Waits for a session before all others: the engine's own looks, without which callers share none.
  bool goes_first = false;
  /// Shared by the routes of a database; null: nothing is run again.
  std::shared_ptr<Retrier> retrier;
};

class Diversion;
class OwnerGuard;
enum class RouteUse : std::uint8_t;

class Route final : public session::OperationHost, public std::enable_shared_from_this<Route> {
 public:
  Route(std::string database, std::unique_ptr<Chooser> chooser, RouteAccess access, RouteLimits limits);
  /// A route that can't be taken: every operation ends with `error`.
  Route(std::string database, Error error);
  ~Route();
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  [[nodiscard]] std::string_view database() const noexcept { return database_; }
  [[nodiscard]] RouteAccess access() const noexcept { return access_; }
  [[nodiscard]] bool read_only() const noexcept { return access_ == RouteAccess::read; }
  [[nodiscard]] Chooser& chooser() const noexcept { return *chooser_; }
  /// Why the route can't be taken; null if it can.
  [[nodiscard]] const Error* refusal() const noexcept { return refusal_ ? &*refusal_ : nullptr; }

  /// What stands behind the endpoints when they can't be reached; it outlives the route's operations.
  void set_diversion(Diversion& diversion, RouteUse use) noexcept {
    diversion_ = &diversion;
    use_ = use;
  }
  [[nodiscard]] Diversion* diversion() const noexcept { return refusal_ ? nullptr : diversion_; }
  [[nodiscard]] RouteUse use() const noexcept { return use_; }
  /// Looks at every operation before it begins; it outlives the route's operations. Null: nobody does.
  void set_guard(OwnerGuard* guard) noexcept { guard_ = guard; }
  [[nodiscard]] OwnerGuard* guard() const noexcept { return refusal_ ? nullptr : guard_; }

  /// The fleet has gone: no endpoint is used any more, and every operation ends with Closed.
  void retire() noexcept;
  /// Something has changed: operations that wait for an endpoint ask again in this turn.
  void poke() noexcept;
  /// Notified by poke() and retire(), for coroutines that wait for an endpoint.
  [[nodiscard]] runtime::AsyncEvent& news() noexcept { return news_; }

  /// Leave of the endpoint's breaker for one attempt; the error that refuses it otherwise.
  [[nodiscard]] Result<resilience::BreakerPermit> enter(Endpoint& endpoint, TimePoint now) const;
  [[nodiscard]] bool asks_breaker() const noexcept { return limits_.asks_breaker; }
  /// The error for whoever waited for the endpoint's limiter as long as is allowed.
  [[nodiscard]] Error limiter_error(Endpoint& endpoint, TimePoint started, TimePoint deadline, TimePoint now) const;
  /// Until when somebody who came at `started` waits for a session, at most.
  [[nodiscard]] TimePoint acquire_limit(TimePoint started, TimePoint deadline) const noexcept;
  /// Null: nothing is run again.
  [[nodiscard]] Retrier* retrier() const noexcept { return limits_.retrier.get(); }

  /// Transactions with a commit marker that were begun here.
  std::uint32_t markers_written = 0;

  /// Applies the database's limits: size of results, and the deadline, whose error names the limit that counts.
  void apply_limits(session::OperationState& operation, TimePoint now) const noexcept;
  /// Puts the comment of `sqlcommenter` behind the statements of an operation that begins. Only what is the same
  /// each time goes there, so that prepared statements are found again; a trace's ids only into scripts, which are
  /// never prepared.
  void comment(session::OperationState& operation) const noexcept;
  /// A session that a channel had at `endpoint` goes back to the pool.
  void take_back(Endpoint& endpoint, session::Session& session) noexcept;
  /// Before a session of `endpoint` runs the operation: a write of a request is followed by the question how far it
  /// reaches.
  void ask_position(session::OperationState& operation, const Endpoint& endpoint) const noexcept;
  /// Nobody will hear how an operation ended that may be running: its request does not know how far it wrote.
  void forget(session::OperationState& operation, const Endpoint& endpoint) const noexcept;
  [[nodiscard]] const RouteLimits& limits() const noexcept { return limits_; }
  /// An operation has ended at `endpoint` (null: before it had one), after so many failed attempts: numbers,
  /// traces, hints.
  void record(Endpoint* endpoint, session::OperationState& operation, unsigned failed_attempts = 0) noexcept;

  /// Into the shared lane of the endpoint that the chooser names, or nowhere: false, with `lane_reason` saying why;
  /// the operation has not begun then. It never waits. An operation that was taken ends as any other, or with
  /// OperationState::on_lane_left(). It is `lane_only` from here.
  [[nodiscard]] bool share(session::OperationState& operation) noexcept;

  /// As start(), and the diversion is not asked.
  void send(session::OperationState& operation) noexcept;

  // session::OperationHost
  void start(session::OperationState& operation) noexcept override;
  void abandon(session::OperationState& operation) noexcept override;
  void expire(session::OperationState& operation) noexcept override;
  [[nodiscard]] bool finished(session::OperationState& operation) noexcept override;

 private:
  friend struct Attempt;
  [[nodiscard]] Attempt& take_attempt();
  void give_attempt(Attempt& attempt) noexcept;
  /// The diversion has taken it over.
  [[nodiscard]] bool rescued(Attempt& attempt, Diversion& other) noexcept;
  /// False: the owner's map does not let it run, and it has failed.
  [[nodiscard]] bool guarded(session::OperationState& operation) noexcept;
  /// Asks the chooser and goes on from there.
  void advance(Attempt& attempt) noexcept;
  /// A place among the calls in flight to the endpoint; false: the attempt waits for one, or has ended.
  [[nodiscard]] bool take_place(Attempt& attempt, Endpoint& endpoint, TimePoint now) noexcept;
  /// Into the shared lane of the endpoint, if that takes it.
  [[nodiscard]] bool enter_lane(Attempt& attempt, Endpoint& endpoint, TimePoint now) noexcept;
  /// Of share(): the operation is the caller's again.
  void give_back(Attempt& attempt, std::string_view why) noexcept;
  /// It had a session to itself for so long: what that says of its statement.
  void teach_lane(const session::OperationState& operation, Endpoint& endpoint, Duration took,
                  TimePoint now) const noexcept;
  /// Its tables are elsewhere: true, and it goes there.
  [[nodiscard]] bool follow_move(Attempt& attempt) noexcept;
  /// After a failed attempt: will there be another? Then it waits for its time.
  [[nodiscard]] bool run_again(Attempt& attempt, const resilience::Verdict& verdict) noexcept;
  /// "primary, attempt 2"; lives as long as the route.
  [[nodiscard]] std::string_view reason_of(std::string_view reason, unsigned attempt);
  /// Lets go of an operation that is not with a session any more, and ends it with `error`.
  void end(Attempt& attempt, const Error& error) noexcept;

  std::string database_;
  std::unique_ptr<Chooser> chooser_;
  RouteAccess access_ = RouteAccess::write;
  RouteLimits limits_;
  std::string command_timeout_text_;
  std::string query_timeout_text_;
  std::optional<Error> refusal_;
  Diversion* diversion_ = nullptr;
  OwnerGuard* guard_ = nullptr;
  RouteUse use_{};
  runtime::AsyncEvent news_;
  std::set<std::string, std::less<>> attempt_reasons_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  std::vector<Attempt*> free_attempts_;
};

}  // namespace switchyard::inline v0::fleet
