#include "move_watch.hpp"

#include <switchyard/base/units.hpp>
#include <switchyard/move/on_configure.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace switchyard::cli {

namespace {

using move::ConfiguredMove;
using move::MoveReport;

/// A server that does not answer yet, another process that moves, writers without a gap: tried again.
constexpr auto kAgain = std::chrono::seconds(30);
/// How often a running move looks whether it shall end.
constexpr Duration kLook = std::chrono::milliseconds(100);

/// A move is left where it is when the program ends.
Task<void> until_stopped(std::stop_token stop) {
  while (!stop.stop_requested()) co_await sleep(kLook);
}

Task<std::optional<Result<std::optional<MoveReport>>>> attempt(FleetConfig fleet, ConfiguredMove one,
                                                               std::stop_token stop) {
  std::optional<Result<std::optional<MoveReport>>> out;
  const auto moving = [&]() -> Task<void> { out = co_await as_result(move::move_what_is_left(fleet, one)); };
  co_await any(moving(), until_stopped(stop));
  co_return out;
}

void tell(const ConfiguredMove& one, const Result<std::optional<MoveReport>>& done) {
  if (done.ok() && !*done) return;
  log::warning("move", "ownership",
               [&] {
                 const std::string what = "[OWNERSHIP] move_on_configure: " + one.from + " -> " + one.to + ": ";
                 if (!done.ok()) return what + done.error().what();
                 return what + "the tables are there now, writers waited for " + format_duration((**done).pause) +
                        "; switchyard move confirm --from " + one.from + " --to " + one.to +
                        " empties the old copy";
               },
               {{"database", std::string_view(one.to)}});
}

}  // namespace

MoveWatch::MoveWatch(const FleetConfig& fleet) {
  if (move::moves_on_configure(fleet).empty()) return;
  thread_ = std::jthread([config = fleet](std::stop_token stop) {
    std::vector<ConfiguredMove> left = move::moves_on_configure(config);
    std::mutex guard;
    std::condition_variable_any wake;
    while (!left.empty() && !stop.stop_requested()) {
      std::erase_if(left, [&](const ConfiguredMove& one) {
        if (stop.stop_requested()) return false;
        runtime::Shard shard;
        const auto done = shard.run_until_complete(attempt(config, one, stop));
        if (!done) return false;
        tell(one, *done);
        // What can't be moved stays so until somebody changes it, and the program with it.
        return done->ok() || done->error().kind() == ErrorKind::Config;
      });
      std::unique_lock lock(guard);
      wake.wait_for(lock, stop, kAgain, [&] { return left.empty(); });
    }
  });
}

MoveWatch::~MoveWatch() = default;

}  // namespace switchyard::cli
