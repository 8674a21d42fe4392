#include <switchyard/gateway/client_policy.hpp>

namespace switchyard::inline v0::gateway {
namespace {

template <class T>
void prefer(T& value, const Setting<T>& special) {
  if (special.is_set()) value = *special;
}

void limit(std::uint32_t& value, const Setting<std::uint32_t>& special) {
  if (*special != 0) value = *special;
}

}  // namespace

ClientPolicy policy_of(const GatewayConfig& gateway, std::string_view database, std::string_view user) {
  ClientPolicy policy{.pool_mode = *gateway.pool_mode,
                      .auto_read = *gateway.auto_read,
                      .consistency = *gateway.consistency,
                      .sequences = *gateway.sequences,
                      .database_clients = *gateway.database_max_clients,
                      .user_clients = *gateway.user_max_clients,
                      .user_sessions = *gateway.user_max_sessions};
  if (const auto found = gateway.databases.find(database); found != gateway.databases.end()) {
    prefer(policy.pool_mode, found->second.pool_mode);
    prefer(policy.auto_read, found->second.auto_read);
    prefer(policy.consistency, found->second.consistency);
    prefer(policy.sequences, found->second.sequences);
    limit(policy.database_clients, found->second.max_clients);
  }
  if (const auto found = gateway.users.find(user); found != gateway.users.end()) {
    prefer(policy.pool_mode, found->second.pool_mode);
    limit(policy.user_clients, found->second.max_clients);
    limit(policy.user_sessions, found->second.max_sessions);
  }
  return policy;
}

}  // namespace switchyard::inline v0::gateway
