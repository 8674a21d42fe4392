#include <switchyard/base/units.hpp>
#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/fallback.hpp>
#include <switchyard/fleet/joined_route.hpp>
#include <switchyard/fleet/route_querier.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// After a failed connection reads go to the fallback this long before the database is tried again.
constexpr Duration kDownMemory = std::chrono::seconds(1);
/// While the spool is open its figures are looked at this often.
constexpr Duration kLookPause = std::chrono::seconds(1);
/// How soon a process that does nothing hears of maintenance, or of a spool that somebody else has opened.
constexpr Duration kWatchPause = std::chrono::seconds(3);
constexpr int kWatchSlots = 64;
/// Making tables included.
constexpr Duration kOpenLimit = std::chrono::seconds(10);

std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

}  // namespace

/// An operation that is not with a route.
struct Fallback::Pending {
  session::OperationPtr<session::OperationState> operation;  ///< null: nobody waits any more
  std::shared_ptr<Route> from;
  std::optional<Transaction> within;
  SpoolEntry entry;
  bool is_commit = false;
};

Fallback::Fallback(FallbackPlan plan, FallbackRoutes routes)
    : plan_(std::move(plan)),
      routes_(std::move(routes)),
      partial_reason_("partial: '" + plan_.fallback + "' answers for '" + plan_.database + "', which is down"),
      kept_reason_("spool in '" + plan_.fallback + "'"),
      gate_(plan_.times, plan_.limits),
      store_(routes_.home, plan_.database),
      target_(routes_.target, plan_.database),
      drain_(plan_.times),
      holder_(random_uuid().value_or_throw()) {}

Fallback::~Fallback() = default;

void Fallback::retire() noexcept {
  retired_ = true;
  draining_.reset();
  watching_.reset();
  changed_.notify();
}

// -- which operations --

bool Fallback::is_unreachable(const Error& error) const noexcept {
  if (error.kind() != ErrorKind::Unavailable) return false;
  if (error.stage() != ErrorStage::queued && error.stage() != ErrorStage::connecting) return false;
  // The server speaks, and refuses for a reason of its own: too many connections, no such role ...
  const std::string_view sqlstate = error.sqlstate();
  return sqlstate.empty() || sqlstate.starts_with("57P") || sqlstate.starts_with("08");
}

bool Fallback::stands_in() const noexcept {
  if (retired_) return false;
  return gate_.state() != SpoolGate::State::direct || gate_.maintenance() ||
         (plan_.when_down != WhenDown::fail && runtime::now() < down_until_);
}

bool Fallback::takes(session::OperationState& operation, Route& route) noexcept {
  if (retired_) return false;
  if (!stands_in()) {
    if (!spools() || operation.format != session::RowFormat::none || route.use() != RouteUse::mixed) return false;
    const SpoolGate::Choice choice = gate_.choose(runtime::now());
    if (choice.look) start_look();
    if (choice.way == SpoolGate::Way::direct) return false;
  }
  adopt(operation, route, std::nullopt);
  return true;
}

bool Fallback::rescues(session::OperationState& operation, Route& route) noexcept {
  if (retired_ || plan_.when_down == WhenDown::fail || !operation.error() || !operation.restartable() ||
      !is_unreachable(*operation.error())) {
    return false;
  }
  down_cause_ = *operation.error();
  down_until_ = deadline_after(runtime::now(), kDownMemory);
  const bool rows = !wants_no_rows(operation);
  if (rows && (plan_.confidential || operation.parts.empty() || !is_read_text(operation.parts.front().sql))) {
    return false;
  }
  if (!rows && !spools()) return false;
  if (!rows) gate_.down();
  operation.restart();
  const auto joined =
      std::ranges::find_if(joined_, [&](const JoinedRoute* one) { return one == operation.host_keeper.get(); });
  adopt(operation, route, joined == joined_.end() ? std::nullopt : std::optional((*joined)->within()));
  return true;
}

void Fallback::adopt(session::OperationState& operation, Route& route, std::optional<Transaction> within) noexcept {
  auto pending = std::make_shared<Pending>();
  pending->operation = session::OperationPtr<session::OperationState>(&operation);
  pending->from = route.shared_from_this();
  pending->within = std::move(within);
  operation.host = this;
  operation.host_data = pending.get();
  operation.set_phase(session::OperationState::Phase::queued);
  if (operation.started == TimePoint{}) {
    operation.started = runtime::now();
    route.apply_limits(operation, operation.started);
  }
  operation.database = plan_.database;
  spawn(carry(shared_from_this(), std::move(pending)));
}

void Fallback::start_within(session::OperationState& operation, Route& route, Transaction within) noexcept {
  adopt(operation, route, std::move(within));
}

void Fallback::start(session::OperationState& operation) noexcept {
  operation.fail(Error(ErrorKind::Usage, "a fallback starts no operations"));
}

void Fallback::abandon(session::OperationState& operation) noexcept {
  auto* pending = static_cast<Pending*>(std::exchange(operation.host_data, nullptr));
  // A COMMIT goes on without its caller.
  if (pending != nullptr && !pending->is_commit) pending->operation = {};
}

void Fallback::expire(session::OperationState& operation) noexcept { (void)operation; }

void Fallback::commit(session::OperationState& commit, SpoolEntry entry) noexcept {
  auto pending = std::make_shared<Pending>();
  pending->operation = session::OperationPtr<session::OperationState>(&commit);
  pending->entry = std::move(entry);
  pending->is_commit = true;
  commit.host_data = nullptr;
  spawn(carry(shared_from_this(), std::move(pending)));
}

// -- what happens to them --

Task<void> Fallback::carry(std::shared_ptr<Fallback> self, std::shared_ptr<Pending> pending) {
  std::optional<Error> failure;
  try {
    if (!pending->operation) co_return;
    if (self->plan_.when_down == WhenDown::fail) throw self->down_error("nothing is done meanwhile");
    if (pending->is_commit || wants_no_rows(*pending->operation)) {
      co_await self->carry_write(*pending);
    } else {
      co_await self->carry_read(*pending);
    }
  } catch (const Error& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Error(ErrorKind::Unavailable, error.what());
  }
  if (failure && pending->operation) {
    pending->operation->host_data = nullptr;
    pending->operation->fail(*failure);
  }
}

Task<void> Fallback::carry_read(Pending& pending) {
  session::OperationState& operation = *pending.operation;
  const bool reads = !operation.script && !operation.parts.empty() && is_read_text(operation.parts.front().sql);
  if (!reads) {
    const bool spooling = spools() && co_await settle(operation.deadline);
    if (!pending.operation) co_return;
    if (!spooling && !gate_.maintenance()) {
      give_back(pending);
      co_return;
    }
    throw down_error("only execute(), execute_many(), batch() and transactions of them can be kept for later")
        .with_hint("a statement that returns rows (RETURNING), a script or COPY has to wait until it is back");
  }
  if (pending.from->use() == RouteUse::strict_reads) {
    throw down_error("a strict read does not take an answer that may miss something");
  }
  if (down(runtime::now())) {
    if (plan_.confidential) throw down_error("it is confidential: nothing of it is read elsewhere");
    answer_elsewhere(pending);
    co_return;
  }
  // It is back, but what was kept for it is not all there yet.
  if (auto* context = static_cast<RequestContext*>(operation.context.get())) context->partial = true;
  give_back(pending);
}

Task<void> Fallback::carry_write(Pending& pending) {
  session::OperationState& operation = *pending.operation;
  const TimePoint deadline = operation.deadline;
  if (!pending.is_commit) {
    if (!spools()) {
      if (gate_.maintenance()) throw down_error("writes have to wait");
      give_back(pending);
      co_return;
    }
    const Result<void> made = append_to_entry(pending.entry, operation);
    if (!made.ok()) {
      if (!co_await settle(deadline)) {
        if (pending.operation) give_back(pending);
        co_return;
      }
      throw down_error(made.error().message());
    }
  }
  if (pending.entry.empty()) {
    finish_kept(pending);
    co_return;
  }
  for (;;) {
    const bool spooling = co_await settle(deadline);
    if (!pending.operation) co_return;
    if (!spooling) {
      if (!pending.is_commit) {
        give_back(pending);
        co_return;
      }
      // The database is back: what the transaction has recorded is done there.
      co_await target_.run(pending.entry);
      finish_kept(pending);
      co_return;
    }
    const bool kept = co_await keep(pending);
    if (!kept) continue;
    if (pending.operation) finish_kept(pending);
    co_return;
  }
}

Task<bool> Fallback::keep(Pending& pending) {
  const TimePoint deadline = pending.operation->deadline;
  auto* context = static_cast<RequestContext*>(pending.operation->context.get());
  NewEntry entry;
  entry.entry = random_uuid().value_or_throw();
  entry.label = context != nullptr ? context->label : pending.operation->name;
  std::string bytes = encode_entry(pending.entry).value_or_throw();
  if (plan_.cipher) {
    bytes = plan_.cipher->seal(plan_.database, entry.entry, bytes).value_or_throw();
    entry.sealed = true;
    entry.summary = "(encrypted)";
    entry.label.clear();
  } else {
    entry.summary = summary_of(pending.entry);
  }
  if (full_error(bytes.size(), runtime::now())) {
    // As of the last look: it may have been drained since. That costs what keeping the write would have cost.
    start_look();
    co_await changed_.wait();
    if (gate_.state() != SpoolGate::State::spooling) co_return false;
    if (const auto full = full_error(bytes.size(), runtime::now())) throw *full;
    if (!pending.operation) co_return true;
  }
  entry.payload = Bytes(ByteView(bytes));
  gate_.kept(bytes.size());  // at once: the others of this turn count it as well
  const auto kept =
      pending.within ? co_await store_.keep_within(*pending.within, entry) : co_await store_.keep(entry, deadline);
  if (!kept) {
    if (gate_.found_closed(runtime::now())) announce_closed();
    changed_.notify();
    co_return false;
  }
  ++kept_total_;
  if (kept->open_for < plan_.times.grace) co_await sleep(plan_.times.grace - kept->open_for);
  co_return true;
}

Task<bool> Fallback::settle(TimePoint deadline) {
  for (;;) {
    if (retired_) throw Error(ErrorKind::Closed, "the fleet was closed");
    const TimePoint now = runtime::now();
    if (now >= deadline) {
      throw Error(ErrorKind::Deadline, "the deadline passed before it was clear whether " + quoted(plan_.database) +
                                           " or its spool takes the write");
    }
    switch (gate_.choose(now).way) {
      case SpoolGate::Way::direct: co_return false;
      case SpoolGate::Way::spool: co_return true;
      case SpoolGate::Way::look_first: start_look(); break;
      case SpoolGate::Way::open_first: start_open(); break;
      case SpoolGate::Way::wait: break;
    }
    const std::uint64_t failures = open_failures_;
    co_await changed_.wait();
    if (open_failures_ != failures && open_error_) throw *open_error_;
  }
}

void Fallback::give_back(Pending& pending) noexcept {
  const session::OperationPtr<session::OperationState> operation = std::move(pending.operation);
  operation->host_data = nullptr;
  operation->host = pending.from.get();
  pending.from->send(*operation);
}

void Fallback::answer_elsewhere(Pending& pending) noexcept {
  const session::OperationPtr<session::OperationState> operation = std::move(pending.operation);
  if (auto* context = static_cast<RequestContext*>(operation->context.get())) context->partial = true;
  operation->host_data = nullptr;
  operation->host = routes_.reads.get();
  routes_.reads->send(*operation);
}

void Fallback::finish_kept(Pending& pending) noexcept {
  const session::OperationPtr<session::OperationState> operation = std::move(pending.operation);
  if (auto* context = static_cast<RequestContext*>(operation->context.get())) ++context->kept;
  operation->host_data = nullptr;
  operation->route = kept_reason_;
  if (pending.is_commit) operation->on_command_complete("COMMIT");
  operation->finish();
}

Task<std::shared_ptr<Channel>> Fallback::divert(Route& route, session::CallContext call, const Error* failure) {
  const std::shared_ptr<Fallback> self = shared_from_this();
  const std::shared_ptr<Route> from = route.shared_from_this();
  if (retired_) co_return nullptr;
  if (failure != nullptr) {
    if (!is_unreachable(*failure) || plan_.when_down == WhenDown::fail) co_return nullptr;
    down_cause_ = *failure;
    down_until_ = deadline_after(runtime::now(), kDownMemory);
  }
  if (plan_.when_down == WhenDown::fail) {
    if (gate_.maintenance()) throw down_error("nothing is done meanwhile");
    co_return nullptr;
  }
  if (from->use() != RouteUse::mixed) {
    if (!down(runtime::now()) || plan_.confidential || from->use() == RouteUse::strict_reads) co_return nullptr;
    if (auto* context = static_cast<RequestContext*>(call.request.get())) context->partial = true;
    co_return co_await open_channel(*routes_.reads, std::move(call));
  }
  if (!spools()) {
    if (gate_.maintenance()) throw down_error("writes have to wait");
    co_return nullptr;
  }
  if (failure != nullptr) gate_.down();
  if (!co_await settle(call.deadline)) co_return nullptr;
  auto channel = std::make_shared<Channel>(
      from, std::make_unique<SpoolRecorder>(shared_from_this(), plan_.database, kept_reason_));
  channel->call = std::move(call);
  co_return channel;
}

// -- errors --

Error Fallback::down_error(std::string_view what) const {
  std::string text = quoted(plan_.database);
  if (gate_.maintenance()) {
    text += " is in maintenance";
  } else if (runtime::now() < down_until_ || gate_.state() == SpoolGate::State::opening) {
    text += " is down";
  } else {
    text += " is not ready: its spool in " + quoted(plan_.fallback) + " is not empty";
  }
  Error error(ErrorKind::Unavailable, text + ": " + std::string(what));
  if (gate_.maintenance())
    error = error.with_hint("it ends with: switchyard maintenance end --on " + plan_.database);
  return error.with_database(plan_.database);
}

std::optional<Error> Fallback::full_error(std::uint64_t bytes, TimePoint now) const {
  const SpoolUsage& usage = gate_.usage();
  std::string limit;
  switch (gate_.broken_by(bytes, now)) {
    case SpoolGate::Limit::none: return std::nullopt;
    case SpoolGate::Limit::bytes: limit = "spool_max_bytes (" + format_size(plan_.limits.max_bytes) + ")"; break;
    case SpoolGate::Limit::entries:
      limit = "spool_max_entries (" + std::to_string(plan_.limits.max_entries) + ")";
      break;
    case SpoolGate::Limit::age: limit = "spool_max_age (" + format_duration(plan_.limits.max_age) + ")"; break;
  }
  return Error(ErrorKind::Unavailable, quoted(plan_.database) + " is down and its spool in " +
                                           quoted(plan_.fallback) + " is full: " + limit)
      .with_hint("it holds " + std::to_string(usage.entries) + " entries, " + std::to_string(usage.bytes) +
                 " bytes; bring the database back, or raise the limit")
      .with_database(plan_.database);
}

// -- the gate --

void Fallback::start_look() noexcept {
  if (gate_.looking()) return;
  gate_.look_started();
  spawn(look(shared_from_this()));
}

Task<void> Fallback::look(std::shared_ptr<Fallback> self) {
  Fallback& me = *self;
  const TimePoint sent = runtime::now();
  const auto sight = co_await as_result(me.store_.look(deadline_after(sent, me.plan_.times.look_limit)));
  if (me.retired_) co_return;
  if (!sight.ok()) {
    me.gate_.look_failed(runtime::now());
  } else {
    me.refused_ = sight->refused;
    GateSight seen = sight->gate;
    // Another configuration may spool what this one does not.
    if (!me.spools()) seen.open = false;
    const bool moved = me.gate_.looked(seen, sent);
    me.note_maintenance();
    const bool spooling = me.gate_.state() == SpoolGate::State::spooling;
    if (moved && spooling) me.announce_open();
    if (moved && !spooling) me.announce_closed();
    if (spooling && me.spools()) me.poke_drain();
  }
  me.changed_.notify();
}

void Fallback::start_open() noexcept {
  gate_.opening();
  spawn(open(shared_from_this()));
}

Task<void> Fallback::open(std::shared_ptr<Fallback> self) {
  Fallback& me = *self;
  const std::string reason = me.gate_.maintenance() ? std::string("maintenance")
                             : me.down_cause_       ? std::string(me.down_cause_->message())
                                                    : std::string();
  const auto opened = co_await as_result(me.store_.open(reason, deadline_after(runtime::now(), kOpenLimit)));
  if (me.retired_) co_return;
  if (opened.ok()) {
    if (me.gate_.opened(runtime::now())) me.announce_open();
    me.poke_drain();
  } else {
    me.gate_.open_failed();
    ++me.open_failures_;
    me.drain_error_ = opened.error().what();
    me.open_error_ =
        Error(opened.error().kind() == ErrorKind::Config ? ErrorKind::Config : ErrorKind::Unavailable,
              quoted(me.plan_.database) + " is down (" + reason + "), and its spool in " +
                  quoted(me.plan_.fallback) + " can't be used: " + std::string(opened.error().message()))
            .with_hint(std::string(opened.error().hint()))
            .with_database(me.plan_.database);
  }
  me.changed_.notify();
}

void Fallback::announce_open() noexcept {
  spooling_since_ = runtime::now();
  const std::string cause = gate_.maintenance() ? "maintenance"
                            : down_cause_       ? std::string(down_cause_->message())
                                                : "another process found it down";
  log::warning("fleet", "spool_opened",
               [&] {
                 return "[SPOOL] " + plan_.database + " is down (" + cause + "): its writes are kept in " +
                        plan_.fallback;
               },
               {{"database", std::string_view(plan_.database)}, {"fallback", std::string_view(plan_.fallback)}});
}

void Fallback::announce_closed() noexcept {
  const auto took = std::chrono::round<std::chrono::milliseconds>(runtime::now() - spooling_since_);
  log::warning("fleet", "spool_closed",
               [&] {
                 return "[SPOOL] " + plan_.database + " is back: its spool is empty after " +
                        std::to_string(took.count()) + "ms, writes go direct";
               },
               {{"database", std::string_view(plan_.database)}, {"fallback", std::string_view(plan_.fallback)}});
}

SpoolStatus Fallback::status() const {
  SpoolStatus out;
  out.fallback = plan_.fallback;
  switch (gate_.state()) {
    case SpoolGate::State::direct: out.state = "direct"; break;
    case SpoolGate::State::opening: out.state = "opening"; break;
    case SpoolGate::State::spooling: out.state = "spooling"; break;
  }
  out.entries = gate_.usage().entries;
  out.bytes = gate_.usage().bytes;
  out.age = gate_.usage().age;
  out.refused = refused_;
  out.max_entries = plan_.limits.max_entries;
  out.max_bytes = plan_.limits.max_bytes;
  out.max_age = plan_.limits.max_age;
  out.kept_total = kept_total_;
  out.drained_total = drained_total_;
  out.last_error = drain_error_;
  return out;
}

void Fallback::note_maintenance() noexcept {
  const bool now = gate_.maintenance();
  if (std::exchange(in_maintenance_, now) == now) return;
  log::warning(
      "fleet", now ? "maintenance_begun" : "maintenance_ended",
      [&] { return "[MAINTENANCE] " + plan_.database + (now ? " is in maintenance" : " is back in service"); },
      {{"database", std::string_view(plan_.database)}});
  if (plan_.on_maintenance) plan_.on_maintenance(now);
}

void Fallback::watch() noexcept {
  if (!retired_ && !watching_.running()) watching_.start(watch_loop(*this));
}

/// Databases that have one fallback begin together: each looks at a moment of its own, so that with nothing else to
/// do there is never more than one session in use there.
Task<void> Fallback::watch_loop(Fallback& self) {
  const auto slot = static_cast<int>(std::hash<std::string>()(self.plan_.database) % kWatchSlots);
  co_await sleep(kWatchPause * slot / kWatchSlots);
  for (;;) {
    self.start_look();
    co_await sleep(kWatchPause);
  }
}

Task<void> Fallback::inspect() {
  const std::shared_ptr<Fallback> self = shared_from_this();
  if (spools()) co_await store_.ensure();
  start_look();
  co_await changed_.wait();
}

Task<void> Fallback::drained(TimePoint deadline) {
  const std::shared_ptr<Fallback> self = shared_from_this();
  for (;;) {
    start_look();
    co_await changed_.wait();
    if (gate_.state() == SpoolGate::State::direct && !gate_.maintenance()) co_return;
    if (runtime::now() >= deadline) {
      throw Error(ErrorKind::Deadline, "the spool of " + quoted(plan_.database) + " is not empty: " +
                                           std::to_string(gate_.usage().entries) + " entries are left")
          .with_hint(drain_error_)
          .with_database(plan_.database);
    }
    co_await sleep(std::min(plan_.times.drain_pause, deadline - runtime::now()));
  }
}

// -- draining --

void Fallback::poke_drain() noexcept {
  if (retired_) return;
  drain_.poke();
  poked_.notify();
  if (!draining_.running()) draining_.start(drain_loop(*this));
}

Task<void> Fallback::drain_rest(TimePoint until) {
  const auto poked = [](runtime::AsyncEvent& event) -> Task<void> { co_await event.wait(); };
  co_await any(sleep_until(until), poked(poked_));
}

Task<void> Fallback::drain_loop(Fallback& self) {
  for (;;) {
    const TimePoint now = runtime::now();
    const DrainAction action = self.drain_.next(now);
    if (action.step != DrainStep::rest) {
      co_await self.drain_step(action);
      continue;
    }
    if (self.drain_.finished() && self.gate_.state() != SpoolGate::State::spooling) co_return;
    co_await self.drain_rest(std::min(action.until, deadline_after(now, kLookPause)));
    if (self.gate_.state() == SpoolGate::State::spooling) self.start_look();
  }
}

Task<void> Fallback::drain_step(DrainAction action) {
  std::size_t count = 0;
  DrainOutcome outcome = DrainOutcome::failed;
  try {
    if (plan_.before_step) plan_.before_step(action.step);
    outcome = co_await perform(action, count);
    if (outcome == DrainOutcome::done) drain_error_.clear();
  } catch (const std::exception& error) {
    drain_error_ = error.what();
  }
  drain_.answer(outcome, count, runtime::now());
}

Task<DrainOutcome> Fallback::perform(DrainAction action, std::size_t& count) {
  const auto if_mine = [](bool mine) { return mine ? DrainOutcome::done : DrainOutcome::fenced; };
  const Duration length = plan_.times.lease;
  switch (action.step) {
    case DrainStep::rest: co_return DrainOutcome::done;
    case DrainStep::lease: {
      if (gate_.maintenance() || (plan_.barred && plan_.barred())) co_return DrainOutcome::held;
      const auto token = co_await store_.lease(holder_, length);
      if (!token) co_return DrainOutcome::held;
      token_ = *token;
      co_return DrainOutcome::done;
    }
    case DrainStep::resume: {
      auto applied = co_await target_.resume(co_await store_.source(), token_);
      if (!applied) co_return DrainOutcome::fenced;
      down_until_ = {};
      if (plan_.on_reached) plan_.on_reached();
      forgettable_ = std::move(*applied);
      count = forgettable_.size();
      co_return DrainOutcome::done;
    }
    case DrainStep::forget: co_return if_mine(co_await store_.forget(token_, forgettable_, length));
    case DrainStep::read:
      batch_ = co_await store_.read(action.limit);
      count = batch_.size();
      co_return DrainOutcome::done;
    case DrainStep::apply: co_return co_await apply();
    case DrainStep::bury: {
      const std::string sqlstate = refusal_ ? std::string(refusal_->sqlstate()) : std::string();
      const std::string error = refusal_ ? std::string(refusal_->what()) : std::string();
      const Uuid entry = batch_.front().entry;
      const bool mine = co_await store_.bury(token_, entry, sqlstate, error, length);
      if (mine) {
        ++refused_;
        log::error("fleet", "spool_refused",
                   [&] {
                     return "[SPOOL] " + plan_.database +
                            " refused an entry of its spool, it is kept apart: " + error;
                   },
                   {{"database", std::string_view(plan_.database)}, {"sqlstate", std::string_view(sqlstate)}});
      }
      co_return if_mine(mine);
    }
    case DrainStep::close:
      switch (co_await store_.close(token_, plan_.times.close_patience)) {
        case CloseOutcome::closed:
          if (gate_.found_closed(runtime::now())) announce_closed();
          changed_.notify();
          co_return DrainOutcome::done;
        case CloseOutcome::entries_left: count = 1; co_return DrainOutcome::left;
        case CloseOutcome::writers_busy: co_return DrainOutcome::left;
        case CloseOutcome::fenced: co_return DrainOutcome::fenced;
      }
      co_return DrainOutcome::failed;
    case DrainStep::release: co_await store_.release(token_); co_return DrainOutcome::done;
  }
  co_return DrainOutcome::failed;
}

Task<DrainOutcome> Fallback::apply() {
  std::vector<ReadyEntry> ready;
  std::vector<Uuid> names;
  std::optional<Error> unreadable;
  for (const StoredEntry& stored : batch_) {
    const auto view = stored.payload.view();
    std::string clear;
    if (stored.sealed) {
      if (!plan_.cipher) {
        throw Error(ErrorKind::Config, "the spool of " + quoted(plan_.database) +
                                           " holds encrypted entries, and spool_key is not set");
      }
      clear = plan_.cipher->open(plan_.database, stored.entry, view).value_or_throw();
    } else {
      clear = std::string(view);
    }
    auto entry = decode_entry(clear);
    if (!entry.ok()) {
      unreadable = entry.error();
      break;
    }
    ready.push_back({.position = stored.position, .entry = stored.entry, .statements = std::move(*entry)});
    names.push_back(stored.entry);
  }
  if (unreadable) {
    refusal_ = *unreadable;
    co_return DrainOutcome::refused;
  }
  const Applied applied = co_await target_.apply(co_await store_.source(), token_, std::move(ready));
  if (applied.error) {
    drain_error_ = applied.error->what();
    refusal_ = *applied.error;
  } else {
    drained_total_ += names.size();
    forgettable_ = std::move(names);
  }
  co_return applied.outcome;
}

}  // namespace switchyard::inline v0::fleet
