// Single statements of a client on their way through the shared lane of its database.
#include <switchyard/gateway/client_session.hpp>
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

bool ClientSession::share(base::ReadBuffer& in) noexcept {
  if (!shares_ || link_ != nullptr || waiting_ || stream_->unsent() > host_.settings().max_unsent) return false;
  const LaneGroup group = read_lane_group(in.readable(), host_.settings().max_message_size);
  if (group.kind == LaneGroup::Kind::none) return false;
  const DatabaseHandle* const database = destination_->database();
  if (database == nullptr) return false;
  try {
    WireRequest request;
    if (!mux_->offer(group, request)) return false;
    if (noted_settings_ != mux_->settings()) note_settings();
    if (meaning_) {
      if (meaning_->leased) return false;
      request.settings = meaning_->setup;
      request.settings_clients = static_cast<std::uint32_t>(meaning_.use_count());
    }
    if (statement_timeout_ > Duration::zero()) request.deadline = deadline_after(asked_, statement_timeout_);
    request.messages = in.readable().substr(0, group.size);
    const bool reads =
        reads_ && (reads_->policy().view || (routes_statements() && ClientReads::may_go(*database, request)));
    const DatabaseHandle* const at = reads ? reads_->handle() : database;
    if (at == nullptr) return false;
    const WireStatement::Admission admission = wire_.start(*at, request, stream_->out(), *this);
    if (!admission.taken) return false;
    if (reads) note_read(admission.route);
    mux_->shared(group);
  } catch (const std::exception&) {
    return false;
  }
  ++traffic_->queries;
  ++traffic_->shared;
  ++traffic_->transactions;
  traffic_->received += group.size;
  in.consume(group.size);
  behind_ = in.size() != 0;
  return true;
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
