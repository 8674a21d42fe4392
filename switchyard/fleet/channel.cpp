#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/outcome.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/spool_recorder.hpp>
#include <switchyard/runtime/ambient.hpp>
#include <switchyard/runtime/loop.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace switchyard::inline v0::fleet {

Channel::Channel(std::shared_ptr<Route> route, Endpoint& endpoint, std::string_view reason) noexcept
    : route_(std::move(route)), endpoint_(&endpoint), reason_(reason) {}

Channel::Channel(std::shared_ptr<Route> route, std::unique_ptr<SpoolRecorder> recorder) noexcept
    : route_(std::move(route)), recorder_(std::move(recorder)), endpoint_(nullptr) {}

Channel::~Channel() {
  leave_units();
  if (session_ != nullptr) give_back();
}

void Channel::attach(session::Session& session) noexcept {
  session_ = &session;
  attached_ = runtime::now();
  session.set_owner(this);
}

void Channel::let_go(std::shared_ptr<Channel> self) noexcept {
  if (session_ == nullptr) return;
  if (session_->idle()) {
    give_back();
  } else {
    self_ = std::move(self);  // until on_idle or on_closed
  }
}

void Channel::give_back() noexcept {
  permit = {};
  place = {};
  session::Session& session = *std::exchange(session_, nullptr);
  if (route_->refusal() == nullptr) endpoint_->recorder().held(runtime::now() - attached_);
  route_->take_back(*endpoint_, session);
}

void Channel::join_units() {
  if (route_->guard() == nullptr) return;
  const auto join = [&](const std::shared_ptr<WriteUnit>& unit) {
    if (unit) memberships.push_back({unit, unit->begin(route_->database())});
  };
  if (!ambient) ambient = std::static_pointer_cast<WriteUnit>(runtime::Ambient::current());
  std::shared_ptr<WriteUnit> own;
  if (RequestContext* request = context()) {
    if (!request->writes) request->writes = std::make_shared<WriteUnit>();
    own = request->writes;
  } else if (!ambient) {
    own = std::make_shared<WriteUnit>();
  }
  join(own);
  if (ambient != own) join(ambient);
}

void Channel::leave_units() noexcept {
  for (const OwnerGuard::Membership& one : memberships) one.unit->end(one.transaction);
  memberships.clear();
}

bool Channel::guarded(session::OperationState& operation) noexcept {
  OwnerGuard* guard = route_->guard();
  if (guard == nullptr) return true;
  try {
    std::shared_ptr<WriteUnit> unit;
    if (memberships.empty()) unit = std::static_pointer_cast<WriteUnit>(runtime::Ambient::current());
    auto problem = guard->check(route_->database(), operation, memberships,
                                context() != nullptr ? context()->writes.get() : nullptr, unit.get());
    // Whoever waits for it goes on as a part of this transaction.
    if (!memberships.empty()) runtime::Ambient::set(memberships.front().unit);
    if (!problem) return true;
    operation.fail(std::move(*problem));
    return false;
  } catch (const std::exception&) {
    return true;  // memory ran out: nobody has looked
  }
}

void Channel::start(session::OperationState& operation) noexcept {
  operation.host = this;
  if (!guarded(operation)) return;
  if (!operation.context) operation.context = call.request;
  operation.started = operation.granted = runtime::now();
  operation.database = route_->database();
  operation.route = reason_;
  if (recorder_) {
    if (call.deadline < operation.deadline) {
      operation.deadline = call.deadline;
      operation.deadline_source = "the request's timeout";
    }
    recorder_->start(operation);
    return;
  }
  if (lost_) {
    // A transaction was rolled back with its session and may begin again; what a lease held is gone.
    const bool transaction = (in_transaction || operation.uncancellable) && lost_->kind() != ErrorKind::Closed;
    std::string text =
        transaction ? "the session was lost, the transaction was rolled back: " : "the session was lost: ";
    text += lost_->message();
    operation.fail(
        Error(transaction ? ErrorKind::Unavailable : ErrorKind::Closed, std::move(text)).with_session_lost());
    return;
  }
  if (session_ == nullptr || session_->closed()) {
    operation.fail(Error(ErrorKind::Closed, "the lease or transaction has ended"));
    return;
  }
  if (busy_ != nullptr || pending_ != nullptr) {
    operation.fail(Error(ErrorKind::Usage, "concurrent use: another operation runs on this transaction or lease")
                       .with_hint("await one operation before the next, or use batch()"));
    return;
  }
  operation.in_transaction = in_transaction && !operation.uncancellable;
  operation.read_only = route_->read_only();
  route_->apply_limits(operation, operation.started);
  if (call.deadline < operation.deadline) {
    operation.deadline = call.deadline;
    operation.deadline_source = "the request's timeout";
  }
  route_->comment(operation);
  operation.arm_deadline();
  if (session_->idle()) {
    run(operation);
  } else {
    // What was abandoned still drains, or a cancel request of the last operation is on its way.
    operation.retain();
    operation.set_phase(session::OperationState::Phase::queued);
    pending_ = &operation;
  }
}

void Channel::run(session::OperationState& operation) noexcept {
  busy_ = &operation;
  if (route_->refusal() == nullptr) route_->ask_position(operation, *endpoint_);
  session_->run(operation);
}

void Channel::abandon(session::OperationState& operation) noexcept {
  if (pending_ == &operation) {
    pending_ = nullptr;
    operation.release();
  } else if (busy_ == &operation) {
    busy_ = nullptr;
    if (route_->refusal() == nullptr) route_->forget(operation, *endpoint_);
    if (session_ != nullptr) session_->abandon(operation);
  }
}

void Channel::expire(session::OperationState& operation) noexcept {
  if (pending_ == &operation) {
    pending_ = nullptr;
    operation.fail(operation.deadline_error());
    operation.release();
  } else if (busy_ == &operation && session_ != nullptr) {
    if (operation.uncancellable) {
      // Whether a COMMIT that does not answer has happened can't be known, and a cancel would not tell.
      session_->abort(operation.deadline_error());
    } else {
      session_->cancel();
    }
  }
}

bool Channel::finished(session::OperationState& operation) noexcept {
  if (busy_ == &operation) busy_ = nullptr;
  if (recorder_) return false;  // no endpoint saw it
  const resilience::Verdict verdict = judge_outcome(operation);
  if (route_->refusal() == nullptr) {
    tell_breaker(verdict, operation);
    changed_catalogue_ = changed_catalogue_ || operation.changes_catalogue;
    if (changed_catalogue_ && session_ != nullptr && session_->transaction_status() == 'I') {
      changed_catalogue_ = false;
      endpoint_->note_ddl();
    }
  }
  route_->record(route_->refusal() == nullptr ? endpoint_ : nullptr, operation);
  return false;
}

/// The first outcome settles the permit it was opened with. Whoever holds a session is not refused later, but what
/// he sees counts as long as the breaker is CLOSED.
void Channel::tell_breaker(const resilience::Verdict& verdict, const session::OperationState& operation) noexcept {
  if (!route_->asks_breaker()) return;
  const TimePoint now = runtime::now();
  if (place && verdict.outcome == resilience::CallOutcome::answered) {
    endpoint_->limiter().measure(now - operation.granted, now);
  }
  if (!permit) {
    resilience::BreakerMember& breaker = endpoint_->breakers().of(route_->access());
    if (breaker.breaker().state() != resilience::BreakerState::closed) return;
    permit = breaker.enter(now);
  }
  permit.record(verdict.outcome, now - operation.granted, now, operation.error() ? &*operation.error() : nullptr);
}

void Channel::on_idle(session::Session& /*session*/) noexcept {
  if (pending_ != nullptr) {
    session::OperationState& next = *std::exchange(pending_, nullptr);
    run(next);
    next.release();
    return;
  }
  if (self_) {
    const std::shared_ptr<Channel> keep = std::move(self_);
    if (session_ != nullptr) give_back();
  }
}

void Channel::on_closed(session::Session& session, const Error& reason) noexcept {
  lost_ = reason;
  session_ = nullptr;
  permit = {};
  place = {};
  if (on_lost_event != nullptr) on_lost_event->notify();
  if (pending_ != nullptr) {
    session::OperationState& next = *std::exchange(pending_, nullptr);
    next.fail(next.lost_error(reason));
    next.release();
  }
  const std::shared_ptr<Channel> keep = std::move(self_);
  route_->take_back(*endpoint_, session);
}

}  // namespace switchyard::inline v0::fleet
