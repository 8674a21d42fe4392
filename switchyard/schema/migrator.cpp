#include <switchyard/schema/migrator.hpp>

#include <switchyard/base/random.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/schema/history.hpp>
#include <switchyard/schema/statement_runner.hpp>
#include <switchyard/scripts/checksum.hpp>
#include <switchyard/scripts/script.hpp>
#include <switchyard/scripts/statement_kind.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

namespace switchyard::inline v0::schema {

namespace {

using scripts::ScriptStatement;
using scripts::StatementKind;

constexpr Duration kPollInterval = std::chrono::milliseconds(100);
/// A lost session is replaced, and the history asked what is done, this often.
constexpr int kSessions = 3;
constexpr int kWatchesClients = 140000;  ///< client_connection_check_interval

TimePoint now() { return runtime::Shard::current().now(); }

std::int32_t milliseconds(Duration value) {
  return static_cast<std::int32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(value).count());
}

/// Nobody did anything wrong: somebody else had the lock.
bool may_run_again(const Error& error) {
  const std::string_view state = error.sqlstate();
  return state == "55P03" || state == "40P01" || state == "40001";
}

Error explain(const Error& error, const MigrateOptions& options) {
  if (error.sqlstate() == "57014" && options.statement_timeout != "0") {
    return error.with_hint("a statement may take " + options.statement_timeout +
                           " while it holds its locks; if this one may take longer, begin the script with the line "
                           "\"-- switchyard: statement_timeout=10min\", or give --statement-timeout");
  }
  if (error.sqlstate() == "55P03") {
    return error.with_hint("somebody kept the lock through all attempts; the progress said who");
  }
  return error;
}

std::string timestamp_text() {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

std::string literal(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'') text += c;
    if (c == '\\') text += c;
    text += c;
  }
  // With a backslash in it only E'' means the same whatever standard_conforming_strings says.
  return (value.find('\\') == std::string_view::npos ? text : "E" + text) + "'";
}

struct Ground {
  std::string user, database;
  std::optional<std::string> current_schema;
  std::int32_t version = 0;
  std::string search_path;
};

/// What is in a schema, apart from what belongs to extensions.
constexpr std::string_view kEmptySchema = R"(SELECT NOT EXISTS (
  SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  UNION ALL
  SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  UNION ALL
  SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1 AND t.typtype IN ('e', 'd')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')))";

}  // namespace

/// One session's work on one target.
class Migrator::Run {
 public:
  Run(Migrator& owner, DatabaseHandle handle) : owner_(owner), handle_(handle), options_(owner.options_) {}

  /// Gets the session and learns where it stands.
  Task<void> open() {
    lease_.emplace(co_await handle_.lease(fleet::OnConnectFailure::fail));
    co_await stand();
  }

  /// The same on somebody else's session, which give_back() returns.
  Task<void> borrow(std::optional<Lease>& shared) {
    lease_.emplace(std::move(*shared));
    shared.reset();
    co_await stand();
  }
  void give_back(std::optional<Lease>& shared) {
    if (lease_) shared.emplace(std::move(*lease_));
    lease_.reset();
  }

  Task<void> stand() {
    if (!target().owner.empty())
      co_await lease_->script("RESET ROLE");  // somebody else's session may act as another's
    runner_.emplace(handle_, lease_->server_pid(), target().database, owner_.sink_);
    ground_ = co_await lease_->query_one<Ground>(
        "SELECT current_user::text AS \"user\", current_database()::text AS database, current_schema()::text AS "
        "current_schema, current_setting('server_version_num')::int AS version, current_setting('search_path') AS "
        "search_path");
    std::string schema = target().schema;
    if (schema.empty()) schema = ground_.current_schema.value_or("");
    if (schema.empty()) {
      throw Error(ErrorKind::Config, "no schema of the search_path \"" + ground_.search_path + "\" is there")
          .with_hint("name one: database." + target().database + ".schema");
    }
    history_.emplace(schema, target().table);
    if (target().owner.empty()) co_return;
    // With fleet.roles = "family" a migrator owns nothing: what it makes belongs to the owner.
    const auto may = co_await lease_->query_optional<bool>(
        "SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = $1 AND rolname <> "
        "current_user",
        target().owner);
    if (!may) co_return;
    if (!*may) {
      throw Error(ErrorKind::Config, ground_.user + " may not act as " + target().owner)
          .with_hint(
              "log in as the migrator of this database (switchyard provision), or set fleet.roles = \"documents\"");
    }
    identity_ = "RESET SESSION AUTHORIZATION; SET ROLE " + quote_name(target().owner);
    co_await lease_->script(identity_);
  }

  Task<TargetState> look() {
    TargetState state;
    state.schema = history_->schema();
    state.has_history =
        co_await lease_->query_value<bool>("SELECT to_regclass($1) IS NOT NULL", history_->qualified());
    if (state.has_history) {
      state.history = co_await history_->read(*lease_);
    } else {
      state.empty = co_await lease_->query_value<bool>(kEmptySchema, state.schema);
    }
    finish_checksums();
    co_return state;
  }

  Task<void> lock() {
    const TimePoint begun = now();
    const std::int64_t key = history_->lock_key();
    TimePoint told = begun;
    for (;;) {
      const bool got = co_await lease_->query_value<bool>("SELECT pg_try_advisory_lock($1)", key);
      if (got) {
        locked_ = true;
        co_return;
      }
      if (now() - begun > options_.lock_wait) {
        throw Error(ErrorKind::Deadline, "another run has the migrations' lock for " +
                                             std::to_string(milliseconds(now() - begun) / 1000) + " s")
            .with_hint(
                "see who: SELECT * FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = "
                "'advisory'");
      }
      if (now() - told >= std::chrono::seconds(1)) {
        told = now();
        const std::string holder = co_await lock_holder(key);
        step(StepKind::waits_for_run, "", holder, now() - begun);
      }
      co_await sleep(kPollInterval);
    }
  }

  /// Never throws: a session that is lost has no lock either.
  Task<void> unlock() {
    if (!locked_) co_return;
    static_cast<void>(
        co_await lease_->query_value<bool>("SELECT pg_advisory_unlock($1)", history_->lock_key()).result());
    locked_ = false;
  }

  /// The table, and the schema before it.
  Task<void> make_history() {
    const bool schema_there = co_await lease_->query_value<bool>(
        "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", history_->schema());
    co_await lease_->transaction([this, schema_there](Transaction& tx) -> Task<void> {
      if (!schema_there) co_await tx.script("CREATE SCHEMA " + quote_name(history_->schema()));
      co_await tx.script(history_->ddl());
      if (!schema_there) {
        co_await history_->add(tx, {.installed_rank = 0,
                                    .version = {},
                                    .description = "<< Flyway Schema Creation >>",
                                    .type = "SCHEMA",
                                    .script = quote_name(history_->schema()),
                                    .checksum = {},
                                    .installed_by = ground_.user,
                                    .installed_on = {}});
      }
    });
  }

  Task<void> add_baseline() {
    co_await history_->add(*lease_, {.installed_rank = 1,
                                     .version = options_.baseline_version,
                                     .description = options_.baseline_description,
                                     .type = "BASELINE",
                                     .script = options_.baseline_description,
                                     .checksum = {},
                                     .installed_by = ground_.user,
                                     .installed_on = {}});
  }

  Task<void> up(TargetReport& report) {
    TargetState state = co_await look();
    report.schema = state.schema;
    begin_report(report, state.history);
    if (is_done(state, report)) co_return;
    co_await lock();
    if (!state.has_history) co_await begin_history(report);
    state.history = co_await history_->read(*lease_);  // what it was before the lock does not count
    begin_report(report, state.history);
    const auto infos = states_of(target().set, state.history, options_.states);
    if (options_.validate) {
      co_await callbacks("beforeValidate");
      report.problems = problems_of(infos, options_.states, false);
      if (!report.problems.empty()) {
        co_await callbacks("afterValidateError");
        co_return;
      }
      co_await callbacks("afterValidate");
    }
    const auto waiting = runnable(infos);
    require_values(waiting);
    next_rank_ = state.history.empty() ? 1 : state.history.back().installed_rank + 1;
    // Flyway's order; also where the schema is there.
    co_await callbacks("createSchema");
    co_await callbacks("beforeCreateSchema");
    co_await callbacks("beforeMigrate");
    std::optional<Error> failure;
    try {
      co_await run_all(waiting, report);
    } catch (const Error& error) {
      failure = error;
    }
    if (failure) {
      if (failure->session_alive()) static_cast<void>(co_await as_result(callbacks("afterMigrateError")));
      throw *failure;
    }
    if (!report.applied.empty()) co_await callbacks("afterMigrateApplied");
    co_await callbacks("afterMigrate");
    co_await callbacks("afterMigrateOperationFinish");
  }

  Task<void> repair(TargetReport& report, bool delete_missing) {
    TargetState state = co_await look();
    report.schema = state.schema;
    if (!state.has_history) {
      report.notes.emplace_back("there is no history yet: nothing to repair");
      co_return;
    }
    co_await lock();
    co_await callbacks("beforeRepair");
    state.history = co_await history_->read(*lease_);
    co_await lease_->transaction([&, this](Transaction& tx) -> Task<void> {
      co_await repair_rows(tx, state.history, report, delete_missing);
    });
    co_await callbacks("afterRepair");
  }

  [[nodiscard]] const History& history() const { return *history_; }
  [[nodiscard]] Lease& lease() { return *lease_; }

 private:
  MigrationTarget& target() const { return owner_.target_; }

  void step(StepKind kind, const std::string& script, std::string text, Duration elapsed = {}) const {
    if (owner_.sink_) owner_.sink_({kind, target().database, script, std::move(text), elapsed});
  }

  static void begin_report(TargetReport& report, const std::vector<HistoryRow>& history) {
    if (!report.applied.empty()) return;
    const auto current = current_version(history);
    report.from = current ? current->text() : "";
    report.to = report.from;
  }

  /// Without the lock: a history that is complete needs no work.
 public:
  bool is_done(const TargetState& state, TargetReport& report) const {
    if (!state.has_history || has_callbacks()) return false;
    const auto infos = states_of(target().set, state.history, options_.states);
    if (!runnable(infos).empty()) return false;
    if (options_.validate) report.problems = problems_of(infos, options_.states, false);
    begin_report(report, state.history);
    return true;
  }

 private:
  bool has_callbacks() const {
    return std::ranges::any_of(target().set.callbacks, [](const auto& one) {
      return one.first.contains("Migrate") || one.first.contains("Validate") || one.first.contains("Schema") ||
             one.first == "afterVersioned";
    });
  }

  Task<std::string> lock_holder(std::int64_t key) {
    auto found = co_await lease_
                     ->query<std::string>(
                         "SELECT format('%s (%s, since %s)', a.pid, coalesce(nullif(a.application_name, ''), "
                         "a.usename::text), date_trunc('second', a.backend_start)) FROM pg_locks l JOIN "
                         "pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND "
                         "l.objsubid = 1 AND ((l.classid::bigint << 32) | l.objid::bigint) = $1",
                         key)
                     .result();
    co_return found.ok() && !found->empty() ? "session " + found->front() : std::string("another run");
  }

  /// Placeholders that hold for every script, and those of one.
  scripts::Placeholders placeholders(const Migration& file) const {
    scripts::Placeholders values = target().placeholders;
    for (const auto& [name, value] : options_.placeholders) values[name] = value;
    values["flyway:defaultSchema"] = history_->schema();
    values["flyway:database"] = ground_.database;
    values["flyway:user"] = ground_.user;
    values["flyway:table"] = history_->table();
    values["flyway:timestamp"] = timestamp_text();
    values["flyway:filename"] = file.script;
    values.try_emplace("flyway:environment", "default");
    std::error_code error;
    values["flyway:workingDirectory"] = std::filesystem::current_path(error).string();
    return values;
  }
  bool replaces(const Migration& file) const {
    return file.config.placeholder_replacement.value_or(options_.replace_placeholders);
  }
  Result<std::string> text_of(const Migration& file) const {
    if (!replaces(file)) return file.text;
    auto text = scripts::replace_placeholders(file.text, placeholders(file), target().marks);
    if (!text.ok()) return text.error().with_context(file.path);
    return text;
  }
  /// That a placeholder has no value is said before anything is run.
  void require_values(const std::vector<const MigrationInfo*>& waiting) const {
    for (const MigrationInfo* info : waiting) {
      if (!info->file->config.should_execute) continue;
      if (const auto text = text_of(*info->file); !text.ok()) throw text.error();
    }
  }
  /// A repeatable script is run again when a value of its placeholders has changed. One without a value is told
  /// when it is run.
  void finish_checksums() {
    for (Migration& file : target().set.repeatable) {
      if (const auto text = text_of(file); text.ok()) file.checksum = scripts::flyway_checksum(*text);
    }
  }

  Task<void> begin_history(TargetReport& report) {
    // Somebody may have made it while this run waited for the lock.
    const bool there =
        co_await lease_->query_value<bool>("SELECT to_regclass($1) IS NOT NULL", history_->qualified());
    if (there) co_return;
    // In a place that another database lends, its objects are no sign of anything.
    const bool guest = target().runs_on != target().database;
    const bool empty = guest || co_await lease_->query_value<bool>(kEmptySchema, history_->schema());
    const bool described = !target().baseline_file.empty();
    if (!empty && !options_.baseline_on_migrate && !described) {
      throw Error(ErrorKind::Config,
                  "the schema " + history_->schema() + " holds objects and no history of migrations")
          .with_hint("say which version it is at: switchyard migrate baseline --on " + target().database +
                     " --version 1");
    }
    co_await make_history();
    if (!empty) {
      co_await add_baseline();
      report.notes.push_back("found objects and no history: taken as version " + options_.baseline_version);
    } else if (described) {
      co_await run_baseline_file(report);
    }
  }

  /// The description of the state before the first migration, on a database that is empty; as a B script would be.
  Task<void> run_baseline_file(TargetReport& report) {
    Migration file;
    file.path = target().baseline_file;
    file.script = std::filesystem::path(file.path).filename().string();
    file.name.kind = scripts::FileKind::baseline;
    file.name.version = scripts::MigrationVersion::parse(options_.baseline_version).value_or_throw();
    file.name.description = "base";
    std::ifstream stream(file.path, std::ios::binary);
    file.text = {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    file.checksum = scripts::flyway_checksum(file.text);
    file.header = scripts::read_header(file.text);
    next_rank_ = 1;
    base_file_ = std::move(file);
    MigrationInfo info{MigrationState::pending, &*base_file_, nullptr};
    co_await run_one(info, report);
  }

  Task<void> run_all(const std::vector<const MigrationInfo*>& waiting, TargetReport& report) {
    bool repeatables = false;
    for (const MigrationInfo* info : waiting) {
      if (!info->file->name.version && !repeatables) {
        repeatables = true;
        co_await callbacks("afterVersioned");
        co_await callbacks("beforeRepeatables");
      }
      if (!info->file->config.should_execute) {
        report.notes.push_back(info->file->script + " is not run: shouldExecute=false");
        continue;
      }
      co_await run_one(*info, report);
    }
    if (!repeatables) co_await callbacks("afterVersioned");
  }

  /// The same ground for every script: what an earlier one has set does not reach it.
  Task<void> prepare_session(const Migration& file, bool limits) {
    const auto setting = [&](const char* name, const std::string& otherwise) {
      const auto at = file.header.settings.find(name);
      return literal(at != file.header.settings.end() ? at->second : otherwise);
    };
    std::string sql = identity_ + "; RESET ALL; SET lock_timeout = ";
    sql += setting("lock_timeout", limits ? options_.lock_timeout : "0");
    sql += "; SET statement_timeout = ";
    sql += setting("statement_timeout", limits ? options_.statement_timeout : "0");
    // So that the server notices that we are gone even during a long statement.
    if (ground_.version >= kWatchesClients) sql += "; SET client_connection_check_interval = '2s'";
    co_await lease_->script(sql);
  }

  Task<void> run_one(const MigrationInfo& info, TargetReport& report) {
    const Migration& file = *info.file;
    report.failed_script = file.script;
    const auto text = text_of(file);
    if (!text.ok()) throw text.error();
    auto statements = scripts::split_script(*text);
    if (!statements.ok()) throw statements.error().with_context(file.path);
    step(StepKind::script_begins, file.script, std::to_string(statements->size()) + " statements");
    const TimePoint begun = now();
    if (inside_transaction(file, *statements)) {
      co_await run_inside(info, std::move(*statements), begun);
    } else {
      co_await run_outside(info, std::move(*statements), begun);
    }
    const Duration took = now() - begun;
    report.applied.push_back({info.version(), info.description(), file.script, took});
    report.failed_script.clear();
    if (file.name.version &&
        (report.to.empty() || *file.name.version > scripts::MigrationVersion::parse(report.to).value_or_throw())) {
      report.to = file.name.version->text();
    }
    step(StepKind::script_done, file.script, "", took);
  }

  bool inside_transaction(const Migration& file, const std::vector<ScriptStatement>& statements) const {
    if (file.config.execute_in_transaction) return *file.config.execute_in_transaction;
    return std::ranges::none_of(statements, [&](const ScriptStatement& one) {
      return scripts::runs_outside(scripts::kind_of(one.sql, ground_.version));
    });
  }

  HistoryRow row_of(const Migration& file, bool success, std::int32_t time) const {
    return {.installed_rank = next_rank_,
            .version = file.name.version ? std::optional(file.name.version->text()) : std::nullopt,
            .description = file.name.description,
            .type = file.name.kind == scripts::FileKind::baseline ? "SQL_BASELINE" : "SQL",
            .script = file.script,
            .checksum = file.checksum,
            .installed_by = ground_.user,
            .installed_on = {},
            .execution_time = time,
            .success = success};
  }

  // --- inside a transaction

  /// BEGIN first and COMMIT last say what is so anyway; elsewhere they would tear the script apart.
  static void check_control(std::vector<ScriptStatement>& statements, const Migration& file) {
    const auto kind = [](const ScriptStatement& one) { return scripts::kind_of(one.sql); };
    if (statements.size() >= 2 && kind(statements.front()) == StatementKind::begin &&
        kind(statements.back()) == StatementKind::commit) {
      statements.erase(statements.begin());
      statements.pop_back();
    }
    for (const ScriptStatement& one : statements) {
      if (!scripts::controls_transaction(kind(one))) continue;
      throw Error(ErrorKind::Config, file.path + ":" + std::to_string(one.line) + ": " +
                                         scripts::leading_words(one.sql, 2) +
                                         " inside a script that is one transaction with its row in the history")
          .with_hint("leave it out, or put executeInTransaction=false into " + file.script + ".conf");
    }
  }

  Task<void> run_inside(const MigrationInfo& info, std::vector<ScriptStatement> statements, TimePoint begun) {
    const Migration& file = *info.file;
    check_control(statements, file);
    Duration pause = std::chrono::milliseconds(200);
    for (unsigned attempt = 1;; ++attempt) {
      co_await prepare_session(file, true);
      auto done = co_await as_result(lease_->transaction(
          [&, this](Transaction& tx) -> Task<void> { co_await run_transaction(tx, info, statements, begun); }));
      if (done.ok()) break;
      if (!may_run_again(done.error()) || attempt >= options_.attempts) {
        if (done.error().session_alive()) {
          if (statement_failed_) static_cast<void>(co_await as_result(callbacks("afterEachMigrateStatementError")));
          static_cast<void>(co_await as_result(callbacks("afterEachMigrateError")));
        }
        throw explain(done.error(), options_);
      }
      const Duration wait = pause / 2 + random_.below(pause / 2);
      step(StepKind::retry, file.script,
           std::string(done.error().message()) + "; attempt " + std::to_string(attempt + 1) + " of " +
               std::to_string(options_.attempts),
           wait);
      co_await sleep(wait);
      pause = std::min(pause * 2, options_.longest_pause);
    }
    ++next_rank_;
  }

  Task<void> run_transaction(Transaction& tx, const MigrationInfo& info,
                             const std::vector<ScriptStatement>& statements, TimePoint begun) {
    const Migration& file = *info.file;
    co_await callbacks_inside(tx, "beforeEachMigrate");
    for (std::size_t i = 0; i < statements.size(); ++i) {
      co_await run_statement(tx, statements[i], {&file, i + 1, statements.size()});
    }
    co_await callbacks_inside(tx, "afterEachMigrate");
    co_await tx.script(identity_);
    co_await history_->add(tx, row_of(file, true, milliseconds(now() - begun)));
  }

  /// With the callbacks around it, in the transaction of its script.
  Task<void> run_statement(Transaction& tx, const ScriptStatement& statement, StatementPlace place) {
    co_await callbacks_inside(tx, "beforeEachMigrateStatement");
    statement_failed_ = true;
    co_await runner_->run(tx, statement, place);
    statement_failed_ = false;
    co_await callbacks_inside(tx, "afterEachMigrateStatement");
  }

  // --- outside

  Task<void> run_outside(const MigrationInfo& info, std::vector<ScriptStatement> statements, TimePoint begun) {
    const Migration& file = *info.file;
    std::int32_t rank = next_rank_;
    std::size_t done = 0;
    bool resumed = false;
    if (info.state == MigrationState::unfinished) {
      rank = info.applied->installed_rank;
      done = info.applied->statements_done();
      resumed = true;
      if (info.applied->checksum != file.checksum) {
        throw Error(ErrorKind::Config, file.path + " is half done and has changed since")
            .with_hint("give it its text back and run again; or undo what it did, then switchyard migrate repair");
      }
      step(StepKind::note, file.script,
           "goes on after " + std::to_string(done) + " of " + std::to_string(statements.size()) + " statements");
    } else {
      co_await prepare_session(file, true);
      co_await history_->add(*lease_, row_of(file, false, -1));
      ++next_rank_;
    }
    co_await callbacks("beforeEachMigrate");
    while (done < statements.size()) {
      const std::size_t end = group_end(statements, done);
      co_await run_group(file, statements, done, end, rank, resumed);
      resumed = false;
      done = end;
    }
    co_await callbacks("afterEachMigrate");
    co_await prepare_session(file, true);
    co_await history_->progress(*lease_, rank, milliseconds(now() - begun), true);
  }

  /// BEGIN to COMMIT is one step; every other statement is one by itself.
  static std::size_t group_end(const std::vector<ScriptStatement>& statements, std::size_t begin) {
    if (scripts::kind_of(statements[begin].sql) != StatementKind::begin) return begin + 1;
    for (std::size_t at = begin + 1; at < statements.size(); ++at) {
      const StatementKind kind = scripts::kind_of(statements[at].sql);
      if (kind == StatementKind::commit || kind == StatementKind::rollback) return at + 1;
    }
    return statements.size();
  }

  Task<void> run_group(const Migration& file, const std::vector<ScriptStatement>& statements, std::size_t begin,
                       std::size_t end, std::int32_t rank, bool resumed) {
    const ScriptStatement& first = statements[begin];
    const StatementKind kind = scripts::kind_of(first.sql, ground_.version);
    if (scripts::runs_outside(kind)) {
      co_await callbacks("beforeEachMigrateStatement");
      co_await prepare_session(file, false);
      co_await run_alone(file, first, kind, {&file, begin + 1, statements.size()}, resumed);
      co_await history_->progress(*lease_, rank, -static_cast<std::int32_t>(end) - 1, false);
      co_await callbacks("afterEachMigrateStatement");
      co_return;
    }
    const bool rolled_back = scripts::kind_of(statements[end - 1].sql) == StatementKind::rollback;
    const std::size_t from = kind == StatementKind::begin ? begin + 1 : begin;
    const std::size_t to =
        end > from && scripts::controls_transaction(scripts::kind_of(statements[end - 1].sql)) ? end - 1 : end;
    co_await retried(file, [&, this](Transaction& tx) -> Task<void> {
      for (std::size_t i = from; i < to && !rolled_back; ++i) {
        co_await run_statement(tx, statements[i], {&file, i + 1, statements.size()});
      }
      co_await tx.script(identity_);
      co_await history_->progress(tx, rank, -static_cast<std::int32_t>(end) - 1, false);
    });
  }

  template <class F>
  Task<void> retried(const Migration& file, F function) {
    Duration pause = std::chrono::milliseconds(200);
    for (unsigned attempt = 1;; ++attempt) {
      co_await prepare_session(file, true);
      auto done = co_await as_result(lease_->transaction(function));
      if (done.ok()) co_return;
      if (!may_run_again(done.error()) || attempt >= options_.attempts) {
        if (done.error().session_alive() && statement_failed_) {
          static_cast<void>(co_await as_result(callbacks("afterEachMigrateStatementError")));
        }
        throw explain(done.error(), options_);
      }
      const Duration wait = pause / 2 + random_.below(pause / 2);
      step(StepKind::retry, file.script, std::string(done.error().message()), wait);
      co_await sleep(wait);
      pause = std::min(pause * 2, options_.longest_pause);
    }
  }

  /// What an earlier attempt has left is looked for first.
  Task<void> run_alone(const Migration& file, const ScriptStatement& statement, StatementKind kind,
                       StatementPlace place, bool resumed) {
    if (kind == StatementKind::create_index) {
      const bool there = co_await clear_index(file, statement);
      if (there && resumed) co_return;
    } else if (kind == StatementKind::drop_index && resumed) {
      const bool there = co_await lease_->query_value<bool>("SELECT to_regclass($1) IS NOT NULL",
                                                            scripts::index_of(statement.sql));
      if (!there) co_return;
    } else if (kind == StatementKind::reindex) {
      co_await clear_rebuilt(file);
    }
    if (kind == StatementKind::detach && co_await finish_detaching(file, statement, resumed)) co_return;
    auto done = co_await as_result(runner_->run(*lease_, statement, place));
    if (done.ok() || (resumed && is_done_already(done.error()))) co_return;
    if (done.error().session_alive()) {
      static_cast<void>(co_await as_result(callbacks("afterEachMigrateStatementError")));
    }
    throw done.error();
  }

  /// DETACH PARTITION CONCURRENTLY that was interrupted between its two transactions stays pending, and nothing but
  /// FINALIZE is allowed then (manual, ALTER TABLE). True when nothing is left to do.
  Task<bool> finish_detaching(const Migration& file, const ScriptStatement& statement, bool resumed) {
    const std::string partition = scripts::detached_partition(statement.sql);
    const std::string parent = scripts::altered_table(statement.sql);
    const auto pending = co_await lease_->query_optional<bool>(
        "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass($1) AND inhparent = to_regclass($2)",
        partition, parent);
    if (!pending) co_return resumed;
    if (!*pending) co_return false;
    step(StepKind::note, file.script, "finishes detaching " + partition + ", which an earlier attempt has begun");
    co_await lease_->script("ALTER TABLE " + parent + " DETACH PARTITION " + partition + " FINALIZE");
    co_return true;
  }

  static bool is_done_already(const Error& error) {
    constexpr std::string_view kStates[] = {"42P04", "42710", "42P07", "3D000", "42704"};
    return std::ranges::find(kStates, error.sqlstate()) != std::end(kStates);
  }

  struct FoundIndex {
    std::string name;
    bool valid = false;
  };

  /// Drops invalid indexes that CREATE INDEX CONCURRENTLY has left and nobody builds now. True when a valid one of
  /// that name is there.
  Task<bool> clear_index(const Migration& file, const ScriptStatement& statement) {
    const std::string name = scripts::index_of(statement.sql);
    const std::string table = scripts::indexed_table(statement.sql);
    const auto found = co_await lease_->query<FoundIndex>(
        "SELECT i.indexrelid::regclass::text AS name, i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON "
        "c.oid "
        "= i.indexrelid WHERE i.indrelid = to_regclass($1) AND ($2 = '' OR c.relname = "
        "(parse_ident(nullif($2, '')))[1]) AND ($2 <> '' OR NOT i.indisvalid) AND NOT EXISTS (SELECT FROM "
        "pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid AND p.pid <> pg_backend_pid())",
        table, name);
    bool valid = false;
    for (const FoundIndex& one : found) {
      if (one.valid) {
        valid = true;
        continue;
      }
      step(StepKind::note, file.script,
           "drops the invalid index " + one.name + ", which an earlier attempt has left");
      co_await lease_->script("DROP INDEX CONCURRENTLY IF EXISTS " + one.name);
    }
    co_return valid;
  }

  /// What REINDEX CONCURRENTLY leaves when it is interrupted (manual, REINDEX: "_ccnew", "_ccold").
  Task<void> clear_rebuilt(const Migration& file) {
    const auto found = co_await lease_->query<std::string>(
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN "
        "pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND NOT i.indisvalid AND c.relname ~ "
        "'_cc(new|old)[0-9]*$' AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = "
        "i.indexrelid)",
        history_->schema());
    for (const std::string& name : found) {
      step(StepKind::note, file.script, "drops the invalid index " + name + ", which an earlier attempt has left");
      co_await lease_->script("DROP INDEX CONCURRENTLY IF EXISTS " + name);
    }
  }

  // --- callbacks

  Task<void> run_callback(Querier& on, const Migration& file) {
    const auto text = text_of(file);
    if (!text.ok()) throw text.error();
    const auto statements = scripts::split_script(*text);
    if (!statements.ok()) throw statements.error().with_context(file.path);
    for (std::size_t i = 0; i < statements->size(); ++i) {
      co_await runner_->run(on, (*statements)[i], {&file, i + 1, statements->size()});
    }
  }
  Task<void> callbacks_inside(Transaction& tx, std::string event) {
    const auto at = target().set.callbacks.find(event);
    if (at == target().set.callbacks.end()) co_return;
    for (const Migration& file : at->second) co_await run_callback(tx, file);
  }
  /// Each in a transaction of its own, unless its statements forbid that.
  Task<void> callbacks(std::string event) {
    const auto at = target().set.callbacks.find(event);
    if (at == target().set.callbacks.end()) co_return;
    for (const Migration& file : at->second) {
      co_await prepare_session(file, true);
      const auto text = text_of(file);
      const auto statements = scripts::split_script(text.ok() ? *text : file.text);
      if (statements.ok() && !inside_transaction(file, *statements)) {
        co_await run_callback(*lease_, file);
        continue;
      }
      co_await lease_->transaction([&, this](Transaction& tx) -> Task<void> { co_await run_callback(tx, file); });
    }
  }

  // --- repair

  Task<void> repair_rows(Transaction& tx, const std::vector<HistoryRow>& history, TargetReport& report,
                         bool delete_missing) {
    const std::string table = history_->qualified();
    for (const HistoryRow& row : history) {
      if (row.success || row.unfinished()) continue;
      co_await tx.execute("DELETE FROM " + table + " WHERE installed_rank = $1", row.installed_rank);
      report.notes.push_back("removed the failed migration " + row.version.value_or(row.description));
    }
    std::int32_t rank = history.empty() ? 1 : history.back().installed_rank + 1;
    for (const MigrationInfo& info : states_of(target().set, history, options_.states)) {
      if (info.applied == nullptr || (!info.applied->success && !info.applied->unfinished())) continue;
      const HistoryRow& row = *info.applied;
      if (info.file == nullptr) {
        if (info.state != MigrationState::missing || !row.version) continue;
        if (!delete_missing) {
          report.notes.push_back("version " + *row.version + " has no file; --delete-missing marks it as deleted");
          continue;
        }
        HistoryRow deleted = row;
        deleted.installed_rank = rank++;
        deleted.type = "DELETE";
        deleted.installed_by = ground_.user;
        deleted.execution_time = 0;
        deleted.success = true;
        co_await history_->add(tx, deleted);
        report.notes.push_back("marked version " + *row.version + " as deleted");
        continue;
      }
      if (info.state == MigrationState::baseline || info.state == MigrationState::deleted ||
          info.state == MigrationState::superseded || info.state == MigrationState::outdated) {
        continue;
      }
      const std::string type = row.type == "SQL_BASELINE" ? "SQL_BASELINE" : "SQL";
      if (row.checksum == info.file->checksum && row.description == info.file->name.description &&
          row.type == type) {
        continue;
      }
      if (!row.version) continue;
      co_await tx.execute(
          "UPDATE " + table + " SET description = $2, type = $3, checksum = $4 WHERE installed_rank = $1",
          row.installed_rank, info.file->name.description, type, info.file->checksum);
      report.notes.push_back("took over checksum and name of " + info.file->script);
    }
    if (report.notes.empty()) report.notes.emplace_back("nothing to repair");
  }

  Migrator& owner_;
  DatabaseHandle handle_;
  const MigrateOptions& options_;
  std::optional<Lease> lease_;
  std::optional<StatementRunner> runner_;
  std::optional<History> history_;
  std::optional<Migration> base_file_;
  Ground ground_;
  std::string identity_ = "RESET SESSION AUTHORIZATION; RESET ROLE";  ///< who scripts and the history belong to
  std::int32_t next_rank_ = 1;
  bool locked_ = false;
  bool statement_failed_ = false;  ///< the last one that was begun, if nothing else failed before
  Random random_{static_cast<std::uint64_t>(Clock::now().time_since_epoch().count())};
};

Migrator::Migrator(Fleet& fleet, MigrationTarget& target, MigrateOptions options, StepSink sink)
    : fleet_(fleet), target_(target), options_(std::move(options)), sink_(std::move(sink)) {}
Migrator::~Migrator() = default;

Task<TargetState> Migrator::look() {
  Run run(*this, fleet_.database(target_.runs_on).value_or_throw());
  co_await run.open();
  co_return co_await run.look();
}

Task<TargetReport> Migrator::up() {
  TargetReport report;
  report.database = target_.database;
  const TimePoint begun = now();
  for (int session = 1;; ++session) {
    report.error.reset();
    Run run(*this, fleet_.database(target_.runs_on).value_or_throw());
    auto done = co_await as_result([](Run& work, TargetReport& into) -> Task<void> {
      co_await work.open();
      co_await work.up(into);
    }(run, report));
    if (done.ok()) {
      co_await run.unlock();
      break;
    }
    report.error = done.error();
    if (done.error().session_alive()) {
      co_await run.unlock();
      break;
    }
    // The history says what was done: a lost COMMIT is no riddle here.
    const bool came_far =
        done.error().stage() == ErrorStage::sent || done.error().stage() == ErrorStage::commit_sent;
    if (!came_far || session >= kSessions) break;
    if (sink_) {
      sink_({StepKind::note,
             target_.database,
             report.failed_script,
             "the session was lost (" + std::string(done.error().message()) + "); looks what was done",
             {}});
    }
  }
  report.took = now() - begun;
  co_return report;
}

Task<std::optional<TargetReport>> Migrator::glance(std::optional<Lease>& shared) {
  TargetReport report;
  report.database = target_.database;
  const TimePoint begun = now();
  Run run(*this, fleet_.database(target_.runs_on).value_or_throw());
  auto done = co_await as_result([](Run& work, std::optional<Lease>& lease, TargetReport& into) -> Task<bool> {
    co_await work.borrow(lease);
    const TargetState state = co_await work.look();
    into.schema = state.schema;
    co_return work.is_done(state, into);
  }(run, shared, report));
  run.give_back(shared);
  if (!done.ok() || !*done) co_return std::nullopt;
  report.took = now() - begun;
  co_return report;
}

Task<TargetReport> Migrator::baseline() {
  TargetReport report;
  report.database = target_.database;
  Run run(*this, fleet_.database(target_.runs_on).value_or_throw());
  co_await run.open();
  co_await run.lock();
  auto done = co_await as_result([](Run& work, TargetReport& into, const MigrateOptions& options) -> Task<void> {
    TargetState state = co_await work.look();
    into.schema = state.schema;
    for (const HistoryRow& row : state.history) {
      if (row.type == "SCHEMA") continue;
      if (row.type == "BASELINE" && row.version == options.baseline_version) {
        into.notes.push_back("the history begins at version " + *row.version + " already");
        co_return;
      }
      throw Error(ErrorKind::Usage,
                  "the history holds migrations already: version " + row.version.value_or(row.description));
    }
    static_cast<void>(scripts::MigrationVersion::parse(options.baseline_version).value_or_throw());
    if (!state.has_history) co_await work.make_history();
    co_await work.add_baseline();
    into.to = options.baseline_version;
    into.notes.push_back("the history begins at version " + options.baseline_version);
  }(run, report, options_));
  co_await run.unlock();
  if (!done.ok()) throw done.error();
  co_return report;
}

Task<TargetReport> Migrator::repair(bool delete_missing) {
  TargetReport report;
  report.database = target_.database;
  Run run(*this, fleet_.database(target_.runs_on).value_or_throw());
  co_await run.open();
  auto done = co_await as_result(run.repair(report, delete_missing));
  co_await run.unlock();
  if (!done.ok()) throw done.error();
  co_return report;
}

}  // namespace switchyard::inline v0::schema
