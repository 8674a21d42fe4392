#include "backup_watch.hpp"
#include "commands.hpp"
#include "detach.hpp"
#include "fleet_choice.hpp"
#include "gateway_door.hpp"
#include "logging.hpp"
#include "move_watch.hpp"
#include "private_fleet.hpp"
#include "up_reporter.hpp"
#include "up_screen.hpp"

#include <switchyard/base/version.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/http/breaker_route.hpp>
#include <switchyard/http/fleet_routes.hpp>
#include <switchyard/http/listen.hpp>
#include <switchyard/http/live_fleet_source.hpp>
#include <switchyard/http/server.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/signals.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/schema/fleet_migration.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace switchyard::cli {

namespace {

constexpr auto kPictureInterval = std::chrono::milliseconds(80);
/// Pools that are not full by then fill in the background.
constexpr Duration kWarmUp = std::chrono::seconds(5);
constexpr Duration kHttpDrain = std::chrono::seconds(2);
constexpr std::size_t kSamples = 3;
/// The system allows 107 bytes with the file's name, "/.s.PGSQL.65535".
constexpr std::size_t kLongestSocketFolder = 107 - 16;
/// Databases that are migrated side by side.
constexpr std::size_t kMigrations = 4;

/// What was decided before anything starts.
struct Plan {
  FleetConfig config;
  std::vector<PrivateClusterPlan> clusters;
  RunningFleet running;
  std::string http_address;
  http::PortChoice port = http::PortChoice::exact;
  bool gateway_anywhere = false;  ///< the next free port will do
};

/// The wire door: on this machine unless it is said where, with a Unix-domain socket where our state is.
Result<void> plan_gateway(Plan& plan, const UpOptions& options) {
  GatewayConfig& gateway = plan.config.gateway;
  plan.gateway_anywhere = options.gateway == "auto" || (!options.gateway && !gateway.listen.is_set());
  if (options.gateway == "off") {
    gateway.listen.value.clear();
    gateway.unix_socket.value.clear();
    return {};
  }
  if (options.gateway && options.gateway != "auto") gateway.listen.value = {*options.gateway};
  if (gateway.unix_socket.is_set() || gateway.listen->empty()) return {};
  auto folder = state_folder();
  if (!folder.ok()) return folder.error();
  // Nobody asked for it by name: a path that is too long for a socket is no reason not to start.
  if (folder->size() <= kLongestSocketFolder) gateway.unix_socket.value = *folder;
  return {};
}

Result<Plan> make_plan(const GlobalOptions& global, const UpOptions& options) {
  auto config = load_configuration(global);
  if (!config.ok()) return config.error();
  Plan plan;
  if (!is_configured(*config)) {
    if (options.no_private) {
      return Error(ErrorKind::Config, "no database is configured, and --no-private forbids the demonstration")
          .with_hint("name one: --config FILE, or POSTGRES_DSN=postgresql://...");
    }
    config = load_demonstration(global);
    if (!config.ok()) return config.error();
    plan.running.demonstration = true;
  }
  plan.config = std::move(*config);
  // From the environment alone, what is not named is not wanted; a fleet file names what the application needs.
  const bool complete = plan.running.demonstration || !plan.config.file.empty();
  if (complete && !options.no_private) plan.clusters = plan_private_clusters(plan.config);

  std::error_code error;
  plan.running.application = plan.config.application.value;
  plan.running.folder = std::filesystem::current_path(error).string();
  plan.running.settings = global.settings;
  if (!plan.running.demonstration && !plan.config.file.empty()) {
    plan.running.config_file = std::filesystem::absolute(plan.config.file, error).string();
  }
  if (global.env_file) {
    plan.running.env_file = std::filesystem::absolute(*global.env_file, error).string();
  } else if (std::filesystem::exists(".env", error)) {
    plan.running.env_file = std::filesystem::absolute(".env", error).string();
  }
  plan.http_address = plan.config.http_address.value;
  if (options.http == "auto") {
    plan.port = http::PortChoice::next_free;
  } else if (options.http) {
    plan.http_address = *options.http;
  }
  SY_TRY(plan_gateway(plan, options));
  return plan;
}

std::string introduction(const Plan& plan) {
  std::string text = "Switchyard " + std::string(kVersion) + ": ";
  text += plan.running.demonstration ? "a demonstration fleet" : "the fleet '" + plan.running.application + "'";
  if (!plan.clusters.empty()) {
    std::size_t servers = 0;
    for (const PrivateClusterPlan& cluster : plan.clusters) servers += 1 + cluster.replicas.size();
    text += ", with " + std::to_string(servers) + (servers == 1 ? " private server" : " private servers");
  }
  return text;
}

/// Starts the private servers on a thread of its own, so that signals and the picture go on meanwhile.
class Starter {
 public:
  Starter(Plan& plan, const UpOptions& options, runtime::Shard& shard) : shard_(shard) {
    PrivateFleetOptions settings;
    if (options.persist) settings.persist = std::filesystem::absolute(*options.persist).string();
    settings.seed = [demonstration = plan.running.demonstration,
                     file = plan.running.config_file](const std::string& database) {
      return demonstration ? Result<std::optional<Seed>>(demonstration_seed(database))
                           : seed_beside(file, database);
    };
    settings.progress = [this](const std::string& text) {
      const std::scoped_lock lock(mutex_);
      steps_.push_back(text);
    };
    thread_ = std::thread([this, clusters = plan.clusters, settings = std::move(settings)]() mutable {
      auto started = PrivateFleet::start(std::move(clusters), std::move(settings));
      shard_.post([this, result = std::make_shared<Result<std::unique_ptr<PrivateFleet>>>(std::move(started))] {
        result_.emplace(std::move(*result));
      });
    });
  }
  ~Starter() { thread_.join(); }
  Starter(const Starter&) = delete;
  Starter& operator=(const Starter&) = delete;

  [[nodiscard]] bool done() const noexcept { return result_.has_value(); }
  Result<std::unique_ptr<PrivateFleet>> take() { return std::move(*result_); }
  [[nodiscard]] std::vector<std::string> new_steps() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(steps_, {});
  }

 private:
  runtime::Shard& shard_;
  std::mutex mutex_;
  std::vector<std::string> steps_;
  std::optional<Result<std::unique_ptr<PrivateFleet>>> result_;
  std::thread thread_;
};

class Up {
 public:
  Up(Plan plan, const GlobalOptions& global, const UpOptions& options, const Console& console, UpReporter& reporter)
      : plan_(std::move(plan)), global_(global), options_(options), console_(console), reporter_(reporter) {}

  ExitCode run() {
    runtime::Shard shard;
    // The servers follow this process in any case.
    runtime::SignalWatch signals(shard, [](int) { std::_Exit(static_cast<int>(ExitCode::interrupted)); });
    ExitCode code = ExitCode::failed;
    std::optional<Error> failure;
    try {
      code = shard.run_until_complete(live(shard, signals));
    } catch (const Error& error) {
      failure = error;
      code = exit_code_of(error);
    }
    if (servers_) {
      if (ready_ && !console_.quiet()) console_.note("stopping the private servers");
      servers_->stop();
      servers_.reset();
    }
    claim_.reset();  // whoever waits in `down` knows now that everything has ended
    if (failure) reporter_.failed(*failure);
    return code;
  }

 private:
  Task<ExitCode> live(runtime::Shard& shard, runtime::SignalWatch& signals) {
    claim_.emplace(FleetClaim::take(plan_.running.application).value_or_throw());
    auto listener = http::listen(plan_.http_address, plan_.port).value_or_throw();
    if (!plan_.clusters.empty()) {
      co_await start_servers(shard, signals);
      apply(servers_->relocations(), plan_.config).value_or_throw();
      plan_.running.relocations = servers_->relocations();
    }
    if (signals.signal() != 0) co_return ExitCode::interrupted;
    co_await migrate();

    const auto permits = std::make_shared<fleet::SharedPermits>();
    auto fleet = Fleet::open(plan_.config, permits).value_or_throw();
    door_ = GatewayDoor::open(*fleet, {.permits = permits,
                                       .next_free = plan_.gateway_anywhere,
                                       .shutdown = [] { ::kill(::getpid(), SIGTERM); },
                                       .reload = {},
                                       .own_databases = own_databases(),
                                       .owns_all = owns_all()})
                .value_or_throw();
    http::LiveFleetSource source(*fleet);
    const BackupWatch backups(fleet->config());
    const MoveWatch moves(fleet->config());
    source.set_backups([&backups](const std::string& database) { return backups.of(database); });
    const auto router = http::make_fleet_router(source);
    http::HttpServer server(std::move(listener), *router);
    if (http::is_loopback(server.address())) http::add_breaker_route(*router, *fleet);
    source.set_door([this] { return door_->status(); });
    source.set_other_shards([this](const std::function<void(Fleet&)>& what) { door_->each_other_fleet(what); });
    plan_.running.http = server.address();
    plan_.running.gateway = door_->addresses();
    plan_.running.pid = ::getpid();
    co_await any(get_ready(*fleet, source), signal(signals));
    co_await signals.first().wait();
    if (!options_.detach) console_.note("\nstopping; once more ends at once");
    co_await door_->drain(plan_.config.shutdown_timeout.value);
    co_await server.close(kHttpDrain);
    door_.reset();
    co_await fleet->close(plan_.config.shutdown_timeout.value);
    co_return ExitCode::ok;
  }

  /// Whoever is on this machine may log in to what we started for it.
  [[nodiscard]] std::vector<std::string> own_databases() const {
    std::vector<std::string> names;
    for (const Relocation& at : plan_.running.relocations) {
      if (at.replica.empty()) names.push_back(at.database);
    }
    return names;
  }

  [[nodiscard]] bool owns_all() const {
    const std::vector<std::string> own = own_databases();
    return std::ranges::all_of(plan_.config.databases, [&](const DatabaseConfig& database) {
      return !database.configured() || std::ranges::find(own, database.name) != own.end();
    });
  }

  /// Private databases follow their folder of migrations; others when they are configured to.
  Task<void> migrate() {
    if (plan_.running.demonstration) co_return;
    auto targets = schema::find_targets(plan_.config).value_or_throw();
    const auto is_private = [&](const std::string& name) {
      return servers_ && std::ranges::find(servers_->relocations(), name, &Relocation::database) !=
                             servers_->relocations().end();
    };
    std::vector<schema::MigrationTarget> of_private, of_others;
    for (schema::MigrationTarget& one : targets) {
      if (is_private(one.runs_on)) {
        of_private.push_back(std::move(one));
      } else if (*plan_.config.find(one.database)->migrations.migrate_at_start) {
        of_others.push_back(std::move(one));
      }
    }
    schema::MigrateOptions options;
    co_await migrate(of_others, options);
    // What the file beside the fleet file has filled a fresh database with is its base.
    options.baseline_on_migrate = true;
    options.baseline_version = "0";
    options.statement_timeout = "0";
    co_await migrate(of_private, options);
  }

  Task<void> migrate(std::vector<schema::MigrationTarget>& targets, const schema::MigrateOptions& options) {
    if (targets.empty()) co_return;
    reporter_.busy("applying migrations");
    for (const auto& report : co_await schema::migrate_all(plan_.config, targets, options, kMigrations)) {
      if (report.error) throw report.error->with_database(report.database);
      if (!report.problems.empty()) {
        throw Error(ErrorKind::Config, report.problems.front()).with_database(report.database);
      }
      if (!report.applied.empty()) {
        reporter_.step(report.database + ": migrated to version " + report.to + ", " +
                       std::to_string(report.applied.size()) +
                       (report.applied.size() == 1 ? " script" : " scripts"));
      }
    }
  }

  static Task<void> signal(runtime::SignalWatch& signals) { co_await signals.first().wait(); }

  /// The door is open meanwhile: a database that does not answer delays nobody.
  Task<void> get_ready(Fleet& fleet, http::LiveFleetSource& source) {
    static_cast<void>(co_await as_result(with_timeout(fleet.warm_up(), kWarmUp)));
    claim_->publish(plan_.running).value_or_throw();
    co_await show(fleet, source);
  }

  Task<void> start_servers(runtime::Shard& shard, const runtime::SignalWatch& signals) {
    const TimePoint begun = shard.now();
    Starter starter(plan_, options_, shard);
    while (!starter.done()) {
      for (const std::string& step : starter.new_steps()) reporter_.step(step);
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(shard.now() - begun).count();
      const std::string what =
          signals.signal() == 0 ? "starting private servers" : "ending what was begun; once more ends at once";
      reporter_.busy(what + (seconds > 0 ? ", " + std::to_string(seconds) + " s" : ""));
      co_await sleep(kPictureInterval);
    }
    for (const std::string& step : starter.new_steps()) reporter_.step(step);
    servers_ = starter.take().value_or_throw();
  }

  Task<void> show(Fleet& fleet, http::LiveFleetSource& source) {
    const auto health = co_await source.health();
    const FleetStatus status = source.status();
    UpScreen screen{plan_.running,  plan_.config,    status, *health, servers_ ? servers_->server_version() : "",
                    program_name(), options_.detach, {}};
    for (const HealthReport& report : *health) {
      if (screen.samples.size() >= kSamples || !report.healthy) continue;
      if (auto sql = co_await sample(fleet, report.database)) screen.samples.emplace_back(report.database, *sql);
    }
    ready_ = true;
    reporter_.ready(global_.json ? up_screen_json(screen) : up_screen(screen, console_.out()));
  }

  /// A statement that shows rows of this database, if it has any table.
  static Task<std::optional<std::string>> sample(Fleet& fleet, std::string database) {
    auto handle = fleet.database(database);
    if (!handle.ok()) co_return std::nullopt;
    auto found = co_await handle
                     ->query_optional<std::string>(
                         "SELECT format('SELECT * FROM %I LIMIT 5', c.relname) FROM pg_class c "
                         "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace "
                         "AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.reltuples DESC, c.oid LIMIT 1")
                     .result();
    co_return found.ok() ? *found : std::nullopt;
  }

  Plan plan_;
  const GlobalOptions& global_;
  const UpOptions& options_;
  const Console& console_;
  UpReporter& reporter_;
  std::optional<FleetClaim> claim_;
  std::unique_ptr<PrivateFleet> servers_;
  std::unique_ptr<GatewayDoor> door_;
  bool ready_ = false;
};

}  // namespace

ExitCode run_up(const GlobalOptions& global, const UpOptions& options, const Console& console) {
  auto plan = make_plan(global, options);
  if (!plan.ok()) return fail(console, plan.error());
  console.note(introduction(*plan));
  if (!global.quiet && !global.verbose) set_log_level(LogLevel::events);
  if (!options.detach) {
    TerminalReporter reporter(console);
    return Up(std::move(*plan), global, options, console, reporter).run();
  }
  auto folder = state_folder();
  if (!folder.ok()) return fail(console, folder.error());
  plan->running.log_file = *folder + "/" + file_stem(plan->running.application) + ".log";
  auto detached = detach(plan->running.log_file);
  if (!detached.ok()) return fail(console, detached.error());
  if (detached->parent) return follow_detached(detached->pipe, detached->pid, plan->running.log_file, console);
  PipeReporter reporter(detached->pipe);
  return Up(std::move(*plan), global, options, console, reporter).run();
}

}  // namespace switchyard::cli
