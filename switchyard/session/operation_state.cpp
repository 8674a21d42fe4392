#include <switchyard/session/operation_state.hpp>

#include <switchyard/base/units.hpp>
#include <switchyard/runtime/ambient.hpp>

#include <charconv>
#include <exception>
#include <utility>

namespace switchyard::inline v0::session {
namespace {
constexpr std::string_view kQueryCanceled = "57014";
/// What a recycled operation keeps for its next arguments.
constexpr std::size_t kKeptParameterBytes = 16 << 10;
}  // namespace

void OperationState::begin(std::coroutine_handle<> waiter) noexcept {
  waiter_ = waiter;
  if (error_) {
    // An argument could not be encoded: nothing is sent.
    finish();
  } else {
    host->start(*this);
    if (waiter && runtime::Ambient::used()) runtime::Ambient::remember(ready_);
  }
}

void OperationState::drop() noexcept {
  waiter_ = nullptr;
  if (runtime::Ambient::used()) runtime::Ambient::forget(ready_);
  ready_.cancel();  // it may have ended in this turn, its waiter not resumed yet
  if (phase_ == Phase::created || phase_ == Phase::finished) return;
  abandoned_ = true;
  timer_.disarm();
  host->abandon(*this);
}

void OperationState::finish() noexcept {
  if (phase_ == Phase::finished) return;
  phase_ = Phase::finished;
  timer_.disarm();
  if (!error_) check_result();
  if (host != nullptr && started != TimePoint{} && host->finished(*this)) {
    phase_ = Phase::queued;
    return;
  }
  on_finished();
  if (waiter_) ready_.schedule(std::exchange(waiter_, nullptr));
}

void OperationState::fail(Error error) noexcept {
  note_error(std::move(error));
  finish();
}

void OperationState::note_error(Error error) noexcept {
  if (error_) return;
  if (error.database().empty() && !database.empty()) error = error.with_database(std::string(database));
  error_.emplace(std::move(error));
}

void OperationState::copy_lane_reason(std::string_view reason) noexcept {
  try {
    lane_reason_text_.assign(reason);
    lane_reason = lane_reason_text_;
  } catch (const std::exception&) {
    lane_reason = "leased";
  }
}

void OperationState::restart() noexcept {
  error_.reset();
  affected = 0;
  changes_catalogue = false;
  saw_row_ = false;
  follow_up_answer.clear();
  clear_result();
}

void OperationState::reset() noexcept {
  parts.resize(1);
  parts.front().sql.clear();
  parts.front().parameters.clear();
  parts.front().parameters.shrink(kKeptParameterBytes);
  repeats.clear();
  name.clear();
  timeout.reset();
  format = RowFormat::none;
  max_result_bytes = kMaxResultBytes;
  idempotent = takes_whole_answer = shareable = script = read_only = in_transaction = uncancellable =
      keeps_session_clean = undecided = lane_only = lane_soon = false;
  result_formats = {};
  lane_setup = {};
  lane_callers = 0;
  started = granted = {};
  host = nullptr;
  host_keeper.reset();
  context.reset();
  host_data = nullptr;
  session = nullptr;
  deadline = kNever;
  lane = LaneUse::automatic;
  deadline_source = route = lane_reason = database = follow_up = {};
  follow_up_answer.clear();
  affected = 0;
  changes_catalogue = false;
  error_.reset();
  waiter_ = nullptr;
  timer_.disarm();
  phase_ = Phase::created;
  abandoned_ = expired_ = saw_row_ = false;
  clear_result();
}

void OperationState::on_deadline(void* self) noexcept {
  auto& operation = *static_cast<OperationState*>(self);
  operation.expired_ = true;
  operation.host->expire(operation);
}

Error OperationState::deadline_error() const {
  const ErrorStage stage = phase_ == Phase::queued ? ErrorStage::queued : ErrorStage::sent;
  std::string text = stage == ErrorStage::queued ? "no session became free before the deadline: "
                                                 : "the statement was cancelled at its deadline: ";
  text += deadline_source.empty() ? std::string_view("timeout") : deadline_source;
  return Error(ErrorKind::Deadline, std::move(text), stage);
}

Error OperationState::lost_error(const Error& cause) const {
  const bool nothing_in_doubt = read_only || in_transaction || idempotent || undecided || phase_ == Phase::queued;
  if (nothing_in_doubt) {
    if (expired_) return deadline_error().with_session_lost();
    const bool tells = cause.kind() == ErrorKind::Protocol || cause.kind() == ErrorKind::Closed;
    return cause.with_kind(tells ? cause.kind() : ErrorKind::Unavailable)
        .with_stage(phase_ == Phase::queued ? ErrorStage::queued : ErrorStage::sent)
        .with_session_lost();
  }
  return cause.with_context("the session was lost after the statement was sent, its outcome is unknown")
      .with_kind(ErrorKind::InDoubt)
      .with_stage(ErrorStage::commit_sent)
      .with_hint("find out whether it was applied before doing it again, or declare it idempotent")
      .with_session_lost();
}

void OperationState::on_error(const ServerFields& fields) noexcept {
  if (expired_ && fields.sqlstate == kQueryCanceled) {
    note_error(deadline_error());
  } else {
    note_error(Error(fields, ErrorStage::sent));
  }
}

void OperationState::on_lost(const Error& error) noexcept {
  // A row that did not fit says nothing about the statement; an error of the server says that it failed.
  if (error_ && error_->kind() == ErrorKind::Mapping) error_.reset();
  note_error(lost_error(error));
  if (error_->session_alive()) replace_error(error_->with_session_lost());
}

void OperationState::on_command_complete(std::string_view tag) noexcept {
  affected += rows_in_tag(tag);
  changes_catalogue =
      changes_catalogue || tag.starts_with("CREATE ") || tag.starts_with("ALTER ") || tag.starts_with("DROP ");
}

Error out_of_memory() { return Error(ErrorKind::Mapping, "out of memory while receiving rows", ErrorStage::sent); }

Error undescribed() {
  return Error(ErrorKind::Protocol, "rows came without a description of their columns", ErrorStage::sent);
}

Error result_too_large(std::uint64_t limit) {
  return Error(ErrorKind::Mapping, "the result is larger than max_result_bytes (" + format_size(limit) + ")",
               ErrorStage::sent)
      .with_hint("use stream<T>(), select less, or raise max_result_bytes");
}

Error wrong_row_count(std::uint64_t rows, bool exactly_one) {
  const std::string expected = exactly_one ? "exactly one row" : "at most one row";
  const std::string found = rows == 0 ? "there was none" : "there were " + std::to_string(rows);
  return Error(ErrorKind::Mapping, expected + " was expected, " + found, ErrorStage::sent)
      .with_hint(rows == 0 ? "use query_optional when there may be none" : "use query, or add LIMIT 1");
}

std::uint64_t rows_in_tag(std::string_view tag) noexcept {
  const std::size_t space = tag.rfind(' ');
  if (space == std::string_view::npos) return 0;
  std::uint64_t rows = 0;
  const char* end = tag.data() + tag.size();
  const auto [stop, error] = std::from_chars(tag.data() + space + 1, end, rows);
  return error == std::errc() && stop == end ? rows : 0;
}

}  // namespace switchyard::inline v0::session
