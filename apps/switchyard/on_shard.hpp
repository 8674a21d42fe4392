// Runs the work of one command on a shard of its own.
#pragma once

#include "exit_code.hpp"

#include <switchyard/base/result.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/signals.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <cstdlib>
#include <string>
#include <tuple>
#include <utility>

namespace switchyard::cli {

/// Ctrl-C drops the work, whose sessions end with it: an error of kind Cancelled with this hint. A second one ends
/// the program at once.
template <class T>
Result<T> on_shard(Task<T> work, std::string hint) {
  runtime::Shard shard;
  runtime::SignalWatch signals(shard, [](int) { std::_Exit(static_cast<int>(ExitCode::interrupted)); });
  const auto until_signal = [](runtime::SignalWatch& watch, const std::string& then) -> Task<void> {
    co_await watch.first().wait();
    throw Error(ErrorKind::Cancelled, "interrupted").with_hint(then);
  };
  const auto either = [](Task<T> first, Task<void> second) -> Task<T> {
    auto done = co_await any(std::move(first), std::move(second));
    co_return std::get<0>(std::move(done));
  };
  try {
    return shard.run_until_complete(either(std::move(work), until_signal(signals, hint)));
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace switchyard::cli
