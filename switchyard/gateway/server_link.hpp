// A session of the fleet that the gateway has at hand: with a client, or waiting for the next one. Internal to the
// room.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/channel.hpp>
#include <switchyard/gateway/client_text.hpp>
#include <switchyard/gateway/session_state.hpp>
#include <switchyard/session/session.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

class Destination;

class ServerLink final : private session::Session::Relay {
 public:
  /// Takes the wire of the channel's session, which it must have.
  ServerLink(Destination& destination, std::shared_ptr<fleet::Channel> channel);
  ~ServerLink();
  ServerLink(const ServerLink&) = delete;
  ServerLink& operator=(const ServerLink&) = delete;

  /// Who hears the server from now on; null: nobody has it.
  void set_user(session::Session::Relay* user) noexcept { user_ = user; }
  [[nodiscard]] bool in_use() const noexcept { return user_ != nullptr; }
  [[nodiscard]] SessionState& state() noexcept { return *state_; }
  /// Null once it is lost.
  [[nodiscard]] session::Session* session() const noexcept { return channel_ ? channel_->session() : nullptr; }
  [[nodiscard]] fleet::Channel& channel() const noexcept { return *channel_; }
  [[nodiscard]] Destination& destination() const noexcept { return destination_; }
  /// Its session is one of `endpoint`, which may still be used.
  [[nodiscard]] bool is_at(const fleet::Endpoint& endpoint) const noexcept;

  /// Ends the relay and leaves the session to its pool. Nothing may be outstanding. `claims` and `texts` are what
  /// its last user has left there.
  void give_back(Claim claims, std::span<const std::string> texts) noexcept;
  /// Closes the session.
  void abort(const Error& reason) noexcept;

  /// Why its last user was given it: text that lives as long as the fleet.
  std::string_view why{};
  TimePoint since{};  ///< it has been taken from the pool
  TimePoint idle_since{};
  bool counted = false;  ///< in SessionShares, for its client
  bool leaves = false;   ///< goes back to the pool when its client leaves it

 private:
  void on_bytes(base::ReadBuffer& in) noexcept override;
  void on_sent() noexcept override;
  void on_cancel_settled() noexcept override;
  void on_lost(const Error& reason) noexcept override;

  Destination& destination_;
  std::shared_ptr<fleet::Channel> channel_;
  SessionState* state_ = nullptr;  ///< the session's keepsake
  session::Session::Relay* user_ = nullptr;
};

}  // namespace switchyard::inline v0::gateway
