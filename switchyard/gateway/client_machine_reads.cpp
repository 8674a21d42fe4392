// What a client's messages and settings say about reads that may go to another server.
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/gateway/transaction_start.hpp>

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
    case 'B': {
      const std::size_t portal = up_to_zero(frame.body).size();
      const std::string_view name = up_to_zero(frame.body.substr(std::min(frame.body.size(), portal + 1)));
      const InternRef* const known = name.empty() ? &unnamed_ : find_name(name);
      if (known != nullptr && *known) sql = (*known)->sql();
      break;
    }
    default: return false;
  }
  if (!may_begin(sql)) return false;
  using Access = TransactionStart::Access;
  const TransactionStart start = read_transaction_start(sql, escapes_ ? Backslash::escapes : Backslash::plain);
  const bool serializable = start.serializable || (!start.other_isolation && !may_move());
  if (serializable) return false;
  return start.access == Access::read_only || (start.access == Access::session && reads_by_default());
}

}  // namespace switchyard::inline v0::gateway
