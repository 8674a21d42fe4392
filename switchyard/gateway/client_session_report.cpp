// What a client looks like from outside.
#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/peer_account.hpp>

#include <algorithm>

namespace switchyard::inline v0::gateway {

std::string ClientSession::address() const {
  return own_address(*stream_).is_unix() ? std::string("[local]") : stream_->peer().host();
}

ClientSession::Idleness ClientSession::idleness(TimePoint now) noexcept {
  const bool active = state_ != State::serving || waiting_ || wire_.running() || mux_->runs();
  if (active) active_ = now;
  if (state_ != State::serving) return {};
  return {.time = now - std::max({connected_, asked_, active_}), .in_transaction = mux_->busy()};
}

ClientReport ClientSession::report() const {
  ClientReport report;
  report.id = id_;
  switch (state_) {
    case State::startup: report.activity = authenticated_ ? ClientActivity::idle : ClientActivity::login; break;
    case State::opening: report.activity = ClientActivity::waiting; break;
    case State::serving:
      report.activity = link_ != nullptr || wire_.running() ? ClientActivity::active
                        : waiting_                          ? ClientActivity::waiting
                                                            : ClientActivity::idle;
      break;
    case State::console: report.activity = ClientActivity::console; break;
    case State::cancelling: report.activity = ClientActivity::cancelling; break;
    case State::draining:
    case State::ended: report.activity = ClientActivity::idle; break;
  }
  if (authenticated_) {
    report.user = user_.empty() ? machine_.login().user : user_;
    report.database = place_ != nullptr ? place_->name : database_;
  }
  if (state_ == State::serving) {
    report.route = route_text();
    report.pin = pin_text();
  }
  report.application_name = application_name_;
  report.address = stream_->peer();
  report.socket = stream_->native_handle();
  if (const runtime::TlsInfo* tls = stream_->tls()) report.tls = tls->version + "/" + tls->cipher;
  report.connected = connected_;
  report.asked = asked_ == TimePoint{} ? connected_ : asked_;
  report.waits_since = waits_since_;
  report.session = link_ != nullptr ? link_->session() : nullptr;
  report.in_lane = wire_.running();
  report.server_pid = report.in_lane              ? wire_.server_pid()
                      : report.session != nullptr ? link_->session()->server_pid()
                                                  : 0;
  report.prepared_statements = console_ ? console_->prepared_statements() : mux_ ? mux_->prepared_statements() : 0;
  report.unsent = stream_->unsent();
  return report;
}

std::string ClientSession::pin_text() const {
  if (link_ == nullptr) return {};
  if (any(mux_->pins())) return std::string(claim_text(mux_->pins()));
  if (keeps_) return "pool_mode = session";
  if (mux_->unjudged()) return "a text that is not understood yet";
  return {};
}

std::string ClientSession::route_text() const {
  const bool view = place_ != nullptr && database_ != place_->name;
  std::string text = view ? "read view" : "primary";
  if (link_ != nullptr && link_->session() != nullptr && link_->channel().route().refusal() == nullptr) {
    text = link_->channel().endpoint().settings().name;
    if (!link_->why.empty()) text += ": " + std::string(link_->why);
  }
  if (reads_ && !reads_->route.empty() && !(link_ != nullptr && link_->why == reads_->route)) {
    text += "; its last read: " + std::string(reads_->route);
  }
  if (const std::size_t channels = mux_->channels(); channels != 0) {
    text += "; listens on " + std::to_string(channels) + (channels == 1 ? " channel" : " channels") +
            " through the hub";
  }
  return text;
}

}  // namespace switchyard::inline v0::gateway
