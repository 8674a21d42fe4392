// The subcommands. Each takes what was typed and says how it ended; data goes to standard output, messages
// elsewhere.
#pragma once

#include "console.hpp"
#include "exit_code.hpp"
#include "options.hpp"

namespace switchyard::cli {

[[nodiscard]] ExitCode run_up(const GlobalOptions& global, const UpOptions& options, const Console& console);
[[nodiscard]] ExitCode run_gateway(const GlobalOptions& global, const GatewayOptions& options,
                                   const Console& console);
/// `switchyard gateway restart`.
[[nodiscard]] ExitCode restart_gateway(const GlobalOptions& global, const Console& console);
[[nodiscard]] ExitCode run_down(const GlobalOptions& global, const DownOptions& options, const Console& console);
[[nodiscard]] ExitCode run_status(const GlobalOptions& global, const StatusOptions& options,
                                  const Console& console);
[[nodiscard]] ExitCode run_events(const GlobalOptions& global, const EventsOptions& options,
                                  const Console& console);
[[nodiscard]] ExitCode run_query(const GlobalOptions& global, const QueryOptions& options, const Console& console);
[[nodiscard]] ExitCode run_shell(const GlobalOptions& global, const ShellOptions& options, const Console& console);
[[nodiscard]] ExitCode run_config_explain(const GlobalOptions& global, const ConfigExplainOptions& options,
                                          const Console& console);
[[nodiscard]] ExitCode run_doctor(const GlobalOptions& global, const DoctorOptions& options,
                                  const Console& console);
[[nodiscard]] ExitCode run_health(const GlobalOptions& global, const HealthOptions& options,
                                  const Console& console);
[[nodiscard]] ExitCode run_breaker(const GlobalOptions& global, const BreakerOptions& options,
                                   const Console& console);
[[nodiscard]] ExitCode run_route_explain(const GlobalOptions& global, const RouteExplainOptions& options,
                                         const Console& console);
[[nodiscard]] ExitCode run_sql_explain(const GlobalOptions& global, const SqlExplainOptions& options,
                                       const Console& console);
[[nodiscard]] ExitCode run_spool(const GlobalOptions& global, const SpoolOptions& options, const Console& console);
[[nodiscard]] ExitCode run_migrate(const GlobalOptions& global, const MigrateCommand& options,
                                   const Console& console);
[[nodiscard]] ExitCode run_backup(const GlobalOptions& global, const BackupCommand& options,
                                  const Console& console);
[[nodiscard]] ExitCode run_pgbackrest(const GlobalOptions& global, const BackupCommand& options,
                                      const Console& console);
[[nodiscard]] ExitCode run_restore(const GlobalOptions& global, const RestoreCommand& options,
                                   const Console& console);
[[nodiscard]] ExitCode run_verify_backup(const GlobalOptions& global, const VerifyCommand& options,
                                         const Console& console);
[[nodiscard]] ExitCode run_provision(const GlobalOptions& global, const ProvisionCommand& options,
                                     const Console& console);
[[nodiscard]] ExitCode run_owners(const GlobalOptions& global, const OwnersOptions& options,
                                  const Console& console);
[[nodiscard]] ExitCode run_move(const GlobalOptions& global, const MoveCommand& command, const Console& console);
[[nodiscard]] ExitCode run_maintenance(const GlobalOptions& global, const MaintenanceOptions& options,
                                       const Console& console);
[[nodiscard]] ExitCode run_completion(const CompletionOptions& options, const Console& console);
[[nodiscard]] ExitCode run_version(const GlobalOptions& global, const Console& console);
[[nodiscard]] ExitCode run_database_names(const GlobalOptions& global, const Console& console);

/// Says what went wrong and gives its exit code.
[[nodiscard]] inline ExitCode fail(const Console& console, const Error& error) {
  console.complain(error);
  return exit_code_of(error);
}

}  // namespace switchyard::cli
