// switchyard provision: databases, schemas and roles of the servers, as the fleet file says.
#include "commands.hpp"
#include "fleet_choice.hpp"
#include "on_shard.hpp"
#include "provision_view.hpp"

#include <switchyard/provision/audit.hpp>
#include <switchyard/provision/provisioner.hpp>
#include <switchyard/provision/rotation.hpp>
#include <switchyard/provision/statement_logging.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace switchyard::cli {

namespace {

using provision::ProvisionOptions;
using provision::ServerReport;

template <class Report>
ExitCode code_of(const std::vector<Report>& reports) {
  const auto wrong = [](const Report& one) { return one.error.has_value(); };
  const auto first = std::ranges::find_if(reports, wrong);
  if (first == reports.end()) return ExitCode::ok;
  return std::ranges::all_of(reports, wrong) ? exit_code_of(*first->error) : ExitCode::partial;
}

/// Names of databases as the configuration has them.
Result<std::vector<std::string>> resolved(const FleetConfig& fleet, const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    auto found = fleet.resolve(name);
    if (!found.ok()) return found.error();
    if (!found->database->configured()) {
      return Error(ErrorKind::Config, "is not configured: there is no server to provision")
          .with_database(found->database->name)
          .with_hint("switchyard config explain says what is missing");
    }
    out.push_back(found->database->name);
  }
  return out;
}

Result<bool> confirmed(const FleetConfig& fleet, const ProvisionCommand& command) {
  if (command.confirm.empty()) return false;
  if (command.confirm == *fleet.application) return true;
  return Error(ErrorKind::Usage, "--confirm '" + command.confirm + "' is not the application's name")
      .with_hint("--confirm " + *fleet.application);
}

std::function<void(const std::string&)> progress(const Console& console) {
  if (console.quiet()) return {};
  return [&console](const std::string& text) { console.note(text); };
}

ExitCode change(const FleetConfig& fleet, ProvisionOptions options, const GlobalOptions& global,
                const Console& console) {
  auto reports =
      on_shard(provision::apply(fleet, std::move(options)), "what is done is done; the next run goes on");
  if (!reports.ok()) return fail(console, reports.error());
  console.print(show_provision_apply(*reports, *fleet.application, global, console));
  const ExitCode code = code_of(*reports);
  const bool held = std::ranges::any_of(*reports, [](const ServerReport& one) { return !one.held_back.empty(); });
  return code == ExitCode::ok && held ? ExitCode::partial : code;
}

ExitCode look(const FleetConfig& fleet, ProvisionOptions options, const GlobalOptions& global,
              const Console& console) {
  auto reports = on_shard(provision::plan(fleet, std::move(options)), "nothing was changed");
  if (!reports.ok()) return fail(console, reports.error());
  console.print(show_provision_plan(*reports, *fleet.application, global, console));
  return code_of(*reports);
}

ExitCode inspect(const FleetConfig& fleet, const ProvisionOptions& options, const ProvisionCommand& command,
                 const GlobalOptions& global, const Console& console) {
  auto servers = provision::chosen_servers(fleet, options);
  if (!servers.ok()) return fail(console, servers.error());
  auto reports = on_shard(provision::plan(fleet, options), "nothing was changed");
  if (!reports.ok()) return fail(console, reports.error());
  AuditView view;
  view.application = *fleet.application;
  view.date = provision::utc_time();
  for (std::size_t i = 0; i < reports->size(); ++i) {
    const ServerReport& report = (*reports)[i];
    if (report.error) {
      console.complain(report.error->with_context(report.place));
      continue;
    }
    auto found = provision::audit((*servers)[i], report.image, report.plan);
    view.findings.insert(view.findings.end(), found.begin(), found.end());
  }
  std::ranges::sort(view.findings);
  const ExitCode code = code_of(*reports);
  if (command.report && code == ExitCode::ok) {  // a report of half the servers compares with nothing
    auto file = keep_audit(view, *command.report);
    if (!file.ok()) return fail(console, file.error());
    console.note("report: " + *file);
  }
  console.print(show_audit(view, global, console));
  return code != ExitCode::ok ? code : view.findings.empty() ? ExitCode::ok : ExitCode::partial;
}

ExitCode turn_passwords(const FleetConfig& fleet, const ProvisionOptions& with, const ProvisionCommand& command,
                        const GlobalOptions& global, const Console& console) {
  provision::RotationOptions options;
  options.roles = command.roles;
  options.databases = with.databases;
  options.confirm = with.confirm;
  options.only_finish = command.finish;
  options.told = with.told;
  auto reports =
      on_shard(provision::rotate(fleet, std::move(options)), "switchyard provision rotate --finish finishes it");
  if (!reports.ok()) return fail(console, reports.error());
  console.print(show_rotation(*reports, global, console));
  return code_of(*reports);
}

Task<bool> wait_for(Duration length) {
  co_await sleep(length);
  co_return true;
}

ExitCode log_statements(const FleetConfig& fleet, const ProvisionCommand& command, const Console& console) {
  provision::StatementLogging options;
  options.database = command.on.front();
  options.length = command.length;
  options.statements = command.statements;
  options.sessions = command.reconnect ? provision::OpenSessions::reconnect : provision::OpenSessions::keep;
  const auto end = [&] {
    auto ended = on_shard(provision::end_logging(fleet, options), "switchyard provision logging --off ends it");
    if (!ended.ok()) return fail(console, ended.error());
    console.note("the statements of " + options.database + " are not logged any more");
    return ExitCode::ok;
  };
  if (command.off) return end();
  auto begun = on_shard(provision::begin_logging(fleet, options), "switchyard provision logging --off ends it");
  if (!begun.ok()) return fail(console, begun.error());
  std::string roles;
  for (const std::string& role : begun->roles) roles += (roles.empty() ? "" : ", ") + role;
  console.note("statements of " + roles + " are logged until " + begun->until +
               (command.reconnect ? "; " + std::to_string(begun->reconnected) + " idle sessions were ended"
                                  : "; sessions that are open go on as they are (--reconnect ends idle ones)"));
  if (command.detach) {
    console.note("the next switchyard provision apply after that, or provision logging --off, ends it");
    return ExitCode::ok;
  }
  console.note("Ctrl-C ends it earlier");
  static_cast<void>(on_shard(wait_for(options.length), ""));
  return end();
}

}  // namespace

ExitCode run_provision(const GlobalOptions& global, const ProvisionCommand& command, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  const FleetConfig& fleet = choice->config;
  auto databases = resolved(fleet, command.on);
  if (!databases.ok()) return fail(console, databases.error());
  auto confirm = confirmed(fleet, command);
  if (!confirm.ok()) return fail(console, confirm.error());
  const bool any = std::ranges::any_of(fleet.databases, &DatabaseConfig::configured);
  if (!any) {
    return fail(console,
                Error(ErrorKind::Config, "no database of this fleet is configured: there is no server to provision")
                    .with_hint("switchyard config explain says what is missing"));
  }
  ProvisionOptions options;
  options.databases = *std::move(databases);
  options.confirm = *confirm;
  options.write_hba = command.hba;
  // Private servers of `up` ask nobody for a password.
  options.passwords = !choice->running || choice->running->relocations.empty();
  options.told = progress(console);
  switch (command.action) {
    case ProvisionAction::plan: return look(fleet, std::move(options), global, console);
    case ProvisionAction::apply: return change(fleet, std::move(options), global, console);
    case ProvisionAction::audit: return inspect(fleet, options, command, global, console);
    case ProvisionAction::rotate: return turn_passwords(fleet, options, command, global, console);
    case ProvisionAction::logging: return log_statements(fleet, command, console);
  }
  return ExitCode::usage;
}

}  // namespace switchyard::cli
