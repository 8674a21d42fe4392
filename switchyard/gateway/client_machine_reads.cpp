// What a client's messages and settings say about reads that may go to another server.
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/gateway/transaction_start.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>

#include <algorithm>

namespace switchyard::inline v0::gateway {
namespace {

/// May it be BEGIN or START?
bool may_begin(std::string_view sql) noexcept {
  const std::size_t at = sql.find_first_not_of(" \t\r\n;");
  return at != std::string_view::npos && std::string_view("bBsS/-").find(sql[at]) != std::string_view::npos;
}

std::string_view up_to_zero(ByteView body) noexcept { return body.substr(0, body.find('\0')); }

}  // namespace

std::string_view ClientMachine::setting(std::string_view name) const noexcept {
  if (!settings_) return {};
  const auto found = std::ranges::find(*settings_, name, &Settings::value_type::first);
  return found == settings_->end() ? std::string_view() : std::string_view(found->second);
}

bool ClientMachine::reads_by_default() const noexcept { return setting("default_transaction_read_only") == "on"; }

/// A server in recovery has no SERIALIZABLE; settings of the application's own keep a client on its session.
bool ClientMachine::may_move() const noexcept {
  return !has_custom_ && setting("default_transaction_isolation") != "serializable";
}

std::string_view ClientMachine::text_of_bind(ByteView body) const {
  const std::size_t portal = up_to_zero(body).size();
  const std::string_view name = up_to_zero(body.substr(std::min(body.size(), portal + 1)));
  const InternRef* const known = name.empty() ? &unnamed_ : find_name(name);
  return known != nullptr && *known ? (*known)->sql() : std::string_view();
}

bool ClientMachine::begins_read(ByteView messages) const {
  if (has_custom_ || status_ != 'I' || skip_ != Skip::no || refusal_) return false;
  const protocol::Frame frame = protocol::next_frame(messages, protocol::frontend_limits(), max_message_size_);
  if (frame.status != protocol::FrameStatus::complete) return false;
  std::string_view sql;
  switch (frame.type) {
    case 'Q': sql = up_to_zero(frame.body); break;
    case 'P':
      sql = up_to_zero(frame.body.substr(std::min(frame.body.size(), up_to_zero(frame.body).size() + 1)));
      break;
    case 'B': sql = text_of_bind(frame.body); break;
    default: return false;
  }
  if (!may_begin(sql)) return false;
  using Access = TransactionStart::Access;
  const TransactionStart start = read_transaction_start(sql, escapes_ ? Backslash::escapes : Backslash::plain);
  const bool serializable = start.serializable || (!start.other_isolation && !may_move());
  if (serializable) return false;
  return start.access == Access::read_only || (start.access == Access::session && reads_by_default());
}

// A transaction that reads, on a session of its own: what its client sends together with it, in front of its BEGIN
// or behind its end, is for another session. The server is given a Sync, or the text, up to there: what it has by
// then it keeps in any case, as the transaction has ended, or nothing has run.
//
//   before ─Bind of BEGIN─► begins ─Execute─► inside ─Bind of its end─► ends ─Execute─► behind

/// The message does not belong to the transaction, unlike those of its group that came before.
bool ClientMachine::is_outside_read(const protocol::Frame& frame, ByteView message) const {
  switch (frame.type) {
    case 'S':
    case 'H': return false;
    case 'Q':
    case 'F':
    case 'B':
      if (read_stage_ == ReadStage::before || read_stage_ == ReadStage::begins) return !begins_read(message);
      [[fallthrough]];
    default: return read_stage_ == ReadStage::behind;
  }
}

void ClientMachine::note_read_message(const protocol::Frame& frame) {
  if (frame.type == 'B') {
    if (read_stage_ == ReadStage::before) {
      read_stage_ = ReadStage::begins;
    } else if (read_stage_ == ReadStage::inside) {
      const Backslash backslash = escapes_ ? Backslash::escapes : Backslash::plain;
      if (end_of_transaction(text_of_bind(frame.body), backslash)) read_stage_ = ReadStage::ends;
    }
  } else if (frame.type == 'E') {
    if (read_stage_ == ReadStage::begins) read_stage_ = ReadStage::inside;
    if (read_stage_ == ReadStage::ends) read_stage_ = ReadStage::behind;
  }
}

void ClientMachine::split_group() {
  constexpr ByteView kSync("S\0\0\0\4", 5);
  on_sync(kSync, Part::yes);
}

/// What the text says behind the end of the transaction stays, and runs when it is known how that ended. False:
/// there is nothing.
bool ClientMachine::split_text(const protocol::Frame& frame) {
  const std::string_view sql = up_to_zero(frame.body);
  const auto end = end_of_transaction(sql, escapes_ ? Backslash::escapes : Backslash::plain);
  if (!end || *end == sql.size()) return false;
  base::WriteBuffer part;
  (void)encode(part, protocol::Query{sql.substr(0, *end)});
  if (part.failed()) return false;
  if (!on_query(protocol::next_frame(part.view(), protocol::frontend_limits(), max_message_size_), part.view()))
    return true;
  if (Step* const step = state_->last()) step->part = true;
  ran_ = *end;
  return true;
}

}  // namespace switchyard::inline v0::gateway
