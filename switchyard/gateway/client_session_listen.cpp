// Notifications of a client's channels.
#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/refusal.hpp>

namespace switchyard::inline v0::gateway {

void ClientSession::on_notification(std::int32_t server_pid, std::string_view channel,
                                    std::string_view payload) noexcept {
  if (state_ != State::serving) return;
  if (!mux_->notify(server_pid, channel, payload)) {
    // Not from within the hub.
    overrun_ = true;
    return left_turn_.schedule();
  }
  deliver();
}

void ClientSession::deliver() noexcept {
  if (wire_.running() || stream_->unsent() > host_.settings().max_unsent) return;
  if (mux_->deliver()) stream_->flush_soon();
}

void ClientSession::on_hub_ready(bool ready) noexcept {
  if (state_ != State::serving) return;
  mux_->on_hub(ready);
  after_machine();
  if (state_ == State::serving && mux_->held()) go_on();
}

void ClientSession::on_hub_lost(const Error& /*reason*/) noexcept {
  end(kAdminShutdown,
      "terminating connection: the session that listens for this client was lost, and notifications with it");
}

void ClientSession::ask_hub() noexcept {
  const std::vector<std::string>* const channels = mux_->take_hub_question();
  if (hub_ != nullptr) {
    for (const std::string& channel : mux_->take_left_channels()) hub_->leave(*this, channel);
  }
  if (channels == nullptr) return;
  hub_ = destination_->hub();
  if (hub_ == nullptr) return on_hub_ready(false);
  if (mux_->spares_session() && !must_keep() && !at_replica() && !link_->session()->cancelling()) {
    destination_->give(let_go());
  }
  // The answer may come from inside.
  if (channels->empty()) {
    hub_->fence(*this);
  } else if (!hub_->listen(*this, *channels)) {
    on_hub_ready(false);
  }
}

}  // namespace switchyard::inline v0::gateway
