// What SHOW shows, from what is known at one moment.
#pragma once

#include <switchyard/fleet/fleet.hpp>
#include <switchyard/gateway/client_report.hpp>
#include <switchyard/gateway/console_table.hpp>
#include <switchyard/gateway/settings.hpp>
#include <switchyard/gateway/traffic.hpp>

#include <set>
#include <string>
#include <vector>

namespace switchyard::inline v0::gateway {

struct ConsoleView {
  const Fleet& fleet;
  const GatewaySettings& settings;
  const TrafficBook& traffic;
  std::vector<ClientReport> clients;
  const std::set<std::string, std::less<>>& disabled;
  bool all_paused = false;
  bool suspended = false;
};

[[nodiscard]] ConsoleAnswer show_table(ConsoleTable table, const ConsoleView& view);

}  // namespace switchyard::inline v0::gateway
