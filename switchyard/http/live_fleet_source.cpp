#include <switchyard/http/live_fleet_source.hpp>

#include <utility>

namespace switchyard::inline v0::http {

FleetStatus LiveFleetSource::status() const {
  FleetStatus status = fleet_.status();
  for (DatabaseStatus& database : status.databases) {
    if (!database.endpoints.empty() && database.endpoints.front().role == EndpointRole::primary) continue;
    EndpointStatus missing;
    missing.name = "primary";
    database.endpoints.insert(database.endpoints.begin(), std::move(missing));
  }
  return status;
}

Task<std::shared_ptr<const HealthReports>> LiveFleetSource::health() {
  if (!checking_.running()) {
    checked_.reset();
    checking_.start(check());
  }
  co_await checked_.wait();
  co_return last_;
}

Task<void> LiveFleetSource::check() {
  try {
    last_ = std::make_shared<const HealthReports>(co_await fleet_.health_all(check_timeout_));
  } catch (const Error& error) {
    // Not about one database: the fleet as a whole can't be asked.
    HealthReport report;
    report.database = "fleet";
    report.required = true;
    report.error = error.message();
    last_ = std::make_shared<const HealthReports>(HealthReports{std::move(report)});
  }
  checked_.set();
}

}  // namespace switchyard::inline v0::http
