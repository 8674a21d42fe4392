#include "engine.hpp"

#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/signals.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <cstdlib>
#include <utility>

namespace switchyard::cli {

namespace {

/// Sessions say goodbye; a server that does not answer is not waited for.
constexpr Duration kCloseTimeout = std::chrono::milliseconds(500);

Task<ExitCode> until_signal(runtime::SignalWatch& signals) {
  co_await signals.first().wait();
  co_return ExitCode::interrupted;
}

Task<ExitCode> run(FleetConfig config, const TaskFunction<ExitCode(Fleet&)>& work, runtime::SignalWatch& signals) {
  auto fleet = Fleet::open(std::move(config)).value_or_throw();
  std::exception_ptr failure;
  ExitCode code = ExitCode::failed;
  try {
    const auto first = co_await any(work(*fleet), until_signal(signals));
    code = first.index() == 0 ? std::get<0>(first) : std::get<1>(first);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await fleet->close(kCloseTimeout);
  if (failure) std::rethrow_exception(failure);
  co_return code;
}

}  // namespace

void open_lazily(FleetConfig& config) {
  for (DatabaseConfig& database : config.databases) {
    database.pool.min.value = 0;
    for (ReplicaConfig& replica : database.replicas) replica.pool.min.value = 0;
  }
}

Result<ExitCode> with_fleet(FleetConfig config, TaskFunction<ExitCode(Fleet&)> work) {
  runtime::Shard shard;
  runtime::SignalWatch signals(shard, [](int) { std::_Exit(static_cast<int>(ExitCode::interrupted)); });
  try {
    return shard.run_until_complete(run(std::move(config), work, signals));
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace switchyard::cli
