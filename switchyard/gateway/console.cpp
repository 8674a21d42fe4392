#include <switchyard/gateway/console.hpp>

#include <switchyard/base/version.hpp>
#include <switchyard/gateway/console_config.hpp>
#include <switchyard/gateway/console_show.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// How often it is looked whether what a command waits for has come.
constexpr Duration kLook = std::chrono::milliseconds(10);

constexpr std::string_view kAdminShutdown = "57P01";
constexpr std::string_view kReloadFailed = "F0000";

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

ConsoleAnswer tagged(std::string tag) {
  ConsoleAnswer answer;
  answer.tag = std::move(tag);
  return answer;
}

void note(const std::string& what) {
  log::info("gateway", "console_command", [&] { return "console: " + what; }, {});
}

void pause_everywhere(const ConsoleHost& host, const std::string& database) {
  host.each_fleet([&](Fleet& fleet) { (void)fleet.pause(database); });
}
void resume_everywhere(const ConsoleHost& host, const std::string& database) {
  host.each_fleet([&](Fleet& fleet) { (void)fleet.resume(database); });
}

}  // namespace

std::vector<std::pair<std::string, std::string>> console_parameters(std::string_view user) {
  return {{"DateStyle", "ISO"},
          {"TimeZone", "GMT"},
          {"client_encoding", "UTF8"},
          {"integer_datetimes", "on"},
          {"is_superuser", "on"},
          {"server_encoding", "UTF8"},
          {"server_version", std::string(kVersion) + "/switchyard"},
          {"session_authorization", std::string(user)},
          {"standard_conforming_strings", "on"}};
}

Console::Console(ConsoleHost& host) : host_(host) { on_period(this); }

bool Console::is_console(std::string_view database) const noexcept {
  return database == kConsoleDatabase || contains(host_.console_settings().console.aliases, database);
}

std::optional<ConsoleAccess> Console::access_of(std::string_view user, bool own_account) const {
  const ConsoleSettings& settings = host_.console_settings().console;
  if (own_account || contains(settings.admin_users, user)) return ConsoleAccess::everything;
  if (contains(settings.stats_users, user)) return ConsoleAccess::look;
  return std::nullopt;
}

void Console::on_period(void* self) noexcept {
  auto& console = *static_cast<Console*>(self);
  const TimePoint now = runtime::now();
  console.traffic_.turn_page(now);
  console.period_.arm(deadline_after(now, console.host_.console_settings().console.stats_period));
}

std::optional<Result<ConsoleAnswer>> Console::run(const ConsoleCommand& command, ConsoleMachine& asker) {
  switch (command.verb) {
    case ConsoleVerb::show: return show(command.table);
    case ConsoleVerb::set: return set(command.argument, command.value);
    case ConsoleVerb::pause: return pause(command.argument, asker);
    case ConsoleVerb::resume: return resume(command.argument);
    case ConsoleVerb::disable: return set_disabled(command.argument, true);
    case ConsoleVerb::enable: return set_disabled(command.argument, false);
    case ConsoleVerb::reconnect: return reconnect(command.argument);
    case ConsoleVerb::kill: return kill(command.argument);
    case ConsoleVerb::kill_client: return kill_client(command.argument);
    case ConsoleVerb::suspend: return suspend(asker);
    case ConsoleVerb::shutdown: return shut_down(command.argument);
    case ConsoleVerb::reload: return reload();
    case ConsoleVerb::wait_close: return wait_close(command.argument, asker);
    // The machine's own.
    case ConsoleVerb::empty:
    case ConsoleVerb::ping:
    case ConsoleVerb::begin:
    case ConsoleVerb::commit:
    case ConsoleVerb::rollback:
    case ConsoleVerb::discard: break;
  }
  return console_error("bad arguments");
}

Result<std::vector<std::string>> Console::databases(const std::string& name, std::string_view verb) const {
  std::vector<std::string> names;
  if (is_console(name)) return console_error("cannot " + std::string(verb) + " admin db: " + name);
  for (const DatabaseConfig& database : host_.fleet().config().databases) {
    if (database.name == name || (name.empty() && database.configured())) names.push_back(database.name);
  }
  if (names.empty() && !name.empty()) return console_error("no such database: " + name);
  return names;
}

ConsoleAnswer Console::show(ConsoleTable table) {
  const ConsoleView view{.fleet = host_.fleet(),
                         .settings = host_.console_settings(),
                         .traffic = traffic_,
                         .clients = host_.client_reports(),
                         .disabled = disabled_,
                         .all_paused = all_paused_,
                         .suspended = suspended_};
  return show_table(table, view);
}

// ---- waiting ----

std::optional<Result<ConsoleAnswer>> Console::wait(ConsoleMachine& asker, Wait wait,
                                                   std::vector<std::string> databases, std::string tag) {
  if (done(wait, databases)) return tagged(std::move(tag));
  waiters_.push_back({&asker, wait, std::move(databases), std::move(tag)});
  tick_.arm(deadline_after(runtime::now(), kLook));
  return std::nullopt;
}

bool Console::done(Wait wait, const std::vector<std::string>& databases) const {
  if (wait == Wait::suspended) {
    return std::ranges::all_of(host_.client_reports(), [](const ClientReport& client) {
      return client.unsent == 0 || client.activity == ClientActivity::console;
    });
  }
  bool done = true;
  host_.each_fleet([&](Fleet& fleet) {
    for (const DatabaseStatus& database : fleet.status().databases) {
      if (!contains(databases, database.name)) continue;
      for (const EndpointStatus& endpoint : database.endpoints) {
        if (!endpoint.pool) continue;
        if ((wait == Wait::paused ? endpoint.pool->total : endpoint.pool->outdated) != 0) done = false;
      }
    }
  });
  return done;
}

void Console::look() noexcept {
  std::vector<std::pair<ConsoleMachine*, std::string>> answered;
  std::erase_if(waiters_, [&](const Waiter& waiter) {
    if (!done(waiter.wait, waiter.databases)) {
      // A session that was kept a little longer since is asked for again.
      for (const std::string& database : waiter.databases) host_.give_sessions_back(database);
      return false;
    }
    answered.emplace_back(waiter.asker, waiter.tag);
    return true;
  });
  if (!waiters_.empty()) tick_.arm(deadline_after(runtime::now(), kLook));
  for (auto& [asker, tag] : answered) {
    if (asker != nullptr) asker->finish(tagged(std::move(tag)));
  }
  if (shutdown_ == Shutdown::none) return;
  const bool over =
      shutdown_ == Shutdown::servers
          ? done(Wait::paused, databases("", "").value())
          : std::ranges::none_of(host_.client_reports(), [](const ClientReport& client) {
              return client.activity != ClientActivity::console && client.activity != ClientActivity::login;
            });
  if (over) {
    host_.console_settings().console.shutdown();
  } else {
    tick_.arm(deadline_after(runtime::now(), kLook));
  }
}

void Console::withdraw(ConsoleMachine& asker) noexcept {
  const auto found = std::ranges::find(waiters_, &asker, &Waiter::asker);
  if (found == waiters_.end()) return;
  const Waiter waiter = std::move(*found);
  waiters_.erase(found);
  // As of PgBouncer: who does not wait for it does not want it.
  if (waiter.wait == Wait::renewed || shutting_down()) return;
  if (waiter.wait == Wait::paused && !all_paused_) {
    for (const std::string& database : waiter.databases) {
      if (paused_.erase(database) != 0) resume_everywhere(host_, database);
    }
    return;
  }
  resume_all();
}

// ---- PAUSE, RESUME, SUSPEND ----

std::optional<Result<ConsoleAnswer>> Console::pause(const std::string& database, ConsoleMachine& asker) {
  if (all_paused_ || suspended_) return console_error("already suspended/paused");
  auto names = databases(database, "pause");
  if (!names.ok()) return names.error();
  note(database.empty() ? "PAUSE" : "PAUSE " + database);
  if (database.empty()) {
    all_paused_ = true;
  } else {
    paused_.insert(database);
  }
  for (const std::string& name : *names) {
    pause_everywhere(host_, name);
    host_.give_sessions_back(name);
  }
  return wait(asker, Wait::paused, *std::move(names), "PAUSE");
}

Result<ConsoleAnswer> Console::resume(const std::string& database) {
  if (database.empty()) {
    if (shutting_down()) return console_error("pooler is shutting down");
    if (!all_paused_ && !suspended_) return console_error("pooler is not paused/suspended");
    note("RESUME");
    resume_all();
    return tagged("RESUME");
  }
  const auto names = databases(database, "resume");
  if (!names.ok()) return names.error();
  if (!paused_.contains(database)) return console_error("database " + database + " is not paused");
  note("RESUME " + database);
  paused_.erase(database);
  if (!all_paused_) resume_everywhere(host_, database);
  return tagged("RESUME");
}

void Console::resume_all() noexcept {
  if (std::exchange(suspended_, false)) host_.suspend(false);
  if (!std::exchange(all_paused_, false)) return;
  for (const DatabaseConfig& database : host_.fleet().config().databases) {
    if (!paused_.contains(database.name)) resume_everywhere(host_, database.name);
  }
}

std::optional<Result<ConsoleAnswer>> Console::suspend(ConsoleMachine& asker) {
  if (all_paused_ || suspended_) return console_error("already suspended/paused");
  if (!paused_.empty()) return console_error("cannot suspend with paused databases");
  note("SUSPEND");
  suspended_ = true;
  host_.suspend(true);
  return wait(asker, Wait::suspended, {}, "SUSPEND");
}

// ---- clients and sessions ----

Result<ConsoleAnswer> Console::set_disabled(const std::string& database, bool disabled) {
  if (database.empty()) return console_error("a database is required");
  const auto names = databases(database, disabled ? "disable" : "enable");
  if (!names.ok()) return names.error();
  note((disabled ? "DISABLE " : "ENABLE ") + database);
  if (disabled) {
    disabled_.insert(database);
  } else {
    disabled_.erase(database);
  }
  return tagged(disabled ? "DISABLE" : "ENABLE");
}

Result<ConsoleAnswer> Console::reconnect(const std::string& database) {
  const auto names = databases(database, "reconnect");
  if (!names.ok()) return names.error();
  note(database.empty() ? "RECONNECT" : "RECONNECT " + database);
  for (const std::string& name : *names) {
    host_.each_fleet([&](Fleet& fleet) { (void)fleet.reconnect(name); });
    host_.give_sessions_back(name);
  }
  return tagged("RECONNECT");
}

Result<ConsoleAnswer> Console::kill(const std::string& database) {
  if (all_paused_ || suspended_) return console_error("already suspended/paused");
  const auto names = databases(database, "kill");
  if (!names.ok()) return names.error();
  note(database.empty() ? "KILL" : "KILL " + database);
  for (const std::string& name : *names) {
    paused_.insert(name);
    pause_everywhere(host_, name);
  }
  for (const ClientReport& client : host_.client_reports()) {
    if (client.activity == ClientActivity::console || !contains(*names, client.database)) continue;
    host_.end_client(client.id, kAdminShutdown, "admin forced disconnect");
  }
  return tagged("KILL");
}

Result<ConsoleAnswer> Console::kill_client(const std::string& id) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (error != std::errc() || end != id.data() + id.size()) {
    return console_error("invalid client pointer supplied");
  }
  if (!host_.end_client(number, kAdminShutdown, "admin forced disconnect")) {
    return console_error("client not found");
  }
  note("KILL_CLIENT " + id);
  return tagged("KILL_CLIENT");
}

std::optional<Result<ConsoleAnswer>> Console::wait_close(const std::string& database, ConsoleMachine& asker) {
  auto names = databases(database, "wait in");
  if (!names.ok()) return names.error();
  return wait(asker, Wait::renewed, *std::move(names), "WAIT_CLOSE");
}

// ---- the program ----

std::optional<Result<ConsoleAnswer>> Console::shut_down(const std::string& how) {
  const ConsoleSettings& settings = host_.console_settings().console;
  if (!settings.shutdown) return console_error("the program around this gateway is not to be ended from here");
  note(how.empty() ? "SHUTDOWN" : "SHUTDOWN " + how);
  if (how.empty()) {
    settings.shutdown();
    return tagged("SHUTDOWN");
  }
  const bool servers = how.size() == std::string_view("wait_for_servers").size() && (how[9] | 0x20) == 's';
  shutdown_ = servers ? Shutdown::servers : Shutdown::clients;
  host_.stop_accepting();
  if (servers) {
    all_paused_ = true;
    for (const std::string& name : *databases("", "")) {
      pause_everywhere(host_, name);
      host_.give_sessions_back(name);
    }
  }
  tick_.arm(deadline_after(runtime::now(), kLook));
  return tagged("SHUTDOWN");
}

Result<ConsoleAnswer> Console::reload() {
  const ConsoleSettings& settings = host_.console_settings().console;
  note("RELOAD");
  const Result<void> done =
      settings.reload ? settings.reload() : Error(ErrorKind::Usage, "there is no configuration to read again");
  if (done.ok()) return tagged("RELOAD");
  Error error = console_error("RELOAD failed: " + std::string(done.error().message()), kReloadFailed);
  return error;
}

Result<ConsoleAnswer> Console::set(const std::string& key, const std::string& value) {
  const Result<void> done = set_console_config(host_.console_settings(), key, value);
  if (!done.ok()) return console_error("SET failed: " + std::string(done.error().message()));
  note("SET " + key);
  return tagged("SET " + key + "=" + value);
}

}  // namespace switchyard::inline v0::gateway
