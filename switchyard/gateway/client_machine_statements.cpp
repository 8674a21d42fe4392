// pg_prepared_statements shows a client what it has prepared, as a session of its own would.
#include <switchyard/gateway/client_machine.hpp>
#include <switchyard/protocol/messages/extended.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

using Kind = Step::Kind;

}  // namespace

void ClientMachine::send_hidden_sync() {
  (void)encode(*server_out_, protocol::Sync());
  expect(Kind::sync);
  state_->last()->hidden = state_->last()->silent = true;
}

/// A text that asks the view: as long as the session is the client's it has the client's statements under their own
/// names, in place of those of the gateway. Not within a transaction, and not for who has PREPAREd some.
void ClientMachine::show_statements(const ClientText& text) {
  if (!text.asks_statements || shows_statements_ || !settled()) return;
  if (std::ranges::any_of(names_, [](const auto& entry) { return entry.second == nullptr; })) return;
  const auto close = [&](std::string_view name) {
    (void)encode(*server_out_, protocol::Close{protocol::Target::statement, name});
    expect(Kind::close);
    state_->last()->hidden = true;
  };
  for (const std::string& name : state_->take_statements()) close(name);
  send_hidden_sync();
  for (const auto& [name, intern] : names_) {
    send_renamed('P', {}, name, intern->body);
    expect(Kind::parse);
    state_->last()->hidden = state_->last()->silent = true;
    send_hidden_sync();
    shown_names_.push_back(name);
  }
  shows_statements_ = true;
}

void ClientMachine::hide_statements() {
  shows_statements_ = false;
  for (const std::string& name : std::exchange(shown_names_, {})) {
    (void)encode(*server_out_, protocol::Close{protocol::Target::statement, name});
    expect(Kind::close);
    state_->last()->hidden = true;
  }
  send_hidden_sync();
}

}  // namespace switchyard::inline v0::gateway
