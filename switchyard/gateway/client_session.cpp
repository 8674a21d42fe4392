#include <switchyard/gateway/client_session.hpp>

#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/gateway/peer_account.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/runtime/loop.hpp>

#include <cstring>

namespace switchyard::inline v0::gateway {
namespace {

/// A text that is not understood yet is looked at again after this.
constexpr Duration kLookAgain = std::chrono::milliseconds(1);
/// More bytes than this don't wait for the end of the turn: the server works on them while the client still writes,
/// which wants to know early what has failed.
constexpr std::size_t kGathered = 16 << 10;

}  // namespace

ClientSession::ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream, std::uint32_t id)
    : host_(host),
      stream_(std::move(stream)),
      id_(id),
      machine_({.tls = host.settings().tls != nullptr && !own_address(*stream_).is_unix(), .random = {}},
               stream_->out()) {}

ClientSession::ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream, std::uint32_t id,
                             protocol::ServerStartupMachine startup)
    : host_(host), stream_(std::move(stream)), id_(id), placed_(true), machine_(std::move(startup)) {
  machine_.send_to(stream_->out());
}

ClientSession::ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream,
                             const TravellingClient& client)
    : host_(host), stream_(std::move(stream)), id_(client.id), placed_(true), machine_({}, stream_->out()) {}

ClientSession::~ClientSession() {
  state_ = State::ended;
  release_session();
}

void ClientSession::start() noexcept {
  timer_.arm(deadline_after(runtime::now(), host_.settings().login_timeout));
  stream_->start(this);
}

ArrivingClient ClientSession::depart() noexcept {
  ArrivingClient client{stream_->detach(), std::move(machine_)};
  departed_ = true;
  finish();
  return client;
}

void ClientSession::on_data(base::ReadBuffer& in) noexcept {
  switch (state_) {
    case State::startup:
      act(machine_.on_bytes(in));
      // What came behind a startup packet is an answer to nothing, and said so at once.
      if (state_ == State::startup && in.size() != 0) act(machine_.on_bytes(in));
      return;
    case State::serving:
      if (host_.console().suspended()) return;
      asked_ = runtime::now();
      if (link_ == nullptr || mux_->settled()) began_ = asked_;
      pump(in);
      unread_ = in.size();
      return;
    case State::console: return talk_to_console(in);
    case State::draining:
    case State::cancelling:
    case State::ended: return in.clear();
    case State::opening: return;  // what came behind the startup waits
  }
}

void ClientSession::on_timer(void* self) noexcept {
  auto& client = *static_cast<ClientSession*>(self);
  if (client.state_ == State::startup) return client.act(client.machine_.on_timeout());
  if (client.state_ == State::opening) {
    return client.refuse(Error(ErrorKind::Unavailable, "the server did not answer in time"));
  }
  if (client.state_ == State::serving) {
    if (client.link_ != nullptr) {
      client.mux_->judge_again();
      client.after_machine();
    }
    return;
  }
  client.finish();
}

bool ClientSession::take_session(const base::ReadBuffer* in) noexcept {
  Destination* from = destination_;
  session::CallContext call;
  again_.clear();
  wanted_use_ = ClientMachine::Use::anything;
  ByteView again;
  try {
    if (reads_ && in != nullptr) wanted_use_ = read_in(*in, again);
    again_.assign(again);
  } catch (const std::exception&) {
    wanted_use_ = ClientMachine::Use::anything;
    again_.clear();
  }
  if (reads_ && (wanted_use_ != ClientMachine::Use::anything || reads_->policy().view)) {
    from = &reads_->sessions();
    call = reads_->call();
  }
  if (ServerLink* link = from->take(id_, call)) {
    use(*link);
    return true;
  }
  waiting_ = true;
  waits_for_ = from;
  waits_since_ = runtime::now();
  const bool hopes = shares_soon_ && in != nullptr && in != &left_;
  from->wait(*this, std::move(call), hopes ? Destination::Hope::another_way : Destination::Hope::a_session);
  return false;
}

void ClientSession::use(ServerLink& link) noexcept {
  if (state_ == State::serving) ++traffic_->assignments;
  link_ = &link;
  link.set_user(this);
  const bool reads = reads_ && &link.destination() == &reads_->sessions();
  if (reads && state_ == State::serving) note_read(link.why);
  mux_->attach(link.state(), link.session()->out(), link.session()->server_pid(),
               at_replica() ? wanted_use_ : ClientMachine::Use::anything);
  if (!again_.empty()) mux_->allow_again(stream_->out().mark());
}

void ClientSession::on_link(ServerLink& link) noexcept {
  waiting_ = false;
  traffic_->waited += runtime::now() - std::exchange(waits_since_, TimePoint{});
  use(link);
  if (state_ == State::opening) return learn();
  go_on();
}

void ClientSession::on_no_link(const Error& error) noexcept {
  waiting_ = false;
  traffic_->waited += runtime::now() - std::exchange(waits_since_, TimePoint{});
  if (state_ == State::opening) {
    if (role_ == nullptr || role_->login.has_credentials() || error.kind() != ErrorKind::Config)
      return refuse(error);
    ServerFields fields = fatal_fields(
        kInvalidPassword, "the gateway has no password to log in to the server as \"" + role_->login.role + "\"",
        std::string(error.message()));
    fields.hint =
        "Put the password in the clear into gateway.users_file, or let the gateway know the server's own SCRAM "
        "verifier, from there or by gateway.auth_user.";
    return act(machine_.refuse(std::move(fields)));
  }
  mux_->refuse(fields_of(error));
  go_on();
}

void ClientSession::go_on() noexcept {
  if (state_ != State::serving) return;
  if (left_.size() != 0) return left_turn_.schedule();
  show_input();
}

void ClientSession::show_input() noexcept {
  stream_->resume_reading();
  stream_->set_handler(this);
}

bool ClientSession::put_first(ByteView messages) noexcept {
  char* const at = left_.prepare(messages.size());
  if (at == nullptr) return end(kOutOfMemory, "out of memory"), false;
  std::memcpy(at, messages.data(), messages.size());
  left_.commit(messages.size());
  left_turn_.schedule();
  return true;
}

void ClientSession::set_suspended(bool on) noexcept {
  if (state_ != State::serving) return;
  if (on) {
    stream_->flush_now();
    return stream_->pause_reading();
  }
  show_input();
}

void ClientSession::pump_left() noexcept {
  if (overrun_ && state_ == State::serving) {
    return end(kConfigurationLimit, "more than " + std::to_string(ClientListening::kMostWaiting) +
                                        " notifications, or 1 MB of them, wait for this client to take them");
  }
  if (state_ != State::serving || left_.size() == 0) return;
  pump(left_);
  if (state_ != State::serving || left_.size() != 0) return;
  left_.shrink(0);
  if (std::exchange(behind_, false)) go_on();
}

void ClientSession::pump(base::ReadBuffer& in) noexcept {
  if (wire_.running() || (left_.size() != 0 && &in != &left_)) {
    behind_ = true;
    if (in.size() > host_.settings().max_unsent) stream_->pause_reading();
    return;
  }
  if (const std::size_t taken = &in != &left_ && !waiting_ ? share(in.readable()) : 0; taken != 0) {
    in.consume(taken);
    return;
  }
  for (;;) {
    const std::size_t before = in.size();
    mux_->on_client(in);
    traffic_->received += before - in.size();
    if (!mux_->wants_session() || link_ != nullptr || waiting_ || mux_->state() != ClientMachine::State::running)
      break;
    if (!take_session(&in)) break;
  }
  // Who waits for a session sends no more for the moment.
  if ((waiting_ || mux_->held()) && in.size() > host_.settings().max_unsent) stream_->pause_reading();
  after_machine();
}

void ClientSession::on_bytes(base::ReadBuffer& in) noexcept {
  if (state_ != State::serving && state_ != State::opening) return in.clear();
  const std::size_t before = stream_->out().size();
  if (mux_->again_allowed() && !mux_->wants_again()) mux_->allow_again(stream_->out().mark());
  mux_->on_server(in);
  const ClientMachine::Answered answered = mux_->take_answered();
  if (answered.wrote && reads_ && link_ != nullptr && &link_->destination() != &reads_->sessions()) reads_->wrote();
  if (stream_->out().size() != before) mux_->forbid_again();
  traffic_->queries += answered.queries;
  traffic_->transactions += answered.transactions;
  traffic_->pinned += answered.pinned;
  if (answered.queries != 0) {
    const TimePoint now = runtime::now();
    traffic_->in_queries += now - asked_;
    if (answered.transactions != 0) traffic_->in_transactions += now - std::exchange(began_, now);
  }
  traffic_->sent += stream_->out().size() - before;
  after_machine();
  // What waited for an answer in the middle of a transaction or of a group; leave_session() sees to the rest.
  if (link_ != nullptr && mux_->held() && !mux_->settled()) go_on();
}

void ClientSession::end_without_memory() noexcept {
  if (link_ != nullptr) {
    ServerLink& link = let_go();
    link.destination().end(link, Error(ErrorKind::Closed, "memory is short"));
  }
  // What is missing there can't be told there.
  if (stream_->out().failed()) return finish();
  end(kOutOfMemory, "out of memory");
}

void ClientSession::after_machine() noexcept {
  // Messages that found no room are not sent, and would be waited for.
  const bool lacks_room = stream_->out().failed() || (link_ != nullptr && link_->session()->out().failed());
  switch (lacks_room ? ClientMachine::State::no_memory : mux_->state()) {
    case ClientMachine::State::running: break;
    case ClientMachine::State::goodbye: return finish();
    case ClientMachine::State::no_memory: return end_without_memory();
    case ClientMachine::State::client_broke: return end(kProtocolViolation, mux_->error());
    case ClientMachine::State::server_broke:
      if (state_ == State::opening) return refuse(Error(ErrorKind::Protocol, mux_->error()));
      return end(kConnectionFailure, "the server broke the protocol: " + mux_->error());
  }
  if (link_ != nullptr) {
    if (mux_->spoilt()) {
      if (state_ == State::opening) return refuse(Error(*mux_->own_error(), ErrorStage::queued));
      const bool survives = mux_->survives_loss();
      ServerLink& link = let_go();
      link.destination().end(link, Error(ErrorKind::Closed, "what holds on the session is not known"));
      // Something of the client was on it.
      if (!survives) return end(kConnectionFailure, "what holds on the session is not known any more");
      if (mux_->held()) go_on();
    } else {
      if (mux_->settled()) {
        if (!link_->session()->cancelling()) mux_->settle();
        if (mux_->state() != ClientMachine::State::running) return after_machine();
        if (mux_->quiet()) leave_session();
      }
    }
  }
  if (link_ != nullptr) {
    session::Session& session = *link_->session();
    if (!session.out().empty()) {
      session.flush_soon();
      if (session.unsent() > kGathered) {
        session.flush();
        // Only what the socket did not take now is told of by on_sent().
        if (link_ != nullptr && session.unsent() > host_.settings().max_unsent) stream_->pause_reading();
      }
    }
  }
  if (state_ == State::serving && mux_->minds_hub()) {
    ask_hub();
    if (state_ == State::serving) deliver();
  }
  if (state_ == State::ended || stream_->out().empty()) return;
  stream_->flush_soon();
  if (stream_->unsent() <= host_.settings().max_unsent) return;
  stream_->flush_now();
  if (stream_->unsent() <= host_.settings().max_unsent) return;
  if (link_ != nullptr) link_->session()->pause_reading();
  // What is answered here would grow without bound.
  stream_->pause_reading();
}

void ClientSession::look_again() noexcept { timer_.arm(deadline_after(runtime::now(), kLookAgain)); }

bool ClientSession::must_keep() const noexcept { return keeps_ || any(mux_->pins()) || mux_->unjudged(); }

ServerLink& ClientSession::let_go() noexcept {
  mux_->detach();
  return *std::exchange(link_, nullptr);
}

void ClientSession::dismiss_session(Claim claims) noexcept {
  const std::vector<std::string> texts = mux_->take_unjudged_texts();
  ServerLink& link = let_go();
  link.destination().dismiss(link, claims, texts);
}

/// Everything is answered, in no transaction: others may have the session.
void ClientSession::leave_session() noexcept {
  const bool stays_open = link_->channel().route().refusal() == nullptr;
  if (mux_->take_catalogue_change()) {
    host_.on_catalogue_change();
    if (stays_open) link_->channel().endpoint().note_ddl();
  }
  // Who asks next gets a session where the tables are.
  if (mux_->take_relocation() && stays_open && link_->channel().route().chooser().relocated()) {
    destination_->give_back();
  }
  if (state_ == State::opening) {
    destination_->add_login(learnt_settings(), mux_->settings(), mux_->parameters());
    destination_->give(let_go());
    return admit();
  }
  if (at_replica()) return leave_replica();
  if (mux_->wants_again()) {
    ServerLink& link = let_go();
    link.destination().give(link);
    return run_again();
  }
  if (mux_->gives_up_session()) {
    dismiss_session(mux_->pins() | Claim::locks);
    if (mux_->held()) go_on();
    return;
  }
  if (mux_->held()) return go_on();
  if (mux_->unjudged()) look_again();
  if (must_keep()) return;
  if (reads_ && reads_->policy().view) reads_->left(*link_);
  destination_->give(let_go());
}

void ClientSession::on_sent() noexcept {
  if (state_ == State::serving) stream_->resume_reading();
}

void ClientSession::on_drained() noexcept {
  if (state_ == State::draining) return finish();
  if (state_ == State::console) return show_input();
  if (state_ != State::serving) return;
  if (link_ != nullptr) link_->session()->resume_reading();
  stream_->resume_reading();
  if (hub_ != nullptr) deliver();
  if (mux_->held()) go_on();
}

}  // namespace switchyard::inline v0::gateway
