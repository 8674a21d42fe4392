#include <switchyard/pool/lane_impl.hpp>
#include <switchyard/runtime/loop.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::pool {
namespace {

/// Errors that a session of its own might not have given: the statement is run once more, alone.
bool is_lanes_own(std::string_view sqlstate) noexcept {
  static constexpr std::array<std::string_view, 9> kStates{
      "40001",   // serialization failure, recovery conflict
      "40P01",   // deadlock: over locks of others in the group
      "55P03",   // lock_timeout of the lane
      "57014",   // cancelled, perhaps on behalf of somebody else
      "25006",   // the lane only reads
      "25P02",   // an earlier failure that was not noticed
      "26000",   // the prepared statement has gone
      "08P01",   // the server did not understand the lane
      "0A000"};  // its columns have changed, or it can't be done here
  // Names may have changed since it was parsed; memory may be short in this session; internal errors.
  static constexpr std::array<std::string_view, 3> kClasses{"42", "53", "XX"};
  return std::ranges::find(kStates, sqlstate) != kStates.end() ||
         std::ranges::any_of(kClasses, [&](std::string_view one) { return sqlstate.starts_with(one); });
}

LaneExit exit_of(std::string_view sqlstate) noexcept {
  if (sqlstate == "55P03") return LaneExit::lock_wait;
  if (sqlstate == "25006") return LaneExit::read_only;
  if (sqlstate == "0A000") return LaneExit::columns;
  return sqlstate.starts_with("42") ? LaneExit::name_error : LaneExit::lane_error;
}

constexpr Duration kRowCapBar = std::chrono::seconds(30);
constexpr Duration kWriteBar = std::chrono::hours(24);
constexpr Duration kNoticeBar = std::chrono::minutes(10);

}  // namespace

void LaneCall::let_go() noexcept {
  if (steps == 0 && state() == State::free && request == nullptr) lane.give_call(*this);
}

bool LaneCall::wanted() const noexcept {
  for (const LaneCall* call = this; call != nullptr; call = call->twin) {
    if (call->request != nullptr) return true;
  }
  return false;
}

bool LaneCall::compare_columns() noexcept {
  described = true;
  const LaneSeat* seat = lane.seat_at(slot());
  const auto* known = unnamed ? &actual : seat != nullptr ? seat->columns_of(*shape) : nullptr;
  const bool same = known != nullptr && *known && columns && (*known == columns || **known == *columns);
  if (!same) mismatch = true;
  return same;
}

void LaneCall::on_row_description(std::shared_ptr<const protocol::RowDescription> description) noexcept {
  --steps;
  actual = std::move(description);
}

void LaneCall::on_bind_complete() noexcept {
  --steps;
  if (!on_wire()) return;
  for (LaneCall* call = this; call != nullptr; call = call->twin) {
    if (call->request != nullptr) call->request->lane_operation->on_bind_complete();
  }
}

void LaneCall::on_row(protocol::RowView row) noexcept {
  if (!on_wire()) return;
  if (!lane.machine.rows(slot(), row.bytes().size())) return;
  if (!described && !compare_columns()) return;
  if (mismatch) return;
  for (LaneCall* call = this; call != nullptr; call = call->twin) {
    if (call->request != nullptr) call->request->lane_operation->on_row(row);
  }
}

void LaneCall::on_rows(protocol::RowRun& run) noexcept {
  const bool simple = on_wire() && state() != State::ghost && twin == nullptr && request != nullptr && !mismatch;
  if (!simple || (!described && !compare_columns())) {
    ResponseSink::on_rows(run);
    return;
  }
  const char* const from = run.position();
  request->lane_operation->on_rows(run);
  (void)lane.machine.rows(slot(), static_cast<std::uint64_t>(run.position() - from));
}

void LaneCall::on_command_complete(std::string_view tag) noexcept {
  --steps;
  if (!on_wire()) return let_go();
  if (LaneSeat* seat = lane.seat_at(slot())) seat->note_answer(*shape);
  // Of an answer without rows they count as well.
  if (!described) (void)compare_columns();
  if (spoiled()) {
    // Unless those who come now are told better already.
    if (mismatch && columns == shape->description) shape->described = false;
    if (noticed) shape->bar(runtime::now() + kNoticeBar, "leased: the server has something to say of it");
    const LaneAnswer answer = lane.machine.failed(slot(), LaneFault::lane, runtime::now());
    if (answer != LaneAnswer::discard) lane.lease(*this, mismatch ? LaneExit::columns : LaneExit::lane_error);
    return let_go();
  }
  if (state() == State::streaming) shape->bar(runtime::now() + kRowCapBar, "leased: its answers are large");
  if (lane.machine.completed(slot(), runtime::now()) == LaneAnswer::deliver) {
    for (LaneCall* call = this; call != nullptr; call = call->twin) {
      if (call->request != nullptr) call->request->lane_operation->on_command_complete(tag);
    }
    lane.finish(*this);
  }
  let_go();
}

void LaneCall::on_empty_query() noexcept { on_command_complete({}); }

void LaneCall::on_portal_suspended() noexcept {
  --steps;
  if (!on_wire()) return let_go();
  const TimePoint now = runtime::now();
  shape->bar(now + kRowCapBar, "leased: its answers have more rows than the row cap");
  if (lane.machine.suspended(slot(), now) != LaneAnswer::discard) lane.lease(*this, LaneExit::row_cap);
  let_go();
}

void LaneCall::on_error(const ServerFields& fields) noexcept {
  --steps;
  if (!on_wire()) return let_go();
  const TimePoint now = runtime::now();
  const bool own = noticed || is_lanes_own(fields.sqlstate);
  const bool cancelled = fields.sqlstate == "57014" && state() == State::ghost;  // by the lane: nobody waited
  if (own && !cancelled) {
    shape->note_fault(now);
    if (exit_of(fields.sqlstate) == LaneExit::columns || exit_of(fields.sqlstate) == LaneExit::name_error) {
      shape->described = false;
    }
    if (fields.sqlstate == "25006") shape->bar(now + kWriteBar, "leased: it writes");
    if (LaneSeat* seat = lane.seat_at(slot()); seat != nullptr && fields.sqlstate != "55P03") {
      seat->forget(shape->id());
    }
  } else if (!own) {
    shape->note_failure();
  }
  switch (lane.machine.failed(slot(), own ? LaneFault::lane : LaneFault::statement, now)) {
    case LaneAnswer::deliver:
      for (LaneCall* call = this; call != nullptr; call = call->twin) {
        if (call->request != nullptr) call->request->lane_operation->on_error(fields);
      }
      lane.finish(*this);
      break;
    case LaneAnswer::lease: lane.lease(*this, exit_of(fields.sqlstate)); break;
    case LaneAnswer::broken: lane.fail(*this, Error(fields, ErrorStage::sent)); break;
    case LaneAnswer::discard:
    case LaneAnswer::again: break;
  }
  let_go();
}

void LaneCall::on_skipped() noexcept {
  --steps;
  if (!on_wire()) return let_go();
  if (lane.machine.skipped(slot()) == LaneAnswer::again) lane.again(*this);
  let_go();
}

/// The seat tells what becomes of those that were on the wire.
void LaneCall::on_lost(const Error& /*error*/) noexcept {
  --steps;
  if (!on_wire()) let_go();
}

}  // namespace switchyard::inline v0::pool
