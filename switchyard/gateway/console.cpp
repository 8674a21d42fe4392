#include <switchyard/gateway/console.hpp>

#include <switchyard/base/version.hpp>
#include <switchyard/gateway/console_config.hpp>
#include <switchyard/gateway/console_show.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// How often it is looked whether what a command waits for has come.
constexpr Duration kLook = std::chrono::milliseconds(10);

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

void pause_pools(const ConsoleHost& host, const std::string& database) {
  host.each_fleet([&](Fleet& fleet) { (void)fleet.pause(database); });
}
void resume_pools(const ConsoleHost& host, const std::string& database) {
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
    case ConsoleVerb::show: return show(command, asker);
    case ConsoleVerb::set: return set(command.argument, command.value);
    case ConsoleVerb::pause: return pause(command.argument, asker);
    case ConsoleVerb::resume: return resume(command.argument);
    case ConsoleVerb::disable: return set_disabled(command.argument, true);
    case ConsoleVerb::enable: return set_disabled(command.argument, false);
    case ConsoleVerb::reconnect: return reconnect(command.argument);
    case ConsoleVerb::kill: return kill(command.argument);
    case ConsoleVerb::kill_client: return kill_client(command.argument, asker);
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

std::optional<Result<ConsoleAnswer>> Console::ask(ReportParts parts, ConsoleMachine& asker, Answerer answerer) {
  auto question = std::make_shared<Question>(Question{.asker = &asker, .asking = true, .answer = {}});
  questions_.push_back(question);
  host_.look(parts, [this, question, answerer = std::move(answerer)](const ShardReport& all) {
    if (question->asker == nullptr) return;
    Result<ConsoleAnswer> answer = answerer(all);
    if (question->asking) {
      question->answer = std::move(answer);
    } else {
      std::erase(questions_, question);
      question->asker->finish(std::move(answer));
    }
  });
  question->asking = false;
  if (!question->answer) return std::nullopt;
  std::erase(questions_, question);
  return std::move(question->answer);
}

std::optional<Result<ConsoleAnswer>> Console::show(const ConsoleCommand& command, ConsoleMachine& asker) {
  const ConsoleTable table = command.table;
  return ask(parts_of(table), asker, [this, table](const ShardReport& all) -> Result<ConsoleAnswer> {
    return show_table(table, {.config = host_.fleet().config(),
                              .settings = host_.console_settings(),
                              .all = all,
                              .disabled = disabled_,
                              .paused = paused_,
                              .all_paused = all_paused_,
                              .suspended = suspended_});
  });
}

// ---- all shards ----

void Console::order(const ConsoleOrder& order) {
  host_.pass_on(order);
  obey(order);
}

void Console::obey(const ConsoleOrder& order) noexcept {
  using What = ConsoleOrder::What;
  switch (order.what) {
    case What::pause:
      if (order.all) all_paused_ = true;
      for (const std::string& database : order.databases) {
        if (!order.all) paused_.insert(database);
        pause_pools(host_, database);
        host_.give_sessions_back(database);
      }
      return;
    case What::resume:
      for (const std::string& database : order.databases) {
        paused_.erase(database);
        if (!all_paused_) resume_pools(host_, database);
      }
      return;
    case What::resume_all:
      if (std::exchange(suspended_, false)) host_.suspend(false);
      if (!std::exchange(all_paused_, false)) return;
      for (const DatabaseConfig& database : host_.fleet().config().databases) {
        if (!paused_.contains(database.name)) resume_pools(host_, database.name);
      }
      return;
    case What::disable: disabled_.insert(order.databases.begin(), order.databases.end()); return;
    case What::enable:
      for (const std::string& database : order.databases) disabled_.erase(database);
      return;
    case What::reconnect:
      for (const std::string& database : order.databases) {
        host_.each_fleet([&](Fleet& fleet) { (void)fleet.reconnect(database); });
        host_.give_sessions_back(database);
      }
      return;
    case What::end_clients:
      for (const ClientReport& client : host_.client_reports()) {
        if (client.activity == ClientActivity::console || !contains(order.databases, client.database)) continue;
        host_.end_client(client.id, kAdminShutdown, "admin forced disconnect");
      }
      return;
    case What::end_client: host_.end_client(order.id, kAdminShutdown, "admin forced disconnect"); return;
    case What::give_back:
      for (const std::string& database : order.databases) host_.give_sessions_back(database);
      return;
    case What::suspend:
      suspended_ = true;
      host_.suspend(true);
      return;
    case What::wait_servers:
      shutdown_ = Shutdown::servers;
      all_paused_ = true;
      host_.stop_accepting();
      for (const std::string& database : order.databases) {
        pause_pools(host_, database);
        host_.give_sessions_back(database);
      }
      return;
    case What::wait_clients:
      shutdown_ = Shutdown::clients;
      host_.stop_accepting();
      return;
    case What::set:
      (void)set_console_config(host_.console_settings(), order.key, order.value);
      host_.on_settings_changed();
      return;
  }
}

// ---- waiting ----

std::optional<Result<ConsoleAnswer>> Console::wait(ConsoleMachine& asker, Wait wait,
                                                   std::vector<std::string> databases, std::string tag) {
  waiters_.push_back({&asker, wait, std::move(databases), std::move(tag)});
  tick_.arm(runtime::now());
  return std::nullopt;
}

bool Console::done(Wait wait, const std::vector<std::string>& databases, const ShardReport& all) {
  if (wait == Wait::suspended) {
    return std::ranges::all_of(all.clients, [](const ClientReport& client) {
      return client.unsent == 0 || client.activity == ClientActivity::console;
    });
  }
  for (const ShardReport::Pools& pools : all.pools) {
    for (const DatabaseStatus& database : pools.fleet.databases) {
      if (!contains(databases, database.name)) continue;
      for (const EndpointStatus& endpoint : database.endpoints) {
        if (!endpoint.pool) continue;
        if ((wait == Wait::paused ? endpoint.pool->total : endpoint.pool->outdated) != 0) return false;
      }
    }
  }
  return true;
}

void Console::look_soon() noexcept { tick_.arm(deadline_after(runtime::now(), kLook)); }

void Console::look() noexcept {
  const bool clients = shutdown_ == Shutdown::clients ||
                       std::ranges::find(waiters_, Wait::suspended, &Waiter::wait) != waiters_.end();
  host_.look({.clients = clients, .sessions = false, .traffic = false, .statements = false},
             [this](const ShardReport& all) { on_looked(all); });
}

void Console::on_looked(const ShardReport& all) noexcept {
  std::vector<std::pair<ConsoleMachine*, std::string>> answered;
  std::vector<std::string> awaited;
  std::erase_if(waiters_, [&](const Waiter& waiter) {
    if (!done(waiter.wait, waiter.databases, all)) {
      awaited.insert(awaited.end(), waiter.databases.begin(), waiter.databases.end());
      return false;
    }
    answered.emplace_back(waiter.asker, waiter.tag);
    return true;
  });
  if (!waiters_.empty()) {
    // A session that was kept a little longer since is asked for again.
    order({.what = ConsoleOrder::What::give_back, .databases = std::move(awaited)});
    look_soon();
  }
  for (auto& [asker, tag] : answered) asker->finish(tagged(std::move(tag)));
  if (!ends_program_) return;
  const bool over =
      shutdown_ == Shutdown::servers
          ? done(Wait::paused, databases("", "").value(), all)
          : std::ranges::none_of(all.clients, [](const ClientReport& client) {
              return client.activity != ClientActivity::console && client.activity != ClientActivity::login;
            });
  if (over) {
    ends_program_ = false;
    host_.console_settings().console.shutdown();
  } else {
    look_soon();
  }
}

void Console::withdraw(ConsoleMachine& asker) noexcept {
  std::erase_if(questions_, [&](const std::shared_ptr<Question>& question) {
    if (question->asker != &asker) return false;
    question->asker = nullptr;
    return true;
  });
  const auto found = std::ranges::find(waiters_, &asker, &Waiter::asker);
  if (found == waiters_.end()) return;
  const Waiter waiter = std::move(*found);
  waiters_.erase(found);
  // As of PgBouncer: who does not wait for it does not want it.
  if (waiter.wait == Wait::renewed || shutting_down()) return;
  if (waiter.wait == Wait::paused && !all_paused_) {
    return order({.what = ConsoleOrder::What::resume, .databases = waiter.databases});
  }
  order({.what = ConsoleOrder::What::resume_all});
}

// ---- PAUSE, RESUME, SUSPEND ----

std::optional<Result<ConsoleAnswer>> Console::pause(const std::string& database, ConsoleMachine& asker) {
  if (all_paused_ || suspended_) return console_error("already suspended/paused");
  auto names = databases(database, "pause");
  if (!names.ok()) return names.error();
  note(database.empty() ? "PAUSE" : "PAUSE " + database);
  order({.what = ConsoleOrder::What::pause, .all = database.empty(), .databases = *names});
  return wait(asker, Wait::paused, *std::move(names), "PAUSE");
}

Result<ConsoleAnswer> Console::resume(const std::string& database) {
  if (database.empty()) {
    if (shutting_down()) return console_error("pooler is shutting down");
    if (!all_paused_ && !suspended_) return console_error("pooler is not paused/suspended");
    note("RESUME");
    order({.what = ConsoleOrder::What::resume_all});
    return tagged("RESUME");
  }
  auto names = databases(database, "resume");
  if (!names.ok()) return names.error();
  if (!paused_.contains(database)) return console_error("database " + database + " is not paused");
  note("RESUME " + database);
  order({.what = ConsoleOrder::What::resume, .databases = *std::move(names)});
  return tagged("RESUME");
}

std::optional<Result<ConsoleAnswer>> Console::suspend(ConsoleMachine& asker) {
  if (all_paused_ || suspended_) return console_error("already suspended/paused");
  if (!paused_.empty()) return console_error("cannot suspend with paused databases");
  note("SUSPEND");
  order({.what = ConsoleOrder::What::suspend});
  return wait(asker, Wait::suspended, {}, "SUSPEND");
}

// ---- clients and sessions ----

Result<ConsoleAnswer> Console::set_disabled(const std::string& database, bool disabled) {
  if (database.empty()) return console_error("a database is required");
  auto names = databases(database, disabled ? "disable" : "enable");
  if (!names.ok()) return names.error();
  note((disabled ? "DISABLE " : "ENABLE ") + database);
  order({.what = disabled ? ConsoleOrder::What::disable : ConsoleOrder::What::enable,
         .databases = *std::move(names)});
  return tagged(disabled ? "DISABLE" : "ENABLE");
}

Result<ConsoleAnswer> Console::reconnect(const std::string& database) {
  auto names = databases(database, "reconnect");
  if (!names.ok()) return names.error();
  note(database.empty() ? "RECONNECT" : "RECONNECT " + database);
  order({.what = ConsoleOrder::What::reconnect, .databases = *std::move(names)});
  return tagged("RECONNECT");
}

Result<ConsoleAnswer> Console::kill(const std::string& database) {
  if (all_paused_ || suspended_) return console_error("already suspended/paused");
  auto names = databases(database, "kill");
  if (!names.ok()) return names.error();
  note(database.empty() ? "KILL" : "KILL " + database);
  order({.what = ConsoleOrder::What::pause, .databases = *names});
  order({.what = ConsoleOrder::What::end_clients, .databases = *std::move(names)});
  return tagged("KILL");
}

std::optional<Result<ConsoleAnswer>> Console::kill_client(const std::string& id, ConsoleMachine& asker) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (error != std::errc() || end != id.data() + id.size()) {
    return console_error("invalid client pointer supplied");
  }
  return ask({.clients = true, .sessions = false, .traffic = false, .statements = false}, asker,
             [this, number](const ShardReport& all) -> Result<ConsoleAnswer> {
               const auto found = std::ranges::lower_bound(all.clients, number, {}, &ClientReport::id);
               if (found == all.clients.end() || found->id != number || found->user.empty()) {
                 return console_error("client not found");
               }
               note("KILL_CLIENT " + std::to_string(number));
               order({.what = ConsoleOrder::What::end_client, .id = number});
               return tagged("KILL_CLIENT");
             });
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
  ends_program_ = true;
  order({.what = servers ? ConsoleOrder::What::wait_servers : ConsoleOrder::What::wait_clients,
         .databases = *databases("", "")});
  look_soon();
  return tagged("SHUTDOWN");
}

Result<ConsoleAnswer> Console::reload() {
  const ConsoleSettings& settings = host_.console_settings().console;
  note("RELOAD");
  const Result<void> done =
      settings.reload ? settings.reload() : Error(ErrorKind::Usage, "there is no configuration to read again");
  if (done.ok()) {
    sets_.clear();
    return tagged("RELOAD");
  }
  Error error = console_error("RELOAD failed: " + std::string(done.error().message()), kReloadFailed);
  return error;
}

Result<ConsoleAnswer> Console::set(const std::string& key, const std::string& value) {
  GatewaySettings& settings = host_.console_settings();
  const bool here = is_console_config(key);
  const Result<void> done =
      here || !settings.console.set ? set_console_config(settings, key, value) : settings.console.set(key, value);
  if (!done.ok()) return console_error("SET failed: " + std::string(done.error().message()));
  note("SET " + key);
  if (here) sets_.insert_or_assign(key, value);
  // The configuration, where it was read again, knows nothing of the others.
  for (const auto& [known, text] : sets_) {
    if (!here || known == key) order({.what = ConsoleOrder::What::set, .key = known, .value = text});
  }
  return tagged("SET " + key + "=" + value);
}

}  // namespace switchyard::inline v0::gateway
