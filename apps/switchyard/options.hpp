// What was typed, as plain values. Only command_line.cpp knows the parser's library.
#pragma once

#include "exit_code.hpp"

#include <switchyard/base/time.hpp>
#include <switchyard/config/provision_config.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace switchyard::cli {

/// Options that every command takes.
struct GlobalOptions {
  std::optional<std::string> config;                          ///< fleet file
  std::optional<std::string> env_file;                        ///< instead of ./.env
  std::vector<std::pair<std::string, std::string>> settings;  ///< --set key=value
  std::optional<std::string> application;                     ///< which running fleet, when several run
  bool json = false;
  bool no_color = false;
  bool quiet = false;
  bool verbose = false;
};

struct UpOptions {
  bool detach = false;
  bool no_private = false;
  std::optional<std::string> persist;  ///< folder that keeps the private clusters' data
  std::optional<std::string> http;     ///< address, or "auto"
  std::optional<std::string> gateway;  ///< address, "auto" or "off"
};
struct GatewayOptions {
  std::optional<std::uint32_t> shards;       ///< instead of gateway.shards
  std::vector<std::string> listen;           ///< instead of gateway.listen; "auto": the next free port
  std::optional<std::string> http;           ///< address, "auto" or "off"
  std::optional<std::string> pgbouncer_ini;  ///< instead of the fleet file
  bool takeover = false;                     ///< from the gateway of this application that runs
  bool restart = false;                      ///< tell that one to hand over to a process that it starts
};
struct DownOptions {
  Duration timeout = std::chrono::seconds(30);
};
struct StatusOptions {
  bool watch = false;
  Duration interval = std::chrono::seconds(1);
};
struct EventsOptions {
  bool follow = false;
};
enum class RowFormat : std::uint8_t { table, json, csv };
struct QueryOptions {
  std::optional<std::string> on;
  bool read = false;  ///< a replica may answer
  RowFormat format = RowFormat::table;
  std::optional<Duration> timeout;
  std::string sql;  ///< "-": from standard input
};
struct ShellOptions {
  std::optional<std::string> on;
  std::vector<std::string> arguments;  ///< for psql
};
struct ConfigExplainOptions {
  bool all = false;
};
struct DoctorOptions {
  std::optional<std::string> on;
};
struct HealthOptions {
  std::optional<std::string> on;
};
struct BreakerOptions {
  std::string command;  ///< open, close, reset; empty: what they look like
  std::optional<std::string> on;
  std::optional<std::string> replica;
  std::optional<std::string> access;  ///< read, write
};
struct RouteExplainOptions {
  std::optional<std::string> on;
  bool read = false;  ///< of a read view
  std::string replica;
  std::optional<Duration> max_lag;
  std::string min_lsn;
  std::string sql;
};
struct SqlExplainOptions {
  std::optional<std::string> on;  ///< without it the text alone is judged
  std::string sql;                ///< "-": from standard input
};
enum class SpoolAction : std::uint8_t { show, list, retry, drop, drain, ddl };
struct SpoolOptions {
  SpoolAction action = SpoolAction::show;
  std::optional<std::string> on;
  std::optional<std::string> entry;
  std::string confirm;  ///< the database's name, to drop
  Duration timeout = std::chrono::seconds(60);
};
enum class MigrateAction : std::uint8_t { status, create, plan, up, validate, repair, baseline, lint, drift };
struct MigrateCommand {
  MigrateAction action = MigrateAction::status;
  std::vector<std::string> on;     ///< databases; empty: all that have migrations
  std::vector<std::string> words;  ///< what a new migration is called, or the files to lint
  std::vector<std::pair<std::string, std::string>> placeholders;
  std::vector<std::string> ignore;  ///< "*:missing"
  std::optional<std::string> target, version, lock_timeout, statement_timeout;
  std::uint32_t jobs = 4;
  bool repeatable = false;
  bool out_of_order = false;
  bool baseline_on_migrate = false;
  bool delete_missing = false;
  bool no_validate = false;
  bool grants = false;  ///< drift: owners and grants too
};
enum class BackupAction : std::uint8_t { make, list, prune, keygen, config, setup, run, check, info };
struct BackupCommand {
  BackupAction action = BackupAction::make;
  std::vector<std::string> on;            ///< databases; empty: all that are configured
  std::optional<std::string> repository;  ///< instead of the configured ones
  std::optional<std::string> schema;      ///< of the database that --on names
  std::vector<std::string> recipients;    ///< instead of backup.recipients
  std::string file;                       ///< of keygen
  std::optional<std::uint32_t> jobs;
  bool whole = false;  ///< the database of a database that is a schema
  bool clear = false;
  bool no_checksums = false;
  bool prune = false;  ///< afterwards
  bool dry_run = false;
  bool full = false;  ///< of pgBackRest: not incremental
};
struct RestoreCommand {
  std::optional<std::string> on;
  std::string from = "latest";
  std::optional<std::string> repository, identity_file, into, extract, at;
  std::string confirm;  ///< the database's name, to replace what it holds
  bool globals = false;
  bool no_owner = false;
};
struct VerifyCommand {
  std::string backup = "latest";
  std::vector<std::string> on;
  std::optional<std::string> repository, identity_file;
};
enum class ProvisionAction : std::uint8_t { plan, apply, audit, rotate, logging };
struct ProvisionCommand {
  ProvisionAction action = ProvisionAction::plan;
  std::vector<std::string> on;     ///< databases; empty: all that are configured
  std::vector<std::string> roles;  ///< to rotate
  std::string confirm;             ///< the application's name
  std::optional<std::string> report;
  AuditLog statements = AuditLog::all;
  Duration length = std::chrono::minutes(10);
  bool hba = false;
  bool finish = false;
  bool off = false;
  bool detach = false;
  bool reconnect = false;
};
enum class MoveAction : std::uint8_t { start, status, follow, confirm, rollback, abort };
struct MoveCommand {
  MoveAction action = MoveAction::start;
  std::vector<std::string> tables;  ///< empty: those that the configuration gives to the target
  std::string schema;               ///< of `split`
  std::optional<std::string> from, to;
  std::optional<Duration> pause, patience;
  bool no_switch = false;
  bool no_verify = false;
};
struct OwnersOptions {
  std::string table;  ///< empty: all
};
struct MaintenanceOptions {
  bool begin = true;
  std::string on;
  std::optional<Duration> length;
};
struct CompletionOptions {
  std::string shell;  ///< bash, zsh, fish
};
struct VersionOptions {};
/// For completion scripts: prints the names of the configured databases.
struct DatabaseNamesOptions {};

using Command = std::variant<UpOptions, GatewayOptions, DownOptions, StatusOptions, EventsOptions, QueryOptions,
                             ShellOptions, ConfigExplainOptions, DoctorOptions, HealthOptions, BreakerOptions,
                             RouteExplainOptions, SqlExplainOptions, SpoolOptions, MigrateCommand, OwnersOptions,
                             MoveCommand, ProvisionCommand, BackupCommand, RestoreCommand, VerifyCommand,
                             MaintenanceOptions, CompletionOptions, VersionOptions, DatabaseNamesOptions>;

struct CommandLine {
  GlobalOptions global;
  Command command;
};

/// Instead of a command: a text to print and end with.
struct Answer {
  ExitCode code = ExitCode::ok;
  std::string text;  ///< to standard output when ok, else to standard error
};

[[nodiscard]] std::variant<CommandLine, Answer> parse_command_line(int argc, const char* const* argv);

}  // namespace switchyard::cli
