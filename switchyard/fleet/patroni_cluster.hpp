// The members of a cluster as Patroni's REST API tells them: GET /cluster.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

/// More are not read.
inline constexpr std::size_t kMostPatroniMembers = 64;

struct PatroniMember {
  std::string name;
  std::string role;   ///< "leader", "replica", "sync_standby", "standby_leader", ...
  std::string state;  ///< "running", "streaming", "stopped", ...
  std::string host;
  std::uint16_t port = 5432;
  std::uint32_t timeline = 0;  ///< 0 = not told

  [[nodiscard]] bool leads() const noexcept { return role == "leader" || role == "master"; }
};

/// Protocol error for a document that is none. Members without a host are left out.
[[nodiscard]] SWITCHYARD_API Result<std::vector<PatroniMember>> parse_patroni_cluster(std::string_view json);

}  // namespace switchyard::inline v0::fleet
