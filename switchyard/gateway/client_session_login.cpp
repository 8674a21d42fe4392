// From the first byte of a client to the moment when it is served: whether it is who it says, whom it means, and
// what it is told.
#include <switchyard/base/ascii.hpp>
#include <switchyard/fleet/channel.hpp>
#include <switchyard/gateway/client_policy.hpp>
#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/gateway/database_name.hpp>
#include <switchyard/gateway/peer_account.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <string_view>

namespace switchyard::inline v0::gateway {
namespace {

using protocol::ServerStartupAction;

constexpr std::string_view kApplicationName = "application_name";

/// No endpoint of the database is used as somebody else.
bool is_role_everywhere(const DatabaseConfig& database, std::string_view role) noexcept {
  const auto is_role = [&](const EndpointConfig& endpoint) {
    return !endpoint.configured() || endpoint.connection.user == role;
  };
  return is_role(database.primary) && is_role(database.write) &&
         std::ranges::all_of(database.replicas,
                             [&](const ReplicaConfig& replica) { return is_role(replica.endpoint); });
}

/// Reported as it was given (others are cleaned by the server, which knows how).
bool is_plain_name(std::string_view name) noexcept {
  return name.size() < 64 && std::ranges::all_of(name, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

void ClientSession::start_over() noexcept {
  start();
  decide();
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
    return act(
        machine_.refuse(fatal_fields(kTooManyConnections, "no more connections allowed (max_client_conn)",
                                     "max_clients is " + std::to_string(host_.settings().max_clients) + ".")));
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
    act(machine_.refuse(fatal_fields(kConnectionFailure, "the gateway could not look up user \"" + user + "\"")));
    co_return;
  }
  looked_up_ = *answer;
  stream_->resume_reading();
  act(machine_.decide(login_method(method_, looked_up_.get(), host_.settings().users, user)));
  if (state_ == State::startup) stream_->set_handler(this);
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

/// Whom the client means, and whether it may.
Result<void> ClientSession::find_place() {
  const protocol::LoginRequest& login = machine_.login();
  const FleetConfig& config = host_.fleet().config();
  Result<Settings> settings = read_settings(login.settings);
  if (!settings.ok()) return refusal(kSyntaxError, std::string(settings.error().message()));
  settings_ = *std::move(settings);
  Result<ClientDatabase> found = find_database(config, host_.settings().meant_by(login.database), login.user,
                                               find_setting(settings_, "search_path"));
  if (!found.ok()) {
    if (!found.error().message().starts_with("unknown database")) return found.error();
    ServerFields fields = fatal_fields(kInvalidCatalogName, "no such database: " + login.database,
                                       std::string(found.error().message()));
    fields.hint = found.error().hint();
    return Error(std::move(fields), ErrorStage::queued);
  }
  database_ = std::move(found->name);
  const DatabaseConfig* database = found->database;
  place_ = database;
  if (host_.console().shutting_down()) return Error(ErrorKind::Closed, "the gateway is shutting down");
  if (host_.console().disabled(database->name)) {
    return refusal(kConnectionFailure, "database \"" + database->name + "\" is disabled");
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
    if (base::lowered(name) == kApplicationName && is_plain_name(value)) continue;
    settings.emplace_back(base::lowered(name), value);
  }
  return destination_->statements().sets.intern(std::move(settings));
}

void ClientSession::learn() noexcept {
  mux_->log_in(learnt_settings());
  after_machine();
}

bool ClientSession::make_key() noexcept {
  auto secret = protocol::crypto::random_bytes(machine_.cancel_key_size());
  if (!secret) return refuse(Error(ErrorKind::Unavailable, "OpenSSL has no random bytes")), false;
  key_ = {static_cast<std::int32_t>(id_), *std::move(secret)};
  return true;
}

void ClientSession::admit() noexcept {
  if (!make_key()) return;
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

}  // namespace switchyard::inline v0::gateway
