// What SHOW shows, from what is known at one moment.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/gateway/console_table.hpp>
#include <switchyard/gateway/settings.hpp>
#include <switchyard/gateway/shard_report.hpp>

#include <set>
#include <string>

namespace switchyard::inline v0::gateway {

struct ConsoleView {
  const FleetConfig& config;
  const GatewaySettings& settings;
  const ShardReport& all;
  const std::set<std::string, std::less<>>& disabled;
  const std::set<std::string, std::less<>>& paused;
  bool all_paused = false;
  bool suspended = false;
};

/// What a table is made of.
[[nodiscard]] ReportParts parts_of(ConsoleTable table) noexcept;

[[nodiscard]] ConsoleAnswer show_table(ConsoleTable table, const ConsoleView& view);

}  // namespace switchyard::inline v0::gateway
