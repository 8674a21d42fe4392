#include <switchyard/fleet/route_querier.hpp>
#include <switchyard/fleet/spool_schema.hpp>
#include <switchyard/fleet/spool_target.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

// While the database is away the attempt to reach it must not last: another process may succeed.
constexpr Duration kReachLimit = std::chrono::seconds(10);

/// Classes of SQLSTATE (manual appendix A) that say nothing about the statement: try again.
constexpr std::array<std::string_view, 9> kPassing{"08", "25", "40", "53", "55", "57", "58", "F0", "XX"};
/// Classes that say the database is not ready for the statement: names, rights, features.
constexpr std::array<std::string_view, 4> kUnprepared{"0A", "3D", "3F", "42"};
/// Of class 25, but it will never work.
constexpr std::string_view kNeedsNoTransaction = "25001";

/// Operations as an entry holds them.
class Replayer final : public Querier {
 public:
  explicit Replayer(const Transaction& transaction) : Querier(transaction) {}
  Operation<std::uint64_t> replay(SpoolStatement statement) {
    auto state = session::AffectedState::create();
    prepare(*state, Statement{.sql = statement.sql}, Intent::write);
    state->parts.front().parameters = std::move(statement.sets.front());
    for (std::size_t i = 1; i < statement.sets.size(); ++i) {
      state->repeats.push_back(std::move(statement.sets[i]));
    }
    return Operation<std::uint64_t>(std::move(state));
  }
  /// Statements with one set each, in one round trip.
  Operation<std::uint64_t> replay(std::vector<session::StatementPart> parts) {
    auto state = session::AffectedState::create();
    prepare(*state, Statement{}, Intent::write);
    state->parts = std::move(parts);
    return Operation<std::uint64_t>(std::move(state));
  }
};

Task<void> replay(Transaction& transaction, std::vector<ReadyEntry>& entries) {
  Replayer replayer(transaction);
  std::vector<session::StatementPart> gathered;
  for (ReadyEntry& entry : entries) {
    for (SpoolStatement& statement : entry.statements) {
      if (statement.sets.size() == 1) {
        session::StatementPart& part = gathered.emplace_back();
        part.sql = std::move(statement.sql);
        part.parameters = std::move(statement.sets.front());
        continue;
      }
      if (!gathered.empty()) co_await replayer.replay(std::exchange(gathered, {}));
      co_await replayer.replay(std::move(statement));
    }
  }
  if (!gathered.empty()) co_await replayer.replay(std::move(gathered));
}

}  // namespace

DrainOutcome drain_outcome_of(const Error& error) noexcept {
  if (error.kind() == ErrorKind::InDoubt) return DrainOutcome::in_doubt;
  const std::string_view sqlstate = error.sqlstate();
  // The parameters do not fit the statement's types, or the entry can't be read: it never will be.
  if (sqlstate.empty()) {
    const bool its_own = error.kind() == ErrorKind::Usage || error.kind() == ErrorKind::Protocol;
    return its_own && error.session_alive() ? DrainOutcome::refused : DrainOutcome::failed;
  }
  if (error.kind() != ErrorKind::Server) return DrainOutcome::failed;
  if (sqlstate == kNeedsNoTransaction) return DrainOutcome::refused;
  const std::string_view category = sqlstate.substr(0, 2);
  if (std::ranges::find(kPassing, category) != kPassing.end()) return DrainOutcome::failed;
  if (std::ranges::find(kUnprepared, category) != kUnprepared.end()) return DrainOutcome::unprepared;
  return DrainOutcome::refused;
}

Task<std::optional<std::vector<Uuid>>> SpoolTarget::resume(std::string source, std::int64_t token) {
  const TimePoint deadline = deadline_after(runtime::now(), kReachLimit);
  // Learn at once that the database is still away, instead of waiting for it in its pool's queue.
  let_go(co_await open_channel(*target_, {.deadline = deadline, .label = {}}, OnConnectFailure::fail));
  RouteQuerier querier(target_, deadline);
  if (!has_table_) {
    co_await ensure_progress_table(querier, target_->database());
    has_table_ = true;
  }
  co_return co_await querier.query_optional<std::vector<Uuid>>(
      "INSERT INTO switchyard.spool_progress AS progress (source, database, token, applied, last_position)"
      " VALUES ($1, $2, $3, '{}', 0) ON CONFLICT (source, database) DO UPDATE SET token = excluded.token"
      " WHERE progress.token < excluded.token RETURNING applied",
      source, database_, token);
}

Task<void> SpoolTarget::run(SpoolEntry& entry) {
  std::vector<ReadyEntry> entries;
  entries.push_back({.position = 0, .entry = {}, .statements = std::move(entry)});
  co_await run_transaction(*target_, session::CallContext{}, TransactionOptions{},
                           [&entries](Transaction& tx) -> Task<void> { co_await replay(tx, entries); });
}

Task<Applied> SpoolTarget::apply(std::string source, std::int64_t token, std::vector<ReadyEntry> entries) {
  std::vector<Uuid> names;
  for (const ReadyEntry& entry : entries) names.push_back(entry.entry);
  const std::int64_t last = entries.empty() ? 0 : entries.back().position;
  bool fenced = false;
  const auto done = co_await as_result(
      run_transaction(*target_, session::CallContext{}, TransactionOptions{}, [&](Transaction& tx) -> Task<void> {
        const auto mine = co_await tx.execute(
            "UPDATE switchyard.spool_progress SET applied = $4, last_position = $5, updated_at = clock_timestamp()"
            " WHERE source = $1 AND database = $2 AND token = $3",
            source, database_, token, names, last);
        if (mine != 1) {
          fenced = true;
          throw Error(ErrorKind::Cancelled, "another process drains the spool");
        }
        // The spool forgets what is committed here, so it has to last.
        co_await tx.execute(
            "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = "
            "'off'");
        co_await replay(tx, entries);
      }));
  if (done.ok()) co_return Applied{};
  co_return Applied{fenced ? DrainOutcome::fenced : drain_outcome_of(done.error()), done.error()};
}

}  // namespace switchyard::inline v0::fleet
