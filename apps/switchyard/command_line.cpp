#include "help.hpp"
#include "options.hpp"

#include <switchyard/base/suggest.hpp>
#include <switchyard/base/units.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace switchyard::cli {

namespace {

/// As gateway.shards.
constexpr unsigned kMostShards = 64;

/// Everything the parser writes into; commands are told apart by which subcommand was met.
struct Fields {
  GlobalOptions global;
  std::string config, env_file, application, on, replica, access, persist, http, gateway_address, pgbouncer_ini,
      timeout, interval, max_lag;
  std::vector<std::string> settings;
  UpOptions up;
  GatewayOptions gateway;
  DownOptions down;
  StatusOptions status;
  EventsOptions events;
  QueryOptions query;
  ShellOptions shell;
  ConfigExplainOptions explain;
  OwnersOptions owners;
  MoveCommand move;
  std::string from, to, pause, patience;
  BreakerOptions breaker;
  RouteExplainOptions route;
  SqlExplainOptions sql;
  CompletionOptions completion;
  MigrateCommand migrate;
  ProvisionCommand provision;
  std::string report, statements;
  std::vector<std::string> placeholders;
  std::string target, migration_version, lock_timeout, statement_timeout;
  std::string topic;
  bool csv = false;
  bool help = false;
  bool version = false;
  std::string entry;
  std::string confirm;
  BackupCommand backup;
  RestoreCommand restore;
  VerifyCommand verify;
  std::string repository, schema, identity_file, into, extract, at;
  std::uint32_t jobs = 0;
  std::string length;
};

std::optional<std::string> given(std::string value) {
  if (value.empty()) return std::nullopt;
  return value;
}

Answer usage(std::string message, std::string hint) {
  std::string text = "error: " + std::move(message) + '\n';
  if (!hint.empty()) text += "hint:  " + std::move(hint) + '\n';
  return {ExitCode::usage, std::move(text)};
}

/// Global options stand before or behind the command.
void add_global(CLI::App& app, Fields& fields) {
  app.add_option("--config,-c", fields.config);
  app.add_option("--env-file", fields.env_file);
  app.add_option("--application", fields.application);
  // One value each, so that what follows is not swallowed: --set a=b up
  app.add_option("--set", fields.settings)->expected(1)->take_all()->allow_extra_args(false);
  app.add_flag("--json", fields.global.json);
  app.add_flag("--no-color", fields.global.no_color);
  app.add_flag("--quiet,-q", fields.global.quiet);
  app.add_flag("--verbose,-v", fields.global.verbose);
  app.add_flag("--help,-h", fields.help);
}

CLI::App* add_command(CLI::App& app, const char* name);

void add_migrate(CLI::App& app, Fields& fields) {
  CLI::App* migrate = add_command(app, "migrate");
  MigrateCommand& into = fields.migrate;
  migrate->add_option("--on", into.on)->expected(1)->take_all()->allow_extra_args(false);
  migrate->add_option("--placeholder", fields.placeholders)->expected(1)->take_all()->allow_extra_args(false);
  migrate->add_option("--ignore", into.ignore)->expected(1)->take_all()->allow_extra_args(false);
  migrate->add_option("--target", fields.target);
  migrate->add_flag("--out-of-order", into.out_of_order);
  for (const char* name : {"status", "info", "plan", "validate"}) add_command(*migrate, name);
  add_command(*migrate, "drift")->add_flag("--grants", into.grants);
  CLI::App* up = add_command(*migrate, "up");
  up->add_option("--lock-timeout", fields.lock_timeout);
  up->add_option("--statement-timeout", fields.statement_timeout);
  up->add_option("--jobs,-j", into.jobs)->check(CLI::Range(1, 64));
  up->add_option("--version", fields.migration_version);
  up->add_flag("--baseline-on-migrate", into.baseline_on_migrate);
  up->add_flag("--no-validate", into.no_validate);
  CLI::App* create = add_command(*migrate, "new");
  create->add_option("words", into.words);
  create->add_option("--version", fields.migration_version);
  create->add_flag("--repeatable", into.repeatable);
  add_command(*migrate, "repair")->add_flag("--delete-missing", into.delete_missing);
  add_command(*migrate, "baseline")->add_option("--version", fields.migration_version);
  add_command(*migrate, "lint")->add_option("files", into.words);
}

void add_backup(CLI::App& app, Fields& fields) {
  CLI::App* backup = add_command(app, "backup");
  BackupCommand& into = fields.backup;
  backup->add_option("--on", into.on)->expected(1)->take_all()->allow_extra_args(false);
  backup->add_option("--repository", fields.repository);
  backup->add_option("--schema", fields.schema);
  backup->add_option("--recipient", into.recipients)->expected(1)->take_all()->allow_extra_args(false);
  backup->add_option("--jobs,-j", fields.jobs)->check(CLI::Range(1, 64));
  backup->add_flag("--whole", into.whole);
  backup->add_flag("--clear", into.clear);
  backup->add_flag("--no-checksums", into.no_checksums);
  backup->add_flag("--prune", into.prune);
  add_command(*backup, "list");
  add_command(*backup, "prune")->add_flag("--dry-run", into.dry_run);
  add_command(*backup, "keygen")->add_option("file", into.file);
  CLI::App* pgbackrest = add_command(*backup, "pgbackrest");
  for (const char* name : {"config", "setup", "check", "info"}) add_command(*pgbackrest, name);
  add_command(*pgbackrest, "run")->add_flag("--full", into.full);

  CLI::App* restore = add_command(app, "restore");
  restore->add_option("--on", fields.on);
  restore->add_option("--from", fields.restore.from);
  restore->add_option("--repository", fields.repository);
  restore->add_option("--identity-file", fields.identity_file);
  restore->add_option("--into", fields.into);
  restore->add_option("--extract", fields.extract);
  restore->add_option("--at", fields.at);
  restore->add_option("--confirm", fields.restore.confirm);
  restore->add_flag("--globals", fields.restore.globals);
  restore->add_flag("--no-owner", fields.restore.no_owner);

  CLI::App* verify = add_command(app, "verify-backup");
  verify->add_option("backup", fields.verify.backup);
  verify->add_option("--on", fields.verify.on)->expected(1)->take_all()->allow_extra_args(false);
  verify->add_option("--repository", fields.repository);
  verify->add_option("--identity-file", fields.identity_file);
}

void add_provision(CLI::App& app, Fields& fields) {
  CLI::App* provision = add_command(app, "provision");
  ProvisionCommand& into = fields.provision;
  provision->add_option("--on,--database", into.on)->expected(1)->take_all()->allow_extra_args(false);
  add_command(*provision, "plan");
  CLI::App* apply = add_command(*provision, "apply");
  apply->add_option("--confirm", into.confirm);
  apply->add_flag("--hba", into.hba);
  add_command(*provision, "audit")->add_option("--report", fields.report);
  CLI::App* rotate = add_command(*provision, "rotate");
  rotate->add_option("--role", into.roles)->expected(1)->take_all()->allow_extra_args(false);
  rotate->add_option("--confirm", into.confirm);
  rotate->add_flag("--finish", into.finish);
  CLI::App* logging = add_command(*provision, "logging");
  logging->add_option("--for", fields.length);
  logging->add_option("--statements", fields.statements);
  logging->add_flag("--off", into.off);
  logging->add_flag("--detach,-d", into.detach);
  logging->add_flag("--reconnect", into.reconnect);
}

CLI::App* add_command(CLI::App& app, const char* name) {
  CLI::App* command = app.add_subcommand(name);
  command->set_help_flag();
  command->fallthrough();
  return command;
}

void add_commands(CLI::App& app, Fields& fields) {
  CLI::App* up = add_command(app, "up");
  up->add_flag("--detach,-d", fields.up.detach);
  up->add_flag("--no-private", fields.up.no_private);
  up->add_option("--persist", fields.persist);
  up->add_option("--http", fields.http);
  up->add_option("--gateway", fields.gateway_address);

  CLI::App* gateway = add_command(app, "gateway");
  gateway->add_option("--listen", fields.gateway.listen)->expected(1)->take_all()->allow_extra_args(false);
  gateway->add_option("--http", fields.http);
  gateway->add_option("--pgbouncer-ini", fields.pgbouncer_ini);
  gateway->add_flag("--takeover", fields.gateway.takeover);
  add_command(*gateway, "restart");
  gateway->add_option("--shards", fields.gateway.shards)->check(CLI::Range(1U, kMostShards));

  CLI::App* down = add_command(app, "down");
  down->add_option("--timeout", fields.timeout);

  CLI::App* status = add_command(app, "status");
  status->add_flag("--watch,-w", fields.status.watch);
  status->add_option("--interval", fields.interval);

  add_command(app, "events")->add_flag("--follow,-f", fields.events.follow);

  CLI::App* query = add_command(app, "query");
  query->add_option("--on", fields.on);
  query->add_flag("--read", fields.query.read);
  query->add_flag("--csv", fields.csv);
  query->add_option("--timeout", fields.timeout);
  query->add_option("sql", fields.query.sql);

  CLI::App* shell = add_command(app, "shell");
  shell->add_option("--on", fields.on);
  shell->add_option("arguments", fields.shell.arguments);

  CLI::App* config = add_command(app, "config");
  CLI::App* explain = add_command(*config, "explain");
  explain->add_flag("--all,-a", fields.explain.all);

  CLI::App* route = add_command(*add_command(app, "route"), "explain");
  route->add_option("--on", fields.on);
  route->add_flag("--read", fields.route.read);
  route->add_option("--sql", fields.route.sql);
  route->add_option("--replica", fields.route.replica);
  route->add_option("--max-lag", fields.max_lag);
  route->add_option("--min-lsn", fields.route.min_lsn);

  CLI::App* sql = add_command(*add_command(app, "sql"), "explain");
  sql->add_option("--on", fields.on);
  sql->add_option("sql", fields.sql.sql);

  add_command(app, "doctor")->add_option("--on", fields.on);
  add_command(app, "health")->add_option("--on", fields.on);
  CLI::App* breaker = add_command(app, "breaker");
  breaker->add_option("--on", fields.on);
  breaker->add_option("--replica", fields.replica);
  breaker->add_option("--access", fields.access);
  breaker->add_option("command", fields.breaker.command);
  CLI::App* spool = add_command(app, "spool");
  spool->add_option("--on", fields.on);
  for (const char* name : {"list", "retry", "drop", "drain", "ddl"}) {
    CLI::App* action = add_command(*spool, name);
    action->add_option("--confirm", fields.confirm);
    action->add_option("--timeout", fields.timeout);
    if (std::string_view(name) == "retry" || std::string_view(name) == "drop") {
      action->add_option("entry", fields.entry);
    }
  }
  add_migrate(app, fields);
  add_backup(app, fields);
  add_provision(app, fields);
  add_command(*add_command(app, "owners"), "explain")->add_option("table", fields.owners.table);
  for (const char* name : {"move", "split"}) {
    CLI::App* move = add_command(app, name);
    move->add_option("--from", fields.from);
    move->add_option("--to", fields.to);
    move->add_option("--pause", fields.pause);
    move->add_option("--patience", fields.patience);
    move->add_flag("--no-switch", fields.move.no_switch);
    move->add_flag("--no-verify", fields.move.no_verify);
    move->add_option("words", fields.move.tables);
  }
  CLI::App* maintenance = add_command(app, "maintenance");
  maintenance->add_option("--on", fields.on);
  add_command(*maintenance, "begin")->add_option("--for", fields.length);
  add_command(*maintenance, "end");
  add_command(app, "completion")->add_option("shell", fields.completion.shell);
  add_command(app, "version");
  add_command(app, "help")->add_option("topic", fields.topic);
  add_command(app, "database-names");
}

constexpr std::array<std::string_view, 3> kBreakerCommands{"open", "close", "reset"};

constexpr std::array<std::string_view, 26> kCommands{
    "up",      "down",       "status",  "events",        "query",     "shell",  "config",      "doctor", "health",
    "breaker", "completion", "version", "help",          "route",     "spool",  "maintenance", "sql",    "gateway",
    "migrate", "backup",     "restore", "verify-backup", "provision", "owners", "move",        "split"};

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

/// The command the words name so far: "config explain", or the whole program.
const CLI::App* deepest(const CLI::App& app) {
  const CLI::App* at = &app;
  for (;;) {
    const auto met = at->get_subcommands();
    if (met.empty()) return at;
    at = met.front();
  }
}

std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr ? "" : full_name(*command.get_parent()) + " " + command.get_name();
}

Answer explain_leftover(const CLI::App& app, const std::string& word) {
  const CLI::App* command = deepest(app);
  const std::string name = "switchyard" + full_name(*command);
  const std::string help = name + " --help tells what there is";
  if (word.starts_with("-")) {
    const std::string bare = word.substr(0, word.find('='));
    const std::vector<std::string> names = option_names(*command);
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string close = did_you_mean(bare, views);
    return usage(name + " has no option " + bare, close.empty() ? help : close);
  }
  if (command == &app) {
    const std::string close = did_you_mean(word, kCommands);
    return usage("there is no command '" + word + "'",
                 close.empty() ? "switchyard help lists the commands" : close);
  }
  std::vector<std::string> inner;
  for (const CLI::App* one : command->get_subcommands([](const CLI::App*) { return true; }))
    inner.push_back(one->get_name());
  if (!inner.empty()) {
    const std::vector<std::string_view> views(inner.begin(), inner.end());
    const std::string close = did_you_mean(word, views);
    return usage(name + " has no command '" + word + "'", close.empty() ? help : close);
  }
  return usage(name + " takes no argument '" + word + "'",
               command->get_name() == "query"     ? "quote the statement: switchyard query \"SELECT 1\""
               : name == "switchyard sql explain" ? "quote the statement: switchyard sql explain \"SELECT 1\""
                                                  : help);
}

std::optional<Answer> read_duration(const std::string& text, const char* option, Duration& into) {
  if (text.empty()) return std::nullopt;
  auto value = parse_duration(text);
  if (!value.ok()) value = parse_seconds(text);
  if (!value.ok() || *value <= Duration::zero()) {
    return usage(std::string(option) + " '" + text + "' is no duration", "write 500ms, 30s or 2m");
  }
  into = *value;
  return std::nullopt;
}

/// switchyard move [status|follow|confirm|rollback|abort | TABLE...], switchyard split SCHEMA.
std::optional<Answer> read_move(Fields& fields, bool split) {
  constexpr std::array<std::pair<std::string_view, MoveAction>, 5> kActions{{{"status", MoveAction::status},
                                                                             {"follow", MoveAction::follow},
                                                                             {"confirm", MoveAction::confirm},
                                                                             {"rollback", MoveAction::rollback},
                                                                             {"abort", MoveAction::abort}}};
  MoveCommand& move = fields.move;
  for (const auto& [word, action] : kActions) {
    if (move.tables.empty() || move.tables.front() != word) continue;
    move.action = action;
    move.tables.erase(move.tables.begin());
    break;
  }
  if (split) {
    if (move.tables.size() != 1)
      return usage("which schema?", "switchyard split commerce_schema --to SERVER/DBNAME");
    move.schema = move.tables.front();
    move.tables.clear();
  } else if (move.action != MoveAction::start && !move.tables.empty()) {
    return usage("this takes no tables: a move is named by --from and --to", "switchyard move --help");
  }
  if (!fields.from.empty()) move.from = fields.from;
  if (!fields.to.empty()) move.to = fields.to;
  Duration value{};
  if (auto wrong = read_duration(fields.pause, "--pause", value)) return wrong;
  if (!fields.pause.empty()) move.pause = value;
  if (auto wrong = read_duration(fields.patience, "--patience", value)) return wrong;
  if (!fields.patience.empty()) move.patience = value;
  if (move.pause && *move.pause < std::chrono::milliseconds(400)) {
    return usage("--pause must be 400ms or more: 300ms of it are for locks", "--pause 900ms is the default");
  }
  return std::nullopt;
}

std::optional<Answer> read_settings(Fields& fields) {
  for (const std::string& setting : fields.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      return usage("--set '" + setting + "' is no key=value", "for example --set database.main.pool.max=50");
    }
    fields.global.settings.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return std::nullopt;
}

std::optional<Answer> read_breaker(Fields& fields) {
  BreakerOptions& breaker = fields.breaker;
  breaker.on = given(fields.on);
  breaker.replica = given(fields.replica);
  breaker.access = given(fields.access);
  if (breaker.command == "list") breaker.command.clear();
  if (!breaker.command.empty() && std::ranges::find(kBreakerCommands, breaker.command) == kBreakerCommands.end()) {
    const std::string close = did_you_mean(breaker.command, kBreakerCommands);
    return usage("switchyard breaker has no command '" + breaker.command + "'",
                 close.empty() ? "open, close or reset; nothing shows them" : close);
  }
  if (!breaker.command.empty() && !breaker.on) {
    return usage("the breakers of which database?", "switchyard breaker " + breaker.command + " --on main");
  }
  if (breaker.access && *breaker.access != "read" && *breaker.access != "write") {
    return usage("--access '" + *breaker.access + "' is neither read nor write", "both without it");
  }
  return std::nullopt;
}

/// The word behind `spool`, or none of that.
std::optional<SpoolAction> spool_action(const CLI::App& app, const std::string& name) {
  const CLI::App* command = deepest(app);
  if (name == "spool") return SpoolAction::show;
  if (command->get_parent() == nullptr || command->get_parent()->get_name() != "spool") return std::nullopt;
  if (name == "list") return SpoolAction::list;
  if (name == "retry") return SpoolAction::retry;
  if (name == "drop") return SpoolAction::drop;
  if (name == "drain") return SpoolAction::drain;
  return SpoolAction::ddl;
}

/// The word behind `migrate`, or none of that.
std::optional<MigrateAction> migrate_action(const CLI::App& app, const std::string& name) {
  const CLI::App* command = deepest(app);
  if (name == "migrate") return MigrateAction::status;
  if (command->get_parent() == nullptr || command->get_parent()->get_name() != "migrate") return std::nullopt;
  constexpr std::array<std::pair<std::string_view, MigrateAction>, 8> kActions{
      {{"new", MigrateAction::create},
       {"plan", MigrateAction::plan},
       {"up", MigrateAction::up},
       {"validate", MigrateAction::validate},
       {"repair", MigrateAction::repair},
       {"baseline", MigrateAction::baseline},
       {"lint", MigrateAction::lint},
       {"drift", MigrateAction::drift}}};
  const auto* at = std::ranges::find(kActions, name, &std::pair<std::string_view, MigrateAction>::first);
  return at == kActions.end() ? MigrateAction::status : at->second;
}

std::optional<Answer> read_migrate(Fields& fields, MigrateAction action) {
  MigrateCommand& migrate = fields.migrate;
  migrate.action = action;
  migrate.target = given(fields.target);
  migrate.version = given(fields.migration_version);
  migrate.lock_timeout = given(fields.lock_timeout);
  migrate.statement_timeout = given(fields.statement_timeout);
  for (const std::string& one : fields.placeholders) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos || equals == 0) {
      return usage("--placeholder '" + one + "' is no name=value", "for example --placeholder schema=commerce");
    }
    migrate.placeholders.emplace_back(one.substr(0, equals), one.substr(equals + 1));
  }
  if (action == MigrateAction::create && migrate.words.empty()) {
    return usage("what does it do?", "switchyard migrate new --on main \"add order status\"");
  }
  if (action == MigrateAction::baseline && migrate.on.empty()) {
    return usage("of which database?", "switchyard migrate baseline --on main --version 1");
  }
  return std::nullopt;
}

/// The word behind `backup`, or none of that.
std::optional<BackupAction> backup_action(const CLI::App& app, const std::string& name) {
  const CLI::App* command = deepest(app);
  if (name == "backup") return BackupAction::make;
  const CLI::App* parent = command->get_parent();
  if (parent == nullptr || (parent->get_name() != "backup" && parent->get_name() != "pgbackrest"))
    return std::nullopt;
  if (name == "list") return BackupAction::list;
  if (name == "prune") return BackupAction::prune;
  if (name == "keygen") return BackupAction::keygen;
  if (name == "config") return BackupAction::config;
  if (name == "setup") return BackupAction::setup;
  if (name == "run") return BackupAction::run;
  if (name == "check") return BackupAction::check;
  return BackupAction::info;
}

std::optional<Answer> read_backup(Fields& fields, BackupAction action) {
  BackupCommand& backup = fields.backup;
  backup.action = action;
  backup.repository = given(fields.repository);
  backup.schema = given(fields.schema);
  if (fields.jobs > 0) backup.jobs = fields.jobs;
  if (action == BackupAction::keygen && backup.file.empty()) {
    return usage("into which file?", "switchyard backup keygen /etc/switchyard/backup.key");
  }
  if (backup.schema && backup.on.size() != 1) {
    return usage("--schema needs one database", "switchyard backup --on main --schema sales");
  }
  if (backup.clear && !backup.recipients.empty()) return usage("--clear and --recipient exclude each other", "");
  return std::nullopt;
}

std::optional<Answer> read_restore(Fields& fields) {
  RestoreCommand& restore = fields.restore;
  restore.on = given(fields.on);
  restore.repository = given(fields.repository);
  restore.identity_file = given(fields.identity_file);
  restore.into = given(fields.into);
  restore.extract = given(fields.extract);
  restore.at = given(fields.at);
  if (!restore.on) {
    return usage("which database?", "switchyard restore --on main; switchyard backup list shows what there is");
  }
  if (restore.into && restore.extract) return usage("--into and --extract exclude each other", "");
  return std::nullopt;
}

/// The word behind `provision`, or none of that.
std::optional<ProvisionAction> provision_action(const CLI::App& app, const std::string& name) {
  const CLI::App* command = deepest(app);
  if (name == "provision") return ProvisionAction::plan;
  if (command->get_parent() == nullptr || command->get_parent()->get_name() != "provision") return std::nullopt;
  constexpr std::array<std::pair<std::string_view, ProvisionAction>, 5> kActions{
      {{"plan", ProvisionAction::plan},
       {"apply", ProvisionAction::apply},
       {"audit", ProvisionAction::audit},
       {"rotate", ProvisionAction::rotate},
       {"logging", ProvisionAction::logging}}};
  const auto* at = std::ranges::find(kActions, name, &std::pair<std::string_view, ProvisionAction>::first);
  return at == kActions.end() ? ProvisionAction::plan : at->second;
}

std::optional<Answer> read_provision(Fields& fields, ProvisionAction action) {
  ProvisionCommand& provision = fields.provision;
  provision.action = action;
  provision.report = given(fields.report);
  if (auto wrong = read_duration(fields.length, "--for", provision.length)) return wrong;
  if (action != ProvisionAction::logging) return std::nullopt;
  if (provision.on.size() != 1)
    return usage("of which database?", "switchyard provision logging --on commerce --for 10m");
  for (const AuditLog one : {AuditLog::all, AuditLog::mod, AuditLog::ddl}) {
    if (fields.statements == to_string(one)) provision.statements = one;
  }
  if (!fields.statements.empty() && fields.statements != to_string(provision.statements)) {
    return usage("--statements '" + fields.statements + "' is none of all, mod, ddl", "--statements mod");
  }
  return std::nullopt;
}

std::variant<CommandLine, Answer> assemble(const CLI::App& app, Fields& fields) {
  if (auto wrong = read_settings(fields)) return *wrong;
  fields.global.config = given(fields.config);
  fields.global.env_file = given(fields.env_file);
  fields.global.application = given(fields.application);
  CommandLine line{fields.global, VersionOptions{}};
  const std::string name = deepest(app)->get_name();

  if (const auto provision = provision_action(app, name)) {
    if (auto wrong = read_provision(fields, *provision)) return *wrong;
    line.command = fields.provision;
  } else if (const auto migrate = migrate_action(app, name)) {  // first: it has an up and a status of its own
    if (auto wrong = read_migrate(fields, *migrate)) return *wrong;
    line.command = fields.migrate;
  } else if (const auto backup = backup_action(app, name)) {
    if (auto wrong = read_backup(fields, *backup)) return *wrong;
    line.command = fields.backup;
  } else if (name == "pgbackrest") {
    return usage("pgbackrest needs a word behind it", "switchyard backup pgbackrest config|setup|run|check|info");
  } else if (name == "restore") {
    if (auto wrong = read_restore(fields)) return *wrong;
    line.command = fields.restore;
  } else if (name == "verify-backup") {
    fields.verify.repository = given(fields.repository);
    fields.verify.identity_file = given(fields.identity_file);
    line.command = fields.verify;
  } else if (name == "up") {
    fields.up.persist = given(fields.persist);
    fields.up.http = given(fields.http);
    fields.up.gateway = given(fields.gateway_address);
    line.command = fields.up;
  } else if (name == "gateway") {
    fields.gateway.http = given(fields.http);
    fields.gateway.pgbouncer_ini = given(fields.pgbouncer_ini);
    line.command = fields.gateway;
  } else if (name == "restart") {
    fields.gateway.restart = true;
    line.command = fields.gateway;
  } else if (name == "down") {
    if (auto wrong = read_duration(fields.timeout, "--timeout", fields.down.timeout)) return *wrong;
    line.command = fields.down;
  } else if (name == "status") {
    if (auto wrong = read_duration(fields.interval, "--interval", fields.status.interval)) return *wrong;
    line.command = fields.status;
  } else if (name == "events") {
    line.command = fields.events;
  } else if (name == "query") {
    if (fields.query.sql.empty()) {
      return usage("what shall be run?", "switchyard query \"SELECT now()\", or - to read standard input");
    }
    if (fields.csv && fields.global.json) return usage("--json and --csv exclude each other", "");
    Duration timeout{};
    if (auto wrong = read_duration(fields.timeout, "--timeout", timeout)) return *wrong;
    if (timeout > Duration::zero()) fields.query.timeout = timeout;
    fields.query.on = given(fields.on);
    fields.query.format = fields.global.json ? RowFormat::json : fields.csv ? RowFormat::csv : RowFormat::table;
    line.command = fields.query;
  } else if (name == "shell") {
    fields.shell.on = given(fields.on);
    line.command = fields.shell;
  } else if (name == "explain" && deepest(app)->get_parent()->get_name() == "route") {
    Duration max_lag{};
    if (auto wrong = read_duration(fields.max_lag, "--max-lag", max_lag)) return *wrong;
    if (!fields.max_lag.empty()) fields.route.max_lag = max_lag;
    // What only reads have says that it is about one.
    fields.route.read =
        fields.route.read || fields.route.max_lag || !fields.route.replica.empty() || !fields.route.min_lsn.empty();
    fields.route.on = given(fields.on);
    line.command = fields.route;
  } else if (name == "explain" && deepest(app)->get_parent()->get_name() == "sql") {
    if (fields.sql.sql.empty()) {
      return usage("what shall be explained?",
                   "switchyard sql explain --on main \"SELECT now()\", or - to read standard input");
    }
    fields.sql.on = given(fields.on);
    line.command = fields.sql;
  } else if (name == "sql") {
    return usage("sql needs a word behind it", "switchyard sql explain \"SELECT now()\"");
  } else if (name == "route") {
    return usage("route needs a word behind it", "switchyard route explain --on main --read");
  } else if (name == "explain" && deepest(app)->get_parent()->get_name() == "owners") {
    if (fields.owners.table.empty()) return usage("which table?", "switchyard owners explain users");
    line.command = fields.owners;
  } else if (name == "move" || name == "split") {
    if (auto wrong = read_move(fields, name == "split")) return *wrong;
    line.command = fields.move;
  } else if (name == "owners") {
    line.command = fields.owners;
  } else if (name == "explain") {
    line.command = fields.explain;
  } else if (name == "config") {
    return usage("config needs a word behind it", "switchyard config explain");
  } else if (name == "doctor") {
    line.command = DoctorOptions{given(fields.on)};
  } else if (name == "health") {
    line.command = HealthOptions{given(fields.on)};
  } else if (name == "breaker") {
    if (auto wrong = read_breaker(fields)) return *wrong;
    line.command = fields.breaker;
  } else if (const auto action = spool_action(app, name)) {
    SpoolOptions spool{.action = *action, .on = given(fields.on), .entry = given(fields.entry)};
    spool.confirm = fields.confirm;
    if (auto wrong = read_duration(fields.timeout, "--timeout", spool.timeout)) return *wrong;
    if ((*action == SpoolAction::retry || *action == SpoolAction::drop) && !spool.on) {
      return usage("of which database?", "switchyard spool " + name + " --on analytics");
    }
    if (*action == SpoolAction::drop && !spool.entry) {
      return usage("which entry?", "switchyard spool list shows them");
    }
    line.command = spool;
  } else if (name == "begin" || name == "end") {
    if (fields.on.empty()) return usage("of which database?", "switchyard maintenance " + name + " --on analytics");
    MaintenanceOptions maintenance{.begin = name == "begin", .on = fields.on};
    Duration length{};
    if (auto wrong = read_duration(fields.length, "--for", length)) return *wrong;
    if (length > Duration::zero()) maintenance.length = length;
    line.command = maintenance;
  } else if (name == "maintenance") {
    return usage("maintenance needs a word behind it", "switchyard maintenance begin --on analytics --for 30m");
  } else if (name == "completion") {
    if (fields.completion.shell.empty()) return usage("for which shell?", "switchyard completion bash|zsh|fish");
    line.command = fields.completion;
  } else if (name == "database-names") {
    line.command = DatabaseNamesOptions{};
  }
  return line;
}

}  // namespace

std::variant<CommandLine, Answer> parse_command_line(int argc, const char* const* argv) {
  Fields fields;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.require_subcommand(0, 1);  // what follows a command is its own, even if it reads like another
  add_global(app, fields);
  app.add_flag("--version", fields.version);
  add_commands(app, fields);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) command->allow_extras();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage(std::string("the command line is not understood: ") + error.what(),
                 "switchyard" + full_name(*deepest(app)) + " --help");
  }
  if (fields.version) return CommandLine{fields.global, VersionOptions{}};
  const CLI::App* command = deepest(app);
  if (fields.help || command->get_name() == "help") {
    const std::string topic = command->get_name() == "help" ? fields.topic : full_name(*command);
    if (auto text = help_text(topic)) return Answer{ExitCode::ok, std::move(*text)};
    const std::string close = did_you_mean(topic, kCommands);
    return usage("there is no command '" + topic + "'",
                 close.empty() ? "switchyard help lists the commands" : close);
  }
  std::vector<std::string> leftover = app.remaining(true);
  std::erase(leftover, "--");
  if (!leftover.empty()) return explain_leftover(app, leftover.front());
  if (command == &app) return Answer{ExitCode::ok, *help_text("")};
  return assemble(app, fields);
}

}  // namespace switchyard::cli
