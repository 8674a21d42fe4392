#include "commands.hpp"
#include "fleet_report.hpp"
#include "status_view.hpp"

#include <switchyard/base/suggest.hpp>
#include <switchyard/http/documents.hpp>

#include <algorithm>

namespace switchyard::cli {

namespace {

/// Leaves only one database in the report.
Result<void> narrow(FleetReport& report, const std::string& name) {
  std::vector<std::string_view> names;
  for (const DatabaseStatus& database : report.status.databases) names.emplace_back(database.name);
  if (std::ranges::find(names, name) == names.end()) {
    const std::string close = did_you_mean(name, names);
    return Error(ErrorKind::Usage, "there is no database '" + name + "'").with_hint(close);
  }
  std::erase_if(report.status.databases, [&](const DatabaseStatus& database) { return database.name != name; });
  std::erase_if(report.health, [&](const HealthReport& one) { return one.database != name; });
  return {};
}

}  // namespace

ExitCode run_health(const GlobalOptions& global, const HealthOptions& options, const Console& console) {
  auto report = look_at_fleet(global);
  if (!report.ok()) return fail(console, report.error());
  if (options.on) {
    if (const auto narrowed = narrow(*report, *options.on); !narrowed.ok()) return fail(console, narrowed.error());
  }
  const ExitCode code = health_exit_code(report->status, report->health);
  console.print(global.json ? http::health_json(report->status, report->health)
                            : health_view(report->status, report->health, console.out(), console.width()));
  if (code != ExitCode::ok && !global.json) console.note("\nswitchyard doctor looks for the cause.");
  return code;
}

}  // namespace switchyard::cli
