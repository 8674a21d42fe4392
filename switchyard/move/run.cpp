#include <switchyard/move/run.hpp>

#include <switchyard/move/capture.hpp>
#include <switchyard/move/refusal.hpp>

#include <tuple>
#include <utility>

namespace switchyard::inline v0::move {
namespace {

using namespace std::chrono_literals;

/// A lock that makes writers queue behind us is given up after this.
constexpr std::string_view kLockTimeout = "250ms";
/// Between attempts to get locks for DDL.
constexpr Duration kLockPause = 250ms;
/// How long another process that works on the same move is waited for.
constexpr Duration kOthersGone = 15s;

Task<std::string> identity(Lease& lease) {
  co_return co_await lease.query_value<std::string>(
      "SELECT concat_ws('/', system_identifier, current_database()) FROM pg_control_system()");
}

Task<void> run_script(Lease& lease, std::string_view sql) { co_await lease.script(sql); }

}  // namespace

Run::Run(Fleet& fleet, std::string from, std::string to, const MoveOptions& options, Others others)
    : fleet(fleet), from(std::move(from)), to(std::move(to)), options(options), others_(others) {}

Task<void> Run::open() {
  source_.reset();
  target_.reset();
  record.reset();
  copy.reset();
  source_.emplace(co_await lease(from));
  target_.emplace(co_await lease(to));
  // Not everybody may ask.
  const auto a = co_await as_result(identity(*source_));
  const auto b = co_await as_result(identity(*target_));
  if (a.ok() && b.ok() && *a == *b) {
    throw cant("'" + from + "' and '" + to + "' are one database: there is nothing to move",
               "configure another place for '" + to + "'");
  }
  for (Lease* lease : {&*source_, &*target_}) co_await prepare(*lease);
  record = co_await read_source(*source_, name());
  if (record) copy = co_await read_target(*target_, record->plan.tag);
}

Task<void> Run::prepare(Lease& lease) const {
  // Texts are the same whatever the server's settings are.
  co_await lease.script(
      "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
      " SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; SET timezone = 'UTC';"
      " SET bytea_output = 'hex'; SET lc_monetary = 'C'");
  // A server that loses us ends the session, and with it our locks. Not on every platform.
  (void)co_await as_result(run_script(lease, "SET client_connection_check_interval = '1s'"));
  if (others_ == Others::kept_away) co_await keep_others_away(lease);
}

Task<void> Run::keep_others_away(Lease& lease) const {
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

std::string Run::place_of(const std::string& database) const {
  const ConnectionOptions& at = fleet.config().find(database)->primary.connection;
  const std::string host =
      at.hosts.empty() ? ":" : at.hosts.front().host + ":" + std::to_string(at.hosts.front().port);
  return host + "/" + at.dbname;
}

Task<Lease> Run::lease(const std::string& database) const {
  co_return co_await fleet.database(database).value_or_throw().lease(fleet::OnConnectFailure::fail);
}

void Run::require_record() const {
  if (!record) {
    throw cant("there is no move from '" + from + "' to '" + to + "'",
               "switchyard move status lists what there is");
  }
}

void Run::step(std::string_view name) const {
  if (options.on_step) options.on_step(name);
}

void Run::show(const Progress& progress) const {
  if (options.on_progress) options.on_progress(progress);
}

Task<void> Run::limit_lock_waits(Transaction& tx) {
  co_await tx.script("SET LOCAL lock_timeout = '" + std::string(kLockTimeout) + "'");
}

Task<void> Run::wait_for_locks(Error error, TimePoint until) const {
  if (!is_lock_timeout(error)) throw error;
  if (runtime::now() >= until) {
    throw error.with_hint(
        "somebody keeps a lock on the tables: pg_locks and pg_stat_activity say who; the next run goes on");
  }
  show({.step = "wait", .what = "for a lock on the tables, held by somebody else"});
  co_await sleep(kLockPause);
}

bool is_lock_timeout(const Error& error) {
  return error.sqlstate() == "55P03" || error.sqlstate() == "40P01" || error.sqlstate() == "57014";
}

Task<void> run_all(Transaction& tx, const std::vector<std::string>& statements) {
  std::string script;
  for (const std::string& statement : statements) script += statement + ";\n";
  if (!script.empty()) co_await tx.script(script);
}

Task<void> in_savepoint(Transaction& tx, const std::string& statement) {
  co_await tx.transaction([&](Transaction& inner) -> Task<void> { co_await inner.script(statement); });
}

Task<void> as_mover(Transaction& tx, const MovePlan& plan) {
  co_await tx.query_value<std::string>("SELECT set_config($1, $2, true)", std::string(kApplySetting), plan.tag);
}

}  // namespace switchyard::inline v0::move
