#include <switchyard/move/mover.hpp>

#include <switchyard/move/capture.hpp>
#include <switchyard/move/fence.hpp>
#include <switchyard/move/log_reader.hpp>
#include <switchyard/move/structure.hpp>
#include <switchyard/move/verify.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/schema/fleet_migration.hpp>

#include <algorithm>
#include <optional>
#include <random>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::move {
namespace {

using namespace std::chrono_literals;

/// A lock that makes writers queue behind us is given up after this.
constexpr std::string_view kLockTimeout = "250ms";
/// The same of the lock for the switch.
constexpr std::string_view kSwitchLock = "250ms";
/// Between attempts to get locks for DDL.
constexpr Duration kLockPause = 250ms;
/// The switch is tried when so few changes wait.
constexpr std::uint64_t kFewChanges = 2000;
constexpr Duration kSwitchPauseMin = 200ms;
constexpr Duration kSwitchPauseMax = 3s;
/// How long another process that works on the same move is waited for.
constexpr Duration kOthersGone = 15s;
constexpr std::size_t kCopyReport = 1 << 20;

Error cant(std::string what, std::string hint) {
  return Error(ErrorKind::Config, std::move(what)).with_hint(std::move(hint));
}

bool is_lock_timeout(const Error& error) {
  return error.sqlstate() == "55P03" || error.sqlstate() == "40P01" || error.sqlstate() == "57014";
}

Task<void> run_all(Transaction& tx, const std::vector<std::string>& statements) {
  std::string script;
  for (const std::string& statement : statements) script += statement + ";\n";
  if (!script.empty()) co_await tx.script(script);
}

/// The move's own writes pass its fences and are not captured.
Task<void> as_mover(Transaction& tx, const MovePlan& plan) {
  co_await tx.query_value<std::string>("SELECT set_config($1, $2, true)", std::string(kApplySetting), plan.tag);
}

std::string random_tag() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string tag;
  std::random_device random;
  for (int i = 0; i < 8; ++i) tag += kDigits[random() % kDigits.size()];
  return tag;
}

std::string joined(const MovePlan& plan) {
  std::string out;
  for (const TablePlan& table : plan.tables) out += (out.empty() ? "" : ", ") + table.shown();
  return out;
}

FenceText not_yet(const MovePlan& plan) {
  return {.message = joined(plan) + ": being moved here, and still owned by the database '" + plan.from + "' (" +
                     plan.from_place + ")",
          .hint = "write there until the move has switched: switchyard move status"};
}
FenceText gone(const MovePlan& plan) {
  return {.message = joined(plan) + ": moved to the database '" + plan.to + "' (" + plan.to_place + ")",
          .hint = "send the statement there: fleet[" + plan.to + "]"};
}
FenceText back_again(const MovePlan& plan) {
  return {.message = joined(plan) + ": back at the database '" + plan.from + "' (" + plan.from_place + ")",
          .hint = "send the statement there: fleet[" + plan.from + "]"};
}

}  // namespace

/// One verb: sessions of both sides, and what is known of the move.
class Mover::Run {
 public:
  explicit Run(Mover& owner) : owner_(owner), options_(owner.options_) {}

  Task<void> open() {
    source_.emplace(co_await handle(owner_.from_).lease(fleet::OnConnectFailure::fail));
    target_.emplace(co_await handle(owner_.to_).lease(fleet::OnConnectFailure::fail));
    constexpr std::string_view kWho =
        "SELECT concat_ws('/', system_identifier, current_database()) FROM pg_control_system()";
    const auto a = co_await as_result(identity(*source_, kWho));
    const auto b = co_await as_result(identity(*target_, kWho));
    if (a.ok() && b.ok() && *a == *b) {
      throw cant("'" + owner_.from_ + "' and '" + owner_.to_ + "' are one database: there is nothing to move",
                 "configure another place for '" + owner_.to_ + "'");
    }
    for (Lease* lease : {&*source_, &*target_}) {
      // A server that loses us ends the session, and with it our locks.
      // Texts are the same whatever the server's settings are. A server that loses us ends the session, and with it
      // our locks.
      co_await lease->script(
          "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
          " SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; SET timezone = "
          "'UTC';"
          " SET bytea_output = 'hex'; SET lc_monetary = 'C'");
      // Not on every platform.
      (void)co_await as_result(run_script(*lease, "SET client_connection_check_interval = '1s'"));
    }
    if (owner_.exclusive_) {
      co_await keep_others_away(*source_);
      co_await keep_others_away(*target_);
    }
    record_.reset();
    copy_.reset();
    record_ = co_await read_source(*source_, name());
    if (record_) copy_ = co_await read_target(*target_, record_->plan.tag);
  }

  /// One process a move. Of one that was killed the server may not know yet: what it had sent is done first.
  Task<void> keep_others_away(Lease& lease) {
    const TimePoint until = deadline_after(runtime::now(), kOthersGone);
    for (;;) {
      const bool mine = co_await lease.query_value<bool>(
          "SELECT pg_try_advisory_lock(hashtext('switchyard move'), hashtext($1))", name());
      if (mine) co_return;
      if (runtime::now() >= until) {
        throw Error(ErrorKind::Unavailable, "another process works on the move " + name())
            .with_hint("wait for it, or end it: what it has done stays");
      }
      co_await sleep(kLockPause);
    }
  }

  [[nodiscard]] std::string name() const { return owner_.from_ + "-" + owner_.to_; }
  [[nodiscard]] const std::optional<SourceRecord>& record() const { return record_; }
  [[nodiscard]] SourceRecord& need() {
    if (!record_) {
      throw cant("there is no move from '" + owner_.from_ + "' to '" + owner_.to_ + "'",
                 "switchyard move status lists what there is");
    }
    return *record_;
  }

  Task<void> forward() {
    if (!record_) co_await begin();
    co_await settle();
    if (record_->phase >= Phase::switched) co_return;
    if (!copy_) co_await make_structure();
    if (copy_->phase == CopyPhase::opened) co_await close_again();
    co_await copy_tables();
    if (copy_->phase == CopyPhase::structure) co_await make_indexes();
    co_await catch_up(kFewChanges);
    if (copy_->phase == CopyPhase::indexed) co_await tie();
    if (record_->phase == Phase::captured && options_.verify) co_await verify();
    if (options_.stop_before_switch) co_return;
    co_await switch_over();
  }

  Task<void> follow_once() {
    (void)need();
    co_await settle();
    if (record_->phase != Phase::switched) throw cant("this move has not been switched", "switchyard move status");
    co_await catch_up_back(0);
  }

  Task<void> back() {
    (void)need();
    if (record_->phase == Phase::confirmed) {
      throw cant("the move was confirmed: the way back is closed", "move the tables again: switchyard move " +
                                                                       shown_tables() + " --from " + owner_.to_ +
                                                                       " --to " + owner_.from_);
    }
    if (record_->phase < Phase::switched) {
      throw cant("the move has not been switched: '" + owner_.from_ + "' owns the tables",
                 "switchyard move abort --from " + owner_.from_ + " --to " + owner_.to_);
    }
    co_await settle();
    if (record_->phase == Phase::returned) co_return;
    co_await catch_up_back(kFewChanges);
    co_await switch_back();
  }

  Task<void> confirm();
  Task<void> abort();

  Task<MoveReport> report() {
    MoveReport out = std::move(report_);
    out.name = name();
    out.from = owner_.from_;
    out.to = owner_.to_;
    if (record_) {
      out.phase = record_->phase;
      out.from_place = record_->plan.from_place;
      out.to_place = record_->plan.to_place;
      out.started_at = record_->started_at;
      out.changed_at = record_->changed_at;
      if (out.tables.empty()) {
        for (const TablePlan& table : record_->plan.tables) {
          out.tables.push_back({table.shown(), static_cast<std::uint64_t>(table.rows), verified_});
        }
      }
      out.lag = co_await lag();
    }
    co_return out;
  }

 private:
  [[nodiscard]] DatabaseHandle handle(const std::string& database) const {
    return owner_.fleet_.database(database).value_or_throw();
  }
  static Task<std::string> identity(Lease& lease, std::string_view sql) {
    co_return co_await lease.query_value<std::string>(sql);
  }
  static Task<void> run_script(Lease& lease, std::string_view sql) { co_await lease.script(sql); }
  [[nodiscard]] std::string place_of(const std::string& database) const {
    const ConnectionOptions& at = owner_.fleet_.config().find(database)->primary.connection;
    std::string host = at.hosts.empty() ? std::string() : at.hosts.front().host;
    const std::string port = at.hosts.empty() ? std::string() : std::to_string(at.hosts.front().port);
    return host + ":" + port + "/" + at.dbname;
  }
  [[nodiscard]] std::string shown_tables() const {
    std::string out;
    for (const TablePlan& table : record_->plan.tables) out += (out.empty() ? "" : " ") + table.shown();
    return out;
  }
  void step(std::string_view name) const {
    if (options_.on_step) options_.on_step(name);
  }
  void progress(Progress progress) const {
    if (options_.on_progress) options_.on_progress(progress);
  }
  const MovePlan& plan() const { return record_->plan; }

  /// DDL that may have to wait for others: never for longer than they should wait for us.
  template <class F>
  Task<void> with_short_locks(Lease& lease, F body) {
    const TimePoint until = deadline_after(runtime::now(), options_.switch_patience);
    for (;;) {
      auto done = co_await as_result(lease.transaction([&](Transaction& tx) -> Task<void> {
        co_await tx.script("SET LOCAL lock_timeout = '" + std::string(kLockTimeout) + "'");
        co_await body(tx);
      }));
      if (done.ok()) co_return;
      if (!is_lock_timeout(done.error()) || runtime::now() >= until) {
        throw done.error().with_hint(is_lock_timeout(done.error())
                                         ? "somebody keeps a lock on the tables: pg_locks and pg_stat_activity say "
                                           "who; the next run goes on"
                                         : std::string(done.error().hint()));
      }
      progress({.step = "wait", .what = "for a lock on the tables, held by somebody else"});
      co_await sleep(kLockPause);
    }
  }

  Task<std::vector<std::string>> chosen(Transaction& tx) {
    std::vector<std::string> tables = options_.tables;
    if (!options_.schema.empty()) tables = co_await tables_of_schema(tx, options_.schema);
    const DatabaseConfig& to = *owner_.fleet_.config().find(owner_.to_);
    if (tables.empty() && options_.schema.empty()) {
      for (const std::string& one : *to.tables) {
        const bool there = co_await tx.query_value<bool>("SELECT to_regclass($1) IS NOT NULL", one);
        if (there) tables.push_back(one);
      }
    }
    if (tables.empty()) {
      throw cant("there are no tables to move from '" + owner_.from_ + "'",
                 "name them, or list them in database." + owner_.to_ + ".tables");
    }
    // What goes to a database that this one stands in for goes there as a whole: afterwards nobody looks here.
    if (stands_in()) {
      for (const std::string& one : *to.tables) {
        const bool left = co_await tx.query_value<bool>(
            "SELECT to_regclass($1) IS NOT NULL AND NOT EXISTS (SELECT FROM unnest($2::text[]) t WHERE"
            " to_regclass(t) = to_regclass($1))",
            one, tables);
        if (left) {
          throw cant("'" + one + "' belongs to '" + owner_.to_ + "' as well and would be left behind in '" +
                         owner_.from_ + "'",
                     "move all of them at once: leave the names away");
        }
      }
    }
    co_return tables;
  }
  /// Operations for the target go to the source until the ownership map says otherwise.
  [[nodiscard]] bool stands_in() const { return options_.stands_in; }

  Task<void> begin() {
    SourceRecord fresh;
    fresh.plan.name = name();
    fresh.plan.tag = random_tag();
    fresh.plan.from = owner_.from_;
    fresh.plan.to = owner_.to_;
    fresh.plan.from_place = place_of(owner_.from_);
    fresh.plan.to_place = place_of(owner_.to_);
    co_await source_->transaction([&](Transaction& tx) -> Task<void> {
      const auto tables = co_await chosen(tx);
      fresh.plan.tables = co_await read_tables(tx, tables);
    });
    co_await target_->transaction([&](Transaction& tx) -> Task<void> {
      const bool may = co_await tx.query_value<bool>(
          "SELECT has_database_privilege(current_database(), 'CREATE') AND NOT pg_is_in_recovery()");
      if (!may) {
        throw cant("the login at '" + owner_.to_ + "' may not make schemas and tables there",
                   "GRANT CREATE ON DATABASE ... TO its role, or connect to the primary");
      }
    });
    co_await with_short_locks(*source_, [&](Transaction& tx) -> Task<void> {
      co_await run_all(tx, record_ddl());
      co_await insert_source(tx, fresh);
      co_await run_all(tx, capture_statements(fresh.plan));
      // Repeating begins here: whoever wrote before is finished, whoever writes later is logged.
      fresh.back.done = co_await tx.query_value<std::string>("SELECT pg_current_snapshot()::text");
    });
    record_ = co_await read_source(*source_, name());
    step("captured");
  }

  Task<void> make_structure() {
    Structure structure;
    co_await source_->transaction(
        [&](Transaction& tx) -> Task<void> { structure = co_await read_structure(tx, plan()); });
    co_await target_->transaction([&](Transaction& tx) -> Task<void> {
      co_await run_all(tx, record_ddl());
      const bool there = co_await compare_existing(tx);
      if (!there) {
        co_await tx.script("SET LOCAL check_function_bodies = off");
        co_await make_missing(tx, structure.before_copy);
      }
      // Nothing that was logged is older than the log.
      co_await insert_target(tx, plan(), !there, {.done = "1:1:", .window = "", .seq = 0});
      co_await run_all(tx, fence_functions(plan(), not_yet(plan())));
      co_await run_all(tx, writes_fence(plan()));
      if (there) {
        co_await run_all(tx, triggers_off(plan()));
        co_await drop_foreign_keys(tx);
      }
    });
    copy_ = co_await read_target(*target_, plan().tag);
    step("structure");
  }

  /// They are made again when the rows are there.
  Task<void> drop_foreign_keys(Transaction& tx) {
    std::vector<std::string> names;
    for (const TablePlan& table : plan().tables) names.push_back(table.qualified());
    for (const std::string& statement : co_await tx.query<std::string>(
             "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint"
             " WHERE contype = 'f' AND conrelid IN (SELECT to_regclass(n) FROM unnest($1::text[]) n)",
             names)) {
      co_await tx.script(statement);
    }
  }

  /// True: the tables are there already, empty and of the same shape.
  Task<bool> compare_existing(Transaction& tx) {
    std::size_t found = 0;
    const std::vector<std::string> shapes = co_await read_shapes(tx, plan());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const TablePlan& table = plan().tables[i];
      const std::string& shape = shapes[i];
      if (shape.empty()) continue;
      ++found;
      if (shape != table.shape) {
        throw cant(table.shown() + " is in '" + owner_.to_ + "' with other columns (" + shape + ") than in '" +
                       owner_.from_ + "' (" + table.shape + ")",
                   "make them equal, or drop the empty one: the move makes it");
      }
      const bool rows = co_await tx.query_value<bool>("SELECT EXISTS (SELECT FROM " + table.qualified() + ")");
      if (rows) {
        throw cant(table.shown() + " holds rows in '" + owner_.to_ + "' already",
                   "look whose they are; the move only fills an empty table");
      }
    }
    if (found != 0 && found != plan().tables.size()) {
      throw cant("some of the tables are in '" + owner_.to_ + "' already, and some are not",
                 "make all of them there, or none");
    }
    co_return found != 0;
  }

  /// Types and functions may be there; the rest must not.
  Task<void> make_missing(Transaction& tx, const std::vector<std::string>& statements) {
    for (const std::string& statement : statements) {
      const bool shared = statement.starts_with("CREATE TYPE") || statement.starts_with("CREATE DOMAIN");
      if (!shared) {
        co_await tx.script(statement);
        continue;
      }
      const auto made = co_await as_result(savepoint(tx, statement));
      if (!made.ok() && made.error().sqlstate() != "42710") throw made.error();
    }
  }
  static Task<void> savepoint(Transaction& tx, const std::string& statement) {
    co_await tx.transaction([&](Transaction& inner) -> Task<void> { co_await inner.script(statement); });
  }

  Task<void> copy_tables() {
    std::uint64_t total = 0;
    for (const TablePlan& table : plan().tables) total += static_cast<std::uint64_t>(table.rows);
    std::uint64_t before = 0;
    for (const TablePlan& table : plan().tables) {
      if (!copy_->copied.contains(table.number)) {
        co_await copy_table(table, before, total);
        step("copied");
      }
      before += static_cast<std::uint64_t>(table.rows);
    }
  }

  Task<void> copy_table(const TablePlan& table, std::uint64_t before, std::uint64_t total) {
    std::string columns;
    for (const std::string& column : table.columns) columns += (columns.empty() ? "" : ", ") + quote_name(column);
    std::string snapshot;
    co_await source_->transaction(
        {.isolation = Isolation::repeatable_read, .access = Access::read_only},
        [&](Transaction& reader) -> Task<void> {
          snapshot = co_await reader.query_value<std::string>("SELECT pg_current_snapshot()::text");
          co_await target_->transaction([&](Transaction& writer) -> Task<void> {
            co_await as_mover(writer, plan());
            // A copy that was cut short has left nothing; a table that is there may not have rows.
            CopyOut out = reader.copy_out("COPY (SELECT " + columns + " FROM " + table.qualified() + ") TO STDOUT");
            CopyIn in = writer.copy_in("COPY " + table.qualified() + " (" + columns + ") FROM STDIN");
            std::uint64_t rows = 0;
            std::size_t bytes = 0;
            for (;;) {
              const auto line = co_await out.next();
              if (!line) break;
              co_await in.write(*line);
              ++rows;
              bytes += line->size();
              if (bytes >= kCopyReport) {
                bytes = 0;
                progress({.step = "copy", .what = table.shown(), .done = before + rows, .total = total});
              }
            }
            co_await in.finish();
            co_await set_copied(writer, plan().tag, table.number, snapshot);
            progress({.step = "copy",
                      .what = table.shown(),
                      .done = before + rows,
                      .total = std::max(total, before + rows)});
          });
        });
    copy_->copied[table.number] = snapshot;
  }

  Task<void> make_indexes() {
    Structure structure;
    std::vector<std::string> rest;
    co_await source_->transaction([&](Transaction& tx) -> Task<void> {
      structure = co_await read_structure(tx, plan());
      if (!options_.schema.empty()) rest = co_await read_schema_rest(tx, plan(), options_.schema);
    });
    progress({.step = "index", .what = "keys and indexes"});
    co_await target_->transaction([&](Transaction& tx) -> Task<void> {
      if (copy_->made_tables) {
        co_await tx.script("SET LOCAL check_function_bodies = off");
        co_await as_mover(tx, plan());
        co_await run_all(tx, structure.after_copy);
        co_await make_in_passes(tx, rest);
        co_await run_all(tx, triggers_off(plan()));
      }
      co_await run_all(tx, capture_statements(plan()));
      co_await tx.script(apply_function(plan(), Standing::in_place));
      co_await set_phase(tx, plan().tag, CopyPhase::indexed);
    });
    copy_->phase = CopyPhase::indexed;
    step("indexed");
  }

  /// All tables are at one moment: what refers to each other is there.
  Task<void> tie() {
    Structure structure;
    co_await source_->transaction(
        [&](Transaction& tx) -> Task<void> { structure = co_await read_structure(tx, plan()); });
    progress({.step = "index", .what = "foreign keys"});
    co_await target_->transaction([&](Transaction& tx) -> Task<void> {
      co_await run_all(tx, structure.foreign_keys);
      co_await set_phase(tx, plan().tag, CopyPhase::tied);
    });
    copy_->phase = CopyPhase::tied;
    step("tied");
  }

  /// Functions and views refer to each other: what does not work yet is tried again when others are there.
  Task<void> make_in_passes(Transaction& tx, std::vector<std::string> statements) {
    while (!statements.empty()) {
      std::vector<std::string> left;
      std::optional<Error> problem;
      for (const std::string& statement : statements) {
        const auto made = co_await as_result(savepoint(tx, statement));
        if (made.ok() || made.error().sqlstate() == "42723") continue;
        problem = made.error();
        left.push_back(statement);
      }
      if (left.size() == statements.size()) throw *problem;
      statements = std::move(left);
    }
  }

  // ---- repeating ----

  /// Repeats on the target what the source has logged, until at most `few` changes were new in a whole look.
  Task<void> catch_up(std::uint64_t few) {
    for (;;) {
      const std::uint64_t repeated = co_await repeat(*source_, *target_, copy_->position, &copy_->copied, {});
      if (repeated <= few) co_return;
    }
  }
  Task<void> catch_up_back(std::uint64_t few) {
    for (;;) {
      const std::uint64_t repeated = co_await repeat(*target_, *source_, record_->back, nullptr, {});
      if (repeated <= few) co_return;
    }
  }

  /// What is visible now in the log of `from` and was not repeated on `to`; `until` names another moment than now.
  template <class From>
  Task<std::uint64_t> repeat(From& from, Lease& to, Position& position,
                             const std::map<std::int32_t, std::string>* copied, std::string until) {
    std::uint64_t all = 0;
    if (position.window.empty()) {
      position.window = until.empty() ? co_await current_snapshot(from) : until;
      position.seq = 0;
    }
    for (;;) {
      const LogBatch batch = co_await read_log(from, plan(), position, copied, options_.batch);
      const bool last = batch.size() < options_.batch;
      Position next = position;
      next.seq = batch.empty() ? position.seq : batch.last_seq;
      if (last) next = {.done = position.window, .window = "", .seq = 0};
      if (!batch.empty()) {
        co_await to.transaction([&](Transaction& tx) -> Task<void> {
          co_await tx.script("SET CONSTRAINTS ALL DEFERRED");
          co_await apply(tx, batch);
          co_await set_position(tx, plan().tag, next);
        });
        step("repeated");
      }
      position = next;
      all += batch.size();
      report_.repeated += batch.size();
      progress(
          {.step = "catch up", .what = {}, .done = report_.repeated, .total = 0, .lag = last ? 0 : batch.size()});
      if (last) break;
    }
    if (all != 0 || ++idle_looks_ % 20 == 0) co_await prune(from, position);
    co_return all;
  }

  Task<void> apply(Transaction& tx, const LogBatch& batch) {
    co_await tx.query_value<std::string>(
        "SELECT coalesce(" + plan().object("apply") + "($1, $2, $3, $4)::text, '')", batch.tables, batch.operations,
        batch.befores, batch.afters);
  }

  /// What has been repeated durably is not needed any more.
  template <class From>
  Task<void> prune(From& from, const Position& position) {
    co_await from.execute(
        "DELETE FROM " + plan().object("log") + " WHERE pg_visible_in_snapshot(txid, $1::text::pg_snapshot)",
        position.done);
  }
  template <class From>
  static Task<std::string> current_snapshot(From& from) {
    co_return co_await from.template query_value<std::string>("SELECT pg_current_snapshot()::text");
  }

  Task<std::uint64_t> lag() {
    if (!record_ || record_->phase == Phase::confirmed || !copy_) co_return 0;
    const bool back = record_->phase == Phase::switched;
    Lease& where = back ? *target_ : *source_;
    const bool there = co_await where.query_value<bool>("SELECT to_regclass($1) IS NOT NULL", plan().object("log"));
    if (!there) co_return 0;
    co_return static_cast<std::uint64_t>(
        co_await where.query_value<std::int64_t>("SELECT count(*) FROM " + plan().object("log")));
  }

  // ---- comparing ----

  Task<void> verify() {
    std::vector<TableReport> tables;
    co_await source_->transaction({.isolation = Isolation::repeatable_read, .access = Access::read_only},
                                  [&](Transaction& reader) -> Task<void> {
                                    const std::string moment = co_await current_snapshot(reader);
                                    // What was visible at that moment, and nothing else, is in the copy then.
                                    Lease log(co_await handle(owner_.from_).lease(fleet::OnConnectFailure::fail));
                                    if (!copy_->position.window.empty())
                                      co_await repeat(log, *target_, copy_->position, &copy_->copied, {});
                                    co_await repeat(log, *target_, copy_->position, &copy_->copied, moment);
                                    co_await target_->transaction(
                                        {.isolation = Isolation::repeatable_read, .access = Access::read_only},
                                        [&](Transaction& other) -> Task<void> {
                                          for (const TablePlan& table : plan().tables) {
                                            progress({.step = "verify", .what = table.shown()});
                                            const TableSum left = co_await sum_table(reader, table);
                                            const TableSum right = co_await sum_table(other, table);
                                            if (left != right) throw difference(table, left, right);
                                            tables.push_back({table.shown(), left.rows, true});
                                          }
                                        });
                                  });
    report_.tables = std::move(tables);
    verified_ = true;
    co_await set_phase(*source_, plan().tag, Phase::verified);
    record_->phase = Phase::verified;
    step("verified");
  }

  // ---- the switch ----

  Task<void> require_shapes(Transaction& tx) {
    const std::vector<std::string> shapes = co_await read_shapes(tx, plan());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const TablePlan& table = plan().tables[i];
      if (shapes[i] != table.shape) {
        throw cant("the columns of " + table.shown() + " were changed during the move (" + table.shape + " -> " +
                       shapes[i] + ")",
                   "switchyard move abort, and begin again");
      }
    }
  }

  std::string lock_text() const {
    std::string tables;
    for (const TablePlan& table : plan().tables) tables += (tables.empty() ? "" : ", ") + table.qualified();
    return "LOCK TABLE " + tables + " IN ACCESS EXCLUSIVE MODE";
  }

  /// Makes `attempt` until it succeeds; one that could not get its locks, or took too long, has changed nothing.
  template <class F>
  Task<void> with_pauses(Phase done_with, F attempt) {
    const TimePoint until = deadline_after(runtime::now(), options_.switch_patience);
    Duration pause = kSwitchPauseMin;
    for (;;) {
      ++report_.attempts;
      const auto done = co_await as_result(attempt());
      if (done.ok()) {
        report_.pause = runtime::now() - locking_;
        co_return;
      }
      const Error& error = done.error();
      const bool again = is_lock_timeout(error) || error.kind() == ErrorKind::Deadline;
      if (!again || runtime::now() >= until) {
        throw again ? Error(ErrorKind::Unavailable,
                            "the switch found no gap in " + std::to_string(report_.attempts) +
                                " attempts: somebody keeps locks on the tables, or writes faster than is repeated")
                          .with_hint(
                              "everything is copied: switchyard move goes on from here; long transactions are in "
                              "pg_stat_activity")
                    : error;
      }
      progress(
          {.step = "wait", .what = "for a gap between transactions, attempt " + std::to_string(report_.attempts)});
      co_await reopen();
      if (copy_->phase == CopyPhase::opened && record_->phase < Phase::switched) co_await close_again();
      co_await settle();
      if (record_->phase >= done_with) co_return;
      co_await sleep(pause);
      pause = std::min(pause * 2, kSwitchPauseMax);
    }
  }

  /// Both sessions are good again, and what is known is what is there.
  Task<void> reopen() {
    source_.reset();
    target_.reset();
    co_await open();
  }

  Task<void> switch_over() {
    co_await with_pauses(Phase::switched, [&]() -> Task<void> {
      co_await catch_up(kFewChanges);
      co_await source_->transaction([&](Transaction& tx) -> Task<void> {
        locking_ = runtime::now();
        co_await tx.script("SET LOCAL statement_timeout = '" + std::string(kSwitchLock) + "'; " + lock_text() +
                           "; SET LOCAL statement_timeout = 0");
        co_await with_timeout(flip(tx), options_.pause - 300ms);
        // Nothing waits any more but for this commit.
      });
    });
    record_->phase = Phase::switched;
    step("switched");
  }

  /// Under the lock.
  Task<void> flip(Transaction& tx) {
    co_await require_shapes(tx);
    const std::vector<SequenceValue> sequences = co_await put_aside(tx);
    co_await repeat(tx, *target_, copy_->position, &copy_->copied, {});
    // From here on what it holds was written where nobody should have.
    co_await tx.execute("DELETE FROM " + plan().object("log"));
    co_await target_->transaction([&](Transaction& other) -> Task<void> {
      co_await as_mover(other, plan());
      co_await set_sequences(other, sequences);
      co_await run_all(other, lift_writes_fence(plan()));
      co_await run_all(other, triggers_as_before(plan()));
      co_await set_phase(other, plan().tag, CopyPhase::opened);
    });
    copy_->phase = CopyPhase::opened;
    step("opened");
    co_await tx.script(apply_function(plan(), Standing::aside));
    co_await own(tx, owner_.to_);
    co_await set_phase(tx, plan().tag, Phase::switched);
    co_await set_position(tx, plan().tag, {.done = "1:1:", .window = "", .seq = 0});
    record_->back = {.done = "1:1:", .window = "", .seq = 0};
  }

  struct SequenceValue {
    SequencePlan sequence;
    std::int64_t last = 0;
    bool called = false;
  };
  Task<std::vector<SequenceValue>> put_aside(Transaction& tx) {
    co_await run_all(tx, fence_functions(plan(), gone(plan())));
    co_await run_all(tx, triggers_off(plan()));
    co_await run_all(tx, stand_aside(plan()));
    co_return co_await read_sequences(tx);
  }

  /// Sequences of their columns went aside with the tables: nobody draws from them now.
  Task<std::vector<SequenceValue>> read_sequences(Transaction& tx) {
    std::vector<SequenceValue> values;
    for (const TablePlan& table : plan().tables) {
      for (const SequencePlan& sequence : table.sequences) {
        const std::string there =
            quote_name(holding_schema(plan(), table.schema)) + "." + quote_name(sequence.name);
        const bool moved = co_await tx.query_value<bool>("SELECT to_regclass($1) IS NOT NULL", there);
        const auto [last, called] = co_await tx.query_one<std::tuple<std::int64_t, bool>>(
            "SELECT last_value, is_called FROM " + (moved ? there : sequence.qualified()));
        values.push_back({sequence, last, called});
      }
    }
    co_return values;
  }
  static Task<void> set_sequences(Transaction& tx, const std::vector<SequenceValue>& values) {
    for (const SequenceValue& one : values) {
      co_await tx.query_value<std::optional<std::int64_t>>("SELECT setval(to_regclass($1), $2, $3)",
                                                           one.sequence.qualified(), one.last, one.called);
    }
  }

  /// Who owns the data of the database that is moved to, as fleets read it.
  Task<void> own(Transaction& tx, const std::string& owner) {
    if (!stands_in()) co_return;
    co_await tx.script(
        "CREATE TABLE IF NOT EXISTS switchyard.ownership (database text PRIMARY KEY, owner text NOT NULL,"
        " location text NOT NULL, decided_at timestamptz NOT NULL DEFAULT clock_timestamp())");
    co_await tx.execute(
        "INSERT INTO switchyard.ownership (database, owner, location) VALUES ($1, $2, $3) ON CONFLICT (database)"
        " DO UPDATE SET owner = excluded.owner, location = excluded.location, decided_at = clock_timestamp()",
        owner_.to_, owner, plan().to_place);
  }

  /// The target was opened and the source not switched: somebody who was told nothing may have written there.
  Task<void> close_again() {
    co_await with_short_locks(*target_, [&](Transaction& tx) -> Task<void> {
      co_await tx.script(lock_text());
      co_await run_all(tx, triggers_off(plan()));
      co_await run_all(tx, writes_fence(plan()));
      co_await set_phase(tx, plan().tag, CopyPhase::tied);
    });
    copy_->phase = CopyPhase::tied;
    co_await take_strays(*target_, *source_, Standing::in_place);
    step("closed");
  }

  /// What was written on the side that does not own the tables is brought to the other one.
  Task<void> take_strays(Lease& from, Lease& to, Standing standing) {
    const auto strays = co_await from.query_value<std::int64_t>("SELECT count(*) FROM " + plan().object("log"));
    if (strays == 0) co_return;
    co_await to.script(apply_function(plan(), standing));
    Position position{.done = "1:1:", .window = co_await current_snapshot(from), .seq = 0};
    for (;;) {
      const LogBatch batch = co_await read_log(from, plan(), position, nullptr, options_.batch);
      if (batch.empty()) break;
      co_await to.transaction([&](Transaction& tx) -> Task<void> { co_await apply(tx, batch); });
      co_await from.execute("DELETE FROM " + plan().object("log") + " WHERE seq = ANY ($1)", batch.seqs);
    }
    report_.notes.push_back(std::to_string(strays) +
                            " changes were written on the side that did not own the tables; " +
                            "they were brought over");
  }

  Task<void> switch_back() {
    co_await with_pauses(Phase::returned, [&]() -> Task<void> {
      co_await catch_up_back(kFewChanges);
      co_await target_->transaction([&](Transaction& tx) -> Task<void> {
        locking_ = runtime::now();
        co_await tx.script("SET LOCAL statement_timeout = '" + std::string(kSwitchLock) + "'; " + lock_text() +
                           "; SET LOCAL statement_timeout = 0");
        co_await with_timeout(flip_back(tx), options_.pause - 300ms);
      });
    });
    if (record_->phase == Phase::returned) co_return;
    copy_->phase = CopyPhase::closed;
    step("closed");
    co_await settle();
  }

  /// Under the lock on the target's tables, which go aside there. The source is open before they have: until they
  /// have gone nobody is told.
  Task<void> flip_back(Transaction& tx) {
    co_await run_all(tx, fence_functions(plan(), back_again(plan())));
    co_await run_all(tx, triggers_off(plan()));
    co_await run_all(tx, stand_aside(plan()));
    const std::vector<SequenceValue> sequences = co_await read_sequences(tx);
    co_await repeat(tx, *source_, record_->back, nullptr, {});
    co_await source_->transaction([&](Transaction& other) -> Task<void> {
      co_await as_mover(other, plan());
      co_await run_all(other, step_back(plan()));
      co_await run_all(other, triggers_as_before(plan()));
      co_await set_sequences(other, sequences);
      co_await set_phase(other, plan().tag, Phase::returning);
    });
    record_->phase = Phase::returning;
    step("reopened");
    co_await set_phase(tx, plan().tag, CopyPhase::closed);
  }

  /// A way back that ended in the middle: goes on if the target has let go, else the source is closed again.
  Task<void> settle() {
    if (record_->phase != Phase::returning) co_return;
    if (copy_ && copy_->phase == CopyPhase::closed) {
      co_await source_->transaction([&](Transaction& tx) -> Task<void> {
        co_await own(tx, owner_.from_);
        co_await set_phase(tx, plan().tag, Phase::returned);
      });
      record_->phase = Phase::returned;
      step("returned");
      co_await with_short_locks(
          *source_, [&](Transaction& tx) -> Task<void> { co_await run_all(tx, drop_capture_statements(plan())); });
      co_return;
    }
    co_await with_short_locks(*source_, [&](Transaction& tx) -> Task<void> {
      co_await tx.script(lock_text());
      co_await run_all(tx, triggers_off(plan()));
      co_await run_all(tx, stand_aside(plan()));
      co_await tx.script(apply_function(plan(), Standing::aside));
      co_await set_phase(tx, plan().tag, Phase::switched);
    });
    record_->phase = Phase::switched;
    co_await take_strays(*source_, *target_, Standing::in_place);
    step("closed again");
  }

  Mover& owner_;
  MoveOptions options_;
  std::optional<Lease> source_, target_;
  std::optional<SourceRecord> record_;
  std::optional<TargetRecord> copy_;
  MoveReport report_;
  bool verified_ = false;
  unsigned idle_looks_ = 0;
  TimePoint locking_{};  ///< since when writers wait
};

Task<void> Mover::Run::confirm() {
  (void)need();
  co_await settle();
  if (record_->phase == Phase::switched) {
    co_await with_short_locks(*source_, [&](Transaction& tx) -> Task<void> {
      co_await as_mover(tx, plan());
      std::string tables;
      for (const TablePlan& table : plan().tables) {
        tables += (tables.empty() ? "" : ", ") + quote_name(holding_schema(plan(), table.schema)) + "." +
                  quote_name(table.name);
      }
      co_await tx.script("TRUNCATE " + tables);
      co_await run_all(tx, drop_capture_statements(plan()));
      co_await tx.script("DROP FUNCTION IF EXISTS " + plan().object("apply") + "(int[], text[], text[], text[])");
      co_await set_phase(tx, plan().tag, Phase::confirmed);
    });
    record_->phase = Phase::confirmed;
    step("confirmed");
  }
  if (record_->phase == Phase::confirmed) {
    if (copy_) {
      co_await with_short_locks(*target_, [&](Transaction& tx) -> Task<void> {
        co_await run_all(tx, drop_capture_statements(plan()));
        for (const char* function : {"fence()", "moved()", "apply(int[], text[], text[], text[])"}) {
          co_await tx.script("DROP FUNCTION IF EXISTS " + plan().object(function));
        }
        co_await remove_records(tx, plan().tag);
      });
      step("forgotten");
    }
    // Its name is free for another move.
    co_await source_->execute("UPDATE switchyard.moves SET name = name || ' ' || tag WHERE tag = $1 AND name = $2",
                              plan().tag, plan().name);
    co_return;
  }
  if (record_->phase != Phase::returned) {
    throw cant("the move has not been switched: there is nothing to confirm", "switchyard move goes on with it");
  }
  if (copy_) {
    co_await with_short_locks(*target_, [&](Transaction& tx) -> Task<void> {
      for (const TablePlan& table : plan().tables) co_await tx.script("DROP VIEW IF EXISTS " + table.qualified());
      std::string tables;
      for (const TablePlan& table : plan().tables) {
        tables += (tables.empty() ? "" : ", ") + quote_name(holding_schema(plan(), table.schema)) + "." +
                  quote_name(table.name);
      }
      co_await tx.script("DROP TABLE IF EXISTS " + tables);
      for (const TablePlan& table : plan().tables) {
        co_await tx.script("DROP SCHEMA IF EXISTS " + quote_name(holding_schema(plan(), table.schema)));
      }
      co_await run_all(tx, drop_capture_statements(plan()));
      for (const char* function : {"fence()", "moved()", "apply(int[], text[], text[], text[])"}) {
        co_await tx.script("DROP FUNCTION IF EXISTS " + plan().object(function));
      }
      co_await remove_records(tx, plan().tag);
    });
    step("forgotten");
  }
  co_await with_short_locks(*source_, [&](Transaction& tx) -> Task<void> {
    co_await run_all(tx, drop_capture_statements(plan()));
    for (const char* function : {"fence()", "moved()", "apply(int[], text[], text[], text[])"}) {
      co_await tx.script("DROP FUNCTION IF EXISTS " + plan().object(function));
    }
    co_await remove_records(tx, plan().tag);
  });
}

Task<void> Mover::Run::abort() {
  (void)need();
  if (record_->phase >= Phase::switched) {
    throw cant("the move has been switched: it can't be undone like this",
               "switchyard move rollback --from " + owner_.from_ + " --to " + owner_.to_);
  }
  if (copy_ && copy_->phase == CopyPhase::opened) co_await close_again();
  if (copy_) {
    co_await with_short_locks(*target_, [&](Transaction& tx) -> Task<void> {
      co_await as_mover(tx, plan());
      std::string tables;
      for (const TablePlan& table : plan().tables) tables += (tables.empty() ? "" : ", ") + table.qualified();
      if (copy_->made_tables) {
        co_await tx.script("DROP TABLE IF EXISTS " + tables);
      } else {
        co_await tx.script("TRUNCATE " + tables);
        co_await run_all(tx, lift_writes_fence(plan()));
        co_await run_all(tx, triggers_as_before(plan()));
      }
      co_await run_all(tx, drop_capture_statements(plan()));
      for (const char* function : {"fence()", "moved()", "apply(int[], text[], text[], text[])"}) {
        co_await tx.script("DROP FUNCTION IF EXISTS " + plan().object(function));
      }
      co_await remove_records(tx, plan().tag);
    });
    copy_.reset();
    step("forgotten");
  }
  co_await with_short_locks(*source_, [&](Transaction& tx) -> Task<void> {
    co_await run_all(tx, drop_capture_statements(plan()));
    co_await tx.script("DROP FUNCTION IF EXISTS " + plan().object("apply") + "(int[], text[], text[], text[])");
    co_await remove_records(tx, plan().tag);
  });
  report_.notes.push_back("nothing of the move is left");
}

Mover::Mover(Fleet& fleet, std::string from, std::string to, MoveOptions options)
    : fleet_(fleet), from_(std::move(from)), to_(std::move(to)), options_(std::move(options)) {}

Task<MoveReport> Mover::run() {
  Run run(*this);
  co_await run.open();
  co_await run.forward();
  co_return co_await run.report();
}

Task<MoveReport> Mover::follow() {
  Run run(*this);
  co_await run.open();
  co_await run.follow_once();
  co_return co_await run.report();
}

Task<MoveReport> Mover::rollback() {
  Run run(*this);
  co_await run.open();
  co_await run.back();
  co_return co_await run.report();
}

Task<MoveReport> Mover::confirm() {
  Run run(*this);
  co_await run.open();
  co_await run.confirm();
  co_return co_await run.report();
}

Task<MoveReport> Mover::abort() {
  Run run(*this);
  co_await run.open();
  co_await run.abort();
  co_return co_await run.report();
}

Task<std::optional<MoveReport>> Mover::status() {
  exclusive_ = false;
  Run run(*this);
  co_await run.open();
  if (!run.record()) co_return std::nullopt;
  co_return co_await run.report();
}

Result<FleetConfig> move_config(const FleetConfig& fleet, const std::string& from, const std::string& to) {
  FleetConfig config = schema::config_for(fleet, from);
  if (config.find(to) == nullptr) {
    FleetConfig other = schema::config_for(fleet, to);
    if (DatabaseConfig* database = other.find(to)) config.databases.push_back(std::move(*database));
  }
  for (const std::string& name : {from, to}) {
    DatabaseConfig* database = config.find(name);
    if (database == nullptr) return Error(ErrorKind::Usage, "there is no database '" + name + "'");
    if (!database->configured()) {
      return Error(ErrorKind::Config, database->missing_dsn_message).with_database(name);
    }
    database->pool.max = 4u;
    database->read_only = false;
    if (database->write.configured()) database->primary = database->write;
    database->write = {};
  }
  return config;
}

}  // namespace switchyard::inline v0::move
