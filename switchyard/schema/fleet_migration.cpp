#include <switchyard/schema/fleet_migration.hpp>

#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/schema/migrator.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

namespace switchyard::inline v0::schema {

namespace {

constexpr Duration kCloseTimeout = std::chrono::milliseconds(500);
constexpr std::size_t kJobs = 4;

/// Where the history of a target is: targets with the same place follow each other.
std::string place_of(const FleetConfig& fleet, const MigrationTarget& target) {
  const DatabaseConfig* database = fleet.find(target.runs_on);
  if (database == nullptr || !database->configured()) return target.runs_on;
  const ConnectionOptions& connection = database->primary.connection;
  std::string place = connection.dbname + "|" + target.schema;
  for (const auto& host : connection.hosts) place += "|" + host.host + ":" + std::to_string(host.port);
  return place;
}

/// Targets of one place, in order.
using Line = std::vector<std::size_t>;

struct Work {
  const FleetConfig& fleet;
  std::vector<MigrationTarget>& targets;
  const TaskFunction<TargetReport(Fleet&, MigrationTarget&)>& function;
  std::vector<Line> lines;
  std::size_t next = 0;
  std::vector<TargetReport> reports;
};

Task<TargetReport> with_own_fleet(Work& work, MigrationTarget& target) {
  auto fleet = Fleet::open(config_for(work.fleet, target.runs_on)).value_or_throw();
  auto done = co_await as_result(work.function(*fleet, target));
  co_await fleet->close(kCloseTimeout);
  co_return std::move(done).value_or_throw();
}

Task<void> worker(Work& work) {
  while (work.next < work.lines.size()) {
    const Line& line = work.lines[work.next++];
    for (const std::size_t index : line) {
      MigrationTarget& target = work.targets[index];
      auto done = co_await as_result(with_own_fleet(work, target));
      TargetReport& report = work.reports[index];
      if (done.ok()) {
        report = std::move(*done);
      } else {
        report.database = target.database;
        report.error = done.error();
      }
    }
  }
}

}  // namespace

FleetConfig config_for(const FleetConfig& fleet, const std::string& database) {
  FleetConfig config;
  config.application = fleet.application;
  config.region = fleet.region;
  config.server_type = fleet.server_type;
  config.cores = fleet.cores;
  config.share_budget = false;
  config.profile = fleet.profile;
  config.file = fleet.file;
  const auto used = fleet::used_names();
  for (const DatabaseConfig& one : fleet.databases) {
    // A program's fleet wants the names that its code uses.
    if (one.name != database && used.empty()) continue;
    DatabaseConfig& copy = config.databases.emplace_back(one);
    copy.replicas.clear();
    copy.pool.min = 0u;
    copy.pool.max = 2u;
    copy.command_timeout = Duration::zero();
    copy.query_timeout = Duration::zero();
    copy.lane = LaneMode::leased;
    copy.when_down = WhenDown::fail;
    copy.fallback = std::string();
    copy.when_unconfigured = std::string();
    copy.patroni = std::string();
  }
  return config;
}

Task<std::vector<TargetReport>> for_each_target(
    const FleetConfig& fleet, std::vector<MigrationTarget>& targets, std::size_t jobs,
    const TaskFunction<TargetReport(Fleet&, MigrationTarget&)>& function) {
  Work work{fleet, targets, function, {}, 0, std::vector<TargetReport>(targets.size())};
  std::map<std::string, std::size_t> lines;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto [at, fresh] = lines.emplace(place_of(fleet, targets[i]), work.lines.size());
    if (fresh) work.lines.emplace_back();
    work.lines[at->second].push_back(i);
  }
  std::vector<Task<void>> workers;
  for (std::size_t i = 0; i < std::clamp<std::size_t>(jobs, 1, std::max<std::size_t>(work.lines.size(), 1)); ++i) {
    workers.push_back(worker(work));
  }
  co_await all(std::move(workers));
  co_return std::move(work.reports);
}

namespace {

/// Who logs in where: targets of one login share a session for a look. Empty: not to be shared.
std::string login_of(const FleetConfig& fleet, const MigrationTarget& target) {
  const DatabaseConfig* database = fleet.find(target.runs_on);
  if (database == nullptr || !database->configured() || target.schema.empty()) return {};
  if (database->write.is_configured) return {};
  const ConnectionOptions& connection = database->primary.connection;
  std::string login = connection.user + "@" + connection.dbname;
  for (const auto& host : connection.hosts) login += "|" + host.host + ":" + std::to_string(host.port);
  return login;
}

/// Over one session: those of `group` with nothing to do get their report. What fails is looked at again, by
/// itself.
Task<void> glance(const FleetConfig& fleet, std::vector<MigrationTarget>& targets, const Line& group,
                  const MigrateOptions& options, std::vector<std::optional<TargetReport>>& done) {
  const std::string& database = targets[group.front()].runs_on;
  auto opened = Fleet::open(config_for(fleet, database));
  if (!opened.ok()) co_return;
  auto work = [](Fleet& own, const std::string& on, std::vector<MigrationTarget>& all_targets, const Line& some,
                 const MigrateOptions& with, std::vector<std::optional<TargetReport>>& into) -> Task<void> {
    std::optional<Lease> lease;
    lease.emplace(co_await own.database(on).value_or_throw().lease(fleet::OnConnectFailure::fail));
    for (const std::size_t index : some) {
      MigrationTarget look = all_targets[index];
      look.runs_on = on;
      Migrator migrator(own, look, with);
      into[index] = co_await migrator.glance(lease);
      if (!lease) co_return;
    }
  };
  static_cast<void>(co_await as_result(work(**opened, database, targets, group, options, done)));
  co_await (*opened)->close(kCloseTimeout);
}

}  // namespace

Task<std::vector<TargetReport>> migrate_all(const FleetConfig& fleet, std::vector<MigrationTarget>& targets,
                                            const MigrateOptions& options, std::size_t jobs, StepSink sink) {
  std::vector<std::optional<TargetReport>> done(targets.size());
  std::map<std::string, Line> logins;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (std::string login = login_of(fleet, targets[i]); !login.empty()) logins[std::move(login)].push_back(i);
  }
  for (const auto& [login, group] : logins) {
    if (group.size() > 1) co_await glance(fleet, targets, group, options, done);
  }
  const TaskFunction<TargetReport(Fleet&, MigrationTarget&)> work =
      [&options, sink](Fleet& own, MigrationTarget& target) -> Task<TargetReport> {
    Migrator migrator(own, target, options, sink);
    co_return co_await migrator.up();
  };
  std::vector<MigrationTarget> rest;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!done[i]) rest.push_back(targets[i]);
  }
  auto reports = co_await for_each_target(fleet, rest, jobs, work);
  std::vector<TargetReport> all_reports;
  auto next = reports.begin();
  for (std::optional<TargetReport>& one : done) all_reports.push_back(one ? std::move(*one) : std::move(*next++));
  co_return all_reports;
}

Task<std::vector<TargetReport>> migrate_at_start(const FleetConfig& fleet) {
  auto targets = find_targets(fleet).value_or_throw();
  std::erase_if(targets, [&](const MigrationTarget& one) {
    const DatabaseConfig* database = fleet.find(one.database);
    return database == nullptr || !*database->migrations.migrate_at_start;
  });
  auto reports = co_await migrate_all(fleet, targets, {}, kJobs);
  for (const TargetReport& report : reports) {
    if (report.error) throw report.error->with_database(report.database);
    if (!report.problems.empty()) {
      throw Error(ErrorKind::Config, report.problems.front()).with_database(report.database);
    }
  }
  co_return reports;
}

}  // namespace switchyard::inline v0::schema
