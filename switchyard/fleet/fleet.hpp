// The fleet: all databases of one application, opened from one configuration. Opening connects to nothing; pools
// open on first use. A fleet belongs to the shard (thread) it was opened on.
//
//     auto fleet = sy::Fleet::open(config).value_or_throw();
//     auto users = co_await (*fleet)[main_db].query<User>("SELECT id, name FROM users");
//
// sy::run() (switchyard/run.hpp) does the opening and closing for a program.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/breaker_command.hpp>
#include <switchyard/fleet/commit_marker.hpp>
#include <switchyard/fleet/database.hpp>
#include <switchyard/fleet/database_handle.hpp>
#include <switchyard/fleet/request.hpp>
#include <switchyard/fleet/route_explanation.hpp>
#include <switchyard/fleet/statistics.hpp>
#include <switchyard/fleet/status.hpp>
#include <switchyard/runtime/task.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0 {

class Fleet;
namespace fleet {
class SharedPermits;
class OwnerGuard;
[[nodiscard]] SWITCHYARD_API OwnerGuard* owner_guard(Fleet& fleet) noexcept;
}  // namespace fleet

class SWITCHYARD_API Fleet {
 public:
  /// Checks the configuration and every name that the program uses (Config errors with "did you mean"). Must be
  /// called on a shard.
  static Result<std::unique_ptr<Fleet>> open(FleetConfig config);
  /// The same for one of several shards, which share the sizes of their pools.
  static Result<std::unique_ptr<Fleet>> open(FleetConfig config, std::shared_ptr<fleet::SharedPermits> permits);
  /// Closes at once what close() has not closed: waiting callers get Closed. Never blocks.
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// The primary of a database. A name such as "main_replica" gives its read view.
  template <FixedString Name>
  DatabaseHandle operator[](Database<Name> database) {
    return handle(database.use());
  }
  /// The same for a name known only at run time: Usage error with "did you mean" for an unknown one.
  Result<DatabaseHandle> database(std::string_view name);
  /// The place for an operation, chosen by what it does and the domain of its data, which is a database's name:
  ///   read            a replica of main, else main
  ///   read, domain    a replica of that database, else that database
  ///   write, domain   the primary of that database
  ///   write           the primary of main
  /// A database that is not configured is replaced by the one that takes over for it (`when_unconfigured`: main in
  /// fleets configured by *_DATABASE_URL), reads by its replica. Usage error for an unknown domain, with "did you
  /// mean", and for a write to a read view such as "main_replica".
  Result<DatabaseHandle> database_for(OperationKind kind, std::string_view domain = {});

  /// A unit of work: its operations share a deadline and a label.
  Request request(RequestOptions options = {});

  [[nodiscard]] const FleetConfig& config() const noexcept;
  [[nodiscard]] FleetStatus status() const;
  /// The distributions behind it.
  [[nodiscard]] FleetStatistics statistics() const;

  /// Runs SELECT 1 on the primary and on each replica; opens pools that were never used. Never throws: a failure is
  /// in the report. Unknown names: Usage.
  Task<Result<HealthReport>> health(std::string_view database, Duration timeout = std::chrono::seconds(5));
  /// All databases side by side.
  Task<std::vector<HealthReport>> health_all(Duration timeout = std::chrono::seconds(5));

  /// Asks the primary whether the transaction with this marker (Transaction::marker()) was committed. Errors:
  /// Config for what is no marker, Usage for an unknown database, Deadline when nobody could tell in time.
  Task<Result<CommitOutcome>> resolve(std::string marker, Duration timeout = std::chrono::seconds(30));

  /// Where an operation would go now, and why not elsewhere; looks at every place first. Names such as
  /// "main_replica" make it a read. Usage error for an unknown name or a malformed position.
  Task<Result<RouteExplanation>> explain_route(std::string_view database, RouteQuestion question,
                                               Duration timeout = std::chrono::seconds(3));

  /// Opens, closes or resets breakers of a database, for all shards of the process; answers what they look like
  /// then. Without a replica's name those of the primary. Usage error for an unknown database or replica, with "did
  /// you mean".
  Result<std::vector<BreakerReport>> set_breakers(std::string_view database, BreakerCommand command,
                                                  BreakerSelection which = {});

  /// Of this shard: callers of the database wait (their acquire_timeout goes on), and its sessions are closed as
  /// they come back, until resume(). Done when FleetStatus shows no session any more. Usage error for an unknown
  /// database, with "did you mean"; of a read view it is the database's.
  Result<void> pause(std::string_view database);
  Result<void> resume(std::string_view database);
  /// Of this shard: no session that is open now is used by another caller. Idle ones are closed, others as they
  /// come back; new ones are opened as they are needed.
  Result<void> reconnect(std::string_view database);
  /// The open sessions of this shard.
  [[nodiscard]] std::vector<SessionStatus> sessions() const;

  /// Opens the pools of all configured databases to their `min` and logs
  /// "[STARTUP] Main database pool initialized" for each that answered.
  Task<void> warm_up();

  /// Applies what the spool of a database holds, until it is empty and writes go direct; Deadline otherwise. A
  /// running fleet does it by itself.
  Task<void> drain_spool(std::string database, Duration limit);

  /// Stops accepting, waits for running operations up to `timeout`, then closes.
  Task<void> close(Duration timeout = std::chrono::seconds(10));

 private:
  friend fleet::OwnerGuard* fleet::owner_guard(Fleet& fleet) noexcept;
  class Impl;
  explicit Fleet(std::unique_ptr<Impl> impl) noexcept;
  DatabaseHandle handle(std::string_view used_name);
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0
