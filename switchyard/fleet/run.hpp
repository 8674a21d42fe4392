// sy::run: a whole program around one coroutine. It reads the configuration (file, environment, .env, command
// line), opens the fleet, runs the application, and closes everything, also on SIGINT and SIGTERM.
//
//     sy::Task<void> app(sy::Fleet& fleet) { ... }
//     int main(int argc, char** argv) { return sy::run(argc, argv, app); }
//
// Options taken from the command line: --config FILE, --env-file FILE, --set KEY=VALUE (repeatable). Everything
// else is the application's.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/task.hpp>

#include <type_traits>
#include <utility>

namespace switchyard::inline v0 {

/// Runs the application on every shard (setting `shards`) instead of on one.
struct PerShard {};
inline constexpr PerShard per_shard;

/// Exit codes of run(), beside the application's own and 128 + signal.
inline constexpr int kExitFailed = 1;  ///< the application threw
inline constexpr int kExitWrongConfiguration =
    2;  ///< nothing was opened, or a database was used that nobody configured

namespace fleet {

/// The user's function, without its type.
struct Application {
  void* function;
  Task<int> (*call)(void* function, Fleet& fleet);
};
enum class Shards : unsigned char { one, all };

/// The part of run() that is no template. 0 when the application succeeded, its own exit code, kExitFailed after an
/// exception (written to stderr), kExitWrongConfiguration after a Config error, 128 + signal when a signal ended
/// it.
SWITCHYARD_API int run_program(int argc, char** argv, Application application, Shards shards);

template <class App>
Task<int> call_application(void* function, Fleet& fleet) {
  App& app = *static_cast<App*>(function);
  if constexpr (std::is_same_v<std::invoke_result_t<App&, Fleet&>, Task<int>>) {
    co_return co_await app(fleet);
  } else {
    co_await app(fleet);
    co_return 0;
  }
}

}  // namespace fleet

/// `app(Fleet&)` returns Task<void>, or Task<int> for an exit code.
template <class App>
int run(int argc, char** argv, App app) {
  return fleet::run_program(argc, argv, {&app, &fleet::call_application<App>}, fleet::Shards::one);
}

/// The same on each shard; `app` is called from several threads.
template <class App>
int run(int argc, char** argv, App app, PerShard /*each*/) {
  return fleet::run_program(argc, argv, {&app, &fleet::call_application<App>}, fleet::Shards::all);
}

}  // namespace switchyard::inline v0
