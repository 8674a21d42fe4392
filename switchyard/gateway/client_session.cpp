#include <switchyard/gateway/client_session.hpp>

#include <switchyard/fleet/channel.hpp>
#include <switchyard/fleet/endpoint.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/gateway/access.hpp>
#include <switchyard/gateway/client_policy.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/gateway/database_name.hpp>
#include <switchyard/gateway/peer_account.hpp>
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <cstring>
#include <exception>
#include <string_view>

#include <sys/socket.h>

namespace switchyard::inline v0::gateway {
namespace {

using protocol::ServerStartupAction;

/// A text that is not understood yet is looked at again after this.
constexpr Duration kLookAgain = std::chrono::milliseconds(1);
/// What a client has prepared, if it is to go to another process: a message of the hand-over holds 256 MB.
constexpr std::size_t kLargestMemory = std::size_t{128} << 20;
/// What a client that has been told the end gets to take it.
constexpr Duration kDrainLimit = std::chrono::seconds(10);

constexpr std::string_view kTooManyConnections = "53300";
constexpr std::string_view kInvalidCatalogName = "3D000";
constexpr std::string_view kInvalidAuthorization = "28000";
constexpr std::string_view kAdminShutdown = "57P01";
constexpr std::string_view kQueryCanceled = "57014";
constexpr std::string_view kOutOfMemory = "53200";
constexpr std::string_view kConnectionFailure = "08006";
constexpr std::string_view kProtocolViolation = "08P01";

bool is_unix(const runtime::Stream& stream) noexcept {
  int domain = 0;
  socklen_t size = sizeof(domain);
  return ::getsockopt(stream.native_handle(), SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

ServerFields fields_of(std::string_view sqlstate, std::string message) {
  return protocol::make_fields("FATAL", sqlstate, std::move(message));
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

constexpr std::string_view kApplicationName = "application_name";

bool is_loopback(const runtime::SocketAddress& address) {
  const std::string host = address.is_unix() ? std::string() : address.host();
  return host.starts_with("127.") || host == "::1" || host.starts_with("::ffff:127.");
}

/// No endpoint of the database is used as somebody else.
bool is_role_everywhere(const DatabaseConfig& database, std::string_view role) noexcept {
  const auto is_role = [&](const EndpointConfig& endpoint) {
    return !endpoint.configured() || endpoint.connection.user == role;
  };
  return is_role(database.primary) && is_role(database.write) &&
         std::ranges::all_of(database.replicas,
                             [&](const ReplicaConfig& replica) { return is_role(replica.endpoint); });
}

/// The database itself, or the one that stands in for it; null: neither is configured.
const DatabaseConfig* configured(const FleetConfig& fleet, const DatabaseConfig& database) {
  const DatabaseConfig* found = &database;
  if (!found->configured() && found->has_stand_in()) found = fleet.find(*found->when_unconfigured);
  return found != nullptr && found->configured() ? found : nullptr;
}

std::string folded(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

/// Reported as it was given (others are cleaned by the server, which knows how).
bool is_plain_name(std::string_view name) noexcept {
  return name.size() < 64 && std::ranges::all_of(name, [](char c) { return c >= ' ' && c <= '~'; });
}

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

void ClientSession::act(ServerStartupAction action) noexcept {
  switch (action) {
    case ServerStartupAction::wait: return stream_->flush_soon();
    case ServerStartupAction::start_tls:
      if (!host_.settings().tls) return finish();  // a reload took it away since the connection began
      stream_->flush_now();
      return task_.start(handshake());
    case ServerStartupAction::decide: return decide();
    case ServerStartupAction::admit:
      authenticated_ = true;
      state_ = State::opening;
      stream_->pause_reading();
      stream_->flush_soon();
      timer_.disarm();
      host_.on_authenticated(*this);
      if (host_.console().is_console(machine_.login().database)) return open_console();
      return open();
    case ServerStartupAction::cancel:
      asked_to_cancel_ = true;
      state_ = State::cancelling;
      if (!host_.cancel(machine_.cancel_key(), *this)) finish();
      return;
    case ServerStartupAction::fail:
      if (const ServerFields* error = machine_.error()) note_refusal(*error);
      return drain();
  }
}

/// For whoever looks after the gateway: PgBouncer's words.
void ClientSession::note_refusal(const ServerFields& error) const noexcept {
  log::info("gateway", "login_refused",
            [&] {
              const protocol::LoginRequest& login = machine_.login();
              return (login.database.empty() ? "(nodb)" : login.database) + "/" +
                     (login.user.empty() ? "(nouser)" : login.user) + "@" + address() +
                     " closing because: " + error.message;
            },
            {});
}

void ClientSession::decide() noexcept {
  if (!placed_ && host_.place(*this)) return;
  if (!host_.has_room()) {
    ServerFields fields = fields_of(kTooManyConnections, "no more connections allowed (max_client_conn)");
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
  const Result<Settings> given = read_settings(login.settings);
  const Result<ClientDatabase> found =
      find_database(host_.fleet().config(), host_.settings().meant_by(login.database), login.user,
                    given.ok() ? find_setting(*given, "search_path") : std::string_view());
  if (found.ok()) {
    question.fleet_database = found->database->name;
    question.databases.push_back(found->database->name);
    question.databases.push_back(found->database->primary.connection.dbname);
  }
  PeerProof peer{.os_user = account.name, .certificate = false, .certificate_name = {}};
  if (const runtime::TlsInfo* tls = stream_->tls()) {
    peer.certificate = tls->has_peer_certificate;
    peer.certificate_name = tls->peer_common_name;
  }
  Result<LoginDecision> decision = decide_login(host_.settings(), question, login.database, peer);
  if (!decision.ok()) return act(machine_.refuse(fields_of(decision.error())));
  method_ = decision->method;
  const DatabaseConfig* asked = found.ok() ? configured(host_.fleet().config(), *found->database) : nullptr;
  if (decision->login) return act(machine_.decide(*std::move(decision->login)));
  if (asked == nullptr) {
    return act(machine_.decide(login_method(method_, nullptr, host_.settings().users, login.user)));
  }
  stream_->pause_reading();
  lookup_.start(look_up(*asked));
}

Task<void> ClientSession::look_up(const DatabaseConfig& database) {
  const std::string user = machine_.login().user;
  const Result<AuthQuery::Answer> answer = co_await host_.access().look_up(database, user);
  if (state_ != State::startup) co_return;
  if (!answer.ok()) {
    act(machine_.refuse(fields_of(kConnectionFailure, "the gateway could not look up user \"" + user + "\"")));
    co_return;
  }
  looked_up_ = *answer;
  stream_->resume_reading();
  act(machine_.decide(login_method(method_, looked_up_.get(), host_.settings().users, user)));
  if (state_ == State::startup) stream_->set_handler(this);
}

std::string ClientSession::address() const {
  return is_unix(*stream_) ? std::string("[local]") : stream_->peer().host();
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

// ---- the session ----

/// Whom the client means, and whether it may.
Result<void> ClientSession::find_place() {
  const protocol::LoginRequest& login = machine_.login();
  const FleetConfig& config = host_.fleet().config();
  Result<Settings> settings = read_settings(login.settings);
  if (!settings.ok()) return Error(fields_of("42601", std::string(settings.error().message())), ErrorStage::queued);
  settings_ = *std::move(settings);
  Result<ClientDatabase> found = find_database(config, host_.settings().meant_by(login.database), login.user,
                                               find_setting(settings_, "search_path"));
  if (!found.ok()) {
    if (!found.error().message().starts_with("unknown database")) return found.error();
    ServerFields fields = fields_of(kInvalidCatalogName, "no such database: " + login.database);
    fields.detail = std::string(found.error().message());
    fields.hint = found.error().hint();
    return Error(std::move(fields), ErrorStage::queued);
  }
  database_ = std::move(found->name);
  const DatabaseConfig* database = found->database;
  place_ = database;
  if (host_.console().shutting_down()) return Error(ErrorKind::Closed, "the gateway is shutting down");
  if (host_.console().disabled(database->name)) {
    return Error(fields_of(kConnectionFailure, "database \"" + database->name + "\" is disabled"),
                 ErrorStage::queued);
  }
  application_name_ = find_setting(settings_, "application_name");
  traffic_ = &host_.console().traffic_of(database->name);
  const DatabaseConfig* real = configured(config, *database);
  if (real == nullptr) return Error(ErrorKind::Config, database->missing_dsn_message);
  asked_for_ = looked_up_ != nullptr;
  SY_TRY(host_.access().enter(id_, *database, login.user, asked_for_));
  if (acts_as_fleet(*real, login.user)) return {};
  if (real != database) database_.replace(0, database->name.size(), real->name);
  return find_role(*real);
}

bool ClientSession::acts_as_fleet(const DatabaseConfig& database, std::string_view user) const noexcept {
  return host_.settings().one_role.contains(database.name) || is_role_everywhere(database, user);
}

Result<void> ClientSession::find_role(const DatabaseConfig& database) {
  RoleLogin login{.role = machine_.login().user, .password = {}, .keys = {}};
  protocol::LoginProof proof = machine_.take_proof();
  const Credential* known = looked_up_ ? looked_up_.get() : host_.settings().users.find(login.role);
  const auto& keeper = host_.settings().kept;
  if (const auto kept = keeper ? keeper->find(login.role) : nullptr) {
    login.password = kept->stored;
    login.password_file = keeper->file_of(login.role);
  } else if (!proof.password.empty()) {
    login.password = std::move(proof.password);
  } else if (known != nullptr && known->is_password()) {
    login.password = known->stored;
  } else {
    login.keys = proof.keys;
  }
  Result<std::shared_ptr<RoleFleets::Place>> place =
      host_.access().roles().open(database, login, host_.settings().config);
  if (!place.ok()) return place.error();
  role_ = *std::move(place);
  return {};
}

void ClientSession::prepare_reads(const std::string& user) {
  const ClientPolicy policy = policy_of(host_.settings().config, place_->name, user);
  if (policy.sequences == SequenceMode::pin) mux_->keep_sequences();
  if (policy.pool_mode != PoolMode::session && destination_->may_listen()) mux_->use_hub();
  Fleet& fleet = role_ ? *role_->fleet : host_.fleet();
  const std::string name(Destination::base_name(fleet.config(), database_));
  const DatabaseConfig* const database = fleet.config().find(name);
  if (database == nullptr || !has_replicas(*database)) return;
  const bool view = destination_->chooses();
  Destination& sessions = view ? *destination_ : host_.destination(name + "_replica", role_.get());
  reads_ = std::make_unique<ClientReads>(
      name, sessions,
      ClientReads::Policy{
          .view = view, .auto_read = policy.auto_read, .strict = policy.consistency == ReadConsistency::strict},
      host_.write_mark(name));
  mux_->watch_writes();
}

/// What a client is told at its login is known, or learnt from a session.
void ClientSession::open() noexcept {
  if (const Result<void> found = find_place(); !found.ok()) return refuse(found.error());
  destination_ = &host_.destination(database_, role_.get());
  mux_.emplace(destination_->statements(), stream_->out(), id_, host_.settings().max_message_size);
  prepare_reads(machine_.login().user);
  const SettingsRef startup = learnt_settings();
  if (destination_->find_login(startup) != nullptr) return admit();
  timer_.arm(deadline_after(runtime::now(), host_.settings().login_timeout));
  if (take_session(nullptr)) learn();
}

/// The settings of the startup packet, without a name of the application that is taken as it is.
SettingsRef ClientSession::learnt_settings() const {
  Settings settings;
  for (const auto& [name, value] : settings_) {
    if (folded(name) == kApplicationName && is_plain_name(value)) continue;
    settings.emplace_back(folded(name), value);
  }
  return destination_->statements().sets.intern(std::move(settings));
}

void ClientSession::learn() noexcept {
  mux_->log_in(learnt_settings());
  after_machine();
}

bool ClientSession::take_session(const base::ReadBuffer* in) noexcept {
  Destination* from = destination_;
  session::CallContext call;
  again_.clear();
  ByteView again;
  if (reads_ && ((in != nullptr && is_read(*in, again)) || reads_->policy().view)) {
    from = &reads_->sessions();
    call = reads_->call();
    again_.assign(again);
  }
  if (ServerLink* link = from->take(id_, call)) {
    use(*link);
    return true;
  }
  waiting_ = true;
  waits_for_ = from;
  waits_since_ = runtime::now();
  from->wait(*this, std::move(call));
  return false;
}

void ClientSession::use(ServerLink& link) noexcept {
  if (state_ == State::serving) ++traffic_->assignments;
  link_ = &link;
  link.set_user(this);
  const bool reads = reads_ && &link.destination() == &reads_->sessions();
  if (reads && state_ == State::serving) note_read(link.why);
  mux_->attach(link.state(), link.session()->out(), link.session()->server_pid(),
               at_replica() ? ClientMachine::Use::one_read : ClientMachine::Use::anything);
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
    ServerFields fields =
        fields_of("28P01", "the gateway has no password to log in to the server as \"" + role_->login.role + "\"");
    fields.detail = error.message();
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
  stream_->resume_reading();
  stream_->set_handler(this);
}

void ClientSession::admit() noexcept {
  auto secret = protocol::crypto::random_bytes(machine_.cancel_key_size());
  if (!secret) return refuse(Error(ErrorKind::Unavailable, "OpenSSL has no random bytes"));
  key_ = {static_cast<std::int32_t>(id_), *std::move(secret)};
  const Destination::Login* login = destination_->find_login(learnt_settings());
  SettingSets& sets = destination_->statements().sets;
  SettingsRef settings = login->settings;
  SettingsRef parameters = login->parameters;
  if (const std::string_view name = find_setting(settings_, kApplicationName);
      is_plain_name(name) && !name.empty()) {
    const std::pair<std::string, std::optional<std::string>> named(kApplicationName, name);
    settings = sets.intern(with_changes(settings, {&named, 1}));
    parameters = sets.intern(with_changes(parameters, {&named, 1}));
  }
  static const Settings kNone;
  machine_.admit(parameters ? *parameters : kNone, key_);
  mux_->begin(std::move(settings), std::move(parameters));
  settings_ = {};
  const PoolMode mode = policy_of(host_.settings().config, place_->name, machine_.login().user).pool_mode;
  shares_ = mode == PoolMode::automatic;
  keeps_ = mode == PoolMode::session;
  timer_.disarm();
  served_ = true;
  state_ = State::serving;
  ++traffic_->logins;
  stream_->flush_soon();
  go_on();  // shows what came behind the startup
}

void ClientSession::refuse(const Error& error) noexcept { act(machine_.refuse(fields_of(error))); }

// ---- the console ----

void ClientSession::open_console() noexcept {
  const protocol::LoginRequest& login = machine_.login();
  const bool trusted = host_.settings().console.trusts_loopback && is_loopback(stream_->peer());
  const std::optional<ConsoleAccess> access =
      host_.console().access_of(login.user, trusted || peer_account(*stream_).own);
  if (!access) return act(machine_.refuse(fields_of(kInvalidAuthorization, "not allowed")));
  if (*access != ConsoleAccess::everything) {  // whoever may mend it gets in
    const auto entered = host_.access().enter_console(id_, std::string(login.database), std::string(login.user));
    if (!entered.ok()) return refuse(entered.error());
  }
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
  if (stream_->unsent() > ConsoleMachine::kMaxUnsent) return stream_->pause_reading();
  for (std::size_t before = in.size() + 1; before != in.size() && !console_->waiting();) {
    before = in.size();
    console_->on_bytes(in);
    if (console_->closed()) return drain();
    stream_->flush_now();
    // on_drained() goes on.
    if (stream_->unsent() > ConsoleMachine::kMaxUnsent) return stream_->pause_reading();
  }
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

// ---- another process ----

std::optional<TravellingClient> ClientSession::travel(runtime::StreamParcel& parcel) {
  TravellingClient client;
  client.id = id_;
  client.secret = key_.secret;
  client.user = user_.empty() ? machine_.login().user : user_;
  client.database = database_;
  client.application_name = application_name_;
  client.shares = shares_;
  client.looked_up = asked_for_;
  if (role_) client.role = TravellingClient::Role{.password = role_->login.password, .keys = role_->login.keys};
  client.memory = mux_->memory();
  std::size_t size = 0;
  for (const ClientMemory::Statement& statement : client.memory.statements) {
    size += statement.name.size() + statement.body.size();
  }
  too_large_ = size > kLargestMemory;
  if (too_large_) return std::nullopt;
  parcel = stream_->detach();
  client.received = parcel.received();
  client.unsent = parcel.unsent();
  departed_ = true;
  finish();
  return client;
}

void ClientSession::arrive(const TravellingClient& client) noexcept {
  travelled_ = true;
  const FleetConfig& config = host_.fleet().config();
  const auto database = config.resolve(client.database);
  const auto refuse = [&](std::string why) {
    protocol::encode_error_response(
        stream_->out(),
        protocol::make_fields("FATAL", kAdminShutdown, "terminating connection: " + std::move(why)));
    state_ = State::serving;  // nothing of it is on a session
    drain();
  };
  // This process does not have it any more, or not for him.
  const DatabaseConfig* const real = database.ok() ? configured(config, *database->database) : nullptr;
  if (real == nullptr) return refuse("the gateway was restarted without database \"" + client.database + "\"");
  if (!client.role && !acts_as_fleet(*real, client.user)) {
    return refuse("the gateway was restarted, and uses database \"" + client.database + "\" as somebody else");
  }
  if (const auto entered = host_.access().enter(id_, *database->database, client.user, client.looked_up);
      !entered.ok()) {
    return refuse(std::string(entered.error().message()));
  }
  if (client.role) {
    const RoleLogin login{.role = client.user, .password = client.role->password, .keys = client.role->keys};
    auto place = host_.access().roles().open(*real, login, host_.settings().config);
    if (!place.ok()) return refuse(std::string(place.error().message()));
    role_ = *std::move(place);
  }
  authenticated_ = served_ = true;
  user_ = client.user;
  database_ = client.database;
  place_ = database->database;
  asked_for_ = client.looked_up;
  application_name_ = client.application_name;
  key_ = {static_cast<std::int32_t>(id_), client.secret};
  traffic_ = &host_.console().traffic_of(database->database->name);
  host_.on_authenticated(*this);
  destination_ = &host_.destination(database_, role_.get());
  mux_.emplace(destination_->statements(), stream_->out(), id_, host_.settings().max_message_size);
  mux_->recall(client.memory);
  prepare_reads(client.user);
  if (reads_) reads_->arrived(Clock::now());
  shares_ = client.shares;
  keeps_ = policy_of(host_.settings().config, place_->name, user_).pool_mode == PoolMode::session;
  state_ = State::serving;
  stream_->start(this);
}

// ---- what it looks like ----

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

bool ClientSession::routes_statements() const noexcept {
  return routes() && (reads_->policy().auto_read || mux_->reads_by_default()) && mux_->may_move();
}

bool ClientSession::is_read(const base::ReadBuffer& in, ByteView& again) {
  /// Longer ones are not kept for a second try.
  constexpr std::size_t kMostAgain = 64 << 10;
  if (std::exchange(once_at_primary_, false) || !routes()) return false;
  const bool view = reads_->policy().view;
  if (!view && mux_->begins_read(in.readable())) return true;
  if (!view && !routes_statements()) return false;
  const LaneGroup group = read_lane_group(in.readable(), host_.settings().max_message_size);
  if (group.kind == LaneGroup::Kind::none) return false;
  WireRequest request;
  const DatabaseHandle* const database = destination_->database();
  if (database == nullptr || !mux_->offer(group, request)) return false;
  if (!ClientReads::may_go(*database, request)) return false;
  if (group.size <= kMostAgain) again = in.readable().substr(0, group.size);
  return true;
}

void ClientSession::note_read(std::string_view route) noexcept {
  reads_->route = route;
  ++(route.starts_with("replica") ? traffic_->at_replicas : traffic_->reads_at_primary);
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
  char* const at = left_.prepare(messages.size());
  if (at == nullptr) return end(kOutOfMemory, "out of memory");
  std::memcpy(at, messages.data(), messages.size());
  left_.commit(messages.size());
  traffic_->received -= messages.size();
  --traffic_->queries;
  --traffic_->shared;
  --traffic_->transactions;
  left_turn_.schedule();
}

void ClientSession::pump_left() noexcept {
  if (overrun_ && state_ == State::serving) {
    return end("53400", "more than " + std::to_string(ClientListening::kMostWaiting) +
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
  if (&in != &left_ && share(in)) return;
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

// ---- notifications ----

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
  // The answer may come from inside.
  if (channels->empty()) {
    hub_->fence(*this);
  } else if (!hub_->listen(*this, *channels)) {
    on_hub_ready(false);
  }
}

void ClientSession::after_machine() noexcept {
  switch (mux_->state()) {
    case ClientMachine::State::running: break;
    case ClientMachine::State::goodbye: return finish();
    case ClientMachine::State::client_broke: return end(kProtocolViolation, mux_->error());
    case ClientMachine::State::server_broke:
      if (state_ == State::opening) return refuse(Error(ErrorKind::Protocol, mux_->error()));
      return end(kConnectionFailure, "the server broke the protocol: " + mux_->error());
  }
  if (link_ != nullptr) {
    if (mux_->spoilt()) {
      if (state_ == State::opening) return refuse(Error(*mux_->own_error(), ErrorStage::queued));
      const bool survives = mux_->survives_loss();
      mux_->detach();
      ServerLink& link = *std::exchange(link_, nullptr);
      link.destination().end(link, Error(ErrorKind::Closed, "what holds on the session is not known"));
      // Something of the client was on it.
      if (!survives) return end(kConnectionFailure, "what holds on the session is not known any more");
      if (mux_->held()) go_on();
    } else {
      if (mux_->settled()) {
        if (!link_->session()->cancelling()) mux_->settle();
        if (mux_->quiet()) leave_session();
      }
    }
  }
  if (link_ != nullptr) {
    session::Session& session = *link_->session();
    if (!session.out().empty()) {
      session.flush_soon();
      if (session.unsent() > host_.settings().max_unsent) {
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

bool ClientSession::must_keep() const noexcept { return keeps_ || any(mux_->pins()) || mux_->unjudged(); }

/// Everything is answered, in no transaction: others may have the session.
void ClientSession::leave_session() noexcept {
  if (mux_->take_catalogue_change()) {
    host_.on_catalogue_change();
    if (link_->channel().route().refusal() == nullptr) link_->channel().endpoint().note_ddl();
  }
  // Who asks next gets a session where the tables are.
  if (mux_->take_relocation() && link_->channel().route().refusal() == nullptr &&
      link_->channel().route().chooser().relocated()) {
    destination_->give_back();
  }
  if (state_ == State::opening) {
    destination_->add_login(learnt_settings(), mux_->settings(), mux_->parameters());
    mux_->detach();
    destination_->give(*std::exchange(link_, nullptr));
    return admit();
  }
  if (at_replica()) return leave_replica();
  if (mux_->wants_again()) {
    mux_->detach();
    ServerLink& link = *std::exchange(link_, nullptr);
    link.destination().give(link);
    return run_again();
  }
  if (mux_->gives_up_session()) {
    const Claim claims = mux_->pins() | Claim::locks;
    const std::vector<std::string> texts(mux_->unjudged_texts().begin(), mux_->unjudged_texts().end());
    mux_->detach();
    destination_->dismiss(*std::exchange(link_, nullptr), claims, texts);
    if (mux_->held()) go_on();
    return;
  }
  if (mux_->held()) return go_on();
  if (mux_->unjudged()) timer_.arm(deadline_after(runtime::now(), kLookAgain));
  if (must_keep()) return;
  if (reads_ && reads_->policy().view) reads_->left(*link_);
  mux_->detach();
  destination_->give(*std::exchange(link_, nullptr));
}

/// The one read there has ended: whatever follows is looked at anew.
void ClientSession::leave_replica() noexcept {
  constexpr Claim kDefinite = kProvable | Claim::prepares;
  if (mux_->unjudged()) return timer_.arm(deadline_after(runtime::now(), kLookAgain));
  const bool again = mux_->wants_again();
  const bool gives_up = mux_->gives_up_session();
  const Claim claims = mux_->pins();
  reads_->left(*link_);
  mux_->detach();
  ServerLink& link = *std::exchange(link_, nullptr);
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
  char* const at = left_.prepare(messages.size());
  if (at == nullptr) return end(kOutOfMemory, "out of memory");
  std::memcpy(at, messages.data(), messages.size());
  left_.commit(messages.size());
  behind_ = true;
  once_at_primary_ = true;
  left_turn_.schedule();
}

void ClientSession::on_sent() noexcept {
  if (state_ == State::serving) stream_->resume_reading();
}

void ClientSession::on_drained() noexcept {
  if (state_ == State::draining) return finish();
  if (state_ == State::console) {
    stream_->resume_reading();
    return stream_->set_handler(this);  // shows what came meanwhile
  }
  if (state_ != State::serving) return;
  if (link_ != nullptr) link_->session()->resume_reading();
  stream_->resume_reading();
  if (hub_ != nullptr) deliver();
  if (mux_->held()) go_on();
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
    mux_->refuse(fields_of(kQueryCanceled, "canceling statement due to user request"));
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

// ---- the end ----

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
        stream_->out(),
        fields_of(kConnectionFailure, "the connection to the server was lost: " + std::string(reason.message())));
  }
  drain();
}

void ClientSession::end(std::string_view sqlstate, std::string message) noexcept {
  switch (state_) {
    case State::startup:
    case State::opening:
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
  ServerLink& link = *std::exchange(link_, nullptr);
  const bool quiet = mux_->quiet() && !link.session()->cancelling();
  if (!quiet) {
    mux_->detach();
    return link.destination().end(link, Error(ErrorKind::Closed, "the client has left"));
  }
  const Claim claims = mux_->pins();
  const std::vector<std::string> texts(mux_->unjudged_texts().begin(), mux_->unjudged_texts().end());
  const bool clean = !any(claims) && texts.empty();
  mux_->detach();
  if (clean) return link.destination().give(link);
  link.destination().dismiss(link, claims, texts);
}

}  // namespace switchyard::inline v0::gateway
