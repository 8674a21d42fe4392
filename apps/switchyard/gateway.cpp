#include "backup_watch.hpp"
#include "commands.hpp"
#include "fleet_choice.hpp"
#include "gateway_door.hpp"
#include "gateway_successor.hpp"
#include "logging.hpp"
#include "move_watch.hpp"
#include "running_fleet.hpp"

#include <switchyard/base/units.hpp>
#include <switchyard/base/version.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/gateway/pgbouncer_ini.hpp>
#include <switchyard/http/breaker_route.hpp>
#include <switchyard/http/fleet_routes.hpp>
#include <switchyard/http/json_writer.hpp>
#include <switchyard/http/listen.hpp>
#include <switchyard/http/live_fleet_source.hpp>
#include <switchyard/http/server.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/signals.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::cli {

namespace {

constexpr Duration kHttpDrain = std::chrono::seconds(2);
/// How often it is looked whether the process that was taken over from has ended.
constexpr Duration kClaimPause = std::chrono::milliseconds(200);

/// The databases a client can name, and the role it logs in as.
struct Place {
  std::string database;
  std::string user;
};

std::vector<Place> places_of(const FleetConfig& config) {
  std::vector<Place> places;
  for (const DatabaseConfig& database : config.databases) {
    if (database.configured()) places.push_back({database.name, database.primary.connection.user});
  }
  return places;
}

/// The fleet file, or PgBouncer's; what is worth a word is printed.
Result<gateway::PgbouncerSetup> load_setup(const GlobalOptions& global, const GatewayOptions& options,
                                           const Console& console,
                                           const gateway::PgbouncerOverrides& overrides = {}) {
  gateway::PgbouncerSetup setup;
  if (options.pgbouncer_ini) {
    auto read = gateway::load_pgbouncer_ini(*options.pgbouncer_ini, overrides);
    if (!read.ok()) return read;
    for (const std::string& warning : read->warnings) {
      if (overrides.empty()) console.warn(warning);
    }
    return read;
  }
  auto config = load_configuration(global);
  if (!config.ok()) return config.error();
  setup.config = *std::move(config);
  setup.console_aliases.clear();
  return setup;
}

/// Standard error is the file from now on, or again: it may have been moved away.
Result<void> write_messages_to(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return Error(ErrorKind::Config, "can't write logfile " + path + ": " + std::strerror(errno));
  ::dup2(file, STDERR_FILENO);
  ::close(file);
  return {};
}

class GatewayProgram {
 public:
  GatewayProgram(gateway::PgbouncerSetup setup, const GlobalOptions& global, const GatewayOptions& options,
                 const Console& console)
      : config_(std::move(setup.config)),
        names_(std::move(setup.names)),
        console_aliases_(std::move(setup.console_aliases)),
        stats_period_(setup.stats_period),
        global_(global),
        options_(options),
        console_(console) {}

  ExitCode run() {
    runtime::Shard shard;
    terminal_ = ::isatty(STDERR_FILENO) == 1;
    runtime::SignalWatch signals(
        shard, [](int) { std::_Exit(static_cast<int>(ExitCode::interrupted)); }, [this] { on_hangup(); },
        [this] { on_restart(); });
    try {
      return shard.run_until_complete(live(signals));
    } catch (const Error& error) {
      return fail(console_, error);
    }
  }

 private:
  Task<ExitCode> live(runtime::SignalWatch& signals) {
    std::optional<FleetClaim> claim;
    if (auto taken = FleetClaim::take(*config_.application); taken.ok()) {
      claim.emplace(*std::move(taken));
    } else if (!options_.takeover) {
      throw taken.error();
    }
    const bool chosen = config_.http_address.is_set() || (options_.http && *options_.http != "auto");
    const std::string http = options_.http && *options_.http != "auto" ? *options_.http : *config_.http_address;
    auto listener = http::listen(http, chosen && claim ? http::PortChoice::exact : http::PortChoice::next_free)
                        .value_or_throw();

    const bool next_free = options_.listen.size() == 1 && options_.listen.front() == "auto";
    if (!options_.listen.empty() && !next_free) {
      config_.gateway.listen =
          Setting<std::vector<std::string>>(options_.listen, {Layer::command_line, {}, "--listen", {}});
    }
    if (options_.shards) {
      config_.gateway.shards = Setting<std::uint32_t>(*options_.shards, {Layer::command_line, {}, "--shards", {}});
    }
    const auto permits = std::make_shared<fleet::SharedPermits>();
    auto fleet = Fleet::open(config_, permits).value_or_throw();
    DoorOptions door{.permits = permits,
                     .next_free = next_free,
                     .set = [this](const std::string& key, const std::string& value) { return set(key, value); },
                     .shutdown = [] { ::kill(::getpid(), SIGTERM); },
                     .reload = [this] { return reload(); },
                     .handover_path = handover_path(*config_.application).value_or_throw(),
                     .take_over = options_.takeover,
                     .on_handed_over = [] { ::kill(::getpid(), SIGTERM); },
                     .console_aliases = console_aliases_,
                     .stats_period = stats_period_,
                     .names = names_,
                     .trust_known_only = options_.pgbouncer_ini.has_value(),
                     .own_databases = {}};
    door_ = GatewayDoor::open(*fleet, std::move(door)).value_or_throw();
    http::LiveFleetSource source(*fleet);
    const BackupWatch backups(fleet->config());
    const MoveWatch moves(fleet->config());
    source.set_backups([&backups](const std::string& database) { return backups.of(database); });
    source.set_door([this] { return door_->status(); });
    source.set_other_shards([this](const std::function<void(Fleet&)>& what) { door_->each_other_fleet(what); });
    const auto router = http::make_fleet_router(source);
    http::HttpServer server(std::move(listener), *router);
    if (http::is_loopback(server.address())) http::add_breaker_route(*router, *fleet);

    RunningFleet running = description();
    running.http = server.address();
    running.gateway = door_->addresses();
    announce(running);
    co_await any(introduce(claim, running), signal(signals));
    // Whoever comes from PgBouncer counts sessions: there are none before somebody asks for one.
    if (!options_.pgbouncer_ini) co_await any(warm_up(*fleet), signal(signals));
    co_await signals.first().wait();
    hung_up_on_ = true;
    if (door_->status().clients > 0) {
      console_.note("\nclients end as they become idle, the rest within " +
                    format_duration(*config_.shutdown_timeout) + "; once more ends at once");
    }
    co_await door_->drain(*config_.shutdown_timeout);
    co_await server.close(kHttpDrain);
    door_.reset();
    co_await fleet->close(*config_.shutdown_timeout);
    co_return ExitCode::ok;
  }

  /// Other commands find this process from now on: at once, or when the one that it takes over from has ended.
  Task<void> introduce(std::optional<FleetClaim>& claim, const RunningFleet& running) {
    while (!claim) {
      if (auto taken = FleetClaim::take(*config_.application); taken.ok()) {
        claim.emplace(*std::move(taken));
      } else {
        co_await sleep(kClaimPause);
      }
    }
    claim->publish(running).value_or_throw();
  }
  static Task<void> signal(runtime::SignalWatch& signals) { co_await signals.first().wait(); }
  /// Clients are let in meanwhile: a database that does not answer delays nobody.
  static Task<void> warm_up(Fleet& fleet) { static_cast<void>(co_await as_result(fleet.warm_up())); }

  [[nodiscard]] RunningFleet description() const {
    std::error_code error;
    RunningFleet running;
    running.application = *config_.application;
    running.pid = ::getpid();
    running.folder = std::filesystem::current_path(error).string();
    running.settings = global_.settings;
    if (!config_.file.empty()) running.config_file = std::filesystem::absolute(config_.file, error).string();
    if (global_.env_file) {
      running.env_file = std::filesystem::absolute(*global_.env_file, error).string();
    } else if (std::filesystem::exists(".env", error)) {
      running.env_file = std::filesystem::absolute(".env", error).string();
    }
    return running;
  }

  void announce(const RunningFleet& running) const {
    const std::vector<Place> places = places_of(config_);
    if (global_.json) {
      http::JsonWriter json;
      json.begin_object()
          .member("application", running.application)
          .member("pid", running.pid)
          .member("http", "http://" + running.http);
      json.key("gateway").begin_array();
      for (const std::string& address : running.gateway) json.value(address);
      json.end_array().key("databases").begin_array();
      for (const Place& place : places) {
        json.begin_object().member("database", place.database).member("user", place.user).end_object();
      }
      json.end_array().end_object();
      console_.print(json.take() + "\n");
    } else {
      const Paint& paint = console_.out();
      std::string text = "Switchyard " + std::string(kVersion) + ": the gateway of " +
                         paint(Tone::strong, running.application) + " listens on";
      for (const std::string& address : running.gateway) text += " " + paint(Tone::strong, address);
      text += "\n\n";
      for (const Place& place : places) {
        text += "  " + psql_line(running.gateway, place.user, place.database) + '\n';
      }
      text += "  curl http://" + running.http + "/metrics\n\nCtrl-C stops it, SIGHUP reads who may log in again.\n";
      console_.print(text);
    }
    if (running.gateway.empty()) console_.warn("the gateway listens nowhere: gateway.listen is empty");
    if (!door_->knows_users()) {
      console_.warn(config_.gateway.unix_socket->empty()
                        ? "nobody can log in: set gateway.users_file, gateway.auth_user or gateway.hba"
                        : "only the account that runs the gateway can log in, by " + running.gateway.back() +
                              ": set gateway.users_file, gateway.auth_user or gateway.hba");
    }
  }

  /// A terminal that closes ends what it runs; everybody else who sends SIGHUP means "read again".
  void on_hangup() {
    if (hung_up_on_ || !door_) return;
    if (terminal_ && ::isatty(STDERR_FILENO) == 0) {
      hung_up_on_ = true;
      ::kill(::getpid(), SIGTERM);
      return;
    }
    const Result<void> done = reload();
    if (done.ok()) {
      console_.note("read again: users, rules, certificates and limits of the gateway");
    } else {
      console_.warn("everything stays as it was: " + std::string(done.error().what()));
    }
  }

  /// SIGUSR2: a process as this one was takes over.
  void on_restart() {
    if (hung_up_on_ || !door_) return;
    if (successor_ != 0 && !successor_has_ended(successor_)) {
      return console_.warn("pid " + std::to_string(successor_) + " takes over already");
    }
    const auto started = start_successor();
    if (started.ok()) {
      successor_ = *started;
      console_.note("pid " + std::to_string(successor_) + " takes over; this one ends with its last client");
    } else {
      console_.warn(std::string(started.error().what()));
    }
  }

  /// SET on the console, of a key that the configuration has.
  Result<void> set(const std::string& key, const std::string& value) {
    if (options_.pgbouncer_ini) {
      gateway::PgbouncerOverrides overrides = overrides_;
      overrides.insert_or_assign(key, value);
      const auto setup = load_setup(global_, options_, console_, overrides);
      if (!setup.ok()) return setup.error();
      SY_TRY(door_->reload(setup->config, setup->names));
      overrides_ = std::move(overrides);
      return {};
    }
    const std::string full = key.starts_with("gateway.") ? key : "gateway." + key;
    GlobalOptions global = global_;
    global.settings = settings_;
    global.settings.emplace_back(full, value);
    const auto setup = load_setup(global, options_, console_);
    if (!setup.ok()) return setup.error();
    SY_TRY(door_->reload(setup->config, setup->names));
    settings_ = std::move(global.settings);
    return {};
  }

  Result<void> reload() {
    overrides_.clear();
    settings_ = global_.settings;
    const auto setup = load_setup(global_, options_, console_);
    if (!setup.ok()) return setup.error();
    if (!setup->log_file.empty()) SY_TRY(write_messages_to(setup->log_file));
    return door_->reload(setup->config, setup->names);
  }

  FleetConfig config_;
  const gateway::PgbouncerNames names_;
  const std::vector<std::string> console_aliases_;
  const Duration stats_period_;
  const GlobalOptions& global_;
  const GatewayOptions& options_;
  const Console& console_;
  std::unique_ptr<GatewayDoor> door_;
  gateway::PgbouncerOverrides overrides_;  ///< what was SET since the last RELOAD
  std::vector<std::pair<std::string, std::string>> settings_ = global_.settings;  ///< likewise
  pid_t successor_ = 0;
  bool terminal_ = false;
  bool hung_up_on_ = false;
};

}  // namespace

ExitCode run_gateway(const GlobalOptions& global, const GatewayOptions& options, const Console& console) {
  if (options.restart) return restart_gateway(global, console);
  auto setup = load_setup(global, options, console);
  if (!setup.ok()) return fail(console, setup.error());
  if (places_of(setup->config).empty()) {
    return fail(
        console,
        Error(ErrorKind::Config, "no database is configured, so there is nothing to let clients in to")
            .with_hint("name one: --config FILE, or POSTGRES_DSN=postgresql://...; switchyard up opens a gateway "
                       "to private servers"));
  }
  if (!global.quiet && !global.verbose) set_log_level(LogLevel::events);
  if (!setup->log_file.empty()) {
    if (const Result<void> opened = write_messages_to(setup->log_file); !opened.ok())
      return fail(console, opened.error());
  }
  return GatewayProgram(*std::move(setup), global, options, console).run();
}

}  // namespace switchyard::cli
