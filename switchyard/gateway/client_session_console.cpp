// A client of the console.
#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/gateway/peer_account.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/runtime/loop.hpp>

namespace switchyard::inline v0::gateway {
namespace {

bool is_loopback(const runtime::SocketAddress& address) {
  const std::string host = address.is_unix() ? std::string() : address.host();
  return host.starts_with("127.") || host == "::1" || host.starts_with("::ffff:127.");
}

}  // namespace

void ClientSession::open_console() noexcept {
  const protocol::LoginRequest& login = machine_.login();
  const bool trusted = host_.settings().console.trusts_loopback && is_loopback(stream_->peer());
  const std::optional<ConsoleAccess> access =
      host_.console().access_of(login.user, trusted || peer_account(*stream_).own);
  if (!access) return refuse(refusal(kInvalidAuthorization, "not allowed"));
  if (*access != ConsoleAccess::everything) {  // whoever may mend it gets in
    const auto entered = host_.access().enter_console(id_, std::string(login.database), std::string(login.user));
    if (!entered.ok()) return refuse(entered.error());
  }
  if (!make_key()) return;
  database_ = login.database;
  for (const auto& [name, value] : login.settings) {
    if (name == "application_name") application_name_ = value;
  }
  traffic_ = &host_.console().traffic_of(kConsoleDatabase);
  ++traffic_->logins;
  console_ = std::make_unique<ConsoleMachine>(host_.console(), stream_->out(),
                                              static_cast<ConsoleMachine::Listener&>(*this), *access);
  machine_.admit(console_parameters(login.user), key_);
  served_ = true;
  state_ = State::console;
  stream_->flush_soon();
  show_input();  // what came behind the startup
}

void ClientSession::talk_to_console(base::ReadBuffer& in) noexcept {
  asked_ = runtime::now();
  if (stream_->unsent() > ConsoleMachine::kMaxUnsent) return stream_->pause_reading();
  for (std::size_t before = in.size() + 1; before != in.size() && !console_->waiting();) {
    before = in.size();
    console_->on_bytes(in);
    if (console_->closed()) return drain();
    stream_->flush_now();
    // on_drained() goes on.
    if (stream_->unsent() > ConsoleMachine::kMaxUnsent) return stream_->pause_reading();
  }
  // A command that waits goes on when the client has gone only if nobody looks.
  if (console_->waiting() && in.size() > ConsoleMachine::kMaxMessage) stream_->pause_reading();
}

void ClientSession::on_console_answered() noexcept {
  if (state_ != State::console) return;
  if (console_->closed()) return drain();
  stream_->flush_soon();
  show_input();
}

}  // namespace switchyard::inline v0::gateway
