// A client on its way to another process.
#include <switchyard/gateway/client_policy.hpp>
#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/gateway/database_name.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/protocol/error_fields.hpp>

namespace switchyard::inline v0::gateway {
namespace {

/// What a client has prepared, if it is to go to another process: a message of the hand-over holds 256 MB.
constexpr std::size_t kLargestMemory = std::size_t{128} << 20;

}  // namespace

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
    protocol::encode_error_response(stream_->out(),
                                    fatal_fields(kAdminShutdown, "terminating connection: " + std::move(why)));
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

}  // namespace switchyard::inline v0::gateway
