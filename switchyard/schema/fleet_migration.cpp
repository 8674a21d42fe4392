#include <switchyard/schema/fleet_migration.hpp>

#include <switchyard/config/migration_login.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/schema/migrator.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
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

constexpr Duration kLook = std::chrono::milliseconds(10);  // how soon it is seen that others have ended

enum class Progress : std::uint8_t { waits, runs, ended };

struct Work {
  const FleetConfig& fleet;
  std::vector<MigrationTarget>& targets;
  const TaskFunction<TargetReport(Fleet&, MigrationTarget&)>& function;
  AfterFailure after;
  std::vector<Line> lines;
  std::vector<Progress> progress;  ///< of a line
  std::vector<TargetReport> reports;
};

/// The line in which a database's migrations are; nothing if none of this run are its.
std::optional<std::size_t> line_of(const Work& work, const std::string& database) {
  for (std::size_t i = 0; i < work.lines.size(); ++i) {
    for (const std::size_t index : work.lines[i]) {
      if (work.targets[index].database == database) return i;
    }
  }
  return std::nullopt;
}

/// All that its targets come after have ended. Within a line the order is that of the configuration.
bool may_begin(const Work& work, std::size_t line) {
  return std::ranges::all_of(work.lines[line], [&](std::size_t index) {
    return std::ranges::all_of(work.targets[index].after, [&](const std::string& before) {
      const auto other = line_of(work, before);
      return !other || *other == line || work.progress[*other] == Progress::ended;
    });
  });
}

/// The first database before this one whose migrations failed.
std::string failed_before(const Work& work, const MigrationTarget& target) {
  if (work.after == AfterFailure::go_on) return {};
  for (const std::string& before : target.after) {
    for (std::size_t i = 0; i < work.targets.size(); ++i) {
      if (work.targets[i].database == before && !work.reports[i].ok()) return before;
    }
  }
  return {};
}

Task<TargetReport> with_own_fleet(Work& work, MigrationTarget& target) {
  auto fleet = Fleet::open(config_for(work.fleet, target.runs_on)).value_or_throw();
  auto done = co_await as_result(work.function(*fleet, target));
  co_await fleet->close(kCloseTimeout);
  co_return std::move(done).value_or_throw();
}

Task<void> worker(Work& work) {
  for (;;) {
    const auto waits = [&](std::size_t line) { return work.progress[line] == Progress::waits; };
    std::size_t next = 0;
    bool any = false;
    while (next < work.lines.size() && !(waits(next) && may_begin(work, next))) any = waits(next++) || any;
    if (next == work.lines.size()) {
      if (!any) co_return;
      co_await sleep(kLook);  // somebody else runs what these come after
      continue;
    }
    work.progress[next] = Progress::runs;
    for (const std::size_t index : work.lines[next]) {
      MigrationTarget& target = work.targets[index];
      TargetReport& report = work.reports[index];
      if (const std::string before = failed_before(work, target); !before.empty()) {
        report.database = target.database;
        report.error =
            Error(ErrorKind::Unavailable, "not begun: the migrations of " + before + ", which go first, failed");
        continue;
      }
      auto done = co_await as_result(with_own_fleet(work, target));
      if (done.ok()) {
        report = std::move(*done);
      } else {
        report.database = target.database;
        report.error = done.error();
      }
    }
    work.progress[next] = Progress::ended;
  }
}

}  // namespace

FleetConfig config_for(const FleetConfig& fleet, const std::string& database) {
  FleetConfig config;
  config.application = fleet.application;
  config.region = fleet.region;
  config.server_type = fleet.server_type;
  config.owner_check = OwnerCheck::off;  // what a migration makes or takes over belongs to whoever it says
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
    if (copy.configured()) log_in_to_migrate(fleet, copy);
  }
  return config;
}

Task<std::vector<TargetReport>> for_each_target(
    const FleetConfig& fleet, std::vector<MigrationTarget>& targets, std::size_t jobs,
    const TaskFunction<TargetReport(Fleet&, MigrationTarget&)>& function, AfterFailure after) {
  Work work{fleet, targets, function, after, {}, {}, std::vector<TargetReport>(targets.size())};
  std::map<std::string, std::size_t> lines;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto [at, fresh] = lines.emplace(place_of(fleet, targets[i]), work.lines.size());
    if (fresh) work.lines.emplace_back();
    work.lines[at->second].push_back(i);
  }
  work.progress.assign(work.lines.size(), Progress::waits);
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
  auto reports = co_await for_each_target(fleet, rest, jobs, work, AfterFailure::stop);
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
