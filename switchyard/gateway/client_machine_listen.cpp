// LISTEN of a client whose sessions do not listen themselves.
#include <switchyard/base/ascii.hpp>
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/gateway/notify_senders.hpp>
#include <switchyard/gateway/sql_words.hpp>
#include <switchyard/protocol/messages/session.hpp>

#include <algorithm>

namespace switchyard::inline v0::gateway {
namespace {

constexpr std::string_view kListeningChannels = "pg_listening_channels";

std::string from_hex(std::string_view digits) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out += static_cast<char>(value(digits[i]) << 4 | value(digits[i + 1]));
  }
  return out;
}

/// As the hub's session: payloads come as it gets them.
bool is_utf8(std::string_view encoding) {
  std::string folded;
  for (const char c : encoding) {
    if (c != '-' && c != '_') folded += base::to_lower(c);
  }
  return folded == "utf8" || folded == "unicode";
}

}  // namespace

/// False: the hub has to listen first.
bool ClientMachine::await_hub(const ClientText& text) {
  if (text.listens.empty()) return true;
  const std::string_view encoding = setting("client_encoding");
  if (!encoding.empty() && !is_utf8(encoding)) return true;
  if (!listening_) listening_ = std::make_unique<ClientListening>();
  wanted_channels_ = listening_->missing(text.listens);
  if (wanted_channels_.empty()) return true;
  asks_hub_ = waits_for_hub_ = true;
  return false;
}

void ClientMachine::ask_channels() {
  begin_own(Own::channels,
            "SELECT pg_catalog.string_agg(pg_catalog.encode(pg_catalog.convert_to(c, 'UTF8'), 'hex'), ',') "
            "FROM pg_catalog.pg_listening_channels() c");
}

/// The ReadyForQuery that waited for the hub, and what has come in front of it.
void ClientMachine::release_ready() {
  if (held_ready_ == '\0') return;
  own_ = Own::hub;
  (void)deliver();
  own_ = Own::none;
  ready(std::exchange(held_ready_, '\0'));
}

/// The hub may need that very session.
bool ClientMachine::spares_session() const noexcept {
  return waits_for_hub_ && state_ != nullptr && state_->drained() && !state_->fenced && status_ == 'I' &&
         !group_open_ && !copy_in_ && own_ == Own::none && skip_ == Skip::no && rest_ == 0 &&
         use_ == Use::anything && !recheck_ && !any(pins_) && unjudged_.empty() && touched_.empty() &&
         reported_.empty() && !shows_statements_;
}

void ClientMachine::on_hub(bool ready) {
  if (own_ == Own::hub) {
    own_ = Own::none;
    // LISTEN was in the same transaction.
    return listening_->expects() ? ask_channels() : release_ready();
  }
  if (!std::exchange(waits_for_hub_, false)) return;
  if (ready) {
    listening_->expect(wanted_channels_);
  } else {
    hub_ = false;
  }
  wanted_channels_.clear();
}

bool ClientMachine::show_channels(std::string_view sql) {
  if (!listening_ || listening_->channels().empty() || shown_listens_ || !settled()) return true;
  if (!mentions(sql, kListeningChannels)) return true;
  std::string text;
  for (const std::string& channel : listening_->channels()) {
    text += "LISTEN ";
    append_identifier(text, channel);
    text += ';';
  }
  begin_own(Own::show_listen, text);
  return false;
}

void ClientMachine::note_notify(const ClientText& text) {
  if (text.asks_process) asked_pid_ = server_pid_;
  if (!text.may_notify) return;
  if (hub_ && listening_ && (!listening_->channels().empty() || listening_->expects())) fences_ = true;
  if (shared_.senders == nullptr) return;
  shared_.senders->sends(server_pid_, id_);
  notifies_ = true;
}

/// The process id that the client knows the sender by: of its key, or of its own what it has asked the server for.
std::int32_t ClientMachine::sender_of(std::int32_t server_pid) const noexcept {
  const bool own = state_ != nullptr && server_pid == server_pid_;
  std::optional<std::uint32_t> client = own ? std::optional(id_) : std::nullopt;
  if (!client && shared_.senders != nullptr) client = shared_.senders->sender(server_pid, Clock::now());
  if (!client) return server_pid;
  return *client == id_ && asked_pid_ != 0 ? asked_pid_ : static_cast<std::int32_t>(*client);
}

void ClientMachine::on_channels() {
  if (own_row_.size() != 1) return broken("an answer of another form");
  std::vector<std::string> channels;
  std::string_view rest = own_row_.front() ? std::string_view(*own_row_.front()) : std::string_view();
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    channels.push_back(from_hex(one));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
  }
  if (listening_->confirm(channels)) {
    begin_own(Own::unlisten, "UNLISTEN *");
  } else {
    native_listens_ = true;
    release_ready();
  }
}

bool ClientMachine::notify(std::int32_t server_pid, std::string_view channel, std::string_view payload) {
  return !listening_ || listening_->add(sender_of(server_pid), channel, payload);
}

bool ClientMachine::deliver() {
  if (!listening_ || listening_->waiting() == 0 || listening_->expects() || status_ != 'I' || rest_ != 0)
    return false;
  const bool at_ease = own_ == Own::hub || state_ == nullptr || (settled() && !moves_listens() && !recheck_);
  if (!at_ease) return false;
  bool told = false;
  while (const ClientListening::Notification* one = listening_->front()) {
    (void)encode(client_out_, protocol::NotificationResponse{
                                  .process_id = one->pid, .channel = one->channel, .payload = one->payload});
    listening_->pop();
    told = true;
  }
  return told;
}

}  // namespace switchyard::inline v0::gateway
