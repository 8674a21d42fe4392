#include <switchyard/pool/pool.hpp>
#include <switchyard/pool/pool_machine.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/session/connect_plan.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace switchyard::inline v0::pool {
namespace {

using session::Session;

/// A server that has not let a session go after so long keeps its place, and the permit is given back all the same.
constexpr Duration kLeavePatience = std::chrono::milliseconds(500);

/// Pools of one process must not draw the same jitter.
Random make_random() noexcept {
  static std::atomic<std::uint64_t> pools{0};
  const auto ticks = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
  return Random(ticks ^ (pools.fetch_add(1, std::memory_order_relaxed) << 48));
}

}  // namespace

class Pool::Impl {
 public:
  /// What holders of lent sessions are told at the end.
  Error end_reason{ErrorKind::Closed, "the connection pool was closed"};

  Impl(PoolSettings settings, std::shared_ptr<Connector> connector, std::shared_ptr<PermitCounter> permits,
       Observer* observer)
      : connector_(std::move(connector)),
        observer_(observer),
        permits_(std::move(permits)),
        link_(std::make_shared<Link>()),
        machine_(std::move(settings), *permits_, make_random()) {
    link_->pool = this;
    for (SlotIndex index = 0; index < machine_.settings().max; ++index) seats_.emplace_back(*this, index);
    sessions_.resize(machine_.settings().max);
    runtime::Loop* loop = runtime::Loop::current_or_null();
    if (loop != nullptr && loop->shard() != nullptr) {
      waker_.shard = loop->shard();
      waker_.link = link_;
      machine_.set_wake(&Waker::wake, &waker_);
    }
  }

  ~Impl() {
    machine_.set_wake(nullptr, nullptr);
    ending_ = true;
    machine_.close(now(), actions_);
    work_off();
    link_->pool = nullptr;
    if (runtime::Loop::current_or_null() != nullptr) {
      link_->drained.set();
      link_->progress.notify();
    }
  }

  void acquire(Request& request) noexcept {
    const TimePoint at = now();
    if (const SlotRef slot = machine_.try_acquire(at, request.site, actions_)) {
      lend(slot, request, Duration::zero());
    } else {
      machine_.acquire(request, at, actions_);
    }
    work_off();
  }

  void abandon(Request& request) noexcept {
    machine_.abandon(request, now(), actions_);
    // Its answer may be decided and not yet told.
    for (std::size_t i = working_at_; i < actions_.size(); ++i) {
      if (auto* granted = std::get_if<Grant>(&actions_[i]); granted && granted->waiter == &request) {
        granted->waiter = nullptr;
      } else if (auto* failed = std::get_if<Fail>(&actions_[i]); failed && failed->waiter == &request) {
        failed->waiter = nullptr;
      }
    }
    work_off();
  }

  void release(Session& session) noexcept {
    const auto found = std::find(sessions_.begin(), sessions_.end(), &session);
    if (found == sessions_.end()) {
      std::erase_if(orphans_, [&](const auto& orphan) { return orphan.get() == &session; });
      return;
    }
    Seat& seat = seats_[static_cast<std::size_t>(found - sessions_.begin())];
    session.set_owner(&seat);
    take_back(seat);
  }

  void start() noexcept {
    machine_.start(now(), actions_);
    work_off();
  }
  void pause() noexcept {
    machine_.pause(now(), actions_);
    work_off();
  }
  void resume() noexcept {
    machine_.resume(now(), actions_);
    work_off();
  }
  void renew() noexcept {
    machine_.renew(now(), actions_);
    work_off();
  }
  void each_session(const std::function<void(const Session&, SessionUse, bool)>& visit) const {
    for (const Seat& seat : seats_) {
      if (!seat.session) continue;
      SessionUse use = SessionUse::tested;
      if (seat.use == Use::idle) use = SessionUse::idle;
      if (seat.use == Use::lent) use = SessionUse::lent;
      visit(*seat.session, use, machine_.outdated(seat.index));
    }
  }
  void begin_drain() noexcept {
    machine_.begin_drain(now(), actions_);
    work_off();
  }
  void close_all() noexcept {
    machine_.close(now(), actions_);
    work_off();
  }

  /// What outlives the pool: coroutines that wait for it find out here whether it is still there.
  struct Link {
    Impl* pool = nullptr;
    runtime::AsyncEvent drained;
    runtime::AsyncEvent progress;  // a connection attempt ended
  };
  [[nodiscard]] const std::shared_ptr<Link>& link() const noexcept { return link_; }
  [[nodiscard]] const PoolMachine& machine() const noexcept { return machine_; }

 private:
  /// A connection attempt and the pool: whichever ends first cuts the tie.
  struct Attempt {
    Attempt(Impl* owner, SlotRef place, TimePoint at) noexcept : pool(owner), slot(place), started(at) {}
    Impl* pool;
    SlotRef slot;
    TimePoint started;
    runtime::AsyncEvent given_up;
  };

  enum class Use : std::uint8_t { none, connecting, idle, pinging, resetting, lent, leaving };

  /// The place of one session; its owner while nobody else wants to be.
  struct Seat final : Session::Owner {
    Seat(Impl& owner, SlotIndex at) noexcept : pool(owner), index(at) {}
    void on_idle(Session&) noexcept override { pool.on_idle(*this); }
    void on_closed(Session&, const Error&) noexcept override { pool.on_lost(*this); }
    static void on_patience(void* seat) noexcept {
      auto& self = *static_cast<Seat*>(seat);
      self.session->close();
      self.pool.on_lost(self);
    }

    Impl& pool;
    const SlotIndex index;
    Use use = Use::none;
    SlotRef slot;
    std::unique_ptr<Session> session;
    std::shared_ptr<Attempt> attempt;
    runtime::Timer patience{&Seat::on_patience, this};
  };

  /// Carries a call from another thread over to this shard.
  struct Waker {
    static void wake(void* context) noexcept {
      auto& self = *static_cast<Waker*>(context);
      self.shard->post([link = self.link] {
        const std::shared_ptr<Link> alive = link.lock();
        if (alive && alive->pool != nullptr) alive->pool->on_permits_changed();
      });
    }
    runtime::Shard* shard = nullptr;
    std::weak_ptr<Link> link;
  };

  /// The turn's time; outside of any turn (the end of the program) the last one known.
  [[nodiscard]] TimePoint now() noexcept {
    if (runtime::Loop* loop = runtime::Loop::current_or_null()) last_now_ = std::max(last_now_, loop->now());
    return last_now_;
  }

  // ---- what happens ----

  void on_idle(Seat& seat) noexcept {
    switch (seat.use) {
      case Use::lent: take_back(seat); return;
      case Use::pinging:
      case Use::resetting: {
        const bool pinged = seat.use == Use::pinging;
        seat.patience.disarm();
        seat.use = Use::idle;
        if (pinged) {
          machine_.ping_succeeded(seat.slot, now(), actions_);
        } else {
          machine_.reset_succeeded(seat.slot, now(), actions_);
        }
        break;
      }
      case Use::none:
      case Use::connecting:
      case Use::leaving:
      case Use::idle: return;
    }
    work_off();
  }

  void on_lost(Seat& seat) noexcept {
    const Use use = std::exchange(seat.use, Use::idle);
    seat.patience.disarm();
    switch (use) {
      case Use::lent:
        machine_.session_lost(seat.index, now(), actions_);
        machine_.release(seat.slot, Disposition::close, now(), actions_);
        break;
      case Use::pinging: machine_.ping_failed(seat.slot, now(), actions_); break;
      case Use::resetting: machine_.reset_failed(seat.slot, now(), actions_); break;
      case Use::idle: machine_.session_lost(seat.index, now(), actions_); break;
      case Use::leaving:
        vacate(seat);
        machine_.closed(seat.slot, now(), actions_);
        break;
      case Use::none:
      case Use::connecting: return;
    }
    work_off();
  }

  void take_back(Seat& seat) noexcept {
    if (seat.use != Use::lent) return;
    const bool closed = seat.session->closed();
    if (!closed && !seat.session->idle()) return;  // an operation is being wound up: on_idle follows
    if (closed) {
      on_lost(seat);
      return;
    }
    seat.use = Use::idle;
    machine_.release(seat.slot, disposition_of(*seat.session), now(), actions_);
    work_off();
  }

  static Disposition disposition_of(const Session& session) noexcept {
    if (!session.needs_reset()) return Disposition::reusable;
    return session.must_close() ? Disposition::close : Disposition::dirty;
  }

  void on_attempt_ended(SlotRef slot, TimePoint started, Result<std::unique_ptr<Session>> result) noexcept {
    Seat& seat = seats_[slot.index];
    seat.attempt.reset();
    if (result.ok() && (*result)->closed()) {
      result = Error(ErrorKind::Unavailable, "the session ended right after it was opened", ErrorStage::connecting);
    }
    if (result.ok()) {
      seat.session = std::move(*result);
      seat.session->set_owner(&seat);
      sessions_[seat.index] = seat.session.get();
      seat.use = Use::idle;
      if (observer_) observer_->on_connected(*seat.session, now() - started);
      if (!machine_.connect_succeeded(slot, now(), actions_)) vacate(seat);
    } else {
      seat.use = Use::none;
      if (observer_) observer_->on_connect_failed(result.error());
      machine_.connect_failed(slot, result.error(), now(), actions_);
    }
    work_off();
    link_->progress.notify();
  }

  void on_permits_changed() noexcept {
    machine_.on_permits_changed(now(), actions_);
    work_off();
  }

  static void on_timer(void* pool) noexcept {
    auto& self = *static_cast<Impl*>(pool);
    self.machine_.on_timer(self.now(), self.actions_);
    self.work_off();
  }

  // ---- what the machine asks for ----

  /// Actions may cause events, whose actions come behind: one loop works them all off, in order.
  void work_off() noexcept {
    if (working_ || actions_.empty()) return;
    working_ = true;
    for (std::size_t i = 0; i < actions_.size(); ++i) {
      working_at_ = i + 1;
      Action action = std::move(actions_[i]);
      std::visit([this](auto& one) { perform(one); }, action);
    }
    actions_.clear();
    working_at_ = 0;
    working_ = false;
  }

  void perform(Connect& action) noexcept {
    Seat& seat = seats_[action.slot.index];
    const TimePoint started = now();
    seat.use = Use::connecting;
    seat.attempt = std::make_shared<Attempt>(this, action.slot, started);
    spawn(run_attempt(seat.attempt, connector_, deadline_after(started, machine_.settings().connect_timeout)));
  }

  void perform(Close& action) noexcept {
    Seat& seat = seats_[action.slot.index];
    if (seat.attempt) {
      seat.attempt->pool = nullptr;
      if (runtime::Loop::current_or_null() != nullptr) seat.attempt->given_up.set();
      seat.attempt.reset();
    }
    if (leave(seat, action)) return;
    vacate(seat);
    machine_.closed(action.slot, now(), actions_);
  }

  /// The permit is given back once the server has its place back: whoever takes it next may connect at once.
  bool leave(Seat& seat, const Close& action) noexcept {
    if (!seat.session || seat.session->closed() || seat.use == Use::lent || ending_) return false;
    switch (action.reason) {
      case CloseReason::lost:
      case CloseReason::ping_failed:
      case CloseReason::reset_failed: return false;  // a server that does not answer
      default: break;
    }
    if (runtime::Loop::current_or_null() == nullptr) return false;
    sessions_[seat.index] = nullptr;
    seat.use = Use::leaving;
    seat.slot = action.slot;
    seat.patience.arm(deadline_after(now(), kLeavePatience));
    seat.session->leave();
    return true;
  }

  void perform(Ping& action) noexcept {
    Seat& seat = seats_[action.slot.index];
    seat.use = Use::pinging;
    seat.slot = action.slot;
    seat.patience.arm(deadline_after(now(), machine_.settings().ping_timeout));
    seat.session->start_ping();
  }

  void perform(Reset& action) noexcept {
    Seat& seat = seats_[action.slot.index];
    seat.use = Use::resetting;
    seat.slot = action.slot;
    seat.patience.arm(deadline_after(now(), machine_.settings().reset_timeout));
    seat.session->start_reset();
  }

  void perform(Grant& action) noexcept {
    if (action.waiter == nullptr) {
      machine_.release(action.slot, Disposition::reusable, now(), actions_);
      return;
    }
    lend(action.slot, static_cast<Request&>(*action.waiter), action.waited);
  }

  void perform(Fail& action) noexcept {
    if (action.waiter != nullptr) static_cast<Request*>(action.waiter)->on_failed(action.error);
  }

  void perform(ArmTimer& action) noexcept {
    if (runtime::Loop::current_or_null() != nullptr) timer_.arm(action.when);
  }

  void perform(LeakSuspected& action) noexcept {
    if (observer_) observer_->on_leak(action.site, action.held);
  }

  void perform(NearExhaustion& action) noexcept {
    if (observer_) observer_->on_near_exhaustion(action.in_use, action.max);
  }

  void perform(Drained&) noexcept {
    if (runtime::Loop::current_or_null() != nullptr) link_->drained.set();
  }

  void lend(SlotRef slot, Request& request, Duration waited) noexcept {
    Seat& seat = seats_[slot.index];
    seat.use = Use::lent;
    seat.slot = slot;
    request.on_granted(*seat.session, waited);
  }

  /// The session's end. Its holder, if there is one, is told: he forgets it, or has it destroyed by release().
  void vacate(Seat& seat) noexcept {
    seat.patience.disarm();
    const Use use = std::exchange(seat.use, Use::none);
    sessions_[seat.index] = nullptr;
    if (!seat.session) return;
    std::unique_ptr<Session> session = std::move(seat.session);
    if (use != Use::lent) {
      session->close();
      return;
    }
    Session& lent = *orphans_.emplace_back(std::move(session));
    lent.abort(end_reason);
    seat.use = Use::none;  // the seat may have been the one who was told
  }

  static Task<Result<std::unique_ptr<Session>>> open(std::shared_ptr<Connector> connector, TimePoint deadline) {
    try {
      co_return co_await connector->open(deadline);
    } catch (const Error& error) {
      co_return error;
    } catch (const std::exception& error) {
      co_return Error(ErrorKind::Unavailable, error.what(), ErrorStage::connecting);
    }
  }

  static Task<void> wait_for(std::shared_ptr<Attempt> attempt) { co_await attempt->given_up.wait(); }

  /// Runs by itself: whoever waits for the session may go away. Ended by the pool, it drops the connection at once.
  static Task<void> run_attempt(std::shared_ptr<Attempt> attempt, std::shared_ptr<Connector> connector,
                                TimePoint deadline) {
    auto first = co_await any(open(std::move(connector), deadline), wait_for(attempt));
    if (attempt->pool == nullptr || first.index() != 0) co_return;
    attempt->pool->on_attempt_ended(attempt->slot, attempt->started, std::move(std::get<0>(first)));
  }

  std::shared_ptr<Connector> connector_;
  Observer* observer_;
  std::shared_ptr<PermitCounter> permits_;
  std::shared_ptr<Link> link_;
  Waker waker_;
  TimePoint last_now_{};
  runtime::Timer timer_{&Impl::on_timer, this};
  std::deque<Seat> seats_;
  std::vector<const Session*> sessions_;           // of the seats, to find a session fast
  std::vector<std::unique_ptr<Session>> orphans_;  // closed under their holders
  Actions actions_;
  std::size_t working_at_ = 0;  // the first action not begun
  bool working_ = false;
  bool ending_ = false;
  PoolMachine machine_;
};

std::shared_ptr<Connector> make_connector(std::shared_ptr<const session::ConnectPlan> plan) {
  struct ByPlan final : Connector {
    explicit ByPlan(std::shared_ptr<const session::ConnectPlan> by) noexcept : plan(std::move(by)) {}
    Task<Result<std::unique_ptr<Session>>> open(TimePoint deadline) override {
      co_return co_await Session::open(plan, deadline);
    }
    std::shared_ptr<const session::ConnectPlan> plan;
  };
  return std::make_shared<ByPlan>(std::move(plan));
}

Pool::Pool(PoolSettings settings, std::shared_ptr<Connector> connector, std::shared_ptr<PermitCounter> permits,
           Observer* observer)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(connector), std::move(permits), observer)) {}
Pool::~Pool() = default;

void Pool::acquire(Request& request) noexcept { impl_->acquire(request); }
void Pool::abandon(Request& request) noexcept { impl_->abandon(request); }
void Pool::release(Session& session) noexcept { impl_->release(session); }
void Pool::set_end_reason(Error reason) { impl_->end_reason = std::move(reason); }
void Pool::pause() noexcept { impl_->pause(); }
void Pool::resume() noexcept { impl_->resume(); }
void Pool::renew() noexcept { impl_->renew(); }
void Pool::each_session(const std::function<void(const Session&, SessionUse, bool)>& visit) const {
  impl_->each_session(visit);
}
std::uint32_t Pool::in_use() const noexcept { return impl_->machine().leased(); }
std::uint32_t Pool::waiting() const noexcept { return impl_->machine().waiting(); }
bool Pool::crowded() const noexcept { return impl_->machine().crowded(); }
PoolStats Pool::stats() const noexcept { return impl_->machine().stats(); }
const PoolSettings& Pool::settings() const noexcept { return impl_->machine().settings(); }
const Error* Pool::last_connect_error() const noexcept {
  const std::optional<Error>& error = impl_->machine().last_connect_error();
  return error ? &*error : nullptr;
}

namespace {

Error closed_meanwhile() { return Error(ErrorKind::Closed, "the connection pool was closed"); }

Task<void> wait_until_notified(runtime::AsyncEvent& event) { co_await event.wait(); }

}  // namespace

Task<Result<void>> Pool::warm_up(TimePoint deadline) {
  const auto link = impl_->link();
  impl_->start();
  while (link->pool != nullptr) {
    const PoolMachine& machine = link->pool->machine();
    const PoolStats stats = machine.stats();
    const std::optional<Error>& error = machine.last_connect_error();
    if (error && (stats.connecting == 0 || stats.connects_slowed || runtime::now() >= deadline)) {
      co_return make_connect_error(machine.settings(), *error);
    }
    if (stats.connecting == 0) co_return Result<void>();
    if (runtime::now() >= deadline) {
      co_return Error(ErrorKind::Deadline, "the first sessions were not open in time", ErrorStage::connecting)
          .with_database(machine.settings().database);
    }
    co_await any(wait_until_notified(link->progress), sleep_until(deadline));
  }
  co_return closed_meanwhile();
}

Task<void> Pool::close(TimePoint deadline) {
  const auto link = impl_->link();
  impl_->begin_drain();
  if (!link->drained.is_set()) co_await any(wait_until_notified(link->drained), sleep_until(deadline));
  if (link->pool != nullptr && !link->drained.is_set()) link->pool->close_all();
}

}  // namespace switchyard::inline v0::pool
