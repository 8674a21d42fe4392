#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/command.hpp>
#include <switchyard/fleet/diversion.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/lease.hpp>
#include <switchyard/fleet/marker_keeper.hpp>
#include <switchyard/fleet/retrier.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/runtime/ambient.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// Before a transaction begins again where its tables have gone.
constexpr Duration kMovePause = std::chrono::milliseconds(20);
/// How long a lost COMMIT is looked for, if the request's deadline allows.
constexpr Duration kLongestSettling = std::chrono::seconds(30);

/// A coroutine's wish for a session of one endpoint. It may be dropped at any time.
class ChannelRequest final : public pool::Request {
 public:
  ChannelRequest(Route& route, Endpoint& endpoint, std::string_view reason, LimiterPlace place,
                 resilience::BreakerPermit permit)
      : endpoint_(endpoint), channel_(std::make_shared<Channel>(route.shared_from_this(), endpoint, reason)) {
    channel_->place = std::move(place);
    channel_->permit = std::move(permit);
  }
  ~ChannelRequest() {
    if (queued_here_) endpoint_.pool().abandon(*this);
    if (channel_ && channel_->session() != nullptr) let_go(std::move(channel_));
  }
  ChannelRequest(const ChannelRequest&) = delete;
  ChannelRequest& operator=(const ChannelRequest&) = delete;

  void start() {
    queued_here_ = true;
    goes_first = channel_->route().limits().goes_first;
    endpoint_.pool().acquire(*this);
  }
  runtime::AsyncEvent done;
  std::optional<Error> error;
  std::shared_ptr<Channel> take() noexcept { return std::move(channel_); }

 private:
  void on_granted(session::Session& session, Duration waited) noexcept override {
    queued_here_ = false;
    const Route& route = channel_->route();
    endpoint_.recorder().acquired(route.access(), waited, route.limits().slow);
    channel_->attach(session);
    done.set();
  }
  void on_failed(const Error& failure) noexcept override {
    queued_here_ = false;
    error = failure;
    channel_->place = {};
    channel_->permit.record(resilience::classify(failure).outcome, Duration::zero(), runtime::now(), &failure);
    done.set();
  }
  Endpoint& endpoint_;
  std::shared_ptr<Channel> channel_;
  bool queued_here_ = false;
};

void note_end(const Channel& channel, TransactionEnd end) noexcept {
  if (channel.records()) return;  // no endpoint saw it
  if (channel.route().refusal() == nullptr) channel.endpoint().recorder().transaction_ended(end);
}

/// A coroutine's turn at a limiter. It may be dropped at any time.
struct LimiterTurn final : LimiterWaiter {
  void on_place(LimiterPlace given) noexcept override {
    place = std::move(given);
    came.set();
  }
  runtime::AsyncEvent came;
  LimiterPlace place;
};

Task<void> next_turn(LimiterTurn& turn) { co_await turn.came.wait(); }
Task<void> next_news(Route& route) { co_await route.news().wait(); }

Error in_database(const Error& error, const Route& route) {
  return error.database().empty() ? error.with_database(std::string(route.database())) : error;
}

Task<std::shared_ptr<Channel>> open_any_channel(Route& route, session::CallContext call);

std::string begin_text(const TransactionOptions& options) {
  std::string text = "BEGIN";
  switch (options.isolation) {
    case Isolation::server_default: break;
    case Isolation::read_committed: text += " ISOLATION LEVEL READ COMMITTED"; break;
    case Isolation::repeatable_read: text += " ISOLATION LEVEL REPEATABLE READ"; break;
    case Isolation::serializable: text += " ISOLATION LEVEL SERIALIZABLE"; break;
  }
  if (options.access == Access::read_only) text += " READ ONLY";
  if (options.deferrable) text += " DEFERRABLE";
  return text;
}

}  // namespace

/// One BEGIN or SAVEPOINT: the host of its handle's operations, which refuses them once it has ended.
class TransactionLevel final : public session::OperationHost {
 public:
  TransactionLevel(std::shared_ptr<Channel> channel, std::uint32_t depth) noexcept
      : depth(depth), channel_(std::move(channel)) {}

  /// Why its handle can't be used now; null if it can.
  [[nodiscard]] const char* refusal() const noexcept {
    if (ended) return "the transaction has ended";
    if (channel_->depth != depth) return "a savepoint is open inside this transaction: use its handle";
    return nullptr;
  }

  void start(session::OperationState& operation) noexcept override {
    if (const char* reason = refusal()) {
      operation.fail(Error(ErrorKind::Usage, reason));
    } else {
      channel_->start(operation);
    }
  }
  // The channel made itself the host in start().
  void abandon(session::OperationState& operation) noexcept override { channel_->abandon(operation); }
  void expire(session::OperationState& operation) noexcept override { channel_->expire(operation); }

  const std::uint32_t depth;
  bool ended = false;
  std::optional<CommitMarker> marker;

 private:
  std::shared_ptr<Channel> channel_;
};

session::OperationHost& level_host(TransactionLevel& level) noexcept { return level; }
session::OperationHost& channel_host(Channel& channel) noexcept { return channel; }

void require_current(const TransactionLevel& level) {
  if (const char* reason = level.refusal()) throw Error(ErrorKind::Usage, reason);
}

std::shared_ptr<Route> keep(Route& route) { return route.shared_from_this(); }

void let_go(std::shared_ptr<Channel> channel) noexcept {
  if (!channel) return;
  Channel& target = *channel;
  target.let_go(std::move(channel));
}

std::int32_t server_pid(const Channel& channel) noexcept {
  return channel.session() != nullptr ? channel.session()->server_pid() : 0;
}
void mark_dirty(Channel& channel) noexcept {
  if (channel.session() != nullptr) channel.session()->mark_dirty();
}

TimePoint earlier_deadline(TimePoint deadline, Duration limit) noexcept {
  return std::min(deadline, deadline_after(runtime::now(), limit));
}

Task<std::shared_ptr<Channel>> open_channel(Route& route, session::CallContext call, OnConnectFailure on_failure) {
  const std::shared_ptr<Route> keeper = route.shared_from_this();  // the fleet may go while we wait
  ChoiceInput input{.context = static_cast<RequestContext*>(call.request.get()),
                    .access = route.access(),
                    .started = runtime::now()};
  LimiterTurn turn;
  for (;;) {
    if (const Error* refusal = route.refusal()) throw *refusal;
    input.now = runtime::now();
    Choice choice = route.chooser().choose(input);
    if (choice.refusal) throw in_database(*choice.refusal, route);
    if (choice.endpoint == nullptr) {
      if (input.now >= call.deadline) {
        throw Error(ErrorKind::Deadline, std::string(choice.reason) + ": the request's timeout", ErrorStage::queued)
            .with_database(std::string(route.database()));
      }
      const TimePoint until = std::min(deadline_after(input.now, choice.wait), call.deadline);
      co_await any(sleep_until(until), next_news(route));
      continue;
    }
    LimiterPlace place;
    if (EndpointLimiter& limiter = choice.endpoint->limiter(); limiter.enabled() && route.asks_breaker()) {
      place = turn.place.limiter() == &limiter ? std::move(turn.place) : limiter.try_enter();
      if (!place) {
        const TimePoint until = route.acquire_limit(input.started, call.deadline);
        if (input.now >= until) {
          throw route.limiter_error(*choice.endpoint, input.started, call.deadline, input.now);
        }
        limiter.wait(turn);
        co_await any(sleep_until(until), next_news(route), next_turn(turn));
        turn.stop_waiting();
        turn.came.reset();
        continue;
      }
    }
    auto permit = route.enter(*choice.endpoint, input.now);
    if (!permit.ok()) throw permit.error();
    const bool fails_at_once = on_failure == OnConnectFailure::fail || permit->trial();
    ChannelRequest request(route, *choice.endpoint, choice.reason, std::move(place), *std::move(permit));
    request.deadline = call.deadline;
    if (fails_at_once || choice.has_alternative) request.on_connect_error = pool::OnConnectError::fail;
    request.start();
    co_await request.done.wait();
    if (request.error) {
      // Without the fleet its endpoints have gone too.
      if (route.refusal() != nullptr) throw in_database(*request.error, route);
      // The server it waited for has been replaced: nothing was sent, the other one is chosen.
      if (request.error->kind() == ErrorKind::Closed && choice.endpoint->superseded()) continue;
      if (choice.has_alternative && request.error->kind() == ErrorKind::Unavailable) {
        ++input.attempt;
        input.failed = choice.endpoint;
        continue;
      }
      throw in_database(*request.error, route);
    }
    std::shared_ptr<Channel> channel = request.take();
    channel->call = std::move(call);
    co_return channel;
  }
}

Task<std::shared_ptr<Channel>> open_transaction_channel(Route& route, session::CallContext call) {
  // As long as this coroutine has not waited, it runs where its caller does.
  auto ambient = std::static_pointer_cast<WriteUnit>(runtime::Ambient::current());
  auto channel = co_await open_any_channel(route, std::move(call));
  channel->ambient = std::move(ambient);
  co_return channel;
}

namespace {

Task<std::shared_ptr<Channel>> open_any_channel(Route& route, session::CallContext call) {
  const std::shared_ptr<Route> keeper = route.shared_from_this();
  if (route.diversion() == nullptr) co_return co_await open_channel(route, std::move(call));
  if (auto channel = co_await route.diversion()->divert(route, call, nullptr)) co_return channel;
  if (route.diversion() == nullptr || !route.diversion()->has_other_way()) {
    co_return co_await open_channel(route, std::move(call));
  }
  const auto opened = co_await as_result(open_channel(route, call, OnConnectFailure::fail));
  if (opened.ok()) co_return *opened;
  if (Diversion* other = route.diversion()) {
    if (auto channel = co_await other->divert(route, call, &opened.error())) co_return channel;
  }
  throw opened.error();
}

}  // namespace

TransactionScope::TransactionScope(std::shared_ptr<Channel> channel) noexcept : channel_(std::move(channel)) {}

TransactionScope::~TransactionScope() {
  if (!level_) return;
  if (level_->depth == 1) note_end(*channel_, TransactionEnd::rolled_back);
  // Dropped in the middle: the session is in a transaction, so it is rolled back when it goes back to its pool.
  // Inside an outer transaction the savepoint's work would stay, so that one can only be rolled back as well.
  if (level_->depth > 1) channel_->broken = true;
  end();
}

void TransactionScope::end() noexcept {
  level_->ended = true;
  channel_->depth = level_->depth - 1;
  if (channel_->depth == 0) channel_->leave_units();
  level_.reset();
}

Task<void> TransactionScope::begin(TransactionOptions options) {
  const std::uint32_t depth = channel_->depth + 1;
  if (depth == 1) {
    channel_->join_units();
    co_await run_command(*channel_, begin_text(options));
    channel_->in_transaction = true;
    channel_->broken = false;
  } else {
    savepoint_ = "sy_" + std::to_string(++channel_->savepoints);
    co_await run_command(*channel_, "SAVEPOINT " + savepoint_);
  }
  channel_->depth = depth;
  level_ = std::make_shared<TransactionLevel>(channel_, depth);
  if (options.marker && depth == 1 && !channel_->records()) {
    Transaction transaction = handle();
    marker_ =
        std::make_shared<const CommitMarker>(co_await write_marker(transaction, channel_->route().database()));
    level_->marker = *marker_;
  }
}

Transaction TransactionScope::handle() noexcept { return {channel_, level_}; }

Task<void> TransactionScope::commit() {
  end();
  if (!savepoint_.empty()) {
    co_await run_command(*channel_, "RELEASE SAVEPOINT " + savepoint_);
    co_return;
  }
  channel_->in_transaction = false;
  if (channel_->broken) {
    note_end(*channel_, TransactionEnd::rolled_back);
    (void)co_await run_command(*channel_, "ROLLBACK", CommandKind::final).result();
    throw Error(ErrorKind::Cancelled, "the transaction was rolled back: a savepoint in it was abandoned",
                ErrorStage::sent);
  }
  auto committed = co_await run_command(*channel_, "COMMIT", CommandKind::final).result();
  if (!committed.ok()) {
    if (committed.error().kind() != ErrorKind::InDoubt || !marker_) throw committed.error();
    co_await settle(committed.error());
    note_end(*channel_, TransactionEnd::committed);
    co_return;
  }
  const std::string tag = *std::move(committed);
  note_end(*channel_, tag == "COMMIT" ? TransactionEnd::committed : TransactionEnd::rolled_back);
  if (tag != "COMMIT") {
    // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, which is no error to it.
    throw Error(
        ErrorKind::Server,
        "COMMIT was answered by " + tag + ": a statement in the transaction had failed, nothing was committed",
        ErrorStage::sent)
        .with_database(std::string(channel_->route().database()));
  }
}

Task<void> TransactionScope::settle(Error in_doubt) {
  const TimePoint deadline = std::min(channel_->call.deadline, deadline_after(runtime::now(), kLongestSettling));
  const auto found = co_await as_result(resolve_marker(keep(channel_->route()), *marker_, deadline));
  if (found.ok() && *found == CommitOutcome::committed) co_return;
  if (found.ok() && *found == CommitOutcome::rolled_back) {
    throw in_doubt.with_context("the transaction was rolled back, as its marker tells")
        .with_kind(ErrorKind::Unavailable)
        .with_stage(ErrorStage::sent)
        .with_hint("nothing was applied: it may be done again");
  }
  std::string hint = "Fleet::resolve(\"" + marker_->to_string() + "\") asks again";
  if (!found.ok()) hint += "; " + std::string(found.error().message());
  throw in_doubt.with_hint(std::move(hint));
}

Task<void> TransactionScope::rollback() noexcept {
  if (!level_) co_return;
  end();
  if (!savepoint_.empty()) {
    const auto undone =
        co_await run_command(*channel_, "ROLLBACK TO SAVEPOINT " + savepoint_ + "; RELEASE SAVEPOINT " + savepoint_)
            .result();
    if (!undone.ok()) channel_->broken = true;
    co_return;
  }
  channel_->in_transaction = false;
  note_end(*channel_, TransactionEnd::rolled_back);
  if (channel_->session() == nullptr) co_return;
  (void)co_await run_command(*channel_, "ROLLBACK", CommandKind::final).result();
}

Duration pause_or_throw(Route& route, const std::exception_ptr& failure, const TransactionTry& made) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    // Another database's error inside the function is the function's matter.
    const bool ours = error.database().empty() || error.database() == route.database();
    Retrier* retrier = route.refusal() == nullptr ? route.retrier() : nullptr;
    // The next transaction goes where the tables are now.
    const bool follows =
        ours && retrier != nullptr && error.sqlstate() == kMovedState && route.chooser().relocated();
    if (!ours || retrier == nullptr || made.most <= 1) throw;
    if (follows && !made.keeps_session && made.attempts < made.most) return kMovePause;
    if (made.keeps_session && !error.session_alive()) throw;
    // What was lost before COMMIT was sent is rolled back; what COMMIT itself left open is InDoubt.
    const auto verdict = resilience::classify(error, resilience::Effects::rolled_back);
    if (verdict.again != resilience::Again::safe) throw;
    const auto decision = retrier->decide({.verdict = verdict,
                                           .attempts = made.attempts,
                                           .max_attempts = made.most,
                                           .deadline = made.deadline,
                                           .now = runtime::now()});
    if (decision.again()) return decision.delay;
    std::string why = resilience::stop_text(decision.stop, made.attempts);
    if (why.empty()) throw;
    if (decision.stop == resilience::RetryStop::attempts) {
      why = "not tried again: all " + std::to_string(made.attempts) +
            " attempts were made (transaction option retry)";
    }
    if (!error.hint().empty()) why.insert(0, std::string(error.hint()) + "; ");
    throw error.with_hint(std::move(why));
  }
}

Task<void> prepare_markers(Route& route, TimePoint deadline) { co_await prepare_markers(keep(route), deadline); }
std::string marker_of(const TransactionLevel& level) { return level.marker ? level.marker->to_string() : ""; }
Route& route_of(const Channel& channel) noexcept { return channel.route(); }
TimePoint deadline_of(const Channel& channel) noexcept { return channel.call.deadline; }

void note_transaction(Route& route) noexcept {
  if (Retrier* retrier = route.refusal() == nullptr ? route.retrier() : nullptr) retrier->on_call();
}

}  // namespace switchyard::inline v0::fleet

namespace switchyard::inline v0 {
std::string_view Transaction::database() const noexcept { return channel_->route().database(); }
}  // namespace switchyard::inline v0
