// A session that one holder has for himself: the ground under Lease and Transaction. It outlives its handles until
// the session is quiet, then gives it back.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/endpoint_limiter.hpp>
#include <switchyard/fleet/owner_guard.hpp>
#include <switchyard/fleet/request_context.hpp>
#include <switchyard/pool/pool.hpp>
#include <switchyard/resilience/breaker.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/session/operation_state.hpp>
#include <switchyard/session/session.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::fleet {

class Endpoint;
class Route;
class SpoolRecorder;

//  free ──attach──► held ──let_go──► (operation drains) ──► given back
//                     └── session lost: lost; every further operation fails with why
class Channel final : public session::OperationHost, private session::Session::Owner {
 public:
  /// For a session of `endpoint`, which `reason` explains.
  Channel(std::shared_ptr<Route> route, Endpoint& endpoint, std::string_view reason) noexcept;
  /// Without a session: the recorder answers.
  Channel(std::shared_ptr<Route> route, std::unique_ptr<SpoolRecorder> recorder) noexcept;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  /// Takes the session over.
  void attach(session::Session& session) noexcept;
  /// The holder is gone: the session goes back as soon as it is idle. `self` keeps the channel until then.
  void let_go(std::shared_ptr<Channel> self) noexcept;

  [[nodiscard]] session::Session* session() const noexcept { return session_; }
  [[nodiscard]] Route& route() const noexcept { return *route_; }
  /// True without a session: a recorder answers, and there is no endpoint().
  [[nodiscard]] bool records() const noexcept { return recorder_ != nullptr; }
  [[nodiscard]] Endpoint& endpoint() const noexcept { return *endpoint_; }
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }
  /// Of the request it was opened for; null = none.
  [[nodiscard]] RequestContext* context() const noexcept {
    return static_cast<RequestContext*>(call.request.get());
  }
  [[nodiscard]] bool busy() const noexcept { return busy_ != nullptr; }
  [[nodiscard]] const std::optional<Error>& lost() const noexcept { return lost_; }

  /// Open BEGIN or savepoints; handles of an ended level are refused by comparing it.
  std::uint32_t depth = 0;
  std::uint32_t savepoints = 0;
  /// A savepoint was abandoned in an unknown state: the transaction can only be rolled back.
  bool broken = false;
  /// The statements belong to a transaction: losing the session rolls them back.
  bool in_transaction = false;
  /// What the coroutine that opened it belongs to (runtime::Ambient).
  std::shared_ptr<WriteUnit> ambient;
  /// The transaction among the others that are open in its units; empty where nobody looks.
  std::vector<OwnerGuard::Membership> memberships;
  void join_units();
  void leave_units() noexcept;
  /// Notified when the session is lost; may be null.
  runtime::AsyncEvent* on_lost_event = nullptr;
  /// Of the endpoint's breaker, until the first outcome is known.
  resilience::BreakerPermit permit;
  /// Among the calls in flight to the endpoint, as long as it has the session.
  LimiterPlace place;
  /// The unit of work it was opened for; its deadline limits every operation.
  session::CallContext call;

  // session::OperationHost
  void start(session::OperationState& operation) noexcept override;
  void abandon(session::OperationState& operation) noexcept override;
  void expire(session::OperationState& operation) noexcept override;
  [[nodiscard]] bool finished(session::OperationState& operation) noexcept override;

 private:
  /// False: the owner's map does not let it run, and it has failed.
  [[nodiscard]] bool guarded(session::OperationState& operation) noexcept;
  void on_idle(session::Session& session) noexcept override;
  void on_closed(session::Session& session, const Error& reason) noexcept override;
  void give_back() noexcept;
  void tell_breaker(const resilience::Verdict& verdict, const session::OperationState& operation) noexcept;
  void run(session::OperationState& operation) noexcept;

  std::shared_ptr<Route> route_;  ///< shared: a lease may outlive its fleet
  std::unique_ptr<SpoolRecorder> recorder_;
  Endpoint* endpoint_;  ///< valid as long as the route does not refuse
  std::string_view reason_;
  session::Session* session_ = nullptr;
  TimePoint attached_{};
  bool changed_catalogue_ = false;  ///< in the transaction that is open
  session::OperationState* busy_ = nullptr;
  session::OperationState* pending_ = nullptr;  ///< waits until an abandoned or cancelled one has drained
  std::optional<Error> lost_;
  std::shared_ptr<Channel> self_;
};

}  // namespace switchyard::inline v0::fleet
