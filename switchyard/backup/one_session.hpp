// One session of one database, for as long as a piece of work needs it.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/task_function.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/schema/fleet_migration.hpp>

#include <string>
#include <utility>

namespace switchyard::inline v0::backup {

/// The configuration of that database alone, its primary as the role that it is read with: also of one that is
/// read-only to the application.
[[nodiscard]] inline FleetConfig config_of(const FleetConfig& fleet, const std::string& database) {
  FleetConfig config = schema::config_for(fleet, database);
  if (DatabaseConfig* own = config.find(database)) {
    own->write = {};
    own->read_only = false;
    own->tables = {};
  }
  return config;
}

/// Opens a session, does the work and closes it. Blocks; on a shard of its own, so it may be called on any thread
/// that has none.
template <class T>
[[nodiscard]] Result<T> on_one_session(const FleetConfig& config, const std::string& database,
                                       TaskFunction<T(Lease&)> work) {
  const auto all = [](const FleetConfig& with, const std::string& name, TaskFunction<T(Lease&)>& inner) -> Task<T> {
    auto fleet = Fleet::open(with).value_or_throw();
    const auto with_lease = [](Fleet& opened, const std::string& on, TaskFunction<T(Lease&)>& function) -> Task<T> {
      Lease lease = co_await opened.database(on).value_or_throw().lease(fleet::OnConnectFailure::fail);
      co_return co_await function(lease);
    };
    auto done = co_await as_result(with_lease(*fleet, name, inner));
    co_await fleet->close(std::chrono::milliseconds(500));
    co_return std::move(done).value_or_throw();
  };
  runtime::Shard shard;
  try {
    return shard.run_until_complete(all(config, database, work));
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace switchyard::inline v0::backup
