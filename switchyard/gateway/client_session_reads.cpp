// Reads of a client that go to replicas.
#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/gateway/traffic.hpp>

#include <exception>

namespace switchyard::inline v0::gateway {

bool ClientSession::routes_statements() const noexcept {
  return routes() && (reads_->policy().auto_read || mux_->reads_by_default()) && mux_->may_move();
}

ClientMachine::Use ClientSession::read_in(const base::ReadBuffer& in, ByteView& again) {
  using Use = ClientMachine::Use;
  /// Longer ones are not kept for a second try.
  constexpr std::size_t kMostAgain = 64 << 10;
  if (std::exchange(once_at_primary_, false) || !routes()) return Use::anything;
  const bool view = reads_->policy().view;
  if (!view && mux_->begins_read(in.readable())) return Use::one_transaction;
  if (!view && !routes_statements()) return Use::anything;
  const LaneGroup group = read_lane_group(in.readable(), host_.settings().max_message_size);
  if (group.kind == LaneGroup::Kind::none) return Use::anything;
  try {
    WireRequest request;
    const DatabaseHandle* const database = destination_->database();
    if (database == nullptr || !mux_->offer(group, request)) return Use::anything;
    if (!ClientReads::may_go(*database, request)) return Use::anything;
    if (group.size <= kMostAgain) again = in.readable().substr(0, group.size);
  } catch (const std::exception&) {
    return Use::anything;
  }
  return Use::one_statement;
}

void ClientSession::note_read(std::string_view route) noexcept {
  reads_->route = route;
  ++(route.starts_with("replica") ? traffic_->at_replicas : traffic_->reads_at_primary);
}

/// The one read there has ended: whatever follows is looked at anew.
void ClientSession::leave_replica() noexcept {
  constexpr Claim kDefinite = kProvable | Claim::prepares;
  if (mux_->unjudged()) return look_again();
  const bool again = mux_->wants_again();
  const bool gives_up = mux_->gives_up_session();
  const Claim claims = mux_->pins();
  reads_->left(*link_);
  ServerLink& link = let_go();
  if (!again) again_ = std::string();
  if (any(claims)) {
    link.destination().dismiss(link, claims, {});
    if (!gives_up && any(claims & kDefinite)) {
      return end(kConnectionFailure, "a transaction that only reads has left " + std::string(claim_text(claims)) +
                                         " on a replica, where they can't be kept for what follows");
    }
    reads_->stopped = !gives_up;
  } else {
    link.destination().give(link);
  }
  if (again) {
    run_again();
  } else if (mux_->held()) {
    go_on();
  }
}

/// At the primary, once: a second failure is the client's.
void ClientSession::run_again() noexcept {
  const std::string messages = std::exchange(again_, {});
  mux_->forbid_again();
  if (messages.empty()) return end(kConnectionFailure, "the connection to the server was lost");
  if (!put_first(messages)) return;
  behind_ = true;
  once_at_primary_ = true;
}

}  // namespace switchyard::inline v0::gateway
