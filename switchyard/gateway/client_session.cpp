#include <switchyard/gateway/client_session.hpp>

#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/gateway/access.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/gateway/database_name.hpp>
#include <switchyard/gateway/peer_account.hpp>
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/messages/copy.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/session.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <string_view>

#include <sys/socket.h>

namespace switchyard::inline v0::gateway {
namespace {

using protocol::ServerStartupAction;

/// Larger messages of a server are passed on in pieces, so that a client's memory here stays bounded.
constexpr std::size_t kLargestWhole = 64 << 10;
/// What a client that has been told the end gets to take it.
constexpr Duration kDrainLimit = std::chrono::seconds(10);

constexpr std::string_view kTooManyConnections = "53300";
constexpr std::string_view kInvalidCatalogName = "3D000";
constexpr std::string_view kInvalidAuthorization = "28000";
constexpr std::string_view kAdminShutdown = "57P01";
constexpr std::string_view kConnectionFailure = "08006";
constexpr std::string_view kProtocolViolation = "08P01";

bool is_unix(const runtime::Stream& stream) noexcept {
  int domain = 0;
  socklen_t size = sizeof(domain);
  return ::getsockopt(stream.native_handle(), SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

ServerFields fields_of(std::string_view sqlstate, std::string message) {
  ServerFields fields;
  fields.severity = fields.severity_localized = "FATAL";
  fields.sqlstate = sqlstate;
  fields.message = std::move(message);
  return fields;
}

ServerFields fields_of(const Error& error) {
  if (error.server() != nullptr) return *error.server();
  std::string_view sqlstate = kConnectionFailure;
  switch (error.kind()) {
    case ErrorKind::PoolExhausted: sqlstate = kTooManyConnections; break;
    case ErrorKind::Config:
    case ErrorKind::Usage: sqlstate = kInvalidCatalogName; break;
    case ErrorKind::Closed: sqlstate = kAdminShutdown; break;
    default: break;
  }
  ServerFields fields = fields_of(sqlstate, std::string(error.message()));
  fields.hint = error.hint();
  return fields;
}

/// Startup is over: a server says none of these any more.
bool belongs_to_startup(char type) noexcept { return type == 'R' || type == 'K' || type == 'v'; }

}  // namespace

ClientSession::ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream, std::uint32_t id)
    : host_(host),
      stream_(std::move(stream)),
      id_(id),
      machine_({.tls = host.settings().tls != nullptr && !is_unix(*stream_), .random = {}}, stream_->out()) {}

ClientSession::ClientSession(ClientHost& host, std::unique_ptr<runtime::Stream> stream, std::uint32_t id,
                             protocol::ServerStartupMachine startup)
    : host_(host), stream_(std::move(stream)), id_(id), placed_(true), machine_(std::move(startup)) {
  machine_.send_to(stream_->out());
}

ClientSession::~ClientSession() {
  state_ = State::ended;
  release_session();
}

void ClientSession::start() noexcept {
  timer_.arm(deadline_after(runtime::now(), host_.settings().login_timeout));
  stream_->start(this);
}

// ---- startup ----

void ClientSession::start_over() noexcept {
  start();
  decide();
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
      return forward(in);
    case State::console: return talk_to_console(in);
    case State::draining:
    case State::cancelling:
    case State::ended: return in.clear();
    case State::opening:
    case State::setting_up: return;  // what came behind the startup waits for the session
  }
}

void ClientSession::act(ServerStartupAction action) noexcept {
  switch (action) {
    case ServerStartupAction::wait: return stream_->flush_soon();
    case ServerStartupAction::start_tls: stream_->flush_now(); return task_.start(handshake());
    case ServerStartupAction::decide: return decide();
    case ServerStartupAction::admit:
      authenticated_ = true;
      state_ = State::opening;
      stream_->pause_reading();
      stream_->flush_soon();
      timer_.disarm();
      host_.on_authenticated(*this);
      if (host_.console().is_console(machine_.login().database)) return open_console();
      return task_.start(open());
    case ServerStartupAction::cancel:
      asked_to_cancel_ = true;
      state_ = State::cancelling;
      if (!host_.cancel(machine_.cancel_key(), *this)) finish();
      return;
    case ServerStartupAction::fail: return drain();
  }
}

void ClientSession::decide() noexcept {
  if (!placed_ && host_.place(*this)) return;
  if (!host_.has_room()) {
    ServerFields fields = fields_of(kTooManyConnections, "sorry, too many clients already");
    fields.detail = "max_clients is " + std::to_string(host_.settings().max_clients) + ".";
    return act(machine_.refuse(std::move(fields)));
  }
  const protocol::LoginRequest& login = machine_.login();
  const PeerAccount account = peer_account(*stream_);
  if (host_.settings().trust_own_account && account.own) return act(machine_.decide(protocol::TrustLogin()));
  AccessQuestion question;
  question.local = account.local;
  question.tls = stream_->is_tls();
  question.address = stream_->peer();
  question.own = own_address(*stream_);
  question.databases = {login.database};
  question.user = login.user;
  // A rule means a database by whatever name its client uses.
  std::string_view search_path;
  for (const auto& [name, value] : login.settings) {
    if (name == "search_path") search_path = value;
  }
  const Result<ClientDatabase> found =
      find_database(host_.fleet().config(), login.database, login.user, search_path);
  if (found.ok()) {
    question.databases.push_back(found->database->name);
    question.databases.push_back(found->database->primary.connection.dbname);
  }
  Result<protocol::LoginMethod> method = decide_login(host_.settings(), question, login.database, account.name);
  if (!method.ok()) return act(machine_.refuse(fields_of(method.error())));
  act(machine_.decide(*std::move(method)));
}

Task<void> ClientSession::handshake() {
  runtime::TlsOptions options;
  options.begun = machine_.direct_tls();
  const auto result = co_await stream_->start_tls(host_.settings().tls, options,
                                                  deadline_after(runtime::now(), host_.settings().login_timeout));
  if (!result.ok()) {
    finish();
    co_return;
  }
  const runtime::TlsInfo& info = *stream_->tls();
  act(machine_.on_tls_started({.certificate_hash = info.own_certificate_hash, .alpn = info.alpn}));
  // The startup packet may have come with the end of the handshake, and been shown before its turn.
  if (state_ == State::startup) stream_->set_handler(this);
}

void ClientSession::on_timer(void* self) noexcept {
  auto& client = *static_cast<ClientSession*>(self);
  if (client.state_ == State::startup) return client.act(client.machine_.on_timeout());
  if (client.state_ == State::setting_up) {
    return client.refuse(Error(ErrorKind::Unavailable, "the server did not answer in time"));
  }
  client.finish();
}

// ---- the session ----

/// Whom the client means, and whether it may.
Result<void> ClientSession::find_place() {
  const protocol::LoginRequest& login = machine_.login();
  const FleetConfig& config = host_.fleet().config();
  Result<Settings> settings = read_settings(login.settings);
  if (!settings.ok()) return Error(fields_of("42601", std::string(settings.error().message())), ErrorStage::queued);
  settings_ = *std::move(settings);
  Result<ClientDatabase> found =
      find_database(config, login.database, login.user, find_setting(settings_, "search_path"));
  if (!found.ok()) return found.error();
  database_ = std::move(found->name);
  const DatabaseConfig* database = found->database;
  if (host_.console().shutting_down()) return Error(ErrorKind::Closed, "the gateway is shutting down");
  if (host_.console().disabled(database->name)) {
    return Error(fields_of(kConnectionFailure, "database \"" + database->name + "\" is disabled"),
                 ErrorStage::queued);
  }
  application_name_ = find_setting(settings_, "application_name");
  traffic_ = &host_.console().traffic_of(database->name);
  if (!database->configured() && database->has_stand_in()) database = config.find(*database->when_unconfigured);
  if (database == nullptr || !database->configured())
    return Error(ErrorKind::Config, found->database->missing_dsn_message);
  const std::string& role = database->primary.connection.user;
  if (role != login.user) {
    ServerFields fields =
        fields_of(kInvalidAuthorization, "role \"" + login.user + "\" is not the one that database \"" +
                                             found->database->name + "\" of the fleet is used with");
    fields.hint = "Log in as \"" + role + "\".";
    return Error(std::move(fields), ErrorStage::queued);
  }
  return {};
}

Task<void> ClientSession::open() {
  if (const Result<void> found = find_place(); !found.ok()) {
    refuse(found.error());
    co_return;
  }
  Result<DatabaseHandle> handle = host_.fleet().database(database_);
  if (!handle.ok()) {
    refuse(handle.error());
    co_return;
  }
  waits_since_ = runtime::now();
  Result<std::shared_ptr<fleet::Channel>> opened = co_await as_result(handle->open_channel());
  traffic_->waited += runtime::now() - std::exchange(waits_since_, TimePoint{});
  if (!opened.ok()) {
    refuse(opened.error());
    co_return;
  }
  ++traffic_->assignments;
  channel_ = *std::move(opened);
  session::Session* session = channel_->session();
  if (session == nullptr) {
    refuse(Error(ErrorKind::Unavailable, "the session was lost before it was used"));
    co_return;
  }
  state_ = State::setting_up;
  timer_.arm(deadline_after(runtime::now(), host_.settings().login_timeout));
  session->each_parameter(
      [&](std::string_view name, std::string_view value) { parameters_.emplace_back(name, value); });
  session->let(*this);
  base::WriteBuffer text;
  (void)encode(text, protocol::Query{setup_text(settings_)});
  session->send(text.view());
}

void ClientSession::on_bytes(base::ReadBuffer& in) noexcept {
  if (state_ == State::setting_up) return set_up(in);
  if (state_ == State::serving) return relay(in);
  in.clear();
}

/// The answer to setup_text().
void ClientSession::set_up(base::ReadBuffer& in) noexcept {
  for (;;) {
    const protocol::Frame frame = protocol::next_frame(in.readable(), protocol::backend_limits());
    if (frame.status == protocol::FrameStatus::incomplete) return;
    if (frame.status != protocol::FrameStatus::complete || belongs_to_startup(frame.type)) {
      return refuse(Error(ErrorKind::Protocol, "the server broke the protocol"));
    }
    if (frame.type == protocol::ParameterStatus::kType) {
      if (const auto status = protocol::ParameterStatus::decode(frame.body); status.ok()) {
        std::erase_if(parameters_, [&](const auto& known) { return known.first == status->name; });
        parameters_.emplace_back(status->name, status->value);
      }
    } else if (frame.type == 'E' && !setup_error_) {
      auto fields = protocol::decode_error_fields(frame.body);
      setup_error_ =
          fields.ok() ? *std::move(fields) : fields_of(kProtocolViolation, "malformed error of the server");
    }
    const bool ready = frame.type == protocol::ReadyForQuery::kType;
    in.consume(frame.total);
    if (!ready) continue;
    if (setup_error_) return refuse(Error(*std::move(setup_error_), ErrorStage::queued));
    return admit();
  }
}

void ClientSession::admit() noexcept {
  auto secret = protocol::crypto::random_bytes(machine_.cancel_key_size());
  if (!secret) return refuse(Error(ErrorKind::Unavailable, "OpenSSL has no random bytes"));
  key_ = {static_cast<std::int32_t>(id_), *std::move(secret)};
  std::ranges::sort(parameters_);
  machine_.admit(parameters_, key_);
  parameters_.clear();
  settings_.clear();
  timer_.disarm();
  served_ = true;
  state_ = State::serving;
  ++traffic_->logins;
  stream_->flush_soon();
  stream_->resume_reading();
  stream_->set_handler(this);  // shows what came behind the startup
}

void ClientSession::refuse(const Error& error) noexcept { act(machine_.refuse(fields_of(error))); }

// ---- the console ----

void ClientSession::open_console() noexcept {
  const protocol::LoginRequest& login = machine_.login();
  const std::optional<ConsoleAccess> access = host_.console().access_of(login.user, peer_account(*stream_).own);
  if (!access) return act(machine_.refuse(fields_of(kInvalidAuthorization, "not allowed")));
  auto secret = protocol::crypto::random_bytes(machine_.cancel_key_size());
  if (!secret) return refuse(Error(ErrorKind::Unavailable, "OpenSSL has no random bytes"));
  database_ = login.database;
  for (const auto& [name, value] : login.settings) {
    if (name == "application_name") application_name_ = value;
  }
  traffic_ = &host_.console().traffic_of(kConsoleDatabase);
  ++traffic_->logins;
  key_ = {static_cast<std::int32_t>(id_), *std::move(secret)};
  console_ = std::make_unique<ConsoleMachine>(host_.console(), stream_->out(),
                                              static_cast<ConsoleMachine::Listener&>(*this), *access);
  machine_.admit(console_parameters(login.user), key_);
  served_ = true;
  state_ = State::console;
  stream_->flush_soon();
  stream_->resume_reading();
  stream_->set_handler(this);  // shows what came behind the startup
}

void ClientSession::talk_to_console(base::ReadBuffer& in) noexcept {
  asked_ = runtime::now();
  console_->on_bytes(in);
  if (console_->closed()) return drain();
  stream_->flush_soon();
  // A command that waits goes on when the client has gone only if nobody looks.
  if (console_->waiting() && in.size() > ConsoleMachine::kMaxMessage) stream_->pause_reading();
}

void ClientSession::on_console_answered() noexcept {
  if (state_ != State::console) return;
  if (console_->closed()) return drain();
  stream_->flush_soon();
  stream_->resume_reading();
  stream_->set_handler(this);  // shows what came meanwhile
}

// ---- what it looks like ----

ClientReport ClientSession::report() const {
  ClientReport report;
  report.id = id_;
  switch (state_) {
    case State::startup: report.activity = authenticated_ ? ClientActivity::idle : ClientActivity::login; break;
    case State::opening: report.activity = ClientActivity::waiting; break;
    case State::setting_up: report.activity = ClientActivity::active; break;
    case State::serving: report.activity = ClientActivity::active; break;
    case State::console: report.activity = ClientActivity::console; break;
    case State::cancelling: report.activity = ClientActivity::cancelling; break;
    case State::draining:
    case State::ended: report.activity = ClientActivity::idle; break;
  }
  if (authenticated_) {
    report.user = machine_.login().user;
    report.database = database_;
  }
  report.application_name = application_name_;
  report.address = stream_->peer();
  report.socket = stream_->native_handle();
  if (const runtime::TlsInfo* tls = stream_->tls()) report.tls = tls->version + "/" + tls->cipher;
  report.connected = connected_;
  report.asked = asked_ == TimePoint{} ? connected_ : asked_;
  report.waits_since = waits_since_;
  report.session = channel_ ? channel_->session() : nullptr;
  report.prepared_statements = console_ ? console_->prepared_statements() : 0;
  report.unsent = stream_->unsent();
  return report;
}

void ClientSession::set_suspended(bool on) noexcept {
  if (state_ != State::serving) return;
  if (on) {
    stream_->flush_now();
    return stream_->pause_reading();
  }
  stream_->resume_reading();
  stream_->set_handler(this);  // shows what came meanwhile
}

// ---- between the two ----

void ClientSession::forward(base::ReadBuffer& in) noexcept {
  const protocol::FrameLimits& limits = protocol::frontend_limits();
  const ByteView bytes = in.readable();
  std::size_t run = 0;
  protocol::Frame frame;
  for (;;) {
    frame = protocol::next_frame(bytes.substr(run), limits, host_.settings().max_message_size);
    if (frame.status != protocol::FrameStatus::complete) break;
    if (frame.type == protocol::Terminate::kType || frame.type == 'p') break;
    run += frame.total;
  }
  if (run != 0) {
    traffic_->received += run;
    send_to_server(bytes.substr(0, run));
    in.consume(run);
  }
  if (state_ != State::serving || frame.status == protocol::FrameStatus::incomplete) return;
  if (frame.status == protocol::FrameStatus::complete) {
    if (frame.type == protocol::Terminate::kType) return finish();  // the session says goodbye itself
    return end(kProtocolViolation, "invalid frontend message type 112");
  }
  if (frame.status == protocol::FrameStatus::unknown_type) {
    return end(kProtocolViolation,
               "invalid frontend message type " + std::to_string(static_cast<unsigned char>(frame.type)));
  }
  end(kProtocolViolation,
      std::string(protocol::frame_error(frame, limits, host_.settings().max_message_size).message()));
}

void ClientSession::send_to_server(ByteView bytes) noexcept {
  session::Session& session = *channel_->session();
  busy_ = true;
  session.send(bytes);
  if (session.unsent() <= host_.settings().max_unsent) return;
  session.flush();
  // Only what the socket did not take now is told of by on_sent().
  if (state_ == State::serving && session.unsent() > host_.settings().max_unsent) stream_->pause_reading();
}

void ClientSession::on_sent() noexcept {
  if (state_ == State::serving) stream_->resume_reading();
}

void ClientSession::relay(base::ReadBuffer& in) noexcept {
  while (state_ == State::serving && in.size() != 0) {
    if (server_rest_ != 0) {
      const std::size_t size = std::min(server_rest_, in.size());
      send_to_client(in.readable().substr(0, size));
      in.consume(size);
      server_rest_ -= size;
      continue;
    }
    const ByteView bytes = in.readable();
    std::size_t run = 0;
    protocol::Frame frame;
    for (;;) {
      frame = protocol::next_frame(bytes.substr(run), protocol::backend_limits());
      if (frame.status != protocol::FrameStatus::complete || belongs_to_startup(frame.type)) break;
      if (frame.type == protocol::NotificationResponse::kType) break;
      if (frame.type == 'E') note_error(frame.body);
      if (frame.type == protocol::ReadyForQuery::kType) busy_ = frame.body != "I";
      run += frame.total;
    }
    if (run != 0) send_to_client(bytes.substr(0, run));
    if (frame.status == protocol::FrameStatus::complete && !belongs_to_startup(frame.type)) {
      pass_notification(frame);
      run += frame.total;
    }
    in.consume(run);
    if (frame.status == protocol::FrameStatus::incomplete) {
      if (in.size() < protocol::kFrameHeader || frame.total <= kLargestWhole || frame.type == 'E') return;
      server_rest_ = frame.total;
    } else if (frame.status != protocol::FrameStatus::complete || belongs_to_startup(frame.type)) {
      return end(kConnectionFailure, "the server broke the protocol");
    }
  }
}

/// A client knows itself by the process id that it was told.
void ClientSession::pass_notification(const protocol::Frame& frame) noexcept {
  auto message = protocol::NotificationResponse::decode(frame.body);
  if (!message.ok()) return end(kConnectionFailure, "the server broke the protocol");
  if (message->process_id == channel_->session()->server_pid())
    message->process_id = static_cast<std::int32_t>(id_);
  (void)encode(stream_->out(), *message);
  stream_->flush_soon();
}

void ClientSession::note_error(ByteView body) noexcept {
  const auto fields = protocol::decode_error_fields(body);
  if (fields.ok() && protocol::ends_session(*fields)) told_fatal_ = true;
}

void ClientSession::send_to_client(ByteView bytes) noexcept {
  traffic_->sent += bytes.size();
  stream_->out().put(bytes);
  stream_->flush_soon();
  if (stream_->unsent() <= host_.settings().max_unsent) return;
  stream_->flush_now();
  if (state_ == State::serving && stream_->unsent() > host_.settings().max_unsent) {
    channel_->session()->pause_reading();
  }
}

void ClientSession::on_drained() noexcept {
  if (state_ == State::draining) return finish();
  if (state_ == State::serving) channel_->session()->resume_reading();
}

// ---- cancel requests ----

bool ClientSession::cancel(const protocol::BackendKey& key, std::uint32_t asker) noexcept {
  if (!protocol::crypto::equal_in_constant_time(key.secret, key_.secret)) return false;
  if (state_ == State::console) {
    console_->cancel();
    host_.on_cancel_done(asker);
    return true;
  }
  if (state_ != State::serving) return false;
  askers_.push_back(asker);
  channel_->session()->cancel();
  return true;
}

void ClientSession::on_cancel_settled() noexcept { settle_askers(); }

void ClientSession::settle_askers() noexcept {
  for (const std::uint32_t asker : std::exchange(askers_, {})) host_.on_cancel_done(asker);
}

/// Who asked to cancel waits for this, as it would with the server: only then may it send something else.
void ClientSession::on_cancel_done() noexcept {
  if (state_ == State::cancelling) finish();
}

// ---- the end ----

void ClientSession::on_closed(const Error& /*error*/) noexcept { finish(); }

void ClientSession::on_lost(const Error& reason) noexcept {
  if (state_ == State::setting_up) return refuse(reason);
  if (state_ != State::serving) return;
  if (!told_fatal_)
    tell(fields_of(kConnectionFailure, "the connection to the server was lost: " + std::string(reason.message())));
  drain();
}

void ClientSession::end(std::string_view sqlstate, std::string message) noexcept {
  switch (state_) {
    case State::startup:
    case State::opening:
    case State::setting_up:
      if (!machine_.encrypted() || stream_->is_tls()) {
        return act(machine_.refuse(fields_of(sqlstate, std::move(message))));
      }
      return finish();
    case State::console:
    case State::serving: tell(fields_of(sqlstate, std::move(message))); return drain();
    case State::cancelling:
    case State::draining: return finish();
    case State::ended: return;
  }
}

/// An ErrorResponse, unless it would come in the middle of another message.
void ClientSession::tell(ServerFields fields) noexcept {
  if (server_rest_ == 0) protocol::encode_error_response(stream_->out(), fields);
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

/// What ran on it was not looked at: nobody else gets it. A transaction that is open is rolled back by the server,
/// for nothing is sent that the client did not send; so is a COPY that has not ended.
void ClientSession::release_session() noexcept {
  busy_ = false;
  if (!channel_) return;
  std::shared_ptr<fleet::Channel> channel = std::move(channel_);
  if (session::Session* session = channel->session(); session != nullptr && !session->closed()) {
    session->abort(Error(ErrorKind::Closed, "the client has left"));
  }
  fleet::let_go(std::move(channel));
}

}  // namespace switchyard::inline v0::gateway
