// What ends a client, or what it runs.
#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/runtime/loop.hpp>

namespace switchyard::inline v0::gateway {
namespace {

/// What a client that has been told the end gets to take it.
constexpr Duration kDrainLimit = std::chrono::seconds(10);

}  // namespace

bool ClientSession::cancel(const protocol::BackendKey& key, std::uint32_t asker) noexcept {
  if (!protocol::crypto::equal_in_constant_time(key.secret, key_.secret)) return false;
  if (state_ == State::console) {
    console_->cancel();
    host_.on_cancel_done(asker);
    return true;
  }
  if (state_ != State::serving) return false;
  askers_.push_back(asker);
  if (wire_.running()) {
    wire_.cancel();
    stream_->flush_soon();
    if (std::exchange(behind_, false)) go_on();
    settle_askers();
    return true;
  }
  if (link_ != nullptr && mux_->runs()) {
    mux_->fence();
    link_->session()->cancel();
    return true;
  }
  if (waiting_) {
    waits_for_->withdraw(*this);
    waiting_ = false;
    mux_->refuse(fatal_fields(kQueryCanceled, "canceling statement due to user request"));
    go_on();
  }
  settle_askers();
  return true;
}

void ClientSession::on_cancel_settled() noexcept {
  settle_askers();
  if (mux_ && link_ != nullptr) after_machine();
}

void ClientSession::settle_askers() noexcept {
  for (const std::uint32_t asker : std::exchange(askers_, {})) host_.on_cancel_done(asker);
}

/// Who asked to cancel waits for this, as it would with the server: only then may it send something else.
void ClientSession::on_cancel_done() noexcept {
  if (state_ == State::cancelling) finish();
}

void ClientSession::on_closed(const Error& /*error*/) noexcept { finish(); }

void ClientSession::on_lost(const Error& reason) noexcept {
  const bool read = link_ != nullptr && reads_ && &link_->destination() == &reads_->sessions();
  link_ = nullptr;
  if (read) reads_->lost();
  // What has not been sent yet comes again by itself.
  if (state_ == State::serving && mux_->again_allowed() && mux_->runs()) {
    settle_askers();
    mux_->detach();
    return run_again();
  }
  const bool survives = mux_->survives_loss();
  const bool told = mux_->told_fatal();
  const bool inside = mux_->inside_message();
  mux_->detach();
  if (state_ == State::opening) return refuse(reason);
  if (state_ != State::serving) return;
  settle_askers();
  if (survives) {
    if (mux_->held()) go_on();
    return;
  }
  if (!told && !inside) {
    protocol::encode_error_response(
        stream_->out(), fatal_fields(kConnectionFailure,
                                     "the connection to the server was lost: " + std::string(reason.message())));
  }
  drain();
}

void ClientSession::end(std::string_view sqlstate, std::string message) noexcept {
  switch (state_) {
    case State::startup:
    case State::opening:
      if (!machine_.encrypted() || stream_->is_tls()) {
        return act(machine_.refuse(fatal_fields(sqlstate, std::move(message))));
      }
      return finish();
    case State::console:
    case State::serving: tell(fatal_fields(sqlstate, std::move(message))); return drain();
    case State::cancelling:
    case State::draining: return finish();
    case State::ended: return;
  }
}

/// An ErrorResponse, unless it would come in the middle of another message.
void ClientSession::tell(ServerFields fields) noexcept {
  if (!mux_ || !mux_->inside_message()) protocol::encode_error_response(stream_->out(), fields);
}

void ClientSession::drain() noexcept {
  if (state_ == State::ended || state_ == State::draining) return;
  state_ = State::draining;
  settle_askers();
  release_session();
  stream_->flush_now();
  if (!stream_->is_open() || stream_->unsent() == 0) return finish();
  stream_->resume_reading();  // a close is noticed
  timer_.arm(deadline_after(runtime::now(), kDrainLimit));
}

void ClientSession::finish() noexcept {
  if (state_ == State::ended) return;
  state_ = State::ended;
  timer_.disarm();
  settle_askers();
  release_session();
  stream_->close();
  host_.on_ended(*this);
}

/// A transaction that is open is rolled back by the server, for nothing is sent that the client did not send; so is
/// a COPY that has not ended.
void ClientSession::release_session() noexcept {
  wire_.withdraw();
  if (hub_ != nullptr) std::exchange(hub_, nullptr)->leave(*this);
  keeps_ = false;
  if (std::exchange(waiting_, false)) waits_for_->withdraw(*this);
  if (link_ == nullptr) return;
  const bool quiet = mux_->quiet() && !link_->session()->cancelling();
  const Claim claims = mux_->pins();
  if (quiet && (any(claims) || mux_->unjudged())) return dismiss_session(claims);
  ServerLink& link = let_go();
  if (quiet) return link.destination().give(link);
  link.destination().end(link, Error(ErrorKind::Closed, "the client has left"));
}

}  // namespace switchyard::inline v0::gateway
