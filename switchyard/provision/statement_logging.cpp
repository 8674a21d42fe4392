#include <switchyard/provision/statement_logging.hpp>

#include <switchyard/fleet/transaction.hpp>
#include <switchyard/provision/administrator.hpp>
#include <switchyard/provision/sql_text.hpp>
#include <switchyard/provision/step.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace switchyard::inline v0::provision {

namespace {

constexpr std::string_view kEndIdleSessions =
    "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = "
    "ANY ($2) AND state = 'idle' AND pid <> pg_backend_pid()) ended";

/// Where the database is, and who works in it.
struct Place {
  DesiredServer server;
  std::string dbname;
  std::vector<std::string> roles;
};

Place place_of(const FleetConfig& fleet, const std::string& name) {
  const auto resolved = fleet.resolve(name);
  if (!resolved.ok()) throw resolved.error();
  const DatabaseConfig& database = *resolved->database;
  for (DesiredServer& server : desired_servers(fleet).value_or_throw()) {
    const auto names = server.logical();
    if (std::ranges::find(names, database.name) == names.end()) continue;
    Place place{std::move(server), database.primary.connection.dbname, {}};
    for (const DesiredRole& role : place.server.roles) {
      const bool of_it = std::ranges::find(role.databases, database.name) != role.databases.end();
      if (of_it && role.login) place.roles.push_back(role.name);
    }
    return place;
  }
  throw Error(ErrorKind::Config, "is not configured, so its statements are nowhere").with_database(database.name);
}

Task<void> run_all(Administrator& admin, const std::vector<std::string>& statements) {
  Lease lease = co_await admin.lease();
  co_await lease.transaction([&](Transaction& tx) -> Task<void> {
    for (const std::string& sql : statements) co_await tx.script(sql);
  });
}

Task<std::int64_t> reconnect(Administrator& admin, const Place& place) {
  Lease lease = co_await admin.lease();
  co_return co_await lease.query_value<std::int64_t>(kEndIdleSessions, place.dbname, place.roles);
}

Task<void> change(Administrator& admin, const Place& place, const StatementLogging& options,
                  const std::vector<std::string>& statements, LoggingReport& report) {
  co_await run_all(admin, statements);
  if (options.sessions == OpenSessions::reconnect) report.reconnected = co_await reconnect(admin, place);
}

Task<LoggingReport> with_place(const Place& place, const StatementLogging& options,
                               std::vector<std::string> statements, std::string until) {
  LoggingReport report;
  report.roles = place.roles;
  report.until = std::move(until);
  Administrator admin(place.server);
  auto done = co_await as_result(change(admin, place, options, statements, report));
  co_await admin.close();
  if (!done.ok()) throw done.error();
  co_return report;
}

std::string alter(const std::string& role, const Place& place) {
  return "ALTER ROLE " + name_sql(role) + " IN DATABASE " + name_sql(place.dbname);
}

}  // namespace

std::string utc_time(Duration from_now) {
  const std::time_t at = std::time(nullptr) + std::chrono::duration_cast<std::chrono::seconds>(from_now).count();
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

Task<LoggingReport> begin_logging(FleetConfig fleet, StatementLogging options) {
  const Place place = place_of(fleet, options.database);
  const std::string until = utc_time(options.length);
  std::vector<std::string> statements;
  for (const std::string& role : place.roles) {
    const std::string start = alter(role, place) + " SET ";
    statements.push_back(start + "log_statement = " + text_sql(to_string(options.statements)));
    statements.push_back(start + "log_duration = on");
    statements.push_back(start + std::string(kLoggingUntil) + " = " + text_sql(until));
  }
  co_return co_await with_place(place, options, std::move(statements), until);
}

Task<LoggingReport> end_logging(FleetConfig fleet, StatementLogging options) {
  const Place place = place_of(fleet, options.database);
  const DesiredDatabase* database = place.server.database(place.dbname);
  std::vector<std::string> statements;
  for (const std::string& role : place.roles) {
    const auto wanted = database->settings.find({role, "log_statement"});
    statements.push_back(alter(role, place) + (wanted == database->settings.end()
                                                   ? " RESET log_statement"
                                                   : " SET log_statement = " + text_sql(wanted->second)));
    statements.push_back(alter(role, place) + " RESET log_duration");
    statements.push_back(alter(role, place) + " RESET " + std::string(kLoggingUntil));
  }
  co_return co_await with_place(place, options, std::move(statements), utc_time());
}

}  // namespace switchyard::inline v0::provision
