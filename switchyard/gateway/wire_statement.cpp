#include <switchyard/gateway/wire_statement.hpp>

#include <switchyard/fleet/lane_place.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/message_writer.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/session/operation_state.hpp>
#include <switchyard/sql/constant_free_text.hpp>

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace switchyard::inline v0::gateway {
namespace {

/// A larger answer is read again on a lease, where the client takes it piece by piece.
constexpr std::size_t kMostHeld = 1 << 20;
/// What a state keeps for its next statement.
constexpr std::size_t kKeptAnswer = 4 << 10;
constexpr std::size_t kKeptText = 4 << 10;
/// So many states wait for their next statement.
constexpr std::size_t kKeptStates = 1024;

constexpr ByteView kParseComplete("1\0\0\0\4", 5);
constexpr ByteView kBindComplete("2\0\0\0\4", 5);
constexpr ByteView kReady("Z\0\0\0\5I", 6);

/// As PostgreSQL says it when it gives a statement up (postgres.c, ProcessInterrupts).
ServerFields cancelled(std::string_view because) {
  ServerFields fields =
      protocol::make_fields("ERROR", "57014", "canceling statement due to " + std::string(because));
  fields.file = "postgres.c";
  fields.routine = "ProcessInterrupts";
  return fields;
}

ServerFields fields_of(const Error& error) {
  if (error.server() != nullptr) return *error.server();
  if (error.kind() == ErrorKind::Deadline) return cancelled("statement timeout");
  ServerFields fields = protocol::make_fields("ERROR", "08006", std::string(error.message()));
  fields.hint = error.hint();
  return fields;
}

/// `formats` as Bind has them.
std::int16_t format_at(std::span<const std::int16_t> formats, std::size_t column) noexcept {
  if (formats.empty()) return protocol::kTextFormat;
  return formats.size() == 1 ? formats.front() : formats[column];
}

void put_description(base::WriteBuffer& out, const protocol::RowDescription& columns,
                     std::span<const std::int16_t> formats) noexcept {
  protocol::MessageWriter message(out, 'T');
  message.u16(static_cast<std::uint16_t>(columns.size()));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const protocol::FieldDescription& column = columns[i];
    message.cstring(column.name).u32(column.table_oid).i16(column.column).u32(column.type);
    message.i16(column.type_size).i32(column.type_modifier).i16(format_at(formats, i));
  }
  (void)message.finish();
}

}  // namespace

class WireStatementState final : public session::OperationState {
 public:
  [[nodiscard]] static WireStatementState& take() {
    std::vector<WireStatementState*>& list = free_list();
    WireStatementState* state = nullptr;
    if (list.empty()) {
      state = new WireStatementState;
    } else {
      state = list.back();
      list.pop_back();
    }
    state->retain();
    return *state;
  }

  /// False: it is no statement for a lane; `lane_reason` says why.
  [[nodiscard]] bool assign(const DatabaseHandle& database, const WireRequest& request);
  /// In place of the rest of an answer.
  void append_error(base::WriteBuffer& to, const ServerFields& fields) noexcept;

  WireStatement* handle = nullptr;
  WireStatement::Owner* owner = nullptr;
  base::WriteBuffer* out = nullptr;

 private:
  struct FreeList {
    FreeList() { states.reserve(kKeptStates); }
    FreeList(const FreeList&) = delete;
    FreeList& operator=(const FreeList&) = delete;
    ~FreeList() {
      for (WireStatementState* state : states) delete state;
    }
    std::vector<WireStatementState*> states;
  };
  static std::vector<WireStatementState*>& free_list() {
    thread_local FreeList list;
    return list.states;
  }

  WireStatementState() = default;
  ~WireStatementState() override = default;

  void on_parameter_description(std::span<const Oid> types) noexcept override { parameter_types_ = types; }
  void on_describe(const std::shared_ptr<const protocol::RowDescription>& description) noexcept override;
  void on_bind_complete() noexcept override { bound_ = true; }
  void on_row(protocol::RowView row) noexcept override;
  void on_rows(protocol::RowRun& run) noexcept override;
  void on_command_complete(std::string_view tag) noexcept override;
  void on_lane_left(std::string_view why) noexcept override;
  void on_finished() noexcept override;
  void recycle() noexcept override;
  void clear_result() noexcept override {
    held_.clear();
    bound_ = too_large_ = false;
  }
  [[nodiscard]] bool has_room(std::size_t bytes) noexcept;
  void append_beginning(base::WriteBuffer& to) noexcept;
  /// The handle is free for its next statement.
  WireStatement::Owner& let_go() noexcept;

  std::string messages_;
  base::WriteBuffer held_;  ///< rows and CommandComplete
  std::vector<std::int16_t> formats_;
  std::vector<std::int16_t> parameter_formats_;
  std::vector<Oid> types_;
  std::shared_ptr<const protocol::RowDescription> columns_;
  const std::string* told_ = nullptr;  ///< WireRequest::columns, while the statement is being admitted
  std::vector<Oid> described_types_;
  std::span<const Oid> parameter_types_;  ///< valid while the statement is being admitted
  sql::ConstantFreeText constants_;
  bool simple_ = false;
  bool family_ = false;  ///< its constants have been taken out
  bool parse_complete_ = false;
  bool statement_description_ = false;
  bool portal_description_ = false;
  bool bound_ = false;
  bool too_large_ = false;
};

bool WireStatementState::assign(const DatabaseHandle& database, const WireRequest& request) {
  const auto refuse = [&](std::string_view why) {
    lane_reason = why;
    return false;
  };
  simple_ = request.bind.empty();
  parse_complete_ = request.parse_complete;
  statement_description_ = request.statement_description;
  portal_description_ = request.portal_description;
  told_ = request.columns;
  if (told_ != nullptr && told_->empty()) return refuse("leased: its client was not told of its columns");
  messages_.assign(request.messages);
  formats_.clear();
  parameter_formats_.clear();
  types_.clear();
  session::StatementPart& part = parts.front();
  family_ = simple_ && constants_.assign(request.sql);
  part.sql.assign(family_ ? constants_.text() : request.sql);
  if (family_) {
    parameter_formats_.resize(constants_.types().size(), protocol::kTextFormat);
    if (!part.parameters.restore(constants_.types(), parameter_formats_, constants_.values()).ok()) {
      return refuse("leased: its constants can't be sent");
    }
  } else if (!simple_) {
    const Result<protocol::Bind> bind = protocol::Bind::decode(request.bind);
    if (!bind.ok()) return refuse("leased: its Bind is malformed");
    if (!bind->portal.empty()) return refuse("leased: its portal has a name");
    const bool fits = bind->formats.size() <= 1 || bind->formats.size() == bind->count;
    if (!fits || request.types.size() > bind->count)
      return refuse("leased: it has not as many arguments as parameters");
    types_.assign(request.types.begin(), request.types.end());
    types_.resize(bind->count, 0);
    parameter_formats_.resize(bind->count, protocol::kTextFormat);
    for (std::size_t i = 0; i < bind->count && !bind->formats.empty(); ++i) {
      parameter_formats_[i] = bind->formats[bind->formats.size() == 1 ? 0 : i];
    }
    if (bind->count != 0 && !part.parameters.restore(types_, parameter_formats_, bind->values).ok()) {
      return refuse("leased: its arguments have a format that is not known");
    }
    for (std::size_t i = 0; i < bind->result_formats.size(); ++i) formats_.push_back(bind->result_formats[i]);
  }
  format = session::RowFormat::given;
  result_formats = formats_;
  shareable = takes_whole_answer = true;
  const session::CallContext& call = database.call();
  context = call.request;
  name.assign(call.label);
  deadline = request.deadline;
  deadline_source = "statement_timeout";
  lane_setup = request.settings;
  lane_callers = request.settings_clients;
  host = &fleet::route_host(database.plain_route());
  return true;
}

void WireStatementState::on_describe(const std::shared_ptr<const protocol::RowDescription>& description) noexcept {
  if (formats_.size() > 1 && formats_.size() != description->size()) {
    note_error(Error(ErrorKind::Usage, "it has not as many result formats as columns"));
    return;
  }
  if (told_ != nullptr) {
    base::WriteBuffer now;
    put_description(now, *description, {});
    if (now.view().substr(protocol::kFrameHeader) != *std::exchange(told_, nullptr)) {
      note_error(Error(ErrorKind::Usage, "its columns are not those that its client was told of"));
      return;
    }
  }
  columns_ = description;
  if (!statement_description_) return;
  try {
    described_types_.assign(parameter_types_.begin(), parameter_types_.end());
  } catch (const std::exception&) {
    note_error(session::out_of_memory());
  }
}

bool WireStatementState::has_room(std::size_t bytes) noexcept {
  if (held_.size() + bytes > kMostHeld) too_large_ = true;
  return !too_large_;
}

void WireStatementState::on_row(protocol::RowView row) noexcept {
  if (!row.well_formed() || !has_room(row.bytes().size() + 7)) return;
  (void)protocol::MessageWriter(held_, 'D')
      .u16(static_cast<std::uint16_t>(row.count()))
      .bytes(row.bytes())
      .finish();
}

/// They are what a server sends: looked at, and copied as they are.
void WireStatementState::on_rows(protocol::RowRun& run) noexcept {
  const char* const from = run.position();
  protocol::RowRun rows = run;
  for (protocol::RowView row; rows.next(row);) {
    if (!row.well_formed()) break;  // which ends the session
  }
  run = rows;
  const ByteView messages(from, static_cast<std::size_t>(run.position() - from));
  if (has_room(messages.size())) held_.put(messages);
}

void WireStatementState::on_command_complete(std::string_view tag) noexcept {
  OperationState::on_command_complete(tag);
  (void)protocol::MessageWriter(held_, 'C').cstring(tag).finish();
}

void WireStatementState::append_beginning(base::WriteBuffer& to) noexcept {
  if (simple_) {
    if (bound_ && columns_) put_description(to, *columns_, {});
    return;
  }
  if (parse_complete_) to.put(kParseComplete);
  if (statement_description_ && columns_) {
    (void)encode(to, protocol::ParameterDescription{std::span<const Oid>(described_types_)});
    put_description(to, *columns_, {});
  }
  if (!bound_) return;
  to.put(kBindComplete);
  if (portal_description_ && columns_) put_description(to, *columns_, formats_);
}

void WireStatementState::append_error(base::WriteBuffer& to, const ServerFields& fields) noexcept {
  append_beginning(to);
  to.put(held_.view());
  protocol::encode_error_response(to, fields);
  to.put(kReady);
}

WireStatement::Owner& WireStatementState::let_go() noexcept {
  std::exchange(handle, nullptr)->state_ = nullptr;
  release();  // the lane's own reference lasts until after the owner has been told
  return *std::exchange(owner, nullptr);
}

void WireStatementState::on_lane_left(std::string_view why) noexcept {
  if (handle == nullptr) return;
  let_go().on_lease(why, messages_);
}

void WireStatementState::on_finished() noexcept {
  if (handle == nullptr) return;
  if (too_large_) {
    let_go().on_lease("leased: its answer is larger than 1 MB", messages_);
    return;
  }
  if (held_.failed()) {
    let_go().on_lease("leased: memory is short", messages_);
    return;
  }
  if (error() && error()->server() != nullptr && family_) {
    let_go().on_lease("leased: an error says where its constants stand", messages_);
    return;
  }
  if (error()) {
    // A server that gave up in the middle had said what had come before.
    if (error()->kind() == ErrorKind::Deadline) bound_ = true;
    append_error(*out, fields_of(*error()));
  } else {
    append_beginning(*out);
    out->put(held_.view());
    out->put(kReady);
  }
  let_go().on_answered();
}

void WireStatementState::recycle() noexcept {
  reset();
  held_.shrink(kKeptAnswer);
  if (parts.front().sql.capacity() > kKeptText) parts.front().sql = std::string();
  if (messages_.capacity() > kKeptText) messages_ = std::string();
  columns_.reset();
  std::vector<WireStatementState*>& list = free_list();
  if (list.size() < kKeptStates) {
    list.push_back(this);  // within the reserved capacity: no allocation
  } else {
    delete this;
  }
}

WireStatement::Admission WireStatement::start(const DatabaseHandle& database, const WireRequest& request,
                                              base::WriteBuffer& out, Owner& owner) noexcept {
  WireStatementState* state = nullptr;
  try {
    state = &WireStatementState::take();
    const bool taken = state->assign(database, request) && database.plain_route().share(*state);
    if (taken) {
      state->handle = this;
      state->owner = &owner;
      state->out = &out;
      state_ = state;
      return {true, state->lane_reason, state->route};
    }
    const Admission refused{.reason = state->lane_reason, .soon = state->lane_soon};
    state->release();
    return refused;
  } catch (const std::exception&) {
    if (state != nullptr) state->release();
    return {false, "leased: memory is short"};
  }
}

std::int32_t WireStatement::server_pid() const noexcept {
  return state_ == nullptr ? 0 : fleet::lane_server_pid(*state_);
}

void WireStatement::cancel() noexcept {
  if (state_ == nullptr) return;
  base::WriteBuffer& out = *state_->out;
  const std::size_t mark = out.mark();
  try {
    state_->append_error(out, cancelled("user request"));
  } catch (const std::exception&) {
    out.truncate(mark);
  }
  withdraw();
}

void WireStatement::withdraw() noexcept {
  if (state_ == nullptr) return;
  WireStatementState& state = *std::exchange(state_, nullptr);
  state.handle = nullptr;
  state.owner = nullptr;
  state.drop();
  state.release();
}

}  // namespace switchyard::inline v0::gateway
