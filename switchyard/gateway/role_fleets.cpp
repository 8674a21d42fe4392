#include <switchyard/gateway/role_fleets.hpp>

#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/gateway/shard_directory.hpp>
#include <switchyard/protocol/crypto.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// So often it is looked which places nobody uses.
constexpr Duration kLook = std::chrono::seconds(1);
/// Sessions that nobody uses say goodbye quickly.
constexpr Duration kCloseTimeout = std::chrono::seconds(1);

/// Who logs in with what, in place of the fleet's own role.
void log_in_as(EndpointConfig& endpoint, const RoleLogin& login) {
  ConnectionOptions& connection = endpoint.connection;
  if (!login.has_credentials() && connection.user == login.role) return;  // the fleet's own are good
  if (connection.user != login.role || !login.password_file.empty()) connection.password_file = login.password_file;
  connection.user = login.role;
  connection.password = login.password;
  for (HostSpec& host : connection.hosts) host.password = login.password;
  connection.scram_client_key = connection.scram_server_key = Secret();
  if (!login.keys) return;
  namespace crypto = protocol::crypto;
  connection.scram_client_key = Secret(crypto::base64_encode(crypto::view(login.keys->client)));
  connection.scram_server_key = Secret(crypto::base64_encode(crypto::view(login.keys->server)));
  // What asks whether there is a password has to find one; it is not what is sent.
  if (login.password.empty()) connection.password = connection.scram_client_key;
}

bool same(const RoleLogin& a, const RoleLogin& b) {
  if (a.role != b.role || a.password_file != b.password_file) return false;
  return !a.password_file.empty() || (a.keys == b.keys && a.password.reveal() == b.password.reveal());
}

Task<void> end(std::shared_ptr<RoleFleets::Place> place) {
  place->destinations.clear();
  co_await place->fleet->close(kCloseTimeout);
}

}  // namespace

FleetConfig role_config(const FleetConfig& fleet, const DatabaseConfig& database, const RoleLogin& login,
                        std::uint32_t pool_max) {
  FleetConfig config = fleet;
  for (DatabaseConfig& one : config.databases) {
    one.when_down = Setting<WhenDown>(WhenDown::fail);
    one.fallback = Setting<std::string>();
    one.when_unconfigured = Setting<std::string>(std::string("fail"));
    one.required.value = false;
    if (one.name != database.name) {
      one.primary.is_configured = one.write.is_configured = false;
      one.replicas.clear();
      continue;
    }
    const auto limit = [&](PoolConfig& pool) {
      pool.min.value = 0;
      pool.max.value = std::min(pool.max.value, pool_max);
    };
    limit(one.pool);
    // Who writes elsewhere under a name of its own is not held to reading.
    if (one.write.is_configured && one.write.connection.user == login.role) one.primary = one.write;
    log_in_as(one.primary, login);
    if (one.write.is_configured) log_in_as(one.write, login);
    for (ReplicaConfig& replica : one.replicas) {
      limit(replica.pool);
      log_in_as(replica.endpoint, login);
    }
  }
  return config;
}

Result<std::shared_ptr<RoleFleets::Place>> RoleFleets::open(const DatabaseConfig& database, const RoleLogin& login,
                                                            const GatewayConfig& limits) {
  idle_ = *limits.role_pool_idle;
  const auto known = std::ranges::find_if(places_, [&](const std::shared_ptr<Place>& place) {
    return place->generation == generation_ && place->pool_max == *limits.role_pool_max &&
           place->database == database.name && same(place->login, login);
  });
  if (known != places_.end()) {
    (*known)->used = runtime::now();
    return *known;
  }
  if (places_.size() >= *limits.role_pools) {
    // One that nobody uses makes room at once.
    const auto idle = std::ranges::min_element(places_, {}, [](const std::shared_ptr<Place>& place) {
      return place.use_count() > 1 ? TimePoint::max() : place->used;
    });
    if (idle == places_.end() || idle->use_count() > 1) {
      return Error(ErrorKind::PoolExhausted,
                   "there are pools for " + std::to_string(places_.size()) + " roles already (gateway.role_pools)");
    }
    spawn(end(std::move(*idle)));
    places_.erase(idle);
  }
  const DatabaseConfig* read = config_ ? config_->find(database.name) : nullptr;
  const bool renewed = read != nullptr && read->configured();
  auto fleet = Fleet::open(
      role_config(renewed ? *config_ : main_.config(), renewed ? *read : database, login, *limits.role_pool_max),
      shards_ ? shards_->permits_of(database.name, login.role + '\0' + std::to_string(*limits.role_pool_max))
              : std::make_shared<fleet::SharedPermits>());
  if (!fleet.ok()) return fleet.error();
  auto place = std::make_shared<Place>(Place{.database = database.name,
                                             .login = login,
                                             .fleet = *std::move(fleet),
                                             .used = runtime::now(),
                                             .generation = generation_,
                                             .pool_max = *limits.role_pool_max,
                                             .destinations = {}});
  places_.push_back(place);
  if (!timer_.armed()) timer_.arm(deadline_after(runtime::now(), kLook));
  return place;
}

void RoleFleets::close() noexcept {
  timer_.disarm();
  places_.clear();
}

void RoleFleets::on_timer(void* self) noexcept {
  auto& here = *static_cast<RoleFleets*>(self);
  const TimePoint now = runtime::now();
  std::erase_if(here.places_, [&](std::shared_ptr<Place>& place) {
    if (place.use_count() > 1) place->used = now;
    if (now - place->used < here.idle_) return false;
    spawn(end(std::move(place)));
    return true;
  });
  if (!here.places_.empty()) here.timer_.arm(deadline_after(now, kLook));
}

}  // namespace switchyard::inline v0::gateway
