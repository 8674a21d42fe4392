// SIGINT and SIGTERM for programs, SIGHUP for those that read their configuration again, SIGUSR2 for those that
// hand over to a new process; the library itself installs no handler.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/shard.hpp>

#include <functional>
#include <memory>

namespace switchyard::inline v0::runtime {

/// The first signal asks for an orderly end, the second for an immediate one.
class SWITCHYARD_API SignalWatch {
 public:
  /// Watches from now on, on `shard`. `on_second` is called on the shard with the signal's number, for example to
  /// exit with 130; the loop must not be blocked then.
  SignalWatch(Shard& shard, std::function<void(int)> on_second);
  /// Calls `on_hangup` for each SIGHUP as well, on the shard; else that signal does what it did before.
  SignalWatch(Shard& shard, std::function<void(int)> on_second, std::function<void()> on_hangup);
  /// And `on_user2` for each SIGUSR2.
  SignalWatch(Shard& shard, std::function<void(int)> on_second, std::function<void()> on_hangup,
              std::function<void()> on_user2);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// Set by the first signal.
  [[nodiscard]] AsyncEvent& first() noexcept;
  /// Its number, 0 before.
  [[nodiscard]] int signal() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::runtime
