#include <switchyard/base/units.hpp>
#include <switchyard/fleet/diversion.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/outcome.hpp>
#include <switchyard/fleet/owner_guard.hpp>
#include <switchyard/fleet/position_query.hpp>
#include <switchyard/fleet/request_context.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/statement_text.hpp>
#include <switchyard/runtime/ambient.hpp>
#include <switchyard/runtime/loop.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// Whose tables are said to have been moved is sent after them this often, with a growing pause.
constexpr unsigned kMostMoves = 10;
constexpr Duration kMovePause = std::chrono::milliseconds(20);
constexpr std::string_view kReadOnlyTransaction = "25006";

pool::Lane* lane_of(LaneSet& lanes, const session::OperationState& operation, TimePoint now) noexcept {
  try {
    return lanes.of({.setup = operation.lane_setup, .callers = operation.lane_callers}, now);
  } catch (const std::exception&) {
    return nullptr;
  }
}

std::string limit_text(std::string_view name, Duration limit) {
  return std::string(name) + " (" + format_duration(limit) + ")";
}

}  // namespace

Route::Route(std::string database, std::unique_ptr<Chooser> chooser, RouteAccess access, RouteLimits limits)
    : database_(std::move(database)),
      chooser_(std::move(chooser)),
      access_(access),
      limits_(std::move(limits)),
      command_timeout_text_(limit_text("command_timeout", limits_.command_timeout)),
      query_timeout_text_(limit_text("query_timeout", limits_.query_timeout)) {}

Route::Route(std::string database, Error error)
    : database_(std::move(database)),
      chooser_(std::make_unique<RefusingChooser>(error)),
      refusal_(std::move(error)) {}

Route::~Route() = default;

void Route::apply_limits(session::OperationState& operation, TimePoint now) const noexcept {
  if (operation.max_result_bytes == session::kMaxResultBytes) operation.max_result_bytes = limits_.max_result_bytes;
  const auto limit = [&](Duration wait, std::string_view name) {
    const TimePoint until = deadline_after(now, wait);
    if (until < operation.deadline) {
      operation.deadline = until;
      operation.deadline_source = name;
    }
  };
  if (operation.timeout) limit(*operation.timeout, "the statement's timeout");
  if (limits_.query_timeout > Duration::zero()) limit(limits_.query_timeout, query_timeout_text_);
  if (limits_.command_timeout > Duration::zero()) limit(limits_.command_timeout, command_timeout_text_);
}

void Route::comment(session::OperationState& operation) const noexcept {
  // COMMIT and its like are ours.
  if (limits_.comment_application.empty() || operation.keeps_session_clean) return;
  try {
    std::string trace;
    const auto* context = static_cast<const RequestContext*>(operation.context.get());
    if (operation.script && context != nullptr && context->trace && context->trace->parent.span != 0) {
      trace = context->trace->parent.text();
    }
    const std::string text = comment_of({{"action", operation.name},
                                         {"application", limits_.comment_application},
                                         {"db_driver", "switchyard"},
                                         {"traceparent", trace}});
    for (session::StatementPart& part : operation.parts) part.sql = commented_statement(part.sql, text);
  } catch (const std::exception&) {
    // Memory ran out: it goes without.
  }
}

void Route::retire() noexcept {
  refusal_ = Error(ErrorKind::Closed, "the fleet was closed");
  for (const auto& attempt : attempts_) {
    if (attempt->phase == Attempt::Phase::waiting) end(*attempt, *refusal_);
  }
  news_.notify();
}

void Route::poke() noexcept {
  for (const auto& attempt : attempts_) {
    if (attempt->phase == Attempt::Phase::waiting && attempt->pokable) attempt->timer.arm(runtime::now());
  }
  news_.notify();
}

void Route::take_back(Endpoint& endpoint, session::Session& session) noexcept {
  if (refusal_) return;  // the endpoint has gone with its fleet
  // A pool on its way out keeps its sessions.
  if (pool::Pool* pool = endpoint.opened_pool()) pool->release(session);
}

void Route::start(session::OperationState& operation) noexcept {
  if (guard_ != nullptr && !guarded(operation)) return;
  if (Diversion* other = diversion(); other != nullptr && other->takes(operation, *this)) return;
  send(operation);
}

bool Route::guarded(session::OperationState& operation) noexcept {
  if (refusal_) return true;
  try {
    const auto* context = static_cast<const RequestContext*>(operation.context.get());
    const auto unit = std::static_pointer_cast<WriteUnit>(runtime::Ambient::current());
    auto problem =
        guard_->check(database_, operation, {}, context != nullptr ? context->writes.get() : nullptr, unit.get());
    if (!problem) return true;
    operation.database = database_;
    operation.fail(std::move(*problem));
    return false;
  } catch (const std::exception&) {
    return true;  // memory ran out: nobody has looked
  }
}

void Route::send(session::OperationState& operation) noexcept {
  operation.database = database_;
  if (refusal_) {
    operation.fail(*refusal_);
    return;
  }
  const TimePoint now = runtime::now();
  operation.started = now;
  operation.read_only = access_ == RouteAccess::read;
  operation.set_phase(session::OperationState::Phase::queued);
  apply_limits(operation, now);
  comment(operation);
  Attempt& attempt = take_attempt();
  operation.retain();
  attempt.operation = &operation;
  operation.host_data = &attempt;
  if (limits_.retrier) limits_.retrier->on_call();
  advance(attempt);
}

bool Route::share(session::OperationState& operation) noexcept try {
  const auto refuse = [&](std::string_view why) {
    operation.lane_reason = why;
    return false;
  };
  operation.database = database_;
  operation.lane_only = true;
  if (refusal_) return refuse("leased: the route can't be taken");
  if (guard_ != nullptr && guard_->refusal(database_, operation.parts.front().sql) != nullptr) {
    return refuse("leased: its tables belong to another database");
  }
  if (const Diversion* other = diversion(); other != nullptr && other->stands_in()) {
    return refuse("leased: the database's fallback answers");
  }
  const TimePoint now = runtime::now();
  operation.started = now;
  operation.read_only = access_ == RouteAccess::read;
  const Choice choice = chooser_->choose({.context = static_cast<RequestContext*>(operation.context.get()),
                                          .access = access_,
                                          .started = now,
                                          .now = now});
  if (choice.endpoint == nullptr) return refuse("leased: there is no endpoint for it now");
  Endpoint& endpoint = *choice.endpoint;
  LimiterPlace place;
  if (endpoint.limiter().enabled()) {
    place = endpoint.limiter().try_enter();
    if (!place) return refuse("leased: the adaptive limiter lets nothing more to the endpoint");
  }
  auto permit = enter(endpoint, now);
  if (!permit.ok()) return refuse("leased: the breaker refuses the endpoint");
  operation.route = choice.reason;
  operation.set_phase(session::OperationState::Phase::queued);
  apply_limits(operation, now);
  Attempt& attempt = take_attempt();
  attempt.operation = &operation;
  attempt.endpoint = &endpoint;
  attempt.place = std::move(place);
  attempt.permit = *std::move(permit);
  operation.retain();
  operation.host_data = &attempt;
  if (enter_lane(attempt, endpoint, now)) return true;
  operation.host_data = nullptr;
  operation.set_phase(session::OperationState::Phase::created);
  give_attempt(attempt);
  operation.release();
  return false;
} catch (const std::exception&) {
  operation.set_phase(session::OperationState::Phase::created);
  operation.lane_reason = "leased: memory is short";
  return false;
}

void Route::give_back(Attempt& attempt, std::string_view why) noexcept {
  session::OperationState& operation = *attempt.operation;
  operation.host_data = nullptr;
  give_attempt(attempt);
  operation.on_lane_left(why);
  operation.release();
}

void Route::advance(Attempt& attempt) noexcept {
  session::OperationState& operation = *attempt.operation;
  const TimePoint now = runtime::now();
  attempt.stop_waiting();
  Choice choice = chooser_->choose({.context = static_cast<RequestContext*>(operation.context.get()),
                                    .access = access_,
                                    .attempt = attempt.attempts + attempt.moves,
                                    .failed = attempt.failed,
                                    .started = operation.started,
                                    .now = now});
  operation.route = reason_of(choice.reason, attempt.attempts);
  attempt.endpoint = nullptr;
  if (choice.refusal) {
    end(attempt, *choice.refusal);
  } else if (choice.endpoint != nullptr) {
    if (!take_place(attempt, *choice.endpoint, now)) return;
    auto permit = enter(*choice.endpoint, now);
    if (!permit.ok()) {
      end(attempt, permit.error());
      return;
    }
    attempt.permit = *std::move(permit);
    attempt.endpoint = choice.endpoint;
    attempt.phase = Attempt::Phase::queued;
    attempt.deadline = operation.deadline;
    attempt.has_alternative = choice.has_alternative;
    // A trial call wants to hear of a failure, not to wait until it is over; and where there is another way nobody
    // waits.
    const bool elsewhere = choice.has_alternative || (diversion_ != nullptr && diversion_->has_other_way());
    attempt.on_connect_error =
        attempt.permit.trial() || elsewhere ? pool::OnConnectError::fail : pool::OnConnectError::wait;
    if (!enter_lane(attempt, *choice.endpoint, now)) choice.endpoint->pool().acquire(attempt);
  } else if (now >= operation.deadline) {
    end(attempt, operation.deadline_error().with_context(std::string(choice.reason)));
  } else {
    attempt.phase = Attempt::Phase::waiting;
    attempt.pokable = true;
    attempt.timer.arm(std::min(deadline_after(now, choice.wait), operation.deadline));
  }
}

Result<resilience::BreakerPermit> Route::enter(Endpoint& endpoint, TimePoint now) const {
  if (!limits_.asks_breaker) return resilience::BreakerPermit();
  resilience::BreakerMember& breaker = endpoint.breakers().of(access_);
  resilience::BreakerPermit permit = breaker.enter(now);
  if (!permit) return breaker.breaker().refusal(now).with_database(database_);
  return permit;
}

bool Route::take_place(Attempt& attempt, Endpoint& endpoint, TimePoint now) noexcept {
  EndpointLimiter& limiter = endpoint.limiter();
  if (attempt.place && attempt.place.limiter() == &limiter) return true;
  attempt.place = {};
  if (!limiter.enabled()) return true;
  attempt.place = limiter.try_enter();
  if (attempt.place) return true;
  const session::OperationState& operation = *attempt.operation;
  const TimePoint until = acquire_limit(operation.started, operation.deadline);
  if (now >= until) {
    end(attempt, limiter_error(endpoint, operation.started, operation.deadline, now));
    return false;
  }
  limiter.wait(attempt);
  attempt.phase = Attempt::Phase::waiting;
  attempt.pokable = false;
  attempt.timer.arm(until);
  return false;
}

void Attempt::on_place(LimiterPlace given) noexcept {
  place = std::move(given);
  timer.arm(runtime::now());
}

TimePoint Route::acquire_limit(TimePoint started, TimePoint deadline) const noexcept {
  if (limits_.acquire_timeout <= Duration::zero()) return deadline;
  return std::min(deadline, deadline_after(started, limits_.acquire_timeout));
}

Error Route::limiter_error(Endpoint& endpoint, TimePoint started, TimePoint deadline, TimePoint now) const {
  const EndpointLimiter& limiter = endpoint.limiter();
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - started);
  return Error(now >= deadline ? ErrorKind::Deadline : ErrorKind::PoolExhausted,
               "the adaptive limiter lets " + std::to_string(limiter.limiter().limit()) +
                   " operations at once go to " + endpoint.settings().name + "; " +
                   std::to_string(limiter.limiter().in_flight()) + " are there, " +
                   std::to_string(limiter.waiting()) + " more wait; waited " + format_duration(waited))
      .with_hint("the server answers more slowly than usual; database." + database_ +
                 ".limiter.min is the least limit")
      .with_database(database_);
}

std::string_view Route::reason_of(std::string_view reason, unsigned attempt) {
  if (attempt == 0) return reason;
  std::string text(reason);
  text += ", attempt " + std::to_string(attempt + 1);
  return *attempt_reasons_.insert(std::move(text)).first;
}

void Route::end(Attempt& attempt, const Error& error) noexcept {
  session::OperationState& operation = *attempt.operation;
  operation.fail(error);  // finished() gives the attempt back, or keeps it for another try
  operation.release();
}

void Attempt::on_timer(void* self) noexcept {
  auto& attempt = *static_cast<Attempt*>(self);
  attempt.route.advance(attempt);
}

void Attempt::on_granted(session::Session& session, Duration /*waited*/) noexcept {
  phase = Phase::running;
  session::OperationState& granted = *operation;
  granted.granted = runtime::now();
  endpoint->recorder().acquired(route.access_, granted.granted - granted.started, route.limits_.slow);
  granted.arm_deadline();
  route.ask_position(granted, *endpoint);
  session.run(granted);
  granted.release();
}

void Attempt::on_failed(const Error& error) noexcept {
  // The server it waited for has been replaced: it has sent nothing, and waits for the other one.
  if (error.kind() == ErrorKind::Closed && route.refusal() == nullptr && endpoint->superseded()) {
    place = {};
    route.advance(*this);
  } else if (has_alternative && error.kind() == ErrorKind::Unavailable && route.refusal() == nullptr) {
    ++moves;
    failed = endpoint;
    place = {};
    route.advance(*this);
  } else {
    route.end(*this, error);
  }
}

bool Route::enter_lane(Attempt& attempt, Endpoint& endpoint, TimePoint now) noexcept {
  session::OperationState& operation = *attempt.operation;
  if (!operation.shareable || attempt.left_lane) return false;
  LaneSet* const lanes = endpoint.lanes();
  if (lanes == nullptr) {
    if (operation.lane_only) operation.lane_reason = "leased: nothing is shared here";
    return false;
  }
  pool::Lane* const lane = lane_of(*lanes, operation, now);
  if (lane == nullptr) {
    operation.lane_reason = "leased: few callers have its settings, or many settings have lanes";
    return false;
  }
  // A trial call wants a session of its own; what failed elsewhere does too.
  if (attempt.permit.trial() || attempt.attempts > 0) {
    operation.lane_reason = "leased: another try";
    return false;
  }
  const pool::Lane::Admission admission = lane->submit(attempt, operation, now);
  if (!admission.taken) {
    // The statement may run for long, and be judged anew meanwhile.
    operation.copy_lane_reason(admission.reason);
    operation.lane_soon = admission.soon;
    return false;
  }
  operation.lane_reason = admission.reason;
  attempt.lane = lane;
  attempt.phase = Attempt::Phase::lane;
  operation.read_only = true;  // whatever happens there, nothing is in doubt
  return true;
}

void Route::teach_lane(const session::OperationState& operation, Endpoint& endpoint, Duration took,
                       TimePoint now) const noexcept {
  if (!operation.shareable) return;
  LaneSet* const lanes = endpoint.lanes();
  pool::Lane* const lane = lanes != nullptr ? lanes->find(operation.lane_setup) : nullptr;
  if (lane != nullptr) lane->learn(operation, took, now);
}

void Attempt::on_sent(TimePoint now) noexcept {
  if (operation->granted == TimePoint{}) {
    endpoint->recorder().acquired(route.access_, now - operation->started, route.limits_.slow);
  }
  operation->granted = now;
}

void Attempt::on_lease(pool::LaneExit why) noexcept {
  if (operation->lane_only) return route.give_back(*this, pool::lane_exit_text(why));
  left_lane = true;
  operation->lane_reason = pool::lane_exit_text(why);
  operation->read_only = route.read_only();
  operation->granted = {};
  if (route.refusal() != nullptr) {
    route.end(*this, *route.refusal());
    return;
  }
  phase = Phase::queued;
  endpoint->pool().acquire(*this);
}

void Route::abandon(session::OperationState& operation) noexcept {
  if (operation.host_data == nullptr) return;
  Attempt& attempt = *static_cast<Attempt*>(std::exchange(operation.host_data, nullptr));
  const Attempt::Phase phase = attempt.phase;
  if (phase == Attempt::Phase::queued) attempt.endpoint->pool().abandon(attempt);
  if (attempt.in_lane()) attempt.lane->withdraw(attempt);
  if (phase == Attempt::Phase::running && !refusal_) {
    forget(operation, *attempt.endpoint);
    const TimePoint now = runtime::now();
    teach_lane(operation, *attempt.endpoint, now - operation.granted, now);
  }
  give_attempt(attempt);
  if (phase == Attempt::Phase::running) {
    if (operation.session != nullptr) operation.session->abandon(operation);
  } else {
    operation.release();
  }
}

void Route::expire(session::OperationState& operation) noexcept {
  // While it is queued the pool keeps the deadline: its error tells what the pool looked like.
  if (operation.session != nullptr) operation.session->cancel();
  auto* const attempt = static_cast<Attempt*>(operation.host_data);
  if (attempt == nullptr || !attempt->in_lane()) return;
  // In a lane nobody waits for the server, which may be busy with others' statements.
  attempt->lane->withdraw(*attempt);
  operation.fail(operation.deadline_error());
  operation.release();
}

bool Route::finished(session::OperationState& operation) noexcept {
  auto* attempt = static_cast<Attempt*>(operation.host_data);
  if (attempt == nullptr) return false;  // refused before it had one
  Endpoint* endpoint = refusal_ ? nullptr : attempt->endpoint;
  const resilience::Verdict verdict = judge_outcome(operation);
  Diversion* other = operation.error() && !operation.lane_only ? diversion() : nullptr;
  // Reads may find another replica first; where the database itself is meant there is only the other way.
  const bool first_elsewhere = other != nullptr && use_ == RouteUse::mixed;
  if (endpoint != nullptr) {
    const TimePoint now = runtime::now();
    const bool ran = operation.granted != TimePoint{};
    const Duration took = ran ? now - operation.granted : Duration::zero();
    const bool answered = verdict.outcome == resilience::CallOutcome::answered;
    if (attempt->place && answered && operation.granted != TimePoint{}) endpoint->limiter().measure(took, now);
    attempt->permit.record(verdict.outcome, took, now, operation.error() ? &*operation.error() : nullptr);
    if (ran) endpoint->recorder().held(took);
    if (operation.changes_catalogue) endpoint->note_ddl();
    const bool timely = !operation.error() || operation.error()->kind() == ErrorKind::Deadline;
    if (ran && attempt->phase == Attempt::Phase::running && timely) teach_lane(operation, *endpoint, took, now);
    if (operation.error() && operation.error()->sqlstate() == kMovedState && follow_move(*attempt)) return true;
    if (first_elsewhere && rescued(*attempt, *other)) return true;
    if (operation.error() && run_again(*attempt, verdict)) {
      endpoint->recorder().retried(access_);
      return true;
    }
  }
  if (other != nullptr && rescued(*attempt, *other)) return true;
  record(endpoint, operation, attempt->attempts);
  operation.host_data = nullptr;
  give_attempt(*attempt);
  return false;
}

bool Route::rescued(Attempt& attempt, Diversion& other) noexcept {
  session::OperationState& operation = *attempt.operation;
  operation.host_data = nullptr;
  if (other.rescues(operation, *this)) {
    give_attempt(attempt);
    return true;
  }
  operation.host_data = &attempt;
  return false;
}

bool Route::follow_move(Attempt& attempt) noexcept {
  session::OperationState& operation = *attempt.operation;
  if (!chooser_->relocated() || operation.lane_only || !operation.restartable() || attempt.moves >= kMostMoves) {
    return false;
  }
  // Nothing has happened at the old place, so it can be done at the new one.
  operation.restart();
  operation.granted = {};
  operation.retain();
  attempt.endpoint = nullptr;
  attempt.place = {};
  ++attempt.moves;
  attempt.phase = Attempt::Phase::waiting;
  attempt.pokable = true;
  attempt.timer.arm(deadline_after(runtime::now(), kMovePause * attempt.moves));
  return true;
}

bool Route::run_again(Attempt& attempt, const resilience::Verdict& verdict) noexcept {
  session::OperationState& operation = *attempt.operation;
  if (attempt.suspect || operation.lane_only || !limits_.retrier || verdict.again != resilience::Again::safe ||
      !may_run_again(operation))
    return false;
  // A write on a route for reads is the caller's mistake, and stays one.
  if (verdict.re_resolve && access_ == RouteAccess::read) return false;
  const TimePoint now = runtime::now();
  // Who has waited for a session as long as is allowed does not wait again.
  const ErrorStage stage = operation.error()->stage();
  const bool never_had_one = stage == ErrorStage::queued || stage == ErrorStage::connecting;
  if (never_had_one && limits_.acquire_timeout > Duration::zero() &&
      now - operation.started >= limits_.acquire_timeout) {
    return false;
  }
  const resilience::RetryDecision decision =
      limits_.retrier->decide({.verdict = verdict,
                               .attempts = attempt.attempts + 1,
                               .max_attempts = limits_.retrier->max_attempts(),
                               .deadline = operation.deadline,
                               .now = now});
  if (!decision.again()) {
    if (std::string why = resilience::stop_text(decision.stop, attempt.attempts + 1); !why.empty()) {
      if (const std::string_view hint = operation.error()->hint(); !hint.empty())
        why.insert(0, std::string(hint) + "; ");
      operation.replace_error(operation.error()->with_hint(std::move(why)));
    }
    return false;
  }
  operation.restart();
  operation.granted = {};
  operation.retain();
  attempt.failed = attempt.endpoint;
  attempt.endpoint = nullptr;
  attempt.place = {};
  ++attempt.attempts;
  attempt.phase = Attempt::Phase::waiting;
  attempt.pokable = false;
  attempt.timer.arm(deadline_after(now, decision.delay));
  return true;
}

void Route::ask_position(session::OperationState& operation, const Endpoint& endpoint) const noexcept {
  if (operation.context == nullptr || access_ != RouteAccess::write || operation.undecided ||
      operation.in_transaction) {
    return;
  }
  operation.follow_up = position_sql(endpoint.system_identifier == 0 ? PositionDetail::with_system_identifier
                                                                     : PositionDetail::position);
}

void Route::forget(session::OperationState& operation, const Endpoint& endpoint) const noexcept {
  auto* const context = static_cast<RequestContext*>(operation.context.get());
  if (context == nullptr || access_ != RouteAccess::write || operation.in_transaction) return;
  context->tokens.lost(endpoint.settings().database);
}

void Route::record(Endpoint* endpoint, session::OperationState& operation, unsigned failed_attempts) noexcept {
  if (endpoint == nullptr) return;
  chooser_->ended({.context = static_cast<RequestContext*>(operation.context.get()),
                   .access = access_,
                   .endpoint = *endpoint,
                   .operation = operation,
                   .now = runtime::now()});
  endpoint->recorder().finished(access_, operation, failed_attempts, limits_.slow);
  if (!operation.error()) return;
  if (access_ == RouteAccess::read && operation.error()->sqlstate() == kReadOnlyTransaction) {
    operation.replace_error(
        operation.error()->with_hint("this route only reads (" + std::string(operation.route) +
                                     "): use execute() or transaction() of the database itself"));
  }
}

Attempt& Route::take_attempt() {
  if (free_attempts_.empty()) {
    attempts_.push_back(std::make_unique<Attempt>(*this));
    free_attempts_.reserve(attempts_.size());
    return *attempts_.back();
  }
  Attempt& attempt = *free_attempts_.back();
  free_attempts_.pop_back();
  return attempt;
}

void Route::give_attempt(Attempt& attempt) noexcept {
  attempt.timer.disarm();
  attempt.permit = {};
  attempt.place = {};
  attempt.stop_waiting();
  attempt.operation = nullptr;
  attempt.endpoint = nullptr;
  attempt.lane = nullptr;
  attempt.failed = nullptr;
  attempt.attempts = attempt.moves = 0;
  attempt.has_alternative = false;
  attempt.pokable = attempt.left_lane = attempt.suspect = false;
  attempt.phase = Attempt::Phase::free;
  free_attempts_.push_back(&attempt);
}

}  // namespace switchyard::inline v0::fleet
