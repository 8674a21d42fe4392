#include <switchyard/config/fleet_config.hpp>

#include <switchyard/base/suggest.hpp>

#include <algorithm>

namespace switchyard::inline v0 {

std::string_view to_string(Layer layer) noexcept {
  switch (layer) {
    case Layer::code: return "code";
    case Layer::command_line: return "command line";
    case Layer::environment: return "environment";
    case Layer::dotenv: return ".env";
    case Layer::file: return "file";
    case Layer::profile: return "default";
  }
  return "";
}

std::string_view to_string(Profile profile) noexcept {
  switch (profile) {
    case Profile::generic: return "generic";
    case Profile::wellwon: return "wellwon";
    case Profile::parafort: return "parafort";
  }
  return "";
}

std::string_view to_string(LaneMode value) noexcept { return value == LaneMode::leased ? "leased" : "auto"; }

std::string_view to_string(WhenDown value) noexcept {
  switch (value) {
    case WhenDown::fail: return "fail";
    case WhenDown::read_fallback: return "read-fallback";
    case WhenDown::spool: return "spool";
  }
  return "";
}

std::string_view to_string(ServerType value) noexcept {
  switch (value) {
    case ServerType::production: return "production";
    case ServerType::development: return "development";
    case ServerType::test: return "test";
  }
  return "";
}

std::string_view to_string(OwnerCheck value) noexcept {
  switch (value) {
    case OwnerCheck::automatic: return "auto";
    case OwnerCheck::off: return "off";
    case OwnerCheck::warn: return "warn";
    case OwnerCheck::fail: return "fail";
  }
  return "";
}

OwnerCheck FleetConfig::effective_owner_check() const noexcept {
  if (*owner_check != OwnerCheck::automatic) return *owner_check;
  return *server_type == ServerType::production ? OwnerCheck::off : OwnerCheck::fail;
}

std::string_view to_string(PoolMode value) noexcept {
  switch (value) {
    case PoolMode::automatic: return "auto";
    case PoolMode::session: return "session";
    case PoolMode::transaction: return "transaction";
  }
  return "unknown";
}
std::string_view to_string(ReadConsistency value) noexcept {
  return value == ReadConsistency::strict ? "strict" : "session";
}
std::string_view to_string(SequenceMode value) noexcept { return value == SequenceMode::pin ? "pin" : "follow"; }
std::string_view to_string(AuditLog value) noexcept {
  switch (value) {
    case AuditLog::off: return "off";
    case AuditLog::ddl: return "ddl";
    case AuditLog::mod: return "mod";
    case AuditLog::all: return "all";
  }
  return "?";
}

std::string secrets_folder(const FleetConfig& fleet) {
  const std::string& folder = fleet.provision.secrets.value;
  const std::size_t slash = fleet.file.rfind('/');
  if (folder.starts_with('/') || slash == std::string::npos) return folder;
  return fleet.file.substr(0, slash + 1) + folder;
}

std::string secret_file(const FleetConfig& fleet, std::string_view role) {
  const std::string folder = secrets_folder(fleet);
  const bool plain = !role.empty() && role.front() != '.' && role.find('/') == std::string_view::npos &&
                     role.find('\0') == std::string_view::npos;
  return folder.empty() || !plain ? std::string() : folder + "/" + std::string(role);
}

std::string_view to_string(RoleFamily value) noexcept {
  return value == RoleFamily::family ? "family" : "documents";
}

std::string Origin::to_string() const {
  if (layer == Layer::profile) {
    return "default (profile " + std::string(switchyard::to_string(profile)) + (place.empty() ? "" : ", " + place) +
           ")";
  }
  if (layer == Layer::file || layer == Layer::dotenv) {
    return place.empty() ? std::string(switchyard::to_string(layer)) : place;
  }
  return std::string(switchyard::to_string(layer)) + (place.empty() ? "" : " " + place);
}

std::string EndpointConfig::display() const { return is_configured ? connection.display() : "not configured"; }

bool DatabaseConfig::has_stand_in() const noexcept {
  return !when_unconfigured->empty() && when_unconfigured.value != "fail";
}

const ReplicaConfig* DatabaseConfig::find_replica(std::string_view replica) const noexcept {
  const auto found =
      std::find_if(replicas.begin(), replicas.end(), [&](const ReplicaConfig& r) { return r.name == replica; });
  return found == replicas.end() ? nullptr : &*found;
}

const ReplicaConfig* DatabaseConfig::replica_for(std::string_view purpose) const noexcept {
  if (const ReplicaConfig* named = find_replica(purpose)) return named;
  for (const ReplicaConfig& replica : replicas) {
    const auto& purposes = replica.purposes.value;
    if (std::find(purposes.begin(), purposes.end(), purpose) != purposes.end()) return &replica;
  }
  return nullptr;
}

const DatabaseConfig* FleetConfig::find(std::string_view name) const noexcept {
  const auto found =
      std::find_if(databases.begin(), databases.end(), [&](const DatabaseConfig& d) { return d.name == name; });
  return found == databases.end() ? nullptr : &*found;
}

DatabaseConfig* FleetConfig::find(std::string_view name) noexcept {
  return const_cast<DatabaseConfig*>(static_cast<const FleetConfig*>(this)->find(name));
}

Result<ResolvedName> FleetConfig::resolve(std::string_view name) const {
  const NameParts parts = parse_database_name(name);
  ResolvedName out{find(parts.database), parts.read_view, parts.purpose};
  if (out.database != nullptr) return out;
  std::vector<std::string> known;
  for (const DatabaseConfig& database : databases) {
    known.push_back(database.name);
    known.push_back(database.name + "_replica");
  }
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  std::string hint = did_you_mean(name, candidates);
  if (hint.empty()) {
    hint = "known databases:";
    for (const DatabaseConfig& database : databases) hint += " " + database.name;
  }
  const std::string what = parts.ok() ? "unknown database '" : "malformed database name '";
  return Error(ErrorKind::Config, what + std::string(name.substr(0, 2 * kLongestDatabaseName)) + "'")
      .with_hint(std::move(hint));
}

namespace {

/// Headroom above what the pools can open: for superusers, replication, monitoring and people. A twelfth makes
/// 600 connections 650, and small servers keep ten.
std::uint64_t with_headroom(std::uint64_t connections) {
  return connections + std::max<std::uint64_t>(10, (connections + 11) / 12);
}

std::string place_of(const EndpointConfig& endpoint) {
  if (!endpoint.is_configured) return "(not configured)";
  std::string out;
  for (const HostSpec& host : endpoint.connection.hosts) out += (out.empty() ? "" : ",") + host.display();
  return out;
}

}  // namespace

Sizing sizing(const FleetConfig& fleet) {
  Sizing out;
  const bool any = std::any_of(fleet.databases.begin(), fleet.databases.end(),
                               [](const DatabaseConfig& d) { return d.configured(); });
  const auto add = [&](const EndpointConfig& endpoint, std::string name, std::uint32_t maximum, bool replica) {
    const std::string place = place_of(endpoint);
    auto found = std::find_if(out.servers.begin(), out.servers.end(),
                              [&](const ServerSizing& s) { return s.location == place && s.replica == replica; });
    if (found == out.servers.end()) {
      out.servers.emplace_back();
      found = out.servers.end() - 1;
      found->location = place;
      found->replica = replica;
    }
    found->databases.push_back(std::move(name) + " " + std::to_string(maximum));
    found->per_worker += maximum;
  };
  std::string sum;
  std::uint64_t per_worker = 0;
  for (const DatabaseConfig& database : fleet.databases) {
    // Nobody is configured: count what a fleet with all of them would need.
    if (any && !database.configured()) continue;
    add(database.primary, database.name, database.pool.max, false);
    sum += (sum.empty() ? "" : " + ") + database.name + " " + std::to_string(database.pool.max.value);
    per_worker += database.pool.max;
  }
  for (const DatabaseConfig& database : fleet.databases) {
    for (const ReplicaConfig& replica : database.replicas) {
      if (any && !replica.endpoint.is_configured) continue;
      add(replica.endpoint, database.name + "." + replica.name, replica.pool.max, true);
    }
  }
  for (ServerSizing& server : out.servers) {
    server.total = std::uint64_t{server.per_worker} * fleet.workers;
    server.recommended_max_connections = with_headroom(server.total);
  }
  out.primaries = per_worker * fleet.workers;
  out.recommended_max_connections = with_headroom(out.primaries);
  out.formula = std::to_string(fleet.workers.value) + (fleet.workers == 1u ? " worker" : " workers") + " x (" +
                sum + ") = " + std::to_string(out.primaries) +
                " connections; max_connections >= " + std::to_string(out.recommended_max_connections);
  return out;
}

}  // namespace switchyard::inline v0
