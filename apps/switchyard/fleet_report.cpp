#include "fleet_report.hpp"

#include "engine.hpp"
#include "fleet_choice.hpp"
#include "http_client.hpp"
#include "json_reader.hpp"

#include <switchyard/backup/backup_state.hpp>
#include <switchyard/http/live_fleet_source.hpp>

namespace switchyard::cli {

namespace {

Task<ExitCode> inspect(Fleet& fleet, FleetReport& report) {
  http::LiveFleetSource source(fleet);
  const auto backups = backup::read_backup_status(fleet.config());
  source.set_backups([&](const std::string& database) -> std::optional<BackupStatus> {
    const auto at = backups.find(database);
    return at == backups.end() ? std::nullopt : std::optional(at->second);
  });
  report.health = *co_await source.health();
  report.status = source.status();
  co_return ExitCode::ok;
}

}  // namespace

Result<FleetReport> look_again(const RunningFleet& running) {
  auto health = http_get(running.http, "/health");
  if (!health.ok()) return health.error();
  auto state = http_get(running.http, "/api/fleet");
  if (!state.ok()) return state.error();
  auto reports = read_health(health->body);
  if (!reports.ok()) return reports.error();
  auto status = read_fleet_status(state->body);
  if (!status.ok()) return status.error();
  return FleetReport{std::move(*status), std::move(*reports), running};
}

Result<FleetReport> look_at_fleet(const GlobalOptions& global) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return choice.error();
  if (choice->running) return look_again(*choice->running);
  FleetReport report;
  open_lazily(choice->config);
  const auto work = [&](Fleet& fleet) -> Task<ExitCode> { co_return co_await inspect(fleet, report); };
  auto done = with_fleet(std::move(choice->config), work);
  if (!done.ok()) return done.error();
  if (*done == ExitCode::interrupted) return Error(ErrorKind::Cancelled, "interrupted");
  return report;
}

}  // namespace switchyard::cli
