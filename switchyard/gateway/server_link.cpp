#include <switchyard/gateway/server_link.hpp>

#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/gateway/destination.hpp>
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/messages/session.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/session/residue.hpp>

#include <utility>

namespace switchyard::inline v0::gateway {

ServerLink::ServerLink(Destination& destination, std::shared_ptr<fleet::Channel> channel)
    : why(channel->reason()), destination_(destination), channel_(std::move(channel)) {
  session::Session& session = *channel_->session();
  state_ = dynamic_cast<SessionState*>(session.keepsake());
  if (state_ == nullptr) {
    auto made = std::make_unique<SessionState>();
    state_ = made.get();
    session.set_keepsake(std::move(made));
  }
  // Statements that were prepared by another gateway of this process have other numbers.
  if (const std::string& prefix = destination.statements().interns.prefix(); state_->prefix != prefix) {
    state_->forget_statements();
    state_->prefix = prefix;
  }
  Settings parameters;
  session.each_parameter(
      [&](std::string_view name, std::string_view value) { parameters.emplace_back(name, value); });
  state_->parameters = destination.statements().sets.intern(std::move(parameters));
  state_->settings = nullptr;
  state_->unnamed = nullptr;
  state_->last_user = 0;
  since = runtime::now();
  session.let(*this);
}

ServerLink::~ServerLink() { abort(Error(ErrorKind::Closed, "the gateway has ended")); }

bool ServerLink::is_at(const fleet::Endpoint& endpoint) const noexcept {
  return channel_ && channel_->route().refusal() == nullptr && &channel_->endpoint() == &endpoint;
}

void ServerLink::give_back(Claim claims, std::span<const std::string> texts) noexcept {
  user_ = nullptr;
  std::shared_ptr<fleet::Channel> channel = std::move(channel_);
  session::Session* session = channel->session();
  if (session != nullptr && !session->closed()) {
    if (state_->parameters) {
      for (const auto& [name, value] : *state_->parameters) session->set_parameter(name, value);
    }
    // Who reads a setting of nobody that was set once gets another answer than on a new session.
    if (any(claims & (Claim::lasting | Claim::prepares)) || state_->held_custom)
      session->note(session::Residue::lasting);
    if (any(claims & Claim::functions)) session->note(session::Residue::unknown_code);
    for (const std::string& text : texts) session->note_statement(text);
    if (any(claims) || state_->settings) session->mark_dirty();
    state_->settings = nullptr;
    session->end_relay();
  }
  fleet::let_go(std::move(channel));
}

void ServerLink::abort(const Error& reason) noexcept {
  user_ = nullptr;
  if (!channel_) return;
  std::shared_ptr<fleet::Channel> channel = std::move(channel_);
  if (session::Session* session = channel->session(); session != nullptr && !session->closed()) {
    session->abort(reason);
  }
  fleet::let_go(std::move(channel));
}

void ServerLink::on_bytes(base::ReadBuffer& in) noexcept {
  if (user_ != nullptr) return user_->on_bytes(in);
  // Nobody's: the server may tell what concerns everybody, and nothing else.
  while (in.size() != 0) {
    const protocol::Frame frame = protocol::next_frame(in.readable(), protocol::backend_limits());
    if (frame.status == protocol::FrameStatus::incomplete) return;
    const bool expected = frame.status == protocol::FrameStatus::complete &&
                          (frame.type == 'S' || frame.type == 'N' || frame.type == 'E');
    if (!expected) {
      return destination_.end(*this, Error(ErrorKind::Protocol, "the server said something that nobody had asked"));
    }
    if (frame.type == 'S') {
      if (const auto status = protocol::ParameterStatus::decode(frame.body); status.ok()) {
        const std::pair<std::string, std::optional<std::string>> change(status->name, status->value);
        state_->parameters = destination_.statements().sets.intern(with_changes(state_->parameters, {&change, 1}));
      }
    }
    in.consume(frame.total);
  }
}

void ServerLink::on_sent() noexcept {
  if (user_ != nullptr) user_->on_sent();
}

void ServerLink::on_cancel_settled() noexcept {
  if (user_ != nullptr) user_->on_cancel_settled();
}

void ServerLink::on_lost(const Error& reason) noexcept {
  if (!channel_) return;  // aborted from here
  // The channel hears of it next, and keeps itself until then.
  fleet::let_go(std::move(channel_));
  state_ = nullptr;
  if (session::Session::Relay* user = std::exchange(user_, nullptr)) user->on_lost(reason);
  destination_.on_lost(*this);
}

}  // namespace switchyard::inline v0::gateway
