// The Asio half of a shard. Included by the few files of this room that do I/O.
#pragma once

#include <switchyard/runtime/loop.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace switchyard::inline v0::runtime {

/// One timer and one posted handler drive the Loop; both go through the executor, whether it is our own context's
/// or the user's. Handlers keep the object alive; after close() they do nothing.
class AsioLoop final : public Loop, public std::enable_shared_from_this<AsioLoop> {
 public:
  /// With a context of its own.
  explicit AsioLoop(Shard* shard);
  /// On the user's executor: one thread, or a strand.
  AsioLoop(Shard* shard, boost::asio::any_io_executor executor);

  [[nodiscard]] static AsioLoop& current() noexcept;
  [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return executor_; }
  [[nodiscard]] bool owns_context() const noexcept { return context_.has_value(); }
  [[nodiscard]] bool closed() const noexcept { return closed_; }

  using Loop::set_shard;
  void post(std::function<void()> fn);
  void run();
  void run_until(const bool& done);
  void stop() noexcept;
  /// Ends the loop; what is still queued is thrown away.
  void close() noexcept;

 private:
  void post_turn() noexcept override;
  void wake_at(TimePoint moment) noexcept override;
  TimePoint read_clock() noexcept override { return Clock::now(); }
  void refuse_nested_run() const;

  std::optional<boost::asio::io_context> context_;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>>
      work_;  // only stop() stops
  boost::asio::any_io_executor executor_;
  std::optional<boost::asio::steady_timer> wake_timer_;
  bool closed_ = false;
};

}  // namespace switchyard::inline v0::runtime
