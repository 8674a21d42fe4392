#include <switchyard/protocol/pipeline.hpp>

#include <switchyard/base/assert.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/messages/copy.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/rows.hpp>
#include <switchyard/protocol/messages/session.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace switchyard::inline v0::protocol {
namespace {

constexpr std::uint32_t kFirstRingSize = 16;

/// Stands in for sinks that are null or were abandoned.
class DiscardingSink final : public ResponseSink {};

ResponseSink& discard() noexcept {
  static DiscardingSink sink;
  return sink;
}

/// Made before memory can run out.
const Error& out_of_memory() {
  static const Error error =
      Error(ErrorKind::Protocol, "out of memory while reading a message", ErrorStage::sent).with_session_lost();
  return error;
}

bool has_nul(std::string_view text) noexcept {
  return !text.empty() && std::memchr(text.data(), 0, text.size()) != nullptr;
}

// Writers to memory that is known to be large enough; each returns the place behind what it wrote.
char* put_header(char* at, char type, std::uint64_t body) noexcept {
  *at = type;
  base::store_be(at + 1, static_cast<std::int32_t>(body + 4));
  return at + kFrameHeader;
}
char* put_bytes(char* at, ByteView bytes) noexcept {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}
char* put_cstring(char* at, std::string_view text) noexcept {
  at = put_bytes(at, text);
  *at = '\0';
  return at + 1;
}
template <class T>
char* put_integer(char* at, T value) noexcept {
  base::store_be(at, value);
  return at + sizeof(T);
}
template <class T>
char* put_counted(char* at, std::span<const T> values) noexcept {
  at = put_integer(at, static_cast<std::uint16_t>(values.size()));
  for (const T value : values) at = put_integer(at, value);
  return at;
}

std::uint64_t bind_size(std::string_view portal, std::string_view statement, const BindArguments& arguments,
                        std::span<const std::int16_t> result_formats) noexcept {
  return portal.size() + 1 + statement.size() + 1 + 2 + arguments.formats.size_bytes() + 2 +
         arguments.values.size() + 2 + result_formats.size_bytes();
}
char* put_bind(char* at, std::uint64_t size, std::string_view portal, std::string_view statement,
               const BindArguments& arguments, std::span<const std::int16_t> result_formats) noexcept {
  at = put_header(at, Bind::kType, size);
  at = put_cstring(at, portal);
  at = put_cstring(at, statement);
  at = put_counted(at, arguments.formats);
  at = put_integer(at, static_cast<std::uint16_t>(arguments.count));
  at = put_bytes(at, arguments.values);
  return put_counted(at, result_formats);
}
char* put_execute(char* at, std::string_view portal, std::int32_t max_rows) noexcept {
  at = put_header(at, Execute::kType, portal.size() + 1 + 4);
  at = put_cstring(at, portal);
  return put_integer(at, max_rows);
}

}  // namespace

Pipeline::Pipeline(base::WriteBuffer& out) noexcept : Pipeline(out, Options()) {}
Pipeline::Pipeline(base::WriteBuffer& out, Options options) noexcept
    : out_(out), max_message_size_(std::min(options.max_message_size, kMaxMessageSize)) {
  (void)out_of_memory();
}
Pipeline::~Pipeline() = default;

Error Pipeline::to_error(Submitted refusal) {
  switch (refusal) {
    case Submitted::closed: return Error(ErrorKind::Closed, "the session has ended");
    case Submitted::copy_in_active:
      return Error(ErrorKind::Usage, "the session waits for the data of COPY FROM STDIN");
    case Submitted::copy_not_active:
      return Error(ErrorKind::Usage, "the session does not wait for the data of COPY FROM STDIN");
    case Submitted::sync_required:
      return Error(ErrorKind::Usage, "a simple query needs a Sync behind the extended steps before it");
    case Submitted::contains_nul:
      return Error(ErrorKind::Usage, "a statement, name or text for PostgreSQL can't hold a zero byte");
    case Submitted::too_many:
      return Error(ErrorKind::Usage, "more than " + std::to_string(kMaxParameters) +
                                         " parameters, parameter formats that don't match them, or more than " +
                                         std::to_string(kMaxOutstandingSteps) + " steps in flight");
    case Submitted::message_too_large:
      return Error(ErrorKind::Usage, "the message is larger than max_message_size");
    case Submitted::out_of_memory:
      return Error(ErrorKind::Closed, "out of memory while writing a message").with_session_lost();
    case Submitted::ok: break;
  }
  return Error(ErrorKind::Usage, "the step was submitted");
}

// ---- Submitting -----------------------------------------------------------------------------------------------

bool Pipeline::reserve(std::size_t steps) noexcept {
  const std::size_t capacity = ring_ ? std::size_t{mask_} + 1 : 0;
  if (outstanding() + steps <= capacity) return true;
  std::size_t larger = capacity == 0 ? kFirstRingSize : capacity * 2;
  while (larger < outstanding() + steps) larger *= 2;
  std::unique_ptr<Step[]> ring(new (std::nothrow) Step[larger]);
  if (!ring) return false;
  const auto mask = static_cast<std::uint32_t>(larger - 1);
  for (std::uint32_t i = head_; i != tail_; ++i) ring[i & mask] = at(i);
  ring_ = std::move(ring);
  mask_ = mask;
  return true;
}

void Pipeline::push(StepKind kind, ResponseSink* sink, int columns) noexcept {
  ring_[tail_ & mask_] = Step{sink == nullptr ? &discard() : sink, kind, columns};
  ++tail_;
  unsynced_ = kind != StepKind::sync && kind != StepKind::query;
}

Pipeline::Submitted Pipeline::admit(std::size_t steps) noexcept {
  if (closed_) return Submitted::closed;
  if (copy_ == Copy::in) return Submitted::copy_in_active;
  if (outstanding() + steps > kMaxOutstandingSteps) return Submitted::too_many;
  if (out_.failed() || !reserve(steps)) return Submitted::out_of_memory;
  return Submitted::ok;
}

Pipeline::Room Pipeline::room(std::uint64_t bytes) noexcept {
  if (bytes > max_message_size_) return {nullptr, Submitted::message_too_large};
  char* at = out_.append(bytes);
  return {at, at == nullptr ? Submitted::out_of_memory : Submitted::ok};
}

Pipeline::Submitted Pipeline::parse(std::string_view name, std::string_view sql, std::span<const Oid> types,
                                    ResponseSink* sink) noexcept {
  if (const auto refusal = admit(1); refusal != Submitted::ok) return refusal;
  if (has_nul(name) || has_nul(sql)) return Submitted::contains_nul;
  if (types.size() > kMaxParameters) return Submitted::too_many;
  const std::uint64_t size = name.size() + 1 + sql.size() + 1 + 2 + types.size_bytes();
  const Room place = room(kFrameHeader + size);
  if (place.refusal != Submitted::ok) return place.refusal;
  char* at = put_header(place.at, Parse::kType, size);
  at = put_cstring(at, name);
  at = put_cstring(at, sql);
  put_counted(at, types);
  push(StepKind::parse, sink, kAnyColumns);
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::check_arguments(const BindArguments& arguments,
                                              std::span<const std::int16_t> result_formats) const noexcept {
  const bool formats_match = arguments.formats.size() <= 1 || arguments.formats.size() == arguments.count;
  if (arguments.count > kMaxParameters || !formats_match || result_formats.size() > kMaxParameters) {
    return Submitted::too_many;
  }
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::bind(std::string_view portal, std::string_view statement,
                                   const BindArguments& arguments, std::span<const std::int16_t> result_formats,
                                   ResponseSink* sink) noexcept {
  if (const auto refusal = admit(1); refusal != Submitted::ok) return refusal;
  if (has_nul(portal) || has_nul(statement)) return Submitted::contains_nul;
  if (const auto refusal = check_arguments(arguments, result_formats); refusal != Submitted::ok) return refusal;
  const std::uint64_t size = bind_size(portal, statement, arguments, result_formats);
  const Room place = room(kFrameHeader + size);
  if (place.refusal != Submitted::ok) return place.refusal;
  put_bind(place.at, size, portal, statement, arguments, result_formats);
  push(StepKind::bind, sink, kAnyColumns);
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::bind_execute(std::string_view statement, const BindArguments& arguments,
                                           std::span<const std::int16_t> result_formats, ResponseSink* sink,
                                           int columns, std::int32_t max_rows) noexcept {
  if (const auto refusal = admit(2); refusal != Submitted::ok) return refusal;
  if (has_nul(statement)) return Submitted::contains_nul;
  if (const auto refusal = check_arguments(arguments, result_formats); refusal != Submitted::ok) return refusal;
  const std::uint64_t size = bind_size({}, statement, arguments, result_formats);
  constexpr std::uint64_t kExecuteSize = kFrameHeader + 1 + 4;
  const Room place = room(kFrameHeader + size + kExecuteSize);
  if (place.refusal != Submitted::ok) return place.refusal;
  put_execute(put_bind(place.at, size, {}, statement, arguments, result_formats), {}, max_rows);
  push(StepKind::bind, sink, kAnyColumns);
  push(StepKind::execute, sink, columns);
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::execute(std::string_view portal, std::int32_t max_rows, ResponseSink* sink,
                                      int columns) noexcept {
  if (const auto refusal = admit(1); refusal != Submitted::ok) return refusal;
  if (has_nul(portal)) return Submitted::contains_nul;
  const Room place = room(kFrameHeader + portal.size() + 1 + 4);
  if (place.refusal != Submitted::ok) return place.refusal;
  put_execute(place.at, portal, max_rows);
  push(StepKind::execute, sink, columns);
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::targeted(char type, char target, StepKind kind, std::string_view name,
                                       ResponseSink* sink) noexcept {
  if (const auto refusal = admit(1); refusal != Submitted::ok) return refusal;
  if (has_nul(name)) return Submitted::contains_nul;
  const std::uint64_t size = 1 + name.size() + 1;
  const Room place = room(kFrameHeader + size);
  if (place.refusal != Submitted::ok) return place.refusal;
  char* at = put_header(place.at, type, size);
  *at++ = target;
  put_cstring(at, name);
  push(kind, sink, kAnyColumns);
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::describe_statement(std::string_view name, ResponseSink* sink) noexcept {
  return targeted(Describe::kType, 'S', StepKind::describe_statement, name, sink);
}
Pipeline::Submitted Pipeline::describe_portal(std::string_view name, ResponseSink* sink) noexcept {
  return targeted(Describe::kType, 'P', StepKind::describe_portal, name, sink);
}
Pipeline::Submitted Pipeline::close_statement(std::string_view name, ResponseSink* sink) noexcept {
  return targeted(Close::kType, 'S', StepKind::close, name, sink);
}
Pipeline::Submitted Pipeline::close_portal(std::string_view name, ResponseSink* sink) noexcept {
  return targeted(Close::kType, 'P', StepKind::close, name, sink);
}

Pipeline::Submitted Pipeline::sync(ResponseSink* sink) noexcept {
  if (const auto refusal = admit(1); refusal != Submitted::ok) return refusal;
  const Room place = room(kFrameHeader);
  if (place.refusal != Submitted::ok) return place.refusal;
  put_header(place.at, Sync::kType, 0);
  push(StepKind::sync, sink, kAnyColumns);
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::preencoded(ByteView messages, std::span<const StepKind> steps, ResponseSink* sink,
                                         int columns) noexcept {
  if (const auto refusal = admit(steps.size()); refusal != Submitted::ok) return refusal;
  const Room place = room(messages.size());
  if (place.refusal != Submitted::ok) return place.refusal;
  put_bytes(place.at, messages);
  for (const StepKind kind : steps) {
    SY_ASSERT(kind != StepKind::query);
    push(kind, sink, kind == StepKind::execute ? columns : kAnyColumns);
  }
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::flush() noexcept {
  if (const auto refusal = admit(0); refusal != Submitted::ok) return refusal;
  const Room place = room(kFrameHeader);
  if (place.refusal == Submitted::ok) put_header(place.at, Flush::kType, 0);
  return place.refusal;
}

Pipeline::Submitted Pipeline::query(std::string_view sql, ResponseSink* sink) noexcept {
  if (const auto refusal = admit(1); refusal != Submitted::ok) return refusal;
  if (unsynced_) return Submitted::sync_required;
  if (has_nul(sql)) return Submitted::contains_nul;
  const Room place = room(kFrameHeader + sql.size() + 1);
  if (place.refusal != Submitted::ok) return place.refusal;
  put_cstring(put_header(place.at, Query::kType, sql.size() + 1), sql);
  push(StepKind::query, sink, kAnyColumns);
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::copy_data(ByteView data) noexcept {
  if (closed_) return Submitted::closed;
  if (copy_ != Copy::in) return Submitted::copy_not_active;
  const Room place = room(kFrameHeader + data.size());
  if (place.refusal == Submitted::ok) put_bytes(put_header(place.at, CopyData::kType, data.size()), data);
  return place.refusal;
}

void Pipeline::open_copy_data(base::WriteBuffer& message) noexcept {
  message.clear();
  message.put_u8(static_cast<std::uint8_t>(CopyData::kType));
  message.put_i32(0);
}

Pipeline::Submitted Pipeline::copy_data_message(base::WriteBuffer& message) noexcept {
  if (closed_) return Submitted::closed;
  if (copy_ != Copy::in) return Submitted::copy_not_active;
  if (message.failed() || out_.failed()) return Submitted::out_of_memory;
  SY_ASSERT(message.size() >= kFrameHeader);
  if (message.size() > max_message_size_) return Submitted::message_too_large;
  message.patch_i32(1, static_cast<std::int32_t>(message.size() - 1));
  if (out_.empty()) {
    std::swap(out_, message);
  } else {
    out_.put(message.view());
  }
  message.clear();
  return out_.failed() ? Submitted::out_of_memory : Submitted::ok;
}

Pipeline::Submitted Pipeline::copy_done() noexcept {
  if (closed_) return Submitted::closed;
  if (copy_ != Copy::in) return Submitted::copy_not_active;
  const Room place = room(kFrameHeader);
  if (place.refusal != Submitted::ok) return place.refusal;
  put_header(place.at, CopyDone::kType, 0);
  copy_ = Copy::in_ended;
  return Submitted::ok;
}

Pipeline::Submitted Pipeline::copy_fail(std::string_view reason) noexcept {
  if (closed_) return Submitted::closed;
  if (copy_ != Copy::in) return Submitted::copy_not_active;
  if (has_nul(reason)) return Submitted::contains_nul;
  if (reason.size() + 5 > kMaxShortClientMessageSize) return Submitted::message_too_large;
  const Room place = room(kFrameHeader + reason.size() + 1);
  if (place.refusal != Submitted::ok) return place.refusal;
  put_cstring(put_header(place.at, CopyFail::kType, reason.size() + 1), reason);
  copy_ = Copy::in_failed;
  return Submitted::ok;
}

void Pipeline::terminate() noexcept {
  if (closed_) return;
  closed_ = true;
  (void)encode(out_, Terminate());
}

void Pipeline::abandon(const ResponseSink* sink) noexcept {
  if (sink == nullptr) return;
  run_over_ = true;
  for (std::uint32_t i = head_; i != tail_; ++i) {
    if (at(i).sink == sink) at(i).sink = &discard();
  }
  if (copy_ == Copy::in && at(head_).sink == &discard()) (void)copy_fail("the caller gave up");
}

const ResponseSink* Pipeline::head() const noexcept {
  return empty() || at(head_).sink == &discard() ? nullptr : at(head_).sink;
}

// ---- Receiving ------------------------------------------------------------------------------------------------
//
// The step at the head decides which message may come (S is start, anything not drawn ends the session):
//
//   parse               S --1--> done                     bind     S --2--> done         close  S --3--> done
//   describe_statement  S --t--> described --T|n--> done  describe_portal  S --T|n--> done
//   execute             S --D--> rows --D--> rows --C|s--> done
//                       S --C|I--> done
//                       S --H--> copy --d--> copy --c--> copy_end --C--> done
//                       S --G--> copy --C (after our CopyDone)--> done
//   query               S|completed --T--> rows --D--> rows --C--> completed
//                       S|completed --C|I--> completed; COPY as above, back to completed
//                       completed --Z--> done
//   sync                S --Z--> done
//
//   E   query, sync: --> failed --Z--> done
//       others: done, and everything up to the next Sync is skipped: only Z (or an E of the Sync itself) may come
//   E with FATAL or PANIC ends the session wherever it comes. N, S and A may come at any time.

Pipeline::Outcome Pipeline::on_bytes(base::ReadBuffer& in, SessionEvents& events) noexcept {
  SY_ASSERT(!in_callback_);
  if (outcome_ != Outcome::ok) return outcome_;
  in_callback_ = true;
  hold_ = false;
  const FrameLimits& limits = backend_limits();
  const ByteView readable = in.readable();
  const char* next = readable.data();
  const char* const end = next + readable.size();
  const std::uint32_t max_row = std::min(limits[static_cast<unsigned char>(DataRow::kType)], max_message_size_);
  try {
    for (;;) {
      if (next != end && *next == DataRow::kType && (phase_ == Phase::rows || begin_rows())) {
        run_over_ = false;
        RowRun run(next, end, columns_, max_row, &run_over_, &malformed_row_);
        at(head_).sink->on_rows(run);
        next = run.position();
        if (malformed_row_) [[unlikely]] {
          (void)end_session(malformed_message("DataRow"), Outcome::protocol_error);
          break;
        }
        if (hold_) [[unlikely]] {
          need_ = 1;
          break;
        }
      }
      const Frame frame = next_frame({next, static_cast<std::size_t>(end - next)}, limits, max_message_size_);
      if (frame.status != FrameStatus::complete) [[unlikely]] {
        if (frame.status == FrameStatus::incomplete) {
          need_ = frame.need;
          break;
        }
        (void)end_session(frame_error(frame, limits, max_message_size_), Outcome::protocol_error);
        break;
      }
      next += frame.total;
      const bool alive =
          frame.type == DataRow::kType ? on_data_row(frame.body) : on_message(frame.type, frame.body, events);
      if (!alive) [[unlikely]]
        break;
      if (hold_) [[unlikely]] {
        need_ = 1;
        break;
      }
    }
  } catch (const std::bad_alloc&) {
    (void)end_session(out_of_memory(), Outcome::protocol_error);
  }
  in.consume(static_cast<std::size_t>(next - readable.data()));
  in_callback_ = false;
  return outcome_;
}

void Pipeline::on_closed(const Error& error) noexcept {
  SY_ASSERT(!in_callback_);
  in_callback_ = true;
  closed_ = true;
  copy_ = Copy::none;
  if (!error_) error_ = error;
  if (outcome_ == Outcome::ok) outcome_ = Outcome::protocol_error;
  while (!empty()) finish_head().on_lost(error);
  in_callback_ = false;
}

bool Pipeline::on_message(char type, ByteView body, SessionEvents& events) {
  switch (type) {
    case 'N': return on_notice(body, events);
    case 'S': return on_parameter_status(body, events);
    case 'A': return on_notification(body, events);
    case 'E': return on_error_response(body, events);
    case 'Z': return on_ready_for_query(body);
    case 't': return on_parameter_description(body);
    case 'T': return on_row_description(body);
    case 'C': return on_command_complete(body);
    case 'G': return on_copy_in(body);
    case 'H': return on_copy_out(body);
    case 'd': return on_copy_data(body);
    case '1':
    case '2':
    case '3':
    case 'n':
    case 'I':
    case 's':
    case 'c': return on_bodyless(type, body);
    default: return unexpected(type);
  }
}

bool Pipeline::begin_rows() noexcept {
  if (!due(StepKind::execute, Phase::start)) return false;
  phase_ = Phase::rows;
  columns_ = at(head_).columns;
  return true;
}

bool Pipeline::on_data_row(ByteView body) {
  if (phase_ != Phase::rows && !begin_rows()) [[unlikely]]
    return unexpected('D');
  if (body.size() < 2) [[unlikely]]
    return end_session(malformed_message("DataRow"), Outcome::protocol_error);
  const int count = base::load_be<std::int16_t>(body.data());
  if (count < 0) [[unlikely]]
    return end_session(malformed_message("DataRow"), Outcome::protocol_error);
  if (count != columns_ && columns_ != kAnyColumns) [[unlikely]] {
    return end_session(
        Error(ErrorKind::Protocol,
              "a row has " + std::to_string(count) + " columns, its description " + std::to_string(columns_),
              ErrorStage::sent)
            .with_session_lost(),
        Outcome::protocol_error);
  }
  at(head_).sink->on_row(RowView(body.substr(2), count, &malformed_row_));
  if (malformed_row_) [[unlikely]]
    return end_session(malformed_message("DataRow"), Outcome::protocol_error);
  return true;
}

bool Pipeline::on_notice(ByteView body, SessionEvents& events) {
  const auto fields = decode_error_fields(body);
  if (!fields.ok()) return end_session(fields.error(), Outcome::protocol_error);
  events.on_notice(*fields);
  return true;
}

bool Pipeline::on_parameter_status(ByteView body, SessionEvents& events) {
  const auto message = ParameterStatus::decode(body);
  if (!message.ok()) return end_session(message.error(), Outcome::protocol_error);
  events.on_parameter_status(message->name, message->value);
  return true;
}

bool Pipeline::on_notification(ByteView body, SessionEvents& events) {
  const auto message = NotificationResponse::decode(body);
  if (!message.ok()) return end_session(message.error(), Outcome::protocol_error);
  events.on_notification(message->process_id, message->channel, message->payload);
  return true;
}

bool Pipeline::on_error_response(ByteView body, SessionEvents& events) {
  auto fields = decode_error_fields(body);
  if (!fields.ok()) return end_session(fields.error(), Outcome::protocol_error);
  if (ends_session(*fields)) {
    events.on_fatal(*fields);
    return end_session(Error(std::move(*fields), ErrorStage::sent), Outcome::fatal);
  }
  // While the server skips, the next thing that can fail is the Sync itself.
  if (skipping_ && !skip_to_sync()) return unexpected('E');
  if (empty() || phase_ == Phase::failed) {
    return end_session(Error(std::move(*fields), ErrorStage::sent)
                           .with_kind(ErrorKind::Protocol)
                           .with_context("server error while no answer was due")
                           .with_session_lost(),
                       Outcome::protocol_error);
  }
  copy_ = Copy::none;
  if (due(StepKind::query) || due(StepKind::sync)) {
    phase_ = Phase::failed;
    at(head_).sink->on_error(*fields);
    return true;
  }
  ResponseSink& sink = finish_head();
  skipping_ = true;
  sink.on_error(*fields);
  return true;
}

bool Pipeline::skip_to_sync() noexcept {
  std::uint32_t next = head_;
  while (next != tail_ && at(next).kind != StepKind::sync) ++next;
  if (next == tail_) return false;
  while (head_ != next) finish_head().on_skipped();
  skipping_ = false;
  return true;
}

bool Pipeline::on_ready_for_query(ByteView body) {
  const auto message = ReadyForQuery::decode(body);
  if (!message.ok()) return end_session(message.error(), Outcome::protocol_error);
  if (skipping_ && !skip_to_sync()) return unexpected('Z');
  const bool sync_answered = due(StepKind::sync);
  const bool query_answered = due(StepKind::query) && (phase_ == Phase::completed || phase_ == Phase::failed);
  if (!sync_answered && !query_answered) return unexpected('Z');
  status_ = message->status;
  finish_head().on_ready(status_);
  return true;
}

bool Pipeline::on_bodyless(char type, ByteView body) {
  if (!body.empty()) {
    return end_session(malformed_message(show_type(type)), Outcome::protocol_error);
  }
  switch (type) {
    case '1':
      if (!due(StepKind::parse)) return unexpected(type);
      finish_head().on_parse_complete();
      return true;
    case '2':
      if (!due(StepKind::bind)) return unexpected(type);
      finish_head().on_bind_complete();
      return true;
    case '3':
      if (!due(StepKind::close)) return unexpected(type);
      finish_head().on_close_complete();
      return true;
    case 'n': return on_no_data();
    case 'c': return on_copy_done();
    default: return on_result_end(type);
  }
}

bool Pipeline::on_parameter_description(ByteView body) {
  if (!due(StepKind::describe_statement, Phase::start)) return unexpected('t');
  const auto message = ParameterDescription::decode(body);
  if (!message.ok()) return end_session(message.error(), Outcome::protocol_error);
  types_.resize(message->types.size());
  for (std::size_t i = 0; i < types_.size(); ++i) types_[i] = message->types[i];
  phase_ = Phase::described;
  at(head_).sink->on_parameter_description(types_);
  return true;
}

bool Pipeline::result_begins() const noexcept {
  return due(StepKind::query) && (phase_ == Phase::start || phase_ == Phase::completed);
}

bool Pipeline::on_row_description(ByteView body) {
  const bool of_query = result_begins();
  if (!of_query && !due(StepKind::describe_portal) && !due(StepKind::describe_statement, Phase::described)) {
    return unexpected('T');
  }
  auto description = RowDescription::decode(body);
  if (!description.ok()) return end_session(description.error(), Outcome::protocol_error);
  if (of_query) {
    phase_ = Phase::rows;
    columns_ = static_cast<int>((*description)->size());
    at(head_).sink->on_row_description(std::move(*description));
  } else {
    finish_head().on_row_description(std::move(*description));
  }
  return true;
}

bool Pipeline::on_no_data() {
  if (!due(StepKind::describe_portal) && !due(StepKind::describe_statement, Phase::described))
    return unexpected('n');
  finish_head().on_no_data();
  return true;
}

bool Pipeline::on_result_end(char type) {
  if (type == 's') {
    if (!due(StepKind::execute, Phase::rows)) return unexpected(type);
    finish_head().on_portal_suspended();
    return true;
  }
  if (due(StepKind::execute, Phase::start)) {
    finish_head().on_empty_query();
    return true;
  }
  if (!due(StepKind::query, Phase::start)) return unexpected(type);
  phase_ = Phase::completed;
  at(head_).sink->on_empty_query();
  return true;
}

bool Pipeline::on_command_complete(ByteView body) {
  const bool copy_complete = phase_ == Phase::copy && copy_ == Copy::in_ended;
  const bool of_query = result_begins() || (due(StepKind::query) &&
                                            (phase_ == Phase::rows || copy_complete || phase_ == Phase::copy_end));
  const bool of_execute = due(StepKind::execute) && (phase_ == Phase::start || phase_ == Phase::rows ||
                                                     phase_ == Phase::copy_end || copy_complete);
  if (!of_query && !of_execute) return unexpected('C');
  const auto message = CommandComplete::decode(body);
  if (!message.ok()) return end_session(message.error(), Outcome::protocol_error);
  copy_ = Copy::none;
  if (of_query) {
    phase_ = Phase::completed;
    at(head_).sink->on_command_complete(message->tag);
  } else {
    finish_head().on_command_complete(message->tag);
  }
  return true;
}

bool Pipeline::on_copy_in(ByteView body) {
  if (!result_begins() && !due(StepKind::execute, Phase::start)) return unexpected('G');
  const auto message = CopyResponse::decode(CopyResponse::kIn, body);
  if (!message.ok()) return end_session(message.error(), Outcome::protocol_error);
  if (outstanding() > 1) {
    // Which of the messages behind it the server has swallowed can't be known.
    return end_session(Error(ErrorKind::Usage,
                             "COPY FROM STDIN was submitted with other steps behind it: PostgreSQL ignores a Sync "
                             "while it waits for data",
                             ErrorStage::sent)
                           .with_hint("use copy_in() for COPY FROM STDIN")
                           .with_session_lost(),
                       Outcome::protocol_error);
  }
  phase_ = Phase::copy;
  copy_ = Copy::in;
  formats_.resize(message->columns.size());
  for (std::size_t i = 0; i < formats_.size(); ++i) formats_[i] = message->columns[i];
  ResponseSink& sink = *at(head_).sink;
  if (&sink == &discard()) {
    (void)copy_fail("the caller gave up");
  } else {
    sink.on_copy_in(CopyFormat{message->binary, formats_});
  }
  return true;
}

bool Pipeline::on_copy_out(ByteView body) {
  if (!result_begins() && !due(StepKind::execute, Phase::start)) return unexpected('H');
  const auto message = CopyResponse::decode(CopyResponse::kOut, body);
  if (!message.ok()) return end_session(message.error(), Outcome::protocol_error);
  phase_ = Phase::copy;
  copy_ = Copy::out;
  formats_.resize(message->columns.size());
  for (std::size_t i = 0; i < formats_.size(); ++i) formats_[i] = message->columns[i];
  at(head_).sink->on_copy_out(CopyFormat{message->binary, formats_});
  return true;
}

bool Pipeline::on_copy_data(ByteView body) {
  if (copy_ != Copy::out) return unexpected('d');
  at(head_).sink->on_copy_data(body);
  return true;
}

bool Pipeline::on_copy_done() {
  if (copy_ != Copy::out) return unexpected('c');
  copy_ = Copy::none;
  phase_ = Phase::copy_end;
  at(head_).sink->on_copy_done();
  return true;
}

/// The head is done: takes it off and returns who wanted it.
ResponseSink& Pipeline::finish_head() noexcept {
  ResponseSink& sink = *at(head_).sink;
  ++head_;
  phase_ = Phase::start;
  return sink;
}

bool Pipeline::end_session(Error error, Outcome outcome) {
  error_ = std::move(error);
  outcome_ = outcome;
  closed_ = true;
  return false;
}

bool Pipeline::unexpected(char type) {
  std::string text = "unexpected message " + show_type(type) + " while ";
  if (empty() && !skipping_) {
    text += "no answer was due";
  } else {
    text += "waiting for ";
    text += expected();
  }
  return end_session(Error(ErrorKind::Protocol, std::move(text), ErrorStage::sent).with_session_lost(),
                     Outcome::protocol_error);
}

std::string_view Pipeline::expected() const noexcept {
  if (skipping_) return "ReadyForQuery after an error";
  switch (at(head_).kind) {
    case StepKind::parse: return "ParseComplete";
    case StepKind::bind: return "BindComplete";
    case StepKind::close: return "CloseComplete";
    case StepKind::describe_portal: return "RowDescription or NoData";
    case StepKind::describe_statement:
      return phase_ == Phase::described ? "RowDescription or NoData" : "ParameterDescription";
    case StepKind::sync: return "ReadyForQuery";
    case StepKind::execute:
    case StepKind::query: break;
  }
  switch (phase_) {
    case Phase::rows: return "DataRow or CommandComplete";
    case Phase::copy: return copy_ == Copy::out ? "CopyData or CopyDone" : "the end of COPY FROM STDIN";
    case Phase::copy_end: return "CommandComplete";
    case Phase::completed: return "another result or ReadyForQuery";
    case Phase::failed: return "ReadyForQuery";
    case Phase::start:
    case Phase::described: break;
  }
  return "the result of a statement";
}

}  // namespace switchyard::inline v0::protocol
