#include <switchyard/pool/lane_impl.hpp>
#include <switchyard/runtime/arrival.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/values/row.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::pool {
namespace {

using Submitted = protocol::Pipeline::Submitted;

/// Sessions that were used before are closed for others; so many at one time.
constexpr unsigned kMostRefused = 64;
/// What a prepared point read costs a server process, about; texts with many joins and partitions more.
constexpr std::size_t kPreparedBytes = 12 << 10;
constexpr std::size_t kPreparedBytesPerByte = 24;
constexpr std::size_t kMostPreparedBytes = 24 << 20;

/// What must stay as it was when the session was set up: its settings and its role.
constexpr std::string_view kAudit =
    "SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.md5(pg_catalog.string_agg("
    "pg_catalog.concat(name, '=', setting), ',' ORDER BY name)), ' ', session_user, ' ', current_user) "
    "FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'";

bool lane_may_read(std::string_view encoding) noexcept {
  static constexpr std::array<std::string_view, 6> kKnown{"UTF8", "LATIN", "ISO_8859", "WIN", "KOI8", "SQL_ASCII"};
  return std::ranges::any_of(kKnown, [&](std::string_view known) { return encoding.starts_with(known); });
}

}  // namespace

LaneSeat::~LaneSeat() {
  if (state_ == State::acquiring) lane_.pool.abandon(*this);
}

void LaneSeat::open() noexcept {
  if (state_ != State::empty) return;
  state_ = State::acquiring;
  site = kLaneSite;
  deadline = kNever;
  on_connect_error = OnConnectError::fail;
  goes_first = true;
  lane_.pool.acquire(*this);
}

void LaneSeat::retire() noexcept {
  switch (state_) {
    case State::empty: break;
    case State::acquiring:
      state_ = State::empty;
      lane_.pool.abandon(*this);
      break;
    case State::setting_up:
      condemned_ = true;
      lane_.stir();
      break;
    case State::live: lane_.machine.retire(slot_, lane_.actions); break;
  }
}

void LaneSeat::on_failed(const Error& error) noexcept {
  state_ = State::empty;
  lane_.object("no session for a lane: " + std::string(error.message()), runtime::now());
}

void LaneSeat::on_granted(session::Session& session, Duration /*waited*/) noexcept {
  // What was set on it once may have left traces that no RESET removes, and what was set for its role or database
  // since it logged in has not reached it.
  if (!session.pristine() || session.opened() < lane_.generation_since()) {
    state_ = State::empty;
    const bool enough = ++refused_ > kMostRefused;
    if (enough) {
      refused_ = 0;
      lane_.object("its sessions were set up before, by their users or for them", runtime::now());
    } else {
      session.close();
    }
    lane_.pool.release(session);
    if (!enough) open();
    return;
  }
  session_ = &session;
  refused_ = 0;
  set_up();
}

void LaneSeat::set_up() noexcept {
  state_ = State::setting_up;
  opened_ = audited_ = runtime::now();
  generation_ = lane_.guard.generation();
  condemned_ = false;
  shares_sync_ = true;
  prepared_.clear();
  prepared_bytes_ = 0;
  preparing_.clear();
  preparing_at_ = 0;
  answered_.clear();
  setup_sink_.failed = false;
  setup_sink_.objection.clear();
  canary_.under_way = audit_.under_way = false;
  pipeline_ = &session_->let(*this);
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(lane_.settings.lock_timeout);
  text_ = lane_.settings.setup_sql;
  if (!text_.empty()) text_ += "; ";
  text_ += "SET default_transaction_read_only = on; SET lock_timeout = " + std::to_string(wait.count()) +
           "; SELECT pg_catalog.current_setting('default_transaction_isolation'), "
           "pg_catalog.current_setting('standard_conforming_strings'), "
           "pg_catalog.current_setting('client_encoding'), "
           "coalesce(pg_catalog.current_setting('transaction_timeout', true), '0'), pg_catalog.pg_backend_pid(); ";
  text_ += kAudit;
  check(pipeline_->query(text_, &setup_sink_));
  session_->flush();
  patience_.arm(deadline_after(opened_, lane_.settings.setup_patience));
}

void LaneSeat::on_patience(void* self) noexcept {
  auto& seat = *static_cast<LaneSeat*>(self);
  seat.lane_.object("the server did not answer while a session was set up", runtime::now());
  seat.close(Error(ErrorKind::Unavailable, "the server did not answer while the session was set up for a lane"));
}

void LaneSeat::SetupSink::on_row(protocol::RowView row) noexcept {
  if (row.count() == 1) {
    try {
      seat.audit_.expected.assign(row[0].bytes());
    } catch (const std::exception&) {
      objection = "memory is short";
    }
    return;
  }
  // Behind a pooler the next statement may find another session, without these settings.
  if (row[4].bytes() != std::to_string(seat.server_pid())) objection = "a pooler stands in front of the server";
  if (row[0].bytes() != "read committed") objection = "transactions are not READ COMMITTED by default";
  if (row[1].bytes() != "on") objection = "standard_conforming_strings is off";
  if (!lane_may_read(row[2].bytes())) objection = "the client encoding is not UTF8 or single-byte";
  seat.shares_sync_ = row[3].bytes() == "0";
}

void LaneSeat::SetupSink::on_error(const ServerFields& fields) noexcept {
  failed = true;
  objection = fields.message;
}

void LaneSeat::SetupSink::on_ready(char status) noexcept {
  if (failed || !objection.empty() || status != 'I') {
    seat.lane_.object("a session can't be shared: " + objection, runtime::now());
    seat.condemned_ = true;
    seat.lane_.stir();
    return;
  }
  seat.go_live();
}

void LaneSeat::go_live() noexcept {
  const auto slot = lane_.machine.add(runtime::now());
  if (!slot) {
    condemned_ = true;
    lane_.stir();
    return;
  }
  slot_ = *slot;
  state_ = State::live;
  patience_.disarm();
  lane_.shares_sync = shares_sync_;
  lane_.seat_changed(*this);
  lane_.stir();
}

void LaneSeat::close(const Error& reason) noexcept {
  if (session_ != nullptr) session_->abort(reason);
}

void LaneSeat::on_lost(const Error& reason) noexcept {
  const LaneSlot slot = std::exchange(slot_, kNoLaneSlot);
  if (state_ == State::live) {
    const std::string_view state = reason.sqlstate();
    // Told to end, or in the way of replication: not for what it ran.
    const bool clean = state == "57P01" || state == "40001" || reason.kind() == ErrorKind::Closed;
    lane_.machine.lost(slot, clean ? LaneLoss::clean : LaneLoss::unexplained);
    for (;;) {
      const LaneMachine::Lost lost = lane_.machine.lose_next(slot);
      if (lost.entry == nullptr) break;
      if (lost.entry == &canary_ || lost.entry == &audit_) continue;
      auto& call = static_cast<LaneCall&>(*lost.entry);
      if (lost.was_head && !clean) call.shape->note_loss(runtime::now());
      if (lost.answer == LaneAnswer::lease) {
        lane_.lease(call, LaneExit::session_lost);
      } else if (lost.answer == LaneAnswer::broken) {
        lane_.fail(call, reason);
      }
      call.steps = 0;
      call.let_go();
    }
    lane_.at_slot_[slot] = nullptr;
  }
  give_back();
  lane_.stir();
}

void LaneSeat::give_back() noexcept {
  patience_.disarm();
  state_ = State::empty;
  pipeline_ = nullptr;
  session::Session* session = std::exchange(session_, nullptr);
  if (session != nullptr) lane_.pool.release(*session);
}

void LaneSeat::alarm(std::string_view what) noexcept {
  ++lane_.counters.alarms;
  if (lane_.observer != nullptr) lane_.observer->on_lane_alarm(what, server_pid());
  condemned_ = true;
  lane_.stir();
}

void LaneSeat::check(Submitted submitted) noexcept {
  if (submitted == Submitted::ok) return;
  condemned_ = true;
  lane_.stir();
}

// ---- statements ----

LaneSeat::Prepared& LaneSeat::prepared(const LaneShape& shape) {
  if (shape.id() >= prepared_.size()) prepared_.resize(shape.id() + 1);
  return prepared_[shape.id()];
}

const std::shared_ptr<const protocol::RowDescription>* LaneSeat::columns_of(const LaneShape& shape) const {
  return shape.id() < prepared_.size() ? &prepared_[shape.id()].columns : nullptr;
}

void LaneSeat::forget(std::uint32_t shape) noexcept {
  if (shape >= prepared_.size() || !prepared_[shape].there) return;
  Prepared& known = prepared_[shape];
  // Whatever refers to it is on the wire before this.
  check(pipeline_->close_statement(known.name, nullptr));
  check(pipeline_->sync(nullptr));
  prepared_bytes_ -= known.bytes;
  known = {};
}

void LaneSeat::make_room(std::size_t bytes) noexcept {
  while (prepared_bytes_ + bytes > kMostPreparedBytes && prepared_bytes_ > 0) {
    std::uint32_t oldest = 0;
    std::uint64_t used = ~std::uint64_t{0};
    for (std::uint32_t id = 0; id < prepared_.size(); ++id) {
      if (prepared_[id].there && prepared_[id].used < used) {
        used = prepared_[id].used;
        oldest = id;
      }
    }
    forget(oldest);
  }
}

void LaneSeat::end_group() noexcept {
  if (!pipeline_->needs_sync()) return;
  ++lane_.counters.syncs;
  check(pipeline_->sync(&sync_sink_));
}

LaneSeat::Prepared* LaneSeat::being_prepared() noexcept {
  const Preparing& now = preparing_[preparing_at_];
  Prepared& known = prepared_[now.shape];
  return known.serial == now.serial ? &known : nullptr;
}

void LaneSeat::prepare(LaneShape& shape) noexcept {
  try {
    Prepared& known = prepared(shape);
    if (known.there && known.epoch == shape.epoch() && (shape.described || !known.described)) return;
    end_group();
    forget(shape.id());
    const std::size_t bytes = kPreparedBytes + kPreparedBytesPerByte * shape.sql().size();
    make_room(bytes);
    known = {};
    known.serial = ++last_serial_;
    known.name = lane_.prefix + std::to_string(shape.id()) + "_" + std::to_string(known.serial);
    known.epoch = shape.epoch();
    known.used = ++uses_;
    known.bytes = bytes;
    known.there = true;
    prepared_bytes_ += bytes;
    if (preparing_at_ == preparing_.size()) {
      preparing_.clear();
      preparing_at_ = 0;
    }
    preparing_.push_back({shape.id(), known.serial});
    check(pipeline_->parse(known.name, shape.sql(), shape.types(), &prepare_sink_));
    check(pipeline_->describe_statement(known.name, &prepare_sink_));
    check(pipeline_->sync(&prepare_sink_));
  } catch (const std::exception&) {
    check(Submitted::out_of_memory);
  }
}

void LaneSeat::PrepareSink::on_parameter_description(std::span<const Oid> types) noexcept {
  Prepared* const known = seat.being_prepared();
  if (known == nullptr) return;
  try {
    known->parameter_types.assign(types.begin(), types.end());
  } catch (const std::exception&) {
    seat.check(Submitted::out_of_memory);
  }
}

void LaneSeat::PrepareSink::on_row_description(
    std::shared_ptr<const protocol::RowDescription> description) noexcept {
  Prepared* const known = seat.being_prepared();
  if (known == nullptr) return;
  known->columns = description;
  known->described = true;
  LaneShape* shape = seat.lane_.shapes.by_id(seat.preparing_[seat.preparing_at_].shape);
  if (shape == nullptr || known->epoch != shape->epoch()) return;
  if (shape->described && shape->description && *shape->description == *description &&
      shape->parameter_types == known->parameter_types) {
    known->columns = shape->description;  // the same object compares sooner
    return;
  }
  try {
    shape->parameter_types = known->parameter_types;
    shape->description = description;
    shape->native_formats = result_formats_for(*description);
    shape->native = with_formats(*description, shape->native_formats);
    shape->described = true;
  } catch (const std::exception&) {
    shape->described = false;
  }
}

void LaneSeat::PrepareSink::on_no_data() noexcept {
  if (seat.being_prepared() == nullptr) return;
  if (LaneShape* shape = seat.lane_.shapes.by_id(seat.preparing_[seat.preparing_at_].shape)) {
    shape->bar(kNever, "leased: it gives no rows");
  }
}

void LaneSeat::PrepareSink::on_error(const ServerFields& /*fields*/) noexcept {
  if (seat.being_prepared() == nullptr) return;
  const std::uint32_t id = seat.preparing_[seat.preparing_at_].shape;
  seat.forget(id);  // the Parse may have gone well, and the Describe not
  if (LaneShape* shape = seat.lane_.shapes.by_id(id)) {
    shape->bar(runtime::now() + std::chrono::seconds(1), "leased: it could not be prepared");
  }
}

void LaneSeat::PrepareSink::on_ready(char status) noexcept {
  ++seat.preparing_at_;
  if (status != 'I') seat.alarm("a lane session was left inside a transaction");
}

void LaneSeat::send(LaneCall& call, bool sync) noexcept {
  LaneShape& shape = *call.shape;
  const session::OperationState* operation = nullptr;
  for (const LaneCall* one = &call; one != nullptr && operation == nullptr; one = one->twin) {
    if (one->request != nullptr) operation = one->request->lane_operation;
  }
  SY_ASSERT(operation != nullptr);
  const bool unnamed = shape.wants_custom_plans;
  if (!unnamed) {
    if (shape.id() >= prepared_.size() || !prepared_[shape.id()].there ||
        prepared_[shape.id()].epoch != shape.epoch()) {
      prepare(shape);
      if (condemned_) return;  // without its name another statement would be bound; what is on the wire is leased
    }
  } else {
    call.unnamed = true;
    check(pipeline_->parse({}, shape.sql(), shape.types(), &call));
    check(pipeline_->describe_statement({}, &call));
    call.steps += 2;
  }
  const Parameters& parameters = operation->parts.front().parameters;
  std::span<const std::int16_t> formats = protocol::kAllBinary;
  if (operation->format == session::RowFormat::native) formats = shape.native_formats;
  if (operation->format == session::RowFormat::given) formats = operation->result_formats;
  // Where the server has yet to say what the columns are, the first row waits for that:
  // LaneCall::compare_columns().
  int columns = protocol::kAnyColumns;
  if (!unnamed && prepared_[shape.id()].described)
    columns = static_cast<int>(prepared_[shape.id()].columns->size());
  const std::string_view name = unnamed ? std::string_view() : prepared_[shape.id()].name;
  check(pipeline_->bind_execute(
      name,
      protocol::BindArguments{
          .formats = parameters.formats(), .count = parameters.size(), .values = parameters.value_bytes()},
      formats, &call, columns, lane_.settings.row_cap));
  call.steps += 2;
  if (!unnamed) prepared_[shape.id()].used = ++uses_;
  const TimePoint now = runtime::now();
  for (LaneCall* one = &call; one != nullptr; one = one->twin) {
    if (one->request == nullptr) continue;
    one->request->lane_operation->set_phase(session::OperationState::Phase::sent);
    one->request->on_sent(now);
  }
  // With transaction_timeout a group would be one transaction too long.
  if (sync || !shares_sync_) {
    ++lane_.counters.syncs;
    check(pipeline_->sync(&sync_sink_));
  }
}

void LaneSeat::note_alone(LaneShape& shape, Duration took, TimePoint now) noexcept {
  shape.note_run(took, lane_.pool.in_use(), now);
  if (shape.id() >= prepared_.size()) return;
  Prepared& known = prepared_[shape.id()];
  if (!known.there || known.generic_runs >= kPlansCompared) return;
  const bool custom = known.answers <= kCustomPlans;
  if (!custom) ++known.generic_runs;
  // The least of each: hiccups of the machine are not the plan's.
  Duration& least = custom ? known.custom : known.generic;
  if (took < least || least == Duration::zero()) least = took;
  if (known.generic_runs < kPlansCompared || known.custom == Duration::zero()) return;
  if (known.generic > known.custom * 3 && known.generic - known.custom > std::chrono::microseconds(500)) {
    shape.wants_custom_plans = true;
  }
}

void LaneSeat::note_answer(const LaneShape& shape) {
  answered_.push_back(shape.id());
  if (shape.id() < prepared_.size()) ++prepared_[shape.id()].answers;
}

void LaneSeat::flush() noexcept {
  if (session_ != nullptr && state_ != State::acquiring) session_->flush();
}

void LaneSeat::cancel() noexcept {
  ++lane_.counters.cancels;
  if (session_ != nullptr) session_->cancel();
}

void LaneSeat::SyncSink::on_error(const ServerFields& /*fields*/) noexcept {
  seat.alarm("the end of a read-only group failed");
}

void LaneSeat::SyncSink::on_ready(char status) noexcept {
  if (status != 'I') {
    seat.alarm("a lane session was left inside a transaction");
    return;
  }
  if (seat.slot_ == kNoLaneSlot) return;
  const TimePoint now = runtime::now();
  Lane::Impl& lane = seat.lane_;
  const std::optional<Duration> each =
      lane.machine.synced(seat.slot_, now, std::min(now, runtime::earliest_arrival()), lane.actions);
  if (each && seat.answered_.size() == 1) {
    if (LaneShape* shape = lane.shapes.by_id(seat.answered_.front())) seat.note_alone(*shape, *each, now);
  } else if (each && *each * static_cast<int>(seat.answered_.size()) >= kSlowInLane) {
    for (const std::uint32_t id : seat.answered_) {
      if (LaneShape* shape = lane.shapes.by_id(id)) shape->suspect();
    }
  }
  seat.answered_.clear();
  if (!lane.actions.empty()) lane.stir();
}

void LaneSeat::on_answers() noexcept { lane_.stir(); }

void LaneSeat::on_cancel_settled() noexcept {
  if (slot_ == kNoLaneSlot) return;
  lane_.machine.cancel_settled(slot_, runtime::now(), lane_.actions);
  lane_.stir();
}

void LaneSeat::on_parameter_changed(std::string_view /*name*/) noexcept {
  // Nothing that is let into a lane changes a setting: the server's own have changed, or the session's are not to
  // be trusted. Either way it gets no more statements.
  if (state_ != State::live) return;
  lane_.machine.retire(slot_, lane_.actions);
  lane_.stir();
}

void LaneSeat::on_notice(const ServerFields& /*notice*/) noexcept {
  if (state_ != State::live) return;
  const protocol::ResponseSink* const head = pipeline_->head();
  if (head != &prepare_sink_) {
    // A lane has no way to pass it on, and who runs the statement alone is told.
    LaneEntry* const first = lane_.machine.head(slot_);
    if (first == nullptr || first == &canary_ || first == &audit_) return;
    auto* const call = static_cast<LaneCall*>(first);
    if (static_cast<const protocol::ResponseSink*>(call) == head) call->noticed = true;
    return;
  }
  // Whoever parses such a text wants to be told each time.
  if (being_prepared() == nullptr) return;
  if (LaneShape* shape = lane_.shapes.by_id(preparing_[preparing_at_].shape)) {
    shape->bar(kNever, "leased: the server has something to say of it");
  }
}

// ---- tripwires ----

void LaneSeat::ask(TripwireSink& wire, std::string_view sql, TimePoint now) noexcept {
  if (state_ != State::live || wire.under_way || !lane_.machine.takes(slot_)) return;
  wire.held = false;
  wire.under_way = true;
  wire.bound = true;
  wire.budget = kMostBudget;
  lane_.machine.put(slot_, wire, now);
  check(pipeline_->parse({}, sql, {}, nullptr));
  check(pipeline_->bind_execute({}, {}, protocol::kAllText, &wire, 1));
  check(pipeline_->sync(&sync_sink_));
  session_->flush();
}

void LaneSeat::send_canary(TimePoint now) noexcept {
  if (canary_.under_way) return;
  canary_.expected = std::to_string(lane_.random.next());
  canary_.is_canary = true;
  text_ = "SELECT '" + canary_.expected + "'";
  ask(canary_, text_, now);
}

void LaneSeat::send_audit(TimePoint now) noexcept {
  audited_ = now;
  audit_.is_canary = false;
  ask(audit_, kAudit, now);
}

void LaneSeat::TripwireSink::on_row(protocol::RowView row) noexcept { held = row[0].bytes() == expected; }

void LaneSeat::TripwireSink::on_command_complete(std::string_view /*tag*/) noexcept {
  under_way = false;
  if (state() == State::free) return;
  (void)seat.lane_.machine.completed(seat.slot_, runtime::now());
  if (held) {
    ++seat.lane_.counters.canaries;
  } else {
    seat.alarm(is_canary ? "an answer was not the one to its question"
                         : "settings or role of a lane session are not as they were");
  }
}

void LaneSeat::TripwireSink::on_error(const ServerFields& /*fields*/) noexcept {
  if (state() == State::free) return;
  under_way = false;
  (void)seat.lane_.machine.failed(seat.slot_, LaneFault::statement, runtime::now());
}

void LaneSeat::TripwireSink::on_skipped() noexcept {
  if (state() == State::free) return;
  under_way = false;
  (void)seat.lane_.machine.skipped(seat.slot_);
}

void LaneSeat::TripwireSink::on_ready(char /*status*/) noexcept {}

}  // namespace switchyard::inline v0::pool
