// The command line of Switchyard. Reads the arguments and hands over to the command.
#include "commands.hpp"
#include "logging.hpp"

#include <switchyard/schema/owner_claims.hpp>

#include <clocale>
#include <csignal>
#include <cstdio>
#include <exception>

namespace {

using namespace switchyard::cli;

ExitCode run(const CommandLine& line) {
  const Console console(line.global);
  const GlobalOptions& global = line.global;
  install_log(line.global, console);
  switchyard::schema::use_owner_claims();
  struct Runner {
    const GlobalOptions& global;
    const Console& console;
    ExitCode operator()(const UpOptions& options) const { return run_up(global, options, console); }
    ExitCode operator()(const GatewayOptions& options) const { return run_gateway(global, options, console); }
    ExitCode operator()(const DownOptions& options) const { return run_down(global, options, console); }
    ExitCode operator()(const StatusOptions& options) const { return run_status(global, options, console); }
    ExitCode operator()(const EventsOptions& options) const { return run_events(global, options, console); }
    ExitCode operator()(const QueryOptions& options) const { return run_query(global, options, console); }
    ExitCode operator()(const ShellOptions& options) const { return run_shell(global, options, console); }
    ExitCode operator()(const ConfigExplainOptions& options) const {
      return run_config_explain(global, options, console);
    }
    ExitCode operator()(const DoctorOptions& options) const { return run_doctor(global, options, console); }
    ExitCode operator()(const HealthOptions& options) const { return run_health(global, options, console); }
    ExitCode operator()(const BreakerOptions& options) const { return run_breaker(global, options, console); }
    ExitCode operator()(const RouteExplainOptions& options) const {
      return run_route_explain(global, options, console);
    }
    ExitCode operator()(const SqlExplainOptions& options) const {
      return run_sql_explain(global, options, console);
    }
    ExitCode operator()(const SpoolOptions& options) const { return run_spool(global, options, console); }
    ExitCode operator()(const ProvisionCommand& options) const { return run_provision(global, options, console); }
    ExitCode operator()(const MigrateCommand& options) const { return run_migrate(global, options, console); }
    ExitCode operator()(const BackupCommand& options) const { return run_backup(global, options, console); }
    ExitCode operator()(const RestoreCommand& options) const { return run_restore(global, options, console); }
    ExitCode operator()(const VerifyCommand& options) const { return run_verify_backup(global, options, console); }
    ExitCode operator()(const OwnersOptions& options) const { return run_owners(global, options, console); }
    ExitCode operator()(const MoveCommand& options) const { return run_move(global, options, console); }
    ExitCode operator()(const MaintenanceOptions& options) const {
      return run_maintenance(global, options, console);
    }
    ExitCode operator()(const CompletionOptions& options) const { return run_completion(options, console); }
    ExitCode operator()(const VersionOptions&) const { return run_version(global, console); }
    ExitCode operator()(const DatabaseNamesOptions&) const { return run_database_names(global, console); }
  };
  try {
    return std::visit(Runner{global, console}, line.command);
  } catch (const switchyard::Error& error) {
    return fail(console, error);
  } catch (const std::exception& error) {
    console.complain(error.what());
    return ExitCode::failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "C.UTF-8");  // for the width of characters; everything else stays as in C
  std::signal(SIGPIPE, SIG_IGN);
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* answer = std::get_if<Answer>(&parsed)) {
    std::fputs(answer->text.c_str(), answer->code == ExitCode::ok ? stdout : stderr);
    return static_cast<int>(answer->code);
  }
  return static_cast<int>(run(std::get<CommandLine>(parsed)));
}
