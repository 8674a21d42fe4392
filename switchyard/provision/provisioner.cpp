#include <switchyard/provision/provisioner.hpp>

#include <switchyard/fleet/transaction.hpp>
#include <switchyard/provision/administrator.hpp>
#include <switchyard/provision/hba.hpp>
#include <switchyard/provision/secret_store.hpp>
#include <switchyard/provision/statement_logging.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/password_file.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::provision {

namespace {

/// One round makes databases, the next what is in them; one more for what only shows then.
constexpr int kRounds = 3;
enum class Looking : bool { only, and_doing };

/// Passwords for the plan; a role that is to be made gets one, kept in its file first.
Result<void> fill_passwords(const DesiredServer& desired, const ServerImage& image, const ProvisionOptions& options,
                            Looking looking, PlanOptions& plan, ServerReport& report) {
  if (!options.passwords) return {};
  for (const DesiredRole& role : desired.roles) {
    if (!role.login) continue;
    const RoleImage* found = image.role(role.name);
    const bool fresh = found == nullptr || (found->stored_password && found->stored_password->empty());
    std::optional<Secret> known;
    if (!role.password_file.empty()) {
      known = kept_password(role.password_file);
      // A rotation that was interrupted after the server had heard of it.
      const auto next = kept_password(role.password_file + session::kNextPassword);
      if (next && found != nullptr && found->stored_password && plan.fits(*found->stored_password, *next))
        known = next;
    }
    if (!known && !role.password.empty()) known = role.password;
    if (!known && fresh && !role.password_file.empty()) {
      auto password = make_password();
      if (!password.ok()) return password.error();
      if (looking == Looking::and_doing) {
        SY_TRY(keep_password(role.password_file, *password));
        report.password_files.push_back(role.password_file);
      }
      known = *std::move(password);
    }
    if (!known) {
      report.plan.notes.push_back("nobody here knows the password of " + role.name + ": put it into " +
                                  role.password_file +
                                  " (mode 0600), or replace it: switchyard provision rotate --role " + role.name);
      continue;
    }
    plan.passwords.emplace(role.name, *std::move(known));
  }
  return {};
}

Task<void> run_together(Lease& lease, const std::vector<Step>& steps, bool superuser, ServerReport& report) {
  const bool secret = std::ranges::any_of(steps, [](const Step& one) { return !one.shown.empty(); });
  const Step* now = nullptr;
  auto done = co_await as_result(lease.transaction([&](Transaction& tx) -> Task<void> {
    if (secret && superuser) co_await tx.script(kKeepOutOfLog);
    for (const Step& step : steps) {
      now = &step;
      co_await tx.script(step.sql);
    }
  }));
  if (!done.ok()) throw now != nullptr ? done.error().with_context(now->text()) : done.error();
  report.done.insert(report.done.end(), steps.begin(), steps.end());
}

/// Steps of one phase, transaction by transaction.
Task<void> run_phase(Administrator& admin, Phase phase, const std::vector<Step>& all, bool superuser,
                     const ProvisionOptions& options, ServerReport& report) {
  std::vector<std::string> places;
  for (const Step& step : all) {
    if (step.phase == phase && std::ranges::find(places, step.database) == places.end())
      places.push_back(step.database);
  }
  for (const std::string& place : places) {
    std::vector<Step> steps;
    for (const Step& step : all) {
      if (step.phase == phase && step.database == place) steps.push_back(step);
    }
    Lease lease = co_await admin.lease(place.empty() ? admin.begins_in() : place);
    if (options.told) {
      options.told(report.place + (place.empty() ? "" : "/" + place) + ": " + std::to_string(steps.size()) +
                   (steps.size() == 1 ? " statement" : " statements"));
    }
    if (phase != Phase::databases) {
      co_await run_together(lease, steps, superuser, report);
      continue;
    }
    for (const Step& step : steps) {
      co_await lease.script(step.sql);
      report.done.push_back(step);
    }
  }
}

/// Through a large object, since COPY would change tabs and backslashes. Read again by the server before it takes
/// effect: with a mistake in it the old text is put back.
Task<void> put_hba(Querier& querier, std::string text) {
  const auto object = co_await querier.query_value<std::int64_t>(
      "SELECT pg_catalog.lo_from_bytea(0, pg_catalog.convert_to($1, 'UTF8'))::bigint", text);
  co_await querier.script("SELECT pg_catalog.lo_export(" + std::to_string(object) +
                          ", pg_catalog.current_setting('hba_file')); SELECT pg_catalog.lo_unlink(" +
                          std::to_string(object) + ")");
}

Task<void> write_hba(Administrator& admin, const std::string& application, const std::vector<std::string>& lines) {
  Lease lease = co_await admin.lease();
  const auto before = co_await lease.query_value<std::string>(
      "SELECT pg_catalog.pg_read_file(pg_catalog.current_setting('hba_file'))");
  co_await put_hba(lease, hba_with_block(before, application, lines));
  const auto wrong = co_await lease.query_value<std::string>(
      "SELECT coalesce(string_agg('line ' || line_number || ': ' || error, '; '), '') FROM pg_hba_file_rules WHERE "
      "error "
      "IS NOT NULL");
  if (!wrong.empty()) {
    co_await put_hba(lease, before);
    throw Error(ErrorKind::Config,
                "pg_hba.conf is left as it was, since with the new lines it has mistakes: " + wrong);
  }
  co_await lease.script("SELECT pg_catalog.pg_reload_conf()");
}

void refuse_what_is_missing(const Plan& plan) {
  if (plan.missing.empty()) return;
  std::string all;
  for (const std::string& one : plan.missing) all += "\n  " + one;
  throw Error(ErrorKind::Config, "the administrator lacks rights, so nothing was done:" + all)
      .with_hint("have a superuser say so, or give the login of one: provision.admin_user, admin_dsn");
}

Task<void> work_on(const DesiredServer& desired, const ProvisionOptions& options, Looking looking,
                   Administrator& admin, ServerReport& report) {
  if (looking == Looking::and_doing) co_await admin.lock(options.told);
  for (int round = 0; round < kRounds; ++round) {
    report.image = co_await admin.look();
    PlanOptions plan_with = plan_options();
    plan_with.now = utc_time();
    ServerReport ignored;
    const auto filled =
        fill_passwords(desired, report.image, options, looking, plan_with, round == 0 ? report : ignored);
    if (!filled.ok()) throw filled.error();
    Plan todo = make_plan(desired, report.image, plan_with);
    std::vector<Step> steps;
    for (const Step& step : todo.steps) {
      if (!step.confirm || options.confirm) steps.push_back(step);
    }
    if (round == 0) {
      todo.notes.insert(todo.notes.end(), report.plan.notes.begin(), report.plan.notes.end());
      report.plan = todo;
    }
    report.held_back.clear();
    for (const Step& step : todo.steps) {
      if (step.confirm && !options.confirm) report.held_back.push_back(step);
    }
    if (looking == Looking::only) co_return;
    refuse_what_is_missing(todo);
    const bool hba = options.write_hba && report.image.superuser && !todo.hba_lines.empty();
    if (steps.empty() && !hba) co_return;
    const bool makes_databases =
        std::ranges::any_of(steps, [](const Step& one) { return one.phase == Phase::databases; });
    co_await run_phase(admin, Phase::roles, steps, report.image.superuser, options, report);
    co_await run_phase(admin, Phase::databases, steps, report.image.superuser, options, report);
    if (makes_databases) continue;  // what is in them is looked at first
    co_await run_phase(admin, Phase::contents, steps, report.image.superuser, options, report);
    co_await run_phase(admin, Phase::retire, steps, report.image.superuser, options, report);
    if (hba) {
      co_await write_hba(admin, desired.application, todo.hba_lines);
      report.hba_written = true;
    }
    co_return;
  }
}

Task<ServerReport> with_server(const DesiredServer& desired, const ProvisionOptions& options, Looking looking) {
  ServerReport report;
  report.place = desired.place;
  report.databases = desired.logical();
  Administrator admin(desired);
  auto done = co_await as_result(work_on(desired, options, looking, admin, report));
  co_await admin.close();
  if (!done.ok()) report.error = done.error();
  co_return report;
}

Task<std::vector<ServerReport>> with_all(const FleetConfig& fleet, const ProvisionOptions& options,
                                         Looking looking) {
  const std::vector<DesiredServer> servers = chosen_servers(fleet, options).value_or_throw();
  std::vector<ServerReport> reports;
  for (const DesiredServer& server : servers) {
    ServerReport report = co_await with_server(server, options, looking);
    reports.push_back(std::move(report));
  }
  co_return reports;
}

}  // namespace

Result<std::vector<DesiredServer>> chosen_servers(const FleetConfig& fleet, const ProvisionOptions& options) {
  auto servers = desired_servers(fleet);
  if (!servers.ok() || options.databases.empty()) return servers;
  for (DesiredServer& server : *servers) {
    for (DesiredDatabase& database : server.databases) {
      std::erase_if(database.schemas, [&](const DesiredSchema& schema) {
        return std::ranges::find(options.databases, schema.database) == options.databases.end();
      });
    }
    // The physical database is judged as a whole: who connects there is known from all its schemas.
    std::erase_if(server.databases, [](const DesiredDatabase& database) { return database.schemas.empty(); });
  }
  std::erase_if(*servers, [](const DesiredServer& server) { return server.databases.empty(); });
  return servers;
}

Task<std::vector<ServerReport>> plan(FleetConfig fleet, ProvisionOptions options) {
  co_return co_await with_all(fleet, options, Looking::only);
}

Task<std::vector<ServerReport>> apply(FleetConfig fleet, ProvisionOptions options) {
  co_return co_await with_all(fleet, options, Looking::and_doing);
}

}  // namespace switchyard::inline v0::provision
