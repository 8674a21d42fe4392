// Single statements of a client on their way through the shared lane of its database.
#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/gateway/traffic.hpp>
#include <switchyard/runtime/loop.hpp>

#include <exception>

namespace switchyard::inline v0::gateway {

/// Settings change rarely.
void ClientSession::note_settings() noexcept {
  try {
    const SettingsRef& settings = mux_->settings();
    meaning_ = destination_->meanings().of(settings);
    statement_timeout_ = statement_timeout_of(settings);
    noted_settings_ = settings;
  } catch (const std::exception&) {
    shares_ = false;
  }
}

std::size_t ClientSession::share(ByteView in) noexcept {
  shares_soon_ = false;
  if (!shares_ || link_ != nullptr || stream_->unsent() > host_.settings().max_unsent) return 0;
  const LaneGroup group = read_lane_group(in, host_.settings().max_message_size);
  if (group.kind == LaneGroup::Kind::none) return 0;
  const DatabaseHandle* const database = destination_->database();
  if (database == nullptr) return 0;
  try {
    WireRequest request;
    if (!mux_->offer(group, request)) return 0;
    if (noted_settings_ != mux_->settings()) note_settings();
    if (meaning_) {
      if (meaning_->leased) return 0;
      request.settings = meaning_->setup;
      request.settings_clients = static_cast<std::uint32_t>(meaning_.use_count());
    }
    if (statement_timeout_ > Duration::zero()) request.deadline = deadline_after(asked_, statement_timeout_);
    request.messages = in.substr(0, group.size);
    const bool reads =
        reads_ && (reads_->policy().view || (routes_statements() && ClientReads::may_go(*database, request)));
    const DatabaseHandle* const at = reads ? reads_->handle() : database;
    if (at == nullptr) return 0;
    const WireStatement::Admission admission = wire_.start(*at, request, stream_->out(), *this);
    shares_soon_ = admission.soon;
    if (!admission.taken) return 0;
    if (reads) note_read(admission.route);
    mux_->shared(group);
  } catch (const std::exception&) {
    return 0;
  }
  ++traffic_->queries;
  ++traffic_->shared;
  ++traffic_->transactions;
  traffic_->received += group.size;
  behind_ = in.size() != group.size;
  return group.size;
}

/// It waits for a session only because the lane was not ready for it: asked again before it gets one.
Destination::OtherWay ClientSession::take_other_way() noexcept {
  if (state_ != State::serving || host_.console().suspended()) return Destination::OtherWay::not_yet;
  const std::size_t taken = share(stream_->received());
  if (taken == 0) return shares_soon_ ? Destination::OtherWay::not_yet : Destination::OtherWay::none;
  waiting_ = false;
  traffic_->waited += runtime::now() - std::exchange(waits_since_, TimePoint{});
  again_.clear();
  wanted_use_ = ClientMachine::Use::anything;
  stream_->consume(taken);
  stream_->resume_reading();
  return Destination::OtherWay::taken;
}

void ClientSession::on_answered() noexcept {
  if (state_ != State::serving) return;
  const Duration took = runtime::now() - asked_;
  traffic_->in_queries += took;
  traffic_->in_transactions += took;
  if (hub_ != nullptr) deliver();
  stream_->flush_soon();
  if (std::exchange(behind_, false)) go_on();
}

void ClientSession::on_lease(std::string_view /*why*/, ByteView messages) noexcept {
  if (state_ != State::serving) return;
  if (!put_first(messages)) return;
  traffic_->received -= messages.size();
  --traffic_->queries;
  --traffic_->shared;
  --traffic_->transactions;
}

}  // namespace switchyard::inline v0::gateway
