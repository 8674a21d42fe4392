#include <switchyard/pool/lane.hpp>

#include <switchyard/pool/lane_impl.hpp>
#include <switchyard/runtime/loop.hpp>

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <utility>

namespace switchyard::inline v0::pool {
namespace {

using session::OperationState;

/// Once half of the places are taken, statements that were not used for so long are forgotten.
constexpr Duration kShapesKept = std::chrono::minutes(5);
/// After a reason not to open sessions it is asked again so much later.
constexpr Duration kObjectionKept = std::chrono::seconds(5);
/// Twins are looked for among so many of the last ones.
constexpr std::size_t kMostTwins = 64;
/// Statements are sent again behind others at most so often.
constexpr std::uint32_t kMostMoves = 5;

/// Nobody outside can guess a statement's name, and two processes behind one pooler do not share one.
std::string random_prefix() {
  std::array<unsigned char, 4> bytes{};
  (void)RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "sy_";
  for (const unsigned char byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out + "_";
}

std::uint64_t random_seed() noexcept {
  std::array<unsigned char, 8> bytes{};
  (void)RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  std::uint64_t seed = 0;
  std::memcpy(&seed, bytes.data(), bytes.size());
  return seed;
}

const std::string& process_prefix() {
  static const std::string prefix = random_prefix();
  return prefix;
}

LaneSettings within(LaneSettings settings, const Pool& pool) {
  settings.limits.sessions = std::min(settings.limits.sessions, pool.settings().max / 2);
  return settings;
}

}  // namespace

Lane::Lane(LaneSettings settings, Pool& pool, LaneGuard& guard, LaneObserver* observer)
    : impl_(std::make_unique<Impl>(std::move(settings), pool, guard, observer)) {}
Lane::~Lane() = default;
Lane::Admission Lane::submit(LaneRequest& request, OperationState& operation, TimePoint now) noexcept {
  try {
    return impl_->submit(request, operation, now);
  } catch (const std::exception&) {
    return {false, "leased: memory is short"};
  }
}
void Lane::withdraw(LaneRequest& request) noexcept { impl_->withdraw(request); }
void Lane::learn(const OperationState& operation, Duration took, TimePoint now) noexcept {
  impl_->learn(operation, took, now);
}
std::string_view Lane::explain(std::string_view sql, TimePoint now) { return impl_->explain(sql, now); }
void Lane::retire() noexcept { impl_->retire(); }
LaneStats Lane::stats() const { return impl_->stats(); }
Lane::Load Lane::load() const noexcept {
  return {impl_->machine.sessions(), impl_->machine.outstanding() + impl_->machine.queued()};
}

Lane::Impl::Impl(LaneSettings wanted, Pool& owner, LaneGuard& catalogue, LaneObserver* watcher)
    : settings(within(std::move(wanted), owner)),
      pool(owner),
      guard(catalogue),
      observer(watcher),
      machine(settings.limits),
      random(random_seed()),
      prefix(process_prefix()) {
  for (std::uint32_t i = 0; i < settings.limits.sessions; ++i) seats_.emplace_back(*this);
  at_slot_.resize(settings.limits.sessions);
}

Lane::Impl::~Impl() {
  closing = true;
  turn_end_.cancel();
  while (LaneEntry* entry = machine.take_queued()) lease(static_cast<LaneCall&>(*entry), LaneExit::closing);
  for (LaneSeat& seat : seats_) seat.close(Error(ErrorKind::Closed, "the shared lane was closed"));
}

/// What kind of operation it is.
std::string_view Lane::Impl::refuse(const OperationState& operation) const noexcept {
  if (!settings.enabled) return "leased: lane = \"leased\" for this database";
  if (closing) return lane_exit_text(LaneExit::closing);
  if (operation.lane == LaneUse::leased) return "leased: the statement asks for it";
  if (operation.parts.size() != 1 || !operation.repeats.empty() || operation.script) {
    return "leased: not a single statement";
  }
  if (!operation.shareable) return "leased: not a read whose answer is wanted as a whole";
  if (operation.in_transaction || operation.undecided) return "leased: part of a transaction";
  if (operation.format == session::RowFormat::none || operation.format == session::RowFormat::text) {
    return "leased: its rows are wanted as text";
  }
  if (operation.parts.front().parameters.value_bytes().size() > kMaxLaneBind) {
    return "leased: its arguments are larger than 64 kB";
  }
  if (settings.limits.sessions == 0) return "leased: a pool of fewer than 2 sessions has no lane";
  return {};
}

std::string_view Lane::Impl::check_shape(LaneShape& shape, TimePoint now) {
  if (!guard.trusted()) {
    // Both are looked at, the one beside the other.
    if (shape.epoch() == LaneShape::kNoEpoch) (void)guard.judge(shape.sql(), shape.types());
    return kBeingLookedAt;
  }
  if (const std::uint64_t epoch = guard.epoch(); shape.epoch() != epoch) {
    auto verdict = guard.judge(shape.sql(), shape.types());
    if (!verdict) return kBeingLookedAt;
    shape.judge(std::move(*verdict), epoch);
  }
  return shape.objection(now);
}

Lane::Admission Lane::Impl::submit(LaneRequest& request, OperationState& operation, TimePoint now) {
  const Admission admission = admit(request, operation, now);
  if (!admission.taken) note_refusal(admission.reason);
  return admission;
}

/// Reasons of ours are static texts; those of verdicts are as many as there are statements.
void Lane::Impl::note_refusal(std::string_view why) {
  if (why.data() == objection_.data()) why = "leased: no session can be shared";
  if (refused_by_verdict_) why = "leased: the verdict on its text";
  for (LaneStats::Refusal& refusal : counters.refusals) {
    if (refusal.why != why) continue;
    ++refusal.count;
    return;
  }
  counters.refusals.push_back({why, 1});
}

Lane::Admission Lane::Impl::admit(LaneRequest& request, OperationState& operation, TimePoint now) {
  refused_by_verdict_ = false;
  if (const std::string_view why = refuse(operation); !why.empty()) return {false, why};
  const session::StatementPart& part = operation.parts.front();
  LaneShape* shape = shapes.find_or_add(part.sql, part.parameters.types());
  if (shape == nullptr) {
    // While the lane is open this is done each second.
    if (now - shapes_looked_at_ >= std::chrono::seconds(1)) forget_shapes(now);
    return {false, "leased: too long, or too many different statements"};
  }
  if (!shape->note_use(now)) return {false, "leased: not used often enough yet"};
  const bool closed = machine.open() == 0 && !(rests(now) && spare_sessions() == 0);
  if (closed && pool.in_use() + pool.waiting() < settings.opens_from)
    return {false, "leased: too few callers at one time"};
  if (const std::string_view why = check_shape(*shape, now); !why.empty()) {
    const bool soon = why == kBeingLookedAt;
    refused_by_verdict_ = !soon && !shape->may_share();
    return {false, why, soon};
  }
  if (closed) {
    if (now < may_open_at_) return {false, objection_};
    last_used_ = now;
    open_seats(now);
    return {false, "leased: the lane is being opened", true};
  }
  last_used_ = now;
  if (!shape->described) {
    bring_columns(*shape);
    return {false, "leased: its columns are being described", true};
  }
  if (part.parameters.size() != shape->parameter_types.size()) {
    return {false, "leased: it has not as many arguments as parameters"};
  }
  const auto& columns = operation.format == session::RowFormat::native ? shape->native : shape->description;
  operation.on_parameter_description(shape->parameter_types);
  operation.on_describe(columns);
  if (operation.error()) {
    operation.restart();
    return {false, "leased: its columns do not fit the type asked for"};
  }
  // What may fail for want of memory comes before what can't be taken back.
  if (settings.single_flight && waiting_.size() == waiting_.capacity()) waiting_.reserve(2 * waiting_.size() + 16);
  LaneCall& call = take_call();
  call.request = &request;
  call.shape = shape;
  ++shape->calls;
  call.columns = shape->description;
  request.call = &call;
  request.lane_operation = &operation;
  operation.arm_deadline();
  ++counters.statements;
  if (LaneCall* first = settings.single_flight ? find_twin(*shape, operation) : nullptr) {
    call.twin = first->twin;
    call.lead = first;
    first->twin = &call;
    ++counters.twins;
    return {true, "shared lane: answered by the execution of another caller"};
  }
  call.shares_sync = shares_sync && shape->is_sure();
  call.replayable = true;
  call.expected = shape->expected();
  call.budget = shape->budget();
  machine.submit(call);
  if (settings.single_flight) waiting_.push_back(&call);
  stir();
  return {true, "shared lane"};
}

LaneCall* Lane::Impl::find_twin(const LaneShape& shape, const OperationState& operation) noexcept {
  const ByteView values = operation.parts.front().parameters.value_bytes();
  const std::size_t from = waiting_.size() > kMostTwins ? waiting_.size() - kMostTwins : 0;
  for (std::size_t i = from; i < waiting_.size(); ++i) {
    LaneCall& other = *waiting_[i];
    if (other.shape != &shape || other.state() != LaneEntry::State::queued || other.request == nullptr) continue;
    if (other.columns != shape.description) continue;  // it was told of other columns
    const OperationState& theirs = *other.request->lane_operation;
    const Parameters& given = theirs.parts.front().parameters;
    if (theirs.format == operation.format && std::ranges::equal(theirs.result_formats, operation.result_formats) &&
        given.value_bytes() == values &&
        std::ranges::equal(given.formats(), operation.parts.front().parameters.formats())) {
      return &other;
    }
  }
  return nullptr;
}

void Lane::Impl::withdraw(LaneRequest& request) noexcept {
  LaneCall* call = std::exchange(request.call, nullptr);
  request.lane_operation = nullptr;
  if (call == nullptr) return;
  call->request = nullptr;
  LaneCall& lead = call->lead != nullptr ? *call->lead : *call;
  // Free: its end is being told, to one after the other.
  if (lead.state() == LaneEntry::State::free || lead.wanted()) return;
  const bool unsent = machine.withdraw(lead);
  finish(lead);  // of nobody: the places of its twins are free
  if (unsent) lead.let_go();
  stir();
}

void Lane::Impl::learn(const OperationState& operation, Duration took, TimePoint now) noexcept {
  if (!settings.enabled || !operation.shareable || operation.parts.size() != 1) return;
  LaneShape* shape = shapes.find(operation.parts.front().sql, operation.parts.front().parameters.types());
  if (shape != nullptr) shape->note_leased_run(took, pool.in_use(), now);
}

std::string_view Lane::Impl::explain(std::string_view sql, TimePoint now) {
  if (!settings.enabled) return "leased: lane = \"leased\" for this database";
  if (settings.limits.sessions == 0) return "leased: a pool of fewer than 2 sessions has no lane";
  LaneShape* shape = shapes.find_or_add(sql, {});
  if (shape == nullptr) return "leased: too long, or too many different statements";
  if (const std::string_view why = check_shape(*shape, now); !why.empty()) return why;
  return "shared lane, once several callers use it";
}

// ---- calls ----

LaneCall& Lane::Impl::take_call() {
  if (free_calls_.empty()) {
    calls_.push_back(std::make_unique<LaneCall>(*this));
    free_calls_.reserve(calls_.size());
    return *calls_.back();
  }
  LaneCall& call = *free_calls_.back();
  free_calls_.pop_back();
  return call;
}

void Lane::Impl::give_call(LaneCall& call) noexcept {
  call.request = nullptr;
  call.twin = call.lead = nullptr;
  if (call.shape != nullptr) --call.shape->calls;
  call.shape = nullptr;
  call.columns.reset();
  call.actual.reset();
  call.steps = 0;
  call.described = call.mismatch = call.noticed = call.unnamed = call.shares_sync = false;
  free_calls_.push_back(&call);
}

/// Nobody can be withdrawn from a list that is being worked off.
void Lane::Impl::close_list(LaneCall& lead) noexcept {
  for (LaneCall* one = lead.twin; one != nullptr; one = one->twin) one->lead = nullptr;
}

void Lane::Impl::finish(LaneCall& call) noexcept {
  close_list(call);
  for (LaneCall* one = &call; one != nullptr;) {
    LaneCall* const next = std::exchange(one->twin, nullptr);
    if (LaneRequest* request = std::exchange(one->request, nullptr)) {
      OperationState& operation = *std::exchange(request->lane_operation, nullptr);
      request->call = nullptr;
      operation.finish();
      operation.release();
    }
    if (one != &call) give_call(*one);
    one = next;
  }
}

void Lane::Impl::fail(LaneCall& call, const Error& error) noexcept {
  for (LaneCall* one = &call; one != nullptr; one = one->twin) {
    if (one->request == nullptr) continue;
    one->request->suspect = true;
    one->request->lane_operation->OperationState::on_lost(error);
  }
  finish(call);
}

void Lane::Impl::lease(LaneCall& call, LaneExit why) noexcept {
  close_list(call);
  if (std::exchange(leaving_at_, runtime::now()) != runtime::now()) leaving_ = 0;
  ++leaving_;
  for (LaneCall* one = &call; one != nullptr;) {
    LaneCall* const next = std::exchange(one->twin, nullptr);
    if (LaneRequest* request = std::exchange(one->request, nullptr)) {
      OperationState& operation = *std::exchange(request->lane_operation, nullptr);
      request->call = nullptr;
      ++counters.exits[static_cast<std::size_t>(why)];
      operation.restart();
      operation.set_phase(OperationState::Phase::queued);
      request->on_lease(why);
    }
    if (one != &call) give_call(*one);
    one = next;
  }
}

void Lane::Impl::move(LaneCall& from, LaneCall& to) noexcept {
  to.request = std::exchange(from.request, nullptr);
  if (to.request != nullptr) to.request->call = &to;
  to.twin = std::exchange(from.twin, nullptr);
  to.shape = from.shape;
  ++to.shape->calls;
  to.columns = from.columns;
  to.replayable = true;
  to.expected = from.expected;
  to.budget = from.budget;
  for (LaneCall* one = &to; one != nullptr; one = one->twin) {
    if (one != &to) one->lead = &to;
    if (one->request == nullptr) continue;
    one->request->lane_operation->restart();
    one->request->lane_operation->set_phase(OperationState::Phase::queued);
  }
}

void Lane::Impl::again(LaneCall& call) noexcept {
  try {
    LaneCall& next = take_call();
    move(call, next);
    machine.submit_again(next, call);
    stir();
  } catch (const std::exception&) {
    lease(call, LaneExit::lane_error);
  }
}

void Lane::Impl::reissue(LaneCall& call) noexcept {
  // Between the look at the clock and now its caller may have gone: the ghost's answer is all there is to come.
  if (!call.wanted()) return;
  // Where there is no session for it, it is sooner here than behind those who wait for one.
  if (call.moves() > 0 && (call.moves() >= kMostMoves || spare_sessions() > 0)) {
    lease(call, LaneExit::head_of_line);
    return;
  }
  ++counters.reissued;
  again(call);
}

// ---- sessions ----

void Lane::Impl::object(std::string reason, TimePoint now) {
  objection_ = "leased: " + std::move(reason);
  may_open_at_ = now + kObjectionKept;
}

void Lane::Impl::open_seats(TimePoint now) noexcept {
  if (closing || now < may_open_at_) return;
  // Two to begin with: while one is answered the other works.
  const std::uint32_t wanted = machine.queued() > 0 ? machine.open() + 1 : 2;
  std::uint32_t have = machine.open();
  for (LaneSeat& seat : seats_) {
    if (seat.state() == LaneSeat::State::acquiring || seat.state() == LaneSeat::State::setting_up) ++have;
  }
  for (LaneSeat& seat : seats_) {
    if (have >= wanted) break;
    if (seat.state() != LaneSeat::State::empty) continue;
    seat.open();
    ++have;
  }
  arm();
}

TimePoint Lane::Impl::generation_since() noexcept {
  const std::uint64_t generation = guard.generation();
  if (generation_ && *generation_ != generation) generation_since_ = runtime::now();
  generation_ = generation;
  return generation_since_;
}

void Lane::Impl::seat_changed(LaneSeat& seat) noexcept {
  if (seat.slot() != kNoLaneSlot) at_slot_[seat.slot()] = &seat;
  arm();
}

void Lane::Impl::bring_columns(LaneShape& shape) noexcept {
  for (LaneSeat& seat : seats_) {
    if (seat.state() != LaneSeat::State::live || !machine.takes(seat.slot())) continue;
    seat.prepare(shape);
    stir();
    return;
  }
}

void Lane::Impl::retire() noexcept {
  for (LaneSeat& seat : seats_) seat.retire();
  stir();
}

/// It may never end: its caller may go away, and the server be asked to cancel it.
void Lane::Impl::note_slow(LaneCall& call, bool alone, TimePoint now) noexcept {
  if (call.shape == nullptr) return;
  if (alone) {
    call.shape->note_run(call.budget, pool.in_use(), now);
  } else {
    call.shape->suspect();
  }
}

void Lane::Impl::perform(TimePoint now) noexcept {
  // Actions may cause others: they come behind.
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const LaneAction action = actions[i];
    LaneSeat* const seat = seat_at(action.slot);
    switch (action.kind) {
      case LaneAction::Kind::send: seat->send(static_cast<LaneCall&>(*action.entry), action.sync); break;
      case LaneAction::Kind::reissue: reissue(static_cast<LaneCall&>(*action.entry)); break;
      case LaneAction::Kind::slow: note_slow(static_cast<LaneCall&>(*action.entry), action.sync, now); break;
      case LaneAction::Kind::cancel: seat->cancel(); break;
      case LaneAction::Kind::close:
        if (seat != nullptr) {
          seat->close(Error(ErrorKind::Closed, "the shared lane gave the session back").with_session_lost());
        }
        break;
    }
  }
  actions.clear();
}

void Lane::Impl::turn() noexcept {
  const TimePoint now = runtime::now();
  waiting_.clear();
  perform(now);
  for (LaneSeat& seat : seats_) {
    if (seat.condemned())
      seat.close(Error(ErrorKind::Closed, "the session left the shared lane").with_session_lost());
  }
  // What is sent now was not sent when this turn began.
  machine.plan(machine.queued() > 0 ? std::max(now, Clock::now()) : now, actions);
  perform(now);
  for (LaneSeat& seat : seats_) seat.flush();
  closed_since_ = machine.open() != 0 ? kNever : std::min(closed_since_, now);
  if (machine.queued() > 0) {
    if (machine.open() == 0) lease_queued(now);
    open_seats(now);
  }
  arm();
}

std::uint32_t Lane::Impl::spare_sessions() const noexcept {
  const std::uint32_t leaving = leaving_at_ == runtime::now() ? leaving_ : 0;
  const std::uint32_t taken = pool.in_use() + pool.waiting() + leaving;
  return pool.settings().max - std::min(taken, pool.settings().max);
}

bool Lane::Impl::rests(TimePoint now) const noexcept {
  return machine.open() == 0 && machine.resting() > 0 &&
         (closed_since_ == kNever || now - closed_since_ < settings.rest_patience);
}

/// Nobody waits for the lane who could have a session, and nobody for long.
void Lane::Impl::lease_queued(TimePoint now) noexcept {
  const bool back_soon = rests(now);
  const LaneExit why = machine.resting() > 0 ? LaneExit::head_of_line : LaneExit::closing;
  std::uint32_t most = back_soon ? spare_sessions() : machine.queued();
  for (; most > 0; --most) {
    LaneEntry* entry = machine.take_queued();
    if (entry == nullptr) return;
    auto& call = static_cast<LaneCall&>(*entry);
    lease(call, why);
    call.let_go();
  }
}

void Lane::Impl::arm() noexcept {
  if (closing) return;
  if (machine.outstanding() > 0 || machine.queued() > 0) {
    // Looked at when it may matter, not moved with every statement.
    if (!tick_.armed()) {
      tick_.arm(std::min(machine.next_tick(), deadline_after(runtime::now(), kLeastBudget)));
    }
  }
  if (machine.sessions() > 0 && !look_.armed()) {
    look_.arm(deadline_after(runtime::now(), settings.look_every));
  }
}

void Lane::Impl::on_tick(void* self) noexcept {
  auto& lane = *static_cast<Impl*>(self);
  const TimePoint now = runtime::now();
  const bool waits = lane.machine.queued() > 0 && lane.machine.open() == 0;
  if (const TimePoint next = lane.machine.next_tick(); next > now && !waits) {
    // Who comes behind this one may have to be looked at sooner.
    if (next != kNever) lane.tick_.arm(std::min(next, deadline_after(now, kLeastBudget)));
    return;
  }
  lane.machine.tick(now, lane.actions);
  // At once: until it is told, an entry that leaves has a caller who may go away.
  lane.turn();
}

void Lane::Impl::look() noexcept {
  const TimePoint now = runtime::now();
  (void)generation_since();
  const bool idle = now - last_used_ >= settings.idle_timeout;
  const bool crowded = pool.crowded() && machine.open() > 1;
  bool gave_one = false;
  for (LaneSeat& seat : seats_) {
    if (seat.state() != LaneSeat::State::live) continue;
    const bool old = settings.max_lifetime > Duration::zero() && now - seat.opened() >= settings.max_lifetime;
    if (idle || old || seat.generation() != *generation_ || (crowded && !gave_one)) {
      gave_one = true;
      machine.retire(seat.slot(), actions);
      continue;
    }
    seat.send_canary(now);
    if (machine.outstanding(seat.slot()) <= 1 && now - seat.audited() >= settings.audit_every) seat.send_audit(now);
  }
  if (shapes.size() > kMaxLaneShapes / 2) forget_shapes(now);
  stir();
  arm();
}

void Lane::Impl::forget_shapes(TimePoint now) {
  shapes_looked_at_ = now;
  std::vector<std::uint32_t> forgotten;
  shapes.forget_older_than(now - kShapesKept, forgotten);
  for (LaneSeat& seat : seats_) {
    for (const std::uint32_t id : forgotten) seat.forget(id);
  }
}

LaneStats Lane::Impl::stats() const {
  LaneStats out = counters;
  out.sessions = machine.sessions();
  out.outstanding = machine.outstanding();
  out.queued = machine.queued();
  return out;
}

}  // namespace switchyard::inline v0::pool
