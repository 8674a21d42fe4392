// switchyard migrate: the schemas of all databases, from files.
#include "commands.hpp"
#include "engine.hpp"
#include "fleet_choice.hpp"
#include "migrate_drift.hpp"
#include "migrate_view.hpp"
#include "on_shard.hpp"

#include <switchyard/base/suggest.hpp>
#include <switchyard/embedded/postgres_binaries.hpp>
#include <switchyard/schema/fleet_migration.hpp>
#include <switchyard/schema/migration_folder.hpp>
#include <switchyard/schema/migrator.hpp>
#include <switchyard/scripts/script.hpp>
#include <switchyard/scripts/statement_kind.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

namespace switchyard::cli {

namespace {

namespace fs = std::filesystem;
using schema::MigrationTarget;
using schema::TargetReport;

Result<schema::MigrateOptions> options_of(const MigrateCommand& command) {
  schema::MigrateOptions options;
  options.states.out_of_order = command.out_of_order;
  if (!command.ignore.empty()) options.states.ignore_patterns = command.ignore;
  if (command.target) {
    auto version = scripts::MigrationVersion::parse(*command.target);
    if (!version.ok()) return version.error().with_context("--target");
    options.states.target = std::move(*version);
  }
  for (const auto& [name, value] : command.placeholders) options.placeholders[name] = value;
  if (command.lock_timeout) options.lock_timeout = *command.lock_timeout;
  if (command.statement_timeout) options.statement_timeout = *command.statement_timeout;
  if (command.version) {
    if (auto version = scripts::MigrationVersion::parse(*command.version); !version.ok()) {
      return version.error().with_context("--version");
    }
    options.baseline_version = *command.version;
  }
  options.baseline_on_migrate = command.baseline_on_migrate;
  options.validate = !command.no_validate;
  return options;
}

/// Those that are asked for, or all that have migrations.
Result<std::vector<MigrationTarget>> chosen(const FleetConfig& fleet, const MigrateCommand& command) {
  auto targets = schema::find_targets(fleet);
  if (!targets.ok()) return targets.error();
  std::set<std::string, std::less<>> wanted;
  for (const std::string& name : command.on) {
    auto resolved = fleet.resolve(name);
    if (!resolved.ok()) return resolved.error();
    const std::string& database = resolved->database->name;
    if (std::ranges::find(*targets, database, &MigrationTarget::database) == targets->end()) {
      return Error(ErrorKind::Config, "there are no migrations")
          .with_hint("put them into " + schema::folder_for_new(fleet, *resolved->database) + ", or " +
                     "switchyard migrate new --on " + database + " \"words\"")
          .with_database(database);
    }
    wanted.insert(database);
  }
  if (!wanted.empty()) {
    std::erase_if(*targets, [&](const MigrationTarget& one) { return !wanted.contains(one.database); });
  }
  if (targets->empty()) {
    return Error(ErrorKind::Config, "no database of this fleet has migrations")
        .with_hint(
            "put them into migrations/DATABASE beside the fleet file: switchyard migrate new --on main "
            "\"first tables\"");
  }
  return targets;
}

ExitCode code_of(const std::vector<TargetReport>& reports) {
  const auto failed = std::ranges::count_if(reports, [](const TargetReport& one) { return !one.ok(); });
  if (failed == 0) return ExitCode::ok;
  if (static_cast<std::size_t>(failed) < reports.size()) return ExitCode::partial;
  const auto error = std::ranges::find_if(reports, [](const TargetReport& one) { return one.error.has_value(); });
  return error == reports.end() ? ExitCode::failed : exit_code_of(*error->error);
}

ExitCode code_of(const std::vector<TargetView>& views) {
  const auto failed = std::ranges::find_if(views, [](const TargetView& one) { return one.error.has_value(); });
  if (failed == views.end()) return ExitCode::ok;
  const bool all = std::ranges::all_of(views, [](const TargetView& one) { return one.error.has_value(); });
  return all ? exit_code_of(*failed->error) : ExitCode::partial;
}

/// What is not committed is rolled back: Ctrl-C is safe.
template <class T>
Result<T> on_shard(Task<T> work) {
  return cli::on_shard(std::move(work), "nothing is half done; the next run goes on");
}

schema::StepSink progress(const Console& console) {
  if (console.quiet()) return {};
  return [&console](const schema::MigrationStep& step) {
    if (step.kind == schema::StepKind::script_begins && !console.verbose()) return;
    console.note(show_step(step));
  };
}

void complain_all(const std::vector<TargetReport>& reports, const Console& console) {
  for (const TargetReport& report : reports) {
    for (const std::string& note : report.notes) console.note(report.database + "  " + note);
    if (report.error) {
      const bool named = !report.error->database().empty();
      console.complain(named ? *report.error : report.error->with_database(report.database));
    }
    for (const std::string& problem : report.problems) console.complain(report.database + ": " + problem);
  }
}

// --- looking

TargetView view_of(const MigrationTarget& target) {
  TargetView view;
  view.database = target.database;
  view.schema = target.schema;
  view.runs_on = target.runs_on;
  view.folders = target.folders;
  view.ignored = target.set.ignored;
  return view;
}

JudgedScript judge(const schema::Migration& file, std::set<std::string>& known, bool timeouts) {
  JudgedScript script;
  script.file = file.path;
  script.title = file.script;
  const auto statements = scripts::split_script(file.text);
  script.inside = file.config.execute_in_transaction.value_or(
      statements.ok() && std::ranges::none_of(*statements, [](const scripts::ScriptStatement& one) {
        return scripts::runs_outside(scripts::kind_of(one.sql));
      }));
  schema::LintOptions options;
  options.in_transaction = script.inside;
  options.timeouts_are_set = timeouts;
  script.judgement = schema::judge_script(file.text, known, options);
  return script;
}

void fill(TargetView& view, const MigrationTarget& target, const schema::TargetState& state,
          const schema::MigrateOptions& options, MigrateAction action) {
  view.schema = state.schema;
  if (const auto version = schema::current_version(state.history)) view.version = version->text();
  const auto infos = schema::states_of(target.set, state.history, options.states);
  for (const schema::MigrationInfo& info : infos) {
    MigrationLine line;
    line.version = info.version();
    line.description = info.description();
    line.script = info.script();
    line.kind = info.state;
    line.state = schema::to_string(info.state);
    if (info.applied != nullptr) {
      line.installed_on = info.applied->installed_on;
      line.installed_by = info.applied->installed_by;
      line.execution_time = info.applied->execution_time;
    }
    if (info.file != nullptr) line.header = info.file->header;
    view.lines.push_back(std::move(line));
  }
  if (action == MigrateAction::validate || action == MigrateAction::plan) {
    view.problems = schema::problems_of(infos, options.states, action == MigrateAction::validate);
  }
  if (!state.has_history && !state.empty && target.baseline_file.empty() && target.runs_on == target.database) {
    view.problems.push_back("the schema holds objects and no history: switchyard migrate baseline --on " +
                            target.database + " --version 1");
  }
  if (action != MigrateAction::plan) return;
  std::set<std::string> known;
  for (const schema::MigrationInfo* info : schema::runnable(infos)) {
    view.scripts.push_back(judge(*info->file, known, true));
  }
}

ExitCode look(const FleetConfig& fleet, std::vector<MigrationTarget>& targets,
              const schema::MigrateOptions& options, const MigrateCommand& command, const GlobalOptions& global,
              const Console& console) {
  std::vector<TargetView> views;
  for (const MigrationTarget& target : targets) views.push_back(view_of(target));
  const TaskFunction<TargetReport(Fleet&, MigrationTarget&)> work =
      [&](Fleet& own, MigrationTarget& target) -> Task<TargetReport> {
    schema::Migrator migrator(own, target, options);
    const auto state = co_await migrator.look();
    TargetView& view = views[static_cast<std::size_t>(&target - targets.data())];
    fill(view, target, state, options, command.action);
    co_return TargetReport{};
  };
  auto reports = on_shard(schema::for_each_target(fleet, targets, command.jobs, work));
  if (!reports.ok()) return fail(console, reports.error());
  for (std::size_t i = 0; i < views.size(); ++i) views[i].error = (*reports)[i].error;
  const bool wrong = std::ranges::any_of(views, [](const TargetView& one) { return !one.problems.empty(); });
  if (command.action == MigrateAction::plan) {
    console.print(show_plan(views, global, console));
  } else if (command.action == MigrateAction::validate) {
    console.print(show_validation(views, global, console));
  } else {
    console.print(show_status(views, global, console));
    return code_of(views);
  }
  return wrong ? ExitCode::failed : code_of(views);
}

// --- changing

ExitCode change(const FleetConfig& fleet, std::vector<MigrationTarget>& targets,
                const schema::MigrateOptions& options, const MigrateCommand& command, const GlobalOptions& global,
                const Console& console) {
  const schema::StepSink sink = progress(console);
  const TaskFunction<TargetReport(Fleet&, MigrationTarget&)> work =
      [&](Fleet& own, MigrationTarget& target) -> Task<TargetReport> {
    schema::Migrator migrator(own, target, options, sink);
    if (command.action == MigrateAction::repair) co_return co_await migrator.repair(command.delete_missing);
    co_return co_await migrator.baseline();
  };
  auto reports = command.action == MigrateAction::up
                     ? on_shard(schema::migrate_all(fleet, targets, options, command.jobs, sink))
                     : on_shard(schema::for_each_target(fleet, targets, command.jobs, work));
  if (!reports.ok()) return fail(console, reports.error());
  complain_all(*reports, console);
  if (command.action == MigrateAction::up || global.json) console.print(show_reports(*reports, global, console));
  return code_of(*reports);
}

// --- drift

struct Live {
  schema::CatalogueImage image;
  LiveServer server;
  std::string schema, version;
  bool baselined = false;
};

Task<Live> read_live(Fleet& fleet, MigrationTarget& target, const schema::MigrateOptions& options,
                     schema::Rights rights) {
  Live live;
  live.server.rights = rights;
  schema::Migrator migrator(fleet, target, options);
  const auto state = co_await migrator.look();
  live.schema = state.schema;
  if (const auto version = schema::current_version(state.history)) live.version = version->text();
  live.baselined = std::ranges::any_of(state.history, [](const auto& row) { return row.type == "BASELINE"; });
  auto lease = co_await fleet.database(target.runs_on).value_or_throw().lease();
  live.image = co_await schema::read_catalogue(lease, state.schema, target.table, rights);
  live.server.major_version =
      co_await lease.query_value<std::int32_t>("SELECT current_setting('server_version_num')::int / 10000");
  live.server.roles =
      co_await lease.query<std::string>("SELECT rolname::text FROM pg_roles WHERE rolname !~ '^pg_'");
  co_return live;
}

ExitCode drift(const FleetConfig& fleet, std::vector<MigrationTarget>& targets,
               const schema::MigrateOptions& options, schema::Rights rights, const GlobalOptions& global,
               const Console& console) {
  std::vector<TargetView> views;
  for (MigrationTarget& target : targets) {
    TargetView& view = views.emplace_back(view_of(target));
    Live live;
    std::vector<MigrationTarget> one{target};
    const TaskFunction<TargetReport(Fleet&, MigrationTarget&)> work =
        [&](Fleet& own, MigrationTarget& which) -> Task<TargetReport> {
      live = co_await read_live(own, which, options, rights);
      co_return TargetReport{};
    };
    auto reports = on_shard(schema::for_each_target(fleet, one, 1, work));
    if (!reports.ok()) return fail(console, reports.error());
    view.error = reports->front().error;
    if (view.error) continue;
    view.schema = live.schema;
    view.version = live.version;
    if (live.baselined && target.baseline_file.empty()) {
      view.ignored.push_back(
          "the history begins with a baseline: what was there before it is not in the migrations");
    }
    // What is compared is what has been applied.
    schema::MigrateOptions as_far = options;
    if (!as_far.states.target && !live.version.empty()) {
      as_far.states.target = scripts::MigrationVersion::parse(live.version).value_or_throw();
    }
    console.note(target.database + "  applies its migrations on a private server");
    auto expected = image_of_migrations(fleet, target, as_far, live.server);
    if (!expected.ok()) {
      view.error = expected.error();
      continue;
    }
    view.drifts = schema::compare(*expected, live.image);
    const auto installed = embedded::list_postgres();
    if (std::ranges::find(installed, live.server.major_version, &embedded::PostgresBinaries::major) ==
        installed.end()) {
      view.ignored.push_back("the server is PostgreSQL " + std::to_string(live.server.major_version) +
                             ", which is not installed here: another version may write definitions otherwise");
    }
  }
  console.print(show_drift(views, global, console));
  const bool differs = std::ranges::any_of(views, [](const TargetView& one) { return !one.drifts.empty(); });
  const ExitCode code = code_of(views);
  return code != ExitCode::ok ? code : differs ? ExitCode::failed : ExitCode::ok;
}

// --- files

ExitCode lint(const FleetConfig* fleet, const MigrateCommand& command, const GlobalOptions& global,
              const Console& console) {
  std::vector<JudgedScript> judged;
  const auto add = [&](const schema::Migration& file) {
    std::set<std::string> known;
    judged.push_back(judge(file, known, true));
  };
  for (const std::string& path : command.words) {
    schema::Migration file;
    file.path = path;
    file.script = fs::path(path).filename().string();
    std::ifstream stream(path, std::ios::binary);
    file.text = {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (!stream) {
      console.complain("can't read " + path);
      return ExitCode::usage;
    }
    add(file);
  }
  if (command.words.empty() && fleet != nullptr) {
    auto targets = chosen(*fleet, command);
    if (!targets.ok()) return fail(console, targets.error());
    for (const MigrationTarget& target : *targets) {
      for (const auto* files : {&target.set.baselines, &target.set.versioned, &target.set.repeatable}) {
        for (const schema::Migration& file : *files) add(file);
      }
    }
  }
  console.print(show_lint(judged, global, console));
  std::size_t findings = 0;
  bool wrong = false;
  for (const JudgedScript& script : judged) {
    findings += script.judgement.findings.size();
    wrong = wrong || std::ranges::any_of(script.judgement.findings, [](const schema::LintFinding& one) {
              return one.level != schema::LintLevel::hint;
            });
  }
  console.note(std::to_string(judged.size()) + (judged.size() == 1 ? " script, " : " scripts, ") +
               std::to_string(findings) + (findings == 1 ? " finding" : " findings"));
  return wrong ? ExitCode::failed : ExitCode::ok;
}

ExitCode create(const FleetConfig& fleet, const MigrateCommand& command, const GlobalOptions& global,
                const Console& console) {
  std::string on = command.on.empty() ? "main" : command.on.front();
  if (command.on.empty()) console.note("for main: --on names another database");
  auto resolved = fleet.resolve(on);
  if (!resolved.ok()) return fail(console, resolved.error());
  std::string words;
  for (const std::string& word : command.words) words += (words.empty() ? "" : " ") + word;
  const std::string description = scripts::description_for_file(words);
  if (description.empty()) {
    console.complain("'" + words + "' holds no letter", "switchyard migrate new \"add order status\"");
    return ExitCode::usage;
  }
  const fs::path folder = schema::folder_for_new(fleet, *resolved->database);
  std::string version = command.version.value_or("1");
  if (!command.version) {
    auto targets = schema::find_targets(fleet);
    if (!targets.ok()) return fail(console, targets.error());
    const auto at = std::ranges::find(*targets, resolved->database->name, &MigrationTarget::database);
    if (at != targets->end() && !at->set.versioned.empty()) {
      // The next whole number behind the last one; a date grows by one as well.
      const std::string last = at->set.versioned.back().name.version->text();
      const std::string whole = last.substr(0, last.find('.'));
      version = std::to_string(std::strtoull(whole.c_str(), nullptr, 10) + 1);
    }
  } else if (auto parsed = scripts::MigrationVersion::parse(version); !parsed.ok()) {
    return fail(console, parsed.error().with_context("--version"));
  }
  const std::string name =
      command.repeatable ? "R__" + description + ".sql" : "V" + version + "__" + description + ".sql";
  std::error_code error;
  fs::create_directories(folder, error);
  const fs::path path = folder / name;
  if (fs::exists(path, error)) {
    console.complain(path.string() + " is there already");
    return ExitCode::failed;
  }
  std::ofstream file(path, std::ios::binary);
  file << "-- Target: " << resolved->database->name << "\n-- Purpose: " << words << "\n\n";
  if (!file.flush()) {
    console.complain("can't write " + path.string());
    return ExitCode::failed;
  }
  console.print(global.json ? "{\"file\": \"" + path.string() + "\"}\n" : path.string() + "\n");
  return ExitCode::ok;
}

}  // namespace

ExitCode run_migrate(const GlobalOptions& global, const MigrateCommand& command, const Console& console) {
  if (command.action == MigrateAction::lint && !command.words.empty()) {
    return lint(nullptr, command, global, console);
  }
  if (command.action == MigrateAction::create || command.action == MigrateAction::lint) {
    auto config = load_configuration(global);
    if (!config.ok()) return fail(console, config.error());
    return command.action == MigrateAction::create ? create(*config, command, global, console)
                                                   : lint(&*config, command, global, console);
  }
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  auto options = options_of(command);
  if (!options.ok()) return fail(console, options.error());
  auto targets = chosen(choice->config, command);
  if (!targets.ok()) return fail(console, targets.error());
  switch (command.action) {
    case MigrateAction::up:
    case MigrateAction::repair:
    case MigrateAction::baseline: return change(choice->config, *targets, *options, command, global, console);
    case MigrateAction::drift: {
      const schema::Rights rights = command.grants ? schema::Rights::compared : schema::Rights::left_out;
      return drift(choice->config, *targets, *options, rights, global, console);
    }
    default: return look(choice->config, *targets, *options, command, global, console);
  }
}

}  // namespace switchyard::cli
