#include <switchyard/gateway/console_machine.hpp>

#include <switchyard/gateway/refusal.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/session.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

using namespace protocol;

constexpr std::string_view kFailedTransaction = "25P02";
constexpr std::string_view kUnknownStatement = "26000";
constexpr std::string_view kUnknownCursor = "34000";
constexpr std::string_view kDuplicateStatement = "42P05";
constexpr std::string_view kDuplicateCursor = "42P03";
constexpr std::string_view kLimitExceeded = "54000";

std::string tag_of(const ConsoleCommand& command, char& status) {
  switch (command.verb) {
    case ConsoleVerb::begin: status = 'T'; return "BEGIN";
    case ConsoleVerb::commit: {
      const bool failed = std::exchange(status, 'I') == 'E';
      return failed ? "ROLLBACK" : "COMMIT";
    }
    case ConsoleVerb::rollback: status = 'I'; return "ROLLBACK";
    case ConsoleVerb::discard: return command.argument;
    default: return {};
  }
}

}  // namespace

ConsoleMachine::~ConsoleMachine() {
  if (state_ == State::waiting) runner_.withdraw(*this);
}

void ConsoleMachine::on_bytes(base::ReadBuffer& in) noexcept {
  while ((state_ == State::ready || state_ == State::skipping) && out_.size() <= kMaxUnsent) {
    const Frame frame = next_frame(in.readable(), frontend_limits(), kMaxMessage);
    if (frame.status == FrameStatus::incomplete) return;
    if (frame.status != FrameStatus::complete) {
      end(frame_error(frame, frontend_limits(), kMaxMessage).message());
      return in.clear();
    }
    try {
      on_message(frame);
    } catch (const std::exception&) {  // memory
      state_ = State::closed;
    }
    in.consume(frame.total);
  }
  if (state_ == State::closed) in.clear();
}

void ConsoleMachine::on_message(const Frame& frame) {
  if (frame.type == Terminate::kType) {
    state_ = State::closed;
    return;
  }
  if (frame.type == Sync::kType) return on_sync();
  if (state_ == State::skipping) return;
  Result<void> done{};
  switch (frame.type) {
    case Query::kType: done = on_query(frame.body); break;
    case Parse::kType: done = on_parse(frame.body); break;
    case Bind::kType: done = on_bind(frame.body); break;
    case Describe::kType: done = on_describe(frame.body); break;
    case Execute::kType: done = on_execute(frame.body); break;
    case Close::kType: done = on_close(frame.body); break;
    case Flush::kType: break;
    default: return end("the console does not understand messages of type " + show_type(frame.type));
  }
  if (done.ok()) return;
  fail(done.error());
  if (frame.type == Query::kType) return ready();
  state_ = State::skipping;
}

// ---- simple queries ----

Result<void> ConsoleMachine::on_query(ByteView body) {
  const auto query = Query::decode(body);
  if (!query.ok()) return query.error();
  const auto command = parse_console_command(query->sql);
  if (!command.ok()) return command.error();
  // As the server: a simple query ends the unnamed statement and portal.
  statements_.erase("");
  portals_.erase("");
  if (command->verb == ConsoleVerb::empty) {
    (void)encode(out_, EmptyQueryResponse());
    ready();
    return {};
  }
  SY_TRY(check_transaction(*command));
  pending_is_query_ = true;
  pending_ = *command;
  if (const auto answer = run(*command)) answer_query(*answer);
  return {};
}

void ConsoleMachine::answer_query(const Result<ConsoleAnswer>& answer) {
  if (!answer.ok()) {
    fail(answer.error());
    return ready();
  }
  say_notice(*answer);
  if (answer->table != ConsoleTable::none && answer->table != ConsoleTable::help) {
    encode_columns(out_, answer->table, pending_.argument, {});
  }
  for (const ConsoleRow& row : answer->rows) encode_row(out_, answer->table, row, {});
  (void)encode(out_, CommandComplete{answer->tag});
  ready();
}

// ---- extended queries ----

Result<void> ConsoleMachine::on_parse(ByteView body) {
  const auto parse = Parse::decode(body);
  if (!parse.ok()) return parse.error();
  if (!parse->name.empty() && statements_.contains(parse->name)) {
    return console_error("prepared statement \"" + std::string(parse->name) + "\" already exists",
                         kDuplicateStatement);
  }
  if (statements_.size() >= kMaxNamed && !statements_.contains(parse->name)) {
    return console_error("too many prepared statements: the console keeps " + std::to_string(kMaxNamed),
                         kLimitExceeded);
  }
  auto command = parse_console_command(parse->sql);
  if (!command.ok()) return command.error();
  SY_TRY(check_transaction(*command));
  statements_.insert_or_assign(std::string(parse->name), *std::move(command));
  (void)encode(out_, ParseComplete());
  return {};
}

Result<void> ConsoleMachine::on_bind(ByteView body) {
  const auto bind = Bind::decode(body);
  if (!bind.ok()) return bind.error();
  const auto found = find_statement(bind->statement);
  if (!found.ok()) return found.error();
  const ConsoleCommand* command = *found;
  SY_TRY(check_transaction(*command));
  if (bind->count != 0) {
    return console_error("bind message supplies " + std::to_string(bind->count) +
                         " parameters, but commands of the console have none");
  }
  if (!bind->portal.empty() && portals_.contains(bind->portal)) {
    return console_error("cursor \"" + std::string(bind->portal) + "\" already exists", kDuplicateCursor);
  }
  if (portals_.size() >= kMaxNamed && !portals_.contains(bind->portal)) {
    return console_error("too many cursors: the console keeps " + std::to_string(kMaxNamed), kLimitExceeded);
  }
  const std::size_t columns = console_columns(command->table).size();
  if (const std::string_view wrong = check_formats(std::max<std::size_t>(columns, 1), bind->result_formats);
      !wrong.empty() && command->table != ConsoleTable::none) {
    return console_error(std::string(wrong));
  }
  Portal portal{.command = *command, .formats = {}, .answer = {}, .shown = 0};
  for (std::size_t i = 0; i < bind->result_formats.size(); ++i) portal.formats.push_back(bind->result_formats[i]);
  portals_.insert_or_assign(std::string(bind->portal), std::move(portal));
  (void)encode(out_, BindComplete());
  return {};
}

Result<void> ConsoleMachine::on_describe(ByteView body) {
  const auto message = Describe::decode(body);
  if (!message.ok()) return message.error();
  if (message->target == Target::statement) {
    const auto found = find_statement(message->name);
    if (!found.ok()) return found.error();
    const ConsoleCommand* command = *found;
    SY_TRY(check_transaction(*command));
    (void)encode(out_, ParameterDescription());
    describe(*command, {});
    return {};
  }
  const auto found = find_portal(message->name);
  if (!found.ok()) return found.error();
  const Portal* portal = *found;
  SY_TRY(check_transaction(portal->command));
  describe(portal->command, portal->formats);
  return {};
}

void ConsoleMachine::describe(const ConsoleCommand& command, std::span<const std::int16_t> formats) {
  if (command.verb == ConsoleVerb::ping) return encode_columns(out_, ConsoleTable::setting, "?column?", formats);
  if (command.table == ConsoleTable::none || command.table == ConsoleTable::help) {
    (void)encode(out_, NoData());
    return;
  }
  encode_columns(out_, command.table, command.argument, formats);
}

Result<void> ConsoleMachine::on_execute(ByteView body) {
  const auto execute = Execute::decode(body);
  if (!execute.ok()) return execute.error();
  const auto found = find_portal(execute->portal);
  if (!found.ok()) return found.error();
  Portal* portal = *found;
  const ConsoleCommand command = portal->command;
  SY_TRY(check_transaction(command));
  pending_rows_ = execute->max_rows;
  if (portal->answer) {
    answer_portal(*portal);
    return {};
  }
  if (command.verb == ConsoleVerb::empty) {
    (void)encode(out_, EmptyQueryResponse());
    return {};
  }
  pending_is_query_ = false;
  pending_ = command;
  pending_portal_ = execute->portal;
  std::optional<Result<ConsoleAnswer>> answer = run(command);
  if (!answer) return {};
  if (!answer->ok()) return answer->error();
  portal->answer = **std::move(answer);
  answer_portal(*portal);
  return {};
}

void ConsoleMachine::answer_portal(Portal& portal) {
  ConsoleAnswer& answer = *portal.answer;
  say_notice(answer);
  answer.notice.clear();
  std::size_t most = answer.rows.size() - portal.shown;
  const bool limited = pending_rows_ > 0 && static_cast<std::size_t>(pending_rows_) <= most;
  if (limited) most = static_cast<std::size_t>(pending_rows_);
  for (; most > 0; --most) encode_row(out_, answer.table, answer.rows[portal.shown++], portal.formats);
  // As the server: exactly as many rows as were asked for suspend, too.
  if (limited) {
    (void)encode(out_, PortalSuspended());
  } else {
    (void)encode(out_, CommandComplete{answer.tag});
  }
}

Result<void> ConsoleMachine::on_close(ByteView body) {
  const auto message = Close::decode(body);
  if (!message.ok()) return message.error();
  if (message->target == Target::statement) {
    if (const auto found = statements_.find(message->name); found != statements_.end()) statements_.erase(found);
  } else if (const auto found = portals_.find(message->name); found != portals_.end()) {
    portals_.erase(found);
  }
  (void)encode(out_, CloseComplete());
  return {};
}

void ConsoleMachine::on_sync() {
  state_ = State::ready;
  ready();
}

Result<ConsoleMachine::Portal*> ConsoleMachine::find_portal(std::string_view name) {
  const auto found = portals_.find(name);
  if (found == portals_.end()) {
    return console_error("portal \"" + std::string(name) + "\" does not exist", kUnknownCursor);
  }
  return &found->second;
}

Result<const ConsoleCommand*> ConsoleMachine::find_statement(std::string_view name) const {
  const auto found = statements_.find(name);
  if (found == statements_.end()) {
    return console_error(name.empty() ? std::string("unnamed prepared statement does not exist")
                                      : "prepared statement \"" + std::string(name) + "\" does not exist",
                         kUnknownStatement);
  }
  return &found->second;
}

// ---- both ----

Result<void> ConsoleMachine::check_transaction(const ConsoleCommand& command) const {
  const bool ends = command.verb == ConsoleVerb::commit || command.verb == ConsoleVerb::rollback;
  if (status_ != 'E' || ends) return {};
  return console_error("current transaction is aborted, commands ignored until end of transaction block",
                       kFailedTransaction);
}

std::optional<Result<ConsoleAnswer>> ConsoleMachine::run(const ConsoleCommand& command) {
  ConsoleAnswer own;
  switch (command.verb) {
    case ConsoleVerb::begin:
    case ConsoleVerb::commit:
    case ConsoleVerb::rollback: own.tag = tag_of(command, status_); return own;
    case ConsoleVerb::discard:
      statements_.clear();
      own.tag = tag_of(command, status_);
      return own;
    case ConsoleVerb::ping:
      pending_.argument = "?column?";
      own.tag = "SELECT 1";
      own.table = ConsoleTable::setting;
      own.add_row().add("1");
      return own;
    default: break;
  }
  if (command.table == ConsoleTable::setting) {
    own.tag = "SHOW";
    own.table = ConsoleTable::setting;
    own.add_row().add(pretended_setting(command.argument));
    return own;
  }
  if (command.verb == ConsoleVerb::set && pretended_setting(command.argument) != nullptr) {
    own.tag = "SET";
    return own;
  }
  const bool looks = command.verb == ConsoleVerb::show && command.table != ConsoleTable::fds;
  if (!looks && access_ != ConsoleAccess::everything) return console_error("admin access needed");
  std::optional<Result<ConsoleAnswer>> answer = runner_.run(command, *this);
  if (!answer) state_ = State::waiting;
  return answer;
}

void ConsoleMachine::finish(Result<ConsoleAnswer> answer) noexcept {
  if (state_ != State::waiting) return;
  try {
    settle(std::move(answer));
  } catch (const std::exception&) {  // memory
    state_ = State::closed;
  }
  listener_.on_console_answered();
}

void ConsoleMachine::settle(Result<ConsoleAnswer> answer) {
  state_ = State::ready;
  if (pending_is_query_) return answer_query(answer);
  const auto portal = portals_.find(pending_portal_);
  if (!answer.ok() || portal == portals_.end()) {
    fail(answer.ok() ? console_error("the cursor is gone") : answer.error());
    state_ = State::skipping;
    return;
  }
  portal->second.answer = *std::move(answer);
  answer_portal(portal->second);
}

void ConsoleMachine::cancel() noexcept {
  if (state_ != State::waiting) return;
  runner_.withdraw(*this);
  finish(console_error("canceling statement due to user request", kQueryCanceled));
}

void ConsoleMachine::say_notice(const ConsoleAnswer& answer) {
  if (answer.notice.empty()) return;
  ServerFields fields = make_fields("NOTICE", "00000", answer.notice);
  fields.detail = answer.notice_detail;
  encode_notice_response(out_, fields);
}

void ConsoleMachine::fail(const Error& error) {
  if (status_ == 'T') status_ = 'E';
  if (error.server() != nullptr) return encode_error_response(out_, *error.server());
  const Error plain = console_error(std::string(error.message()));
  encode_error_response(out_, *plain.server());
}

/// The last words.
void ConsoleMachine::end(std::string_view message) {
  const Error error = console_error(std::string(message));
  ServerFields fields = *error.server();
  fields.severity = fields.severity_localized = "FATAL";
  encode_error_response(out_, fields);
  state_ = State::closed;
}

void ConsoleMachine::ready() {
  if (status_ == 'I') portals_.clear();
  (void)encode(out_, ReadyForQuery{status_});
}

}  // namespace switchyard::inline v0::gateway
